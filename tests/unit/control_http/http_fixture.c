/* SPDX-License-Identifier: Apache-2.0 */
#include "http_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/http/credentials.h"

struct answer answer;

static const char *find_header(const void *source, const char *name)
{
    const struct ask *what = source;
    for (size_t i = 0; i < FIXTURE_MAX_HEADERS; i++) {
        if (what->headers[i][0] != NULL && strcasecmp(what->headers[i][0], name) == 0) {
            return what->headers[i][1];
        }
    }
    return NULL;
}

static void fill_request(struct http_request *request, const struct ask *what)
{
    request->header = find_header;
    request->header_source = what;
    request->caller.monotonic_ns = FIXTURE_START_NS + what->after_seconds * MG_NS_PER_SECOND;
    request->caller.wall_us = (FIXTURE_WALL_SECONDS + (int64_t)what->after_seconds) * 1000000;
    request->caller.is_local = what->is_local;
    if (what->is_local) {
        request->identity = (struct http_identity){.name = "unix:0", .role = HTTP_ROLE_ADMIN};
    } else {
        snprintf(request->caller.address, sizeof(request->caller.address), "%s",
                 what->address == NULL ? "192.0.2.1" : what->address);
    }
}

static void keep_answer(const struct http_response *response)
{
    size_t len = 0;
    answer = (struct answer){.status = response->status};
    assert_true(response->body.len < sizeof(answer.body));
    if (response->content_type != NULL) {
        memcpy(answer.body, response->body.data, response->body.len);
        len = (size_t)snprintf(answer.headers, sizeof(answer.headers), "Content-Type: %s\n", response->content_type);
    }
    for (size_t i = 0; i < response->num_headers; i++) {
        len += (size_t)snprintf(answer.headers + len, sizeof(answer.headers) - len, "%s: %s\n",
                                response->headers[i].name, response->headers[i].value);
    }
}

void ask(const struct router *router, const struct ask *what)
{
    struct http_request request;
    struct http_response response;
    assert_int_equal(http_request_init(&request, http_method_of(what->method), what->target, NULL), MG_OK);
    http_response_init(&response);
    fill_request(&request, what);
    if (router_open(router, &request, &response)) {
        if (what->body != NULL && strlen(what->body) > request.route->body_limit) {
            request.body_too_large = request.route->body != HTTP_BODY_NONE;
        } else if (what->body != NULL) {
            mg_buffer_append_text(&request.body, what->body);
        }
        router_finish(&request, &response);
    }
    keep_answer(&response);
    http_request_free(&request);
    http_response_free(&response);
}

bool answer_has(const char *text)
{
    return strstr(answer.body, text) != NULL;
}

bool header_has(const char *text)
{
    return strstr(answer.headers, text) != NULL;
}

sqlite3 *fixture_database(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (size_t i = 0; i < CREDENTIALS_NUM_MIGRATIONS; i++) {
        assert_int_equal(sqlite3_exec(db, credentials_migrations[i], NULL, NULL, NULL), SQLITE_OK);
    }
    return db;
}
