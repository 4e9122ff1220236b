/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/issuer.h"

#include <stdlib.h>

#include "base/log.h"

/* Issuers */

static size_t total_len(const struct mg_slice *certificates, size_t num_certificates)
{
    size_t sum = 0;
    for (size_t i = 0; i < num_certificates; i++) {
        sum += certificates[i].len;
    }
    return sum;
}

static enum mg_status copy_chain(struct issuer *issuer, const struct mg_slice *certificates, size_t num_certificates,
                                 struct mg_error *error)
{
    uint8_t *at = issuer->bytes = malloc(total_len(certificates, num_certificates));
    if (at == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for an issuer");
    }
    for (size_t i = 0; i < num_certificates; i++) {
        memcpy(at, certificates[i].data, certificates[i].len);
        issuer->chain[i] = mg_slice_of(at, certificates[i].len);
        at += certificates[i].len;
    }
    issuer->num_chain = num_certificates;
    return MG_OK;
}

enum mg_status issuer_new(struct issuer **out, const struct keystore_key *key, const struct mg_slice *certificates,
                          size_t num_certificates, const struct backends *backends, struct mg_error *error)
{
    if (!key_purpose_allows(key->info.purpose, KEY_CALL_SIGN_LEAF)) {
        return mg_error_set(error, MG_DENIED, "a key for %s does not sign leaves", key_purpose_name(key->info.purpose));
    }
    if (num_certificates < 1 || num_certificates > WIRE_SIGNER_MAX_CHAIN) {
        return mg_error_set(error, MG_INVALID, "chain: must have 1 to %d certificates", WIRE_SIGNER_MAX_CHAIN);
    }
    struct issuer *issuer = calloc(1, sizeof(*issuer));
    if (issuer == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for an issuer");
    }
    issuer->num_references = 1;
    issuer->key_id = key->info.id;
    enum mg_status status = copy_chain(issuer, certificates, num_certificates, error);
    if (status == MG_OK) {
        status = leaf_issuer_from_certificate(issuer->chain[0], key->info.role, key->type, &issuer->facts, error);
    }
    if (status == MG_OK) {
        status = backends_add_key(backends, key, &issuer->key, error);
    }
    if (status != MG_OK) {
        issuer_free(issuer);
        return status;
    }
    *out = issuer;
    return MG_OK;
}

