/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_reply.h"

#include "base/log.h"
#include "control/service/request_call.h"

#define RETRY_SECONDS 5

static json_t *error_json(enum ska_code code, const char *message)
{
    return json_pack("{s:i, s:s, s:s}", "errorCode", (int)code, "reason", ska_code_reason(code), "message", message);
}

/* The family's code for what the router finds. */
static const enum ska_code codes[HTTP_NUM_PROBLEMS] = {
    [HTTP_PROBLEM_BAD_BODY] = SKA_JSON,           [HTTP_PROBLEM_INVALID] = SKA_INPUT,
    [HTTP_PROBLEM_UNAUTHENTICATED] = SKA_API_KEY, [HTTP_PROBLEM_FORBIDDEN] = SKA_NOT_LICENSED,
    [HTTP_PROBLEM_NOT_FOUND] = SKA_UNSUPPORTED,   [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = SKA_UNSUPPORTED,
    [HTTP_PROBLEM_TOO_LARGE] = SKA_INPUT,         [HTTP_PROBLEM_RATE_LIMITED] = SKA_CLIENT,
    [HTTP_PROBLEM_INTERNAL] = SKA_IN_HSM,         [HTTP_PROBLEM_UNAVAILABLE] = SKA_IN_HSM,
};

void ska_reply_render(const struct http_problem *problem, struct http_response *response)
{
    enum ska_code code = codes[problem->kind] == SKA_NO_CODE ? SKA_INPUT : codes[problem->kind];
    http_response_json(response, problem->status, error_json(code, problem->message));
}

/* take_passwords makes a password that is one text, as the vendor's Java and JavaScript clients send it, an array of
 * that text: what counts is the characters in a row (contracts.md section 4.2). */
static void take_passwords(json_t *object)
{
    static const char *const names[] = {"password", "keyPassword"};
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        json_t *value = json_object_get(object, names[i]);
        if (json_is_string(value)) {
            (void)json_object_set_new(object, names[i], json_pack("[O]", value));
        }
    }
}

void ska_reply_begin(struct ska_exchange *exchange, void *api, struct http_request *request,
                     struct http_response *response)
{
    const struct ska_api *known = api;
    const char *name;
    json_t *member;
    take_passwords(request->json);
    json_object_foreach(request->json, name, member)
    {
        take_passwords(member); /* of what stands within signRequest and the like */
    }
    *exchange = (struct ska_exchange){
        .api = known,
        .request = request,
        .response = response,
        .call = {.ska = known->ska, .actor = request_actor(request), .now_us = request->caller.wall_us}};
}

/* status_of: what is the client's fault by its code, what is away 503, what is ours 500. */
static unsigned status_of(enum ska_code code, enum mg_status status)
{
    if (status == MG_IO || status == MG_AGAIN) {
        return 503;
    }
    return ska_code_http_status(code);
}

static void fail(struct ska_exchange *exchange, enum mg_status status)
{
    const struct ska_error *error = &exchange->call.error;
    enum ska_code code = ska_code_of(error, status);
    unsigned http_status = status_of(code, status);
    if (http_status < 500) {
        http_response_json(exchange->response, http_status, error_json(code, error->why.text));
        return;
    }
    mg_log_error("%s %s failed: %s", http_method_name(exchange->request->method), exchange->request->route->pattern,
                 error->why.text);
    struct http_problem problem =
        http_problem_of(http_status == 503 ? HTTP_PROBLEM_UNAVAILABLE : HTTP_PROBLEM_INTERNAL);
    problem.retry_after = http_status == 503 ? RETRY_SECONDS : 0;
    http_problem_render(&problem, ska_reply_render, exchange->response);
}

void ska_reply(struct ska_exchange *exchange, enum mg_status status, unsigned http_status, json_t *json)
{
    if (status == MG_OK) {
        http_response_json(exchange->response, http_status, json);
    } else {
        json_decref(json);
        fail(exchange, status);
    }
}
