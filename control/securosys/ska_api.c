/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_api.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/http/json_body.h"
#include "control/securosys/ska_admin.h"
#include "control/securosys/ska_auth.h"
#include "control/securosys/ska_compact.h"
#include "control/securosys/ska_reply.h"

#define JSON_LIMIT ((size_t)64 * 1024)
#define POLICY_LIMIT SKA_MAX_POLICY
#define APPROVAL_LIMIT ((size_t)64 * 1024)
#define MAX_STATUSES 16

/* ---- keys ---- */

struct named_body {
    const char *label;
    const json_t *password;
    const char *certificate;
};

/* read_named reads the body of calls that name a key: label, password. */
static enum mg_status read_named(struct ska_exchange *exchange, struct named_body *out)
{
    static const struct http_field fields[] = {
        {"label", HTTP_FIELD_TEXT, true, offsetof(struct named_body, label), 1, SKA_MAX_LABEL_SIZE - 1},
        {"password", HTTP_FIELD_ARRAY, false, offsetof(struct named_body, password), 0, 256},
    };
    struct ska_error *error = &exchange->call.error;
    *out = (struct named_body){.label = NULL};
    enum mg_status status = http_json_fields(exchange->request->json, fields, MG_ARRAY_LEN(fields), out, &error->why);
    return status == MG_OK ? ska_password_check(out->password, error) : status;
}

/* read_label decodes the label in the path. */
static enum mg_status read_label(struct ska_exchange *exchange, char out[SKA_MAX_LABEL_SIZE])
{
    return http_request_word(exchange->request, 0, out, SKA_MAX_LABEL_SIZE, &exchange->call.error.why);
}

static void create_key(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = ska_create_key(&exchange.call, request->json);
    ska_reply(&exchange, status, 201, json_pack("{s:O?}", "label", json_object_get(request->json, "label")));
}

static void list_keys(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    json_t *labels = NULL;
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = ska_list_keys(&exchange.call, &labels);
    ska_reply(&exchange, status, 200, labels);
}

static void describe_key(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    struct named_body body;
    json_t *json = NULL;
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = read_named(&exchange, &body);
    if (status == MG_OK) {
        status = ska_describe_key(&exchange.call, body.label, body.password, &json);
    }
    ska_reply(&exchange, status, 200, json);
}

static void delete_key_of_body(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    struct named_body body;
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = read_named(&exchange, &body);
    if (status == MG_OK) {
        status = ska_delete_key(&exchange.call, body.label, body.password);
    }
    ska_reply(&exchange, status, 200, json_object());
}

static void delete_key(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    char label[SKA_MAX_LABEL_SIZE];
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = read_label(&exchange, label);
    if (status == MG_OK) {
        status = ska_delete_key(&exchange.call, label, NULL);
    }
    ska_reply(&exchange, status, 200, json_object());
}

/* ---- operations at once ---- */

/* operate_now answers with the key's label, and the result as |result_name|. */
static void operate_now(void *arg, struct http_request *request, struct http_response *response,
                        enum ska_operation operation, const char *result_name)
{
    struct ska_exchange exchange;
    char *result = NULL;
    json_t *json = NULL;
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = ska_operate_now(&exchange.call, operation, request->json, &result);
    if (status == MG_OK) {
        json = json_pack("{s:O, s:s}", "label", json_object_get(request->json, "signKeyName"), result_name, result);
    }
    free(result);
    ska_reply(&exchange, status, 200, json);
}

static void request_now(void *arg, struct http_request *request, struct http_response *response)
{
    operate_now(arg, request, response, SKA_MAKE_REQUEST, "certificateSigningRequest");
}

static void self_sign_now(void *arg, struct http_request *request, struct http_response *response)
{
    operate_now(arg, request, response, SKA_SELF_SIGN, "certificate");
}

static void certify_now(void *arg, struct http_request *request, struct http_response *response)
{
    operate_now(arg, request, response, SKA_CERTIFY, "certificate");
}

/* sign_now answers in the shape that the vendor's clients send, the wish within a `signRequest` (contracts.md section
 * 4.2), or flat as the other calls that sign at once. */
static void sign_now(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    char *result = NULL;
    json_t *wish = json_object_get(request->json, "signRequest");
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status =
        wish != NULL && !json_is_object(wish)
            ? ska_fail(&exchange.call.error, SKA_INPUT, "signRequest: an object is required")
            : ska_operate_now(&exchange.call, SKA_SIGN, wish != NULL ? wish : request->json, &result);
    json_t *json = status == MG_OK ? json_pack("{s:s}", "signature", result) : NULL;
    free(result);
    ska_reply(&exchange, status, 200, json);
}

