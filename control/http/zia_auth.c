/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/zia_auth.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "control/http/json_body.h"
#include "control/http/login_answer.h"
#include "control/http/oauth.h"
#include "control/http/scan.h"

#define MAX_LOGIN_BODY 4096

const char *const zia_bases[] = {"/api/v1", "/zia/api/v1", NULL};

/* ---- the family's errors ---- */

/* The code of each problem as recorded, or inferred (docs/adr/0017-http-server.md); NULL: the answer has none. */
static const char *const codes[HTTP_NUM_PROBLEMS] = {
    [HTTP_PROBLEM_INVALID] = "INVALID_INPUT_ARGUMENT",
    [HTTP_PROBLEM_UNAUTHENTICATED] = "SESSION_NOT_VALID",
    [HTTP_PROBLEM_BAD_CREDENTIALS] = "AUTHENTICATION_FAILED",
    [HTTP_PROBLEM_FORBIDDEN] = "SCOPE_LIMITED",
    [HTTP_PROBLEM_NOT_FOUND] = "RESOURCE_NOT_FOUND",
    [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = "METHOD_NOT_ALLOWED",
    [HTTP_PROBLEM_CONFLICT] = "INVALID_OPERATION",
    [HTTP_PROBLEM_TOO_LARGE] = "REQUEST_TOO_LARGE",
    [HTTP_PROBLEM_INTERNAL] = "UNEXPECTED_ERROR",
    [HTTP_PROBLEM_UNAVAILABLE] = "SERVICE_UNAVAILABLE",
};

void zia_render_error(const struct http_problem *problem, struct http_response *response)
{
    const char *code = problem->code != NULL ? problem->code : codes[problem->kind];
    json_t *json = json_pack("{s:s*,s:s}", "code", code, "message", problem->message);
    if (problem->status == 429) {
        char text[40];
        snprintf(text, sizeof(text), "%" PRIu64 " seconds", problem->retry_after);
        json_object_set_new(json, "Retry-After", json_string(text));
    }
    http_response_json(response, problem->status, json);
}

void zia_decorate(const struct http_request *request, struct http_response *response)
{
    (void)request;
    if (response->content_type != NULL && strcmp(response->content_type, HTTP_JSON) == 0) {
        http_response_header(response, "Content-Disposition", "attachment; filename=\"api.json\"");
    }
}

/* ---- knowing the caller ---- */

enum mg_status zia_authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    return login_identify(arg, request, REACH_ZIA, out);
}

/* ---- authenticatedSession ---- */

/* answer_session: Python reads passwordExpiryTime as milliseconds since 1970, Go as a duration; both take 0 for never.
 */
static void answer_session(struct http_response *response, const char *id)
{
    http_response_json(response, 200,
                       json_pack("{s:s,s:b,s:i,s:i,s:s,s:s*}", "authType", "ADMIN_LOGIN", "obfuscateApiKey", 1,
                                 "passwordExpiryTime", 0, "passwordExpiryDays", 0, "source", "MINTGATE", "jSessionID",
                                 id));
}

struct login_body {
    const char *api_key, *user, *password;
};

static const struct http_field login_fields[] = {
    {"apiKey", HTTP_FIELD_TEXT, true, offsetof(struct login_body, api_key), 1, 64},
    {"username", HTTP_FIELD_TEXT, true, offsetof(struct login_body, user), 1, 255},
    {"password", HTTP_FIELD_TEXT, true, offsetof(struct login_body, password), 1, 1024},
};

/* read_timestamp: the vendor's Python client sends a number, the Go client a text. */
static bool read_timestamp(const json_t *body, int64_t *out)
{
    const json_t *value = json_object_get(body, "timestamp");
    uint64_t number;
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    if (!json_is_string(value) || !scan_decimal(mg_slice_of_text(json_string_value(value)), 0, INT64_MAX, &number)) {
        return false;
    }
    *out = (int64_t)number;
    return true;
}

static void handle_login(void *arg, struct http_request *request, struct http_response *response)
{
    struct login_body body = {.user = NULL};
    struct authenticator_login login = {.timestamp_ms = 0};
    struct authenticator_grant grant;
    struct mg_error error = {""};
    enum mg_status status = http_json_fields(request->json, login_fields, MG_ARRAY_LEN(login_fields), &body, &error);
    if (status == MG_OK && !read_timestamp(request->json, &login.timestamp_ms)) {
        status = mg_error_set(&error, MG_INVALID, "timestamp: must be milliseconds since 1970");
    }
    if (status != MG_OK) {
        http_fail_status(request, response, status, &error);
        return;
    }
    login.user = body.user;
    login.reach = REACH_ZIA;
    login.password = mg_slice_of_text(body.password);
    login.obfuscated_key = mg_slice_of_text(body.api_key);
    status = authenticator_login(arg, &request->caller, &login, &grant, &error);
    if (status == MG_OK) {
        answer_session(response, grant.ticket);
        login_set_cookie(response, grant.ticket);
    } else {
        login_fail(request, response, status, &grant, &error);
    }
    mg_secret_wipe(&grant, sizeof(grant));
}

static void handle_get_session(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    (void)request;
    answer_session(response, NULL);
}

static void handle_logout(void *arg, struct http_request *request, struct http_response *response)
{
    struct mg_slice token;
    login_end(arg, request);
    if (http_request_bearer(request, &token)) {
        http_response_json(response, 200, json_object());
    } else {
        http_response_empty(response, 204);
    }
}

/* The session's routes have no weight: the vendor's Python client asks for its session before every other request, and
 * failed logins are slowed by their own rule. */
static const struct http_route session_routes[] = {
    {HTTP_POST, "/authenticatedSession", HTTP_ROLE_ANONYMOUS, HTTP_BODY_JSON, MAX_LOGIN_BODY, RATE_NONE, handle_login},
    {HTTP_GET, "/authenticatedSession", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_get_session},
    {HTTP_DELETE, "/authenticatedSession", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_logout},
};

/* ---- tokens ---- */

static void handle_token(void *arg, struct http_request *request, struct http_response *response)
{
    oauth_client_credentials(arg, request, response);
}

static const char *const token_bases[] = {"/oauth2/v1", NULL};
static const struct http_route token_routes[] = {
    {HTTP_POST, "/token", HTTP_ROLE_ANONYMOUS, HTTP_BODY_FORM, OAUTH_MAX_BODY, RATE_NONE, handle_token},
};

enum mg_status zia_auth_add(struct router *router, struct authenticator *authenticator, struct mg_error *error)
{
    const struct http_family session = {.name = "zia-session",
                                        .bases = zia_bases,
                                        .routes = session_routes,
                                        .num_routes = MG_ARRAY_LEN(session_routes),
                                        .authenticate = zia_authenticate,
                                        .render = zia_render_error,
                                        .decorate = zia_decorate,
                                        .arg = authenticator};
    const struct http_family token = {.name = "zia-token",
                                      .bases = token_bases,
                                      .routes = token_routes,
                                      .num_routes = MG_ARRAY_LEN(token_routes),
                                      .authenticate = oauth_no_authentication,
                                      .render = oauth_render_error,
                                      .arg = authenticator};
    enum mg_status status = router_add(router, &session, error);
    return status == MG_OK ? router_add(router, &token, error) : status;
}
