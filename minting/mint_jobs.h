/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mint jobs between submission and outcome: a table of slots of fixed size, without I/O. Part of mint_client, and
 * confined to its thread.
 *
 *              add               sent                  finish (signed, refused)
 *     free ──────────► queued ──────────► sent ─────────────────────────────────► free
 *                       ▲  ▲               │ │
 *                       │  └───────────────┘ │ hold (busy)
 *                       │     requeue_all    ▼
 *                       └────────────────── held
 *                             release
 *
 * Whatever is queued, sent or held may also finish (timed out, cancelled).
 *
 * A job is known to the signer by its id: slot index and the slot's generation, which counts the jobs that the slot
 * has held. A reply that names another generation, or a slot that waits for none, is late or made up.
 */
#ifndef MINTGATE_MINTING_MINT_JOBS_H
#define MINTGATE_MINTING_MINT_JOBS_H

#include <sys/queue.h>

#include "minting/leaf.h"
#include "minting/mint_client.h"

struct mint_slot {
    TAILQ_ENTRY(mint_slot) link; /* of the list that |state| says */
    enum { MINT_SLOT_FREE, MINT_SLOT_QUEUED, MINT_SLOT_SENT, MINT_SLOT_HELD } state;
    uint32_t generation;
    uint64_t deadline_ns;
    bool is_proof;                 /* |proof| is to be signed, else |tbs| */
    struct wire_client_sign proof; /* |content| is owned; |id| is mint_jobs_id's */
    struct issuer *issuer;         /* one reference; like the next two, of a leaf alone */
    struct leaf_key *key;          /* one reference */
    struct leaf_tbs tbs; /* |der| is owned: resent as it is, so that no serial is ever given to two contents; one
                          * reference to |mimic| */
    mint_done *done;
    mint_wanted *is_wanted; /* NULL: always */
    void *arg;              /* of both */
    bool verify;
};

TAILQ_HEAD(mint_slot_list, mint_slot);

struct mint_jobs {
    struct mint_slot *slots;
    size_t num_slots;
    struct mint_slot_list free, queued, sent, held;
    size_t num_cancellable;        /* of those queued, sent and held */
    uint64_t earliest_deadline_ns; /* no job's deadline is before it; UINT64_MAX: none has one */
};

MG_MUST_USE enum mg_status mint_jobs_init(struct mint_jobs *jobs, size_t num_slots);

/* mint_jobs_free frees the table. It holds no jobs any more. */
void mint_jobs_free(struct mint_jobs *jobs);

/* mint_jobs_add queues |job| with a copy of |tbs|, taking references to its mimic, the issuer and |key|. MG_LIMIT: no
 * slot is free; MG_MEMORY. */
MG_MUST_USE enum mg_status mint_jobs_add(struct mint_jobs *jobs, const struct mint_job *job, const struct leaf_tbs *tbs,
                                         struct leaf_key *key, uint64_t deadline_ns);

/* mint_jobs_add_proof queues |proof| with a copy of its content. Likewise. */
MG_MUST_USE enum mg_status mint_jobs_add_proof(struct mint_jobs *jobs, const struct mint_proof *proof,
                                               uint64_t deadline_ns);

uint64_t mint_jobs_id(const struct mint_jobs *jobs, const struct mint_slot *slot);

/* mint_jobs_find_sent returns the job that waits for the reply |id|, or NULL. */
struct mint_slot *mint_jobs_find_sent(const struct mint_jobs *jobs, uint64_t id);

void mint_jobs_mark_sent(struct mint_jobs *jobs, struct mint_slot *slot);

/* mint_jobs_hold sets a queued or sent job aside, for a while; mint_jobs_release puts all that are held before the
 * queued ones, in their order. */
void mint_jobs_hold(struct mint_jobs *jobs, struct mint_slot *slot);
void mint_jobs_release(struct mint_jobs *jobs);

/* mint_jobs_requeue_all puts all sent jobs back, before the queued ones, in their order, and returns how many. */
size_t mint_jobs_requeue_all(struct mint_jobs *jobs);

/* mint_jobs_finish frees the slot and then tells the job's owner, who may add jobs. */
void mint_jobs_finish(struct mint_jobs *jobs, struct mint_slot *slot, const struct mint_outcome *outcome);

/* mint_jobs_finish_all is mint_jobs_finish, with |result|, for every job whose deadline is at or before |until_ns|;
 * returns how many. It walks the whole table: call it when earliest_deadline_ns has come. */
size_t mint_jobs_finish_all(struct mint_jobs *jobs, uint64_t until_ns, enum mint_result result);

#endif
