/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca_record.h"

#include <stdio.h>

static const char *const steps[] = {
    "CREATE TABLE pca_ca ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  tag TEXT NOT NULL UNIQUE,"
    "  alias TEXT NOT NULL UNIQUE,"
    "  type INTEGER NOT NULL,"
    "  status INTEGER NOT NULL,"
    "  memo TEXT NOT NULL,"
    "  common_name TEXT NOT NULL, organization TEXT NOT NULL, unit TEXT NOT NULL,"
    "  locality TEXT NOT NULL, state TEXT NOT NULL, country TEXT NOT NULL,"
    "  key_type INTEGER NOT NULL, key_token BLOB NOT NULL, key_id BLOB NOT NULL,"
    "  csr TEXT, certificate TEXT, chain TEXT,"
    "  created_us INTEGER NOT NULL, status_us INTEGER NOT NULL, destroy_us INTEGER NOT NULL,"
    "  signing_count INTEGER NOT NULL,"
    "  ocsp_url TEXT NOT NULL,"
    "  crl_days INTEGER NOT NULL, crl_number INTEGER NOT NULL,"
    "  crl_this_update INTEGER NOT NULL, crl_next_update INTEGER NOT NULL, crl TEXT"
    ") STRICT;"
    "CREATE TABLE pca_certificate ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  ca_id INTEGER NOT NULL REFERENCES pca_ca (id) ON DELETE CASCADE,"
    "  serial TEXT NOT NULL,"
    "  common_name TEXT NOT NULL,"
    "  not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,"
    "  revoked_us INTEGER NOT NULL,"
    "  pem TEXT NOT NULL,"
    "  UNIQUE (ca_id, serial)"
    ") STRICT;"
    "CREATE INDEX pca_certificate_revoked ON pca_certificate (ca_id, revoked_us);"
    "CREATE TABLE pca_loose_key (token BLOB PRIMARY KEY, key_type INTEGER NOT NULL) STRICT;",
};
const struct store_migrations pca_migrations = {"pca", steps, MG_ARRAY_LEN(steps)};

static const char *const types[] = {NULL, "PRIVATE_ROOT", "PRIVATE_SUB"};
static const char *const statuses[] = {NULL, "PENDING", "ACTIVE", "DEACTIVATED", "DESTROYING"};
const struct words pca_type_words = WORDS_OF(types);
const struct words pca_status_words = WORDS_OF(statuses);

void pca_ca_free(struct pca_ca *ca)
{
    free(ca->csr);
    free(ca->certificate);
    free(ca->chain);
    free(ca->crl);
    *ca = (struct pca_ca){.id = 0};
}

void pca_certificate_free(struct pca_certificate *certificate)
{
    free(certificate->pem);
    *certificate = (struct pca_certificate){.ca_id = 0};
}

/* ---- columns ---- */

static void bind(struct store_statement *statement, const char *text)
{
    store_bind_text(statement, text == NULL ? mg_slice_of(NULL, 0) : mg_slice_of_text(text));
}

static void bind_bytes(struct store_statement *statement, const void *bytes, size_t len)
{
    store_bind_blob(statement, mg_slice_of(bytes, len));
}

static void take(struct store_statement *query, char *out, size_t size)
{
    struct mg_slice text = store_column_text(query);
    snprintf(out, size, "%.*s", (int)text.len, text.data == NULL ? "" : (const char *)text.data);
}

/* take_owned copies a column that may be NULL; false: no memory. */
static bool take_owned(struct store_statement *query, char **out)
{
    struct mg_slice text = store_column_text(query);
    *out = text.data == NULL ? NULL : mg_slice_dup_text(text);
    return text.data == NULL || *out != NULL;
}

static void take_bytes(struct store_statement *query, void *out, size_t len)
{
    struct mg_slice bytes = store_column_blob(query);
    (void)!mg_slice_copy(&bytes, out, len);
}

/* ---- CAs ---- */

