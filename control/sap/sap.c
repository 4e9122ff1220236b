/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "control/audit.h"
#include "control/sap/entry_material.h"
#include "control/sap/sap_request.h"

#define MAX_DETAIL 4096

/* ---- steps ---- */

/* A step under way. */
struct step {
    const struct sap_call *call;
    struct store_tx *tx;
    bool is_silent;          /* nothing changed: no audit record */
    struct mg_buffer detail; /* the audit record's JSON object, open for members */
    uint8_t storage[MAX_DETAIL];
};

static struct sap_stamp stamp_of(const struct sap_call *call)
{
    struct sap_stamp stamp = {.time_us = call->now_us};
    snprintf(stamp.by, sizeof(stamp.by), "%s", call->actor.name);
    return stamp;
}

static enum mg_status begin(struct step *step, const struct sap_call *call, struct mg_error *error)
{
    step->call = call;
    step->is_silent = false;
    mg_buffer_wrap(&step->detail, step->storage, sizeof(step->storage) - 1);
    mg_json_begin_object(&step->detail, NULL);
    return store_begin(call->sap->store, STORE_WRITE, &step->tx, error);
}

static enum mg_status audit(struct step *step, const char *operation, const char *object, struct mg_error *error)
{
    mg_json_end_object(&step->detail);
    step->storage[step->detail.len] = '\0';
    if (!mg_buffer_ok(&step->detail)) {
        return mg_error_set(error, MG_INTERNAL, "the audit record is too long");
    }
    const struct audit_entry entry = {.time_us = step->call->now_us,
                                      .actor = step->call->actor,
                                      .operation = operation,
                                      .object = object,
                                      .outcome = AUDIT_DONE,
                                      .detail = (const char *)step->storage};
    return audit_append(step->tx, &entry, error);
}

/* end writes the audit record and commits, if |status| is MG_OK; else it undoes everything. |entry| may be NULL. */
static enum mg_status end(struct step *step, enum mg_status status, const char *operation, const char *kind,
                          const char *name, const char *entry, struct mg_error *error)
{
    char object[32 + 2 * SAP_NAME_SIZE];
    snprintf(object, sizeof(object), "%s/%s%s%s", kind, name, entry != NULL ? "/" : "", entry != NULL ? entry : "");
    if (status == MG_OK && !step->is_silent) {
        status = audit(step, operation, object, error);
    }
    status = store_end(step->tx, status, error);
    const struct sap *sap = step->call->sap;
    if (status == MG_OK && sap->changed != NULL) {
        sap->changed(sap->changed_arg);
    }
    return status;
}

/* touch notes that |store| has changed now. */
static enum mg_status touch(struct step *step, struct sap_store *store, struct mg_error *error)
{
    enum mg_status status = sap_epoch_next(step->tx, &store->epoch, error);
    store->changed = stamp_of(step->call);
    return status == MG_OK ? sap_store_update(step->tx, store, error) : status;
}

/* ---- stores ---- */

static enum mg_status create_store(struct step *step, struct sap_store *store, struct mg_error *error)
{
    int64_t count;
    enum mg_status status = sap_count(step->tx, 0, &count, error);
    if (status == MG_OK && count >= SAP_MAX_STORES) {
        status = mg_error_set(error, MG_LIMIT, "there are %d stores, and no more are allowed", SAP_MAX_STORES);
    }
    if (status == MG_OK) {
        status = sap_epoch_next(step->tx, &store->epoch, error);
    }
    mg_json_string(&step->detail, "storeType", words_name(&sap_kind_words, store->kind));
    return status == MG_OK ? sap_store_insert(step->tx, store, error) : status;
}

