/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum (RFC 1071) over IP headers and TCP segments. Pure. */
#ifndef MINTGATE_DATAPLANE_NET_CHECKSUM_H
#define MINTGATE_DATAPLANE_NET_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* checksum_ip_fill writes the header checksum of the IPv4 packet at |ip|; for IPv6 there is none. */
void checksum_ip_fill(uint8_t *ip);

/* checksum_tcp_fill writes the checksum of the TCP segment of |tcp_len| bytes at |ip| + |tcp_offset|. |ip| is a whole
 * packet with its addresses in place. */
void checksum_tcp_fill(uint8_t *ip, size_t tcp_offset, size_t tcp_len);

/* checksum_tcp_ok verifies that checksum. */
bool checksum_tcp_ok(const uint8_t *ip, size_t tcp_offset, size_t tcp_len);

/* checksum_tcp_pseudo_fill writes the sum over the pseudo-header alone, which is what the kernel wants in a packet
 * marked VIRTIO_NET_HDR_F_NEEDS_CSUM. */
void checksum_tcp_pseudo_fill(uint8_t *ip, size_t tcp_offset, size_t tcp_len);

#endif
