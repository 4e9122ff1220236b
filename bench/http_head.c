/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/http_head.h"

#include <string.h>
#include <strings.h>

bool http_take_line(struct mg_slice *in, struct mg_slice *line)
{
    const uint8_t *newline = in->len == 0 ? NULL : memchr(in->data, '\n', in->len);
    if (newline == NULL) {
        return false;
    }
    struct mg_slice end;
    if (!mg_slice_take(in, line, (size_t)(newline - in->data)) || !mg_slice_take(in, &end, 1)) {
        return false;
    }
    if (line->len > 0 && line->data[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

size_t http_head_len(struct mg_slice data)
{
    struct mg_slice rest = data;
    struct mg_slice line;
    while (http_take_line(&rest, &line)) {
        if (line.len == 0) {
            return data.len - rest.len;
        }
    }
    return 0;
}

bool http_take_word(struct mg_slice *in, char separator, struct mg_slice *word)
{
    if (in->len == 0) {
        return false;
    }
    const uint8_t *end = memchr(in->data, separator, in->len);
    if (end == NULL) {
        return mg_slice_take(in, word, in->len);
    }
    struct mg_slice skipped;
    return mg_slice_take(in, word, (size_t)(end - in->data)) && mg_slice_take(in, &skipped, 1);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static struct mg_slice trim(struct mg_slice slice)
{
    while (slice.len > 0 && is_blank(slice.data[0])) {
        slice = mg_slice_of(slice.data + 1, slice.len - 1);
    }
    while (slice.len > 0 && is_blank(slice.data[slice.len - 1])) {
        slice.len--;
    }
    return slice;
}

bool http_equal_text(struct mg_slice slice, const char *text)
{
    size_t len = strlen(text);
    return slice.len == len && strncasecmp((const char *)slice.data, text, len) == 0;
}

bool http_field(struct mg_slice fields, const char *name, struct mg_slice *value)
{
    struct mg_slice line, field_name;
    while (http_take_line(&fields, &line)) {
        if (http_take_word(&line, ':', &field_name) && http_equal_text(field_name, name)) {
            *value = trim(line);
            return true;
        }
    }
    return false;
}

static unsigned digit_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20; /* lower case */
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10U : 255;
}

bool http_number(struct mg_slice text, unsigned base, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = digit_value(text.data[i]);
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *out = value;
    return text.len > 0;
}
