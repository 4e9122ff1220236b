/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/tcp_options.h"

#include "dataplane/net/checksum.h"

#define KIND_END 0
#define KIND_NOP 1
#define KIND_MSS 2
#define KIND_WINDOW_SCALE 3
#define KIND_SACK_PERMITTED 4
#define KIND_TIMESTAMP 8
#define KIND_MPTCP 30
#define KIND_FAST_OPEN 34
#define KIND_EXPERIMENT 254
#define FAST_OPEN_MAGIC 0xf989

#define TCP_FLAGS_OFFSET 13
#define TCP_HEADER_LEN 20
#define MAX_WINDOW_SCALE 14

/* next_option reads one option with a length from the front of |*in|, passing no-ops over. |*whole| is the option with
 * its kind and length. False at the end, or where it is malformed. */
static bool next_option(struct mg_slice *in, uint8_t *kind, struct mg_slice *body, struct mg_slice *whole)
{
    uint8_t len;
    do {
        *whole = *in;
        if (!mg_slice_u8(in, kind) || *kind == KIND_END) {
            return false;
        }
    } while (*kind == KIND_NOP);
    if (!mg_slice_u8(in, &len) || len < 2 || !mg_slice_take(in, body, (size_t)len - 2)) {
        return false;
    }
    whole->len = len;
    return true;
}

/* take_option notes one option. TCP stacks pass over one whose length is not that of its RFC: noting it would be to
 * believe something negotiated that is not. */
static void take_option(struct tcp_options *out, uint8_t kind, struct mg_slice body)
{
    uint8_t scale = 0;
    if (kind == KIND_MSS && body.len == 2) {
        out->has_mss = mg_slice_u16(&body, &out->mss);
    } else if (kind == KIND_WINDOW_SCALE && body.len == 1) {
        out->has_window_scale = mg_slice_u8(&body, &scale);
        out->window_scale = scale < MAX_WINDOW_SCALE ? scale : MAX_WINDOW_SCALE;
    } else if (kind == KIND_SACK_PERMITTED && body.len == 0) {
        out->has_sack_permitted = true;
    } else if (kind == KIND_TIMESTAMP && body.len == 8) {
        out->has_timestamp = mg_slice_u32(&body, &out->timestamp_value) && mg_slice_u32(&body, &out->timestamp_echo);
    }
}

void tcp_options_parse(struct tcp_options *out, struct mg_slice options)
{
    *out = (struct tcp_options){0};
    struct mg_slice body, whole;
    uint8_t kind;
    while (next_option(&options, &kind, &body, &whole)) {
        take_option(out, kind, body);
    }
}

static bool lets_escape(uint8_t kind, struct mg_slice body)
{
    uint16_t magic;
    return kind == KIND_FAST_OPEN || kind == KIND_MPTCP ||
           (kind == KIND_EXPERIMENT && mg_slice_u16(&body, &magic) && magic == FAST_OPEN_MAGIC);
}

/* put_total_len writes the IP packet's new length. */
static void put_total_len(uint8_t *ip, size_t len)
{
    bool is_ipv6 = ip[0] >> 4 == 6;
    size_t value = is_ipv6 ? len - 40 : len;
    uint8_t *place = is_ipv6 ? ip + 4 : ip + 2;
    place[0] = (uint8_t)(value >> 8);
    place[1] = (uint8_t)value;
}

bool tcp_syn_neutralize(uint8_t *frame, const struct packet *packet, size_t *out_len)
{
    uint8_t *ip = frame + packet->l2_len;
    uint8_t *tcp = ip + packet->tcp_offset;
    size_t tcp_len = packet->ip.len - packet->tcp_offset - packet->payload.len;
    bool changed = false;
    if (!checksum_tcp_ok(ip, packet->tcp_offset, packet->ip.len - packet->tcp_offset)) {
        return false;
    }

    struct mg_slice rest = packet->options, body, whole;
    uint8_t kind;
    while (next_option(&rest, &kind, &body, &whole)) {
        if (lets_escape(kind, body)) {
            memset(tcp + TCP_HEADER_LEN + (whole.data - packet->options.data), KIND_NOP, whole.len);
            changed = true;
        }
    }
    /* The reserved bit beside the flags is accurate ECN's. */
    if ((packet->tcp_flags & (TCP_ECE | TCP_CWR)) != 0 || (tcp[TCP_FLAGS_OFFSET - 1] & 1) != 0) {
        tcp[TCP_FLAGS_OFFSET] &= (uint8_t) ~(TCP_ECE | TCP_CWR);
        tcp[TCP_FLAGS_OFFSET - 1] &= (uint8_t)~1;
        changed = true;
    }
    if (packet->payload.len > 0) {
        put_total_len(ip, packet->tcp_offset + tcp_len);
        checksum_ip_fill(ip);
        changed = true;
    }
    if (changed) {
        checksum_tcp_fill(ip, packet->tcp_offset, tcp_len);
        *out_len = packet->l2_len + packet->tcp_offset + tcp_len;
    }
    return changed;
}
