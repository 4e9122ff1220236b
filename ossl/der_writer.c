/* SPDX-License-Identifier: Apache-2.0 */
#include "ossl/der_writer.h"

#include <stdio.h>
#include <time.h>

#define INTEGER 0x02
#define BIT_STRING 0x03
#define OCTET_STRING 0x04
#define UTC_TIME 0x17
#define GENERALIZED_TIME 0x18
#define MAX_HEAD 6 /* tag, and a length of up to four octets behind their number */

size_t der_writer_begin(const struct mg_buffer *out)
{
    return out->len;
}

/* make_head writes tag and length (X.690 section 8.1.3: definite, in its shortest form) and returns how long they are.
 */
static size_t make_head(uint8_t head[MAX_HEAD], uint8_t tag, size_t len)
{
    size_t num_octets = 0;
    head[0] = tag;
    if (len < 0x80) {
        head[1] = (uint8_t)len;
        return 2;
    }
    for (size_t rest = len; rest > 0; rest >>= 8) {
        num_octets++;
    }
    head[1] = (uint8_t)(0x80 | num_octets);
    for (size_t i = 0; i < num_octets; i++) {
        head[2 + i] = (uint8_t)(len >> 8 * (num_octets - 1 - i));
    }
    return 2 + num_octets;
}

/* The content moves up to make room for its head: it is written once, and nobody counts ahead. */
void der_writer_end(struct mg_buffer *out, size_t begin, uint8_t tag)
{
    uint8_t head[MAX_HEAD];
    if (!mg_buffer_ok(out)) {
        return;
    }
    size_t len = out->len - begin, head_len = make_head(head, tag, len);
    mg_buffer_append(out, head, head_len);
    if (mg_buffer_ok(out)) {
        memmove(out->data + begin + head_len, out->data + begin, len);
        memcpy(out->data + begin, head, head_len);
    }
}

void der_writer_unsigned(struct mg_buffer *out, struct mg_slice magnitude)
{
    struct mg_slice rest = magnitude;
    uint8_t first = 0;
    while (mg_slice_u8(&rest, &first) && first == 0) {
        magnitude = rest;
    }
    size_t begin = der_writer_begin(out);
    if (magnitude.len == 0 || first >= 0x80) {
        mg_buffer_append_u8(out, 0); /* zero has one octet; without it a high bit would be a sign */
    }
    mg_buffer_append_slice(out, magnitude);
    der_writer_end(out, begin, INTEGER);
}

void der_writer_number(struct mg_buffer *out, uint64_t number)
{
    uint8_t octets[8];
    for (size_t i = 0; i < sizeof(octets); i++) {
        octets[i] = (uint8_t)(number >> 8 * (sizeof(octets) - 1 - i));
    }
    der_writer_unsigned(out, mg_slice_of(octets, sizeof(octets)));
}

void der_writer_time(struct mg_buffer *out, int64_t seconds)
{
    time_t time = (time_t)seconds;
    struct tm tm;
    char text[32];
    if (gmtime_r(&time, &tm) == NULL || tm.tm_year > 9999 - 1900) {
        out->failed = true;
        return;
    }
    bool is_utc = tm.tm_year < 150;
    size_t len = strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm), skipped = is_utc ? 2 : 0; /* the century */
    size_t begin = der_writer_begin(out);
    mg_buffer_append(out, text + skipped, len - skipped);
    der_writer_end(out, begin, is_utc ? UTC_TIME : GENERALIZED_TIME);
}

void der_writer_bits(struct mg_buffer *out, struct mg_slice octets)
{
    size_t begin = der_writer_begin(out);
    mg_buffer_append_u8(out, 0); /* unused bits */
    mg_buffer_append_slice(out, octets);
    der_writer_end(out, begin, BIT_STRING);
}

void der_writer_octets(struct mg_buffer *out, struct mg_slice octets)
{
    size_t begin = der_writer_begin(out);
    mg_buffer_append_slice(out, octets);
    der_writer_end(out, begin, OCTET_STRING);
}
