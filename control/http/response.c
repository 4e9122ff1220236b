/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/response.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"

void http_response_init(struct http_response *response)
{
    *response = (struct http_response){.status = 0};
    mg_buffer_init(&response->body, HTTP_MAX_RESPONSE);
}

void http_response_free(struct http_response *response)
{
    mg_secret_free(&response->body);
    for (size_t i = 0; i < response->num_headers; i++) {
        mg_secret_wipe(response->headers[i].value, strlen(response->headers[i].value));
        free(response->headers[i].value);
    }
    response->num_headers = 0;
}

void http_response_reset(struct http_response *response)
{
    http_response_free(response);
    http_response_init(response);
}

static void fail(struct http_response *response)
{
    http_response_reset(response);
    response->status = 500;
}

void http_response_empty(struct http_response *response, unsigned status)
{
    mg_buffer_clear(&response->body);
    response->content_type = NULL;
    response->status = status;
}

void http_response_bytes(struct http_response *response, unsigned status, const char *content_type,
                         struct mg_slice body)
{
    mg_buffer_clear(&response->body);
    mg_buffer_append_slice(&response->body, body);
    response->content_type = content_type;
    response->status = status;
    if (!mg_buffer_ok(&response->body)) {
        fail(response);
    }
}

void http_response_json(struct http_response *response, unsigned status, json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    if (text == NULL) {
        fail(response);
        return;
    }
    http_response_bytes(response, status, HTTP_JSON, mg_slice_of_text(text));
    mg_secret_wipe(text, strlen(text));
    free(text);
}

void http_response_download(struct http_response *response, const char *filename, struct mg_slice body)
{
    char safe[128];
    snprintf(safe, sizeof(safe), "%s", filename);
    for (char *at = safe; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("._-", *at) == NULL) {
            *at = '_';
        }
    }
    http_response_bytes(response, 200, HTTP_OCTETS, body);
    http_response_header(response, "Content-Disposition", "attachment; filename=\"%s\"", safe);
}

void http_response_header(struct http_response *response, const char *name, const char *format, ...)
{
    char value[HTTP_MAX_HEADER_VALUE + 1];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    char *copy = len < 0 || (size_t)len >= sizeof(value) ? NULL : strdup(value);
    mg_secret_wipe(value, sizeof(value));
    if (copy == NULL || response->num_headers == HTTP_MAX_RESPONSE_HEADERS) {
        free(copy);
        fail(response);
        return;
    }
    for (char *at = copy; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f) {
            *at = '?';
        }
    }
    response->headers[response->num_headers++] = (struct http_response_header){name, copy};
}

static const struct http_problem problems[HTTP_NUM_PROBLEMS] = {
    [HTTP_PROBLEM_BAD_BODY] = {.status = 400, .message = "Request body is invalid."},
    [HTTP_PROBLEM_INVALID] = {.status = 400, .message = "The request breaks a rule."},
    [HTTP_PROBLEM_UNAUTHENTICATED] = {.status = 401, .message = "Authentication is required."},
    [HTTP_PROBLEM_BAD_CREDENTIALS] = {.status = 401, .message = "The credentials are not accepted."},
    [HTTP_PROBLEM_FORBIDDEN] = {.status = 403, .message = "The role does not allow this."},
    [HTTP_PROBLEM_NOT_FOUND] = {.status = 404, .message = "There is no such resource."},
    [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = {.status = 405, .message = "The method is not allowed here."},
    [HTTP_PROBLEM_CONFLICT] = {.status = 409, .message = "The state does not allow this."},
    [HTTP_PROBLEM_TOO_LARGE] = {.status = 413, .message = "The request body is too large."},
    [HTTP_PROBLEM_UNSUPPORTED_TYPE] = {.status = 415, .message = "The media type is not supported."},
    [HTTP_PROBLEM_RATE_LIMITED] = {.status = 429, .message = "The rate limit is exceeded."},
    [HTTP_PROBLEM_SLOWED] = {.status = 429, .message = "Too many failed logins: try again later."},
    [HTTP_PROBLEM_INTERNAL] = {.status = 500, .message = "The request could not be answered."},
    [HTTP_PROBLEM_UNAVAILABLE] = {.status = 503, .message = "The service is busy: try again later."},
};

struct http_problem http_problem_of(enum http_problem_kind kind)
{
    struct http_problem problem = problems[kind];
    problem.kind = kind;
    return problem;
}

struct http_problem http_problem_of_status(enum mg_status status, const struct mg_error *error)
{
    static const enum http_problem_kind kinds[] = {
        [MG_OK] = HTTP_PROBLEM_INTERNAL,         [MG_AGAIN] = HTTP_PROBLEM_UNAVAILABLE,
        [MG_INVALID] = HTTP_PROBLEM_INVALID,     [MG_LIMIT] = HTTP_PROBLEM_CONFLICT,
        [MG_NOT_FOUND] = HTTP_PROBLEM_NOT_FOUND, [MG_EXISTS] = HTTP_PROBLEM_CONFLICT,
        [MG_DENIED] = HTTP_PROBLEM_FORBIDDEN,    [MG_IO] = HTTP_PROBLEM_UNAVAILABLE,
        [MG_MEMORY] = HTTP_PROBLEM_INTERNAL,     [MG_INTERNAL] = HTTP_PROBLEM_INTERNAL,
    };
    struct http_problem problem = http_problem_of(kinds[status]);
    if (problem.status < 500 && error->text[0] != '\0') {
        problem.message = error->text;
    } else if (problem.status >= 500) {
        mg_log_error("a request failed: %s: %s", mg_status_name(status), error->text);
    }
    return problem;
}

void http_problem_render(const struct http_problem *problem, http_problem_renderer render,
                         struct http_response *response)
{
    http_response_reset(response);
    if (problem->status == 415) {
        http_response_empty(response, problem->status);
        return;
    }
    render(problem, response);
    if (problem->retry_after > 0) {
        /* A plain number: one vendor's client cannot read anything else (contracts.md 1.7). */
        http_response_header(response, "Retry-After", "%" PRIu64, problem->retry_after);
    }
}
