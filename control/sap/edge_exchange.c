/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/edge_internal.h"

/* read_word reads a name of the path. What cannot be a name is not found, as what is none. */
static enum mg_status read_word(struct edge_exchange *exchange, size_t index, char *out, size_t size)
{
    if (exchange->request->num_path_values <= index) {
        return MG_OK;
    }
    if (http_request_word(exchange->request, index, out, size, NULL) != MG_OK) {
        out[0] = '\0';
        return mg_error_set(&exchange->error, MG_NOT_FOUND, "there is no such name");
    }
    return MG_OK;
}

enum mg_status edge_begin(struct edge_exchange *exchange, void *api, const struct http_request *request,
                          struct http_response *response)
{
    *exchange = (struct edge_exchange){.call = sap_api_call(api, request), .request = request, .response = response};
    enum mg_status status = read_word(exchange, EDGE_PATH_STORE, exchange->store, sizeof(exchange->store));
    return status == MG_OK ? read_word(exchange, EDGE_PATH_ALIAS, exchange->alias, sizeof(exchange->alias)) : status;
}

void edge_finish(struct edge_exchange *exchange, enum mg_status status)
{
    if (status == MG_DENIED) {
        http_fail(exchange->request, exchange->response, HTTP_PROBLEM_CONFLICT, NULL, exchange->error.text);
    } else if (status != MG_OK) {
        http_fail_status(exchange->request, exchange->response, status, &exchange->error);
    }
}

json_t *edge_cert_name(const struct sap_entry *entry)
{
    return json_sprintf("%s" EDGE_CERT_SUFFIX, entry->name);
}
