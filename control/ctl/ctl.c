/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

enum mg_status ctl_config(struct ctl *ctl, const struct config **out, struct mg_error *error)
{
    if (ctl->config == NULL && config_load(&ctl->config, ctl->config_path, error) != MG_OK) {
        return MG_DENIED;
    }
    *out = ctl->config;
    return MG_OK;
}

enum mg_status ctl_socket(struct ctl *ctl, const char **out, struct mg_error *error)
{
    const struct config *config;
    if (ctl->socket != NULL) {
        *out = ctl->socket;
        return MG_OK;
    }
    enum mg_status status = ctl_config(ctl, &config, error);
    if (status == MG_OK) {
        *out = config->control.socket;
    }
    return status;
}

static enum mg_status write_out(const void *data, size_t len, struct mg_error *error)
{
    if (fwrite(data, 1, len, stdout) != len || fflush(stdout) != 0) {
        return mg_error_errno(error, "standard output");
    }
    return MG_OK;
}

enum mg_status ctl_print(struct mg_buffer *text, struct mg_error *error)
{
    enum mg_status status = mg_buffer_ok(text) ? write_out(text->data, text->len, error)
                                               : mg_error_set(error, MG_LIMIT, "too much to print, or out of memory");
    mg_buffer_free(text);
    return status;
}

enum mg_status ctl_print_json(const json_t *value, struct mg_error *error)
{
    char *text = value == NULL ? NULL : json_dumps(value, JSON_INDENT(2));
    if (text == NULL) {
        return mg_error_set(error, MG_MEMORY, "no JSON: a text is no UTF-8, or out of memory");
    }
    struct mg_buffer line;
    mg_buffer_init(&line, SIZE_MAX);
    mg_buffer_append_text(&line, text);
    mg_buffer_append_u8(&line, '\n');
    free(text);
    return ctl_print(&line, error);
}

const char *ctl_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

int64_t ctl_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}
