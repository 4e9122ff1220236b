/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/segment.h"

#include <string.h>

#include "base/buffer.h"
#include "dataplane/net/checksum.h"

#define HOP_LIMIT 64
#define TCP_PROTOCOL 6

static void append_ip_header(struct mg_buffer *out, const struct segment *segment, size_t tcp_len)
{
    size_t address_len = segment->is_ipv6 ? 16 : 4;
    if (segment->is_ipv6) {
        mg_buffer_append_u32(out, UINT32_C(6) << 28);
        mg_buffer_append_u16(out, (uint16_t)tcp_len);
        mg_buffer_append_u8(out, TCP_PROTOCOL);
        mg_buffer_append_u8(out, HOP_LIMIT);
    } else {
        mg_buffer_append_u16(out, 0x4500);
        mg_buffer_append_u16(out, (uint16_t)(20 + tcp_len));
        mg_buffer_append_u16(out, 0);
        mg_buffer_append_u16(out, 0x4000); /* don't fragment: no id is needed then, RFC 6864 section 4.1 */
        mg_buffer_append_u8(out, HOP_LIMIT);
        mg_buffer_append_u8(out, TCP_PROTOCOL);
        mg_buffer_append_u16(out, 0);
    }
    mg_buffer_append(out, segment->source, address_len);
    mg_buffer_append(out, segment->destination, address_len);
}

size_t segment_build(uint8_t *out, const struct segment *segment)
{
    size_t header_len = segment->has_timestamp ? 32 : 20;
    size_t tcp_len = header_len + segment->payload.len;
    struct mg_buffer buffer;
    mg_buffer_wrap(&buffer, out, SEGMENT_MAX_LEN);
    append_ip_header(&buffer, segment, tcp_len);
    size_t tcp_offset = buffer.len;
    mg_buffer_append_u16(&buffer, segment->source_port);
    mg_buffer_append_u16(&buffer, segment->destination_port);
    mg_buffer_append_u32(&buffer, segment->seq);
    mg_buffer_append_u32(&buffer, segment->ack);
    mg_buffer_append_u8(&buffer, (uint8_t)(header_len / 4 << 4));
    mg_buffer_append_u8(&buffer, segment->flags);
    mg_buffer_append_u16(&buffer, segment->window);
    mg_buffer_append_u32(&buffer, 0); /* checksum, urgent pointer */
    if (segment->has_timestamp) {
        mg_buffer_append_u32(&buffer, 0x0101080a); /* two no-ops for alignment, then the option of ten bytes */
        mg_buffer_append_u32(&buffer, segment->timestamp_value);
        mg_buffer_append_u32(&buffer, segment->timestamp_echo);
    }
    mg_buffer_append_slice(&buffer, segment->payload);
    if (!mg_buffer_ok(&buffer)) {
        return 0;
    }
    checksum_ip_fill(out);
    checksum_tcp_fill(out, tcp_offset, tcp_len);
    return buffer.len;
}

void segment_answer(struct segment *out, const struct packet *packet, uint8_t flags)
{
    *out = (struct segment){
        .is_ipv6 = packet->is_ipv6,
        .source = packet->destination,
        .destination = packet->source,
        .source_port = packet->destination_port,
        .destination_port = packet->source_port,
        .seq = (packet->tcp_flags & TCP_ACK) != 0 ? packet->ack : 0,
        .ack = packet->seq + packet_sequence_len(packet),
        .flags = (uint8_t)(flags | TCP_ACK),
    };
}
