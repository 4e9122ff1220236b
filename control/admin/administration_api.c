/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/administration_api.h"

#include "control/admin/routes.h"
#include "control/http/login_answer.h"
#include "control/service/request_call.h"

struct administration_call routes_call(const struct administration_api *api, const struct http_request *request)
{
    return (struct administration_call){
        .store = api->store, .actor = request_actor(request), .now_us = request->caller.wall_us};
}

void routes_answer(const struct http_request *request, struct http_response *response, enum mg_status status,
                   json_t *json, const struct mg_error *error)
{
    if (status == MG_OK) {
        http_response_json(response, 200, json);
    } else {
        json_decref(json);
        http_fail_status(request, response, status, error);
    }
}

void routes_list(const struct administration_api *api, const struct http_request *request,
                 struct http_response *response,
                 enum mg_status (*each)(struct sqlite3 *db, json_t *list, struct mg_error *error))
{
    struct store_tx *tx;
    struct mg_error error;
    json_t *list = json_array();
    enum mg_status status = store_begin(api->store, STORE_READ, &tx, &error);
    if (status == MG_OK) {
        status = store_end(tx, each(store_connection(tx), list, &error), &error);
    }
    routes_answer(request, response, status, list, &error);
}

void routes_delete(const struct administration_api *api, struct http_request *request, struct http_response *response,
                   enum mg_status (*remove)(const struct administration_call *call, const char *name,
                                            struct mg_error *error))
{
    struct administration_call call = routes_call(api, request);
    char name[HTTP_MAX_NAME];
    struct mg_error error;
    enum mg_status status = http_request_word(request, 0, name, sizeof(name), &error);
    if (status == MG_OK) {
        status = remove(&call, name, &error);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
    } else {
        http_fail_status(request, response, status, &error);
    }
}

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct administration_api *api = arg;
    return login_identify(api->authenticator, request, REACH_MINTGATE, out);
}

#define ADMIN HTTP_ROLE_ADMIN
#define JSON HTTP_BODY_JSON, ROUTES_MAX_BODY
#define NO_BODY HTTP_BODY_NONE, 0

/* Logins have no weight: failed ones are slowed by their own rule. */
static const struct http_route routes[] = {
    {HTTP_POST, "/session", HTTP_ROLE_ANONYMOUS, JSON, RATE_NONE, handle_login},
    {HTTP_GET, "/session", HTTP_ROLE_AUDITOR, NO_BODY, RATE_LIGHT, handle_get_session},
    {HTTP_DELETE, "/session", HTTP_ROLE_AUDITOR, NO_BODY, RATE_NONE, handle_logout},
    {HTTP_GET, "/users", ADMIN, NO_BODY, RATE_LIGHT, handle_list_users},
    {HTTP_POST, "/users", ADMIN, JSON, RATE_MEDIUM, handle_create_user},
    {HTTP_GET, "/users/{name}", ADMIN, NO_BODY, RATE_LIGHT, handle_get_user},
    {HTTP_PUT, "/users/{name}", ADMIN, JSON, RATE_MEDIUM, handle_change_user},
    {HTTP_DELETE, "/users/{name}", ADMIN, NO_BODY, RATE_MEDIUM, handle_delete_user},
    {HTTP_GET, "/api-keys", ADMIN, NO_BODY, RATE_LIGHT, handle_list_keys},
    {HTTP_POST, "/api-keys", ADMIN, JSON, RATE_MEDIUM, handle_create_key},
    {HTTP_POST, "/api-keys/{name}/rotate", ADMIN, JSON, RATE_MEDIUM, handle_rotate_key},
    {HTTP_DELETE, "/api-keys/{name}", ADMIN, NO_BODY, RATE_MEDIUM, handle_delete_key},
    {HTTP_GET, "/clients", ADMIN, NO_BODY, RATE_LIGHT, handle_list_clients},
    {HTTP_POST, "/clients", ADMIN, JSON, RATE_MEDIUM, handle_create_client},
    {HTTP_POST, "/clients/{name}/rotate", ADMIN, JSON, RATE_MEDIUM, handle_rotate_client},
    {HTTP_PUT, "/clients/{name}", ADMIN, JSON, RATE_MEDIUM, handle_change_client},
    {HTTP_DELETE, "/clients/{name}", ADMIN, NO_BODY, RATE_MEDIUM, handle_delete_client},
    {HTTP_POST, "/backup", ADMIN, NO_BODY, RATE_MEDIUM, handle_backup},
};

enum mg_status administration_api_add(struct router *router, struct administration_api *api, struct mg_error *error)
{
    static const char *const bases[] = {"/mintgate/v1", NULL};
    const struct http_family family = {
        .name = "administration",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = authenticate,
        .render = api->render,
        .arg = api,
    };
    return router_add(router, &family, error);
}
