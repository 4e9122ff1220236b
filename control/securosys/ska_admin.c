/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_admin.h"

#include <stdio.h>

#include "base/secret.h"
#include "control/audit.h"
#include "control/http/json_body.h"
#include "control/http/login_answer.h"
#include "control/securosys/ska_api_key.h"
#include "control/service/request_call.h"

#define MAX_BODY 4096
#define US_PER_SECOND INT64_C(1000000)

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct ska_api *api = arg;
    return login_identify(api->authenticator, request, REACH_MINTGATE, out);
}

/* answer answers with |json|, whose reference it takes over, or with the failure |status|. */
static void answer(const struct http_request *request, struct http_response *response, enum mg_status status,
                   json_t *json, const struct mg_error *error)
{
    if (status == MG_OK) {
        http_response_json(response, 200, json);
    } else {
        json_decref(json);
        http_fail_status(request, response, status, error);
    }
}

static json_t *key_json(const struct ska_api_key *key)
{
    return json_pack("{s:s, s:s, s:I}", "name", key->name, "role", words_name(&ska_api_role_words, key->role),
                     "created", (json_int_t)(key->created_us / US_PER_SECOND));
}

static enum mg_status add_key(void *arg, const struct ska_api_key *key)
{
    return json_array_append_new(arg, key_json(key)) == 0 ? MG_OK : MG_MEMORY;
}

static void list_keys(void *arg, struct http_request *request, struct http_response *response)
{
    const struct ska_api *api = arg;
    struct store_tx *tx;
    struct mg_error error = {""};
    json_t *list = json_array();
    enum mg_status status = store_begin(api->store, STORE_READ, &tx, &error);
    if (status == MG_OK) {
        status = store_end(tx, ska_api_key_each(tx, add_key, list, &error), &error);
    }
    answer(request, response, status, list, &error);
}

static enum mg_status record(struct store_tx *tx, const struct http_request *request, const char *operation,
                             const char *name, const char *detail, struct mg_error *error)
{
    char object[HTTP_MAX_NAME + 16];
    snprintf(object, sizeof(object), "ska-api-key/%s", name);
    const struct audit_entry entry = {
        .time_us = request->caller.wall_us,
        .actor = request_actor(request),
        .operation = operation,
        .object = object,
        .outcome = AUDIT_DONE,
        .detail = detail,
    };
    return audit_append(tx, &entry, error);
}

struct create_body {
    const char *name, *role;
};

static enum mg_status read_key(const struct http_request *request, struct ska_api_key *out, struct mg_error *error)
{
    static const struct http_field fields[] = {
        {"name", HTTP_FIELD_TEXT, true, offsetof(struct create_body, name), 1, HTTP_MAX_NAME - 1},
        {"role", HTTP_FIELD_TEXT, true, offsetof(struct create_body, role), 1, 64},
    };
    struct create_body body = {.name = NULL};
    enum mg_status status = http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, error);
    if (status != MG_OK) {
        return status;
    }
    snprintf(out->name, sizeof(out->name), "%s", body.name);
    out->role = (enum ska_api_role)words_value(&ska_api_role_words, mg_slice_of_text(body.role));
    out->created_us = request->caller.wall_us;
    return out->role != 0 ? MG_OK
                          : mg_error_set(error, MG_INVALID,
                                         "role: must be keyManagementToken, keyOperationToken, approverToken or"
                                         " serviceToken");
}

static enum mg_status store_key(const struct ska_api *api, const struct http_request *request,
                                const struct ska_api_key *key, char text[SKA_API_KEY_LEN], struct mg_error *error)
{
    struct store_tx *tx;
    char detail[96];
    enum mg_status status = store_begin(api->store, STORE_WRITE, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    snprintf(detail, sizeof(detail), "{\"role\":\"%s\"}", words_name(&ska_api_role_words, key->role));
    status = ska_api_key_create(tx, key, text, error);
    if (status == MG_OK) {
        status = record(tx, request, "createSkaApiKey", key->name, detail, error);
    }
    return store_end(tx, status, error);
}

static void create_key(void *arg, struct http_request *request, struct http_response *response)
{
    struct ska_api_key key = {.name = ""};
    char text[SKA_API_KEY_LEN] = "";
    struct mg_error error = {""};
    json_t *json = NULL;
    enum mg_status status = read_key(request, &key, &error);
    if (status == MG_OK) {
        status = store_key(arg, request, &key, text, &error);
    }
    if (status == MG_OK) {
        json = key_json(&key);
        (void)json_object_set_new(json, "key", json_string(text));
    }
    mg_secret_wipe(text, sizeof(text));
    answer(request, response, status, json, &error);
}

static enum mg_status remove_key(const struct ska_api *api, const struct http_request *request, const char *name,
                                 struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(api->store, STORE_WRITE, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = ska_api_key_delete(tx, name, error);
    if (status == MG_OK) {
        status = record(tx, request, "deleteSkaApiKey", name, "{}", error);
    }
    return store_end(tx, status, error);
}

static void delete_key(void *arg, struct http_request *request, struct http_response *response)
{
    char name[HTTP_MAX_NAME];
    struct mg_error error = {""};
    enum mg_status status = http_request_word(request, 0, name, sizeof(name), &error);
    if (status == MG_OK) {
        status = remove_key(arg, request, name, &error);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
    } else {
        http_fail_status(request, response, status, &error);
    }
}

enum mg_status ska_admin_add(struct router *router, struct ska_api *api, struct mg_error *error)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/ska/api-keys", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_LIGHT, list_keys},
        {HTTP_POST, "/ska/api-keys", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, MAX_BODY, RATE_MEDIUM, create_key},
        {HTTP_DELETE, "/ska/api-keys/{name}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_MEDIUM, delete_key},
    };
    static const char *const bases[] = {"/mintgate/v1", NULL};
    const struct http_family family = {
        .name = "ska-admin",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = authenticate,
        .render = api->render,
        .arg = api,
    };
    return router_add(router, &family, error);
}