static void download_request(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    char *result = NULL, name[SKA_MAX_LABEL_SIZE + 8];
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = ska_operate_now(&exchange.call, SKA_MAKE_REQUEST, request->json, &result);
    if (status != MG_OK) {
        ska_reply(&exchange, status, 200, NULL);
        return;
    }
    snprintf(name, sizeof(name), "%s.csr", json_string_value(json_object_get(request->json, "signKeyName")));
    http_response_download(response, name, mg_slice_of_text(result));
    free(result);
}

/* ---- operations by request ---- */

static void submit(void *arg, struct http_request *request, struct http_response *response,
                   enum ska_operation operation, const char *member)
{
    struct ska_exchange exchange;
    char id[SKA_UUID_SIZE];
    struct mg_buffer text;
    ska_reply_begin(&exchange, arg, request, response);
    mg_buffer_init(&text, JSON_LIMIT);
    struct ska_submission submission = {
        .operation = operation,
        .body = json_object_get(request->json, member),
        .signature = json_object_get(request->json, "requestSignature"),
    };
    enum mg_status status = MG_OK;
    if (!json_is_object(submission.body)) {
        status = ska_fail(&exchange.call.error, SKA_INPUT, "%s: an object is required", member);
    } else if (submission.signature != NULL && !json_is_null(submission.signature) &&
               (!json_is_object(submission.signature) ||
                !ska_compact_member(&text, mg_buffer_slice(&request->body), member))) {
        status = ska_fail(&exchange.call.error, SKA_INPUT, "requestSignature: must be an object or null");
    }
    submission.signed_text = mg_buffer_slice(&text);
    if (status == MG_OK) {
        status = ska_submit(&exchange.call, &submission, id);
    }
    mg_buffer_free(&text);
    ska_reply(&exchange, status, 201, status == MG_OK ? json_pack("{s:s}", "signRequestId", id) : NULL);
}

static void submit_request(void *arg, struct http_request *request, struct http_response *response)
{
    submit(arg, request, response, SKA_MAKE_REQUEST, "csrSignRequest");
}

static void submit_self_sign(void *arg, struct http_request *request, struct http_response *response)
{
    submit(arg, request, response, SKA_SELF_SIGN, "selfSignCertificateRequest");
}

static void submit_certify(void *arg, struct http_request *request, struct http_response *response)
{
    submit(arg, request, response, SKA_CERTIFY, "signCertificateRequest");
}

static void submit_sign(void *arg, struct http_request *request, struct http_response *response)
{
    submit(arg, request, response, SKA_SIGN, "signRequest");
}

/* ---- certificates ---- */

/* reply_certificate answers with the key's certificate. */
static void reply_certificate(struct ska_exchange *exchange, enum mg_status status, const char *label)
{
    struct mg_buffer pem;
    json_t *json = NULL;
    mg_buffer_init(&pem, 2 * SKA_MAX_CERTIFICATE);
    if (status == MG_OK) {
        status = ska_get_certificate(&exchange->call, label, &pem);
    }
    if (status == MG_OK) {
        json = json_pack("{s:s, s:s%}", "label", label, "certificate", (const char *)pem.data, pem.len);
    }
    mg_buffer_free(&pem);
    ska_reply(exchange, status, 200, json);
}

static void import_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    static const struct http_field fields[] = {
        {"label", HTTP_FIELD_TEXT, true, offsetof(struct named_body, label), 1, SKA_MAX_LABEL_SIZE - 1},
        {"certificate", HTTP_FIELD_TEXT, true, offsetof(struct named_body, certificate), 1, 32768},
    };
    struct ska_exchange exchange;
    struct named_body body = {.label = NULL};
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status =
        http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &exchange.call.error.why);
    if (status == MG_OK) {
        status = ska_import_certificate(&exchange.call, body.label, body.certificate);
    }
    reply_certificate(&exchange, status, body.label);
}

static void get_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    char label[SKA_MAX_LABEL_SIZE];
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = read_label(&exchange, label);
    reply_certificate(&exchange, status, label);
}

static void delete_certificate(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    char label[SKA_MAX_LABEL_SIZE];
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = read_label(&exchange, label);
    if (status == MG_OK) {
        status = ska_delete_certificate(&exchange.call, label);
    }
    ska_reply(&exchange, status, 200, json_object());
}

/* ---- requests ---- */

/* read_request_id: what is no id is nobody's either. */
static enum mg_status read_request_id(struct ska_exchange *exchange, char out[64])
{
    struct mg_error ignored;
    return http_request_word(exchange->request, 0, out, 64, &ignored) == MG_OK
               ? MG_OK
               : ska_fail(&exchange->call.error, SKA_NO_REQUEST, "id: there is no such request");
}

static void get_request(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    char id[64];
    json_t *json = NULL;
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = read_request_id(&exchange, id);
    if (status == MG_OK) {
        status = ska_request_status(&exchange.call, id, &json);
    }
    ska_reply(&exchange, status, 200, json);
}

