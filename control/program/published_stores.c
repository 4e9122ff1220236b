/* SPDX-License-Identifier: Apache-2.0 */
#include "control/program/published_stores.h"

#include <stdlib.h>

#include "control/sap/sap_reading.h"

static enum mg_status read_epoch(void *arg, const char *name, uint64_t *out, struct mg_error *error)
{
    int64_t epoch = 0;
    enum mg_status status = sap_epoch_of(arg, name, &epoch, error);
    *out = status == MG_OK ? (uint64_t)epoch : 0;
    return status == MG_NOT_FOUND ? MG_OK : status;
}

/* make_items allocates one more than |num|, so that an empty store has an address too. */
static struct wire_store_item *make_items(size_t num)
{
    return calloc(num + 1, sizeof(struct wire_store_item));
}

static enum mg_status cut_trust(const struct sap_trust *trust, struct store_contents *contents, struct store_parts *out,
                                struct mg_error *error)
{
    struct wire_store_item *items = make_items(trust->num_items);
    if (items == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a trust store");
    }
    for (size_t i = 0; i < trust->num_items; i++) {
        items[i].certificates[0] = trust->items[i].der;
        items[i].num_certificates = 1;
        items[i].is_anchor = trust->items[i].is_anchor;
    }
    contents->epoch = (uint64_t)trust->epoch;
    contents->items = items;
    contents->num_items = trust->num_items;
    enum mg_status status = store_parts_make(out, contents, error);
    free(items);
    return status;
}

static enum mg_status cut_keys(const struct sap_keys *keys, struct store_contents *contents, struct store_parts *out,
                               struct mg_error *error)
{
    struct wire_store_item *items = make_items(keys->num_items);
    if (items == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a key store");
    }
    for (size_t i = 0; i < keys->num_items; i++) {
        const struct sap_key *key = &keys->items[i];
        items[i].name = mg_slice_of_text(key->name);
        items[i].key_id = key->key_id;
        items[i].num_certificates = key->num_certificates;
        memcpy(items[i].certificates, key->certificates, sizeof(key->certificates));
    }
    contents->epoch = (uint64_t)keys->epoch;
    contents->items = items;
    contents->num_items = keys->num_items;
    enum mg_status status = store_parts_make(out, contents, error);
    free(items);
    return status;
}

static enum mg_status load_trust(struct store *store, const char *name, struct store_contents *contents,
                                 struct store_parts *out, struct mg_error *error)
{
    struct sap_trust trust;
    enum mg_status status = sap_trust_load(store, name, &trust, error);
    if (status == MG_OK) {
        status = cut_trust(&trust, contents, out, error);
        sap_trust_free(&trust);
    }
    return status;
}

static enum mg_status load_keys(struct store *store, const char *name, struct store_contents *contents,
                                struct store_parts *out, struct mg_error *error)
{
    struct sap_keys keys;
    enum mg_status status = sap_keys_load(store, name, &keys, error);
    if (status == MG_OK) {
        status = cut_keys(&keys, contents, out, error);
        sap_keys_free(&keys);
    }
    return status;
}

static enum mg_status load(void *arg, enum wire_store_kind kind, const char *name, struct store_parts *out,
                           struct mg_error *error)
{
    struct mg_error why = {""};
    struct store_contents contents = {.id = {.kind = kind, .name = mg_slice_of_text(name)}};
    /* Before the store, so that a change in between shows as another epoch. */
    enum mg_status status = read_epoch(arg, name, &contents.epoch, error);
    if (status != MG_OK) {
        return status;
    }
    status = kind == WIRE_STORE_TRUST ? load_trust(arg, name, &contents, out, &why)
                                      : load_keys(arg, name, &contents, out, &why);
    if (status != MG_NOT_FOUND && status != MG_DENIED) {
        return status == MG_OK ? MG_OK : mg_error_set(error, status, "%s", why.text);
    }
    contents.missing = why.text;
    return store_parts_make(out, &contents, error);
}

struct store_source published_stores_of(struct store *store)
{
    return (struct store_source){.epoch = read_epoch, .load = load, .arg = store};
}
