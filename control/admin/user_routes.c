/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/routes.h"

static json_t *user_json(const struct credentials_user *user)
{
    return json_pack("{s:s, s:s, s:b, s:b, s:b}", "name", user->name, "role", http_role_name(user->role), "enabled",
                     !user->is_disabled, "hasPassword", user->has_password, "oneTime", user->is_one_time);
}

static void add_user(void *arg, const struct credentials_user *user)
{
    (void)json_array_append_new(arg, user_json(user));
}

static enum mg_status list_users(struct sqlite3 *db, json_t *list, struct mg_error *error)
{
    return credentials_user_each(db, add_user, list, error);
}

void handle_list_users(void *arg, struct http_request *request, struct http_response *response)
{
    routes_list(arg, request, response, list_users);
}

/* answer_user answers with the user |name| as it is now, or with the failure |status| of what was done to it. */
static void answer_user(const struct administration_api *api, const struct http_request *request,
                        struct http_response *response, enum mg_status status, const char *name, struct mg_error *error)
{
    struct store_tx *tx;
    struct credentials_user user;
    if (status == MG_OK) {
        status = store_begin(api->store, STORE_READ, &tx, error);
    }
    if (status == MG_OK) {
        status = store_end(tx, credentials_user_get(store_connection(tx), name, &user, NULL, error), error);
    }
    routes_answer(request, response, status, status == MG_OK ? user_json(&user) : NULL, error);
}

void handle_get_user(void *arg, struct http_request *request, struct http_response *response)
{
    char name[HTTP_MAX_NAME];
    struct mg_error error;
    enum mg_status status = http_request_word(request, 0, name, sizeof(name), &error);
    answer_user(arg, request, response, status, name, &error);
}

struct user_body {
    const char *name, *role, *password;
    struct http_json_flag enabled;
};

/* The rules for names and passwords are credentials.h's. */
#define NAME_FIELD(is_required)                                                                                        \
    {                                                                                                                  \
        "name", HTTP_FIELD_TEXT, is_required, offsetof(struct user_body, name), 1, 255                                 \
    }
#define ROLE_FIELD(is_required)                                                                                        \
    {                                                                                                                  \
        "role", HTTP_FIELD_TEXT, is_required, offsetof(struct user_body, role), 1, 255                                 \
    }
#define PASSWORD_FIELD(is_required)                                                                                    \
    {                                                                                                                  \
        "password", HTTP_FIELD_TEXT, is_required, offsetof(struct user_body, password), 0, 1024                        \
    }

void handle_create_user(void *arg, struct http_request *request, struct http_response *response)
{
    static const struct http_field fields[] = {NAME_FIELD(true), ROLE_FIELD(true), PASSWORD_FIELD(true)};
    const struct administration_api *api = arg;
    struct administration_call call = routes_call(api, request);
    struct user_body body = {.name = NULL};
    enum http_role role = HTTP_ROLE_ANONYMOUS;
    struct mg_error error;
    enum mg_status status = http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &error);
    if (status == MG_OK) {
        status = http_role_parse(body.role, &role, &error);
    }
    if (status == MG_OK) {
        status = administration_user_create(&call, body.name, role, mg_slice_of_text(body.password), &error);
    }
    answer_user(api, request, response, status, body.name, &error);
}

static enum mg_status read_change(const json_t *json, struct administration_user_change *out, struct mg_error *error)
{
    static const struct http_field fields[] = {
        ROLE_FIELD(false),
        PASSWORD_FIELD(false),
        {"enabled", HTTP_FIELD_FLAG, false, offsetof(struct user_body, enabled), 0, 0},
    };
    struct user_body body = {.name = NULL};
    *out = (struct administration_user_change){.role = HTTP_ROLE_ANONYMOUS};
    enum mg_status status = http_json_fields(json, fields, MG_ARRAY_LEN(fields), &body, error);
    if (status == MG_OK && body.role != NULL) {
        status = http_role_parse(body.role, &out->role, error);
    }
    if (status == MG_OK && body.password != NULL) {
        out->password = mg_slice_of_text(body.password);
    }
    out->enable = body.enabled.is_set && body.enabled.value;
    out->disable = body.enabled.is_set && !body.enabled.value;
    return status;
}

void handle_change_user(void *arg, struct http_request *request, struct http_response *response)
{
    const struct administration_api *api = arg;
    struct administration_call call = routes_call(api, request);
    struct administration_user_change change;
    char name[HTTP_MAX_NAME];
    struct mg_error error;
    enum mg_status status = http_request_word(request, 0, name, sizeof(name), &error);
    if (status == MG_OK) {
        status = read_change(request->json, &change, &error);
    }
    if (status == MG_OK) {
        status = administration_user_change(&call, name, &change, &error);
    }
    answer_user(api, request, response, status, name, &error);
}

void handle_delete_user(void *arg, struct http_request *request, struct http_response *response)
{
    routes_delete(arg, request, response, administration_user_delete);
}
