/* SPDX-License-Identifier: Apache-2.0 */
/* Trust stores and key stores (docs/api/sap.md), and intermediates made of a key store's file. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "control/ctl/commands.h"
#include "control/ctl/credential.h"
#include "control/ctl/secret_input.h"
#include "ossl/base64.h"

#define ODATA "/apiportal/api/1.0/Management.svc"
#define STORES ODATA "/CertificateStores"
#define CERTIFICATES ODATA "/Certificates"
#define REFERENCES ODATA "/CertificateStoreReferences"
/* A little more than the server takes: it says so then. */
#define MAX_FILE ((size_t)64 * 1024)
#define MAX_BODY ((size_t)256 * 1024)

/* ---- lists ---- */

static const char *const store_members[] = {"name", "storeType", "description"};
static const char *const store_titles[] = {"NAME", "TYPE", "DESCRIPTION"};
static const struct credential_columns store_columns = {store_members, store_titles, MG_ARRAY_LEN(store_members)};

static const char *const entry_members[] = {"name",    "format", "hasPrivateKey", "hasPreviousVersion",
                                            "subject", "issuer"};
static const char *const entry_titles[] = {"CERTIFICATE", "FORMAT", "KEY", "VERSION BEFORE", "SUBJECT", "ISSUER"};
static const struct credential_columns entry_columns = {entry_members, entry_titles, MG_ARRAY_LEN(entry_members)};

static const char *const reference_members[] = {"name", "storeType", "certificateStoreName"};
static const char *const reference_titles[] = {"REFERENCE", "TYPE", "STORE"};
static const struct credential_columns reference_columns = {reference_members, reference_titles,
                                                            MG_ARRAY_LEN(reference_members)};

/* load_list asks for all entities at |path| and keeps those whose |member| is |value|; the caller drops *out. */
static enum mg_status load_list(struct ctl *ctl, const char *path, const char *member, const char *value, json_t **out,
                                struct mg_error *error)
{
    json_t *answer, *item;
    size_t i;
    enum mg_status status = api_ask(ctl, "GET", path, NULL, &answer, error);
    if (status != MG_OK) {
        return status;
    }
    *out = json_array();
    json_array_foreach(json_object_get(json_object_get(answer, "d"), "results"), i, item)
    {
        if (strcmp(ctl_text(item, member), value) == 0) {
            (void)json_array_append(*out, item);
        }
    }
    json_decref(answer);
    return MG_OK;
}

static enum mg_status print_list(struct ctl *ctl, const char *path, const char *member, const char *value,
                                 const struct credential_columns *columns, struct mg_error *error)
{
    json_t *list;
    enum mg_status status = load_list(ctl, path, member, value, &list, error);
    if (status == MG_OK) {
        status = credential_print(ctl, list, columns, error);
        json_decref(list);
    }
    return status;
}

enum mg_status truststore_list(struct ctl *ctl, struct mg_error *error)
{
    return print_list(ctl, STORES, "storeType", "TRUSTSTORE", &store_columns, error);
}

enum mg_status keystore_list(struct ctl *ctl, struct mg_error *error)
{
    return print_list(ctl, STORES, "storeType", "KEYSTORE", &store_columns, error);
}

/* ---- addresses ---- */

/* check_name refuses what an address could not carry as it stands; which names there can be is the server's to say. */
static enum mg_status check_name(const char *name, struct mg_error *error)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return name[0] != '\0' && strspn(name, allowed) == strlen(name)
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "'%.80s': names have letters, digits, '.', '_' and '-'", name);
}

/* entity_path writes |base|('name'), or with |store| |base|(name='name',storeName='store'). */
static enum mg_status entity_path(char out[API_MAX_PATH], const char *base, const char *name, const char *store,
                                  struct mg_error *error)
{
    int len;
    enum mg_status status = check_name(name, error);
    if (status == MG_OK && store != NULL) {
        status = check_name(store, error);
    }
    if (status != MG_OK) {
        return status;
    }
    len = store == NULL ? snprintf(out, API_MAX_PATH, "%s('%s')", base, name)
                        : snprintf(out, API_MAX_PATH, "%s(name='%s',storeName='%s')", base, name, store);
    return len > 0 && len < API_MAX_PATH ? MG_OK : mg_error_set(error, MG_INVALID, "%s: is too long for a name", name);
}

/* ask_for_nothing asks where the answer has no body that is worth printing. */
static enum mg_status ask_for_nothing(struct ctl *ctl, const char *method, const char *path, json_t *body,
                                      struct mg_error *error)
{
    json_t *answer;
    enum mg_status status = api_ask(ctl, method, path, body, &answer, error);
    if (status == MG_OK) {
        json_decref(answer);
    }
    return status;
}

