/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/login_answer.h"

#include "base/log.h"
#include "control/http/router.h"

/* Clients look for "JSESSIONID=...;": something has to follow the value. */
void login_set_cookie(struct http_response *response, const char *ticket)
{
    http_response_header(response, "Set-Cookie", LOGIN_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict", ticket);
}

void login_fail(const struct http_request *request, struct http_response *response, enum mg_status status,
                const struct authenticator_grant *grant, const struct mg_error *error)
{
    struct http_problem problem;
    switch (status) {
    case MG_DENIED:
        problem = http_problem_of(HTTP_PROBLEM_BAD_CREDENTIALS);
        break;
    case MG_LIMIT:
        problem = http_problem_of(HTTP_PROBLEM_SLOWED);
        problem.retry_after = grant->retry_after;
        break;
    default:
        mg_log_error("a login or token request failed: %s", error->text);
        problem = http_problem_of(HTTP_PROBLEM_UNAVAILABLE);
        problem.retry_after = 1;
        break;
    }
    http_problem_render(&problem, router_renderer(request->family), response);
}

enum mg_status login_identify(struct authenticator *authenticator, const struct http_request *request, unsigned reach,
                              struct http_identity *out)
{
    struct mg_slice text;
    if (http_request_bearer(request, &text)) {
        return authenticator_identify(authenticator, &request->caller, TICKET_TOKEN, text, reach, out, NULL);
    }
    if (http_request_cookie(request, LOGIN_COOKIE, &text)) {
        return authenticator_identify(authenticator, &request->caller, TICKET_SESSION, text, reach, out, NULL);
    }
    return MG_DENIED;
}

void login_end(struct authenticator *authenticator, const struct http_request *request)
{
    struct mg_slice text;
    if (http_request_bearer(request, &text)) {
        authenticator_end(authenticator, TICKET_TOKEN, text);
    } else if (http_request_cookie(request, LOGIN_COOKIE, &text)) {
        authenticator_end(authenticator, TICKET_SESSION, text);
    }
}
