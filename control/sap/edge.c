/* SPDX-License-Identifier: Apache-2.0 */
/* Apigee Edge's key stores and trust stores (contracts.md section 3.4), under both forms of its addresses.
 * Organizations and environments have any name: there is one set of stores. */
#include <jansson.h>

#include "control/sap/edge_internal.h"
#include "control/sap/sap_auth.h"

/* Two files of the largest size, and the form around them. */
#define FORM_LIMIT (2 * MATERIAL_MAX_FILE + 16 * 1024)
#define SMALL_LIMIT ((size_t)16 * 1024)

/* ---- errors ---- */

static void render_error(const struct http_problem *problem, struct http_response *response)
{
    static const char *const codes[HTTP_NUM_PROBLEMS] = {
        [HTTP_PROBLEM_BAD_BODY] = "keystore.service.InvalidRequest",
        [HTTP_PROBLEM_INVALID] = "keystore.service.InvalidRequest",
        [HTTP_PROBLEM_FORBIDDEN] = "keystore.service.Forbidden",
        [HTTP_PROBLEM_NOT_FOUND] = "keystore.service.NotFound",
        [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = "keystore.service.MethodNotAllowed",
        [HTTP_PROBLEM_CONFLICT] = "keystore.service.Conflict",
        [HTTP_PROBLEM_TOO_LARGE] = "keystore.service.RequestTooLarge",
        [HTTP_PROBLEM_RATE_LIMITED] = "keystore.service.TooManyRequests",
        [HTTP_PROBLEM_SLOWED] = "keystore.service.TooManyRequests",
        [HTTP_PROBLEM_UNAVAILABLE] = "keystore.service.Unavailable",
    };
    if (problem->kind == HTTP_PROBLEM_UNAUTHENTICATED) {
        http_response_empty(response, problem->status);
        return;
    }
    const char *code = codes[problem->kind];
    http_response_json(response, problem->status,
                       json_pack("{s:s, s:s, s:[]}", "code", code == NULL ? "keystore.service.InternalError" : code,
                                 "message", problem->message, "contexts"));
}

/* ---- organizations ---- */

/* What the vendor's own client asks for before all else; it wants the list to be there. */
static void get_organization(void *arg, struct http_request *request, struct http_response *response)
{
    struct mg_error error = {""};
    char name[SAP_NAME_SIZE];
    (void)arg;
    if (http_request_word(request, EDGE_PATH_ORG, name, sizeof(name), &error) != MG_OK) {
        http_fail(request, response, HTTP_PROBLEM_NOT_FOUND, NULL, NULL);
        return;
    }
    http_response_json(response, 200,
                       json_pack("{s:s, s:s, s:[s], s:{s:[]}}", "name", name, "type", "paid", "environments",
                                 "mintgate", "properties", "property"));
}

/* ---- the family ---- */

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct sap_api *api = arg;
    return sap_authenticate_edge(api->authenticator, request, out);
}

/* clang-format off */
#define READ(pattern, handler) {HTTP_GET, pattern, HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, handler}
#define FORM(method, pattern, handler)                                                                                 \
    {method, pattern, HTTP_ROLE_ADMIN, HTTP_BODY_MULTIPART, FORM_LIMIT, RATE_MEDIUM, handler}
#define DELETE(pattern, handler) {HTTP_DELETE, pattern, HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_MEDIUM, handler}
#define ROUTES(env)                                                                                                    \
    READ("/{org}", get_organization),                                                                                  \
    READ("/{org}/", get_organization),                                                                                 \
    READ(env "/keystores", edge_list_stores),                                                                          \
    {HTTP_POST, env "/keystores", HTTP_ROLE_ADMIN, HTTP_BODY_RAW, SMALL_LIMIT, RATE_MEDIUM, edge_create_store},        \
    READ(env "/keystores/{keystore}", edge_get_store),                                                                 \
    DELETE(env "/keystores/{keystore}", edge_delete_store),                                                            \
    READ(env "/keystores/{keystore}/aliases", edge_list_aliases),                                                      \
    FORM(HTTP_POST, env "/keystores/{keystore}/aliases", edge_create_alias),                                           \
    READ(env "/keystores/{keystore}/aliases/{alias}", edge_get_alias),                                                 \
    FORM(HTTP_PUT, env "/keystores/{keystore}/aliases/{alias}", edge_replace_alias),                                   \
    DELETE(env "/keystores/{keystore}/aliases/{alias}", edge_delete_alias),                                            \
    READ(env "/keystores/{keystore}/aliases/{alias}/certificate", edge_get_alias_certificate),                         \
    READ(env "/keystores/{keystore}/aliases/{alias}/csr", edge_get_alias_csr),                                         \
    READ(env "/keystores/{keystore}/certs", edge_list_certs),                                                          \
    FORM(HTTP_POST, env "/keystores/{keystore}/certs", edge_upload_cert),                                              \
    READ(env "/keystores/{keystore}/certs/{cert}", edge_get_cert),                                                     \
    DELETE(env "/keystores/{keystore}/certs/{cert}", edge_delete_cert),                                                \
    READ(env "/keystores/{keystore}/certs/{cert}/export", edge_export_cert),                                           \
    FORM(HTTP_POST, env "/keystores/{keystore}/keys", edge_upload_key)
/* clang-format on */

enum mg_status edge_add(struct router *router, struct sap_api *api, struct mg_error *error)
{
    static const struct http_route long_routes[] = {ROUTES("/{org}/environments/{env}")};
    static const struct http_route short_routes[] = {ROUTES("/{org}/e/{env}")};
    static const char *const long_bases[] = {"/v1/organizations", NULL}, *const short_bases[] = {"/v1/o", NULL};
    struct http_family family = {.name = "sap-edge",
                                 .bases = long_bases,
                                 .routes = long_routes,
                                 .num_routes = MG_ARRAY_LEN(long_routes),
                                 .authenticate = authenticate,
                                 .render = render_error,
                                 .arg = api};
    enum mg_status status = router_add(router, &family, error);
    family.bases = short_bases;
    family.routes = short_routes;
    return status == MG_OK ? router_add(router, &family, error) : status;
}
