/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generic segmentation offload: a large TCP packet of the kernel, cut into segments that fit the wire, checksums
 * complete. DPDK's own rte_gso has no IPv6 in 22.11 and makes chains of two buffers, which the virtual ports here do
 * not send (docs/adr/0006). Pure; one owner.
 */
#ifndef MINTGATE_DATAPLANE_NET_GSO_H
#define MINTGATE_DATAPLANE_NET_GSO_H

#include <stdbool.h>

#include "dataplane/net/packet.h"
#include "dataplane/net/tun.h"

struct gso {
    const struct packet *packet;
    struct mg_slice payload; /* not cut yet */
    size_t header_len;       /* IP and TCP */
    uint16_t segment_len;    /* payload of each segment */
    uint16_t num_cut;
    bool needs_checksum;
    bool done;
};

/* gso_begin starts to cut |packet|, which stays in place until the end. A packet that is no GSO packet comes out as it
 * is, with its checksum. */
void gso_begin(struct gso *gso, const struct packet *packet, struct tun_offload offload);

/* gso_segment_len returns the length of the next IP packet; 0 at the end. */
size_t gso_segment_len(const struct gso *gso);

/* gso_next writes that packet to |out|. */
void gso_next(struct gso *gso, uint8_t *out);

#endif
