/* SPDX-License-Identifier: Apache-2.0 */
/* Users: who may log in, and what they may do (control/admin/administration_api.h). */
#include "base/json.h"
#include "base/secret.h"
#include "control/ctl/commands.h"
#include "control/ctl/credential.h"
#include "control/ctl/secret_input.h"

#define USERS API_MINTGATE "/users"
#define MAX_BODY 4096

static const char *const members[] = {"name", "role", "enabled", "hasPassword"};
static const char *const titles[] = {"NAME", "ROLE", "ENABLED", "PASSWORD"};
static const struct credential_columns columns = {members, titles, MG_ARRAY_LEN(members)};

enum mg_status user_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, USERS, &columns, error);
}

enum mg_status user_show(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    enum mg_status status = api_path(path, USERS, ctl->args[0], "", error);
    return status == MG_OK ? credential_list(ctl, path, &columns, error) : status;
}

/* ask sends |body| and prints the user afterwards. */
static enum mg_status ask(struct ctl *ctl, const char *method, const char *path, const char *body,
                          struct mg_error *error)
{
    json_t *user;
    enum mg_status status = api_ask_text(ctl, method, path, body, &user, error);
    if (status == MG_OK) {
        status = credential_print(ctl, user, &columns, error);
        json_decref(user);
    }
    return status;
}

/* ask_with_password is ask for a body of a new password and what else is not NULL. Control is reached first: at a URL
 * the own password is asked for before the new one. */
static enum mg_status ask_with_password(struct ctl *ctl, const char *method, const char *path, const char *name,
                                        const char *role, struct mg_error *error)
{
    char password[SECRET_INPUT_MAX + 1];
    struct mg_buffer body;
    json_t *self;
    enum mg_status status = api_ask(ctl, "GET", API_MINTGATE "/session", NULL, &self, error);
    if (status != MG_OK) {
        return status;
    }
    json_decref(self);
    status = secret_input_choose("new password", password, error);
    if (status == MG_OK && !mg_secret_buffer_init(&body, MAX_BODY)) {
        status = mg_error_set(error, MG_MEMORY, "out of memory");
    }
    if (status == MG_OK) {
        mg_json_begin_object(&body, NULL);
        if (name != NULL) {
            mg_json_string(&body, "name", name);
            mg_json_string(&body, "role", role);
        }
        mg_json_string(&body, "password", password);
        mg_json_end_object(&body);
        mg_buffer_append_u8(&body, '\0');
        status = mg_buffer_ok(&body) ? ask(ctl, method, path, (const char *)body.data, error)
                                     : mg_error_set(error, MG_INVALID, "the name or the role is too long");
        mg_secret_free(&body);
    }
    mg_secret_wipe(password, sizeof(password));
    return status;
}

enum mg_status user_create(struct ctl *ctl, struct mg_error *error)
{
    const char *role = ctl->options[CTL_ROLE];
    if (role == NULL) {
        return mg_error_set(error, MG_INVALID, "user create: --role admin, operator or auditor is needed");
    }
    return ask_with_password(ctl, "POST", USERS, ctl->args[0], role, error);
}

enum mg_status user_set_password(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    enum mg_status status = api_path(path, USERS, ctl->args[0], "", error);
    return status == MG_OK ? ask_with_password(ctl, "PUT", path, NULL, NULL, error) : status;
}

/* change puts one member of the user that the first argument names. */
static enum mg_status change(struct ctl *ctl, const char *member, json_t *value, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *body = json_pack("{s:o}", member, value), *user;
    enum mg_status status = api_path(path, USERS, ctl->args[0], "", error);
    if (status == MG_OK && body == NULL) {
        status = mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
    }
    if (status == MG_OK) {
        status = api_ask(ctl, "PUT", path, body, &user, error);
    }
    if (status == MG_OK) {
        status = credential_print(ctl, user, &columns, error);
        json_decref(user);
    }
    json_decref(body);
    return status;
}

enum mg_status user_set_role(struct ctl *ctl, struct mg_error *error)
{
    return change(ctl, "role", json_string(ctl->args[1]), error);
}

enum mg_status user_enable(struct ctl *ctl, struct mg_error *error)
{
    return change(ctl, "enabled", json_true(), error);
}

enum mg_status user_disable(struct ctl *ctl, struct mg_error *error)
{
    return change(ctl, "enabled", json_false(), error);
}

enum mg_status user_delete(struct ctl *ctl, struct mg_error *error)
{
    return credential_delete(ctl, USERS, error);
}

enum mg_status whoami_show(struct ctl *ctl, struct mg_error *error)
{
    static const struct credential_columns who = {members, titles, 2};
    return credential_list(ctl, API_MINTGATE "/session", &who, error);
}
