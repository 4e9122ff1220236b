/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/client_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cache/rcu.h"
#include "minting/cert.h"

/* What readers see: never changed. */
struct set {
    size_t num_stores;
    struct client_key_store *stores[WIRE_STORE_MAX_WANTS]; /* owned by struct client_keys while it is the present set */
};

struct client_keys {
    struct set *set; /* RCU; publisher: wo, all: ro */
};

/* ---- one store ---- */

enum mg_status client_key_store_new(struct client_key_store **out, struct mg_slice name, uint64_t epoch,
                                    size_t max_keys)
{
    struct client_key_store *store = calloc(1, sizeof(*store));
    struct client_key *keys = calloc(max_keys + 1, sizeof(*keys));
    if (store == NULL || keys == NULL || name.len >= sizeof(store->name)) {
        free(store);
        free(keys);
        return MG_MEMORY;
    }
    memcpy(store->name, name.data, name.len);
    store->epoch = epoch;
    store->keys = keys;
    store->max_keys = max_keys;
    *out = store;
    return MG_OK;
}

static void clear_key(struct client_key *key)
{
    for (size_t i = 0; i < key->num_chain; i++) {
        CRYPTO_BUFFER_free(key->chain[i]);
    }
    *key = (struct client_key){.num_chain = 0};
}

void client_key_store_free(struct client_key_store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < store->num_keys; i++) {
        clear_key(&store->keys[i]);
    }
    free(store->keys);
    free(store);
}

/* type_of tells which of the signer's types the key in |cert| is. */
static bool type_of(const struct cert *cert, enum wire_key_type *out)
{
    static const struct {
        enum cert_key_type cert_type;
        unsigned bits;
        enum wire_key_type type;
    } types[] = {
        {CERT_KEY_EC_P256, 256, WIRE_KEY_EC_P256}, {CERT_KEY_EC_P384, 384, WIRE_KEY_EC_P384},
        {CERT_KEY_RSA, 2048, WIRE_KEY_RSA_2048},   {CERT_KEY_RSA, 3072, WIRE_KEY_RSA_3072},
        {CERT_KEY_RSA, 4096, WIRE_KEY_RSA_4096},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        if (types[i].cert_type == cert->key_type && types[i].bits == cert->key_bits) {
            *out = types[i].type;
            return true;
        }
    }
    return false;
}

/* read_own fills what |out| has of the entry's own certificate, and returns NULL, or why no client can prove itself by
 * it: servers would refuse it, or BoringSSL does, when it is too late to take another entry. */
static const char *read_own(const struct wire_store_item *item, struct client_key *out)
{
    struct cert cert;
    struct mg_slice own = item->certificates[0];
    if (item->name.len >= sizeof(out->name)) {
        return "its name is too long";
    }
    if (cert_parse(&cert, cert_cbs_of(own.data, own.len), NULL) != MG_OK) {
        return "its certificate cannot be read";
    }
    if (!type_of(&cert, &out->key_type)) {
        return "its key is neither RSA of 2048, 3072 or 4096 bits, nor P-256 or P-384";
    }
    if (cert.has_key_usage && !cert_key_usage_has(&cert, CERT_KEY_USAGE_DIGITAL_SIGNATURE)) {
        return "its keyUsage is without digitalSignature";
    }
    if (!cert.allows_client_auth) {
        return "its extKeyUsage is without clientAuth";
    }
    out->not_before = cert.not_before;
    out->not_after = cert.not_after;
    return NULL;
}

/* issuer_of returns the issuer's name in |certificate|; empty where it cannot be read, which only its own need be. */
static struct mg_slice issuer_of(const CRYPTO_BUFFER *certificate)
{
    struct cert cert;
    CBS der = cert_cbs_of(CRYPTO_BUFFER_data(certificate), CRYPTO_BUFFER_len(certificate));
    if (cert_parse(&cert, der, NULL) != MG_OK) {
        return mg_slice_of(NULL, 0);
    }
    return mg_slice_of(CBS_data(&cert.issuer), CBS_len(&cert.issuer));
}

enum mg_status client_key_store_add(struct client_key_store *store, const struct wire_store_item *item)
{
    struct client_key key = {.key_id = item->key_id};
    const char *fault = read_own(item, &key);
    if (fault != NULL) {
        mg_log_warning("key store %s: entry %.*s is left out: %s", store->name, (int)item->name.len,
                       (const char *)item->name.data, fault);
        store->num_unusable++;
        return MG_OK;
    }
    if (store->num_keys == store->max_keys) {
        return MG_LIMIT;
    }
    memcpy(key.name, item->name.data, item->name.len);
    while (key.num_chain < item->num_certificates) {
        struct mg_slice der = item->certificates[key.num_chain];
        CRYPTO_BUFFER *certificate = CRYPTO_BUFFER_new(der.data, der.len, NULL);
        if (certificate == NULL) {
            clear_key(&key);
            return MG_MEMORY;
        }
        key.issuers[key.num_chain] = issuer_of(certificate);
        key.chain[key.num_chain++] = certificate;
    }
    store->keys[store->num_keys++] = key;
    return MG_OK;
}

