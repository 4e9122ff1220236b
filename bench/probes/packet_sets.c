/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/probes/packet_sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "tests/unit/dataplane/frames.h"

#define MAX_FRAME 2048
#define UDP_PORT 5000

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-packets: %s\n", what);
    exit(1);
}

static void add(const struct packet_sets *sets, enum side side, const uint8_t *frame, size_t len)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(sets->pool);
    char *place = mbuf == NULL ? NULL : rte_pktmbuf_append(mbuf, (uint16_t)len);
    if (place == NULL) {
        die("no buffer is free");
    }
    memcpy(place, frame, len);
    if (rte_ring_enqueue(sets->received[side], mbuf) != 0) {
        die("no room for a packet");
    }
}

/* Each flow has a client of its own, and so has each connection of a client's. */
struct flow_of_set {
    uint8_t client[4];
    uint16_t client_port;
};

static struct flow_of_set flow_of_set(unsigned number)
{
    return (struct flow_of_set){.client = {10, 0, (uint8_t)(number >> 8), (uint8_t)number},
                                .client_port = (uint16_t)(1024 + number)};
}

/* ip_of says who sends a packet that comes in on |side| to whom. */
static struct frame_ip ip_of(const struct flow_of_set *flow, enum side side, uint8_t protocol)
{
    bool from_client = side == SIDE_CLIENT;
    return (struct frame_ip){.source = from_client ? flow->client : frame_server4,
                             .destination = from_client ? frame_server4 : flow->client,
                             .protocol = protocol};
}

static void add_segment(const struct packet_sets *sets, unsigned number, enum side side, uint16_t server_port,
                        const struct frame_tcp *segment)
{
    uint8_t frame[MAX_FRAME];
    struct flow_of_set flow = flow_of_set(number);
    struct frame_ip ip = ip_of(&flow, side, PROTOCOL_TCP);
    struct frame_tcp tcp = *segment;
    tcp.source_port = side == SIDE_CLIENT ? flow.client_port : server_port;
    tcp.destination_port = side == SIDE_CLIENT ? server_port : flow.client_port;
    tcp.window = UINT16_MAX;
    add(sets, side, frame, frame_tcp(frame, &ip, &tcp));
}

void packet_sets_add_udp(const struct packet_sets *sets, unsigned num_flows)
{
    for (unsigned i = 0; i < num_flows; i++) {
        enum side side = i % 2 == 0 ? SIDE_CLIENT : SIDE_SERVER;
        struct flow_of_set flow = flow_of_set(i);
        struct frame_ip ip = ip_of(&flow, side, PROTOCOL_UDP);
        uint16_t source = side == SIDE_CLIENT ? flow.client_port : UDP_PORT;
        uint16_t destination = side == SIDE_CLIENT ? UDP_PORT : flow.client_port;
        const uint8_t udp[20] = {
            (uint8_t)(source >> 8), (uint8_t)source, (uint8_t)(destination >> 8), (uint8_t)destination, 0, sizeof(udp)};
        uint8_t frame[MAX_FRAME];
        add(sets, side, frame, frame_ip(frame, &ip, mg_slice_of(udp, sizeof(udp))));
    }
}

/* Where a connection's sequence numbers begin. */
static uint32_t first_seq(enum side side, unsigned incarnation)
{
    return (side == SIDE_CLIENT ? 1000000 : 2000000) + incarnation * 5000000;
}

void packet_sets_add_tcp(const struct packet_sets *sets, unsigned num_flows, uint16_t server_port)
{
    for (unsigned i = 0; i < num_flows; i++) {
        enum side side = i % 2 == 0 ? SIDE_CLIENT : SIDE_SERVER;
        add_segment(sets, i, side, server_port,
                    &(struct frame_tcp){.seq = first_seq(side, 0) + 2000,
                                        .ack = first_seq(side_other(side), 0) + 2000,
                                        .flags = TCP_ACK,
                                        .payload_len = 4});
    }
}

static void to_hex(char *out, struct mg_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes.data[i]);
    }
}

void packet_sets_add_hellos(const struct packet_sets *sets, unsigned first, unsigned num_flows, unsigned incarnation)
{
    uint32_t client = first_seq(SIDE_CLIENT, incarnation), server = first_seq(SIDE_SERVER, incarnation);
    char hello[2 * PACKET_SETS_MAX_HELLO + 1] = "";
    if (sets->hello.len > PACKET_SETS_MAX_HELLO) {
        die("the ClientHello is too long");
    }
    to_hex(hello, sets->hello);
    const struct {
        enum side side;
        struct frame_tcp tcp;
    } steps[] = {
        {SIDE_CLIENT, {.seq = client, .flags = TCP_SYN}},
        {SIDE_SERVER, {.seq = server, .ack = client + 1, .flags = TCP_SYN | TCP_ACK}},
        {SIDE_CLIENT, {.seq = client + 1, .ack = server + 1, .flags = TCP_ACK | TCP_PSH, .payload = hello}},
        {SIDE_SERVER, {.seq = server + 1, .ack = client + 1 + (uint32_t)sets->hello.len, .flags = TCP_ACK}},
    };
    for (unsigned i = first; i < first + num_flows; i += PACKET_SETS_BURST) {
        for (size_t step = 0; step < MG_ARRAY_LEN(steps); step++) {
            for (unsigned flow = i; flow < i + PACKET_SETS_BURST; flow++) {
                add_segment(sets, flow, steps[step].side, 443, &steps[step].tcp);
            }
        }
    }
}
