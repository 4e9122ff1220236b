/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/records.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static const struct text_rule owner_rule = {"CAOwner", 1, RECORDS_MAX_NAME, NULL};
static const struct text_rule name_rule = {"IntermediateCertificateName", 1, RECORDS_MAX_NAME, NULL};

static const char *const kinds[] = {NULL, "root", "intermediate"};

/* ---- owners ---- */

enum mg_status records_owner_find(struct store_tx *tx, const char *name, struct records_owner *out,
                                  struct mg_error *error)
{
    struct store_statement query;
    *out = (struct records_owner){.id = 0};
    store_prepare(&query, tx, "SELECT id, name FROM ccadb_owner WHERE name = ?");
    store_bind_text(&query, mg_slice_of_text(name));
    enum mg_status status = MG_NOT_FOUND;
    if (store_next(&query)) {
        out->id = store_column_int(&query);
        status = text_set(out->name, store_column_text(&query), &owner_rule, error);
    }
    enum mg_status finished = store_finish(&query, error);
    if (finished != MG_OK) {
        return finished;
    }
    return status == MG_NOT_FOUND ? mg_error_set(error, status, "owner: there is no such CA owner") : status;
}

enum mg_status records_owner_add(struct store_tx *tx, const char *name, struct records_owner *out,
                                 struct mg_error *error)
{
    struct store_statement statement;
    enum mg_status status = text_set(out->name, mg_slice_of_text(name), &owner_rule, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx, "INSERT INTO ccadb_owner (name) VALUES (?)");
    store_bind_text(&statement, mg_slice_of_text(out->name));
    status = store_run(&statement, error);
    out->id = store_last_id(tx);
    return status == MG_EXISTS ? mg_error_set(error, status, "owner: there is a CA owner of this name") : status;
}

/* ---- certificates ---- */

/* describe_name takes the subject's common name, where it can be shown. */
static void describe_name(X509 *x509, struct records_certificate *out)
{
    const struct text_rule any = {"commonName", 0, RECORDS_MAX_NAME, NULL};
    const X509_NAME *subject = X509_get_subject_name(x509);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    int len =
        index < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
    if (len < 0 || text_set(out->common_name, mg_slice_of(text, (size_t)len), &any, NULL) != MG_OK) {
        out->common_name[0] = '\0';
    }
    OPENSSL_free(text);
    ERR_clear_error();
}

static bool name_der(const X509_NAME *name, struct mg_slice *out)
{
    const unsigned char *der;
    size_t len;
    if (X509_NAME_get0_der(name, &der, &len) != 1) {
        return false;
    }
    *out = mg_slice_of(der, len);
    return true;
}

enum mg_status records_describe(X509 *x509, struct records_certificate *out, struct mg_error *error)
{
    *out = (struct records_certificate){.der = NULL};
    int len = i2d_X509(x509, &out->der);
    if (len <= 0 || X509_digest(x509, EVP_sha256(), out->sha256, NULL) != 1 ||
        !name_der(X509_get_subject_name(x509), &out->subject) || !name_der(X509_get_issuer_name(x509), &out->issuer)) {
        ERR_clear_error();
        records_describe_free(out);
        return mg_error_set(error, MG_INTERNAL, "a certificate cannot be described");
    }
    out->der_len = (size_t)len;
    describe_name(x509, out);
    return MG_OK;
}

void records_describe_free(struct records_certificate *certificate)
{
    OPENSSL_free(certificate->der);
    certificate->der = NULL;
}

/* ---- records ---- */

void record_free(struct record *record)
{
    json_decref(record->attributes);
    *record = (struct record){.id = 0};
}

void record_id_of(const struct record *record, char out[RECORD_ID_SIZE])
{
    record_id_make(RECORD_ID_RECORD, (uint64_t)record->id, out);
}

enum mg_status records_set_name(struct record *record, const char *name, struct mg_error *error)
{
    return text_set(record->name, mg_slice_of_text(name), &name_rule, error);
}

#define COLUMNS                                                                                                        \
    "SELECT r.id, r.kind, r.owner_id, o.name, r.parent_id, r.name, r.sha256, r.attributes, r.created_us,"              \
    " r.updated_us FROM ccadb_record AS r JOIN ccadb_owner AS o ON o.id = r.owner_id "

static bool read_sha256(struct mg_slice value, uint8_t out[RECORDS_SHA256_LEN])
{
    return value.len == RECORDS_SHA256_LEN && mg_slice_copy(&value, out, RECORDS_SHA256_LEN);
}