void issuer_free(struct issuer *issuer)
{
    if (issuer == NULL || atomic_fetch_sub_explicit(&issuer->num_references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (issuer->key != NULL) {
        issuer->key->backend->ops->key_free(issuer->key);
    }
    free(issuer->bytes);
    free(issuer);
}

bool issuer_has_chain(const struct issuer *issuer, const struct mg_slice *certificates, size_t num_certificates)
{
    if (issuer->num_chain != num_certificates) {
        return false;
    }
    for (size_t i = 0; i < num_certificates; i++) {
        if (!mg_slice_equal(issuer->chain[i], certificates[i])) {
            return false;
        }
    }
    return true;
}

/* Sets */

static enum mg_status set_alloc(struct issuer_set **out, struct mg_error *error)
{
    struct issuer_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the issuers");
    }
    set->num_references = 1;
    mg_buffer_init(&set->packet, WIRE_SIGNER_MAX_PACKET);
    *out = set;
    return MG_OK;
}

/* share adds |issuer|, for whom there is room, and takes a reference to it. */
static void share(struct issuer_set *set, struct issuer *issuer)
{
    atomic_fetch_add_explicit(&issuer->num_references, 1, memory_order_relaxed);
    set->issuers[set->num_issuers++] = issuer;
}

/* share_others adds all of |from| but the one with |key_id|. */
static void share_others(struct issuer_set *set, const struct issuer_set *from, const struct wire_key_id *key_id)
{
    for (size_t i = 0; i < from->num_issuers; i++) {
        if (memcmp(&from->issuers[i]->key_id, key_id, sizeof(*key_id)) != 0) {
            share(set, from->issuers[i]);
        }
    }
}

/* free_line returns the lowest line that no issuer of |set|, which has room, stands in. */
static size_t free_line(const struct issuer_set *set)
{
    bool is_taken[WIRE_SIGNER_MAX_ISSUERS] = {false};
    size_t line = 0;
    for (size_t i = 0; i < set->num_issuers; i++) {
        is_taken[set->issuers[i]->line] = true;
    }
    while (is_taken[line]) {
        line++;
    }
    return line;
}

/* add gives |issuer|, which is in no set yet, a line in |set|. */
static enum mg_status add(struct issuer_set *set, struct issuer *issuer, struct mg_error *error)
{
    if (set->num_issuers == WIRE_SIGNER_MAX_ISSUERS) {
        return mg_error_set(error, MG_LIMIT, "more than %d minting issuers", WIRE_SIGNER_MAX_ISSUERS);
    }
    issuer->line = free_line(set);
    share(set, issuer);
    return MG_OK;
}

static enum mg_status encode(struct issuer_set *set, struct mg_error *error)
{
    struct wire_issuers message = {.num_issuers = set->num_issuers};
    for (size_t i = 0; i < set->num_issuers; i++) {
        const struct issuer *issuer = set->issuers[i];
        message.issuers[i] = (struct wire_issuer){.key_id = issuer->key_id,
                                                  .role = issuer->facts.role,
                                                  .key_type = issuer->facts.key_type->type,
                                                  .num_chain = issuer->num_chain};
        memcpy(message.issuers[i].chain, issuer->chain, sizeof(issuer->chain));
    }
    wire_signer_encode_issuers(&set->packet, &message);
    return mg_buffer_ok(&set->packet)
               ? MG_OK
               : mg_error_set(error, MG_LIMIT, "the issuers' chains do not fit one packet to the engine");
}

/* finish_set makes |set|, whose issuers are complete, the result, or frees it. */
static enum mg_status finish_set(struct issuer_set **out, struct issuer_set *set, enum mg_status status,
                                 struct mg_error *error)
{
    if (status == MG_OK) {
        status = encode(set, error);
    }
    if (status != MG_OK) {
        issuer_set_free(set);
        return status;
    }
    *out = set;
    return MG_OK;
}

static bool is_issuer(const struct keystore_key *key)
{
    return key_purpose_allows(key->info.purpose, KEY_CALL_SIGN_LEAF) && key->num_chain > 0 && !key->is_removed;
}

enum mg_status issuer_set_new(struct issuer_set **out, const struct keystore *store, const struct backends *backends,
                              struct mg_error *error)
{
    struct issuer_set *set = NULL;
    enum mg_status status = set_alloc(&set, error);
    if (status != MG_OK) {
        return status;
    }
    for (size_t i = 0; status == MG_OK && i < keystore_num_keys(store); i++) {
        const struct keystore_key *key = keystore_get0(store, i);
        struct issuer *issuer = NULL;
        if (!is_issuer(key)) {
            continue;
        }
        status = issuer_new(&issuer, key, key->chain, key->num_chain, backends, error);
        if (status == MG_NOT_FOUND) {
            mg_log_error("issuer %02x%02x%02x%02x is not offered: %s", key->info.id.bytes[0], key->info.id.bytes[1],
                         key->info.id.bytes[2], key->info.id.bytes[3], error->text);
            status = MG_OK;
        } else if (status == MG_OK) {
            status = add(set, issuer, error);
        }
        issuer_free(issuer);
    }
    return finish_set(out, set, status, error);
}

enum mg_status issuer_set_with(struct issuer_set **out, const struct issuer_set *set, struct issuer *issuer,
                               struct mg_error *error)
{
    struct issuer_set *with = NULL;
    enum mg_status status = set_alloc(&with, error);
    if (status != MG_OK) {
        return status;
    }
    share_others(with, set, &issuer->key_id);
    return finish_set(out, with, add(with, issuer, error), error);
}

enum mg_status issuer_set_without(struct issuer_set **out, const struct issuer_set *set,
                                  const struct wire_key_id *key_id, struct mg_error *error)
{
    struct issuer_set *without = NULL;
    enum mg_status status = set_alloc(&without, error);
    if (status != MG_OK) {
        return status;
    }
    share_others(without, set, key_id);
    return finish_set(out, without, MG_OK, error);
}

struct issuer_set *issuer_set_up_ref(struct issuer_set *set)
{
    atomic_fetch_add_explicit(&set->num_references, 1, memory_order_relaxed);
    return set;
}

void issuer_set_free(struct issuer_set *set)
{
    if (set == NULL || atomic_fetch_sub_explicit(&set->num_references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    for (size_t i = 0; i < set->num_issuers; i++) {
        issuer_free(set->issuers[i]);
    }
    mg_buffer_free(&set->packet);
    free(set);
}

const struct issuer *issuer_set_find0(const struct issuer_set *set, const struct wire_key_id *key_id)
{
    for (size_t i = 0; i < set->num_issuers; i++) {
        if (memcmp(&set->issuers[i]->key_id, key_id, sizeof(*key_id)) == 0) {
            return set->issuers[i];
        }
    }
    return NULL;
}

bool issuer_set_has(const struct issuer_set *set, const struct issuer *issuer)
{
    for (size_t i = 0; i < set->num_issuers; i++) {
        if (set->issuers[i] == issuer) {
            return true;
        }
    }
    return false;
}
