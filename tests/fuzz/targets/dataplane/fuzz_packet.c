/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a segment size for cutting (two bytes), a byte whose lowest bit asks for a right TCP checksum, and a
 * frame. Whatever parses points into the frame; what is made of it parses again and says what it should. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/net/checksum.h"
#include "dataplane/net/gso.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/segment.h"
#include "dataplane/net/tcp_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More segments than this take the fuzzer's time and show nothing new. */
#define MAX_SEGMENTS 300

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* exact returns a copy of exactly |bytes|, so that a sanitizer sees the first byte read past its end. */
static uint8_t *exact(struct mg_slice bytes)
{
    uint8_t *copy = malloc(bytes.len == 0 ? 1 : bytes.len);
    must(copy != NULL);
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return copy;
}

static bool is_inside(struct mg_slice whole, const uint8_t *part, size_t len)
{
    return part >= whole.data && len <= whole.len && (size_t)(part - whole.data) <= whole.len - len;
}

static void check_parts(const struct packet *packet, struct mg_slice frame)
{
    if (packet->kind == PACKET_OTHER) {
        return;
    }
    must(packet->l2_len <= PACKET_MAX_L2 && is_inside(frame, packet->ip.data, packet->ip.len));
    must(packet->ip.data == frame.data + packet->l2_len);
    must(is_inside(packet->ip, packet->source, packet_address_len(packet)));
    must(is_inside(packet->ip, packet->destination, packet_address_len(packet)));
    must(packet->has_ports || packet->kind == PACKET_TCP_FRAGMENT);
    if (packet->kind == PACKET_TCP) {
        must((size_t)packet->tcp_offset + 20 + packet->options.len + packet->payload.len == packet->ip.len);
        must(packet->options.len == 0 || packet->options.data == packet->ip.data + packet->tcp_offset + 20);
        must(packet->payload.len == 0 || is_inside(packet->ip, packet->payload.data, packet->payload.len));
    }
}

static void check_options(const struct packet *packet)
{
    struct tcp_options options;
    tcp_options_parse(&options, packet->options);
    must(options.window_scale <= 14);
}

/* What was neutralised once needs it no more, and is the same SYN but for what had to go. */
static void check_neutralize(struct mg_slice frame)
{
    uint8_t *copy = exact(frame);
    struct packet before, after;
    size_t len = 0, again = 0;
    packet_parse(&before, mg_slice_of(copy, frame.len));
    uint8_t flags = before.tcp_flags;
    uint32_t seq = before.seq;
    size_t options_len = before.options.len;
    if (!tcp_syn_neutralize(copy, &before, &len)) {
        must(memcmp(copy, frame.data, frame.len) == 0);
        free(copy);
        return;
    }
    must(len <= frame.len);
    packet_parse(&after, mg_slice_of(copy, len));
    must(after.kind == PACKET_TCP && after.payload.len == 0 && after.options.len == options_len && after.seq == seq);
    must(after.tcp_flags == (flags & ~(TCP_ECE | TCP_CWR)));
    must(after.l2_len + after.ip.len == len);
    must(checksum_tcp_ok(after.ip.data, after.tcp_offset, after.ip.len - after.tcp_offset));
    must(!tcp_syn_neutralize(copy, &after, &again));
    free(copy);
}

static void check_answer(const struct packet *packet)
{
    uint8_t out[SEGMENT_MAX_LEN];
    struct segment segment;
    struct packet answer;
    segment_answer(&segment, packet, TCP_RST);
    size_t len = segment_build(out, &segment);
    packet_parse_ip(&answer, mg_slice_of(out, len));
    must(answer.kind == PACKET_TCP && answer.ip.len == len && answer.is_ipv6 == packet->is_ipv6);
    must(memcmp(answer.source, packet->destination, packet_address_len(packet)) == 0);
    must(memcmp(answer.destination, packet->source, packet_address_len(packet)) == 0);
    must(answer.source_port == packet->destination_port && answer.destination_port == packet->source_port);
    must(answer.ack == packet->seq + packet_sequence_len(packet));
    must(checksum_tcp_ok(out, answer.tcp_offset, len - answer.tcp_offset));
}

/* The segments, joined, are the packet that was cut. */
static void check_gso(const struct packet *packet, uint16_t gso_size)
{
    if (gso_size > 0 && packet->payload.len / gso_size > MAX_SEGMENTS) {
        return;
    }
    struct gso gso;
    struct mg_slice rest = packet->payload, part;
    gso_begin(&gso, packet, (struct tun_offload){.needs_checksum = true, .gso_size = gso_size});
    for (size_t len; (len = gso_segment_len(&gso)) > 0;) {
        uint8_t *out = malloc(len);
        struct packet segment;
        must(out != NULL);
        gso_next(&gso, out);
        packet_parse_ip(&segment, mg_slice_of(out, len));
        must(segment.kind == PACKET_TCP && segment.ip.len == len);
        must(mg_slice_take(&rest, &part, segment.payload.len) && mg_slice_equal(part, segment.payload));
        must(gso_size == 0 || segment.payload.len <= gso_size);
        must(checksum_tcp_ok(out, segment.tcp_offset, len - segment.tcp_offset));
        free(out);
    }
    must(rest.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice input = mg_slice_of(data, size);
    uint16_t gso_size;
    uint8_t control;
    if (!mg_slice_u16(&input, &gso_size) || !mg_slice_u8(&input, &control)) {
        return 0;
    }
    uint8_t *bytes = exact(input);
    struct mg_slice frame = mg_slice_of(bytes, input.len);
    struct packet packet;
    packet_parse(&packet, frame);
    check_parts(&packet, frame);
    if (packet.kind == PACKET_TCP) {
        if ((control & 1) != 0) {
            checksum_tcp_fill(bytes + packet.l2_len, packet.tcp_offset, packet.ip.len - packet.tcp_offset);
        }
        check_options(&packet);
        check_neutralize(frame);
        check_answer(&packet);
        check_gso(&packet, gso_size);
    }
    free(bytes);
    return 0;
}