static void cancel_request(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    char id[64];
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = read_request_id(&exchange, id);
    if (status == MG_OK) {
        status = ska_cancel_request(&exchange.call, id);
    }
    ska_reply(&exchange, status, 200, json_object());
}

static unsigned state_of(const char *word)
{
    return word == NULL ? 0 : words_value(&ska_state_words, mg_slice_of_text(word));
}

/* read_states reads a list of words as a set. */
static enum mg_status read_states(const json_t *words, unsigned *out, struct ska_error *error)
{
    size_t i;
    const json_t *word;
    *out = 0;
    json_array_foreach(words, i, word)
    {
        unsigned state = state_of(json_string_value(word));
        if (state == 0) {
            return ska_fail(error, SKA_INVALID_ENUM, "requestStatusList: has a word that is none");
        }
        *out |= SKA_STATE_BIT(state);
    }
    return MG_OK;
}

/* list_by_statuses answers as the vendor's clients want it that name several statuses: ids and statuses alone. */
static enum mg_status list_by_statuses(struct ska_call *call, const json_t *statuses, json_t **out)
{
    unsigned states;
    size_t i;
    json_t *list = NULL, *request;
    enum mg_status status = read_states(statuses, &states, &call->error);
    if (status == MG_OK) {
        status = ska_list_requests(call, states, &list);
    }
    if (status != MG_OK) {
        return status;
    }
    json_t *found = json_array();
    json_array_foreach(list, i, request)
    {
        (void)json_array_append_new(found, json_pack("{s:O, s:O}", "id", json_object_get(request, "id"), "status",
                                                     json_object_get(request, "status")));
    }
    json_decref(list);
    *out = json_pack("{s:o}", "requests", found);
    return MG_OK;
}

static enum mg_status list_by_status(struct ska_call *call, const char *text, json_t **out)
{
    if (text == NULL || text[0] == '\0') {
        return ska_list_requests(call, SKA_ALL_STATES, out);
    }
    unsigned state = state_of(text);
    return state == 0 ? ska_fail(&call->error, SKA_INVALID_ENUM, "status: no such word")
                      : ska_list_requests(call, SKA_STATE_BIT(state), out);
}

static void list_requests(void *arg, struct http_request *request, struct http_response *response)
{
    struct filter_body {
        const char *status;
        const json_t *statuses;
    } body = {.status = NULL};
    static const struct http_field fields[] = {
        {"status", HTTP_FIELD_TEXT, false, offsetof(struct filter_body, status), 0, 32},
        {"requestStatusList", HTTP_FIELD_ARRAY, false, offsetof(struct filter_body, statuses), 0, MAX_STATUSES},
    };
    struct ska_exchange exchange;
    json_t *list = NULL;
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status =
        http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &exchange.call.error.why);
    if (status == MG_OK) {
        status = body.statuses != NULL ? list_by_statuses(&exchange.call, body.statuses, &list)
                                       : list_by_status(&exchange.call, body.status, &list);
    }
    ska_reply(&exchange, status, 200, list);
}

/* ---- approvals ---- */

/* admit_approver answers who may not ask at all. */
static bool admit_approver(struct ska_exchange *exchange)
{
    enum mg_status status = ska_admit_approver(exchange->api, exchange->request);
    if (status == MG_OK) {
        return true;
    }
    http_fail(exchange->request, exchange->response,
              status == MG_DENIED ? HTTP_PROBLEM_UNAUTHENTICATED : HTTP_PROBLEM_UNAVAILABLE, NULL, NULL);
    return false;
}

static void fetch_tasks(void *arg, struct http_request *request, struct http_response *response, bool is_wanted)
{
    struct ska_exchange exchange;
    json_t *json = NULL;
    ska_reply_begin(&exchange, arg, request, response);
    if (admit_approver(&exchange)) {
        enum mg_status status = ska_fetch_tasks(&exchange.call, request->json, is_wanted, &json);
        ska_reply(&exchange, status, 200, json);
    }
}

static void fetch_sign_tasks(void *arg, struct http_request *request, struct http_response *response)
{
    fetch_tasks(arg, request, response, true);
}

/* Keys decrypt, unwrap, block, unblock and modify nothing here. */
static void fetch_other_tasks(void *arg, struct http_request *request, struct http_response *response)
{
    fetch_tasks(arg, request, response, false);
}

static void approve(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    ska_reply_begin(&exchange, arg, request, response);
    if (admit_approver(&exchange)) {
        ska_reply(&exchange, ska_approve(&exchange.call, request->json), 200, json_object());
    }
}

