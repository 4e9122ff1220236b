/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_reading.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/sap/entry_material.h"

/* ---- names ---- */

/* What a name stands for. */
struct target {
    int64_t store_id, epoch;
    enum sap_kind kind;
    char store_name[SAP_NAME_SIZE];
};

static void aim(struct target *out, const struct sap_store *store, int64_t epoch)
{
    *out = (struct target){.store_id = store->id, .kind = store->kind};
    out->epoch = store->epoch > epoch ? store->epoch : epoch;
    memcpy(out->store_name, store->name, sizeof(out->store_name));
}

/* resolve takes |name| as a reference's first: a store of the same name is reached by a reference alone. */
static enum mg_status resolve(struct store_tx *tx, const char *name, struct target *out, struct mg_error *error)
{
    struct sap_reference reference = {.epoch = 0};
    struct sap_store store;
    enum mg_status status = sap_reference_load(tx, name, &reference, error);
    if (status != MG_OK && status != MG_NOT_FOUND) {
        return status;
    }
    status = sap_store_load(tx, status == MG_OK ? reference.store_name : name, &store, error);
    if (status == MG_OK) {
        aim(out, &store, reference.epoch);
    }
    return status == MG_NOT_FOUND ? mg_error_set(error, status, "there is no reference and no store %s", name) : status;
}

static enum mg_status resolve_as(struct store_tx *tx, const char *name, enum sap_kind kind, struct target *out,
                                 struct mg_error *error)
{
    enum mg_status status = resolve(tx, name, out, error);
    if (status == MG_OK && out->kind != kind) {
        status = mg_error_set(error, MG_DENIED, "%s is no %s", out->store_name, words_name(&sap_kind_words, kind));
    }
    return status;
}

/* ---- entries ---- */

/* encode gives the DER of |x509|, to be freed with OPENSSL_free. */
static enum mg_status encode(X509 *x509, struct mg_slice *out, struct mg_error *error)
{
    uint8_t *der = NULL;
    int len = i2d_X509(x509, &der);
    *out = mg_slice_of(der, len > 0 ? (size_t)len : 0);
    return len > 0 ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a certificate");
}

static void release(struct mg_slice der)
{
    OPENSSL_free(MG_UNCONST(der.data));
}

/* ---- trust ---- */

static enum mg_status add_trusted(struct sap_trust *trust, X509 *x509, struct mg_error *error)
{
    struct sap_trusted *items = realloc(trust->items, (trust->num_items + 1) * sizeof(*items));
    if (items == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a trust store");
    }
    trust->items = items;
    struct sap_trusted *item = &items[trust->num_items];
    enum mg_status status = encode(x509, &item->der, error);
    if (status == MG_OK) {
        item->is_anchor = material_is_anchor(x509);
        trust->num_items++;
    }
    return status;
}

static enum mg_status visit_trust(void *arg, const struct sap_entry *entry, struct mg_error *error)
{
    struct material material;
    enum mg_status status = entry_material_parse(entry, &material, error);
    if (status != MG_OK) {
        return status;
    }
    for (size_t i = 0; i < material.num_certificates && status == MG_OK; i++) {
        status = add_trusted(arg, material.certificates[i], error);
    }
    material_free(&material);
    return status;
}

static enum mg_status load_trust(struct store_tx *tx, const char *name, struct sap_trust *out, struct mg_error *error)
{
    struct target target;
    enum mg_status status = resolve_as(tx, name, SAP_TRUSTSTORE, &target, error);
    if (status != MG_OK) {
        return status;
    }
    memcpy(out->store_name, target.store_name, sizeof(out->store_name));
    out->epoch = target.epoch;
    return sap_entry_each(tx, target.store_id, visit_trust, out, error);
}

enum mg_status sap_trust_load(struct store *store, const char *name, struct sap_trust *out, struct mg_error *error)
{
    struct store_tx *tx;
    *out = (struct sap_trust){.num_items = 0};
    enum mg_status status = store_begin(store, STORE_READ, &tx, error);
    if (status == MG_OK) {
        status = store_end(tx, load_trust(tx, name, out, error), error);
    }
    if (status != MG_OK) {
        sap_trust_free(out);
    }
    return status;
}

void sap_trust_free(struct sap_trust *trust)
{
    for (size_t i = 0; i < trust->num_items; i++) {
        release(trust->items[i].der);
    }
    free(trust->items);
    *trust = (struct sap_trust){.num_items = 0};
}

/* ---- keys ---- */

static void free_key(struct sap_key *key)
{
    for (size_t i = 0; i < key->num_certificates; i++) {
        release(key->certificates[i]);
    }
}

static enum mg_status fill_key(struct sap_key *key, const struct sap_entry *entry, const struct material *material,
                               struct mg_error *error)
{
    enum mg_status status = MG_OK;
    *key = (struct sap_key){.key_id = entry->key_id};
    memcpy(key->name, entry->name, sizeof(key->name));
    for (size_t i = 0; i < material->num_certificates && i < MG_ARRAY_LEN(key->certificates) && status == MG_OK; i++) {
        status = encode(material->certificates[i], &key->certificates[i], error);
        key->num_certificates += status == MG_OK;
    }
    if (status != MG_OK) {
        free_key(key);
    }
    return status;
}

static enum mg_status visit_key(void *arg, const struct sap_entry *entry, struct mg_error *error)
{
    struct sap_keys *keys = arg;
    struct material material;
    struct sap_key *items = realloc(keys->items, (keys->num_items + 1) * sizeof(*items));
    if (items == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a key store");
    }
    keys->items = items;
    enum mg_status status = entry_material_parse(entry, &material, error);
    if (status != MG_OK) {
        return status;
    }
    status = fill_key(&items[keys->num_items], entry, &material, error);
    keys->num_items += status == MG_OK;
    material_free(&material);
    return status;
}

static enum mg_status load_keys(struct store_tx *tx, const char *name, struct sap_keys *out, struct mg_error *error)
{
    struct target target;
    enum mg_status status = resolve_as(tx, name, SAP_KEYSTORE, &target, error);
    if (status != MG_OK) {
        return status;
    }
    memcpy(out->store_name, target.store_name, sizeof(out->store_name));
    out->epoch = target.epoch;
    return sap_entry_each(tx, target.store_id, visit_key, out, error);
}

enum mg_status sap_keys_load(struct store *store, const char *name, struct sap_keys *out, struct mg_error *error)
{
    struct store_tx *tx;
    *out = (struct sap_keys){.num_items = 0};
    enum mg_status status = store_begin(store, STORE_READ, &tx, error);
    if (status == MG_OK) {
        status = store_end(tx, load_keys(tx, name, out, error), error);
    }
    if (status != MG_OK) {
        sap_keys_free(out);
    }
    return status;
}

void sap_keys_free(struct sap_keys *keys)
{
    for (size_t i = 0; i < keys->num_items; i++) {
        free_key(&keys->items[i]);
    }
    free(keys->items);
    *keys = (struct sap_keys){.num_items = 0};
}

enum mg_status sap_epoch_of(struct store *store, const char *name, int64_t *out, struct mg_error *error)
{
    struct store_tx *tx;
    struct target target = {.epoch = 0};
    enum mg_status status = store_begin(store, STORE_READ, &tx, error);
    if (status == MG_OK) {
        status = store_end(tx, resolve(tx, name, &target, error), error);
    }
    *out = target.epoch;
    return status;
}
