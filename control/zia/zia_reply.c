/* SPDX-License-Identifier: Apache-2.0 */
#include "control/zia/zia_reply.h"

#include <string.h>

#include "base/log.h"
#include "control/service/request_call.h"

/* Soon enough for a restart of the signer; a plain number, since a 503 without one is fatal to a vendor's client
 * (contracts.md 1.7). */
#define RETRY_SECONDS 5

#define EDIT_LOCK "EDIT_LOCK_NOT_AVAILABLE"

void zia_begin(struct zia_exchange *exchange, void *zia, const struct http_request *request,
               struct http_response *response)
{
    *exchange = (struct zia_exchange){.zia = zia, .request = request, .response = response};
    exchange->call = request_call(exchange->zia->lifecycle, request);
}

static bool is_code(const struct zia_exchange *exchange, const char *code)
{
    return exchange->call.code != NULL && strcmp(exchange->call.code, code) == 0;
}

static enum http_problem_kind kind_of(const struct zia_exchange *exchange, enum mg_status status)
{
    if (is_code(exchange, SERVICE_UNAVAILABLE)) {
        return HTTP_PROBLEM_UNAVAILABLE;
    }
    if (is_code(exchange, "UNEXPECTED_ERROR")) {
        return HTTP_PROBLEM_INTERNAL;
    }
    switch (status) {
    case MG_INVALID:
        return HTTP_PROBLEM_INVALID;
    case MG_DENIED:
    case MG_LIMIT:
        return HTTP_PROBLEM_FORBIDDEN;
    case MG_NOT_FOUND:
        return HTTP_PROBLEM_NOT_FOUND;
    case MG_EXISTS:
        return HTTP_PROBLEM_CONFLICT;
    default:
        return HTTP_PROBLEM_INTERNAL;
    }
}

/* is_told: texts of failures of ours may name files; that an engine has not confirmed yet is for the client. */
static bool is_told(const struct http_problem *problem, enum mg_status status)
{
    return problem->status < 500 || (problem->kind == HTTP_PROBLEM_UNAVAILABLE && status == MG_AGAIN);
}

static void fail(struct zia_exchange *exchange, enum mg_status status)
{
    struct http_problem problem = http_problem_of(kind_of(exchange, status));
    if (is_code(exchange, EDIT_LOCK)) {
        http_response_json(exchange->response, 409, json_pack("{s:s}", "code", EDIT_LOCK));
        return;
    }
    if (problem.status >= 500) {
        mg_log_error("%s %s failed: %s", http_method_name(exchange->request->method), exchange->request->route->pattern,
                     exchange->error.text);
    }
    if (is_told(&problem, status)) {
        problem.message = exchange->error.text;
    }
    problem.code = exchange->call.code;
    problem.retry_after = problem.status == 503 ? RETRY_SECONDS : 0;
    http_problem_render(&problem, router_renderer(exchange->request->family), exchange->response);
}

void zia_end(struct zia_exchange *exchange, enum mg_status status, zia_json_renderer *render)
{
    if (status != MG_OK) {
        fail(exchange, status);
    } else if (render != NULL) {
        http_response_json(exchange->response, 200, render(&exchange->record));
    }
    intermediate_free(&exchange->record);
}