enum mg_status sap_store_create(const struct sap_call *call, const char *name, enum sap_kind kind,
                                const char *description, struct sap_store *out, struct mg_error *error)
{
    static const struct text_rule rule = {"description", 0, SAP_MAX_DESCRIPTION, NULL};
    struct sap_store store = {.kind = kind, .created = stamp_of(call), .changed = stamp_of(call)};
    struct step step;
    enum mg_status status = sap_name_check("name", name, error);
    if (status == MG_OK) {
        snprintf(store.name, sizeof(store.name), "%s", name);
        status = text_set(store.description, mg_slice_of_text(description), &rule, error);
    }
    if (status == MG_OK) {
        status = begin(&step, call, error);
    }
    if (status != MG_OK) {
        return status;
    }
    status = end(&step, create_store(&step, &store, error), "createStore", "store", name, NULL, error);
    if (status == MG_OK && out != NULL) {
        *out = store;
    }
    return status;
}

/* What looks for references to a store. */
struct referrer {
    int64_t store_id;
    char name[SAP_NAME_SIZE]; /* "": none */
};

static enum mg_status find_referrer(void *arg, const struct sap_reference *reference, struct mg_error *error)
{
    struct referrer *referrer = arg;
    (void)error;
    if (reference->store_id == referrer->store_id) {
        snprintf(referrer->name, sizeof(referrer->name), "%s", reference->name);
    }
    return MG_OK;
}

static enum mg_status delete_store(struct step *step, const char *name, struct mg_error *error)
{
    struct sap_store store;
    int64_t epoch;
    enum mg_status status = sap_store_load(step->tx, name, &store, error);
    if (status != MG_OK) {
        return status;
    }
    struct referrer referrer = {.store_id = store.id};
    status = sap_reference_each(step->tx, find_referrer, &referrer, error);
    if (status == MG_OK && referrer.name[0] != '\0') {
        status = mg_error_set(error, MG_DENIED, "the reference %s names this store", referrer.name);
    }
    if (status == MG_OK) {
        status = sap_entry_drop_all(step->tx, store.id, NULL, step->call->now_us, error);
    }
    if (status == MG_OK) {
        status = sap_store_remove(step->tx, store.id, error);
    }
    return status == MG_OK ? sap_epoch_next(step->tx, &epoch, error) : status;
}

enum mg_status sap_store_delete(const struct sap_call *call, const char *name, struct mg_error *error)
{
    struct step step;
    enum mg_status status = begin(&step, call, error);
    if (status == MG_OK) {
        status = end(&step, delete_store(&step, name, error), "deleteStore", "store", name, NULL, error);
    }
    if (status == MG_OK) {
        sap_imports_destroy_doomed(call->sap->imports);
    }
    return status;
}

/* ---- entries ---- */

static enum mg_status load_store(const struct sap_call *call, const char *name, struct sap_store *out,
                                 struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(call->sap->store, STORE_READ, &tx, error);
    return status == MG_OK ? store_end(tx, sap_store_load(tx, name, out, error), error) : status;
}

/* replace makes room for the version that is to come: the present one becomes the one before. */
static enum mg_status replace(struct step *step, const struct sap_entry *entry, bool *overwritten,
                              struct mg_error *error)
{
    struct sap_entry present;
    int64_t count;
    enum mg_status status = sap_entry_load(step->tx, entry->store_id, entry->name, &present, error);
    *overwritten = status == MG_OK;
    if (status == MG_OK) {
        sap_entry_free(&present);
        status = sap_entry_drop_previous(step->tx, entry->store_id, entry->name, step->call->now_us, error);
        return status == MG_OK ? sap_entry_swap(step->tx, entry->store_id, entry->name, error) : status;
    }
    if (status == MG_NOT_FOUND) {
        status = sap_count(step->tx, entry->store_id, &count, error);
    }
    if (status == MG_OK && count >= SAP_MAX_ENTRIES) {
        status =
            mg_error_set(error, MG_LIMIT, "the store has %d certificates, and no more are allowed", SAP_MAX_ENTRIES);
    }
    return status;
}

/* An entry on its way into its store. */
struct putting {
    const struct sap_put *put;
    const struct material *material;
    enum sap_kind kind; /* of the store, when the file was read */
    struct sap_entry entry;
    bool overwritten;
};

static bool is_renewal(const struct putting *putting)
{
    return putting->kind == SAP_KEYSTORE && putting->put->file.is_renewal;
}

