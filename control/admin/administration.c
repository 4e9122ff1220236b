/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/administration.h"

#include <stdio.h>

#include "base/json.h"
#include "base/secret.h"
#include "control/audit.h"

const struct store_migrations administration_migrations = {
    .module = "credentials", .steps = credentials_migrations, .num_steps = CREDENTIALS_NUM_MIGRATIONS};

#define MAX_OBJECT (HTTP_MAX_NAME + 16)
#define MAX_DETAIL 256

/* A change as the audit record tells it, and what makes it. */
struct change {
    const char *operation;
    const char *kind; /* of the object: "user", "apiKey", "client" */
    const char *name;
    enum mg_status (*apply)(sqlite3 *db, void *arg, struct mg_error *error);
    void *arg;
    struct mg_buffer detail; /* a JSON object; without memory: {} */
};

static enum mg_status record(struct store_tx *tx, const struct administration_call *call, struct change *change,
                             struct mg_error *error)
{
    char object[MAX_OBJECT], detail[MAX_DETAIL + 1];
    struct mg_slice told = mg_buffer_slice(&change->detail);
    snprintf(object, sizeof(object), "%s/%s", change->kind, change->name);
    snprintf(detail, sizeof(detail), "%.*s", told.data == NULL ? 2 : (int)told.len,
             told.data == NULL ? "{}" : (const char *)told.data);
    const struct audit_entry entry = {
        .time_us = call->now_us,
        .actor = call->actor,
        .operation = change->operation,
        .object = object,
        .outcome = AUDIT_DONE,
        .detail = detail,
    };
    return audit_append(tx, &entry, error);
}

/* make does |change| and its record in one transaction. The hash of a password is computed within: some tens of
 * milliseconds, of one at a time. */
