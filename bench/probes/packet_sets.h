/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that pass a worker between two ports of net_ring, each of which receives what the other sends: whatever is
 * put there goes round for ever, in order, as long as the worker forwards it and in bursts. One thread.
 */
#ifndef MINTGATE_BENCH_PROBES_PACKET_SETS_H
#define MINTGATE_BENCH_PROBES_PACKET_SETS_H

#include <stdint.h>

#include "base/slice.h"
#include "dataplane/net/packet.h"

struct rte_mempool;
struct rte_ring;

#define PACKET_SETS_BURST 32 /* a worker's */
#define PACKET_SETS_MAX_HELLO 1024

/* struct packet_sets: where packets are put. */
struct packet_sets {
    struct rte_mempool *pool;
    struct rte_ring *received[2]; /* by enum side: by the port there */
    struct mg_slice hello;        /* a ClientHello in its record, up to PACKET_SETS_MAX_HELLO */
};

/* packet_sets_add_udp adds a UDP packet of each of |num_flows| flows, every other one from the server;
 * packet_sets_add_tcp a segment to or from |server_port|, within the connection that packet_sets_add_hellos opens. The
 * program ends if there is no room. */
void packet_sets_add_udp(const struct packet_sets *sets, unsigned num_flows);
void packet_sets_add_tcp(const struct packet_sets *sets, unsigned num_flows, uint16_t server_port);

/* packet_sets_add_hellos adds new connections to port 443 of flows |first| up to |first| + |num_flows|, a multiple of
 * PACKET_SETS_BURST: SYN, SYN-ACK, ClientHello and its acknowledgement, so that a burst of each stands where the worker
 * meets it in this order. Connections of two |incarnation|s, 0 and 1, have sequence numbers of their own. Twice as many
 * packets on each side as there are flows. */
void packet_sets_add_hellos(const struct packet_sets *sets, unsigned first, unsigned num_flows, unsigned incarnation);

#endif
