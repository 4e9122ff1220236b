/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_compact.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_space(struct mg_slice *in)
{
    uint8_t ignored;
    while (in->len > 0 && is_space(in->data[0])) {
        (void)!mg_slice_u8(in, &ignored);
    }
}

static bool take(struct mg_slice *in, uint8_t wanted)
{
    uint8_t c;
    skip_space(in);
    return in->len > 0 && in->data[0] == wanted && mg_slice_u8(in, &c);
}

/* take_string takes a text with its quotes; its escapes stay as they stand. */
static bool take_string(struct mg_slice *in, struct mg_slice *out)
{
    size_t len = 1;
    if (in->len == 0 || in->data[0] != '"') {
        return false;
    }
    while (len < in->len && in->data[len] != '"') {
        len += in->data[len] == '\\' ? 2 : 1;
    }
    return mg_slice_take(in, out, len + 1);
}

/* take_value takes a value up to what ends it, and appends it to |out| without white space. */
static bool take_value(struct mg_slice *in, struct mg_buffer *out)
{
    size_t depth = 0;
    while (in->len > 0) {
        struct mg_slice part;
        uint8_t c = in->data[0];
        bool is_end = c == '}' || c == ']';
        if (depth == 0 && (is_end || c == ',')) {
            return true;
        }
        depth += c == '{' || c == '[';
        depth -= is_end;
        if (c == '"' ? !take_string(in, &part) : !mg_slice_take(in, &part, 1)) {
            return false;
        }
        if (!is_space(c)) {
            mg_buffer_append_slice(out, part);
        }
    }
    return false;
}

bool ska_compact_member(struct mg_buffer *out, struct mg_slice json, const char *name)
{
    uint8_t storage[1];
    struct mg_buffer nowhere;
    if (!take(&json, '{')) {
        return false;
    }
    do {
        struct mg_slice key;
        skip_space(&json);
        if (!take_string(&json, &key) || !take(&json, ':')) {
            return false;
        }
        key = mg_slice_of(key.data + 1, key.len - 2);
        bool is_wanted = mg_slice_equal(key, mg_slice_of_text(name));
        mg_buffer_wrap(&nowhere, storage, sizeof(storage));
        if (!take_value(&json, is_wanted ? out : &nowhere)) {
            return false;
        }
        if (is_wanted) {
            return mg_buffer_ok(out);
        }
    } while (take(&json, ','));
    return false;
}
