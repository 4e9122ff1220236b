/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adoption of a TCP connection in mid-stream: both halves become sockets of the kernel by TCP_REPAIR (tcp(7),
 * Documentation of CRIU), each with the other endpoint's address as its own. The order of the calls and the reasons
 * for each are those proven in docs/takeover.md.
 */
#ifndef MINTGATE_DATAPLANE_TAKEOVER_ADOPT_H
#define MINTGATE_DATAPLANE_TAKEOVER_ADOPT_H

#include <stdint.h>

#include "base/status.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/tcp_options.h"

/* One endpoint as it was seen on the wire. */
struct adopt_end {
    uint8_t address[16];
    uint16_t port;
    uint32_t next_seq;  /* the first sequence number that it has not used, or that is held: its socket expects this */
    uint32_t window;    /* bytes it is ready to receive */
    uint32_t timestamp; /* its last TSval */
    struct tcp_options syn_options;
};

struct adopt_flow {
    bool is_ipv6;
    bool is_answered;        /* what the ends send first is answered, and thereby acknowledged: a handshake */
    struct adopt_end end[2]; /* by enum side */
};

/* adopt makes the two sockets: fds[SIDE_CLIENT] speaks to the client as the server, fds[SIDE_SERVER] to the server as
 * the client. Non-blocking. The calling thread is in the stack namespace and has CAP_NET_ADMIN. Sends nothing. On
 * failure (MG_LIMIT: out of descriptors; MG_EXISTS: a socket has these addresses; MG_IO) nothing is left behind. */
MG_MUST_USE enum mg_status adopt(const struct adopt_flow *flow, int fds[2]);

/* adopt_drop closes a socket so that it sends nothing, not even a FIN or RST. */
void adopt_drop(int fd);

/* adopt_negotiated tells what both ends agreed on. */
static inline bool adopt_timestamps(const struct adopt_flow *flow)
{
    return flow->end[0].syn_options.has_timestamp && flow->end[1].syn_options.has_timestamp;
}

#endif
