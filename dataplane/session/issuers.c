/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/issuers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pool.h>

#include "base/log.h"
#include "cache/rcu.h"

struct published {
    char name[WIRE_PUBLISH_MAX_TEXT + 1];
    struct issuer *issuer; /* one reference */
    uint8_t successor;     /* its place in the set, from 1; 0: none */
    bool is_reserve;
    bool is_revoked;
};

struct issuer_set {
    struct mg_rcu_head rcu;
    uint64_t epoch;           /* 0: the signer's own */
    struct issuer *untrusted; /* one reference, or NULL */
    size_t num_published;
    struct published published[WIRE_PUBLISH_MAX_ISSUERS]; /* the default first */
};

struct issuers {
    pthread_mutex_t lock; /* among updates */
    struct issuer_options options;
    _Atomic uint64_t last_generation;
    struct issuer_set *set; /* RCU; under the lock: wo, all: ro */
};

/* ---- sets ---- */

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

void issuer_set_free(struct issuer_set *set)
{
    if (set == NULL) {
        return;
    }
    issuer_unref(set->untrusted);
    for (size_t i = 0; i < set->num_published; i++) {
        issuer_unref(set->published[i].issuer);
    }
    free(set);
}

void issuers_free(struct issuers *issuers)
{
    if (issuers == NULL) {
        return;
    }
    issuer_set_free(issuers->set);
    pthread_mutex_destroy(&issuers->lock);
    free(issuers);
}

static void free_retired(struct mg_rcu_head *head)
{
    issuer_set_free(MG_CONTAINER_OF(head, struct issuer_set, rcu));
}

/* replace makes |set| the present one. The lock is held. */
static void replace(struct issuers *issuers, struct issuer_set *set)
{
    struct issuer_set *old = issuers->set;
    mg_rcu_publish(&issuers->set, set);
    if (old != NULL) {
        mg_rcu_defer(&old->rcu, free_retired);
    }
}

static void lock(struct issuers *issuers)
{
    mg_rcu_offline(); /* another thread may be checking a chain */
    pthread_mutex_lock(&issuers->lock);
    mg_rcu_online();
}

/* copy_of makes a set with references to what |set|, which may be NULL, has. NULL: no memory. */
static struct issuer_set *copy_of(const struct issuer_set *set)
{
    struct issuer_set *copy = calloc(1, sizeof(*copy));
    if (copy == NULL || set == NULL) {
        return copy;
    }
    *copy = *set;
    if (copy->untrusted != NULL) {
        (void)issuer_up_ref(copy->untrusted);
    }
    for (size_t i = 0; i < copy->num_published; i++) {
        (void)issuer_up_ref(copy->published[i].issuer);
    }
    return copy;
}

/* ---- issuers ---- */

static bool same_certificate(const CRYPTO_BUFFER *a, const CRYPTO_BUFFER *b)
{
    return mg_slice_equal(mg_slice_of(CRYPTO_BUFFER_data(a), CRYPTO_BUFFER_len(a)),
                          mg_slice_of(CRYPTO_BUFFER_data(b), CRYPTO_BUFFER_len(b)));
}

/* same tells whether two issuers are one: key, certificate, what is in their leaves, and what clients are sent behind
 * a leaf. */
static bool same(const struct issuer *a, const struct issuer *b)
{
    if (memcmp(&a->key_id, &b->key_id, sizeof(a->key_id)) != 0 || !same_certificate(a->certificate, b->certificate) ||
        a->num_chain != b->num_chain || !mg_slice_equal(a->extensions, b->extensions)) {
        return false;
    }
    for (size_t i = 0; i < a->num_chain; i++) {
        if (!same_certificate(a->chain[i], b->chain[i])) {
            return false;
        }
    }
    return true;
}

/* find_same returns the issuer of |set| that |issuer| is, or NULL. */
static struct issuer *find_same(const struct issuer_set *set, const struct issuer *issuer)
{
    for (size_t i = 0; set != NULL && i < set->num_published; i++) {
        if (same(set->published[i].issuer, issuer)) {
            return set->published[i].issuer;
        }
    }
    return set != NULL && set->untrusted != NULL && same(set->untrusted, issuer) ? set->untrusted : NULL;
}

/* make returns a reference to the issuer that |wire| says, whose leaves point to |crl_url| (empty: where the
 * configuration says): the one of |present| if it is the same, else a new one. */
