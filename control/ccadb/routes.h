/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of ccadb.h's tables; the |arg| of each is the struct ccadb. */
#ifndef MINTGATE_CONTROL_CCADB_ROUTES_H
#define MINTGATE_CONTROL_CCADB_ROUTES_H

#include "control/ccadb/ccadb.h"

/* A certificate or two as text, and what the fields' bounds let through. */
#define CCADB_MAX_BODY ((size_t)512 * 1024)
#define CCADB_MAX_FORM ((size_t)16 * 1024)

/* oauth_routes.c */
void ccadb_show_approval(void *arg, struct http_request *request, struct http_response *response);
void ccadb_answer_approval(void *arg, struct http_request *request, struct http_response *response);
void ccadb_landing(void *arg, struct http_request *request, struct http_response *response);
/* token_routes.c */
void ccadb_token(void *arg, struct http_request *request, struct http_response *response);
/* api_routes.c */
void ccadb_record_id(void *arg, struct http_request *request, struct http_response *response);
void ccadb_submit(void *arg, struct http_request *request, struct http_response *response);

/* admin_routes.c */
MG_MUST_USE enum mg_status ccadb_admin_add(struct router *router, struct ccadb *ccadb, struct mg_error *error);

/* ccadb_host writes the host, and port, by which the client reached the server, as far as its Host header can be
 * believed to be one; else "localhost". */
#define CCADB_HOST_SIZE 128
void ccadb_host(const struct http_request *request, char out[CCADB_HOST_SIZE]);

#endif
