/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/credential.h"

#include <stdio.h>

#include "control/ctl/table.h"

#define MAX_TEXT (64U << 20)

static const char *cell_of(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    if (json_is_boolean(value)) {
        return json_is_true(value) ? "yes" : "no";
    }
    return ctl_text(object, member);
}

/* join makes one text of an array of texts. */
static json_t *join(const json_t *array)
{
    size_t i;
    const json_t *item;
    struct mg_buffer text;
    mg_buffer_init(&text, MAX_TEXT);
    json_array_foreach(array, i, item)
    {
        mg_buffer_append_text(&text, i == 0 ? "" : ",");
        mg_buffer_append_text(&text, json_is_string(item) ? json_string_value(item) : "?");
    }
    json_t *joined = mg_buffer_ok(&text) ? json_stringn((const char *)text.data, text.len) : NULL;
    mg_buffer_free(&text);
    return joined;
}

/* join_arrays makes each column that is an array one text, since that is what a table shows. */
static void join_arrays(json_t *object, const struct credential_columns *columns)
{
    for (size_t i = 0; i < columns->num; i++) {
        const json_t *value = json_object_get(object, columns->members[i]);
        if (json_is_array(value)) {
            (void)json_object_set_new(object, columns->members[i], join(value));
        }
    }
}

static enum mg_status print_table(json_t *list, const struct credential_columns *columns, struct mg_error *error)
{
    size_t num = json_is_array(list) ? json_array_size(list) : 1;
    struct table table;
    struct mg_buffer text;
    table_begin(&table, columns->titles, columns->num);
    for (size_t i = 0; i < num; i++) {
        json_t *object = json_is_array(list) ? json_array_get(list, i) : list;
        join_arrays(object, columns);
        for (size_t j = 0; j < columns->num; j++) {
            table_add(&table, cell_of(object, columns->members[j]));
        }
    }
    mg_buffer_init(&text, MAX_TEXT);
    table_end(&table, &text);
    return ctl_print(&text, error);
}

enum mg_status credential_print(const struct ctl *ctl, json_t *list, const struct credential_columns *columns,
                                struct mg_error *error)
{
    return ctl->json ? ctl_print_json(list, error) : print_table(list, columns, error);
}

enum mg_status credential_list(struct ctl *ctl, const char *path, const struct credential_columns *columns,
                               struct mg_error *error)
{
    json_t *list;
    enum mg_status status = api_ask(ctl, "GET", path, NULL, &list, error);
    if (status == MG_OK) {
        status = credential_print(ctl, list, columns, error);
        json_decref(list);
    }
    return status;
}

enum mg_status credential_delete(struct ctl *ctl, const char *base, struct mg_error *error)
{
    char path[API_MAX_PATH];
    json_t *nothing;
    enum mg_status status = api_path(path, base, ctl->args[0], "", error);
    if (status == MG_OK) {
        status = api_ask(ctl, "DELETE", path, NULL, &nothing, error);
    }
    if (status == MG_OK) {
        json_decref(nothing);
    }
    return status;
}

enum mg_status credential_ask(struct ctl *ctl, const char *method, const char *path, json_t *body,
                              const struct credential_columns *columns, struct mg_error *error)
{
    json_t *answer;
    if (body == NULL) {
        return mg_error_set(error, MG_INVALID, "arguments must be UTF-8");
    }
    enum mg_status status = api_ask(ctl, method, path, body, &answer, error);
    json_decref(body);
    if (status == MG_OK) {
        status = credential_print(ctl, answer, columns, error);
        json_decref(answer);
    }
    return status;
}
