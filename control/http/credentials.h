/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users, API keys and OAuth2 clients in the database: what is stored, and every change of it. Statements alone, without
 * transactions: the caller has the connection to itself while a function runs, and puts a change and its audit record
 * into one transaction.
 *
 * Each user and client has a stamp, a random number that changes with its password, role and state: a session or token
 * made under another stamp no longer counts. Names have 1 to 64 of the characters A-Z a-z 0-9 . _ @ + -.
 *
 * Every function: MG_INVALID, MG_NOT_FOUND, MG_EXISTS, MG_AGAIN when the database is locked, MG_IO.
 */
#ifndef MINTGATE_CONTROL_HTTP_CREDENTIALS_H
#define MINTGATE_CONTROL_HTTP_CREDENTIALS_H

#include <openssl/evp.h>
#include <sqlite3.h>

#include "base/slice.h"
#include "base/status.h"
#include "control/http/identity.h"
#include "control/http/obfuscated_key.h"
#include "control/http/password.h"
#include "control/http/reach.h"

/* The SQL of this module's tables, one step for each version, for the store to run in order, each once. */
#define CREDENTIALS_NUM_MIGRATIONS 2
extern const char *const credentials_migrations[CREDENTIALS_NUM_MIGRATIONS];

struct credentials_user {
    char name[HTTP_MAX_NAME];
    enum http_role role;
    bool is_disabled;
    bool is_one_time; /* the first login uses its password up */
    bool has_password;
    int64_t stamp;
};

MG_MUST_USE enum mg_status credentials_user_create(sqlite3 *db, const char *name, enum http_role role,
                                                   struct mg_slice password, struct mg_error *error);
MG_MUST_USE enum mg_status credentials_user_set_password(sqlite3 *db, const char *name, struct mg_slice password,
                                                         struct mg_error *error);
MG_MUST_USE enum mg_status credentials_user_set_role(sqlite3 *db, const char *name, enum http_role role,
                                                     struct mg_error *error);
MG_MUST_USE enum mg_status credentials_user_set_disabled(sqlite3 *db, const char *name, bool is_disabled,
                                                         struct mg_error *error);
/* credentials_count_admins counts the users with the role admin that are enabled, and those of them with a password. */
MG_MUST_USE enum mg_status credentials_count_admins(sqlite3 *db, int64_t *num_enabled, int64_t *num_with_password,
                                                    struct mg_error *error);
MG_MUST_USE enum mg_status credentials_user_delete(sqlite3 *db, const char *name, struct mg_error *error);

/* credentials_user_get reads a user, and where |record| is not NULL the record of its password (password.h), "" if it
 * has none. */
MG_MUST_USE enum mg_status credentials_user_get(sqlite3 *db, const char *name, struct credentials_user *out,
                                                char record[PASSWORD_RECORD_LEN], struct mg_error *error);
MG_MUST_USE enum mg_status credentials_user_each(sqlite3 *db,
                                                 void (*visit)(void *arg, const struct credentials_user *user),
                                                 void *arg, struct mg_error *error);

#define CREDENTIALS_FIRST_USER "admin"

/* The credential of the first start (design.md section 7): where there is no user, credentials_first_start makes the
 * administrator "admin" with a random password that one login uses up, and writes both to the file |path| (0600).
 * MG_EXISTS: there are users, nothing was done. credentials_use_up takes the password away: MG_NOT_FOUND if the user
 * had none of the kind, or another login was faster. The caller then removes the file. */
MG_MUST_USE enum mg_status credentials_first_start(sqlite3 *db, const char *path, struct mg_error *error);
MG_MUST_USE enum mg_status credentials_use_up(sqlite3 *db, const char *name, struct mg_error *error);

/* API keys of the ZIA family's legacy login: not of one user, as with the vendor. The key itself is stored, since the
 * check needs it (obfuscated_key.h). With |key| NULL one is made, and told by |out|, which the caller wipes; a given
 * one (brought along from the vendor) has API_KEY_MIN to API_KEY_MAX letters and digits. MG_LIMIT:
 * CREDENTIALS_MAX_API_KEYS. */
#define CREDENTIALS_MAX_API_KEYS 64
MG_MUST_USE enum mg_status credentials_api_key_create(sqlite3 *db, const char *name, const char *key,
                                                      char out[API_KEY_MAX + 1], struct mg_error *error);
MG_MUST_USE enum mg_status credentials_api_key_delete(sqlite3 *db, const char *name, struct mg_error *error);
MG_MUST_USE enum mg_status credentials_api_key_each(sqlite3 *db, void (*visit)(void *arg, const char *name), void *arg,
                                                    struct mg_error *error);
/* credentials_api_key_match tells whether any key gives |obfuscated| at |timestamp_ms|. */
MG_MUST_USE enum mg_status credentials_api_key_match(sqlite3 *db, int64_t timestamp_ms, struct mg_slice obfuscated,
                                                     bool *out, struct mg_error *error);

struct credentials_client {
    char id[HTTP_MAX_NAME];
    enum http_role role;
    bool is_disabled;
    bool has_key;   /* proves itself by signed assertions, not by a secret */
    unsigned reach; /* the families in which its tokens count (reach.h) */
    int64_t stamp;
};

#define CLIENT_SECRET_LEN 65 /* 256 random bits in hexadecimal, and a NUL */

/* credentials_client_create makes a client with a random secret, told by |out|, which the caller wipes; stored is its
 * SHA-256, enough for a text that nobody chose. credentials_client_create_with_key takes the PEM of a public key: RSA
 * of 2048 to 8192 bits or EC P-256. */
MG_MUST_USE enum mg_status credentials_client_create(sqlite3 *db, const char *id, enum http_role role, unsigned reach,
                                                     char out[CLIENT_SECRET_LEN], struct mg_error *error);
MG_MUST_USE enum mg_status credentials_client_create_with_key(sqlite3 *db, const char *id, enum http_role role,
                                                              unsigned reach, struct mg_slice public_key,
                                                              struct mg_error *error);
MG_MUST_USE enum mg_status credentials_client_set_disabled(sqlite3 *db, const char *id, bool is_disabled,
                                                           struct mg_error *error);
MG_MUST_USE enum mg_status credentials_client_delete(sqlite3 *db, const char *id, struct mg_error *error);
MG_MUST_USE enum mg_status credentials_client_get(sqlite3 *db, const char *id, struct credentials_client *out,
                                                  struct mg_error *error);
MG_MUST_USE enum mg_status credentials_client_each(sqlite3 *db,
                                                   void (*visit)(void *arg, const struct credentials_client *client),
                                                   void *arg, struct mg_error *error);
/* credentials_client_check_secret: MG_DENIED if |secret| is not the client's. */
MG_MUST_USE enum mg_status credentials_client_check_secret(sqlite3 *db, const char *id, struct mg_slice secret,
                                                           struct credentials_client *out, struct mg_error *error);
/* credentials_client_get1_key reads the public key; the caller frees it. MG_DENIED: the client has none. */
MG_MUST_USE enum mg_status credentials_client_get1_key(sqlite3 *db, const char *id, struct credentials_client *out,
                                                       EVP_PKEY **key, struct mg_error *error);

#endif
