/* SPDX-License-Identifier: Apache-2.0 */
#include "control/program/problems.h"

static const char *usual_code(enum http_problem_kind kind)
{
    static const char *const codes[HTTP_NUM_PROBLEMS] = {
        [HTTP_PROBLEM_BAD_BODY] = "BAD_BODY",
        [HTTP_PROBLEM_INVALID] = "INVALID",
        [HTTP_PROBLEM_UNAUTHENTICATED] = "UNAUTHENTICATED",
        [HTTP_PROBLEM_BAD_CREDENTIALS] = "BAD_CREDENTIALS",
        [HTTP_PROBLEM_FORBIDDEN] = "FORBIDDEN",
        [HTTP_PROBLEM_NOT_FOUND] = "NOT_FOUND",
        [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = "METHOD_NOT_ALLOWED",
        [HTTP_PROBLEM_CONFLICT] = "CONFLICT",
        [HTTP_PROBLEM_TOO_LARGE] = "TOO_LARGE",
        [HTTP_PROBLEM_UNSUPPORTED_TYPE] = "UNSUPPORTED_TYPE",
        [HTTP_PROBLEM_RATE_LIMITED] = "RATE_LIMITED",
        [HTTP_PROBLEM_SLOWED] = "TOO_MANY_FAILURES",
        [HTTP_PROBLEM_INTERNAL] = "INTERNAL",
        [HTTP_PROBLEM_UNAVAILABLE] = "UNAVAILABLE",
    };
    return codes[kind] == NULL ? "INTERNAL" : codes[kind];
}

void problem_render(const struct http_problem *problem, struct http_response *response)
{
    http_response_json(response, problem->status,
                       json_pack("{s:s, s:s}", "code",
                                 problem->code == NULL ? usual_code(problem->kind) : problem->code, "message",
                                 problem->message));
}