#define FIXED "tag, alias, type, common_name, organization, unit, locality, state, country, key_type, key_token, key_id"
#define CHANGING                                                                                                       \
    "status, memo, csr, certificate, chain, created_us, status_us, destroy_us, signing_count, ocsp_url, crl_days,"     \
    " crl_number, crl_this_update, crl_next_update, crl"

static void bind_fixed(struct store_statement *statement, const struct pca_ca *ca)
{
    bind(statement, ca->tag);
    bind(statement, ca->alias);
    store_bind_int(statement, ca->type);
    bind(statement, ca->subject.common_name);
    bind(statement, ca->subject.organization);
    bind(statement, ca->subject.unit);
    bind(statement, ca->subject.locality);
    bind(statement, ca->subject.state);
    bind(statement, ca->subject.country);
    store_bind_int(statement, ca->key_type);
    bind_bytes(statement, ca->key_token.bytes, sizeof(ca->key_token.bytes));
    bind_bytes(statement, ca->key_id.bytes, sizeof(ca->key_id.bytes));
}

static void bind_changing(struct store_statement *statement, const struct pca_ca *ca)
{
    store_bind_int(statement, ca->status);
    bind(statement, ca->memo);
    bind(statement, ca->csr);
    bind(statement, ca->certificate);
    bind(statement, ca->chain);
    store_bind_int(statement, ca->created_us);
    store_bind_int(statement, ca->status_us);
    store_bind_int(statement, ca->destroy_us);
    store_bind_int(statement, ca->signing_count);
    bind(statement, ca->ocsp_url);
    store_bind_int(statement, ca->crl_days);
    store_bind_int(statement, ca->crl_number);
    store_bind_int(statement, ca->crl_this_update);
    store_bind_int(statement, ca->crl_next_update);
    bind(statement, ca->crl);
}

/* read_ca takes the columns id, FIXED and CHANGING; false: no memory. */
static bool read_ca(struct store_statement *query, struct pca_ca *out)
{
    out->id = store_column_int(query);
    take(query, out->tag, sizeof(out->tag));
    take(query, out->alias, sizeof(out->alias));
    out->type = (enum pca_type)store_column_int(query);
    take(query, out->subject.common_name, sizeof(out->subject.common_name));
    take(query, out->subject.organization, sizeof(out->subject.organization));
    take(query, out->subject.unit, sizeof(out->subject.unit));
    take(query, out->subject.locality, sizeof(out->subject.locality));
    take(query, out->subject.state, sizeof(out->subject.state));
    take(query, out->subject.country, sizeof(out->subject.country));
    out->key_type = (enum wire_key_type)store_column_int(query);
    take_bytes(query, out->key_token.bytes, sizeof(out->key_token.bytes));
    take_bytes(query, out->key_id.bytes, sizeof(out->key_id.bytes));
    out->status = (enum pca_status)store_column_int(query);
    take(query, out->memo, sizeof(out->memo));
    bool ok = take_owned(query, &out->csr);
    ok = take_owned(query, &out->certificate) && ok;
    ok = take_owned(query, &out->chain) && ok;
    out->created_us = store_column_int(query);
    out->status_us = store_column_int(query);
    out->destroy_us = store_column_int(query);
    out->signing_count = store_column_int(query);
    take(query, out->ocsp_url, sizeof(out->ocsp_url));
    out->crl_days = store_column_int(query);
    out->crl_number = store_column_int(query);
    out->crl_this_update = store_column_int(query);
    out->crl_next_update = store_column_int(query);
    return take_owned(query, &out->crl) && ok;
}

enum mg_status pca_ca_insert(struct store_tx *tx, struct pca_ca *ca, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO pca_ca (" FIXED ", " CHANGING ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                  " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    bind_fixed(&statement, ca);
    bind_changing(&statement, ca);
    enum mg_status status = store_run(&statement, error);
    ca->id = store_last_id(tx);
    return status;
}

enum mg_status pca_ca_update(struct store_tx *tx, const struct pca_ca *ca, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "UPDATE pca_ca SET (" CHANGING ") = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?");
    bind_changing(&statement, ca);
    store_bind_int(&statement, ca->id);
    return store_run(&statement, error);
}

