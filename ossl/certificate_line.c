/* SPDX-License-Identifier: Apache-2.0 */
#include "ossl/certificate_line.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

static const char begin_marker[] = "-----BEGIN CERTIFICATE-----", end_marker[] = "-----END CERTIFICATE-----";

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct mg_slice trim(struct mg_slice text)
{
    struct mg_slice space;
    while (text.len > 0 && is_space(text.data[0]) && mg_slice_take(&text, &space, 1)) {
    }
    while (text.len > 0 && is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* take_markers takes both markers off; false where they are not at the ends. */
static bool take_markers(struct mg_slice *text)
{
    struct mg_slice begin, body, rest = trim(*text);
    size_t begin_len = strlen(begin_marker), end_len = strlen(end_marker);
    if (rest.len < begin_len + end_len || !mg_slice_take(&rest, &begin, begin_len) ||
        !mg_slice_take(&rest, &body, rest.len - end_len)) {
        return false;
    }
    *text = body;
    return mg_slice_equal(begin, mg_slice_of_text(begin_marker)) && mg_slice_equal(rest, mg_slice_of_text(end_marker));
}

/* decode writes the bytes of the base64 |body| (RFC 4648 section 4) to |out|, which has room for as many, and returns
 * how many those are; 0: it is none. |packed| has room for |body| too. */
static size_t decode(struct mg_slice body, uint8_t *packed, uint8_t *out)
{
    size_t len = 0, num_padding = 0;
    for (size_t i = 0; i < body.len; i++) {
        if (!is_space(body.data[i])) {
            packed[len++] = body.data[i];
        }
    }
    while (num_padding < 2 && num_padding < len && packed[len - 1 - num_padding] == '=') {
        num_padding++;
    }
    /* OpenSSL takes a '-' as the end of the text. */
    if (len == 0 || len % 4 != 0 || memchr(packed, '-', len) != NULL) {
        return 0;
    }
    int decoded = EVP_DecodeBlock(out, packed, (int)len);
    return decoded < 0 ? 0 : (size_t)decoded - num_padding; /* the padding was decoded too, to zeros */
}

static enum mg_status parse_der(const uint8_t *der, size_t len, X509 **out, struct mg_error *error)
{
    const uint8_t *at = der;
    X509 *x509 = d2i_X509(NULL, &at, (long)len);
    ERR_clear_error();
    if (x509 == NULL || at != der + len) {
        X509_free(x509);
        return mg_error_set(error, MG_INVALID, "is no X.509 certificate");
    }
    *out = x509;
    return MG_OK;
}

enum mg_status certificate_line_parse(struct mg_slice text, X509 **out, struct mg_error *error)
{
    if (text.len > CERTIFICATE_LINE_MAX) {
        return mg_error_set(error, MG_INVALID, "is longer than %zu bytes", CERTIFICATE_LINE_MAX);
    }
    if (!take_markers(&text)) {
        return mg_error_set(error, MG_INVALID, "must begin with %s and end with %s", begin_marker, end_marker);
    }
    uint8_t *packed = malloc(2 * text.len + 2);
    if (packed == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a certificate");
    }
    uint8_t *der = packed + text.len + 1;
    size_t len = decode(text, packed, der);
    enum mg_status status = len == 0 ? mg_error_set(error, MG_INVALID, "is not base64 between its markers")
                                     : parse_der(der, len, out, error);
    free(packed);
    return status;
}
