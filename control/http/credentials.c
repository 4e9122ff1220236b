/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/credentials.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/secret.h"
#include "control/http/sql.h"
#include "ossl/openssl_error.h"

#define MAX_PUBLIC_KEY 16384
#define HASH_LEN 32
#define MIN_RSA_BITS 2048
#define MAX_RSA_BITS 8192

const char *const credentials_migrations[CREDENTIALS_NUM_MIGRATIONS] = {
    "CREATE TABLE credential_users ("
    "  name TEXT PRIMARY KEY NOT NULL,"
    "  role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3)," /* enum http_role */
    "  password TEXT,"                                      /* scrypt record; NULL: nobody can log in */
    "  one_time INTEGER NOT NULL DEFAULT 0,"
    "  disabled INTEGER NOT NULL DEFAULT 0,"
    "  stamp INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE credential_api_keys ("
    "  name TEXT PRIMARY KEY NOT NULL,"
    "  seed TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE credential_clients ("
    "  id TEXT PRIMARY KEY NOT NULL,"
    "  role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),"
    "  secret_sha256 BLOB,"
    "  public_key TEXT," /* PEM */
    "  disabled INTEGER NOT NULL DEFAULT 0,"
    "  stamp INTEGER NOT NULL,"
    "  CHECK ((secret_sha256 IS NULL) <> (public_key IS NULL))"
    ") STRICT, WITHOUT ROWID;",
    /* Clients that were there before counted in all families, and go on doing so. */
    "ALTER TABLE credential_clients ADD COLUMN reach INTEGER NOT NULL DEFAULT 15 CHECK (reach BETWEEN 1 AND 15);",
};

/* ---- what all of them share ---- */

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@+-"

static enum mg_status check_name(const char *name, struct mg_error *error)
{
    size_t len = strlen(name);
    if (len == 0 || len >= HTTP_MAX_NAME || strspn(name, NAME_CHARACTERS) != len) {
        return mg_error_set(error, MG_INVALID, "name: must have 1 to %d of the characters A-Z a-z 0-9 . _ @ + -",
                            HTTP_MAX_NAME - 1);
    }
    return MG_OK;
}

static enum mg_status check_role(enum http_role role, struct mg_error *error)
{
    if (role < HTTP_ROLE_AUDITOR || role > HTTP_ROLE_ADMIN) {
        return mg_error_set(error, MG_INVALID, "role: must be admin, operator or auditor");
    }
    return MG_OK;
}

static enum mg_status check_name_and_role(const char *name, enum http_role role, struct mg_error *error)
{
    enum mg_status status = check_name(name, error);
    return status == MG_OK ? check_role(role, error) : status;
}

static enum mg_status make_stamp(int64_t *out, struct mg_error *error)
{
    return RAND_bytes((unsigned char *)out, sizeof(*out)) == 1 ? MG_OK : openssl_error_set(error, "no random bytes");
}