enum mg_status pca_ca_delete(struct store_tx *tx, int64_t id, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM pca_ca WHERE id = ?");
    store_bind_int(&statement, id);
    return store_run(&statement, error);
}

/* finish_one ends a query for one CA. */
static enum mg_status finish_one(struct store_statement *query, struct pca_ca *out, struct mg_error *error)
{
    *out = (struct pca_ca){.id = 0};
    bool found = store_next(query), ok = !found || read_ca(query, out);
    enum mg_status status = store_finish(query, error);
    if (status == MG_OK && !ok) {
        status = mg_error_set(error, MG_MEMORY, "out of memory");
    }
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "there is no such CA") : status;
}

enum mg_status pca_ca_load(struct store_tx *tx, const char *tag, struct pca_ca *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT id, " FIXED ", " CHANGING " FROM pca_ca WHERE tag = ?");
    bind(&query, tag);
    return finish_one(&query, out, error);
}

enum mg_status pca_ca_load_due(struct store_tx *tx, int64_t now, struct pca_ca *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  "SELECT id, " FIXED ", " CHANGING " FROM pca_ca WHERE (destroy_us > 0 AND destroy_us <= ?) OR"
                  " (certificate IS NOT NULL AND crl_this_update + crl_next_update <= 2 * ?) ORDER BY id LIMIT 1");
    store_bind_int(&query, now * 1000000);
    store_bind_int(&query, now);
    return finish_one(&query, out, error);
}

enum mg_status pca_ca_page(struct store_tx *tx, int64_t skip, int64_t max, pca_ca_visitor *visit, void *arg,
                           struct mg_error *error)
{
    struct store_statement query;
    bool ok = true;
    store_prepare(&query, tx, "SELECT id, " FIXED ", " CHANGING " FROM pca_ca ORDER BY id LIMIT ? OFFSET ?");
    store_bind_int(&query, max);
    store_bind_int(&query, skip);
    while (ok && store_next(&query)) {
        struct pca_ca ca = {.id = 0};
        ok = read_ca(&query, &ca);
        if (ok) {
            visit(arg, &ca);
        }
        pca_ca_free(&ca);
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !ok ? mg_error_set(error, MG_MEMORY, "out of memory") : status;
}

static enum mg_status finish_count(struct store_statement *query, int64_t *out, struct mg_error *error)
{
    *out = store_next(query) ? store_column_int(query) : 0;
    return store_finish(query, error);
}

enum mg_status pca_ca_count(struct store_tx *tx, int64_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT count(*) FROM pca_ca");
    return finish_count(&query, out, error);
}

/* ---- certificates ---- */

enum mg_status pca_certificate_insert(struct store_tx *tx, const struct pca_certificate *certificate,
                                      struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO pca_certificate (ca_id, serial, common_name, not_before, not_after, revoked_us, pem)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?)");
    store_bind_int(&statement, certificate->ca_id);
    bind(&statement, certificate->serial);
    bind(&statement, certificate->common_name);
    store_bind_int(&statement, certificate->not_before);
    store_bind_int(&statement, certificate->not_after);
    store_bind_int(&statement, certificate->revoked_us);
    bind(&statement, certificate->pem);
    return store_run(&statement, error);
}

