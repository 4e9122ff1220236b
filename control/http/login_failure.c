/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/login_failure.h"

#include "base/log.h"
#include "control/http/router.h"

void login_failure_answer(const struct http_request *request, struct http_response *response, enum mg_status status,
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
