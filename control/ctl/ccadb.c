/* SPDX-License-Identifier: Apache-2.0 */
/* What the CCADB family works with (control/ccadb/admin_routes.c). */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "control/ctl/commands.h"
#include "control/ctl/credential.h"

#define CCADB API_MINTGATE "/ccadb"
#define MAX_PEM ((size_t)64 * 1024)
#define MAX_TEXT (4U << 20)
#define PAGE_SIZE 1000U /* of the API's pages, the largest */

static const char *const owner_members[] = {"name"}, *const owner_titles[] = {"OWNER"};
static const char *const record_members[] = {"id", "owner", "name", "revoked", "parent", "sha256"};
static const char *const record_titles[] = {"RECORD", "OWNER", "NAME", "REVOKED", "PARENT", "SHA-256"};
static const char *const user_members[] = {"name", "owner", "mayRevoke"};
static const char *const user_titles[] = {"USER", "OWNER", "MAY REVOKE"};
static const char *const client_members[] = {"id", "name", "redirectUri", "secret"};
static const char *const client_titles[] = {"ID", "NAME", "REDIRECT URI", "SECRET"};
static const char *const auditor_members[] = {"name", "location"}, *const auditor_titles[] = {"AUDITOR", "LOCATION"};
static const char *const word_members[] = {"list", "value"}, *const word_titles[] = {"LIST", "VALUE"};

#define COLUMNS(name)                                                                                                  \
    {                                                                                                                  \
        name##_members, name##_titles, MG_ARRAY_LEN(name##_members)                                                    \
    }
static const struct credential_columns owners = COLUMNS(owner), records = COLUMNS(record), users = COLUMNS(user),
                                       new_client = COLUMNS(client), auditors = COLUMNS(auditor), words = COLUMNS(word);
/* All but the secret, which is told once. */
static const struct credential_columns clients = {client_members, client_titles, MG_ARRAY_LEN(client_members) - 1};

static enum mg_status need_owner(const struct ctl *ctl, const char *command, struct mg_error *error)
{
    return ctl->options[CTL_OWNER] != NULL ? MG_OK : mg_error_set(error, MG_INVALID, "%s: --owner is needed", command);
}

/* ---- owners ---- */

enum mg_status ccadb_owner_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, CCADB "/owners", &owners, error);
}

enum mg_status ccadb_owner_add(struct ctl *ctl, struct mg_error *error)
{
    return credential_ask(ctl, "POST", CCADB "/owners", json_pack("{s:s}", "name", ctl->args[0]), &owners, error);
}

/* ---- records ---- */

/* collect_records gathers all pages of one kind into |all|; the last one is not full. */
static enum mg_status collect_records(struct ctl *ctl, const char *kind, json_t *all, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    size_t num = PAGE_SIZE;
    for (unsigned page = 1; status == MG_OK && num == PAGE_SIZE; page++) {
        char path[API_MAX_PATH];
        json_t *list;
        snprintf(path, sizeof(path), CCADB "/records?kind=%s&page=%u&pageSize=%u", kind, page, PAGE_SIZE);
        status = api_ask(ctl, "GET", path, NULL, &list, error);
        if (status == MG_OK) {
            num = json_array_size(list);
            (void)json_array_extend(all, list);
            json_decref(list);
        }
    }
    return status;
}

static enum mg_status list_records(struct ctl *ctl, const char *kind, struct mg_error *error)
{
    json_t *all = json_array();
    enum mg_status status = collect_records(ctl, kind, all, error);
    if (status == MG_OK) {
        status = credential_print(ctl, all, &records, error);
    }
    json_decref(all);
    return status;
}

enum mg_status ccadb_root_list(struct ctl *ctl, struct mg_error *error)
{
    return list_records(ctl, "root", error);
}

enum mg_status ccadb_record_list(struct ctl *ctl, struct mg_error *error)
{
    return list_records(ctl, "intermediate", error);
}

static void append_value(struct mg_buffer *out, const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    mg_buffer_append_format(out, "%s: ", name);
    mg_buffer_append_text(out, text == NULL ? "?" : text);
    mg_buffer_append_text(out, "\n");
    free(text);
}

/* print_record prints a record's members, a line each, then what it says; texts are quoted as in JSON, so that none can
 * steer a terminal. */
