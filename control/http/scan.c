/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/scan.h"

#include <string.h>
#include <strings.h>

static struct mg_slice take(struct mg_slice *in, size_t len)
{
    struct mg_slice out = mg_slice_of(NULL, 0);
    (void)!mg_slice_take(in, &out, len);
    return out;
}

static size_t index_of(struct mg_slice in, uint8_t byte)
{
    const uint8_t *found = in.len == 0 ? NULL : memchr(in.data, byte, in.len);
    return found == NULL ? in.len : (size_t)(found - in.data);
}

struct mg_slice scan_until(struct mg_slice *in, uint8_t delimiter)
{
    struct mg_slice out = take(in, index_of(*in, delimiter));
    if (in->len > 0) {
        (void)take(in, 1);
    }
    return out;
}

bool scan_line(struct mg_slice *in, struct mg_slice *out)
{
    if (in->len == 0) {
        return false;
    }
    *out = scan_until(in, '\n');
    if (out->len > 0 && out->data[out->len - 1] == '\r') {
        out->len--;
    }
    return true;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct mg_slice scan_trim(struct mg_slice in)
{
    while (in.len > 0 && is_blank(in.data[0])) {
        (void)take(&in, 1);
    }
    while (in.len > 0 && is_blank(in.data[in.len - 1])) {
        in.len--;
    }
    return in;
}

bool scan_equal_nocase(struct mg_slice in, const char *text)
{
    return in.len == strlen(text) && (in.len == 0 || strncasecmp((const char *)in.data, text, in.len) == 0);
}

bool scan_skip(struct mg_slice *in, const char *text)
{
    size_t len = strlen(text);
    if (in->len < len || memcmp(in->data, text, len) != 0) {
        return false;
    }
    (void)take(in, len);
    return true;
}

bool scan_skip_nocase(struct mg_slice *in, const char *text)
{
    size_t len = strlen(text);
    if (in->len < len || strncasecmp((const char *)in->data, text, len) != 0) {
        return false;
    }
    (void)take(in, len);
    return true;
}

size_t scan_find(struct mg_slice in, struct mg_slice what)
{
    if (in.len == 0 || what.len == 0 || what.len > in.len) {
        return what.len == 0 ? 0 : in.len;
    }
    const uint8_t *found = memmem(in.data, in.len, what.data, what.len);
    return found == NULL ? in.len : (size_t)(found - in.data);
}

bool scan_decimal(struct mg_slice in, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < in.len; i++) {
        uint64_t digit = (uint64_t)in.data[i] - '0';
        if (in.data[i] < '0' || in.data[i] > '9' || value > (max - digit) / 10 || max < digit) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (in.len == 0 || value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

bool scan_copy_text(struct mg_slice in, char *out, size_t size)
{
    if (in.len >= size || index_of(in, '\0') < in.len) {
        return false;
    }
    if (in.len > 0) {
        memcpy(out, in.data, in.len);
    }
    out[in.len] = '\0';
    return true;
}

/* take_quoted takes a quoted string whose opening quote is gone, up to and with its closing quote. */
static bool take_quoted(struct mg_slice *in, struct mg_slice *out)
{
    for (size_t i = 0; i < in->len; i++) {
        if (in->data[i] == '\\') {
            i++;
        } else if (in->data[i] == '"') {
            *out = take(in, i);
            (void)take(in, 1);
            return true;
        }
    }
    return false;
}

bool scan_header_parameter(struct mg_slice header, const char *name, struct mg_slice *out)
{
    (void)scan_until(&header, ';');
    while (header.len > 0) {
        while (header.len > 0 && (is_blank(header.data[0]) || header.data[0] == ';')) {
            (void)take(&header, 1);
        }
        size_t equals = index_of(header, '=');
        if (equals == header.len) {
            return false;
        }
        struct mg_slice key = scan_trim(take(&header, equals)), value;
        (void)take(&header, 1);
        if (scan_skip(&header, "\"")) {
            if (!take_quoted(&header, &value)) {
                return false;
            }
            (void)scan_until(&header, ';');
        } else {
            value = scan_trim(scan_until(&header, ';'));
        }
        if (scan_equal_nocase(key, name)) {
            *out = value;
            return true;
        }
    }
    return false;
}
