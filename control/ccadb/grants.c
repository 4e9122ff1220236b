/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/grants.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "control/ccadb/values.h"
#include "ossl/openssl_error.h"

#define US_PER_SECOND INT64_C(1000000)
#define HASH_LEN SHA256_DIGEST_LENGTH

/* ---- random texts ---- */

static enum mg_status make_secret(char out[GRANTS_SECRET_SIZE], struct mg_error *error)
{
    uint8_t bytes[(GRANTS_SECRET_SIZE - 1) / 2];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return openssl_error_set(error, "no random bytes");
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
    mg_secret_wipe(bytes, sizeof(bytes));
    return MG_OK;
}

static void bind_hash(struct store_statement *statement, struct mg_slice text)
{
    uint8_t hash[HASH_LEN];
    (void)SHA256(text.data, text.len, hash);
    store_bind_blob(statement, mg_slice_of(hash, sizeof(hash)));
}

static void bind_text(struct store_statement *statement, const char *text)
{
    store_bind_text(statement, mg_slice_of_text(text));
}

/* copy_column takes a text that was bounded when it was stored. */
static void copy_column(struct store_statement *query, char *out, size_t size)
{
    struct mg_slice text = store_column_text(query);
    snprintf(out, size, "%.*s", (int)text.len, text.data == NULL ? "" : (const char *)text.data);
}

/* run_one runs a change of one row: MG_NOT_FOUND with |missing| where there was none. */
static enum mg_status run_one(struct store_statement *statement, const char *missing, struct mg_error *error)
{
    struct store_tx *tx = statement->tx;
    enum mg_status status = store_run(statement, error);
    return status == MG_OK && store_num_changed(tx) == 0 ? mg_error_set(error, MG_NOT_FOUND, "%s", missing) : status;
}

/* ---- users ---- */

enum mg_status grants_user_put(struct store_tx *tx, const char *name, const char *owner, bool may_revoke,
                               struct mg_error *error)
{
    struct credentials_user user;
    struct records_owner found;
    struct store_statement statement;
    enum mg_status status = credentials_user_get(store_connection(tx), name, &user, NULL, error);
    if (status == MG_OK) {
        status = records_owner_find(tx, owner, &found, error);
    }
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx,
                  "INSERT INTO ccadb_user (name, owner_id, may_revoke) VALUES (?1, ?2, ?3)"
                  " ON CONFLICT (name) DO UPDATE SET owner_id = ?2, may_revoke = ?3");
    bind_text(&statement, name);
    store_bind_int(&statement, found.id);
    store_bind_int(&statement, may_revoke);
    return store_run(&statement, error);
}

#define USER_COLUMNS                                                                                                   \
    "SELECT u.name, u.may_revoke, u.owner_id, o.name FROM ccadb_user AS u JOIN ccadb_owner AS o ON o.id = u.owner_id "

static void read_user(struct store_statement *query, struct grants_user *out)
{
    copy_column(query, out->name, sizeof(out->name));
    out->may_revoke = store_column_int(query) != 0;
    out->owner.id = store_column_int(query);
    copy_column(query, out->owner.name, sizeof(out->owner.name));
}

enum mg_status grants_user_get(struct store_tx *tx, const char *name, struct grants_user *out, struct mg_error *error)
{
    struct store_statement query;
    *out = (struct grants_user){.may_revoke = false};
    store_prepare(&query, tx, USER_COLUMNS "WHERE u.name = ?");
    bind_text(&query, name);
    bool found = store_next(&query);
    if (found) {
        read_user(&query, out);
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "user: has no right to the CCADB API")
                                     : status;
}

enum mg_status grants_user_delete(struct store_tx *tx, const char *name, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ccadb_user WHERE name = ?");
    bind_text(&statement, name);
    return run_one(&statement, "user: has no right to the CCADB API", error);
}

enum mg_status grants_users_json(struct store_tx *tx, json_t *out, struct mg_error *error)
{
    struct store_statement query;
    bool ok = true;
    store_prepare(&query, tx, USER_COLUMNS "ORDER BY u.name");
    while (ok && store_next(&query)) {
        struct grants_user user;
        read_user(&query, &user);
        ok = json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "name", user.name, "owner", user.owner.name,
                                                  "mayRevoke", user.may_revoke)) == 0;
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !ok ? mg_error_set(error, MG_MEMORY, "no memory for a list") : status;
}

/* ---- clients ---- */