static enum mg_status delete_entity(struct ctl *ctl, const char *base, const char *name, const char *store,
                                    struct mg_error *error)
{
    char path[API_MAX_PATH];
    enum mg_status status = entity_path(path, base, name, store, error);
    return status == MG_OK ? ask_for_nothing(ctl, "DELETE", path, NULL, error) : status;
}

/* ---- stores ---- */

static enum mg_status print_entity(const struct ctl *ctl, const json_t *answer,
                                   const struct credential_columns *columns, struct mg_error *error)
{
    return credential_print(ctl, json_object_get(answer, "d"), columns, error);
}

static enum mg_status create(struct ctl *ctl, const char *kind, struct mg_error *error)
{
    const char *description = ctl->options[CTL_DESCRIPTION];
    json_t *answer, *body = json_pack("{s:s, s:s, s:s}", "name", ctl->args[0], "storeType", kind, "description",
                                      description == NULL ? "" : description);
    if (body == NULL) {
        return mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
    }
    enum mg_status status = api_ask(ctl, "POST", STORES, body, &answer, error);
    json_decref(body);
    if (status == MG_OK) {
        status = print_entity(ctl, answer, &store_columns, error);
        json_decref(answer);
    }
    return status;
}

enum mg_status truststore_create(struct ctl *ctl, struct mg_error *error)
{
    return create(ctl, "TRUSTSTORE", error);
}

enum mg_status keystore_create(struct ctl *ctl, struct mg_error *error)
{
    return create(ctl, "KEYSTORE", error);
}

enum mg_status store_show(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *store;
    enum mg_status status = entity_path(path, STORES, ctl->args[0], NULL, error);
    if (status == MG_OK) {
        status = api_ask(ctl, "GET", path, NULL, &store, error); /* a name that is none is refused */
    }
    if (status != MG_OK) {
        return status;
    }
    json_decref(store);
    return print_list(ctl, CERTIFICATES, "storeName", ctl->args[0], &entry_columns, error);
}

enum mg_status store_delete(struct ctl *ctl, struct mg_error *error)
{
    return delete_entity(ctl, STORES, ctl->args[0], NULL, error);
}

enum mg_status store_remove(struct ctl *ctl, struct mg_error *error)
{
    return delete_entity(ctl, CERTIFICATES, ctl->args[1], ctl->args[0], error);
}

enum mg_status store_restore(struct ctl *ctl, struct mg_error *error)
{
    static const char *const members[] = {"store", "name", "format", "createdBy"};
    static const char *const titles[] = {"STORE", "CERTIFICATE", "FORMAT", "PUT BY"};
    static const struct credential_columns columns = {members, titles, MG_ARRAY_LEN(members)};
    char path[API_MAX_PATH], rest[API_MAX_PATH];
    json_t *answer;
    enum mg_status status = api_path(rest, "", ctl->args[1], "/restore", error);
    if (status == MG_OK) {
        status = api_path(path, API_MINTGATE "/stores", ctl->args[0], rest, error);
    }
    if (status == MG_OK) {
        status = api_ask(ctl, "POST", path, NULL, &answer, error);
    }
    if (status == MG_OK) {
        status = credential_print(ctl, answer, &columns, error);
        json_decref(answer);
    }
    return status;
}

/* ---- files ---- */

