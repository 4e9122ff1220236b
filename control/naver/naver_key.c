/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/naver_key.h"

#include <openssl/rand.h>
#include <stdio.h>

#include "ossl/openssl_error.h"

static const char *const steps[] = {
    "CREATE TABLE naver_key ("
    "  access_key TEXT PRIMARY KEY, role INTEGER NOT NULL, created_us INTEGER NOT NULL, secret TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE naver_signature (mac BLOB PRIMARY KEY, until_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX naver_signature_until ON naver_signature (until_ms);",
};
const struct store_migrations naver_key_migrations = {"naver", steps, MG_ARRAY_LEN(steps)};

/* draw writes size - 1 characters of |alphabet|, which has a number of them that divides 256 or loses little by it. */
static bool draw(char *out, size_t size, const char *alphabet)
{
    size_t num = strlen(alphabet), limit = 256 - 256 % num;
    for (size_t i = 0; i < size - 1;) {
        uint8_t byte;
        if (RAND_bytes(&byte, 1) != 1) {
            return false;
        }
        if (byte < limit) { /* so that each is as likely */
            out[i++] = alphabet[byte % num];
        }
    }
    out[size - 1] = '\0';
    return true;
}

static bool draw_key(struct naver_key *out)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    return draw(out->access_key, sizeof(out->access_key), upper) && draw(out->secret, sizeof(out->secret), all);
}

static enum mg_status count(struct store_tx *tx, int64_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT count(*) FROM naver_key");
    *out = store_next(&query) ? store_column_int(&query) : 0;
    return store_finish(&query, error);
}

enum mg_status naver_key_make(struct store_tx *tx, enum http_role role, int64_t now_us, struct naver_key *out,
                              struct mg_error *error)
{
    int64_t num;
    struct store_statement statement;
    enum mg_status status = count(tx, &num, error);
    if (status != MG_OK) {
        return status;
    }
    if (num >= NAVER_MAX_KEYS) {
        return mg_error_set(error, MG_LIMIT, "there are %d access keys already", NAVER_MAX_KEYS);
    }
    *out = (struct naver_key){.role = role, .created_us = now_us};
    if (!draw_key(out)) {
        return openssl_error_set(error, "cannot draw an access key");
    }
    store_prepare(&statement, tx, "INSERT INTO naver_key (access_key, role, created_us, secret) VALUES (?, ?, ?, ?)");
    store_bind_text(&statement, mg_slice_of_text(out->access_key));
    store_bind_int(&statement, role);
    store_bind_int(&statement, now_us);
    store_bind_text(&statement, mg_slice_of_text(out->secret));
    return store_run(&statement, error);
}

static void take(struct store_statement *query, char *out, size_t size)
{
    struct mg_slice text = store_column_text(query);
    snprintf(out, size, "%.*s", (int)text.len, text.data == NULL ? "" : (const char *)text.data);
}

static void read_row(struct store_statement *query, struct naver_key *out)
{
    take(query, out->access_key, sizeof(out->access_key));
    out->role = (enum http_role)store_column_int(query);
    out->created_us = store_column_int(query);
}

enum mg_status naver_key_load(struct store_tx *tx, const char *access_key, struct naver_key *out,
                              struct mg_error *error)
{
    struct store_statement query;
    bool found;
    *out = (struct naver_key){.role = HTTP_ROLE_ANONYMOUS};
    store_prepare(&query, tx, "SELECT access_key, role, created_us, secret FROM naver_key WHERE access_key = ?");
    store_bind_text(&query, mg_slice_of_text(access_key));
    if ((found = store_next(&query))) {
        read_row(&query, out);
        take(&query, out->secret, sizeof(out->secret));
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "there is no such access key") : status;
}

enum mg_status naver_key_delete(struct store_tx *tx, const char *access_key, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM naver_key WHERE access_key = ?");
    store_bind_text(&statement, mg_slice_of_text(access_key));
    enum mg_status status = store_run(&statement, error);
    return status == MG_OK && store_num_changed(tx) == 0
               ? mg_error_set(error, MG_NOT_FOUND, "there is no such access key")
               : status;
}

enum mg_status naver_key_each(struct store_tx *tx, naver_key_visitor *visit, void *arg, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT access_key, role, created_us FROM naver_key ORDER BY created_us, access_key");
    while (store_next(&query)) {
        struct naver_key key = {.role = HTTP_ROLE_ANONYMOUS};
        read_row(&query, &key);
        visit(arg, &key);
    }
    return store_finish(&query, error);
}

static enum mg_status forget_old(struct store_tx *tx, int64_t now_ms, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM naver_signature WHERE until_ms < ?");
    store_bind_int(&statement, now_ms);
    return store_run(&statement, error);
}

enum mg_status naver_signature_use_up(struct store_tx *tx, const uint8_t mac[NAVER_MAC_LEN], int64_t timestamp_ms,
                                      int64_t now_ms, struct mg_error *error)
{
    struct store_statement statement;
    enum mg_status status = forget_old(tx, now_ms, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx, "INSERT INTO naver_signature (mac, until_ms) VALUES (?, ?)");
    store_bind_blob(&statement, mg_slice_of(mac, NAVER_MAC_LEN));
    store_bind_int(&statement, timestamp_ms + NAVER_WINDOW_MS);
    return store_run(&statement, error);
}
