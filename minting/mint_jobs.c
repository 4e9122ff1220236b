/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/mint_jobs.h"

#include <stdlib.h>

enum mg_status mint_jobs_init(struct mint_jobs *jobs, size_t num_slots)
{
    *jobs = (struct mint_jobs){.num_slots = num_slots, .earliest_deadline_ns = UINT64_MAX};
    TAILQ_INIT(&jobs->free);
    TAILQ_INIT(&jobs->queued);
    TAILQ_INIT(&jobs->sent);
    TAILQ_INIT(&jobs->held);
    jobs->slots = calloc(num_slots, sizeof(*jobs->slots));
    if (jobs->slots == NULL) {
        return MG_MEMORY;
    }
    for (size_t i = 0; i < num_slots; i++) {
        TAILQ_INSERT_TAIL(&jobs->free, &jobs->slots[i], link);
    }
    return MG_OK;
}

void mint_jobs_free(struct mint_jobs *jobs)
{
    free(jobs->slots);
    *jobs = (struct mint_jobs){.slots = NULL};
}

/* begin finds a free slot for a job over |content|, of which it makes a copy: |*copy|. */
static enum mg_status begin(const struct mint_jobs *jobs, struct mg_slice content, struct mint_slot **out,
                            struct mg_slice *copy)
{
    *out = TAILQ_FIRST(&jobs->free);
    if (*out == NULL) {
        return MG_LIMIT;
    }
    uint8_t *bytes = malloc(content.len);
    if (bytes == NULL) {
        return MG_MEMORY;
    }
    memcpy(bytes, content.data, content.len);
    *copy = mg_slice_of(bytes, content.len);
    return MG_OK;
}

/* enqueue queues a slot that has been filled. */
static void enqueue(struct mint_jobs *jobs, struct mint_slot *slot)
{
    jobs->num_cancellable += slot->is_wanted != NULL;
    TAILQ_REMOVE(&jobs->free, slot, link);
    TAILQ_INSERT_TAIL(&jobs->queued, slot, link);
    slot->state = MINT_SLOT_QUEUED;
    if (slot->deadline_ns < jobs->earliest_deadline_ns) {
        jobs->earliest_deadline_ns = slot->deadline_ns;
    }
}

enum mg_status mint_jobs_add(struct mint_jobs *jobs, const struct mint_job *job, const struct leaf_tbs *tbs,
                             struct leaf_key *key, uint64_t deadline_ns)
{
    struct mint_slot *slot;
    struct mg_slice der;
    enum mg_status status = begin(jobs, tbs->der, &slot, &der);
    if (status != MG_OK) {
        return status;
    }
    slot->is_proof = false;
    slot->tbs = *tbs;
    slot->tbs.der = der;
    slot->issuer = issuer_up_ref(job->issuer);
    slot->key = leaf_key_up_ref(key);
    (void)mimic_up_ref(slot->tbs.mimic);
    slot->deadline_ns = deadline_ns;
    slot->done = job->done;
    slot->is_wanted = job->is_wanted;
    slot->arg = job->arg;
    slot->verify = job->verify;
    enqueue(jobs, slot);
    return MG_OK;
}

enum mg_status mint_jobs_add_proof(struct mint_jobs *jobs, const struct mint_proof *proof, uint64_t deadline_ns)
{
    struct mint_slot *slot;
    struct mg_slice content;
    enum mg_status status = begin(jobs, proof->content, &slot, &content);
    if (status != MG_OK) {
        return status;
    }
    slot->is_proof = true;
    slot->proof = (struct wire_client_sign){
        .id = mint_jobs_id(jobs, slot), .key_id = proof->key_id, .scheme = proof->scheme, .content = content};
    slot->deadline_ns = deadline_ns;
    slot->done = proof->done;
    slot->is_wanted = proof->is_wanted;
    slot->arg = proof->arg;
    enqueue(jobs, slot);
    return MG_OK;
}

