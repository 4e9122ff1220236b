/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/issuers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pool.h>

#include "base/log.h"
#include "cache/rcu.h"

#define NUM_ROLES 2

/* An issuer in its place, so that the reference of the place is dropped after a grace period. */
struct place {
    struct mg_rcu_head rcu;
    struct issuer *issuer; /* one reference */
};

struct issuers {
    pthread_mutex_t lock; /* among updates */
    struct issuer_options options;
    uint64_t last_generation;
    struct place *places[NUM_ROLES]; /* RCU; update: rw, all: ro */
};

enum mg_status issuers_new(struct issuers **out, const struct issuer_options *options)
{
    struct issuers *issuers = calloc(1, sizeof(*issuers));
    if (issuers == NULL) {
        return MG_MEMORY;
    }
    pthread_mutex_init(&issuers->lock, NULL);
    issuers->options = *options;
    *out = issuers;
    return MG_OK;
}

static void free_place(struct mg_rcu_head *head)
{
    struct place *place = MG_CONTAINER_OF(head, struct place, rcu);
    issuer_unref(place->issuer);
    free(place);
}

void issuers_free(struct issuers *issuers)
{
    if (issuers == NULL) {
        return;
    }
    for (size_t i = 0; i < NUM_ROLES; i++) {
        if (issuers->places[i] != NULL) {
            free_place(&issuers->places[i]->rcu);
        }
    }
    pthread_mutex_destroy(&issuers->lock);
    free(issuers);
}

static struct place **place_of(struct issuers *issuers, enum wire_issuer_role role)
{
    return &issuers->places[role == WIRE_ISSUER_UNTRUST];
}

static bool same_issuer(const struct issuer *issuer, const struct wire_issuer *wire)
{
    struct mg_slice own = mg_slice_of(CRYPTO_BUFFER_data(issuer->certificate), CRYPTO_BUFFER_len(issuer->certificate));
    return memcmp(&issuer->key_id, &wire->key_id, sizeof(wire->key_id)) == 0 && mg_slice_equal(own, wire->chain[0]);
}

static void update_one(struct issuers *issuers, const struct wire_issuer *wire, int64_t now)
{
    struct place **slot = place_of(issuers, wire->role);
    struct place *old = *slot;
    if (old != NULL && same_issuer(old->issuer, wire)) {
        return;
    }
    const char *role = wire->role == WIRE_ISSUER_DEFAULT ? "forward-trust" : "forward-untrust";
    struct mg_error error;
    struct place *place = calloc(1, sizeof(*place));
    if (place == NULL ||
        issuer_new(&place->issuer, wire, issuers->last_generation + 1, &issuers->options, now, &error) != MG_OK) {
        mg_log_error("the signer's %s issuer cannot be used: %s", role, place == NULL ? "out of memory" : error.text);
        free(place);
        return;
    }
    issuers->last_generation++;
    mg_rcu_publish(slot, place);
    mg_log_info("%s issuer is generation %llu", role, (unsigned long long)issuers->last_generation);
    if (old != NULL) {
        mg_rcu_defer(&old->rcu, free_place);
    }
}

void issuers_update(struct issuers *issuers, const struct wire_issuers *wire, int64_t now)
{
    mg_rcu_offline(); /* another thread may be checking a chain */
    pthread_mutex_lock(&issuers->lock);
    mg_rcu_online();
    for (size_t i = 0; i < wire->num_issuers; i++) {
        if (wire->issuers[i].role != WIRE_ISSUER_OFFERED) { /* it waits for control's word */
            update_one(issuers, &wire->issuers[i], now);
        }
    }
    pthread_mutex_unlock(&issuers->lock);
}

struct issuer *issuers_get0(struct issuers *issuers, enum wire_issuer_role role)
{
    struct place *place = mg_rcu_load(place_of(issuers, role));
    return place == NULL ? NULL : place->issuer;
}
