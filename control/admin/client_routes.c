/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "control/admin/routes.h"

static json_t *families_json(unsigned reach)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < REACH_NUM; i++) {
        if ((reach & 1U << i) != 0) {
            (void)json_array_append_new(list, json_string(reach_name(i)));
        }
    }
    return list;
}

static json_t *client_json(const struct credentials_client *client)
{
    return json_pack("{s:s, s:s, s:o, s:b, s:b}", "id", client->id, "role", http_role_name(client->role), "families",
                     families_json(client->reach), "enabled", !client->is_disabled, "hasKey", client->has_key);
}

static void add_client(void *arg, const struct credentials_client *client)
{
    (void)json_array_append_new(arg, client_json(client));
}

static enum mg_status list_clients(struct sqlite3 *db, json_t *list, struct mg_error *error)
{
    return credentials_client_each(db, add_client, list, error);
}

void handle_list_clients(void *arg, struct http_request *request, struct http_response *response)
{
    routes_list(arg, request, response, list_clients);
}

/* answer_client answers with the client |id| as it is now and with |secret|, where it has one, which is wiped; or with
 * the failure |status| of what was done to it. */
static void answer_client(const struct administration_api *api, const struct http_request *request,
                          struct http_response *response, enum mg_status status, const char *id,
                          char secret[CLIENT_SECRET_LEN], struct mg_error *error)
{
    struct store_tx *tx;
    struct credentials_client client;
    json_t *json = NULL;
    if (status == MG_OK) {
        status = store_begin(api->store, STORE_READ, &tx, error);
    }
    if (status == MG_OK) {
        status = store_end(tx, credentials_client_get(store_connection(tx), id, &client, error), error);
    }
    if (status == MG_OK) {
        json = client_json(&client);
    }
    if (secret[0] != '\0') {
        (void)json_object_set_new(json, "secret", json_string(secret));
    }
    routes_answer(request, response, status, json, error);
    mg_secret_wipe(secret, CLIENT_SECRET_LEN);
}

struct client_body {
    const char *id, *role, *public_key;
    const json_t *families;
    struct http_json_flag enabled;
};

#define KEY_FIELD                                                                                                      \
    {                                                                                                                  \
        "publicKey", HTTP_FIELD_TEXT, false, offsetof(struct client_body, public_key), 1, ROUTES_MAX_BODY              \
    }

static struct mg_slice key_of(const struct client_body *body)
{
    return body->public_key == NULL ? mg_slice_of(NULL, 0) : mg_slice_of_text(body->public_key);
}

/* read_families: those of the vendor for whose clients there were such credentials first, unless others are named. */
static enum mg_status read_families(const json_t *families, unsigned *out, struct mg_error *error)
{
    size_t i;
    const json_t *word;
    *out = families == NULL ? REACH_ZIA : 0;
    json_array_foreach(families, i, word)
    {
        unsigned bit = json_is_string(word) ? reach_bit(json_string_value(word)) : 0;
        if (bit == 0) {
            return mg_error_set(error, MG_INVALID, "families: must be some of zia, sap, securosys, mintgate");
        }
        *out |= bit;
    }
    return MG_OK;
}

void handle_create_client(void *arg, struct http_request *request, struct http_response *response)
{
    static const struct http_field fields[] = {
        {"id", HTTP_FIELD_TEXT, true, offsetof(struct client_body, id), 1, 255},
        {"role", HTTP_FIELD_TEXT, true, offsetof(struct client_body, role), 1, 255},
        {"families", HTTP_FIELD_ARRAY, false, offsetof(struct client_body, families), 1, REACH_NUM},
        KEY_FIELD,
    };
    struct administration_call call = routes_call(arg, request);
    struct client_body body = {.id = NULL};
    enum http_role role = HTTP_ROLE_ANONYMOUS;
    unsigned reach = 0;
    char secret[CLIENT_SECRET_LEN] = "";
    struct mg_error error;
    enum mg_status status = http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &error);
    if (status == MG_OK) {
        status = http_role_parse(body.role, &role, &error);
    }
    if (status == MG_OK) {
        status = read_families(body.families, &reach, &error);
    }
    if (status == MG_OK) {
        status = administration_client_create(&call, body.id, role, reach, key_of(&body), secret, &error);
    }
    answer_client(arg, request, response, status, body.id, secret, &error);
}

void handle_rotate_client(void *arg, struct http_request *request, struct http_response *response)
{
    static const struct http_field fields[] = {KEY_FIELD};
    struct administration_call call = routes_call(arg, request);
    struct client_body body = {.id = NULL};
    char id[HTTP_MAX_NAME], secret[CLIENT_SECRET_LEN] = "";
    struct mg_error error;
    enum mg_status status = http_request_word(request, 0, id, sizeof(id), &error);
    if (status == MG_OK) {
        status = http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &error);
    }
    if (status == MG_OK) {
        status = administration_client_rotate(&call, id, key_of(&body), secret, &error);
    }
    answer_client(arg, request, response, status, id, secret, &error);
}

void handle_change_client(void *arg, struct http_request *request, struct http_response *response)
{
    static const struct http_field fields[] = {
        {"enabled", HTTP_FIELD_FLAG, true, offsetof(struct client_body, enabled), 0, 0}};
    struct administration_call call = routes_call(arg, request);
    struct client_body body = {.id = NULL};
    char id[HTTP_MAX_NAME], no_secret[CLIENT_SECRET_LEN] = "";
    struct mg_error error;
    enum mg_status status = http_request_word(request, 0, id, sizeof(id), &error);
    if (status == MG_OK) {
        status = http_json_fields(request->json, fields, MG_ARRAY_LEN(fields), &body, &error);
    }
    if (status == MG_OK) {
        status = administration_client_set_disabled(&call, id, !body.enabled.value, &error);
    }
    answer_client(arg, request, response, status, id, no_secret, &error);
}

void handle_delete_client(void *arg, struct http_request *request, struct http_response *response)
{
    routes_delete(arg, request, response, administration_client_delete);
}
