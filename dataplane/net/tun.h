/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TUN device between the dataplane and the kernel's TCP: one queue and one descriptor per worker, packets with a
 * virtio header, so that the kernel hands over large segments to be cut and takes merged ones (TSO and GRO).
 */
#ifndef MINTGATE_DATAPLANE_NET_TUN_H
#define MINTGATE_DATAPLANE_NET_TUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/slice.h"
#include "base/status.h"

/* The largest packet that the kernel hands over. */
#define TUN_MAX_PACKET 65536

/* tun_open makes the device |name| with |num_queues| queues in the calling thread's network namespace; |fds| gets their
 * descriptors, non-blocking. Needs CAP_NET_ADMIN. */
MG_MUST_USE enum mg_status tun_open(const char *name, unsigned num_queues, int *fds, struct mg_error *error);

/* What the virtio header of a packet says. */
struct tun_offload {
    bool needs_checksum; /* TCP's checksum field holds the sum over the pseudo-header alone */
    uint16_t gso_size;   /* payload bytes of each segment to be made of it; 0: it is one segment */
};

/* tun_read reads one packet into |buffer| (TUN_MAX_PACKET bytes). MG_AGAIN: none is there. MG_INVALID: one that this
 * code did not ask for, dropped. Worker (the documented exception to "no system call on a worker"). */
MG_MUST_USE enum mg_status tun_read(int fd, uint8_t *buffer, struct mg_slice *packet, struct tun_offload *offload);

/* tun_write writes one packet out of |num_parts| parts; parts[0] is left free for the virtio header. MG_AGAIN: the
 * queue is full, the packet is lost as on a full wire. Any thread. */
MG_MUST_USE enum mg_status tun_write(int fd, struct iovec *parts, int num_parts, bool is_ipv6, uint16_t header_len,
                                     uint16_t tcp_offset, struct tun_offload offload);

#endif