static enum mg_status make_hex(size_t num_bytes, char *out, struct mg_error *error)
{
    uint8_t bytes[HASH_LEN];
    if (RAND_bytes(bytes, (int)num_bytes) != 1) {
        return openssl_error_set(error, "no random bytes");
    }
    for (size_t i = 0; i < num_bytes; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
    mg_secret_wipe(bytes, sizeof(bytes));
    return MG_OK;
}

/* name_failure says what was not found or exists already, instead of the database's words. */
static enum mg_status name_failure(enum mg_status status, const char *what, const char *name, struct mg_error *error)
{
    if (status == MG_NOT_FOUND) {
        return mg_error_set(error, status, "%s %s: there is none", what, name);
    }
    return status == MG_EXISTS ? mg_error_set(error, status, "%s %s: exists already", what, name) : status;
}

/* ---- users ---- */

static enum mg_status insert_user(sqlite3 *db, const char *name, enum http_role role, struct mg_slice password,
                                  bool is_one_time, struct mg_error *error)
{
    char record[PASSWORD_RECORD_LEN];
    int64_t stamp;
    enum mg_status status = check_name_and_role(name, role, error);
    if (status == MG_OK) {
        status = password_hash(password, record, error);
    }
    if (status == MG_OK) {
        status = make_stamp(&stamp, error);
    }
    if (status == MG_OK) {
        status = sql_change(db, error,
                            "INSERT INTO credential_users (name, role, password, one_time, stamp)"
                            " VALUES (?, ?, ?, ?, ?) RETURNING 1",
                            "titii", name, (int64_t)role, record, (int64_t)is_one_time, stamp);
    }
    mg_secret_wipe(record, sizeof(record));
    return name_failure(status, "user", name, error);
}

enum mg_status credentials_user_create(sqlite3 *db, const char *name, enum http_role role, struct mg_slice password,
                                       struct mg_error *error)
{
    return insert_user(db, name, role, password, false, error);
}

enum mg_status credentials_user_set_password(sqlite3 *db, const char *name, struct mg_slice password,
                                             struct mg_error *error)
{
    char record[PASSWORD_RECORD_LEN];
    int64_t stamp;
    enum mg_status status = password_hash(password, record, error);
    if (status == MG_OK) {
        status = make_stamp(&stamp, error);
    }
    if (status == MG_OK) {
        status = sql_change(db, error,
                            "UPDATE credential_users SET password = ?, one_time = 0, stamp = ? WHERE name = ?"
                            " RETURNING 1",
                            "tit", record, stamp, name);
    }
    mg_secret_wipe(record, sizeof(record));
    return name_failure(status, "user", name, error);
}

/* set_number changes one column, and the stamp with it. */
static enum mg_status set_number(sqlite3 *db, const char *sql, const char *what, const char *name, int64_t value,
                                 struct mg_error *error)
{
    int64_t stamp;
    enum mg_status status = make_stamp(&stamp, error);
    if (status == MG_OK) {
        status = sql_change(db, error, sql, "iit", value, stamp, name);
    }
    return name_failure(status, what, name, error);
}

enum mg_status credentials_user_set_role(sqlite3 *db, const char *name, enum http_role role, struct mg_error *error)
{
    enum mg_status status = check_role(role, error);
    return status == MG_OK
               ? set_number(db, "UPDATE credential_users SET role = ?, stamp = ? WHERE name = ? RETURNING 1", "user",
                            name, (int64_t)role, error)
               : status;
}

enum mg_status credentials_user_set_disabled(sqlite3 *db, const char *name, bool is_disabled, struct mg_error *error)
{
    return set_number(db, "UPDATE credential_users SET disabled = ?, stamp = ? WHERE name = ? RETURNING 1", "user",
                      name, is_disabled, error);
}

enum mg_status credentials_user_delete(sqlite3 *db, const char *name, struct mg_error *error)
{
    enum mg_status status = sql_change(db, error, "DELETE FROM credential_users WHERE name = ? RETURNING 1", "t", name);
    return name_failure(status, "user", name, error);
}

#define USER_COLUMNS "name, role, disabled, one_time, password IS NOT NULL, stamp, password"
enum { USER_NAME, USER_ROLE, USER_DISABLED, USER_ONE_TIME, USER_HAS_PASSWORD, USER_STAMP, USER_PASSWORD };

static void read_user(sqlite3_stmt *row, struct credentials_user *out)
{
    sql_copy_text(row, USER_NAME, out->name, sizeof(out->name));
    out->role = (enum http_role)sqlite3_column_int(row, USER_ROLE);
    out->is_disabled = sqlite3_column_int(row, USER_DISABLED) != 0;
    out->is_one_time = sqlite3_column_int(row, USER_ONE_TIME) != 0;
    out->has_password = sqlite3_column_int(row, USER_HAS_PASSWORD) != 0;
    out->stamp = sqlite3_column_int64(row, USER_STAMP);
}

enum mg_status credentials_user_get(sqlite3 *db, const char *name, struct credentials_user *out,
                                    char record[PASSWORD_RECORD_LEN], struct mg_error *error)
{
    sqlite3_stmt *row;
    enum mg_status status =
        sql_begin(db, &row, error, "SELECT " USER_COLUMNS " FROM credential_users WHERE name = ?", "t", name);
    if (status != MG_OK) {
        return status;
    }
    status = sql_step(db, row, error);
    if (status == MG_OK) {
        read_user(row, out);
        if (record != NULL) {
            sql_copy_text(row, USER_PASSWORD, record, PASSWORD_RECORD_LEN);
        }
    }
    sqlite3_finalize(row);
    return name_failure(status, "user", name, error);
}

enum mg_status credentials_user_each(sqlite3 *db, void (*visit)(void *arg, const struct credentials_user *user),
                                     void *arg, struct mg_error *error)
{
    sqlite3_stmt *row;
    struct credentials_user user;
    enum mg_status status =
        sql_begin(db, &row, error, "SELECT " USER_COLUMNS " FROM credential_users ORDER BY name", "");
    if (status != MG_OK) {
        return status;
    }
    while ((status = sql_step(db, row, error)) == MG_OK) {
        read_user(row, &user);
        visit(arg, &user);
    }
    sqlite3_finalize(row);
    return status == MG_NOT_FOUND ? MG_OK : status;
}

enum mg_status credentials_count_admins(sqlite3 *db, int64_t *num_enabled, int64_t *num_with_password,
                                        struct mg_error *error)
{
    sqlite3_stmt *row;
    enum mg_status status = sql_begin(
        db, &row, error, "SELECT count(*), count(password) FROM credential_users WHERE role = ? AND disabled = 0", "i",
        (int64_t)HTTP_ROLE_ADMIN);
    if (status != MG_OK) {
        return status;
    }
    status = sql_step(db, row, error);
    if (status == MG_OK) {
        *num_enabled = sqlite3_column_int64(row, 0);
        *num_with_password = sqlite3_column_int64(row, 1);
    }
    sqlite3_finalize(row);
    return status;
}

/* ---- the first credential ---- */

#define FIRST_PASSWORD_BYTES 16

static enum mg_status has_users(sqlite3 *db, bool *out, struct mg_error *error)
{
    sqlite3_stmt *row;
    enum mg_status status = sql_begin(db, &row, error, "SELECT 1 FROM credential_users LIMIT 1", "");
    if (status != MG_OK) {
        return status;
    }
    status = sql_step(db, row, error);
    sqlite3_finalize(row);
    *out = status == MG_OK;
    return status == MG_NOT_FOUND ? MG_OK : status;
}

/* The file is written first: a crash in between leaves a file that the next start replaces, never a user whom nobody
 * knows the password of. */
static enum mg_status make_first_user(sqlite3 *db, const char *path, const char *password, struct mg_error *error)
{
    char text[128];
    mg_file_remove_unfinished(path);
    int len = snprintf(text, sizeof(text), "user: %s\npassword: %s\n", CREDENTIALS_FIRST_USER, password);
    enum mg_status status = mg_file_write_atomic(path, mg_slice_of(text, (size_t)len), 0600, error);
    mg_secret_wipe(text, sizeof(text));
    if (status == MG_OK) {
        status = insert_user(db, CREDENTIALS_FIRST_USER, HTTP_ROLE_ADMIN, mg_slice_of_text(password), true, error);
    }
    return status;
}

enum mg_status credentials_first_start(sqlite3 *db, const char *path, struct mg_error *error)
{
    char password[2 * FIRST_PASSWORD_BYTES + 1];
    bool exist = false;
    enum mg_status status = has_users(db, &exist, error);
    if (status == MG_OK && exist) {
        return mg_error_set(error, MG_EXISTS, "there are users already");
    }
    if (status == MG_OK) {
        status = make_hex(FIRST_PASSWORD_BYTES, password, error);
    }
    if (status == MG_OK) {
        status = make_first_user(db, path, password, error);
        mg_secret_wipe(password, sizeof(password));
    }
    return status;
}

enum mg_status credentials_use_up(sqlite3 *db, const char *name, struct mg_error *error)
{
    return sql_change(db, error,
                      "UPDATE credential_users SET password = NULL, one_time = 0 WHERE name = ? AND one_time = 1"
                      " RETURNING 1",
                      "t", name);
}

/* ---- API keys ---- */

#define KEY_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* make_key draws API_KEY_MIN characters, each of the 62 as likely as any other. */
static enum mg_status make_key(char out[API_KEY_MAX + 1], struct mg_error *error)
{
    const size_t num_characters = sizeof(KEY_CHARACTERS) - 1;
    for (size_t len = 0; len < API_KEY_MIN;) {
        uint8_t random;
        if (RAND_bytes(&random, 1) != 1) {
            return openssl_error_set(error, "no random bytes");
        }
        if (random < 256 / num_characters * num_characters) {
            out[len++] = KEY_CHARACTERS[random % num_characters];
        }
    }
    out[API_KEY_MIN] = '\0';
    return MG_OK;
}

static enum mg_status take_key(const char *key, char out[API_KEY_MAX + 1], struct mg_error *error)
{
    size_t len = strlen(key);
    if (len < API_KEY_MIN || len > API_KEY_MAX || strspn(key, KEY_CHARACTERS) != len) {
        return mg_error_set(error, MG_INVALID, "key: must have %d to %d letters and digits", API_KEY_MIN, API_KEY_MAX);
    }
    snprintf(out, API_KEY_MAX + 1, "%s", key);
    return MG_OK;
}

static enum mg_status insert_key(sqlite3 *db, const char *name, const char *key, struct mg_error *error)
{
    enum mg_status status = sql_change(db, error,
                                       "INSERT INTO credential_api_keys (name, seed) SELECT ?1, ?2"
                                       " WHERE (SELECT count(*) FROM credential_api_keys) < ?3 RETURNING 1",
                                       "tti", name, key, (int64_t)CREDENTIALS_MAX_API_KEYS);
    if (status == MG_NOT_FOUND) {
        return mg_error_set(error, MG_LIMIT, "more than %d API keys", CREDENTIALS_MAX_API_KEYS);
    }
    return name_failure(status, "API key", name, error);
}

enum mg_status credentials_api_key_create(sqlite3 *db, const char *name, const char *key, char out[API_KEY_MAX + 1],
                                          struct mg_error *error)
{
    enum mg_status status = check_name(name, error);
    if (status == MG_OK) {
        status = key == NULL ? make_key(out, error) : take_key(key, out, error);
    }
    return status == MG_OK ? insert_key(db, name, out, error) : status;
}

enum mg_status credentials_api_key_delete(sqlite3 *db, const char *name, struct mg_error *error)
{
    enum mg_status status =
        sql_change(db, error, "DELETE FROM credential_api_keys WHERE name = ? RETURNING 1", "t", name);
    return name_failure(status, "API key", name, error);
}

enum mg_status credentials_api_key_each(sqlite3 *db, void (*visit)(void *arg, const char *name), void *arg,
                                        struct mg_error *error)
{
    sqlite3_stmt *row;
    char name[HTTP_MAX_NAME];
    enum mg_status status = sql_begin(db, &row, error, "SELECT name FROM credential_api_keys ORDER BY name", "");
    if (status != MG_OK) {
        return status;
    }
    while ((status = sql_step(db, row, error)) == MG_OK) {
        sql_copy_text(row, 0, name, sizeof(name));
        visit(arg, name);
    }
    sqlite3_finalize(row);
    return status == MG_NOT_FOUND ? MG_OK : status;
}

enum mg_status credentials_api_key_match(sqlite3 *db, int64_t timestamp_ms, struct mg_slice obfuscated, bool *out,
                                         struct mg_error *error)
{
    sqlite3_stmt *row;
    char seed[API_KEY_MAX + 1];
    enum mg_status status = sql_begin(db, &row, error, "SELECT seed FROM credential_api_keys", "");
    if (status != MG_OK) {
        return status;
    }
    *out = false;
    while ((status = sql_step(db, row, error)) == MG_OK) {
        sql_copy_text(row, 0, seed, sizeof(seed));
        *out |= obfuscated_key_matches(seed, timestamp_ms, obfuscated);
    }
    sqlite3_finalize(row);
    mg_secret_wipe(seed, sizeof(seed));
    return status == MG_NOT_FOUND ? MG_OK : status;
}

/* ---- OAuth2 clients ---- */

static bool hash_secret(struct mg_slice secret, uint8_t out[HASH_LEN])
{
    return EVP_Digest(secret.data, secret.len, out, NULL, EVP_sha256(), NULL) == 1;
}

static enum mg_status check_client(const char *id, enum http_role role, unsigned reach, struct mg_error *error)
{
    enum mg_status status = check_name_and_role(id, role, error);
    return status != MG_OK || reach_is_valid(reach)
               ? status
               : mg_error_set(error, MG_INVALID, "families: a client must count in at least one");
}

enum mg_status credentials_client_create(sqlite3 *db, const char *id, enum http_role role, unsigned reach,
                                         char out[CLIENT_SECRET_LEN], struct mg_error *error)
{
    uint8_t hash[HASH_LEN];
    int64_t stamp;
    enum mg_status status = check_client(id, role, reach, error);
    if (status == MG_OK) {
        status = make_hex(HASH_LEN, out, error);
    }
    if (status == MG_OK && !hash_secret(mg_slice_of_text(out), hash)) {
        status = openssl_error_set(error, "cannot hash a secret");
    }
    if (status == MG_OK) {
        status = make_stamp(&stamp, error);
    }
    if (status == MG_OK) {
        status = sql_change(db, error,
                            "INSERT INTO credential_clients (id, role, reach, secret_sha256, stamp)"
                            " VALUES (?, ?, ?, ?, ?) RETURNING 1",
                            "tiibi", id, (int64_t)role, (int64_t)reach, mg_slice_of(hash, sizeof(hash)), stamp);
    }
    return name_failure(status, "client", id, error);
}

static EVP_PKEY *parse_public_key(struct mg_slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[32];
    size_t len;
    return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
           strcmp(group, SN_X9_62_prime256v1) == 0;
}

static enum mg_status check_public_key(const EVP_PKEY *key, struct mg_error *error)
{
    int bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);
    bool is_rsa = key != NULL && EVP_PKEY_is_a(key, "RSA") == 1 && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS;
    if (!is_rsa && (key == NULL || !is_p256(key))) {
        return mg_error_set(error, MG_INVALID, "public key: must be a PEM of RSA with %d to %d bits or of EC P-256",
                            MIN_RSA_BITS, MAX_RSA_BITS);
    }
    return MG_OK;
}

