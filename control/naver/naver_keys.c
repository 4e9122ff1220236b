/* SPDX-License-Identifier: Apache-2.0 */
/* The access keys of the family's clients, for administrators (naver.h). */
#include <stdio.h>

#include "base/secret.h"
#include "control/audit.h"
#include "control/http/json_body.h"
#include "control/http/login_answer.h"
#include "control/naver/naver.h"
#include "control/naver/naver_key.h"
#include "control/service/request_call.h"

#define MAX_BODY 4096
#define US_PER_SECOND 1000000

static json_t *key_json(const struct naver_key *key)
{
    return json_pack("{s:s,s:s,s:I}", "accessKey", key->access_key, "role", http_role_name(key->role), "created",
                     (json_int_t)(key->created_us / US_PER_SECOND));
}

static void add(void *arg, const struct naver_key *key)
{
    (void)json_array_append_new(arg, key_json(key));
}

static void handle_list(void *arg, struct http_request *request, struct http_response *response)
{
    const struct naver *naver = arg;
    struct store_tx *tx;
    struct mg_error error;
    json_t *list = json_array();
    enum mg_status status = store_begin(naver->auth.store, STORE_READ, &tx, &error);
    if (status == MG_OK) {
        status = store_end(tx, naver_key_each(tx, add, list, &error), &error);
    }
    if (status == MG_OK) {
        http_response_json(response, 200, list);
    } else {
        json_decref(list);
        http_fail_status(request, response, status, &error);
    }
}

/* record writes the audit record of |operation|, within its transaction. */
static enum mg_status record(struct store_tx *tx, const struct http_request *request, const char *operation,
                             const char *access_key, enum http_role role, struct mg_error *error)
{
    char object[64], detail[64] = "{}";
    snprintf(object, sizeof(object), "accessKey/%s", access_key);
    if (role != HTTP_ROLE_ANONYMOUS) {
        snprintf(detail, sizeof(detail), "{\"role\":\"%s\"}", http_role_name(role));
    }
    const struct audit_entry entry = {.time_us = request->caller.wall_us,
                                      .actor = request_actor(request),
                                      .operation = operation,
                                      .object = object,
                                      .outcome = AUDIT_DONE,
                                      .detail = detail};
    return audit_append(tx, &entry, error);
}

static enum mg_status make(const struct naver *naver, const struct http_request *request, enum http_role role,
                           struct naver_key *out, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(naver->auth.store, STORE_WRITE, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = naver_key_make(tx, role, request->caller.wall_us, out, error);
    if (status == MG_OK) {
        status = record(tx, request, "createAccessKey", out->access_key, role, error);
    }
    return store_end(tx, status, error);
}

struct key_body {
    const char *role;
};

static const struct http_field fields[] = {
    {"role", HTTP_FIELD_TEXT, true, offsetof(struct key_body, role), 1, 16},
};

static void handle_create(void *arg, struct http_request *request, struct http_response *response)
{
    struct key_body body = {.role = NULL};
    struct naver_key key = {.role = HTTP_ROLE_ANONYMOUS};
    enum http_role role;
    struct mg_error error = {""};
    enum mg_status status = http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &error);
    if (status == MG_OK) {
        status = http_role_parse(body.role, &role, &error);
    }
    if (status == MG_OK) {
        status = make(arg, request, role, &key, &error);
    }
    if (status != MG_OK) {
        http_fail_status(request, response, status, &error);
    } else {
        json_t *json = key_json(&key);
        (void)json_object_set_new(json, "secretKey", json_string(key.secret));
        http_response_json(response, 200, json_incref(json));
        http_json_free(json);
    }
    mg_secret_wipe(&key, sizeof(key));
}

static void handle_delete(void *arg, struct http_request *request, struct http_response *response)
{
    const struct naver *naver = arg;
    struct store_tx *tx;
    char access_key[NAVER_ACCESS_KEY_SIZE];
    struct mg_error error;
    enum mg_status status = http_request_word(request, 0, access_key, sizeof(access_key), &error);
    if (status != MG_OK) {
        status = mg_error_set(&error, MG_NOT_FOUND, "there is no such access key");
    } else {
        status = store_begin(naver->auth.store, STORE_WRITE, &tx, &error);
    }
    if (status == MG_OK) {
        status = naver_key_delete(tx, access_key, &error);
        if (status == MG_OK) {
            status = record(tx, request, "deleteAccessKey", access_key, HTTP_ROLE_ANONYMOUS, &error);
        }
        status = store_end(tx, status, &error);
    }
    if (status == MG_OK) {
        http_response_empty(response, 204);
    } else {
        http_fail_status(request, response, status, &error);
    }
}

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct naver *naver = arg;
    return login_identify(naver->authenticator, request, REACH_MINTGATE, out);
}

enum mg_status naver_keys_add(struct router *router, struct naver *naver, struct mg_error *error)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/pca-keys", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_LIGHT, handle_list},
        {HTTP_POST, "/pca-keys", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, MAX_BODY, RATE_MEDIUM, handle_create},
        {HTTP_DELETE, "/pca-keys/{accessKey}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_MEDIUM, handle_delete},
    };
    static const char *const bases[] = {"/mintgate/v1", NULL};
    const struct http_family family = {.name = "pca-keys",
                                       .bases = bases,
                                       .routes = routes,
                                       .num_routes = MG_ARRAY_LEN(routes),
                                       .authenticate = authenticate,
                                       .render = naver->render,
                                       .arg = naver};
    return router_add(router, &family, error);
}
