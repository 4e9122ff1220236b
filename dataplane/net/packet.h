/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An Ethernet frame, taken apart as far as the dataplane cares: tags, addresses, ports, TCP fields. Pure; reads
 * hostile bytes through one slice. Any thread.
 */
#ifndef MINTGATE_DATAPLANE_NET_PACKET_H
#define MINTGATE_DATAPLANE_NET_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Which of the two ports: towards the clients or towards the servers. */
enum side { SIDE_CLIENT = 0, SIDE_SERVER = 1 };
static inline enum side side_other(enum side side)
{
    return side == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
}

/* Longest layer-2 header kept: Ethernet with two tags. */
#define PACKET_MAX_L2 22
/* In place of a VLAN id where there is no tag. */
#define PACKET_NO_VLAN 0xffff

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

enum packet_kind {
    PACKET_OTHER,        /* not IP, or not of interest, or not well formed: forwarded as it is */
    PACKET_TCP,          /* a whole TCP segment */
    PACKET_TCP_FRAGMENT, /* an IP fragment of one; ports only if |has_ports| */
    PACKET_UDP,
    PACKET_ICMP_ERROR, /* about a TCP segment, whose addresses and ports are given instead of its own */
};

struct packet {
    enum packet_kind kind;
    bool is_ipv6;
    bool has_ports;
    uint8_t l2_len;
    uint16_t vlan[2]; /* outer, inner; PACKET_NO_VLAN */
    /* Borrowed from the frame; 4 or 16 bytes each. For PACKET_ICMP_ERROR those of the segment it is about. */
    const uint8_t *source;
    const uint8_t *destination;
    uint16_t source_port;
    uint16_t destination_port;
    /* The IP packet without layer 2 and without Ethernet padding. */
    struct mg_slice ip;
    /* PACKET_TCP */
    uint16_t tcp_offset; /* of the TCP header in |ip| */
    uint8_t tcp_flags;
    uint16_t window; /* as sent, unscaled */
    uint32_t seq;
    uint32_t ack;
    struct mg_slice options; /* of the TCP header */
    struct mg_slice payload;
    /* PACKET_TCP_FRAGMENT; the first one has |tcp_flags| too, a SYN where it is too short to tell (RFC 1858 section 3)
     */
    uint32_t fragment_id;
    bool fragment_first;
};

/* packet_parse takes |frame| apart into |out|, whose slices borrow from it. IPv4 options, IPv6 extension headers
 * (RFC 8200 section 4) and up to two VLAN tags (IEEE 802.1Q, 802.1ad) are passed over. */
void packet_parse(struct packet *out, struct mg_slice frame);

/* packet_parse_ip is packet_parse for an IP packet without layer 2. */
void packet_parse_ip(struct packet *out, struct mg_slice ip);

/* packet_address_len is 4 or 16. */
static inline size_t packet_address_len(const struct packet *packet)
{
    return packet->is_ipv6 ? 16 : 4;
}

/* packet_sequence_len is how far the segment moves the sequence number: payload, SYN and FIN (RFC 9293 section 3.4). */
static inline uint32_t packet_sequence_len(const struct packet *packet)
{
    return (uint32_t)packet->payload.len + ((packet->tcp_flags & TCP_SYN) != 0) + ((packet->tcp_flags & TCP_FIN) != 0);
}

#endif