/* insert_client_key writes the key as OpenSSL writes it, so that what is read later is what was checked. */
static enum mg_status insert_client_key(sqlite3 *db, const char *id, enum http_role role, unsigned reach, EVP_PKEY *key,
                                        struct mg_error *error)
{
    char *pem = NULL;
    int64_t stamp;
    BIO *bio = BIO_new(BIO_s_mem());
    enum mg_status status = make_stamp(&stamp, error);
    if (status == MG_OK && (bio == NULL || PEM_write_bio_PUBKEY(bio, key) != 1 || BIO_write(bio, "", 1) != 1)) {
        status = openssl_error_set(error, "cannot encode a public key");
    }
    if (status == MG_OK) {
        (void)BIO_get_mem_data(bio, &pem);
        status = sql_change(db, error,
                            "INSERT INTO credential_clients (id, role, reach, public_key, stamp)"
                            " VALUES (?, ?, ?, ?, ?) RETURNING 1",
                            "tiiti", id, (int64_t)role, (int64_t)reach, pem, stamp);
    }
    BIO_free(bio);
    return name_failure(status, "client", id, error);
}

enum mg_status credentials_client_create_with_key(sqlite3 *db, const char *id, enum http_role role, unsigned reach,
                                                  struct mg_slice public_key, struct mg_error *error)
{
    enum mg_status status = check_client(id, role, reach, error);
    if (status == MG_OK && public_key.len > MAX_PUBLIC_KEY) {
        status = mg_error_set(error, MG_INVALID, "public key: has more than %d bytes", MAX_PUBLIC_KEY);
    }
    if (status != MG_OK) {
        return status;
    }
    EVP_PKEY *key = parse_public_key(public_key);
    status = check_public_key(key, error);
    if (status == MG_OK) {
        status = insert_client_key(db, id, role, reach, key, error);
    }
    EVP_PKEY_free(key);
    return status;
}

