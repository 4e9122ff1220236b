/* SPDX-License-Identifier: Apache-2.0 */
/* A request's target, cookie and authorization, a line each, and a body behind them, through a router: it is answered,
 * strangers are not let in, and a word of the path is decoded within its buffer. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/http/oauth.h"
#include "control/http/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TARGET, COOKIE, AUTHORIZATION, TYPE, NUM_LINES };
static const char *const names[] = {[COOKIE] = "Cookie", [AUTHORIZATION] = "Authorization", [TYPE] = "Content-Type"};

struct lines {
    char text[NUM_LINES][512];
};

static const char *find_header(const void *source, const char *name)
{
    const struct lines *lines = source;
    for (size_t i = COOKIE; i < NUM_LINES; i++) {
        if (strcasecmp(name, names[i]) == 0 && lines->text[i][0] != '\0') {
            return lines->text[i];
        }
    }
    return NULL;
}

static void handle(void *arg, struct http_request *request, struct http_response *response)
{
    char word[16];
    struct http_basic basic;
    (void)arg;
    if (request->identity.role == HTTP_ROLE_ANONYMOUS) {
        abort();
    }
    if (http_request_basic(request, &basic) &&
        (strlen(basic.user) >= sizeof(basic.user) || strlen(basic.password) >= sizeof(basic.password))) {
        abort();
    }
    for (size_t i = 0; i < request->num_path_values; i++) {
        if (http_request_word(request, i, word, sizeof(word), NULL) == MG_OK && strlen(word) >= sizeof(word)) {
            abort();
        }
    }
    http_response_header(response, "X-Echo", "%s", request->target);
    http_response_empty(response, 204);
}

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    struct mg_slice text;
    (void)arg;
    if (http_request_cookie(request, "JSESSIONID", &text) || http_request_bearer(request, &text)) {
        out->role = HTTP_ROLE_OPERATOR;
        return MG_OK;
    }
    return MG_DENIED;
}

static const char *const bases[] = {"/api/v1", "/zia/api/v1", NULL};
static const struct http_route routes[] = {
    {HTTP_POST, "/a/{id}", HTTP_ROLE_AUDITOR, HTTP_BODY_JSON, 256, RATE_NONE, handle},
    {HTTP_POST, "/a/{word}/{id}", HTTP_ROLE_AUDITOR, HTTP_BODY_FORM, 256, RATE_NONE, handle},
    {HTTP_POST, "/b/{word}", HTTP_ROLE_OPERATOR, HTTP_BODY_MULTIPART, 256, RATE_NONE, handle},
    {HTTP_POST, "/c", HTTP_ROLE_ADMIN, HTTP_BODY_RAW, 256, RATE_NONE, handle},
};

static struct router *make_router(void)
{
    static struct router *router;
    static const struct http_family family = {.name = "fuzz",
                                              .bases = bases,
                                              .routes = routes,
                                              .num_routes = MG_ARRAY_LEN(routes),
                                              .authenticate = authenticate,
                                              .render = oauth_render_error};
    if (router == NULL && (router_new(&router, NULL, NULL) != MG_OK || router_add(router, &family, NULL) != MG_OK)) {
        abort();
    }
    return router;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice rest = mg_slice_of(data, size);
    struct lines lines;
    struct http_request request;
    struct http_response response;
    for (size_t i = 0; i < NUM_LINES; i++) {
        if (!scan_copy_text(scan_until(&rest, '\n'), lines.text[i], sizeof(lines.text[i]))) {
            return 0;
        }
    }
    if (http_request_init(&request, HTTP_POST, lines.text[TARGET], NULL) != MG_OK) {
        abort();
    }
    request.header = find_header;
    request.header_source = &lines;
    http_response_init(&response);
    if (router_open(make_router(), &request, &response)) {
        request.body_too_large = rest.len > request.route->body_limit;
        mg_buffer_append_slice(&request.body, request.body_too_large ? mg_slice_of(NULL, 0) : rest);
        router_finish(&request, &response);
    }
    if (response.status < 200 || response.status >= 600) {
        abort();
    }
    http_response_free(&response);
    http_request_free(&request);
    return 0;
}
