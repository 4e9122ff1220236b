/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of administration_api.h's table, and what they share. */
#ifndef MINTGATE_CONTROL_ADMIN_ROUTES_H
#define MINTGATE_CONTROL_ADMIN_ROUTES_H

#include "control/admin/administration.h"
#include "control/admin/administration_api.h"
#include "control/http/json_body.h"

#define ROUTES_MAX_BODY 32768 /* a public key has at most half of that */

/* routes_call is the change that a request asks for; it borrows from both. */
struct administration_call routes_call(const struct administration_api *api, const struct http_request *request);

/* routes_answer answers with |json|, whose reference it takes over, or with the failure |status|. */
void routes_answer(const struct http_request *request, struct http_response *response, enum mg_status status,
                   json_t *json, const struct mg_error *error);

/* routes_list answers with the array that |each| fills, which calls one of credentials.h's functions for all rows. */
void routes_list(const struct administration_api *api, const struct http_request *request,
                 struct http_response *response,
                 enum mg_status (*each)(struct sqlite3 *db, json_t *list, struct mg_error *error));

/* routes_delete has |remove| delete what the request's path names, and answers 204. */
void routes_delete(const struct administration_api *api, struct http_request *request, struct http_response *response,
                   enum mg_status (*remove)(const struct administration_call *call, const char *name,
                                            struct mg_error *error));

/* session_routes.c */
void handle_login(void *arg, struct http_request *request, struct http_response *response);
void handle_get_session(void *arg, struct http_request *request, struct http_response *response);
void handle_logout(void *arg, struct http_request *request, struct http_response *response);
/* user_routes.c */
void handle_list_users(void *arg, struct http_request *request, struct http_response *response);
void handle_get_user(void *arg, struct http_request *request, struct http_response *response);
void handle_create_user(void *arg, struct http_request *request, struct http_response *response);
void handle_change_user(void *arg, struct http_request *request, struct http_response *response);
void handle_delete_user(void *arg, struct http_request *request, struct http_response *response);
/* key_routes.c */
void handle_list_keys(void *arg, struct http_request *request, struct http_response *response);
void handle_create_key(void *arg, struct http_request *request, struct http_response *response);
void handle_rotate_key(void *arg, struct http_request *request, struct http_response *response);
void handle_delete_key(void *arg, struct http_request *request, struct http_response *response);
/* client_routes.c */
void handle_list_clients(void *arg, struct http_request *request, struct http_response *response);
void handle_create_client(void *arg, struct http_request *request, struct http_response *response);
void handle_rotate_client(void *arg, struct http_request *request, struct http_response *response);
void handle_change_client(void *arg, struct http_request *request, struct http_response *response);
void handle_delete_client(void *arg, struct http_request *request, struct http_response *response);
/* backup_routes.c */
void handle_backup(void *arg, struct http_request *request, struct http_response *response);

#endif
