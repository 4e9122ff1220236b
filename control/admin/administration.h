/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may change what: users, API keys and OAuth2 clients (design.md section 7). Each function is one transaction that
 * makes a change and writes its audit record, or changes nothing. Who may call is the routes' business
 * (administration_api.c); what a change ends are the sessions and tokens of whom it concerns, at once (credentials.h).
 *
 * There is always an administrator who can log in: a change that takes the last one's role, password or existence, or
 * disables it, is MG_LIMIT.
 *
 * Any thread. Every function: MG_INVALID, MG_NOT_FOUND, MG_EXISTS, MG_LIMIT, MG_IO; the error names the field and the
 * rule and never holds a secret. Secrets that are told (|out|) are told this once; the caller wipes them.
 */
#ifndef MINTGATE_CONTROL_ADMIN_ADMINISTRATION_H
#define MINTGATE_CONTROL_ADMIN_ADMINISTRATION_H

#include "control/actor.h"
#include "control/http/credentials.h"
#include "control/store.h"

extern const struct store_migrations administration_migrations; /* the tables of credentials.h */

struct administration_call {
    struct store *store; /* with the tables of audit.h and credentials.h */
    struct control_actor actor;
    int64_t now_us; /* since 1970 */
};

MG_MUST_USE enum mg_status administration_user_create(const struct administration_call *call, const char *name,
                                                      enum http_role role, struct mg_slice password,
                                                      struct mg_error *error);

/* What is to change of a user. Zero state: nothing, which is MG_INVALID. */
struct administration_user_change {
    enum http_role role;      /* HTTP_ROLE_ANONYMOUS: stays */
    struct mg_slice password; /* without memory: stays */
    bool enable, disable;
};

MG_MUST_USE enum mg_status administration_user_change(const struct administration_call *call, const char *name,
                                                      const struct administration_user_change *change,
                                                      struct mg_error *error);
MG_MUST_USE enum mg_status administration_user_delete(const struct administration_call *call, const char *name,
                                                      struct mg_error *error);

/* administration_first_start is credentials_first_start with its audit record. MG_EXISTS: there are users.
 * administration_use_up is credentials_use_up likewise. */
MG_MUST_USE enum mg_status administration_first_start(const struct administration_call *call, const char *path,
                                                      struct mg_error *error);
MG_MUST_USE enum mg_status administration_use_up(const struct administration_call *call, const char *name,
                                                 struct mg_error *error);

/* administration_api_key_create and administration_api_key_rotate: a |key| that is NULL is made. */
MG_MUST_USE enum mg_status administration_api_key_create(const struct administration_call *call, const char *name,
                                                         const char *key, char out[API_KEY_MAX + 1],
                                                         struct mg_error *error);
MG_MUST_USE enum mg_status administration_api_key_rotate(const struct administration_call *call, const char *name,
                                                         const char *key, char out[API_KEY_MAX + 1],
                                                         struct mg_error *error);
MG_MUST_USE enum mg_status administration_api_key_delete(const struct administration_call *call, const char *name,
                                                         struct mg_error *error);

/* administration_client_create makes a client that proves itself by |public_key| (PEM), or, where that has no memory,
 * by the secret that |out| tells. administration_client_rotate replaces either by one or the other; role, families
 * and state stay. */
MG_MUST_USE enum mg_status administration_client_create(const struct administration_call *call, const char *id,
                                                        enum http_role role, unsigned reach, struct mg_slice public_key,
                                                        char out[CLIENT_SECRET_LEN], struct mg_error *error);
MG_MUST_USE enum mg_status administration_client_rotate(const struct administration_call *call, const char *id,
                                                        struct mg_slice public_key, char out[CLIENT_SECRET_LEN],
                                                        struct mg_error *error);
MG_MUST_USE enum mg_status administration_client_set_disabled(const struct administration_call *call, const char *id,
                                                              bool is_disabled, struct mg_error *error);
MG_MUST_USE enum mg_status administration_client_delete(const struct administration_call *call, const char *id,
                                                        struct mg_error *error);

#endif