static enum mg_status print_record(json_t *record, struct mg_error *error)
{
    const char *name;
    json_t *value;
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_TEXT);
    for (size_t i = 0; i < MG_ARRAY_LEN(record_members); i++) {
        append_value(&text, record_members[i], json_object_get(record, record_members[i]));
    }
    json_object_foreach(json_object_get(record, "attributes"), name, value)
    {
        append_value(&text, name, value);
    }
    return ctl_print(&text, error);
}

enum mg_status ccadb_record_show(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *record;
    enum mg_status status = api_path(path, CCADB "/records", ctl->args[0], "", error);
    if (status == MG_OK) {
        status = api_ask(ctl, "GET", path, NULL, &record, error);
    }
    if (status == MG_OK) {
        status = ctl->json ? ctl_print_json(record, error) : print_record(record, error);
        json_decref(record);
    }
    return status;
}

enum mg_status ccadb_root_show(struct ctl *ctl, struct mg_error *error)
{
    return ccadb_record_show(ctl, error);
}

enum mg_status ccadb_root_add(struct ctl *ctl, struct mg_error *error)
{
    struct mg_buffer pem;
    enum mg_status status = need_owner(ctl, "ccadb root add", error);
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_init(&pem, MAX_PEM);
    status = mg_file_read(ctl->args[0], &pem, error);
    if (status == MG_OK) {
        json_t *body = json_pack("{s:s, s:s%, s:s*}", "owner", ctl->options[CTL_OWNER], "certificate",
                                 (const char *)pem.data, pem.len, "name", ctl->options[CTL_NAME]);
        status = credential_ask(ctl, "POST", CCADB "/roots", body, &records, error);
    }
    mg_buffer_free(&pem);
    return status;
}

/* ---- users and clients ---- */

enum mg_status ccadb_user_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, CCADB "/users", &users, error);
}

enum mg_status ccadb_user_grant(struct ctl *ctl, struct mg_error *error)
{
    char path[API_MAX_PATH];
    enum mg_status status = need_owner(ctl, "ccadb user grant", error);
    if (status == MG_OK) {
        status = api_path(path, CCADB "/users", ctl->args[0], "", error);
    }
    return status == MG_OK ? credential_ask(ctl, "PUT", path,
                                            json_pack("{s:s, s:b}", "owner", ctl->options[CTL_OWNER], "mayRevoke",
                                                      ctl->options[CTL_MAY_REVOKE] != NULL),
                                            &users, error)
                           : status;
}

enum mg_status ccadb_user_revoke(struct ctl *ctl, struct mg_error *error)
{
    return credential_delete(ctl, CCADB "/users", error);
}

enum mg_status ccadb_client_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, CCADB "/clients", &clients, error);
}

enum mg_status ccadb_client_add(struct ctl *ctl, struct mg_error *error)
{
    return credential_ask(ctl, "POST", CCADB "/clients",
                          json_pack("{s:s, s:s}", "name", ctl->args[0], "redirectUri", ctl->args[1]), &new_client,
                          error);
}

enum mg_status ccadb_client_delete(struct ctl *ctl, struct mg_error *error)
{
    return credential_delete(ctl, CCADB "/clients", error);
}

/* ---- words ---- */

enum mg_status ccadb_auditor_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, CCADB "/auditors", &auditors, error);
}

enum mg_status ccadb_auditor_add(struct ctl *ctl, struct mg_error *error)
{
    return credential_ask(
        ctl, "POST", CCADB "/auditors",
        json_pack("{s:s, s:s}", "name", ctl->args[0], "location", ctl->num_args > 1 ? ctl->args[1] : ""), &auditors,
        error);
}

enum mg_status ccadb_word_list(struct ctl *ctl, struct mg_error *error)
{
    return credential_list(ctl, CCADB "/words", &words, error);
}

enum mg_status ccadb_word_remove(struct ctl *ctl, struct mg_error *error)
{
    char base[API_MAX_PATH], path[API_MAX_PATH];
    json_t *answer;
    enum mg_status status = api_path(base, CCADB "/words", ctl->args[0], "", error);
    if (status == MG_OK) {
        status = api_path(path, base, ctl->args[1], "", error);
    }
    if (status == MG_OK) {
        status = api_ask(ctl, "DELETE", path, NULL, &answer, error);
    }
    if (status == MG_OK) {
        json_decref(answer);
    }
    return status;
}

enum mg_status ccadb_word_add(struct ctl *ctl, struct mg_error *error)
{
    return credential_ask(ctl, "POST", CCADB "/words",
                          json_pack("{s:s, s:s}", "list", ctl->args[0], "value", ctl->args[1]), &words, error);
}