/* add_file appends a member with the content of the file |path| in Base64. */
static enum mg_status add_file(struct mg_buffer *body, const char *member, const char *path, struct mg_error *error)
{
    struct mg_buffer content;
    if (!mg_secret_buffer_init(&content, MAX_FILE)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    enum mg_status status = mg_file_read(path, &content, error);
    if (status == MG_OK) {
        mg_buffer_append_format(body, ",\"%s\":\"", member);
        base64_encode(body, mg_buffer_slice(&content));
        mg_buffer_append_text(body, "\"");
    }
    mg_secret_free(&content);
    return status;
}

static enum mg_status add_passphrase(struct mg_buffer *body, struct mg_error *error)
{
    char passphrase[SECRET_INPUT_MAX + 1];
    enum mg_status status = secret_input_read("passphrase of the file", passphrase, error);
    if (status == MG_OK) {
        mg_json_string(body, "password", passphrase);
    }
    mg_secret_wipe(passphrase, sizeof(passphrase));
    return status;
}

/* add_files appends what the command line says of files: |path|, --key, --passphrase. */
static enum mg_status add_files(const struct ctl *ctl, const char *path, struct mg_buffer *body, struct mg_error *error)
{
    const char *slash = strrchr(path, '/'), *key = ctl->options[CTL_KEY];
    mg_json_string(body, "fileName", slash == NULL ? path : slash + 1);
    enum mg_status status = add_file(body, "content", path, error);
    if (status == MG_OK && key != NULL) {
        status = add_file(body, "privateKey", key, error);
    }
    return status == MG_OK && ctl->options[CTL_PASSPHRASE] != NULL ? add_passphrase(body, error) : status;
}

/* send_file posts |body|, a JSON object open for members, with the files; the caller drops *out. */
static enum mg_status send_file(struct ctl *ctl, const char *path, const char *file, struct mg_buffer *body,
                                json_t **out, struct mg_error *error)
{
    enum mg_status status = add_files(ctl, file, body, error);
    if (status != MG_OK) {
        return status;
    }
    mg_json_end_object(body);
    mg_buffer_append_u8(body, '\0');
    return mg_buffer_ok(body) ? api_ask_text(ctl, "POST", path, (const char *)body->data, out, error)
                              : mg_error_set(error, MG_INVALID, "%s: is too long", file);
}

/* stem_of copies the file's name without folders and ending: what a certificate is called if nothing else is said. */
static void stem_of(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1, *dot = strrchr(name, '.');
    snprintf(out, size, "%.*s", dot == NULL || dot == name ? (int)strlen(name) : (int)(dot - name), name);
}

enum mg_status store_add(struct ctl *ctl, struct mg_error *error)
{
    char stem[API_MAX_PATH];
    struct mg_buffer body;
    json_t *answer;
    stem_of(ctl->args[1], stem, sizeof(stem));
    if (!mg_secret_buffer_init(&body, MAX_BODY)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    mg_json_begin_object(&body, NULL);
    mg_json_string(&body, "storeName", ctl->args[0]);
    mg_json_string(&body, "name", ctl->options[CTL_NAME] != NULL ? ctl->options[CTL_NAME] : stem);
    enum mg_status status = send_file(ctl, CERTIFICATES, ctl->args[1], &body, &answer, error);
    mg_secret_free(&body);
    if (status == MG_OK) {
        status = print_entity(ctl, answer, &entry_columns, error);
        json_decref(answer);
    }
    return status;
}

enum mg_status intermediate_import(struct ctl *ctl, struct mg_error *error)
{
    const char *description = ctl->options[CTL_DESCRIPTION];
    struct mg_buffer body, text;
    json_t *answer;
    if (!mg_secret_buffer_init(&body, MAX_BODY)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    mg_json_begin_object(&body, NULL);
    mg_json_string(&body, "name", ctl->args[0]);
    mg_json_string(&body, "description", description == NULL ? "" : description);
    mg_json_bool(&body, "enabled", ctl->options[CTL_ENABLED] != NULL);
    enum mg_status status = send_file(ctl, API_MINTGATE "/intermediate", ctl->args[1], &body, &answer, error);
    mg_secret_free(&body);
    if (status != MG_OK) {
        return status;
    }
    if (ctl->json) {
        status = ctl_print_json(answer, error);
    } else {
        mg_buffer_init(&text, API_MAX_PATH * 8);
        mg_buffer_append_format(&text, "Intermediate %lld is ready.\n", (long long)ctl_number(answer, "id"));
        status = ctl_print(&text, error);
    }
    json_decref(answer);
    return status;
}

/* ---- references ---- */

enum mg_status reference_list(struct ctl *ctl, struct mg_error *error)
{
    json_t *answer;
    enum mg_status status = api_ask(ctl, "GET", REFERENCES, NULL, &answer, error);
    if (status == MG_OK) {
        json_t *list = json_object_get(json_object_get(answer, "d"), "results");
        status = credential_print(ctl, list, &reference_columns, error);
        json_decref(answer);
    }
    return status;
}

/* reference_set swings a reference that there is, and makes one that there is not. */
enum mg_status reference_set(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *present;
    enum mg_status status = entity_path(path, REFERENCES, ctl->args[0], NULL, error);
    if (status == MG_OK) {
        status = check_name(ctl->args[1], error);
    }
    if (status == MG_OK) {
        status = load_list(ctl, REFERENCES, "name", ctl->args[0], &present, error);
    }
    if (status != MG_OK) {
        return status;
    }
    bool exists = json_array_size(present) > 0;
    json_t *body = json_pack("{s:s, s:s}", "name", ctl->args[0], "certificateStoreName", ctl->args[1]);
    status = ask_for_nothing(ctl, exists ? "PUT" : "POST", exists ? path : REFERENCES, body, error);
    json_decref(body);
    json_decref(present);
    return status;
}

enum mg_status reference_delete(struct ctl *ctl, struct mg_error *error)
{
    return delete_entity(ctl, REFERENCES, ctl->args[0], NULL, error);
}
