/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK: the EAL, the two ports and the packet buffers. Called by the engine's main thread at start and stop. */
#ifndef MINTGATE_DATAPLANE_NET_PORTS_H
#define MINTGATE_DATAPLANE_NET_PORTS_H

#include <stdint.h>

#include "base/status.h"
#include "config/config.h"
#include "dataplane/net/packet.h"

struct rte_mbuf;
struct rte_mempool;

struct ports {
    struct rte_mempool *pool; /* one for both ports: a frame goes from one to the other without a copy */
    uint16_t id[2];           /* by enum side */
    uint16_t num_queues;      /* RX and TX queues of each, one for each worker */
};

/* ports_eal_start initialises the EAL with the configured arguments. Once per process. */
MG_MUST_USE enum mg_status ports_eal_start(const struct config *config, struct mg_error *error);

/* ports_start makes the buffers, configures and starts both ports. */
MG_MUST_USE enum mg_status ports_start(struct ports *out, const struct config *config, struct mg_error *error);

/* ports_stop stops and closes both ports; workers have ended. */
void ports_stop(struct ports *ports);

/* ports_frame returns the bytes of a frame that lies in one buffer, after joining one that does not; false: it cannot
 * be joined. Worker. */
MG_MUST_USE bool ports_frame(struct rte_mbuf *mbuf, struct mg_slice *out);

#endif