/* read_row reads the columns in their order. The caller frees the record in any case. */
static enum mg_status read_row(struct store_statement *query, struct record *out, struct mg_error *error)
{
    *out = (struct record){.id = store_column_int(query)};
    out->kind = mg_slice_equal(store_column_text(query), mg_slice_of_text(kinds[RECORD_ROOT])) ? RECORD_ROOT
                                                                                               : RECORD_INTERMEDIATE;
    out->owner_id = store_column_int(query);
    bool ok = text_set(out->owner, store_column_text(query), &owner_rule, NULL) == MG_OK;
    out->parent_id = store_column_int(query);
    ok = text_set(out->name, store_column_text(query), &name_rule, NULL) == MG_OK && ok;
    ok = read_sha256(store_column_blob(query), out->sha256) && ok;
    struct mg_slice attributes = store_column_text(query);
    out->attributes = json_loadb((const char *)attributes.data, attributes.len, 0, NULL);
    out->created_us = store_column_int(query);
    out->updated_us = store_column_int(query);
    return ok && json_is_object(out->attributes)
               ? MG_OK
               : mg_error_set(error, MG_INTERNAL, "database: CCADB record %lld cannot be read", (long long)out->id);
}

/* take_row takes the first row of |query|, which it ends. */
static enum mg_status take_row(struct store_statement *query, struct record *out, struct mg_error *error)
{
    *out = (struct record){.id = 0};
    enum mg_status status = store_next(query) ? read_row(query, out, error) : MG_NOT_FOUND;
    enum mg_status finished = store_finish(query, status == MG_OK || status == MG_NOT_FOUND ? error : NULL);
    status = finished == MG_OK ? status : finished;
    if (status != MG_OK) {
        record_free(out);
    }
    return status == MG_NOT_FOUND ? mg_error_set(error, status, "there is no such record") : status;
}

enum mg_status records_load(struct store_tx *tx, struct mg_slice id, struct record *out, struct mg_error *error)
{
    struct store_statement query;
    uint64_t number;
    *out = (struct record){.id = 0};
    if (!record_id_number(id, RECORD_ID_RECORD, &number)) {
        return mg_error_set(error, MG_NOT_FOUND, "there is no such record");
    }
    store_prepare(&query, tx, COLUMNS "WHERE r.id = ?");
    store_bind_int(&query, (int64_t)number);
    return take_row(&query, out, error);
}

/* prepare_filter selects by what is not 0 and not NULL. */
static void prepare_filter(struct store_statement *query, struct store_tx *tx, const uint8_t *sha256, int64_t owner_id,
                           enum record_kind kind)
{
    store_prepare(query, tx,
                  COLUMNS "WHERE (?1 IS NULL OR r.sha256 = ?1) AND (?2 = 0 OR r.owner_id = ?2)"
                          " AND (?3 IS NULL OR r.kind = ?3) ORDER BY r.id");
    store_bind_blob(query, mg_slice_of(sha256, sha256 == NULL ? 0 : RECORDS_SHA256_LEN));
    store_bind_int(query, owner_id);
    store_bind_text(query, kind == 0 ? mg_slice_of(NULL, 0) : mg_slice_of_text(kinds[kind]));
}

enum mg_status records_find(struct store_tx *tx, const uint8_t sha256[RECORDS_SHA256_LEN], int64_t owner_id,
                            enum record_kind kind, struct record *out, struct mg_error *error)
{
    struct store_statement query;
    prepare_filter(&query, tx, sha256, owner_id, kind);
    return take_row(&query, out, error);
}

enum mg_status records_each(struct store_tx *tx, enum record_kind kind, const uint8_t sha256[RECORDS_SHA256_LEN],
                            records_visit visit, void *arg, struct mg_error *error)
{
    struct store_statement query;
    enum mg_status status = MG_OK;
    prepare_filter(&query, tx, sha256, 0, kind);
    while (status == MG_OK && store_next(&query)) {
        struct record record;
        status = read_row(&query, &record, error);
        if (status == MG_OK) {
            status = visit(arg, &record, error);
        }
        record_free(&record);
    }
    enum mg_status finished = store_finish(&query, status == MG_OK ? error : NULL);
    return status == MG_OK ? finished : status;
}

static enum mg_status bind_attributes(struct store_statement *statement, const struct record *record)
{
    char *text = json_dumps(record->attributes, JSON_COMPACT | JSON_SORT_KEYS);
    store_bind_text(statement, text == NULL ? mg_slice_of(NULL, 0) : mg_slice_of_text(text));
    enum mg_status status = text == NULL ? MG_MEMORY : MG_OK;
    free(text);
    return status;
}