static bool is_on_this_machine(const char *uri)
{
    static const char *const hosts[] = {"http://localhost", "http://127.0.0.1", "http://[::1]"};
    for (size_t i = 0; i < MG_ARRAY_LEN(hosts); i++) {
        size_t len = strlen(hosts[i]);
        if (strncmp(uri, hosts[i], len) == 0 && strchr(":/?", uri[len]) != NULL) {
            return true;
        }
    }
    return false;
}

static enum mg_status check_redirect_uri(const char *uri, struct mg_error *error)
{
    bool is_safe = value_is_https(uri) || (value_is_url(uri) && is_on_this_machine(uri));
    if (!is_safe || strchr(uri, '#') != NULL || strlen(uri) > GRANTS_MAX_URI) {
        return mg_error_set(error, MG_INVALID,
                            "redirectUri: must be an https URL without a fragment, of at most %d characters",
                            GRANTS_MAX_URI);
    }
    return MG_OK;
}

static enum mg_status insert_client(struct store_tx *tx, const struct grants_client *client, const char *secret,
                                    struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO ccadb_client (id, name, redirect_uri, secret_sha256) VALUES (?, ?, ?, ?)");
    bind_text(&statement, client->id);
    bind_text(&statement, client->name);
    bind_text(&statement, client->redirect_uri);
    bind_hash(&statement, mg_slice_of_text(secret));
    enum mg_status status = store_run(&statement, error);
    return status == MG_EXISTS ? mg_error_set(error, status, "name: there is a client of this name") : status;
}

enum mg_status grants_client_add(struct store_tx *tx, const char *name, const char *redirect_uri,
                                 struct grants_client *out, char secret[GRANTS_SECRET_SIZE], struct mg_error *error)
{
    static const struct text_rule name_rule = {"name", 1, RECORDS_MAX_NAME, NULL};
    enum mg_status status = text_set(out->name, mg_slice_of_text(name), &name_rule, error);
    if (status == MG_OK) {
        status = check_redirect_uri(redirect_uri, error);
    }
    if (status == MG_OK) {
        snprintf(out->redirect_uri, sizeof(out->redirect_uri), "%s", redirect_uri);
        status = make_secret(out->id, error);
    }
    if (status == MG_OK) {
        status = make_secret(secret, error);
    }
    return status == MG_OK ? insert_client(tx, out, secret, error) : status;
}

static const char no_client[] = "client: there is no such client";

enum mg_status grants_client_get(struct store_tx *tx, const char *id, struct grants_client *out, struct mg_error *error)
{
    struct store_statement query;
    *out = (struct grants_client){.id = ""};
    store_prepare(&query, tx, "SELECT id, name, redirect_uri FROM ccadb_client WHERE id = ?");
    bind_text(&query, id);
    bool found = store_next(&query);
    if (found) {
        copy_column(&query, out->id, sizeof(out->id));
        copy_column(&query, out->name, sizeof(out->name));
        copy_column(&query, out->redirect_uri, sizeof(out->redirect_uri));
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "%s", no_client) : status;
}

enum mg_status grants_client_check(struct store_tx *tx, const char *id, const char *secret, struct mg_error *error)
{
    struct store_statement query;
    uint8_t hash[HASH_LEN];
    (void)SHA256((const unsigned char *)secret, strlen(secret), hash);
    store_prepare(&query, tx, "SELECT secret_sha256 FROM ccadb_client WHERE id = ?");
    bind_text(&query, id);
    bool found = store_next(&query), same = false;
    if (found) {
        struct mg_slice stored = store_column_blob(&query);
        same = stored.len == HASH_LEN && CRYPTO_memcmp(stored.data, hash, HASH_LEN) == 0;
    }
    enum mg_status status = store_finish(&query, error);
    if (status == MG_OK && !found) {
        return mg_error_set(error, MG_NOT_FOUND, "%s", no_client);
    }
    return status == MG_OK && !same ? mg_error_set(error, MG_DENIED, "the secret is not the client's") : status;
}

enum mg_status grants_client_delete(struct store_tx *tx, const char *id, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ccadb_client WHERE id = ?");
    bind_text(&statement, id);
    return run_one(&statement, no_client, error);
}