/* take_key gives a renewed certificate the key of the present one, for which it must be. */
static enum mg_status take_key(struct step *step, struct putting *putting, struct mg_error *error)
{
    struct sap_entry present;
    struct material material;
    enum mg_status status = sap_entry_load(step->tx, putting->entry.store_id, putting->put->name, &present, error);
    if (status != MG_OK) {
        return status;
    }
    status = entry_material_parse(&present, &material, error);
    if (status == MG_OK) {
        const EVP_PKEY *old = X509_get0_pubkey(material.certificates[0]);
        if (EVP_PKEY_eq(old, X509_get0_pubkey(putting->material->certificates[0])) != 1) {
            status = mg_error_set(error, MG_INVALID,
                                  "certificate 1: is for another key than the one that is kept, which must come along");
        }
        material_free(&material);
    }
    if (status == MG_OK) {
        putting->entry.has_key = present.has_key;
        putting->entry.key_id = present.key_id;
        putting->entry.csr = present.csr;
        present.csr = NULL;
    }
    sap_entry_free(&present);
    return status;
}

static enum mg_status insert_entry(struct step *step, struct putting *putting, struct mg_error *error)
{
    enum mg_status status = is_renewal(putting) ? take_key(step, putting, error) : MG_OK;
    if (status == MG_OK) {
        status = replace(step, &putting->entry, &putting->overwritten, error);
    }
    if (status == MG_OK && putting->put->must_exist && !putting->overwritten) {
        status = mg_error_set(error, MG_NOT_FOUND, "there is no certificate %s", putting->put->name);
    }
    putting->entry.has_previous = putting->overwritten;
    return status == MG_OK ? sap_entry_insert(step->tx, &putting->entry, error) : status;
}

/* put_entry is the transaction: the store may have become another since the file was read. */
static enum mg_status put_entry(struct step *step, struct putting *putting, struct mg_error *error)
{
    struct sap_store store;
    enum mg_status status = sap_store_load(step->tx, putting->put->store, &store, error);
    if (status != MG_OK) {
        return status;
    }
    if (store.kind != SAP_UNDECIDED && store.kind != putting->kind) {
        return mg_error_set(error, MG_DENIED, "the store has become a %s", words_name(&sap_kind_words, store.kind));
    }
    store.kind = putting->kind;
    putting->entry.store_id = store.id;
    status = insert_entry(step, putting, error);
    if (status == MG_OK) {
        status = touch(step, &store, error);
    }
    mg_json_string(&step->detail, "format", words_name(&sap_format_words, putting->entry.format));
    mg_json_bool(&step->detail, "overwritten", putting->overwritten);
    return status;
}

static enum mg_status save_entry(const struct sap_call *call, struct putting *putting, struct mg_error *error)
{
    struct step step;
    enum mg_status status = begin(&step, call, error);
    return status == MG_OK ? end(&step, put_entry(&step, putting, error), "putCertificate", "store",
                                 putting->put->store, putting->put->name, error)
                           : status;
}

/* save_key_entry is save_entry with the key in the signer's hands first. */
static enum mg_status save_key_entry(const struct sap_call *call, struct putting *putting, struct mg_error *error)
{
    struct sap_import import;
    enum mg_status status = sap_request_make(putting->material, &putting->entry.csr, error);
    if (status == MG_OK) {
        status = sap_import_begin(call->sap->imports, WIRE_PURPOSE_TLS_CLIENT, putting->material->key, call->now_us,
                                  &import, error);
    }
    if (status != MG_OK) {
        return status;
    }
    putting->entry.has_key = true;
    putting->entry.key_id = import.key_id;
    status = save_entry(call, putting, error);
    sap_import_end(call->sap->imports, &import, call->now_us);
    return status;
}

