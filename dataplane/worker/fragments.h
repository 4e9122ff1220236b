/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments of TCP segments. Only the first has the ports that say which flow a datagram belongs to, so the others wait
 * for it; then all of them go the same way, each as it came. Nothing is reassembled here: the end system, or the stack
 * for an intercepted flow, does that.
 */
#ifndef MINTGATE_DATAPLANE_WORKER_FRAGMENTS_H
#define MINTGATE_DATAPLANE_WORKER_FRAGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/net/packet.h"

struct rte_mbuf;

#define FRAGMENTS_MAX_DATAGRAMS 256
#define FRAGMENTS_MAX_WAITING 24 /* of one datagram: 64 KiB at an MTU of 1500 is 45, but the first is seldom last */
#define FRAGMENTS_TIMEOUT_NS UINT64_C(1000000000)

enum fragments_way {
    FRAGMENTS_UNKNOWN, /* the first fragment has not come */
    FRAGMENTS_FORWARD,
    FRAGMENTS_TO_STACK,
    FRAGMENTS_DROP,
};

struct datagram {
    uint8_t source[16];
    uint8_t destination[16];
    uint32_t id;
    enum side side;
    bool is_ipv6;
    bool used;
    enum fragments_way way;
    uint64_t since_ns;
    unsigned num_waiting;
    struct rte_mbuf *waiting[FRAGMENTS_MAX_WAITING];
};

struct fragments {
    struct datagram datagrams[FRAGMENTS_MAX_DATAGRAMS];
};

/* fragments_find returns the datagram that |packet| is a fragment of, made if it is new. An old one gives way: its
 * waiting fragments are handed to |drop|. NULL: all places are taken by young ones. */
struct datagram *fragments_find(struct fragments *fragments, const struct packet *packet, enum side side,
                                uint64_t now_ns, void (*drop)(struct rte_mbuf *mbuf, void *arg), void *arg);

/* fragments_wait keeps |mbuf| until the first fragment comes; false: too many wait. */
bool fragments_wait(struct datagram *datagram, struct rte_mbuf *mbuf);

#endif
