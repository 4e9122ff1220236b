/* SPDX-License-Identifier: Apache-2.0 */
#include "control/program/common_api.h"

#include <string.h>

#include "control/intermediate.h"
#include "control/program/problems.h"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

static void health(void *arg, struct http_request *request, struct http_response *response)
{
    const struct common_api *api = arg;
    (void)request;
    health_answer(api->health, response);
}

/* last_certificate returns the last one of |pem|: of the built-in's chain that is the root. */
static struct mg_slice last_certificate(const char *pem)
{
    const char *last = NULL;
    for (const char *at = pem; at != NULL && (at = strstr(at, PEM_BEGIN)) != NULL; at += strlen(PEM_BEGIN)) {
        last = at;
    }
    return last == NULL ? mg_slice_of(NULL, 0) : mg_slice_of_text(last);
}

static void root(void *arg, struct http_request *request, struct http_response *response)
{
    const struct common_api *api = arg;
    struct store_tx *tx;
    struct intermediate record = {.id = 0};
    struct mg_error error;
    enum mg_status status = store_begin(api->store, STORE_READ, &tx, &error);
    if (status == MG_OK) {
        status = store_end(tx, intermediate_load(tx, INTERMEDIATE_BUILTIN_ID, &record, &error), &error);
    }
    struct mg_slice pem = last_certificate(record.chain);
    if (status != MG_OK) {
        http_fail_status(request, response, status, &error);
    } else if (pem.len == 0) {
        http_fail(request, response, HTTP_PROBLEM_NOT_FOUND, NULL, "The built-in intermediate has no root here.");
    } else {
        http_response_bytes(response, 200, "application/x-pem-file", pem);
    }
    intermediate_free(&record);
}

static enum mg_status nobody(void *arg, const struct http_request *request, struct http_identity *out)
{
    (void)arg;
    (void)request;
    (void)out;
    return MG_DENIED;
}

enum mg_status common_api_add(struct router *router, struct common_api *api, struct mg_error *error)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/health", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, health},
        {HTTP_GET, "/ca.pem", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, root},
    };
    static const char *const bases[] = {"", NULL};
    const struct http_family family = {
        .name = "common",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = nobody,
        .render = problem_render,
        .arg = api,
    };
    return router_add(router, &family, error);
}
