/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/odata_key.h"

#include "base/buffer.h"
#include "control/http/scan.h"

static enum mg_status refuse(const char *const *names, size_t num_names, struct mg_error *error)
{
    return mg_error_set(error, MG_INVALID, "key: must be %s%s%s%s", num_names == 1 ? "'" : names[0],
                        num_names == 1 ? names[0] : "='...',", num_names == 1 ? "'" : names[1],
                        num_names == 1 ? "" : "='...'");
}

/* take_literal takes a quoted text off the front. False: it is none, or too long. */
static bool take_literal(struct mg_slice *in, char out[ODATA_MAX_VALUE + 1])
{
    struct mg_buffer value;
    mg_buffer_wrap(&value, out, ODATA_MAX_VALUE);
    if (!scan_skip(in, "'")) {
        return false;
    }
    for (;;) {
        struct mg_slice before = *in;
        struct mg_slice part = scan_until(in, '\'');
        if (part.len == before.len) {
            return false; /* no quote ends it */
        }
        mg_buffer_append_slice(&value, part);
        if (!scan_skip(in, "'")) {
            break;
        }
        mg_buffer_append_u8(&value, '\'');
    }
    out[value.len] = '\0';
    return mg_buffer_ok(&value) && memchr(out, '\0', value.len) == NULL;
}

/* index_of tells which name stands at the front, and takes it off with its '='; num_names for none. */
static size_t take_name(struct mg_slice *in, const char *const *names, size_t num_names)
{
    for (size_t i = 0; i < num_names; i++) {
        struct mg_slice rest = *in;
        if (scan_skip(&rest, names[i]) && scan_skip(&rest, "=")) {
            *in = rest;
            return i;
        }
    }
    return num_names;
}

static bool parse(struct mg_slice text, const char *const *names, size_t num_names, char out[][ODATA_MAX_VALUE + 1])
{
    bool is_set[ODATA_MAX_KEYS] = {false};
    if (num_names == 1 && text.len > 0 && text.data[0] == '\'') {
        return take_literal(&text, out[0]) && text.len == 0;
    }
    for (size_t i = 0; i < num_names; i++) {
        size_t index = (i == 0 || scan_skip(&text, ",")) ? take_name(&text, names, num_names) : num_names;
        if (index == num_names || is_set[index] || !take_literal(&text, out[index])) {
            return false;
        }
        is_set[index] = true;
    }
    return text.len == 0;
}

enum mg_status odata_key_parse(struct mg_slice text, const char *const *names, size_t num_names,
                               char out[][ODATA_MAX_VALUE + 1], struct mg_error *error)
{
    return parse(text, names, num_names, out) ? MG_OK : refuse(names, num_names, error);
}
