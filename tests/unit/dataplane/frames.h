/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for tests, written field by field so that a test can make any that a wire might bring, good or odd. Lengths
 * and checksums are computed here, by the letter of the RFCs and by nothing of the code under test.
 */
#ifndef MINTGATE_TESTS_UNIT_DATAPLANE_FRAMES_H
#define MINTGATE_TESTS_UNIT_DATAPLANE_FRAMES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these first. */
#include <setjmp.h>

#include <cmocka.h>

#include "base/slice.h"
#include "dataplane/net/packet.h"

/* Room for the largest IP packet, its layer 2 and padding. */
#define FRAME_SIZE (65535 + 40 + 256)

#define PROTOCOL_HOP_BY_HOP 0
#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_ROUTING 43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_AH 51
#define PROTOCOL_ICMPV6 58
#define PROTOCOL_DESTINATION 60

/* The addresses and ports of frames that do not say others. */
extern const uint8_t frame_client4[4], frame_server4[4], frame_client6[16], frame_server6[16];
#define FRAME_CLIENT_PORT 40000
#define FRAME_SERVER_PORT 443

/* Layers 2 and 3. Zero state: untagged IPv4 from client to server, without options, of no protocol. Bytes are given in
 * hexadecimal, with spaces anywhere; NULL: none. */
struct frame_ip {
    const char *tags;   /* behind the MACs: "8100 0064" */
    uint16_t ethertype; /* 0: that of the version */
    bool is_ipv6;
    const uint8_t *source, *destination;
    uint8_t tos; /* traffic class */
    uint8_t ttl; /* 0: 64 */
    uint32_t flow_label;
    uint16_t id;
    uint16_t fragment;      /* the whole 16 bits: reserved, DF, MF, offset */
    const char *options;    /* IPv4; a multiple of 4 bytes */
    const char *extensions; /* IPv6: headers whose own "next header" fields are right, but for the last, which is set */
    uint8_t first_extension;
    uint8_t protocol;
    int length_lie;     /* added to the length field */
    size_t padding_len; /* behind the IP packet */
};

/* frame_ip writes a frame with |body| as its transport header and payload; returns its length. */
size_t frame_ip(uint8_t *out, const struct frame_ip *ip, struct mg_slice body);

/* A TCP segment. Zero state: no flags, no options, no payload. */
struct frame_tcp {
    uint16_t source_port, destination_port; /* 0: the ports above */
    uint32_t seq, ack;
    uint8_t reserved; /* the low four bits beside the data offset */
    uint8_t flags;
    uint16_t window;
    uint16_t urgent;
    const char *options;  /* a multiple of 4 bytes */
    size_t payload_len;   /* bytes that frame_payload_byte says */
    const char *payload;  /* NULL: those */
    uint16_t wrong_by;    /* added to the checksum */
    uint8_t header_words; /* the data offset; 0: the right one */
};

/* frame_payload_byte is the byte that stands at sequence number |seq| of any stream here. */
static inline uint8_t frame_payload_byte(uint32_t seq)
{
    return (uint8_t)(seq * 2654435761u >> 13);
}

/* frame_tcp writes a whole TCP frame; returns its length. */
size_t frame_tcp(uint8_t *out, const struct frame_ip *ip, const struct frame_tcp *tcp);

/* frame_hex turns hexadecimal digits with spaces anywhere into bytes; returns how many. */
size_t frame_hex(uint8_t *out, const char *hex);

/* frame_sum is the one's complement sum of |len| bytes in network order, RFC 1071 section 1 read literally. */
uint16_t frame_sum(const uint8_t *data, size_t len);

/* frame_assert_checksums checks the checksums of an IP packet that holds a TCP segment at |tcp_offset|. */
void frame_assert_checksums(struct mg_slice ip, size_t tcp_offset);

/* frame_exact returns a copy of exactly |len| bytes on the heap, so that a sanitizer sees the first byte read past its
 * end. The caller frees it. */
uint8_t *frame_exact(const uint8_t *bytes, size_t len);

/* test_random is a small generator, the same everywhere; |state| is the seed, not 0. */
uint32_t test_random(uint64_t *state);
/* test_random_below returns a number below |bound|, which is at least 1. */
uint32_t test_random_below(uint64_t *state, uint32_t bound);

#endif