enum mg_status credentials_client_set_disabled(sqlite3 *db, const char *id, bool is_disabled, struct mg_error *error)
{
    return set_number(db, "UPDATE credential_clients SET disabled = ?, stamp = ? WHERE id = ? RETURNING 1", "client",
                      id, is_disabled, error);
}

enum mg_status credentials_client_delete(sqlite3 *db, const char *id, struct mg_error *error)
{
    enum mg_status status = sql_change(db, error, "DELETE FROM credential_clients WHERE id = ? RETURNING 1", "t", id);
    return name_failure(status, "client", id, error);
}

#define CLIENT_COLUMNS "id, role, disabled, public_key IS NOT NULL, reach, stamp, secret_sha256, public_key"
enum { CLIENT_ID, CLIENT_ROLE, CLIENT_DISABLED, CLIENT_HAS_KEY, CLIENT_REACH, CLIENT_STAMP, CLIENT_SECRET, CLIENT_KEY };

static void read_client(sqlite3_stmt *row, struct credentials_client *out)
{
    sql_copy_text(row, CLIENT_ID, out->id, sizeof(out->id));
    out->role = (enum http_role)sqlite3_column_int(row, CLIENT_ROLE);
    out->is_disabled = sqlite3_column_int(row, CLIENT_DISABLED) != 0;
    out->has_key = sqlite3_column_int(row, CLIENT_HAS_KEY) != 0;
    out->reach = (unsigned)sqlite3_column_int(row, CLIENT_REACH);
    out->stamp = sqlite3_column_int64(row, CLIENT_STAMP);
}

