/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet buffers that lie one behind the other, without gaps: DPDK never lets a buffer cross a page, and leaves the
 * rest of a page free where no whole one has room. Its AF_XDP driver (up to 24.03 at the least) tells the kernel that
 * the buffers take their number times their size from the first on. With gaps the last ones lie beyond that: a frame
 * that is sent from there is dropped, one that is given to the kernel for what arrives is lost, until nothing arrives
 * any more.
 */
#ifndef MINTGATE_DATAPLANE_NET_BUFFERS_H
#define MINTGATE_DATAPLANE_NET_BUFFERS_H

#include <stddef.h>

struct rte_mempool;

/* buffers_new makes |num| buffers with room for |room| bytes behind the headroom, or more: with all that belongs to it
 * a buffer is as large as a power of two, and so are pages. NULL: no memory. Main thread, with an EAL;
 * rte_mempool_free. */
struct rte_mempool *buffers_new(const char *name, unsigned num, size_t room);

#endif
