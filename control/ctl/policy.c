/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine would decide about a flow now, and why: the engine's own words. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "control/ctl/api.h"
#include "control/ctl/commands.h"
#include "control/ctl/engine.h"
#include "control/ctl/server_text.h"
#include "control/ctl/table.h"

#define MAX_TEXT (1U << 20)
#define PAGE "/policy/explain"
/* Longer names and addresses are none. */
#define MAX_ARGUMENT 1024

/* ---- the question ---- */

/* append_argument appends "name=value" to the query; nothing where |value| is NULL. */
static void append_argument(struct mg_buffer *query, const char *name, const char *value)
{
    char *escaped = value == NULL ? NULL : curl_easy_escape(NULL, value, 0);
    if (value == NULL) {
        return;
    }
    mg_buffer_append_u8(query, query->len == strlen(PAGE) ? '?' : '&');
    mg_buffer_append_text(query, name);
    mg_buffer_append_u8(query, '=');
    mg_buffer_append_text(query, escaped == NULL ? "" : escaped);
    curl_free(escaped);
}

static enum mg_status check_length(const char *option, const char *value, struct mg_error *error)
{
    return value == NULL || strlen(value) <= MAX_ARGUMENT
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "--%s: longer than %d characters", option, MAX_ARGUMENT);
}

static enum mg_status make_path(const struct ctl *ctl, struct mg_buffer *path, struct mg_error *error)
{
    const char *name = ctl->options[CTL_NAME], *client = ctl->options[CTL_CLIENT];
    struct server_text server = {.port = NULL};
    enum mg_status status = check_length("name", name, error);
    if (status == MG_OK) {
        status = check_length("client", client, error);
    }
    if (status == MG_OK && ctl->options[CTL_SERVER] != NULL) {
        status = server_text_split(&server, ctl->options[CTL_SERVER], error);
    }
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_append_text(path, PAGE);
    append_argument(path, "sni", name);
    append_argument(path, "client", client);
    append_argument(path, "server", server.address[0] == '\0' ? NULL : server.address);
    append_argument(path, "port", server.port);
    mg_buffer_append_u8(path, '\0');
    return mg_buffer_ok(path) ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

/* ---- the answer ---- */

static void line(struct mg_buffer *out, const char *label, const char *value)
{
    char padded[16];
    snprintf(padded, sizeof(padded), "%-10s", label);
    const char *cells[] = {padded, value[0] == '\0' ? "none" : value};
    table_write(out, cells, 1, MG_ARRAY_LEN(cells));
}

static enum mg_status print_answer(const json_t *answer, struct mg_error *error)
{
    struct mg_buffer text;
    const json_t *why = json_object_get(answer, "why");
    mg_buffer_init(&text, MAX_TEXT);
    line(&text, "action", ctl_text(answer, "action"));
    line(&text, "reason", ctl_text(answer, "reason"));
    line(&text, "rule", ctl_text(answer, "rule"));
    if (json_object_get(answer, "issuer") != NULL) {
        line(&text, "issuer", ctl_text(answer, "issuer"));
    }
    mg_buffer_append_u8(&text, '\n');
    for (size_t i = 0; i < json_array_size(why); i++) {
        const char *cells[] = {json_string_value(json_array_get(why, i))};
        table_write(&text, cells, 1, MG_ARRAY_LEN(cells));
    }
    return ctl_print(&text, error);
}

enum mg_status policy_explain(struct ctl *ctl, struct mg_error *error)
{
    struct mg_buffer path;
    json_t *answer;
    mg_buffer_init(&path, 16U * MAX_ARGUMENT);
    enum mg_status status = make_path(ctl, &path, error);
    if (status == MG_OK) {
        status = engine_get_json(ctl, (const char *)path.data, &answer, error);
    }
    mg_buffer_free(&path);
    if (status == MG_OK) {
        status = ctl->json ? ctl_print_json(answer, error) : print_answer(answer, error);
        json_decref(answer);
    }
    return status;
}