enum mg_status records_insert(struct store_tx *tx, struct record *record, const struct records_certificate *certificate,
                              struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO ccadb_record (kind, owner_id, parent_id, name, sha256, subject, certificate, created_us,"
                  " updated_us, attributes) VALUES (?, ?, nullif(?, 0), ?, ?, ?, ?, ?, ?, ?)");
    store_bind_text(&statement, mg_slice_of_text(kinds[record->kind]));
    store_bind_int(&statement, record->owner_id);
    store_bind_int(&statement, record->parent_id);
    store_bind_text(&statement, mg_slice_of_text(record->name));
    store_bind_blob(&statement, mg_slice_of(certificate->sha256, RECORDS_SHA256_LEN));
    store_bind_blob(&statement, certificate->subject);
    store_bind_blob(&statement, mg_slice_of(certificate->der, certificate->der_len));
    store_bind_int(&statement, record->created_us);
    store_bind_int(&statement, record->updated_us);
    enum mg_status bound = bind_attributes(&statement, record);
    enum mg_status status = store_run(&statement, error);
    if (bound != MG_OK) {
        return mg_error_set(error, bound, "no memory for a record");
    }
    if (status == MG_EXISTS) {
        return mg_error_set(error, status, "This certificate already has a record of this owner.");
    }
    record->id = store_last_id(tx);
    memcpy(record->sha256, certificate->sha256, sizeof(record->sha256));
    return status;
}

enum mg_status records_update(struct store_tx *tx, const struct record *record, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "UPDATE ccadb_record SET name = ?, updated_us = ?, attributes = ? WHERE id = ?");
    store_bind_text(&statement, mg_slice_of_text(record->name));
    store_bind_int(&statement, record->updated_us);
    enum mg_status bound = bind_attributes(&statement, record);
    store_bind_int(&statement, record->id);
    enum mg_status status = store_run(&statement, error);
    return bound == MG_OK ? status : mg_error_set(error, bound, "no memory for a record");
}

/* ---- who signed what ---- */

static X509 *read_certificate(struct mg_slice der)
{
    const uint8_t *at = der.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    ERR_clear_error();
    return x509;
}

enum mg_status records_load_certificate(struct store_tx *tx, int64_t id, X509 **out, struct mg_error *error)
{
    struct store_statement query;
    X509 *x509 = NULL;
    store_prepare(&query, tx, "SELECT certificate FROM ccadb_record WHERE id = ?");
    store_bind_int(&query, id);
    if (store_next(&query)) {
        x509 = read_certificate(store_column_blob(&query));
    }
    enum mg_status status = store_finish(&query, error);
    if (status == MG_OK && x509 == NULL) {
        return mg_error_set(error, MG_INTERNAL, "database: the certificate of record %lld cannot be read",
                            (long long)id);
    }
    if (status != MG_OK) {
        X509_free(x509);
        return status;
    }
    *out = x509;
    return MG_OK;
}

bool records_has_signed(X509 *issuer, X509 *x509)
{
    bool signed_it = X509_check_issued(issuer, x509) == X509_V_OK && X509_verify(x509, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return signed_it;
}

/* find_signer looks through the records whose subject is |issuer|, the DER of a Name. */
static enum mg_status find_signer(struct store_tx *tx, X509 *x509, struct mg_slice issuer, int64_t *out,
                                  struct mg_error *error)
{
    struct store_statement query;
    *out = 0;
    store_prepare(&query, tx, "SELECT id, certificate FROM ccadb_record WHERE subject = ? ORDER BY id");
    store_bind_blob(&query, issuer);
    while (*out == 0 && store_next(&query)) {
        int64_t id = store_column_int(&query);
        X509 *candidate = read_certificate(store_column_blob(&query));
        if (candidate != NULL && X509_cmp(candidate, x509) != 0 && records_has_signed(candidate, x509)) {
            *out = id;
        }
        X509_free(candidate);
    }
    return store_finish(&query, error);
}

enum mg_status records_find_issuer(struct store_tx *tx, X509 *x509, struct record *out, struct mg_error *error)
{
    struct mg_slice issuer;
    int64_t id;
    char text[RECORD_ID_SIZE];
    *out = (struct record){.id = 0};
    if (!name_der(X509_get_issuer_name(x509), &issuer)) {
        return mg_error_set(error, MG_INTERNAL, "a certificate's issuer cannot be read");
    }
    enum mg_status status = find_signer(tx, x509, issuer, &id, error);
    if (status != MG_OK) {
        return status;
    }
    record_id_make(RECORD_ID_RECORD, (uint64_t)id, text); /* no record has the number 0 */
    return records_load(tx, mg_slice_of_text(text), out, error);
}