static enum mg_status make(struct issuers *issuers, const struct issuer_set *present, const struct wire_issuer *wire,
                           struct mg_slice crl_url, int64_t now, struct issuer **out, struct mg_error *error)
{
    struct issuer_options options = issuers->options;
    char url[WIRE_PUBLISH_MAX_URL + 1] = "";
    if (crl_url.len > 0) {
        memcpy(url, crl_url.data, crl_url.len);
        url[crl_url.len] = '\0';
        options.crl_url = url;
    }
    uint64_t generation = atomic_fetch_add_explicit(&issuers->last_generation, 1, memory_order_relaxed) + 1;
    enum mg_status status = issuer_new(out, wire, generation, &options, now, error);
    if (status != MG_OK) {
        return status;
    }
    struct issuer *known = find_same(present, *out);
    if (known != NULL) {
        issuer_unref(*out);
        *out = issuer_up_ref(known);
    }
    return MG_OK;
}

/* ---- what the signer says ---- */

/* take_over puts |issuer| into |set|, where the signer is asked about it; true if that changes something. */
static bool take_over(struct issuer_set *set, struct issuer *issuer)
{
    struct issuer **place = &set->untrusted;
    if (issuer->role == WIRE_ISSUER_DEFAULT) {
        place = &set->published[0].issuer;
        set->num_published = 1;
    }
    if (*place == issuer) {
        issuer_unref(issuer);
        return false;
    }
    issuer_unref(*place);
    *place = issuer;
    mg_log_info("%s issuer is generation %llu",
                issuer->role == WIRE_ISSUER_DEFAULT ? "forward-trust" : "forward-untrust",
                (unsigned long long)issuer->generation);
    return true;
}

static bool update_set(struct issuers *issuers, struct issuer_set *set, const struct wire_issuers *wire, int64_t now)
{
    bool changed = false;
    for (size_t i = 0; i < wire->num_issuers; i++) {
        struct issuer *issuer;
        struct mg_error error;
        enum wire_issuer_role role = wire->issuers[i].role;
        if (role == WIRE_ISSUER_OFFERED || (role == WIRE_ISSUER_DEFAULT && set->epoch > 0)) {
            continue; /* the control plane's to say */
        }
        if (make(issuers, issuers->set, &wire->issuers[i], mg_slice_of(NULL, 0), now, &issuer, &error) == MG_OK) {
            changed = take_over(set, issuer) || changed;
        } else {
            mg_log_error("an issuer of the signer cannot be used: %s", error.text);
        }
    }
    return changed;
}

void issuers_update(struct issuers *issuers, const struct wire_issuers *wire, int64_t now)
{
    lock(issuers);
    struct issuer_set *set = copy_of(issuers->set);
    if (set == NULL) {
        mg_log_error("the signer's issuers cannot be taken over: out of memory");
    } else if (update_set(issuers, set, wire, now)) {
        replace(issuers, set);
    } else {
        issuer_set_free(set);
    }
    pthread_mutex_unlock(&issuers->lock);
}

/* ---- what the control plane says ---- */

enum mg_status issuers_prepare(struct issuers *issuers, const struct wire_publish *published, int64_t now,
                               struct issuer_set **out, struct mg_error *error)
{
    struct issuer_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    set->epoch = published->epoch;
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < published->num_issuers && status == MG_OK; i++) {
        const struct wire_published_issuer *wire = &published->issuers[i];
        struct published *place = &set->published[i];
        struct mg_error cause;
        memcpy(place->name, wire->name.data, wire->name.len);
        place->successor = wire->successor;
        place->is_reserve = wire->is_reserve;
        place->is_revoked = wire->is_revoked;
        status = make(issuers, issuers_get0_set(issuers), &wire->issuer, wire->crl_url, now, &place->issuer, &cause);
        if (status == MG_OK) {
            set->num_published++;
        } else {
            (void)mg_error_set(error, status, "%s: %s", place->name, cause.text);
        }
    }
    if (status != MG_OK) {
        issuer_set_free(set);
        return status;
    }
    *out = set;
    return MG_OK;
}

void issuers_commit(struct issuers *issuers, struct issuer_set *set)
{
    lock(issuers);
    const struct issuer_set *present = issuers->set;
    if (present != NULL && present->untrusted != NULL) {
        set->untrusted = issuer_up_ref(present->untrusted);
    }
    replace(issuers, set);
    pthread_mutex_unlock(&issuers->lock);
}

