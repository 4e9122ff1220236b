/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/database_copy.h"
#include "control/admin/routes.h"
#include "control/audit.h"

/* record comes before the copy: so that the copy has it, and none is made without it. */
static enum mg_status record(const struct administration_call *call, struct mg_error *error)
{
    const struct audit_entry entry = {
        .time_us = call->now_us,
        .actor = call->actor,
        .operation = "backup",
        .object = "",
        .outcome = AUDIT_DONE,
        .detail = "{}",
    };
    struct store_tx *tx;
    enum mg_status status = store_begin(call->store, STORE_WRITE, &tx, error);
    return status == MG_OK ? store_end(tx, audit_append(tx, &entry, error), error) : status;
}

void handle_backup(void *arg, struct http_request *request, struct http_response *response)
{
    const struct administration_api *api = arg;
    const struct administration_call call = routes_call(api, request);
    char path[PATH_MAX];
    struct mg_error error;
    if (!request->caller.is_local) {
        http_fail(request, response, HTTP_PROBLEM_FORBIDDEN, NULL, "A backup is made on the machine itself.");
        return;
    }
    enum mg_status status = record(&call, &error);
    if (status == MG_OK) {
        status = database_copy_make(api->store, api->database, path, &error);
    }
    json_t *json = status == MG_OK ? json_pack("{s:s}", "database", path) : NULL;
    routes_answer(request, response, status, json, &error);
}
