/* SPDX-License-Identifier: Apache-2.0 */
#include "control/program/mintgate_api.h"

#include <string.h>

#include "control/audit.h"
#include "control/default_issuer.h"
#include "control/http/login_answer.h"
#include "control/program/key_list.h"
#include "control/program/problems.h"
#include "control/service/request_call.h"

#define MAX_AUDIT_PAGE 1000
#define DEFAULT_AUDIT_PAGE 100

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct mintgate_api *api = arg;
    return login_identify(api->authenticator, request, REACH_MINTGATE, out);
}

/* fail_call answers for a step that failed, with the life cycle's word for it. */
static void fail_call(const struct http_request *request, struct http_response *response,
                      const struct lifecycle_call *call, enum mg_status status, const struct mg_error *error)
{
    struct http_problem problem = http_problem_of_status(status, error);
    http_fail(request, response, problem.kind, call->code, problem.message);
}

/* ---- the default ---- */

static void answer_intermediate(struct http_response *response, const struct intermediate *record)
{
    http_response_json(response, 200,
                       json_pack("{s:I, s:s, s:b, s:I}", "id", (json_int_t)record->id, "name", record->name,
                                 "defaultCertificate", record->is_default, "certExpDate",
                                 (json_int_t)record->not_after));
}

/* answer_step answers for a step of the life cycle, and frees |record|. */
static void answer_step(const struct http_request *request, struct http_response *response,
                        const struct lifecycle_call *call, enum mg_status status, struct intermediate *record,
                        const struct mg_error *error)
{
    if (status == MG_OK) {
        answer_intermediate(response, record);
    } else {
        fail_call(request, response, call, status, error);
    }
    intermediate_free(record);
}

static void get_default(void *arg, struct http_request *request, struct http_response *response)
{
    const struct mintgate_api *api = arg;
    struct store_tx *tx;
    struct default_issuer now;
    struct mg_error error;
    enum mg_status status = store_begin(api->lifecycle->store, STORE_READ, &tx, &error);
    if (status == MG_OK) {
        status = store_end(tx, default_issuer_load(tx, &now, &error), &error);
    }
    if (status != MG_OK) {
        http_fail_status(request, response, status, &error);
        return;
    }
    http_response_json(response, 200,
                       json_pack("{s:I, s:I, s:I}", "id", (json_int_t)now.id, "previousId", (json_int_t)now.previous_id,
                                 "epoch", (json_int_t)now.epoch));
}

/* read_force reads ?force=true; false where it is missing. */
static enum mg_status read_force(const struct http_request *request, struct lifecycle_call *call, bool *out,
                                 struct mg_error *error)
{
    const char *force = http_params_get0(&request->query, "force");
    *out = force != NULL && strcmp(force, "true") == 0;
    if (force != NULL && !*out && strcmp(force, "false") != 0) {
        call->code = "INVALID_INPUT_ARGUMENT";
        return mg_error_set(error, MG_INVALID, "force: must be true or false");
    }
    return MG_OK;
}

static void put_default(void *arg, struct http_request *request, struct http_response *response)
{
    const struct mintgate_api *api = arg;
    struct lifecycle_call call = request_call(api->lifecycle, request);
    struct intermediate record = {.id = 0};
    struct mg_error error;
    bool force;
    enum mg_status status = read_force(request, &call, &force, &error);
    if (status == MG_OK) {
        status = service_make_default(api->service, &call, http_request_id(request, 0), force, &record, &error);
    }
    answer_step(request, response, &call, status, &record, &error);
}

static void put_previous(void *arg, struct http_request *request, struct http_response *response)
{
    const struct mintgate_api *api = arg;
    struct lifecycle_call call = request_call(api->lifecycle, request);
    struct intermediate record = {.id = 0};
    struct mg_error error;
    bool force;
    enum mg_status status = read_force(request, &call, &force, &error);
    if (status == MG_OK) {
        status = service_make_previous_default(api->service, &call, force, &record, &error);
    }
    answer_step(request, response, &call, status, &record, &error);
}

