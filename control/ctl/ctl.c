/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "config/values.h"

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

enum mg_status ctl_deliver(const struct ctl *ctl, struct mg_buffer *text, struct mg_error *error)
{
    const char *path = ctl->options[CTL_OUT];
    if (path == NULL) {
        return ctl_print(text, error);
    }
    enum mg_status status = mg_buffer_ok(text) ? mg_file_write_atomic(path, mg_buffer_slice(text), 0644, error)
                                               : mg_error_set(error, MG_MEMORY, "out of memory");
    mg_buffer_free(text);
    return status;
}

enum mg_status ctl_in_file(const char *path, enum mg_status status, struct mg_error *error)
{
    if (status != MG_INVALID) {
        return status;
    }
    struct mg_error inner = *error;
    return mg_error_set(error, MG_DENIED, "%s: %s", path, inner.text);
}

enum mg_status ctl_seconds(const char *text, uint64_t *out, struct mg_error *error)
{
    uint64_t ns;
    if (!config_value_duration(text, &ns) || ns < MG_NS_PER_SECOND || ns / MG_NS_PER_SECOND > CTL_MAX_SECONDS) {
        return mg_error_set(error, MG_INVALID, "--for: '%s' must be a time from 1s to 366d, as in 90s, 30m, 2h, 1d",
                            text);
    }
    *out = ns / MG_NS_PER_SECOND;
    return MG_OK;
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