enum mg_status grants_clients_json(struct store_tx *tx, json_t *out, struct mg_error *error)
{
    struct store_statement query;
    bool ok = true;
    store_prepare(&query, tx, "SELECT id, name, redirect_uri FROM ccadb_client ORDER BY name");
    while (ok && store_next(&query)) {
        const char *id = (const char *)store_column_text(&query).data;
        const char *name = (const char *)store_column_text(&query).data;
        const char *uri = (const char *)store_column_text(&query).data;
        ok = json_array_append_new(out, json_pack("{s:s, s:s, s:s}", "id", id, "name", name, "redirectUri", uri)) == 0;
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !ok ? mg_error_set(error, MG_MEMORY, "no memory for a list") : status;
}

/* ---- grants ---- */

/* sweep removes what counts no more, and the oldest grants of |user| but for those that there is room for. */
static enum mg_status sweep(struct store_tx *tx, const char *user, int64_t now_us, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ccadb_grant WHERE refresh_sha256 IS NULL AND code_until_us < ?");
    store_bind_int(&statement, now_us);
    enum mg_status status = store_run(&statement, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx,
                  "DELETE FROM ccadb_grant WHERE user = ?1 AND id NOT IN"
                  " (SELECT id FROM ccadb_grant WHERE user = ?1 ORDER BY id DESC LIMIT ?2)");
    bind_text(&statement, user);
    store_bind_int(&statement, GRANTS_PER_USER - 1);
    return store_run(&statement, error);
}

enum mg_status grants_allow(struct store_tx *tx, const struct grants_client *client, const char *user, int64_t now_us,
                            char code[GRANTS_SECRET_SIZE], struct mg_error *error)
{
    struct grants_user granted;
    struct credentials_user known;
    struct store_statement statement;
    enum mg_status status = grants_user_get(tx, user, &granted, error);
    if (status == MG_OK) {
        status = credentials_user_get(store_connection(tx), user, &known, NULL, error);
    }
    if (status == MG_OK) {
        status = sweep(tx, user, now_us, error);
    }
    if (status == MG_OK) {
        status = make_secret(code, error);
    }
    if (status != MG_OK) {
        return status == MG_NOT_FOUND ? MG_DENIED : status;
    }
    store_prepare(&statement, tx,
                  "INSERT INTO ccadb_grant (client_id, user, user_stamp, redirect_uri, code_until_us, code_sha256)"
                  " VALUES (?, ?, ?, ?, ?, ?)");
    bind_text(&statement, client->id);
    bind_text(&statement, user);
    store_bind_int(&statement, known.stamp);
    bind_text(&statement, client->redirect_uri);
    store_bind_int(&statement, now_us + GRANTS_CODE_SECONDS * US_PER_SECOND);
    bind_hash(&statement, mg_slice_of_text(code));
    return store_run(&statement, error);
}

/* A grant, as far as it is looked at. */
struct grant {
    int64_t id, user_stamp, code_until_us;
    char user[HTTP_MAX_NAME];
    char redirect_uri[GRANTS_MAX_URI + 1];
    bool is_used; /* its code */
};

#define GRANT_COLUMNS                                                                                                  \
    "SELECT id, user_stamp, code_until_us, user, redirect_uri, refresh_sha256 IS NOT NULL FROM ccadb_grant "

/* take_grant reads the first row of |query|, which it ends; id 0: there is none. */
static enum mg_status take_grant(struct store_statement *query, struct grant *out, struct mg_error *error)
{
    *out = (struct grant){.id = 0};
    if (store_next(query)) {
        out->id = store_column_int(query);
        out->user_stamp = store_column_int(query);
        out->code_until_us = store_column_int(query);
        copy_column(query, out->user, sizeof(out->user));
        copy_column(query, out->redirect_uri, sizeof(out->redirect_uri));
        out->is_used = store_column_int(query) != 0;
    }
    return store_finish(query, error);
}

/* counts tells whether the grant's user is still who allowed it. */
static bool counts(struct store_tx *tx, const struct grant *grant)
{
    struct credentials_user user;
    return credentials_user_get(store_connection(tx), grant->user, &user, NULL, NULL) == MG_OK && !user.is_disabled &&
           user.stamp == grant->user_stamp;
}

static enum mg_status delete_grant(struct store_tx *tx, int64_t id, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ccadb_grant WHERE id = ?");
    store_bind_int(&statement, id);
    return store_run(&statement, error);
}

/* make_access makes an access token, and forgets those that are too old or too many. */
static enum mg_status make_access(struct store_tx *tx, int64_t grant_id, int64_t now_us, char out[GRANTS_SECRET_SIZE],
                                  struct mg_error *error)
{
    struct store_statement statement;
    enum mg_status status = make_secret(out, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx,
                  "DELETE FROM ccadb_access WHERE until_us <= ?1 OR (grant_id = ?2 AND token_sha256 NOT IN (SELECT"
                  " token_sha256 FROM ccadb_access WHERE grant_id = ?2 ORDER BY until_us DESC LIMIT ?3))");
    store_bind_int(&statement, now_us);
    store_bind_int(&statement, grant_id);
    store_bind_int(&statement, GRANTS_ACCESS_PER_GRANT - 1);
    status = store_run(&statement, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx, "INSERT INTO ccadb_access (grant_id, until_us, token_sha256) VALUES (?, ?, ?)");
    store_bind_int(&statement, grant_id);
    store_bind_int(&statement, now_us + GRANTS_ACCESS_SECONDS * US_PER_SECOND);
    bind_hash(&statement, mg_slice_of_text(out));
    return store_run(&statement, error);
}

/* give_refresh notes that the code of |grant| was used, and makes the refresh token. */
static enum mg_status give_refresh(struct store_tx *tx, int64_t grant_id, char out[GRANTS_SECRET_SIZE],
                                   struct mg_error *error)
{
    struct store_statement statement;
    enum mg_status status = make_secret(out, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx, "UPDATE ccadb_grant SET refresh_sha256 = ? WHERE id = ?");
    bind_hash(&statement, mg_slice_of_text(out));
    store_bind_int(&statement, grant_id);
    return store_run(&statement, error);
}

/* judge tells what comes of a code. */
static enum grants_outcome judge(struct store_tx *tx, const struct grant *grant, const char *redirect_uri,
                                 int64_t now_us)
{
    if (grant->id == 0) {
        return GRANTS_UNKNOWN;
    }
    if (grant->is_used) {
        return GRANTS_REPLAYED;
    }
    if (!counts(tx, grant)) {
        return GRANTS_UNKNOWN;
    }
    if (now_us > grant->code_until_us) {
        return GRANTS_EXPIRED;
    }
    return strcmp(redirect_uri, grant->redirect_uri) == 0 ? GRANTS_DONE : GRANTS_ELSEWHERE;
}

enum mg_status grants_redeem(struct store_tx *tx, const char *client, const char *code, const char *redirect_uri,
                             int64_t now_us, enum grants_outcome *outcome, struct grants_tokens *out,
                             struct mg_error *error)
{
    struct store_statement query;
    struct grant grant;
    *out = (struct grants_tokens){.grant_id = 0};
    store_prepare(&query, tx, GRANT_COLUMNS "WHERE code_sha256 = ? AND client_id = ?");
    bind_hash(&query, mg_slice_of_text(code));
    bind_text(&query, client);
    enum mg_status status = take_grant(&query, &grant, error);
    if (status != MG_OK) {
        return status;
    }
    *outcome = judge(tx, &grant, redirect_uri, now_us);
    if (*outcome == GRANTS_REPLAYED) {
        return delete_grant(tx, grant.id, error);
    }
    if (*outcome != GRANTS_DONE) {
        return MG_OK;
    }
    out->grant_id = grant.id;
    status = give_refresh(tx, grant.id, out->refresh, error);
    return status == MG_OK ? make_access(tx, grant.id, now_us, out->access, error) : status;
}

enum mg_status grants_refresh(struct store_tx *tx, const char *client, const char *refresh, int64_t now_us,
                              enum grants_outcome *outcome, struct grants_tokens *out, struct mg_error *error)
{
    struct store_statement query;
    struct grant grant;
    *out = (struct grants_tokens){.grant_id = 0};
    store_prepare(&query, tx, GRANT_COLUMNS "WHERE refresh_sha256 = ? AND client_id = ?");
    bind_hash(&query, mg_slice_of_text(refresh));
    bind_text(&query, client);
    enum mg_status status = take_grant(&query, &grant, error);
    if (status != MG_OK) {
        return status;
    }
    *outcome = grant.id != 0 && counts(tx, &grant) ? GRANTS_DONE : GRANTS_UNKNOWN;
    out->grant_id = grant.id;
    return *outcome == GRANTS_DONE ? make_access(tx, grant.id, now_us, out->access, error) : MG_OK;
}

enum mg_status grants_identify(struct store_tx *tx, struct mg_slice token, int64_t now_us, struct grants_user *out,
                               struct mg_error *error)
{
    struct store_statement query;
    struct grant grant;
    store_prepare(&query, tx,
                  GRANT_COLUMNS
                  "WHERE id = (SELECT grant_id FROM ccadb_access WHERE token_sha256 = ? AND until_us > ?)");
    bind_hash(&query, token);
    store_bind_int(&query, now_us);
    enum mg_status status = take_grant(&query, &grant, error);
    if (status != MG_OK) {
        return status;
    }
    if (grant.id == 0 || !counts(tx, &grant)) {
        return mg_error_set(error, MG_DENIED, "nobody's token");
    }
    return grants_user_get(tx, grant.user, out, error);
}
