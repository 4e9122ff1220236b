/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "control/admin/routes.h"

static void add_key(void *arg, const char *name)
{
    (void)json_array_append_new(arg, json_pack("{s:s}", "name", name));
}

static enum mg_status list_keys(struct sqlite3 *db, json_t *list, struct mg_error *error)
{
    return credentials_api_key_each(db, add_key, list, error);
}

void handle_list_keys(void *arg, struct http_request *request, struct http_response *response)
{
    routes_list(arg, request, response, list_keys);
}

/* answer_key tells the key, and wipes it. */
static void answer_key(const struct http_request *request, struct http_response *response, enum mg_status status,
                       const char *name, char key[API_KEY_MAX + 1], const struct mg_error *error)
{
    json_t *json = status == MG_OK ? json_pack("{s:s, s:s}", "name", name, "key", key) : NULL;
    routes_answer(request, response, status, json, error);
    mg_secret_wipe(key, API_KEY_MAX + 1);
}

struct key_body {
    const char *name, *key;
};

#define KEY_FIELD                                                                                                      \
    {                                                                                                                  \
        "key", HTTP_FIELD_TEXT, false, offsetof(struct key_body, key), 1, 255                                          \
    }

void handle_create_key(void *arg, struct http_request *request, struct http_response *response)
{
    static const struct http_field fields[] = {{"name", HTTP_FIELD_TEXT, true, offsetof(struct key_body, name), 1, 255},
                                               KEY_FIELD};
    struct administration_call call = routes_call(arg, request);
    struct key_body body = {.name = NULL};
    char key[API_KEY_MAX + 1] = "";
    struct mg_error error;
    enum mg_status status = http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &error);
    if (status == MG_OK) {
        status = administration_api_key_create(&call, body.name, body.key, key, &error);
    }
    answer_key(request, response, status, body.name, key, &error);
}

void handle_rotate_key(void *arg, struct http_request *request, struct http_response *response)
{
    static const struct http_field fields[] = {KEY_FIELD};
    struct administration_call call = routes_call(arg, request);
    struct key_body body = {.name = NULL};
    char name[HTTP_MAX_NAME], key[API_KEY_MAX + 1] = "";
    struct mg_error error;
    enum mg_status status = http_request_word(request, 0, name, sizeof(name), &error);
    if (status == MG_OK) {
        status = http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &error);
    }
    if (status == MG_OK) {
        status = administration_api_key_rotate(&call, name, body.key, key, &error);
    }
    answer_key(request, response, status, name, key, &error);
}

void handle_delete_key(void *arg, struct http_request *request, struct http_response *response)
{
    routes_delete(arg, request, response, administration_api_key_delete);
}
