/* SPDX-License-Identifier: Apache-2.0 */
#include "control/program/key_list.h"

#include <stdio.h>
#include <string.h>

#include "control/intermediate.h"
#include "control/service/publication.h"

struct listing {
    json_t *keys;
    struct intermediate_list intermediates;
};

static const char *purpose_name(enum wire_key_purpose purpose)
{
    static const char *const names[] = {[WIRE_PURPOSE_MINTING] = "minting",
                                        [WIRE_PURPOSE_PRIVATE_CA] = "private-ca",
                                        [WIRE_PURPOSE_SKA] = "ska",
                                        [WIRE_PURPOSE_TLS_CLIENT] = "tls-client",
                                        [WIRE_PURPOSE_SERVER_TLS] = "server-tls"};
    return names[purpose];
}

static const char *origin_name(enum wire_key_origin origin)
{
    static const char *const names[] = {[WIRE_ORIGIN_CONTROL] = "control",
                                        [WIRE_ORIGIN_BUILTIN_ROOT] = "root",
                                        [WIRE_ORIGIN_BUILTIN_ISSUING] = "issuing",
                                        [WIRE_ORIGIN_BUILTIN_UNTRUST] = "untrust"};
    return names[origin];
}

/* owner_of returns the name of the intermediate whose key it is, "" if it is of none. */
static const char *owner_of(const struct intermediate_list *list, const struct wire_key_id *key_id)
{
    for (size_t i = 0; i < list->num_items; i++) {
        if (memcmp(&list->items[i].key_id, key_id, sizeof(*key_id)) == 0) {
            return list->items[i].name;
        }
    }
    return "";
}

static enum mg_status add_key(void *arg, const struct wire_control_key *key)
{
    struct listing *listing = arg;
    char id[2 * sizeof(key->key_id.bytes) + 1];
    for (size_t i = 0; i < sizeof(key->key_id.bytes); i++) {
        snprintf(id + 2 * i, 3, "%02x", key->key_id.bytes[i]);
    }
    json_t *item = json_pack("{s:s, s:s, s:s, s:s, s:s%, s:s%, s:s, s:b, s:I}", "id", id, "type",
                             words_name(&signer_key_type_words, key->type), "purpose", purpose_name(key->purpose),
                             "origin", origin_name(key->origin), "holder", (const char *)key->holder.data,
                             key->holder.len, "label", (const char *)key->label.data, key->label.len, "intermediate",
                             owner_of(&listing->intermediates, &key->key_id), "installed", key->is_installed, "created",
                             (json_int_t)key->created);
    return json_array_append_new(listing->keys, item) == 0 ? MG_OK : MG_MEMORY;
}

enum mg_status key_list_new(struct signer_client *signer, struct store *store, json_t **out, struct mg_error *error)
{
    struct listing listing = {.keys = json_array()};
    enum mg_status status = publication_load_all(store, &listing.intermediates, error);
    if (status == MG_OK) {
        status = signer_client_list(signer, add_key, &listing, error);
    }
    if (status == MG_MEMORY) {
        (void)mg_error_set(error, status, "out of memory");
    }
    intermediate_list_free(&listing.intermediates);
    if (status != MG_OK) {
        json_decref(listing.keys);
        return status;
    }
    *out = listing.keys;
    return MG_OK;
}