enum mg_status pca_certificate_load(struct store_tx *tx, int64_t ca_id, const char *serial, struct pca_certificate *out,
                                    struct mg_error *error)
{
    struct store_statement query;
    bool found, ok = true;
    *out = (struct pca_certificate){.ca_id = ca_id};
    store_prepare(&query, tx,
                  "SELECT serial, common_name, not_before, not_after, revoked_us, pem FROM pca_certificate"
                  " WHERE ca_id = ? AND serial = ?");
    store_bind_int(&query, ca_id);
    bind(&query, serial);
    if ((found = store_next(&query))) {
        take(&query, out->serial, sizeof(out->serial));
        take(&query, out->common_name, sizeof(out->common_name));
        out->not_before = store_column_int(&query);
        out->not_after = store_column_int(&query);
        out->revoked_us = store_column_int(&query);
        ok = take_owned(&query, &out->pem);
    }
    enum mg_status status = store_finish(&query, error);
    if (status == MG_OK && !ok) {
        status = mg_error_set(error, MG_MEMORY, "out of memory");
    }
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "there is no such certificate") : status;
}

enum mg_status pca_certificate_revoke(struct store_tx *tx, int64_t ca_id, const char *serial, int64_t now_us,
                                      struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "UPDATE pca_certificate SET revoked_us = ? WHERE ca_id = ? AND serial = ?");
    store_bind_int(&statement, now_us);
    store_bind_int(&statement, ca_id);
    bind(&statement, serial);
    return store_run(&statement, error);
}

/* visit_all ends a query for serials and times. */
static enum mg_status visit_all(struct store_statement *query, pca_serial_visitor *visit, void *arg,
                                struct mg_error *error)
{
    while (store_next(query)) {
        char serial[PCA_SERIAL_SIZE];
        take(query, serial, sizeof(serial));
        visit(arg, serial, store_column_int(query));
    }
    return store_finish(query, error);
}

enum mg_status pca_certificate_page(struct store_tx *tx, int64_t ca_id, int64_t skip, int64_t max,
                                    pca_serial_visitor *visit, void *arg, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  "SELECT serial, revoked_us FROM pca_certificate WHERE ca_id = ? ORDER BY id LIMIT ? OFFSET ?");
    store_bind_int(&query, ca_id);
    store_bind_int(&query, max);
    store_bind_int(&query, skip);
    return visit_all(&query, visit, arg, error);
}

enum mg_status pca_certificate_count(struct store_tx *tx, int64_t ca_id, int64_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT count(*) FROM pca_certificate WHERE ca_id = ?");
    store_bind_int(&query, ca_id);
    return finish_count(&query, out, error);
}

enum mg_status pca_certificate_each_revoked(struct store_tx *tx, int64_t ca_id, int64_t now, pca_serial_visitor *visit,
                                            void *arg, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  "SELECT serial, revoked_us FROM pca_certificate WHERE ca_id = ? AND revoked_us > 0 AND"
                  " not_after >= ? ORDER BY id");
    store_bind_int(&query, ca_id);
    store_bind_int(&query, now);
    return visit_all(&query, visit, arg, error);
}

/* ---- loose keys ---- */

enum mg_status pca_loose_key_add(struct store_tx *tx, const struct pca_loose_key *key, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT INTO pca_loose_key (token, key_type) VALUES (?, ?)");
    bind_bytes(&statement, key->token.bytes, sizeof(key->token.bytes));
    store_bind_int(&statement, key->type);
    return store_run(&statement, error);
}

enum mg_status pca_loose_key_forget(struct store_tx *tx, const struct wire_control_token *token, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM pca_loose_key WHERE token = ?");
    bind_bytes(&statement, token->bytes, sizeof(token->bytes));
    return store_run(&statement, error);
}

enum mg_status pca_loose_key_next(struct store_tx *tx, struct pca_loose_key *out, struct mg_error *error)
{
    struct store_statement query;
    bool found;
    store_prepare(&query, tx, "SELECT token, key_type FROM pca_loose_key ORDER BY token LIMIT 1");
    if ((found = store_next(&query))) {
        take_bytes(&query, out->token.bytes, sizeof(out->token.bytes));
        out->type = (enum wire_key_type)store_column_int(&query);
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "there is no loose key") : status;
}
