/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use the CCADB API: users of the control plane that act for a CA owner, OAuth 2.0 clients (what Salesforce
 * calls a connected app), and what a person has allowed a client: a code, used once, that gives a refresh token and
 * access tokens (contracts.md section 2.1). In the database, all that lets anybody in as SHA-256: each is a random text
 * of 256 bits. A grant ends with its user's right, password, role or state, with its client, and when its code is used
 * twice.
 *
 * Within a transaction; what is told (|out|) the caller wipes. Failures: MG_INVALID, MG_NOT_FOUND, MG_EXISTS, and ours
 * (control/store.h). Times are microseconds since 1970.
 */
#ifndef MINTGATE_CONTROL_CCADB_GRANTS_H
#define MINTGATE_CONTROL_CCADB_GRANTS_H

#include <jansson.h>

#include "control/ccadb/records.h"
#include "control/http/credentials.h"

#define GRANTS_SECRET_SIZE 65 /* hexadecimal and a NUL */
#define GRANTS_MAX_URI 512
#define GRANTS_CODE_SECONDS 600
#define GRANTS_ACCESS_SECONDS 3600
/* Of one user, and of access tokens of one grant: the oldest goes for a new one. */
#define GRANTS_PER_USER 32
#define GRANTS_ACCESS_PER_GRANT 64

/* ---- users ---- */

struct grants_user {
    char name[HTTP_MAX_NAME];
    struct records_owner owner;
    bool may_revoke; /* may take an intermediate of the appliance out of use */
};

/* grants_user_put lets |name|, a user of the control plane, act for |owner|, and changes what it may. */
MG_MUST_USE enum mg_status grants_user_put(struct store_tx *tx, const char *name, const char *owner, bool may_revoke,
                                           struct mg_error *error);
MG_MUST_USE enum mg_status grants_user_get(struct store_tx *tx, const char *name, struct grants_user *out,
                                           struct mg_error *error);
MG_MUST_USE enum mg_status grants_user_delete(struct store_tx *tx, const char *name, struct mg_error *error);
/* grants_users_json appends {"name", "owner", "mayRevoke"} for each to |out|. */
MG_MUST_USE enum mg_status grants_users_json(struct store_tx *tx, json_t *out, struct mg_error *error);

/* ---- clients ---- */

struct grants_client {
    char id[GRANTS_SECRET_SIZE];
    char name[TEXT_SIZE(RECORDS_MAX_NAME)];
    char redirect_uri[GRANTS_MAX_URI + 1];
};

/* grants_client_add makes a client with a random id and |secret|. |redirect_uri| is an https address without a
 * fragment (RFC 6749 section 3.1.2), or http on this machine: "localhost", "127.0.0.1" or "[::1]". */
MG_MUST_USE enum mg_status grants_client_add(struct store_tx *tx, const char *name, const char *redirect_uri,
                                             struct grants_client *out, char secret[GRANTS_SECRET_SIZE],
                                             struct mg_error *error);
MG_MUST_USE enum mg_status grants_client_get(struct store_tx *tx, const char *id, struct grants_client *out,
                                             struct mg_error *error);
/* grants_client_check tells whether |secret| is the client's: MG_NOT_FOUND, MG_DENIED. */
MG_MUST_USE enum mg_status grants_client_check(struct store_tx *tx, const char *id, const char *secret,
                                               struct mg_error *error);
MG_MUST_USE enum mg_status grants_client_delete(struct store_tx *tx, const char *id, struct mg_error *error);
/* grants_clients_json appends {"id", "name", "redirectUri"} for each to |out|. */
MG_MUST_USE enum mg_status grants_clients_json(struct store_tx *tx, json_t *out, struct mg_error *error);

/* ---- what a person allows a client ---- */

/* grants_allow makes a code by which |client| acts for |user|. MG_DENIED: the user has no right to the API. */
MG_MUST_USE enum mg_status grants_allow(struct store_tx *tx, const struct grants_client *client, const char *user,
                                        int64_t now_us, char code[GRANTS_SECRET_SIZE], struct mg_error *error);

enum grants_outcome {
    GRANTS_DONE,
    GRANTS_UNKNOWN,  /* no such code or token of this client, or its user has no right any more */
    GRANTS_EXPIRED,  /* the code is too old */
    GRANTS_REPLAYED, /* the code was used before: what it gave counts no more. To be committed */
    GRANTS_ELSEWHERE /* the code was given to another redirect_uri */
};

struct grants_tokens {
    int64_t grant_id;
    char access[GRANTS_SECRET_SIZE], refresh[GRANTS_SECRET_SIZE]; /* |refresh|: of a code alone */
};

/* grants_redeem takes a code, grants_refresh a refresh token. */
MG_MUST_USE enum mg_status grants_redeem(struct store_tx *tx, const char *client, const char *code,
                                         const char *redirect_uri, int64_t now_us, enum grants_outcome *outcome,
                                         struct grants_tokens *out, struct mg_error *error);
MG_MUST_USE enum mg_status grants_refresh(struct store_tx *tx, const char *client, const char *refresh, int64_t now_us,
                                          enum grants_outcome *outcome, struct grants_tokens *out,
                                          struct mg_error *error);

/* grants_identify tells whose access token |token| is: MG_DENIED, nobody's, or it counts no more. */
MG_MUST_USE enum mg_status grants_identify(struct store_tx *tx, struct mg_slice token, int64_t now_us,
                                           struct grants_user *out, struct mg_error *error);

#endif
