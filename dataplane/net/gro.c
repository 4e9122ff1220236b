/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/gro.h"

#include <string.h>

#include "dataplane/net/checksum.h"

#define IPV4_TOTAL_LEN 2
#define IPV4_FRAGMENT 6
#define IPV4_CHECKSUM 10
#define IPV6_PAYLOAD_LEN 4
#define IPV6_HEADER_LEN 40
#define TCP_SEQ 4
#define TCP_ACKNOWLEDGEMENT 8
#define TCP_FLAGS 13
#define TCP_WINDOW 14
#define TCP_CHECKSUM 16
#define TCP_URGENT 18
#define TCP_HEADER_LEN 20
#define MAX_MERGED_LEN 65535

/* same tells whether the bytes from |start| up to |end| of both packets are the same. */
static bool same(const struct packet *a, const struct packet *b, size_t start, size_t end)
{
    return memcmp(a->ip.data + start, b->ip.data + start, end - start) == 0;
}

/* same_ip_header: in everything but length, id and checksum. */
static bool same_ip_header(const struct packet *a, const struct packet *b)
{
    if (a->is_ipv6 != b->is_ipv6 || a->tcp_offset != b->tcp_offset) {
        return false;
    }
    if (a->is_ipv6) {
        return same(a, b, 0, IPV6_PAYLOAD_LEN) && same(a, b, IPV6_PAYLOAD_LEN + 2, a->tcp_offset);
    }
    return same(a, b, 0, IPV4_TOTAL_LEN) && same(a, b, IPV4_FRAGMENT, IPV4_CHECKSUM) &&
           same(a, b, IPV4_CHECKSUM + 2, a->tcp_offset);
}

/* same_tcp_header: in everything but sequence number, flags and checksum. The data offset comes before the options,
 * so that they are compared only where they are equally long. */
static bool same_tcp_header(const struct packet *a, const struct packet *b)
{
    size_t tcp = a->tcp_offset;
    return same(a, b, tcp, tcp + TCP_SEQ) && same(a, b, tcp + TCP_ACKNOWLEDGEMENT, tcp + TCP_FLAGS) &&
           same(a, b, tcp + TCP_WINDOW, tcp + TCP_CHECKSUM) &&
           same(a, b, tcp + TCP_URGENT, tcp + TCP_HEADER_LEN + a->options.len);
}

static bool plain(const struct packet *packet)
{
    return (packet->tcp_flags & ~(TCP_PSH | TCP_FIN)) == TCP_ACK && packet_sequence_len(packet) > 0 &&
           packet->ip.len - packet->payload.len <= GRO_MAX_HEADER;
}

static bool checksum_ok(const struct packet *packet)
{
    return checksum_tcp_ok(packet->ip.data, packet->tcp_offset, packet->ip.len - packet->tcp_offset);
}

/* continues tells whether |packet| can be joined to what is there. */
static bool continues(const struct gro *gro, const struct packet *packet)
{
    const struct packet *first = &gro->first;
    return !gro->closed && gro->num_segments < GRO_MAX_SEGMENTS && plain(packet) && packet->seq == gro->next_seq &&
           packet->payload.len <= (gro->short_seen ? 0 : first->payload.len) &&
           gro->header_len + gro->payload_len + packet->payload.len <= MAX_MERGED_LEN &&
           same_ip_header(first, packet) && same_tcp_header(first, packet) && checksum_ok(packet);
}

static struct iovec part_of(struct mg_slice slice)
{
    return (struct iovec){MG_UNCONST(slice.data), slice.len};
}

static void begin(struct gro *gro, const struct packet *packet)
{
    gro->first = *packet;
    gro->num_segments = 1;
    gro->next_seq = packet->seq + (uint32_t)packet->payload.len;
    gro->payload_len = packet->payload.len;
    gro->header_len = packet->ip.len - packet->payload.len;
    gro->short_seen = false;
    gro->closed = !plain(packet) || (packet->tcp_flags & TCP_FIN) != 0 || !checksum_ok(packet);
    /* The whole packet for now, headers included: most are written alone. */
    gro->parts[1] = part_of(packet->ip);
}

bool gro_add(struct gro *gro, const struct packet *packet)
{
    if (gro_empty(gro)) {
        begin(gro, packet);
        return true;
    }
    if (!continues(gro, packet)) {
        return false;
    }
    if (gro->num_segments == 1) {
        gro->parts[2] = part_of(gro->first.payload);
    }
    gro->num_segments++;
    gro->parts[1 + gro->num_segments] = part_of(packet->payload);
    gro->next_seq += (uint32_t)packet->payload.len;
    gro->payload_len += packet->payload.len;
    gro->first.tcp_flags |= packet->tcp_flags & (TCP_PSH | TCP_FIN);
    gro->short_seen = packet->payload.len < gro->first.payload.len;
    gro->closed = (packet->tcp_flags & TCP_FIN) != 0;
    return true;
}

/* merge_headers makes the headers of the joined packet out of the first one's. */
static void merge_headers(struct gro *gro)
{
    const struct packet *first = &gro->first;
    size_t len = gro->header_len + gro->payload_len;
    memcpy(gro->header, first->ip.data, gro->header_len);
    uint8_t *len_field = gro->header + (first->is_ipv6 ? IPV6_PAYLOAD_LEN : IPV4_TOTAL_LEN);
    size_t len_value = first->is_ipv6 ? len - IPV6_HEADER_LEN : len;
    len_field[0] = (uint8_t)(len_value >> 8);
    len_field[1] = (uint8_t)len_value;
    gro->header[first->tcp_offset + TCP_FLAGS] = first->tcp_flags;
    checksum_ip_fill(gro->header);
    checksum_tcp_pseudo_fill(gro->header, first->tcp_offset, len - first->tcp_offset);
    gro->parts[1] = (struct iovec){gro->header, gro->header_len};
}

enum mg_status gro_write(struct gro *gro, int tun_fd)
{
    struct tun_offload offload = {0};
    int num_parts = 2;
    if (gro->num_segments > 1) {
        merge_headers(gro);
        bool is_cut = gro->payload_len > gro->first.payload.len; /* else it is one segment, and a FIN behind it */
        offload.needs_checksum = true;
        offload.gso_size = is_cut ? (uint16_t)gro->first.payload.len : 0;
        num_parts = 2 + gro->num_segments;
    }
    enum mg_status status = tun_write(tun_fd, gro->parts, num_parts, gro->first.is_ipv6, (uint16_t)gro->header_len,
                                      gro->first.tcp_offset, offload);
    gro->num_segments = 0;
    return status;
}