static enum mg_status put_material(const struct sap_call *call, struct putting *putting, struct mg_error *error)
{
    struct sap_entry *entry = &putting->entry;
    entry->format = putting->put->file.format;
    entry->created = stamp_of(call);
    snprintf(entry->name, sizeof(entry->name), "%s", putting->put->name);
    enum mg_status status = entry_material_encode(putting->material, &entry->certificates, error);
    if (status != MG_OK) {
        return status;
    }
    bool brings_key = putting->kind == SAP_KEYSTORE && !is_renewal(putting);
    return brings_key ? save_key_entry(call, putting, error) : save_entry(call, putting, error);
}

enum mg_status sap_entry_put(const struct sap_call *call, const struct sap_put *put, struct sap_entry *out,
                             bool *overwritten, struct mg_error *error)
{
    const struct material_terms terms = {.now = call->now_us / 1000000, .ignores_expiry = put->ignores_expiry};
    struct putting putting = {.put = put};
    struct sap_store store;
    struct material material;
    enum mg_status status = sap_name_check("name", put->name, error);
    if (status == MG_OK) {
        status = load_store(call, put->store, &store, error);
    }
    if (status == MG_OK) {
        status = sap_file_read(&put->file, &terms, &store.kind, &material, error);
    }
    if (status != MG_OK) {
        return status;
    }
    putting.material = &material;
    putting.kind = store.kind;
    status = put_material(call, &putting, error);
    material_free(&material);
    *overwritten = putting.overwritten;
    if (status == MG_OK && out != NULL) {
        *out = putting.entry;
    } else {
        sap_entry_free(&putting.entry);
    }
    return status;
}

static enum mg_status restore_entry(struct step *step, const char *store_name, const char *name, struct sap_entry *out,
                                    struct mg_error *error)
{
    struct sap_store store;
    struct sap_entry present = {.id = 0};
    enum mg_status status = sap_store_load(step->tx, store_name, &store, error);
    if (status == MG_OK) {
        status = sap_entry_load(step->tx, store.id, name, &present, error);
    }
    if (status == MG_OK && !present.has_previous) {
        status = mg_error_set(error, MG_NOT_FOUND, "there is no version of %s before the present one", name);
    }
    sap_entry_free(&present);
    if (status == MG_OK) {
        status = sap_entry_swap(step->tx, store.id, name, error);
    }
    if (status == MG_OK) {
        status = touch(step, &store, error);
    }
    return status == MG_OK ? sap_entry_load(step->tx, store.id, name, out, error) : status;
}

enum mg_status sap_entry_restore(const struct sap_call *call, const char *store, const char *name,
                                 struct sap_entry *out, struct mg_error *error)
{
    struct step step;
    struct sap_entry entry = {.id = 0};
    enum mg_status status = begin(&step, call, error);
    if (status == MG_OK) {
        status = end(&step, restore_entry(&step, store, name, &entry, error), "restoreCertificate", "store", store,
                     name, error);
    }
    if (status == MG_OK) {
        *out = entry;
    } else {
        sap_entry_free(&entry);
    }
    return status;
}

static enum mg_status delete_entry(struct step *step, const char *store_name, const char *name, struct mg_error *error)
{
    struct sap_store store;
    struct sap_entry entry;
    enum mg_status status = sap_store_load(step->tx, store_name, &store, error);
    if (status == MG_OK) {
        status = sap_entry_load(step->tx, store.id, name, &entry, error);
    }
    if (status != MG_OK) {
        return status;
    }
    sap_entry_free(&entry);
    status = sap_entry_drop_all(step->tx, store.id, name, step->call->now_us, error);
    return status == MG_OK ? touch(step, &store, error) : status;
}

enum mg_status sap_entry_delete(const struct sap_call *call, const char *store, const char *name,
                                struct mg_error *error)
{
    struct step step;
    enum mg_status status = begin(&step, call, error);
    if (status == MG_OK) {
        status = end(&step, delete_entry(&step, store, name, error), "deleteCertificate", "store", store, name, error);
    }
    if (status == MG_OK) {
        sap_imports_destroy_doomed(call->sap->imports);
    }
    return status;
}

/* ---- references ---- */

/* aim makes |reference| name the store |name|: MG_DENIED where that cannot be. |kind|: what it must be, if not
 * SAP_UNDECIDED. */
