/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/issuer.h"

#include <stdlib.h>

#include "hsm/backend_software.h"

static enum mg_status add_issuer(struct issuer_set *set, const struct keystore_key *key, const struct backend *backend,
                                 struct mg_error *error)
{
    if (set->num_issuers == WIRE_SIGNER_MAX_ISSUERS) {
        return mg_error_set(error, MG_LIMIT, "more than %d minting issuers", WIRE_SIGNER_MAX_ISSUERS);
    }
    struct issuer *issuer = &set->issuers[set->num_issuers];
    issuer->key_id = key->info.id;
    issuer->index = set->num_issuers;
    enum mg_status status =
        leaf_issuer_from_certificate(key->chain[0], key->info.role, key->type, &issuer->facts, error);
    if (status == MG_OK) {
        status = backend_software_add_key(backend, key->pkey, &issuer->key, error);
    }
    if (status == MG_OK) {
        set->num_issuers++;
    }
    return status;
}

static enum mg_status encode_set(struct issuer_set *set, const struct keystore *store, struct mg_error *error)
{
    struct wire_issuers message = {.num_issuers = 0};
    for (size_t i = 0; i < keystore_num_keys(store); i++) {
        const struct keystore_key *key = keystore_get0(store, i);
        if (issuer_set_find0(set, &key->info.id) == NULL) {
            continue;
        }
        struct wire_issuer *issuer = &message.issuers[message.num_issuers++];
        issuer->key_id = key->info.id;
        issuer->role = key->info.role;
        issuer->key_type = key->info.type;
        issuer->num_chain = key->num_chain;
        memcpy(issuer->chain, key->chain, sizeof(issuer->chain));
    }
    wire_signer_encode_issuers(&set->packet, &message);
    return mg_buffer_ok(&set->packet)
               ? MG_OK
               : mg_error_set(error, MG_LIMIT, "the issuers' chains do not fit one packet to the engine");
}

enum mg_status issuer_set_new(struct issuer_set **out, const struct keystore *store, const struct backend *backend,
                              struct mg_error *error)
{
    struct issuer_set *set = calloc(1, sizeof(*set));
    if (set == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the issuers");
    }
    mg_buffer_init(&set->packet, WIRE_SIGNER_MAX_PACKET);
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < keystore_num_keys(store); i++) {
        const struct keystore_key *key = keystore_get0(store, i);
        if (key_purpose_allows(key->info.purpose, KEY_CALL_SIGN_LEAF) && key->num_chain > 0) {
            status = add_issuer(set, key, backend, error);
        }
    }
    if (status == MG_OK) {
        status = encode_set(set, store, error);
    }
    if (status != MG_OK) {
        issuer_set_free(set);
        return status;
    }
    *out = set;
    return MG_OK;
}

void issuer_set_free(struct issuer_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->num_issuers; i++) {
        backend_software_free_key(set->issuers[i].key);
    }
    mg_buffer_free(&set->packet);
    free(set);
}

const struct issuer *issuer_set_find0(const struct issuer_set *set, const struct wire_key_id *key_id)
{
    for (size_t i = 0; i < set->num_issuers; i++) {
        if (memcmp(&set->issuers[i].key_id, key_id, sizeof(*key_id)) == 0) {
            return &set->issuers[i];
        }
    }
    return NULL;
}
