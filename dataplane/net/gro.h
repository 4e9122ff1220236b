/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generic receive offload: consecutive segments of one flow, given to the kernel as one packet in one system call,
 * without copying their payload. Pure but for the write; one owner.
 */
#ifndef MINTGATE_DATAPLANE_NET_GRO_H
#define MINTGATE_DATAPLANE_NET_GRO_H

#include <stdbool.h>
#include <sys/uio.h>

#include "dataplane/net/packet.h"
#include "dataplane/net/tun.h"

#define GRO_MAX_SEGMENTS 48
/* IP and TCP headers with all their options. */
#define GRO_MAX_HEADER 128

/* Segments collected so far. Zero state: none. */
struct gro {
    struct packet first;
    uint8_t header[GRO_MAX_HEADER]; /* of the merged packet */
    size_t header_len;
    uint32_t next_seq;
    size_t payload_len;
    bool closed; /* the last segment was short: nothing more is merged */
    int num_segments;
    struct iovec parts[GRO_MAX_SEGMENTS + 2]; /* virtio header, headers, payloads */
};

/* gro_add takes |packet| in if nothing is there, or if it continues what is there: the next sequence number, nothing
 * but ACK and PSH, a right checksum, and headers that differ in nothing but lengths, ids and checksums, so that nothing
 * is lost that they say (a CE mark, a timestamp). PSH ends nothing: it marks no boundary (RFC 9293 section 3.9.1.2),
 * and what is collected is written at the end of the turn in any case. False: write what is there first. The packet's
 * bytes stay in place until gro_write. */
bool gro_add(struct gro *gro, const struct packet *packet);

/* gro_write gives what was collected to the kernel and empties |gro|, also where it fails. MG_AGAIN: the device's queue
 * is full, and the packet is lost as on a full wire; MG_IO. */
MG_MUST_USE enum mg_status gro_write(struct gro *gro, int tun_fd);

static inline bool gro_empty(const struct gro *gro)
{
    return gro->num_segments == 0;
}

#endif
