/* SPDX-License-Identifier: Apache-2.0 */
#include "ossl/pem_block.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>

#define MAX_LABEL_LINE 64

static struct mg_slice trim(struct mg_slice text)
{
    while (text.len > 0 && isspace(text.data[0])) {
        text = mg_slice_of(text.data + 1, text.len - 1);
    }
    while (text.len > 0 && isspace(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* append_dense appends |text| without its white space; false where something in it is no base64. */
static bool append_dense(struct mg_buffer *out, struct mg_slice text)
{
    uint8_t byte;
    while (mg_slice_u8(&text, &byte)) {
        if (isalnum(byte) || byte == '+' || byte == '/' || byte == '=') {
            mg_buffer_append_u8(out, byte);
        } else if (!isspace(byte)) {
            return false;
        }
    }
    return mg_buffer_ok(out);
}

/* decode appends the bytes of |dense|; EVP_DecodeBlock gives zeros for the padding, and takes '=' in its midst. */
static bool decode(struct mg_slice dense, struct mg_buffer *out, uint8_t *scratch)
{
    if (dense.len == 0 || dense.len % 4 != 0) {
        return false;
    }
    size_t padding = (dense.data[dense.len - 1] == '=') + (dense.data[dense.len - 2] == '=');
    if (memchr(dense.data, '=', dense.len - padding) != NULL) {
        return false;
    }
    int len = EVP_DecodeBlock(scratch, dense.data, (int)dense.len);
    if (len < 0) {
        return false;
    }
    mg_buffer_append(out, scratch, (size_t)len - padding);
    return mg_buffer_ok(out);
}

enum mg_status pem_base64_decode(struct mg_slice text, struct mg_buffer *out, struct mg_error *error)
{
    struct mg_buffer dense;
    mg_buffer_init(&dense, text.len);
    uint8_t *scratch = malloc(text.len + 1);
    if (scratch == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    bool ok = append_dense(&dense, text) && decode(mg_buffer_slice(&dense), out, scratch);
    mg_buffer_free(&dense);
    free(scratch);
    return ok ? MG_OK : mg_error_set(error, MG_INVALID, "base64: malformed, or too long (RFC 4648 section 4)");
}

/* take_line takes |line| off the front of |text|. */
static bool take_line(struct mg_slice *text, const char *line)
{
    struct mg_slice head;
    return mg_slice_take(text, &head, strlen(line)) && mg_slice_equal(head, mg_slice_of_text(line));
}

enum mg_status pem_block_decode(struct mg_slice text, const char *label, struct mg_buffer *der, struct mg_error *error)
{
    char begin[MAX_LABEL_LINE], end[MAX_LABEL_LINE];
    snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
    snprintf(end, sizeof(end), "-----END %s-----", label);
    size_t end_len = strlen(end);
    struct mg_slice rest = trim(text), body;
    if (!take_line(&rest, begin) || rest.len < end_len || !mg_slice_take(&rest, &body, rest.len - end_len) ||
        !mg_slice_equal(rest, mg_slice_of_text(end))) {
        return mg_error_set(error, MG_INVALID, "must begin with %s and end with %s", begin, end);
    }
    bool begins_line = body.len > 0 && (body.data[0] == '\n' || body.data[0] == '\r');
    if (!begins_line || body.data[body.len - 1] != '\n') {
        return mg_error_set(error, MG_INVALID, "a newline must stand after the BEGIN line and before the END line");
    }
    return pem_base64_decode(body, der, error);
}