/* begin_client finds the row of |id|; on success the caller ends |*row|. */
static enum mg_status begin_client(sqlite3 *db, const char *id, sqlite3_stmt **row, struct credentials_client *out,
                                   struct mg_error *error)
{
    enum mg_status status =
        sql_begin(db, row, error, "SELECT " CLIENT_COLUMNS " FROM credential_clients WHERE id = ?", "t", id);
    if (status != MG_OK) {
        return status;
    }
    status = sql_step(db, *row, error);
    if (status != MG_OK) {
        sqlite3_finalize(*row);
        return name_failure(status, "client", id, error);
    }
    read_client(*row, out);
    return MG_OK;
}

enum mg_status credentials_client_get(sqlite3 *db, const char *id, struct credentials_client *out,
                                      struct mg_error *error)
{
    sqlite3_stmt *row;
    enum mg_status status = begin_client(db, id, &row, out, error);
    if (status == MG_OK) {
        sqlite3_finalize(row);
    }
    return status;
}

enum mg_status credentials_client_each(sqlite3 *db, void (*visit)(void *arg, const struct credentials_client *client),
                                       void *arg, struct mg_error *error)
{
    sqlite3_stmt *row;
    struct credentials_client client;
    enum mg_status status =
        sql_begin(db, &row, error, "SELECT " CLIENT_COLUMNS " FROM credential_clients ORDER BY id", "");
    if (status != MG_OK) {
        return status;
    }
    while ((status = sql_step(db, row, error)) == MG_OK) {
        read_client(row, &client);
        visit(arg, &client);
    }
    sqlite3_finalize(row);
    return status == MG_NOT_FOUND ? MG_OK : status;
}