static void put_successor(void *arg, struct http_request *request, struct http_response *response)
{
    const struct mintgate_api *api = arg;
    struct lifecycle_call call = request_call(api->lifecycle, request);
    struct intermediate record = {.id = 0};
    struct mg_error error;
    enum mg_status status = service_set_successor(api->service, &call, http_request_id(request, 0),
                                                  http_request_id(request, 1), &record, &error);
    answer_step(request, response, &call, status, &record, &error);
}

/* ---- engines ---- */

static void get_publication(void *arg, struct http_request *request, struct http_response *response)
{
    const struct mintgate_api *api = arg;
    struct engines_progress progress;
    struct engine_status engines[ENGINES_MAX];
    (void)request;
    engines_progress(api->engines, &progress);
    size_t num = engines_list(api->engines, engines, ENGINES_MAX);
    json_t *list = json_array();
    for (size_t i = 0; i < num && i < ENGINES_MAX; i++) {
        (void)json_array_append_new(list, json_pack("{s:i, s:I, s:s}", "pid", (int)engines[i].pid, "epoch",
                                                    (json_int_t)engines[i].epoch, "trouble", engines[i].trouble));
    }
    http_response_json(response, 200,
                       json_pack("{s:b, s:I, s:I, s:o}", "underWay", progress.under_way, "done",
                                 (json_int_t)progress.num_done, "all", (json_int_t)progress.num_all, "engines", list));
}

/* ---- keys ---- */

static void get_keys(void *arg, struct http_request *request, struct http_response *response)
{
    const struct mintgate_api *api = arg;
    struct mg_error error = {""};
    json_t *list;
    enum mg_status status = key_list_new(api->signer, api->lifecycle->store, &list, &error);
    if (status == MG_OK) {
        http_response_json(response, 200, list);
    } else {
        http_fail_status(request, response, status, &error);
    }
}

/* ---- the audit record ---- */

static enum mg_status add_entry(void *context, const struct audit_entry *entry, struct mg_error *error)
{
    json_t *list = context;
    json_t *item = json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)entry->id, "timeUs",
                             (json_int_t)entry->time_us, "actor", entry->actor.name, "role",
                             words_name(&control_role_words, (int)entry->actor.role), "source", entry->actor.source,
                             "operation", entry->operation, "object", entry->object, "outcome",
                             words_name(&audit_outcome_words, (int)entry->outcome), "detail", entry->detail);
    return json_array_append_new(list, item) == 0 ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

static void get_audit(void *arg, struct http_request *request, struct http_response *response)
{
    const struct mintgate_api *api = arg;
    uint64_t before, max;
    struct store_tx *tx;
    struct mg_error error;
    json_t *list = json_array();
    enum mg_status status = http_params_number(&request->query, "before", 0, INT64_MAX, 0, &before, &error);
    if (status == MG_OK) {
        status = http_params_number(&request->query, "max", 1, MAX_AUDIT_PAGE, DEFAULT_AUDIT_PAGE, &max, &error);
    }
    if (status == MG_OK) {
        status = store_begin(api->lifecycle->store, STORE_READ, &tx, &error);
    }
    if (status == MG_OK) {
        status = store_end(tx, audit_list(tx, (int64_t)before, max, add_entry, list, &error), &error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, list);
    } else {
        json_decref(list);
        http_fail_status(request, response, status, &error);
    }
}

enum mg_status mintgate_api_add(struct router *router, struct mintgate_api *api, struct mg_error *error)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/default", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_default},
        {HTTP_PUT, "/default/{id}", HTTP_ROLE_OPERATOR, HTTP_BODY_NONE, 0, RATE_MEDIUM, put_default},
        {HTTP_PUT, "/default/previous", HTTP_ROLE_OPERATOR, HTTP_BODY_NONE, 0, RATE_MEDIUM, put_previous},
        {HTTP_PUT, "/successor/{id}/{id}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_MEDIUM, put_successor},
        {HTTP_GET, "/publication", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_publication},
        {HTTP_GET, "/keys", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_keys},
        {HTTP_GET, "/audit", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_audit},
    };
    static const char *const bases[] = {"/mintgate/v1", NULL};
    const struct http_family family = {
        .name = "mintgate",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = authenticate,
        .render = problem_render,
        .arg = api,
    };
    return router_add(router, &family, error);
}