/* ---- all of them ---- */

enum mg_status client_keys_new(struct client_keys **out)
{
    struct client_keys *keys = calloc(1, sizeof(*keys));
    if (keys == NULL || (keys->set = calloc(1, sizeof(*keys->set))) == NULL) {
        free(keys);
        return MG_MEMORY;
    }
    *out = keys;
    return MG_OK;
}

void client_keys_free(struct client_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->set->num_stores; i++) {
        client_key_store_free(keys->set->stores[i]);
    }
    free(keys->set);
    free(keys);
}

static bool holds(const struct set *set, const struct client_key_store *store)
{
    for (size_t i = 0; i < set->num_stores; i++) {
        if (set->stores[i] == store) {
            return true;
        }
    }
    return false;
}

/* replace publishes |next| and frees what it does not hold any more. */
static void replace(struct client_keys *keys, struct set *next)
{
    struct set *old = keys->set;
    mg_rcu_publish(&keys->set, next);
    mg_rcu_synchronize();
    for (size_t i = 0; i < old->num_stores; i++) {
        if (!holds(next, old->stores[i])) {
            client_key_store_free(old->stores[i]);
        }
    }
    free(old);
}

enum mg_status client_keys_put(struct client_keys *keys, struct client_key_store *store)
{
    struct set *next = malloc(sizeof(*next));
    if (next == NULL) {
        return MG_MEMORY;
    }
    *next = *keys->set;
    size_t place = 0;
    while (place < next->num_stores && strcmp(next->stores[place]->name, store->name) != 0) {
        place++;
    }
    if (place == WIRE_STORE_MAX_WANTS) {
        free(next);
        return MG_LIMIT;
    }
    next->stores[place] = store;
    next->num_stores += place == next->num_stores;
    replace(keys, next);
    return MG_OK;
}

static bool is_wanted(const struct client_key_store *store, const struct wire_store_wants *wants)
{
    for (size_t i = 0; i < wants->num_ids; i++) {
        if (wants->ids[i].kind == WIRE_STORE_KEYS &&
            mg_slice_equal(wants->ids[i].name, mg_slice_of_text(store->name))) {
            return true;
        }
    }
    return false;
}

enum mg_status client_keys_drop_others(struct client_keys *keys, const struct wire_store_wants *wants)
{
    struct set *next = calloc(1, sizeof(*next));
    if (next == NULL) {
        return MG_MEMORY;
    }
    for (size_t i = 0; i < keys->set->num_stores; i++) {
        if (is_wanted(keys->set->stores[i], wants)) {
            next->stores[next->num_stores++] = keys->set->stores[i];
        }
    }
    if (next->num_stores == keys->set->num_stores) {
        free(next);
    } else {
        replace(keys, next);
    }
    return MG_OK;
}

const struct client_key_store *client_keys_get0(const struct client_keys *keys, const char *name)
{
    const struct set *set = mg_rcu_load(&keys->set);
    for (size_t i = 0; i < set->num_stores; i++) {
        if (strcmp(set->stores[i]->name, name) == 0) {
            return set->stores[i];
        }
    }
    return NULL;
}

void client_keys_write(const struct client_keys *keys, struct mg_buffer *out)
{
    const struct set *set = mg_rcu_load(&keys->set);
    for (size_t i = 0; i < set->num_stores; i++) {
        const struct client_key_store *store = set->stores[i];
        mg_json_begin_object(out, NULL);
        mg_json_string(out, "name", store->name);
        mg_json_bool(out, "present", !store->is_missing);
        mg_json_uint(out, "epoch", store->epoch);
        mg_json_uint(out, "keys", store->num_keys);
        mg_json_uint(out, "unusable", store->num_unusable);
        mg_json_end_object(out);
    }
}

void client_keys_metrics(const struct client_keys *keys, struct mg_buffer *out)
{
    const struct set *set = mg_rcu_load(&keys->set);
    size_t num_keys = 0, num_unusable = 0, num_missing = 0;
    for (size_t i = 0; i < set->num_stores; i++) {
        num_keys += set->stores[i]->num_keys;
        num_unusable += set->stores[i]->num_unusable;
        num_missing += set->stores[i]->is_missing;
    }
    const struct {
        const char *name, *help;
        uint64_t value;
    } gauges[] = {
        {"mintgate_dataplane_key_stores", "Key stores that the control plane has sent.", set->num_stores},
        {"mintgate_dataplane_key_stores_missing", "Of these, that it said are not there.", num_missing},
        {"mintgate_dataplane_client_keys", "Client certificates in them.", num_keys},
        {"mintgate_dataplane_client_keys_unusable", "Entries of them that cannot be used.", num_unusable},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(gauges); i++) {
        mg_metrics_family(out, gauges[i].name, "gauge", gauges[i].help);
        mg_metrics_sample(out, gauges[i].name, "", gauges[i].value);
    }
}
