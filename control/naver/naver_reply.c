/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/naver_reply.h"

#include "base/log.h"
#include "control/http/json_body.h"
#include "control/service/request_call.h"

#define RETRY_SECONDS 5

void naver_begin(struct naver_exchange *exchange, void *arg, const struct http_request *request,
                 struct http_response *response)
{
    const struct naver *naver = arg;
    *exchange = (struct naver_exchange){
        .request = request,
        .response = response,
        .call = {.pca = naver->pca, .actor = request_actor(request), .now_us = request->caller.wall_us}};
    if (request->num_path_values > 0 &&
        http_request_word(request, 0, exchange->tag, sizeof(exchange->tag), NULL) != MG_OK) {
        exchange->tag[0] = '\0';
    }
}

static void succeed(struct naver_exchange *exchange, json_t *data)
{
    json_t *json =
        json_pack("{s:s,s:s,s:o}", "code", "SUCCESS", "msg", "Success", "data", data == NULL ? json_null() : data);
    http_response_json(exchange->response, 200, json_incref(json));
    http_json_free(json); /* there may be a private key in it */
}

static void complain(struct naver_exchange *exchange, unsigned status, const char *usual)
{
    const char *code = exchange->call.code == NULL ? usual : exchange->call.code;
    http_response_json(exchange->response, status,
                       json_pack("{s:s,s:s,s:n}", "code", code, "msg", exchange->error.text, "data"));
}

static void fail(struct naver_exchange *exchange, enum mg_status status)
{
    struct http_problem problem = http_problem_of(HTTP_PROBLEM_UNAVAILABLE);
    switch (status) {
    case MG_INVALID:
    case MG_LIMIT:
        complain(exchange, 400, "INVALID_REQUEST");
        return;
    case MG_DENIED:
        complain(exchange, 403, "FORBIDDEN");
        return;
    case MG_NOT_FOUND:
        complain(exchange, 404, "NOT_FOUND");
        return;
    case MG_EXISTS:
        complain(exchange, 409, "INVALID_REQUEST");
        return;
    default:
        break;
    }
    mg_log_error("%s %s failed: %s", http_method_name(exchange->request->method), exchange->request->route->pattern,
                 exchange->error.text);
    if (status == MG_IO || status == MG_AGAIN) {
        problem.retry_after = RETRY_SECONDS;
        http_problem_render(&problem, naver_render_error, exchange->response);
        return;
    }
    exchange->call.code = NULL;
    (void)mg_error_set(&exchange->error, status, "The request could not be answered.");
    complain(exchange, 500, "INTERNAL_SERVER_ERROR");
}

void naver_end(struct naver_exchange *exchange, enum mg_status status, json_t *data)
{
    if (status == MG_OK) {
        succeed(exchange, data);
    } else {
        http_json_free(data);
        fail(exchange, status);
    }
}

void naver_end_with(struct naver_exchange *exchange, enum mg_status status, json_t *data)
{
    if (status == MG_OK && data == NULL) {
        status = mg_error_set(&exchange->error, MG_MEMORY, "an answer cannot be made of a record");
    }
    naver_end(exchange, status, data);
}
