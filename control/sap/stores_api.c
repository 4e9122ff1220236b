/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vendors' APIs of stores have no call for, under /mintgate/v1:
 *
 *   POST /stores/{store}/{certificate}/restore   exchanges a certificate with its version before
 *   POST /intermediate                           makes an intermediate, ready for use, of a key store's file
 */
#include "control/http/json_body.h"
#include "control/http/login_answer.h"
#include "control/sap/sap_api.h"
#include "control/sap/sap_body.h"
#include "control/sap/sap_intermediate.h"

static void restore(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_call call = sap_api_call(arg, request);
    char store[SAP_NAME_SIZE], name[SAP_NAME_SIZE];
    struct sap_entry entry = {.id = 0};
    struct mg_error error = {""};
    if (http_request_word(request, 0, store, sizeof(store), &error) != MG_OK ||
        http_request_word(request, 1, name, sizeof(name), &error) != MG_OK) {
        http_fail(request, response, HTTP_PROBLEM_NOT_FOUND, NULL, NULL);
        return;
    }
    enum mg_status status = sap_entry_restore(&call, store, name, &entry, &error);
    if (status == MG_OK) {
        http_response_json(response, 200,
                           json_pack("{s:s, s:s, s:s, s:I, s:s}", "store", store, "name", entry.name, "format",
                                     words_name(&sap_format_words, entry.format), "createdUs",
                                     (json_int_t)entry.created.time_us, "createdBy", entry.created.by));
    } else {
        http_fail_status(request, response, status, &error);
    }
    sap_entry_free(&entry);
}

struct import_body {
    const char *name, *description;
    struct http_json_flag enabled;
};

static const struct http_field import_fields[] = {
    {"name", HTTP_FIELD_TEXT, true, offsetof(struct import_body, name), 1, 4 * INTERMEDIATE_MAX_NAME},
    {"description", HTTP_FIELD_TEXT, false, offsetof(struct import_body, description), 0,
     4 * INTERMEDIATE_MAX_DESCRIPTION},
    {"enabled", HTTP_FIELD_FLAG, false, offsetof(struct import_body, enabled), 0, 0},
};

/* An intermediate that is being made of a file. */
struct importing {
    const struct sap_api *api;
    struct lifecycle_call *call;
    struct lifecycle_draft draft;
    struct intermediate *out;
};

static enum mg_status import_file(void *arg, const struct sap_file *file, struct mg_error *error)
{
    struct importing *importing = arg;
    const struct sap_api *api = importing->api;
    return sap_intermediate_import(api->sap->imports, api->service, importing->call, &importing->draft, file,
                                   importing->out, error);
}

static enum mg_status import_json(struct importing *importing, const json_t *json, struct mg_error *error)
{
    struct import_body body = {.name = NULL};
    enum mg_status status = http_json_fields(json, import_fields, MG_ARRAY_LEN(import_fields), &body, error);
    if (status != MG_OK) {
        return status;
    }
    importing->draft = LIFECYCLE_EMPTY_DRAFT;
    importing->draft.name = mg_slice_of_text(body.name);
    importing->draft.description = mg_slice_of_text(body.description != NULL ? body.description : "");
    importing->draft.status = body.enabled.value ? INTERMEDIATE_ENABLED : INTERMEDIATE_DISABLED;
    return sap_body_read(json, import_file, importing, error);
}

static void import(void *arg, struct http_request *request, struct http_response *response)
{
    const struct sap_api *api = arg;
    struct lifecycle_call call = request_call(api->lifecycle, request);
    struct intermediate record = {.id = 0};
    struct importing importing = {.api = api, .call = &call, .out = &record};
    struct mg_error error = {""};
    enum mg_status status = import_json(&importing, request->json, &error);
    if (status == MG_OK) {
        http_response_json(response, 201,
                           json_pack("{s:I, s:s, s:b, s:I}", "id", (json_int_t)record.id, "name", record.name,
                                     "defaultCertificate", record.is_default, "certExpDate",
                                     (json_int_t)record.not_after));
    } else {
        /* A quota that is full is 403, as with the ZIA family. */
        struct http_problem problem = http_problem_of_status(status == MG_LIMIT ? MG_DENIED : status, &error);
        http_fail(request, response, problem.kind, call.code, problem.message);
    }
    intermediate_free(&record);
}

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct sap_api *api = arg;
    return login_identify(api->authenticator, request, REACH_MINTGATE, out);
}

enum mg_status stores_api_add(struct router *router, struct sap_api *api, struct mg_error *error)
{
    static const struct http_route routes[] = {
        {HTTP_POST, "/stores/{store}/{certificate}/restore", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_MEDIUM, restore},
        {HTTP_POST, "/intermediate", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, SAP_BODY_LIMIT, RATE_MEDIUM, import},
    };
    static const char *const bases[] = {"/mintgate/v1", NULL};
    const struct http_family family = {.name = "stores",
                                       .bases = bases,
                                       .routes = routes,
                                       .num_routes = MG_ARRAY_LEN(routes),
                                       .authenticate = authenticate,
                                       .render = api->render,
                                       .arg = api};
    return router_add(router, &family, error);
}