static void reject(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    ska_reply_begin(&exchange, arg, request, response);
    if (admit_approver(&exchange)) {
        ska_reply(&exchange, ska_reject(&exchange.call, request->json), 200, json_object());
    }
}

/* ---- the service ---- */

static void get_version(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    (void)request;
    http_response_json(response, 200, json_pack("{s:s, s:s}", "name", "Mintgate", "version", MINTGATE_VERSION));
}

static void get_license(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    (void)request;
    http_response_json(response, 200,
                       json_pack("{s:s, s:[s,s]}", "product", "Mintgate", "clientFlags", "SKA", "REST_TSB"));
}

static void get_statistics(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_exchange exchange;
    json_t *labels = NULL, *json = NULL;
    ska_reply_begin(&exchange, arg, request, response);
    enum mg_status status = ska_list_keys(&exchange.call, &labels);
    if (status == MG_OK) {
        json = json_pack("{s:I, s:i}", "keys", (json_int_t)json_array_size(labels), "maximumKeys", SKA_MAX_KEYS);
    }
    json_decref(labels);
    ska_reply(&exchange, status, 200, json);
}

/* ---- the table ---- */

static const struct http_route routes[] = {
    {HTTP_POST, "/key", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, POLICY_LIMIT, RATE_MEDIUM, create_key},
    {HTTP_GET, "/key", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, list_keys},
    {HTTP_POST, "/key/attributes", HTTP_ROLE_AUDITOR, HTTP_BODY_JSON, JSON_LIMIT, RATE_LIGHT, describe_key},
    {HTTP_POST, "/key/deleteKey", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_HEAVY, delete_key_of_body},
    {HTTP_DELETE, "/key/{name}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_HEAVY, delete_key},
    {HTTP_POST, "/certificate/synchronous/request", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM,
     request_now},
    {HTTP_POST, "/certificate/synchronous/request/download", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM,
     download_request},
    {HTTP_POST, "/certificate/request", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM, submit_request},
    {HTTP_POST, "/certificate/synchronous/selfsign", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM,
     self_sign_now},
    {HTTP_POST, "/certificate/selfsign", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM, submit_self_sign},
    {HTTP_POST, "/certificate/synchronous/sign", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM, certify_now},
    {HTTP_POST, "/certificate/sign", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM, submit_certify},
    {HTTP_POST, "/certificate/import/plain", HTTP_ROLE_ADMIN, HTTP_BODY_LAX_JSON, JSON_LIMIT, RATE_MEDIUM,
     import_certificate},
    {HTTP_GET, "/certificate/{label}", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_certificate},
    {HTTP_DELETE, "/certificate/{label}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_HEAVY, delete_certificate},
    {HTTP_POST, "/sign", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM, submit_sign},
    {HTTP_POST, "/synchronousSign", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, JSON_LIMIT, RATE_MEDIUM, sign_now},
    {HTTP_GET, "/request/{request}", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_request},
    {HTTP_DELETE, "/request/{request}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_HEAVY, cancel_request},
    {HTTP_POST, "/filteredRequests", HTTP_ROLE_AUDITOR, HTTP_BODY_JSON, JSON_LIMIT, RATE_LIGHT, list_requests},
    {HTTP_POST, "/filteredSignApprovalTask", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_LIGHT,
     fetch_sign_tasks},
    {HTTP_POST, "/filteredAllApprovalTask", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_LIGHT,
     fetch_sign_tasks},
    {HTTP_POST, "/filteredDecryptApprovalTask", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_LIGHT,
     fetch_other_tasks},
    {HTTP_POST, "/filteredUnwrapKeyApprovalTask", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_LIGHT,
     fetch_other_tasks},
    {HTTP_POST, "/filteredBlockKeyApprovalTask", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_LIGHT,
     fetch_other_tasks},
    {HTTP_POST, "/filteredUnblockKeyApprovalTask", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_LIGHT,
     fetch_other_tasks},
    {HTTP_POST, "/filteredModifyKeyApprovalTask", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_LIGHT,
     fetch_other_tasks},
    {HTTP_POST, "/approval", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_MEDIUM, approve},
    {HTTP_PATCH, "/task", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, APPROVAL_LIMIT, RATE_MEDIUM, reject},
    {HTTP_GET, "/versionInfo", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_version},
    {HTTP_GET, "/licenseInfo", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_license},
    {HTTP_GET, "/keystore/statistics", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, get_statistics},
};

enum mg_status ska_api_add(struct router *router, struct ska_api *api, struct mg_error *error)
{
    static const char *const bases[] = {"/v1", NULL};
    const struct http_family family = {
        .name = "securosys",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = ska_authenticate,
        .render = ska_reply_render,
        .arg = api,
    };
    enum mg_status status = router_add(router, &family, error);
    return status == MG_OK ? ska_admin_add(router, api, error) : status;
}