enum mg_status credentials_client_check_secret(sqlite3 *db, const char *id, struct mg_slice secret,
                                               struct credentials_client *out, struct mg_error *error)
{
    sqlite3_stmt *row;
    uint8_t hash[HASH_LEN];
    enum mg_status status = begin_client(db, id, &row, out, error);
    if (status != MG_OK) {
        return status;
    }
    const void *stored = sqlite3_column_blob(row, CLIENT_SECRET);
    bool same = sqlite3_column_bytes(row, CLIENT_SECRET) == HASH_LEN && hash_secret(secret, hash) &&
                CRYPTO_memcmp(stored, hash, HASH_LEN) == 0;
    sqlite3_finalize(row);
    return same ? MG_OK : mg_error_set(error, MG_DENIED, "the secret is not the client's");
}

enum mg_status credentials_client_get1_key(sqlite3 *db, const char *id, struct credentials_client *out, EVP_PKEY **key,
                                           struct mg_error *error)
{
    sqlite3_stmt *row;
    enum mg_status status = begin_client(db, id, &row, out, error);
    if (status != MG_OK) {
        return status;
    }
    const unsigned char *pem = sqlite3_column_text(row, CLIENT_KEY);
    *key = pem == NULL ? NULL : parse_public_key(mg_slice_of_text((const char *)pem));
    sqlite3_finalize(row);
    return *key != NULL ? MG_OK : mg_error_set(error, MG_DENIED, "the client has no key");
}
