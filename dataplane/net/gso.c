/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/gso.h"

#include <string.h>

#include "dataplane/net/checksum.h"

#define IPV4_TOTAL_LEN 2
#define IPV4_ID 4
#define IPV6_PAYLOAD_LEN 4
#define IPV6_HEADER_LEN 40
#define TCP_SEQ 4
#define TCP_FLAGS 13

static void put16(uint8_t *place, uint16_t value)
{
    place[0] = (uint8_t)(value >> 8);
    place[1] = (uint8_t)value;
}

static void put32(uint8_t *place, uint32_t value)
{
    put16(place, (uint16_t)(value >> 16));
    put16(place + 2, (uint16_t)value);
}

void gso_begin(struct gso *gso, const struct packet *packet, struct tun_offload offload)
{
    *gso = (struct gso){
        .packet = packet,
        .payload = packet->payload,
        .header_len = packet->ip.len - packet->payload.len,
        .segment_len = offload.gso_size > 0 ? offload.gso_size : UINT16_MAX,
        .needs_checksum = offload.needs_checksum || offload.gso_size > 0,
    };
}

static size_t next_payload_len(const struct gso *gso)
{
    return gso->payload.len < gso->segment_len ? gso->payload.len : gso->segment_len;
}

size_t gso_segment_len(const struct gso *gso)
{
    return gso->done ? 0 : gso->header_len + next_payload_len(gso);
}

/* fix_ip puts length and identification right. Each segment gets an id of its own, as if it had been sent alone. */
static void fix_ip(const struct gso *gso, uint8_t *ip, size_t len)
{
    if (gso->packet->is_ipv6) {
        put16(ip + IPV6_PAYLOAD_LEN, (uint16_t)(len - IPV6_HEADER_LEN));
        return;
    }
    put16(ip + IPV4_TOTAL_LEN, (uint16_t)len);
    uint16_t id = (uint16_t)(ip[IPV4_ID] << 8 | ip[IPV4_ID + 1]);
    put16(ip + IPV4_ID, (uint16_t)(id + gso->num_cut));
    checksum_ip_fill(ip);
}

void gso_next(struct gso *gso, uint8_t *out)
{
    const struct packet *packet = gso->packet;
    size_t payload_len = next_payload_len(gso);
    size_t len = gso->header_len + payload_len;
    struct mg_slice payload;
    bool taken = mg_slice_take(&gso->payload, &payload, payload_len);
    bool first = gso->num_cut == 0;
    bool last = !taken || gso->payload.len == 0;
    gso->done = last;

    memcpy(out, packet->ip.data, gso->header_len);
    if (payload_len > 0) {
        memcpy(out + gso->header_len, payload.data, payload_len);
    }
    if (!first || !last) {
        uint8_t *tcp = out + packet->tcp_offset;
        put32(tcp + TCP_SEQ, packet->seq + (uint32_t)gso->num_cut * gso->segment_len);
        uint8_t flags = packet->tcp_flags;
        if (!last) {
            flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        }
        if (!first) {
            flags &= (uint8_t)~TCP_CWR; /* RFC 3168 section 6.1.2: once */
        }
        tcp[TCP_FLAGS] = flags;
        fix_ip(gso, out, len);
    }
    if (gso->needs_checksum) {
        checksum_tcp_fill(out, packet->tcp_offset, len - packet->tcp_offset);
    }
    gso->num_cut++;
}
