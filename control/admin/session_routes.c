/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "control/admin/routes.h"
#include "control/http/login_answer.h"

struct login_body {
    const char *name, *password;
};

static const struct http_field login_fields[] = {
    {"name", HTTP_FIELD_TEXT, true, offsetof(struct login_body, name), 1, 255},
    {"password", HTTP_FIELD_TEXT, true, offsetof(struct login_body, password), 1, 1024},
};

static void answer_grant(struct http_response *response, const struct authenticator_grant *grant)
{
    http_response_json(response, 200,
                       json_pack("{s:s, s:s, s:s}", "session", grant->ticket, "name", grant->identity.name, "role",
                                 http_role_name(grant->identity.role)));
    login_set_cookie(response, grant->ticket);
}

void handle_login(void *arg, struct http_request *request, struct http_response *response)
{
    const struct administration_api *api = arg;
    struct login_body body = {.name = NULL};
    struct authenticator_grant grant;
    struct mg_error error = {""};
    enum mg_status status = http_json_fields(request->json, login_fields, MG_ARRAY_LEN(login_fields), &body, &error);
    if (status != MG_OK) {
        http_fail_status(request, response, status, &error);
        return;
    }
    /* A person is no family's client: whoever logs in here reaches everything that the role allows. */
    const struct authenticator_login login = {
        .user = body.name, .password = mg_slice_of_text(body.password), .reach = REACH_ALL};
    status = authenticator_login(api->authenticator, &request->caller, &login, &grant, &error);
    if (status == MG_OK) {
        answer_grant(response, &grant);
    } else {
        login_fail(request, response, status, &grant, &error);
    }
    mg_secret_wipe(&grant, sizeof(grant));
}

void handle_get_session(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    http_response_json(
        response, 200,
        json_pack("{s:s, s:s}", "name", request->identity.name, "role", http_role_name(request->identity.role)));
}

void handle_logout(void *arg, struct http_request *request, struct http_response *response)
{
    const struct administration_api *api = arg;
    login_end(api->authenticator, request);
    http_response_empty(response, 204);
}
