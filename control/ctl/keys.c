/* SPDX-License-Identifier: Apache-2.0 */
/* The signer's keys; and API keys and OAuth2 clients, credentials of programs (control/admin/administration_api.h). */
#include <string.h>

#include "base/file.h"
#include "control/ctl/commands.h"
#include "control/ctl/credential.h"

#define API_KEYS API_MINTGATE "/api-keys"
#define CLIENTS API_MINTGATE "/clients"
#define SIGNER_KEYS API_MINTGATE "/keys"
#define MAX_PUBLIC_KEY 16384

static const char *const signer_members[] = {"id", "type", "purpose", "holder", "intermediate", "installed", "label"};
static const char *const signer_titles[] = {"ID", "TYPE", "PURPOSE", "TOKEN", "INTERMEDIATE", "INSTALLED", "LABEL"};
static const struct credential_columns signer_keys = {signer_members, signer_titles, MG_ARRAY_LEN(signer_members)};

static const char *const key_members[] = {"name", "key"};
static const char *const key_titles[] = {"NAME", "KEY"};

static const char *const client_members[] = {"id", "role", "families", "enabled", "hasKey", "secret"};
static const char *const client_titles[] = {"ID", "ROLE", "FAMILIES", "ENABLED", "BY KEY", "SECRET"};

/* The last column is what is told once. */
static const struct credential_columns keys = {key_members, key_titles, MG_ARRAY_LEN(key_members) - 1};
static const struct credential_columns new_key = {key_members, key_titles, MG_ARRAY_LEN(key_members)};
static const struct credential_columns clients = {client_members, client_titles, MG_ARRAY_LEN(client_members) - 1};
static const struct credential_columns new_client = {client_members, client_titles, MG_ARRAY_LEN(client_members)};

enum mg_status key_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, SIGNER_KEYS, &signer_keys, error);
}

enum mg_status api_key_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, API_KEYS, &keys, error);
}

enum mg_status api_key_create(struct ctl *ctl, struct mg_error *error)
{
    return credential_ask(ctl, "POST", API_KEYS, json_pack("{s:s}", "name", ctl->args[0]), &new_key, error);
}

enum mg_status api_key_rotate(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    enum mg_status status = api_path(path, API_KEYS, ctl->args[0], "/rotate", error);
    return status == MG_OK ? credential_ask(ctl, "POST", path, json_object(), &new_key, error) : status;
}

enum mg_status api_key_delete(struct ctl *ctl, struct mg_error *error)
{
    return credential_delete(ctl, API_KEYS, error);
}

enum mg_status client_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, CLIENTS, &clients, error);
}

/* add_public_key puts the file of --public-key, if there is one, into |body|. */
static enum mg_status add_public_key(const struct ctl *ctl, json_t *body, struct mg_error *error)
{
    struct mg_buffer pem;
    const char *path = ctl->options[CTL_PUBLIC_KEY];
    if (path == NULL) {
        return MG_OK;
    }
    mg_buffer_init(&pem, MAX_PUBLIC_KEY);
    enum mg_status status = mg_file_read(path, &pem, error);
    if (status == MG_OK && json_object_set_new(body, "publicKey", json_stringn((const char *)pem.data, pem.len)) != 0) {
        status = mg_error_set(error, MG_DENIED, "%s: is no PEM", path);
    }
    mg_buffer_free(&pem);
    return status;
}

/* ask_for_client adds the public key to |body|, which it takes over, and asks. */
static enum mg_status ask_for_client(struct ctl *ctl, const char *path, json_t *body, struct mg_error *error)
{
    enum mg_status status = body == NULL ? MG_OK : add_public_key(ctl, body, error);
    if (status != MG_OK) {
        json_decref(body);
        return status;
    }
    return credential_ask(ctl, "POST", path, body, ctl->options[CTL_PUBLIC_KEY] == NULL ? &new_client : &clients,
                          error);
}

/* families_json makes an array of the words of --family; NULL: it was not given. */
static json_t *families_json(const char *text)
{
    json_t *list = text == NULL ? NULL : json_array();
    for (const char *at = text; at != NULL;) {
        size_t len = strcspn(at, ",");
        (void)json_array_append_new(list, json_stringn(at, len));
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return list;
}

enum mg_status client_create(struct ctl *ctl, struct mg_error *error)
{
    const char *role = ctl->options[CTL_ROLE];
    if (role == NULL) {
        return mg_error_set(error, MG_INVALID, "client create: --role admin, operator or auditor is needed");
    }
    return ask_for_client(ctl, CLIENTS,
                          json_pack("{s:s, s:s, s:o*}", "id", ctl->args[0], "role", role, "families",
                                    families_json(ctl->options[CTL_FAMILY])),
                          error);
}

enum mg_status client_rotate(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    enum mg_status status = api_path(path, CLIENTS, ctl->args[0], "/rotate", error);
    return status == MG_OK ? ask_for_client(ctl, path, json_object(), error) : status;
}

static enum mg_status set_enabled(struct ctl *ctl, bool enabled, struct mg_error *error)
{
    char path[API_MAX_PATH];
    enum mg_status status = api_path(path, CLIENTS, ctl->args[0], "", error);
    return status == MG_OK ? credential_ask(ctl, "PUT", path, json_pack("{s:b}", "enabled", enabled), &clients, error)
                           : status;
}

enum mg_status client_enable(struct ctl *ctl, struct mg_error *error)
{
    return set_enabled(ctl, true, error);
}

enum mg_status client_disable(struct ctl *ctl, struct mg_error *error)
{
    return set_enabled(ctl, false, error);
}

enum mg_status client_delete(struct ctl *ctl, struct mg_error *error)
{
    return credential_delete(ctl, CLIENTS, error);
}
