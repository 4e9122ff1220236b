/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the family sap-edge (sap_api.h) share: edge.c (routes, errors, organizations), edge_stores.c,
 * edge_entries.c (looking at a store's certificates and deleting them) and edge_put.c (uploading them). */
#ifndef MINTGATE_CONTROL_SAP_EDGE_INTERNAL_H
#define MINTGATE_CONTROL_SAP_EDGE_INTERNAL_H

#include <jansson.h>

#include "control/sap/sap_api.h"

/* A certificate's own name is its alias and this. */
#define EDGE_CERT_SUFFIX "-cert"
#define EDGE_ALIAS_SIZE (SAP_NAME_SIZE + sizeof(EDGE_CERT_SUFFIX)) /* or a certificate's name */

/* Where in a path the names are. */
enum { EDGE_PATH_ORG, EDGE_PATH_ENV, EDGE_PATH_STORE, EDGE_PATH_ALIAS };

/* One request while it is answered. */
struct edge_exchange {
    struct sap_call call;
    const struct http_request *request;
    struct http_response *response;
    struct mg_error error;
    char store[SAP_NAME_SIZE], alias[EDGE_ALIAS_SIZE]; /* of the path; "": it has none */
};

/* edge_begin fills |exchange| and reads the names of the path. |api| is the handler's argument, a struct sap_api.
 * MG_NOT_FOUND: what is there cannot be a name. */
MG_MUST_USE enum mg_status edge_begin(struct edge_exchange *exchange, void *api, const struct http_request *request,
                                      struct http_response *response);

/* edge_finish answers for a failure; MG_DENIED is a conflict: what stands in the way is another's reference, or the
 * kind. MG_OK: the answer is there already. */
void edge_finish(struct edge_exchange *exchange, enum mg_status status);

/* edge_cert_name gives a certificate's own name; edge_alias_json what Apigee calls an Alias. NULL: no memory. */
json_t *edge_cert_name(const struct sap_entry *entry);
json_t *edge_alias_json(const struct edge_exchange *exchange, const struct sap_entry *entry);

/* Handlers of routes: of stores, ... */
void edge_list_stores(void *arg, struct http_request *request, struct http_response *response);
void edge_get_store(void *arg, struct http_request *request, struct http_response *response);
void edge_create_store(void *arg, struct http_request *request, struct http_response *response);
void edge_delete_store(void *arg, struct http_request *request, struct http_response *response);
/* ... of their certificates, as aliases and by their own names, ... */
void edge_list_aliases(void *arg, struct http_request *request, struct http_response *response);
void edge_get_alias(void *arg, struct http_request *request, struct http_response *response);
void edge_get_alias_certificate(void *arg, struct http_request *request, struct http_response *response);
void edge_get_alias_csr(void *arg, struct http_request *request, struct http_response *response);
void edge_delete_alias(void *arg, struct http_request *request, struct http_response *response);
void edge_list_certs(void *arg, struct http_request *request, struct http_response *response);
void edge_get_cert(void *arg, struct http_request *request, struct http_response *response);
void edge_export_cert(void *arg, struct http_request *request, struct http_response *response);
void edge_delete_cert(void *arg, struct http_request *request, struct http_response *response);
/* ... and of uploads. */
void edge_create_alias(void *arg, struct http_request *request, struct http_response *response);
void edge_replace_alias(void *arg, struct http_request *request, struct http_response *response);
void edge_upload_cert(void *arg, struct http_request *request, struct http_response *response);
void edge_upload_key(void *arg, struct http_request *request, struct http_response *response);

#endif
