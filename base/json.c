/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/utf8.h"

#define MAX_DECIMAL 20 /* digits of a uint64_t */
#define REPLACEMENT_CHARACTER 0xfffd

/* ---- strings ---- */

/* escape appends |character| in UTF-16 as JSON escapes it (RFC 8259 section 7). */
static void escape(struct mg_buffer *out, uint32_t character)
{
    if (character > 0xffff) {
        character -= 0x10000;
        mg_buffer_append_format(out, "\\u%04x\\u%04x", 0xd800 + (character >> 10), 0xdc00 + (character & 0x3ff));
    } else {
        mg_buffer_append_format(out, "\\u%04x", character);
    }
}

/* quote_special appends one character that cannot stand as it is; returns its length in |text|. */
static size_t quote_special(struct mg_buffer *out, const uint8_t *text)
{
    if (*text == '"' || *text == '\\') {
        const uint8_t escaped[] = {'\\', *text};
        mg_buffer_append(out, escaped, sizeof(escaped));
        return 1;
    }
    struct mg_slice rest = mg_slice_of(text, strnlen((const char *)text, MG_UTF8_MAX_LEN));
    uint32_t character;
    if (!mg_utf8_take(&rest, &character)) {
        escape(out, REPLACEMENT_CHARACTER);
        return 1;
    }
    escape(out, character);
    return (size_t)(rest.data - text);
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

void mg_json_quote(struct mg_buffer *out, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    mg_buffer_append_u8(out, '"');
    while (*at != '\0') {
        size_t len = 0;
        while (is_plain(at[len])) {
            len++;
        }
        mg_buffer_append(out, at, len);
        at += len;
        if (*at != '\0') {
            at += quote_special(out, at);
        }
    }
    mg_buffer_append_u8(out, '"');
}

/* ---- values ---- */

static void begin_value(struct mg_buffer *out, const char *key)
{
    uint8_t last = out->len == 0 ? '\n' : out->data[out->len - 1];
    if (last != '{' && last != '[' && last != '\n') {
        mg_buffer_append_u8(out, ',');
    }
    if (key != NULL) {
        mg_buffer_append_u8(out, '"');
        mg_buffer_append_text(out, key);
        mg_buffer_append_text(out, "\":");
    }
}

static void begin(struct mg_buffer *out, const char *key, uint8_t bracket)
{
    begin_value(out, key);
    mg_buffer_append_u8(out, bracket);
}

void mg_json_begin_object(struct mg_buffer *out, const char *key)
{
    begin(out, key, '{');
}

void mg_json_end_object(struct mg_buffer *out)
{
    mg_buffer_append_u8(out, '}');
}

void mg_json_begin_array(struct mg_buffer *out, const char *key)
{
    begin(out, key, '[');
}

void mg_json_end_array(struct mg_buffer *out)
{
    mg_buffer_append_u8(out, ']');
}

void mg_json_string(struct mg_buffer *out, const char *key, const char *text)
{
    begin_value(out, key);
    mg_json_quote(out, text);
}

void mg_json_uint(struct mg_buffer *out, const char *key, uint64_t number)
{
    uint8_t digits[MAX_DECIMAL];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    begin_value(out, key);
    mg_buffer_append(out, digits + at, sizeof(digits) - at);
}

void mg_json_bool(struct mg_buffer *out, const char *key, bool value)
{
    begin_value(out, key);
    mg_buffer_append_text(out, value ? "true" : "false");
}

void mg_json_hex(struct mg_buffer *out, const char *key, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    begin(out, key, '"');
    for (size_t i = 0; i < len; i++) {
        const uint8_t pair[] = {(uint8_t)digits[bytes[i] >> 4], (uint8_t)digits[bytes[i] & 0xf]};
        mg_buffer_append(out, pair, sizeof(pair));
    }
    mg_buffer_append_u8(out, '"');
}
