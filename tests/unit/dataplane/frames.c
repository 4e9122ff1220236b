/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

const uint8_t frame_client4[4] = {192, 0, 2, 1}, frame_server4[4] = {198, 51, 100, 2};
const uint8_t frame_client6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
const uint8_t frame_server6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 2};

uint32_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

uint32_t test_random_below(uint64_t *state, uint32_t bound)
{
    return test_random(state) % bound;
}

static uint8_t digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

size_t frame_hex(uint8_t *out, const char *hex)
{
    size_t num_digits = 0;
    for (; hex != NULL && *hex != '\0'; hex++) {
        if (*hex == ' ') {
            continue;
        }
        if (num_digits % 2 == 0) {
            out[num_digits / 2] = (uint8_t)(digit(*hex) << 4);
        } else {
            out[num_digits / 2] |= digit(*hex);
        }
        num_digits++;
    }
    assert_int_equal(num_digits % 2, 0);
    return num_digits / 2;
}

static void put16(uint8_t *place, size_t value)
{
    place[0] = (uint8_t)(value >> 8);
    place[1] = (uint8_t)value;
}

static void put32(uint8_t *place, uint32_t value)
{
    put16(place, value >> 16);
    put16(place + 2, value & 0xffff);
}

static uint16_t add_ones_complement(uint32_t a, uint32_t b)
{
    uint32_t sum = a + b;
    return (uint16_t)(sum > 0xffff ? sum - 0xffff : sum);
}

uint16_t frame_sum(const uint8_t *data, size_t len)
{
    uint16_t sum = 0;
    for (size_t i = 0; i < len; i += 2) {
        sum = add_ones_complement(sum, (uint32_t)data[i] << 8 | (i + 1 < len ? data[i + 1] : 0));
    }
    return sum;
}

/* transport_sum is the sum over the pseudo-header and the segment (RFC 9293 section 3.1, RFC 8200 section 8.1). */
static uint16_t transport_sum(const uint8_t *ip, const uint8_t *segment, size_t len)
{
    bool is_ipv6 = ip[0] >> 4 == 6;
    uint16_t sum = frame_sum(is_ipv6 ? ip + 8 : ip + 12, is_ipv6 ? 32 : 8);
    sum = add_ones_complement(sum, PROTOCOL_TCP);
    sum = add_ones_complement(sum, (uint32_t)len);
    return add_ones_complement(sum, frame_sum(segment, len));
}

static size_t put_ipv4(uint8_t *out, const struct frame_ip *ip, struct mg_slice body)
{
    size_t header_len = 20 + frame_hex(out + 20, ip->options);
    memset(out, 0, 20);
    out[0] = (uint8_t)(4 << 4 | header_len / 4);
    out[1] = ip->tos;
    put16(out + 2, (size_t)((int)(header_len + body.len) + ip->length_lie));
    put16(out + 4, ip->id);
    put16(out + 6, ip->fragment);
    out[8] = ip->ttl != 0 ? ip->ttl : 64;
    out[9] = ip->protocol;
    memcpy(out + 12, ip->source != NULL ? ip->source : frame_client4, 4);
    memcpy(out + 16, ip->destination != NULL ? ip->destination : frame_server4, 4);
    put16(out + 10, (uint16_t)~frame_sum(out, header_len));
    return header_len;
}

/* set_last_next_header walks the extension headers and writes |protocol| into the last one. */
static void set_last_next_header(uint8_t *extensions, size_t len, uint8_t first, uint8_t protocol)
{
    uint8_t kind = first;
    for (size_t at = 0;;) {
        size_t header_len = kind == PROTOCOL_FRAGMENT ? 8
                            : kind == PROTOCOL_AH     ? (extensions[at + 1] + 2u) * 4
                                                      : (extensions[at + 1] + 1u) * 8;
        if (at + header_len >= len) {
            extensions[at] = protocol;
            return;
        }
        kind = extensions[at];
        at += header_len;
    }
}