static enum mg_status make(const struct administration_call *call, struct change *change, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(call->store, STORE_WRITE, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = change->apply(store_connection(tx), change->arg, error);
    if (status == MG_OK) {
        status = record(tx, call, change, error);
    }
    return store_end(tx, status, error);
}

/* ---- users ---- */

struct user {
    const char *name;
    enum http_role role;
    struct mg_slice password;
    const struct administration_user_change *change;
};

static void begin_detail(struct change *change, char storage[MAX_DETAIL])
{
    mg_buffer_wrap(&change->detail, storage, MAX_DETAIL);
    mg_json_begin_object(&change->detail, NULL);
}

static enum mg_status create_user(sqlite3 *db, void *arg, struct mg_error *error)
{
    const struct user *user = arg;
    return credentials_user_create(db, user->name, user->role, user->password, error);
}

enum mg_status administration_user_create(const struct administration_call *call, const char *name, enum http_role role,
                                          struct mg_slice password, struct mg_error *error)
{
    char storage[MAX_DETAIL];
    struct user user = {.name = name, .role = role, .password = password};
    struct change change = {"createUser", "user", name, create_user, &user, {.data = NULL}};
    begin_detail(&change, storage);
    mg_json_string(&change.detail, "role", http_role_name(role));
    mg_json_end_object(&change.detail);
    return make(call, &change, error);
}

/* with_admins_left applies |apply| and refuses it if it leaves nobody who is an administrator, or none who can log in,
 * where there was one. */
static enum mg_status with_admins_left(sqlite3 *db, struct user *user,
                                       enum mg_status (*apply)(sqlite3 *db, const struct user *user,
                                                               struct mg_error *error),
                                       struct mg_error *error)
{
    int64_t before[2], after[2];
    enum mg_status status = credentials_count_admins(db, &before[0], &before[1], error);
    if (status == MG_OK) {
        status = apply(db, user, error);
    }
    if (status == MG_OK) {
        status = credentials_count_admins(db, &after[0], &after[1], error);
    }
    if (status == MG_OK && ((before[0] > 0 && after[0] == 0) || (before[1] > 0 && after[1] == 0))) {
        status = mg_error_set(error, MG_LIMIT,
                              "user %s: is the last administrator who can log in; make another one first", user->name);
    }
    return status;
}

static enum mg_status apply_change(sqlite3 *db, const struct user *user, struct mg_error *error)
{
    const struct administration_user_change *change = user->change;
    enum mg_status status = MG_OK;
    if (change->role != HTTP_ROLE_ANONYMOUS) {
        status = credentials_user_set_role(db, user->name, change->role, error);
    }
    if (status == MG_OK && (change->enable || change->disable)) {
        status = credentials_user_set_disabled(db, user->name, change->disable, error);
    }
    if (status == MG_OK && change->password.data != NULL) {
        status = credentials_user_set_password(db, user->name, change->password, error);
    }
    return status;
}

static enum mg_status change_user(sqlite3 *db, void *arg, struct mg_error *error)
{
    return with_admins_left(db, arg, apply_change, error);
}

enum mg_status administration_user_change(const struct administration_call *call, const char *name,
                                          const struct administration_user_change *wanted, struct mg_error *error)
{
    char storage[MAX_DETAIL];
    bool state = wanted->enable || wanted->disable;
    if (wanted->role == HTTP_ROLE_ANONYMOUS && wanted->password.data == NULL && !state) {
        return mg_error_set(error, MG_INVALID, "user %s: one of role, password and enabled must be given", name);
    }
    struct user user = {.name = name, .change = wanted};
    struct change change = {"changeUser", "user", name, change_user, &user, {.data = NULL}};
    begin_detail(&change, storage);
    if (wanted->role != HTTP_ROLE_ANONYMOUS) {
        mg_json_string(&change.detail, "role", http_role_name(wanted->role));
    }
    if (state) {
        mg_json_bool(&change.detail, "enabled", !wanted->disable);
    }
    if (wanted->password.data != NULL) {
        mg_json_bool(&change.detail, "password", true);
    }
    mg_json_end_object(&change.detail);
    return make(call, &change, error);
}

static enum mg_status apply_delete(sqlite3 *db, const struct user *user, struct mg_error *error)
{
    return credentials_user_delete(db, user->name, error);
}

static enum mg_status delete_user(sqlite3 *db, void *arg, struct mg_error *error)
{
    return with_admins_left(db, arg, apply_delete, error);
}

enum mg_status administration_user_delete(const struct administration_call *call, const char *name,
                                          struct mg_error *error)
{
    struct user user = {.name = name};
    struct change change = {"deleteUser", "user", name, delete_user, &user, {.data = NULL}};
    return make(call, &change, error);
}

static enum mg_status make_first_user(sqlite3 *db, void *arg, struct mg_error *error)
{
    return credentials_first_start(db, arg, error);
}

enum mg_status administration_first_start(const struct administration_call *call, const char *path,
                                          struct mg_error *error)
{
    struct change change = {"createUser",    "user",           CREDENTIALS_FIRST_USER,
                            make_first_user, MG_UNCONST(path), {.data = NULL}};
    return make(call, &change, error);
}

static enum mg_status use_up(sqlite3 *db, void *arg, struct mg_error *error)
{
    const struct user *user = arg;
    return credentials_use_up(db, user->name, error);
}

enum mg_status administration_use_up(const struct administration_call *call, const char *name, struct mg_error *error)
{
    struct user user = {.name = name};
    struct change change = {"useUpFirstCredential", "user", name, use_up, &user, {.data = NULL}};
    return make(call, &change, error);
}

/* ---- API keys ---- */

struct api_key {
    const char *name;
    const char *key; /* NULL: to be made */
    char *out;
};

static enum mg_status create_key(sqlite3 *db, void *arg, struct mg_error *error)
{
    const struct api_key *key = arg;
    return credentials_api_key_create(db, key->name, key->key, key->out, error);
}

static enum mg_status delete_key(sqlite3 *db, void *arg, struct mg_error *error)
{
    const struct api_key *key = arg;
    return credentials_api_key_delete(db, key->name, error);
}

static enum mg_status rotate_key(sqlite3 *db, void *arg, struct mg_error *error)
{
    enum mg_status status = delete_key(db, arg, error);
    return status == MG_OK ? create_key(db, arg, error) : status;
}

/* make_key_change runs |change|; a secret whose change was not kept is not told. */
static enum mg_status make_key_change(const struct administration_call *call, struct change *change,
                                      const struct api_key *key, struct mg_error *error)
{
    enum mg_status status = make(call, change, error);
    if (status != MG_OK) {
        mg_secret_wipe(key->out, API_KEY_MAX + 1);
    }
    return status;
}

enum mg_status administration_api_key_create(const struct administration_call *call, const char *name, const char *key,
                                             char out[API_KEY_MAX + 1], struct mg_error *error)
{
    struct api_key what = {.name = name, .key = key, .out = out};
    struct change change = {"createApiKey", "apiKey", name, create_key, &what, {.data = NULL}};
    return make_key_change(call, &change, &what, error);
}

enum mg_status administration_api_key_rotate(const struct administration_call *call, const char *name, const char *key,
                                             char out[API_KEY_MAX + 1], struct mg_error *error)
{
    struct api_key what = {.name = name, .key = key, .out = out};
    struct change change = {"rotateApiKey", "apiKey", name, rotate_key, &what, {.data = NULL}};
    return make_key_change(call, &change, &what, error);
}

enum mg_status administration_api_key_delete(const struct administration_call *call, const char *name,
                                             struct mg_error *error)
{
    struct api_key what = {.name = name};
    struct change change = {"deleteApiKey", "apiKey", name, delete_key, &what, {.data = NULL}};
    return make(call, &change, error);
}

/* ---- clients ---- */

struct client {
    const char *id;
    enum http_role role;
    unsigned reach;             /* reach.h */
    struct mg_slice public_key; /* without memory: by a secret */
    char *out;
    bool is_disabled;
};

static enum mg_status create_client(sqlite3 *db, void *arg, struct mg_error *error)
{
    const struct client *client = arg;
    return client->public_key.data != NULL
               ? credentials_client_create_with_key(db, client->id, client->role, client->reach, client->public_key,
                                                    error)
               : credentials_client_create(db, client->id, client->role, client->reach, client->out, error);
}

static enum mg_status delete_client(sqlite3 *db, void *arg, struct mg_error *error)
{
    const struct client *client = arg;
    return credentials_client_delete(db, client->id, error);
}

static enum mg_status disable_client(sqlite3 *db, void *arg, struct mg_error *error)
{
    const struct client *client = arg;
    return credentials_client_set_disabled(db, client->id, client->is_disabled, error);
}

static enum mg_status rotate_client(sqlite3 *db, void *arg, struct mg_error *error)
{
    struct client *client = arg;
    struct credentials_client before = {.id = ""};
    enum mg_status status = credentials_client_get(db, client->id, &before, error);
    if (status == MG_OK) {
        status = delete_client(db, client, error);
    }
    client->role = before.role;
    client->reach = before.reach;
    client->is_disabled = before.is_disabled;
    if (status == MG_OK) {
        status = create_client(db, client, error);
    }
    return status == MG_OK && before.is_disabled ? disable_client(db, client, error) : status;
}

/* make_client_change runs |change|, and tells no secret that was not kept, or that there is not. */
static enum mg_status make_client_change(const struct administration_call *call, struct change *change,
                                         const struct client *client, struct mg_error *error)
{
    char storage[MAX_DETAIL];
    client->out[0] = '\0';
    begin_detail(change, storage);
    if (client->role != HTTP_ROLE_ANONYMOUS) {
        mg_json_string(&change->detail, "role", http_role_name(client->role));
    }
    if (client->reach != 0) {
        char families[REACH_TEXT_SIZE];
        reach_text(client->reach, families);
        mg_json_string(&change->detail, "families", families);
    }
    mg_json_string(&change->detail, "by", client->public_key.data != NULL ? "publicKey" : "secret");
    mg_json_end_object(&change->detail);
    enum mg_status status = make(call, change, error);
    if (status != MG_OK) {
        mg_secret_wipe(client->out, CLIENT_SECRET_LEN);
    }
    return status;
}

enum mg_status administration_client_create(const struct administration_call *call, const char *id, enum http_role role,
                                            unsigned reach, struct mg_slice public_key, char out[CLIENT_SECRET_LEN],
                                            struct mg_error *error)
{
    struct client client = {.id = id, .role = role, .reach = reach, .public_key = public_key, .out = out};
    struct change change = {"createClient", "client", id, create_client, &client, {.data = NULL}};
    return make_client_change(call, &change, &client, error);
}

enum mg_status administration_client_rotate(const struct administration_call *call, const char *id,
                                            struct mg_slice public_key, char out[CLIENT_SECRET_LEN],
                                            struct mg_error *error)
{
    struct client client = {.id = id, .public_key = public_key, .out = out};
    struct change change = {"rotateClient", "client", id, rotate_client, &client, {.data = NULL}};
    return make_client_change(call, &change, &client, error);
}

enum mg_status administration_client_set_disabled(const struct administration_call *call, const char *id,
                                                  bool is_disabled, struct mg_error *error)
{
    struct client client = {.id = id, .is_disabled = is_disabled};
    struct change change = {
        is_disabled ? "disableClient" : "enableClient", "client", id, disable_client, &client, {.data = NULL}};
    return make(call, &change, error);
}

enum mg_status administration_client_delete(const struct administration_call *call, const char *id,
                                            struct mg_error *error)
{
    struct client client = {.id = id};
    struct change change = {"deleteClient", "client", id, delete_client, &client, {.data = NULL}};
    return make(call, &change, error);
}
