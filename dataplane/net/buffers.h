/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet buffers. DPDK lets none cross a page, and leaves the rest of a page free where no whole one has room. Its
 * AF_XDP driver tells the kernel that the buffers take their number times their size from the first on. With gaps the
 * last ones lie beyond that: a frame that is sent from there is dropped, one that is given to the kernel for what
 * arrives is lost, until nothing arrives any more. In the kernel's own small pages that was four of ten, in hugepages
 * it is one of a page's hundreds.
 */
#ifndef MINTGATE_DATAPLANE_NET_BUFFERS_H
#define MINTGATE_DATAPLANE_NET_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>

struct rte_mempool;

/* buffers_new makes |num| buffers with room for |room| bytes behind the headroom. |without_gaps|: for more, since with
 * all that belongs to it a buffer is then as large as a power of two, as pages are; for AF_XDP. NULL: no memory. Main
 * thread, with an EAL; rte_mempool_free. */
struct rte_mempool *buffers_new(const char *name, unsigned num, size_t room, bool without_gaps);

#endif