static size_t put_ipv6(uint8_t *out, const struct frame_ip *ip, struct mg_slice body)
{
    size_t extensions_len = frame_hex(out + 40, ip->extensions);
    put32(out, UINT32_C(6) << 28 | (uint32_t)ip->tos << 20 | ip->flow_label);
    put16(out + 4, (size_t)((int)(extensions_len + body.len) + ip->length_lie));
    out[6] = ip->protocol;
    if (extensions_len > 0) {
        out[6] = ip->first_extension;
        set_last_next_header(out + 40, extensions_len, ip->first_extension, ip->protocol);
    }
    out[7] = ip->ttl != 0 ? ip->ttl : 64;
    memcpy(out + 8, ip->source != NULL ? ip->source : frame_client6, 16);
    memcpy(out + 24, ip->destination != NULL ? ip->destination : frame_server6, 16);
    return 40 + extensions_len;
}

/* put_headers writes layers 2 and 3; *ip_offset and the result are where they begin and where the body goes. */
static size_t put_headers(uint8_t *out, const struct frame_ip *ip, struct mg_slice body, size_t *ip_offset)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    memcpy(out, macs, sizeof(macs));
    size_t len = sizeof(macs) + frame_hex(out + sizeof(macs), ip->tags);
    put16(out + len, ip->ethertype != 0 ? ip->ethertype : ip->is_ipv6 ? 0x86dd : 0x0800);
    *ip_offset = len + 2;
    return *ip_offset + (ip->is_ipv6 ? put_ipv6 : put_ipv4)(out + *ip_offset, ip, body);
}

size_t frame_ip(uint8_t *out, const struct frame_ip *ip, struct mg_slice body)
{
    size_t ip_offset, len = put_headers(out, ip, body, &ip_offset);
    if (body.len > 0) {
        memcpy(out + len, body.data, body.len);
    }
    memset(out + len + body.len, 0xdd, ip->padding_len);
    return len + body.len + ip->padding_len;
}

static size_t put_tcp(uint8_t *out, const struct frame_tcp *tcp)
{
    size_t header_len = 20 + frame_hex(out + 20, tcp->options);
    memset(out, 0, 20);
    put16(out, tcp->source_port != 0 ? tcp->source_port : FRAME_CLIENT_PORT);
    put16(out + 2, tcp->destination_port != 0 ? tcp->destination_port : FRAME_SERVER_PORT);
    put32(out + 4, tcp->seq);
    put32(out + 8, tcp->ack);
    out[12] = (uint8_t)((tcp->header_words != 0 ? tcp->header_words : header_len / 4) << 4 | tcp->reserved);
    out[13] = tcp->flags;
    put16(out + 14, tcp->window);
    put16(out + 18, tcp->urgent);
    if (tcp->payload != NULL) {
        return header_len + frame_hex(out + header_len, tcp->payload);
    }
    for (size_t i = 0; i < tcp->payload_len; i++) {
        out[header_len + i] = frame_payload_byte(tcp->seq + (uint32_t)i);
    }
    return header_len + tcp->payload_len;
}

size_t frame_tcp(uint8_t *out, const struct frame_ip *ip, const struct frame_tcp *tcp)
{
    static uint8_t segment[FRAME_SIZE];
    struct frame_ip whole = *ip;
    whole.protocol = PROTOCOL_TCP;
    size_t ip_offset, tcp_len = put_tcp(segment, tcp);
    (void)put_headers(out, &whole, mg_slice_of(segment, tcp_len), &ip_offset);
    uint16_t checksum = (uint16_t)~transport_sum(out + ip_offset, segment, tcp_len);
    put16(segment + 16, (uint16_t)(checksum + tcp->wrong_by));
    return frame_ip(out, &whole, mg_slice_of(segment, tcp_len));
}

void frame_assert_checksums(struct mg_slice ip, size_t tcp_offset)
{
    if (ip.data[0] >> 4 == 4) {
        assert_int_equal(frame_sum(ip.data, (size_t)(ip.data[0] & 0xf) * 4), 0xffff);
    }
    assert_int_equal(transport_sum(ip.data, ip.data + tcp_offset, ip.len - tcp_offset), 0xffff);
}

uint8_t *frame_exact(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}