static enum mg_status aim(struct step *step, struct sap_reference *reference, const char *name, enum sap_kind kind,
                          struct mg_error *error)
{
    struct sap_store store;
    enum mg_status status = sap_store_load(step->tx, name, &store, error);
    if (status == MG_NOT_FOUND) {
        return mg_error_set(error, MG_DENIED, "certificateStoreName: there is no store %s", name);
    }
    if (status != MG_OK) {
        return status;
    }
    if (store.kind == SAP_UNDECIDED) {
        return mg_error_set(error, MG_DENIED, "certificateStoreName: %s is neither a KEYSTORE nor a TRUSTSTORE yet",
                            name);
    }
    if (kind != SAP_UNDECIDED && kind != store.kind) {
        return mg_error_set(error, MG_DENIED, "certificateStoreName: %s is no %s", name,
                            words_name(&sap_kind_words, kind));
    }
    reference->store_id = store.id;
    reference->kind = store.kind;
    snprintf(reference->store_name, sizeof(reference->store_name), "%s", store.name);
    reference->changed = stamp_of(step->call);
    mg_json_string(&step->detail, "certificateStoreName", store.name);
    return sap_epoch_next(step->tx, &reference->epoch, error);
}

static enum mg_status create_reference(struct step *step, struct sap_reference *reference, const char *store,
                                       struct mg_error *error)
{
    struct sap_reference present;
    enum mg_status status = sap_reference_load(step->tx, reference->name, &present, error);
    if (status == MG_OK) {
        return mg_error_set(error, MG_EXISTS, "there is a reference %s already", reference->name);
    }
    if (status == MG_NOT_FOUND) {
        status = aim(step, reference, store, SAP_UNDECIDED, error);
    }
    return status == MG_OK ? sap_reference_save(step->tx, reference, error) : status;
}

enum mg_status sap_reference_create(const struct sap_call *call, const char *name, const char *store,
                                    struct sap_reference *out, struct mg_error *error)
{
    struct sap_reference reference = {.created = stamp_of(call)};
    struct step step;
    enum mg_status status = sap_name_check("name", name, error);
    if (status == MG_OK) {
        snprintf(reference.name, sizeof(reference.name), "%s", name);
        status = begin(&step, call, error);
    }
    if (status != MG_OK) {
        return status;
    }
    status = end(&step, create_reference(&step, &reference, store, error), "createReference", "reference", name, NULL,
                 error);
    if (status == MG_OK && out != NULL) {
        *out = reference;
    }
    return status;
}

static enum mg_status swing(struct step *step, const char *name, const char *store, struct mg_error *error)
{
    struct sap_reference reference;
    enum mg_status status = sap_reference_load(step->tx, name, &reference, error);
    if (status != MG_OK || strcmp(reference.store_name, store) == 0) {
        step->is_silent = true;
        return status;
    }
    mg_json_string(&step->detail, "oldCertificateStoreName", reference.store_name);
    status = aim(step, &reference, store, reference.kind, error);
    return status == MG_OK ? sap_reference_save(step->tx, &reference, error) : status;
}

enum mg_status sap_reference_swing(const struct sap_call *call, const char *name, const char *store,
                                   struct mg_error *error)
{
    struct step step;
    enum mg_status status = begin(&step, call, error);
    return status == MG_OK
               ? end(&step, swing(&step, name, store, error), "updateReference", "reference", name, NULL, error)
               : status;
}

static enum mg_status delete_reference(struct step *step, const char *name, struct mg_error *error)
{
    int64_t epoch;
    enum mg_status status = sap_reference_remove(step->tx, name, error);
    return status == MG_OK ? sap_epoch_next(step->tx, &epoch, error) : status;
}

enum mg_status sap_reference_delete(const struct sap_call *call, const char *name, struct mg_error *error)
{
    struct step step;
    enum mg_status status = begin(&step, call, error);
    return status == MG_OK
               ? end(&step, delete_reference(&step, name, error), "deleteReference", "reference", name, NULL, error)
               : status;
}