struct issuer *issuer_set_get0_default(const struct issuer_set *set)
{
    return set->num_published > 0 ? set->published[0].issuer : NULL;
}

size_t issuer_set_count(const struct issuer_set *set)
{
    return set->num_published;
}

struct issuer *issuer_set_get0(const struct issuer_set *set, size_t index)
{
    return set->published[index].issuer;
}

const char *issuer_set_name(const struct issuer_set *set, size_t index)
{
    return set->published[index].name;
}

bool issuer_set_is_reserve(const struct issuer_set *set, size_t index)
{
    return set->published[index].is_reserve;
}

bool issuer_set_is_revoked(const struct issuer_set *set, size_t index)
{
    return set->published[index].is_revoked;
}

bool issuer_set_is_usable(const struct issuer_set *set, size_t index, int64_t now)
{
    return !set->published[index].is_revoked && !issuer_is_spent(set->published[index].issuer, now);
}

size_t issuer_set_signer(const struct issuer_set *set, size_t index, enum config_issuer_expiry on_expiry, int64_t now)
{
    for (size_t step = 0; step < set->num_published; step++) { /* they may go in a circle */
        const struct published *published = &set->published[index];
        bool follows = published->is_revoked || on_expiry == CONFIG_EXPIRY_SUCCESSOR;
        if (issuer_set_is_usable(set, index, now)) {
            return index;
        }
        if (!follows || published->successor == 0 || published->successor > set->num_published) {
            break;
        }
        index = published->successor - 1U;
    }
    return SIZE_MAX;
}

bool issuer_set_uses(const struct issuer_set *set, uint64_t generation)
{
    for (size_t i = 0; i < set->num_published; i++) {
        if (set->published[i].issuer->generation == generation) {
            return true;
        }
    }
    return set->untrusted != NULL && set->untrusted->generation == generation;
}

/* ---- for readers ---- */

const struct issuer_set *issuers_get0_set(const struct issuers *issuers)
{
    return mg_rcu_load(&issuers->set);
}

struct issuer *issuers_get0(const struct issuers *issuers, enum wire_issuer_role role)
{
    const struct issuer_set *set = issuers_get0_set(issuers);
    if (set == NULL) {
        return NULL;
    }
    return role == WIRE_ISSUER_UNTRUST ? set->untrusted : issuer_set_get0_default(set);
}

/* find_named returns the place of the one that rules know as |name|, or that of the default. */
static size_t find_named(const struct issuer_set *set, const char *name)
{
    for (size_t i = 0; name[0] != '\0' && i < set->num_published; i++) {
        if (!set->published[i].is_reserve && strcmp(set->published[i].name, name) == 0) {
            return i;
        }
    }
    return 0;
}

enum issuers_choice issuers_choose(const struct issuers *issuers, const char *name, enum config_issuer_expiry on_expiry,
                                   int64_t now, struct issuer **out)
{
    const struct issuer_set *set = issuers_get0_set(issuers);
    *out = NULL;
    if (set == NULL || set->num_published == 0) {
        return ISSUERS_NONE;
    }
    size_t chosen = find_named(set, name);
    size_t signer = issuer_set_signer(set, chosen, on_expiry, now);
    if (signer == SIZE_MAX) {
        return issuer_set_is_revoked(set, chosen) ? ISSUERS_REVOKED : ISSUERS_SPENT;
    }
    *out = set->published[signer].issuer;
    return ISSUERS_CHOSEN;
}

const char *issuers_name_of(const struct issuers *issuers, uint64_t generation)
{
    const struct issuer_set *set = issuers_get0_set(issuers);
    for (size_t i = 0; set != NULL && i < set->num_published; i++) {
        if (set->published[i].issuer->generation == generation) {
            return set->published[i].name[0] == '\0' ? "signer's default" : set->published[i].name;
        }
    }
    bool is_untrusted = set != NULL && set->untrusted != NULL && set->untrusted->generation == generation;
    return is_untrusted ? "forward-untrust" : "";
}

uint64_t issuers_epoch(const struct issuers *issuers)
{
    const struct issuer_set *set = issuers_get0_set(issuers);
    return set == NULL ? 0 : set->epoch;
}