uint64_t mint_jobs_id(const struct mint_jobs *jobs, const struct mint_slot *slot)
{
    return (uint64_t)slot->generation << 32 | (uint64_t)(slot - jobs->slots);
}

struct mint_slot *mint_jobs_find_sent(const struct mint_jobs *jobs, uint64_t id)
{
    uint64_t index = id & UINT32_MAX;
    if (index >= jobs->num_slots) {
        return NULL;
    }
    struct mint_slot *slot = &jobs->slots[index];
    return slot->state == MINT_SLOT_SENT && slot->generation == id >> 32 ? slot : NULL;
}

/* list_of returns the list that |slot|, which has a job, is in. */
static struct mint_slot_list *list_of(struct mint_jobs *jobs, const struct mint_slot *slot)
{
    return slot->state == MINT_SLOT_SENT ? &jobs->sent : slot->state == MINT_SLOT_HELD ? &jobs->held : &jobs->queued;
}

void mint_jobs_mark_sent(struct mint_jobs *jobs, struct mint_slot *slot)
{
    TAILQ_REMOVE(&jobs->queued, slot, link);
    TAILQ_INSERT_TAIL(&jobs->sent, slot, link);
    slot->state = MINT_SLOT_SENT;
}

void mint_jobs_hold(struct mint_jobs *jobs, struct mint_slot *slot)
{
    TAILQ_REMOVE(list_of(jobs, slot), slot, link);
    TAILQ_INSERT_TAIL(&jobs->held, slot, link);
    slot->state = MINT_SLOT_HELD;
}

/* queue_all puts all of |list| before the queued ones, and returns how many. */
static size_t queue_all(struct mint_jobs *jobs, struct mint_slot_list *list)
{
    size_t num_queued = 0;
    struct mint_slot *slot;
    TAILQ_FOREACH(slot, list, link)
    {
        slot->state = MINT_SLOT_QUEUED;
        num_queued++;
    }
    TAILQ_CONCAT(list, &jobs->queued, link);
    TAILQ_CONCAT(&jobs->queued, list, link);
    return num_queued;
}

void mint_jobs_release(struct mint_jobs *jobs)
{
    (void)queue_all(jobs, &jobs->held);
}

size_t mint_jobs_requeue_all(struct mint_jobs *jobs)
{
    return queue_all(jobs, &jobs->sent);
}

static void release(struct mint_slot *slot)
{
    if (slot->is_proof) {
        free(MG_UNCONST(slot->proof.content.data));
        return;
    }
    free(MG_UNCONST(slot->tbs.der.data));
    issuer_unref(slot->issuer);
    leaf_key_unref(slot->key);
    mimic_unref(slot->tbs.mimic);
}

void mint_jobs_finish(struct mint_jobs *jobs, struct mint_slot *slot, const struct mint_outcome *outcome)
{
    mint_done *done = slot->done;
    void *arg = slot->arg;
    TAILQ_REMOVE(list_of(jobs, slot), slot, link);
    TAILQ_INSERT_HEAD(&jobs->free, slot, link);
    slot->state = MINT_SLOT_FREE;
    slot->generation++;
    jobs->num_cancellable -= slot->is_wanted != NULL;
    release(slot);
    done(arg, outcome);
}

size_t mint_jobs_finish_all(struct mint_jobs *jobs, uint64_t until_ns, enum mint_result result)
{
    const struct mint_outcome outcome = {.result = result};
    size_t num_finished = 0;
    jobs->earliest_deadline_ns = UINT64_MAX; /* what stays, and what an owner adds meanwhile, lowers it again */
    for (size_t i = 0; i < jobs->num_slots; i++) {
        struct mint_slot *slot = &jobs->slots[i];
        if (slot->state == MINT_SLOT_FREE) {
            continue;
        }
        if (slot->deadline_ns <= until_ns) {
            mint_jobs_finish(jobs, slot, &outcome);
            num_finished++;
        } else if (slot->deadline_ns < jobs->earliest_deadline_ns) {
            jobs->earliest_deadline_ns = slot->deadline_ns;
        }
    }
    return num_finished;
}
