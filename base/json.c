/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#define MAX_DECIMAL 20 /* digits of a uint64_t */
#define REPLACEMENT_CHARACTER 0xfffd

/* ---- strings ---- */

/* utf8_len returns the length of the well-formed UTF-8 sequence beyond ASCII that |text|, which ends with NUL, begins
 * with; 0: none (RFC 3629 section 4). */
static size_t utf8_len(const uint8_t *text)
{
    static const struct {
        uint8_t first, last;            /* of the first byte */
        uint8_t second_min, second_max; /* which rule out overlong forms, surrogates and what is beyond U+10FFFF */
        uint8_t len;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(forms); i++) {
        if (text[0] < forms[i].first || text[0] > forms[i].last) {
            continue;
        }
        bool good = text[1] >= forms[i].second_min && text[1] <= forms[i].second_max;
        for (size_t j = 2; j < forms[i].len && good; j++) {
            good = (text[j] & 0xc0) == 0x80;
        }
        return good ? forms[i].len : 0;
    }
    return 0;
}

static uint32_t utf8_decode(const uint8_t *text, size_t len)
{
    uint32_t character = text[0] & (0xffU >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        character = character << 6 | (text[i] & 0x3f);
    }
    return character;
}

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
    size_t len = *text < 0x80 ? 1 : utf8_len(text);
    escape(out, *text < 0x80 ? *text : len == 0 ? REPLACEMENT_CHARACTER : utf8_decode(text, len));
    return len == 0 ? 1 : len;
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
