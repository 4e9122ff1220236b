/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/buffers.h"

#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#define CACHE 256 /* of each lcore */
/* Else the memory's channels are spread by a gap behind each buffer. */
#define FLAGS RTE_MEMPOOL_F_NO_SPREAD

static struct rte_mempool *new_without_gaps(const char *name, unsigned num, size_t room)
{
    uint32_t element = (uint32_t)(sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM + room);
    uint32_t size = rte_mempool_calc_obj_size(element, FLAGS, NULL);
    element += rte_align32pow2(size) - size;
    struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = (uint16_t)(element - sizeof(struct rte_mbuf))};
    return rte_mempool_create(name, num, element, CACHE, sizeof(private), rte_pktmbuf_pool_init, &private,
                              rte_pktmbuf_init, NULL, (int)rte_socket_id(), FLAGS);
}

struct rte_mempool *buffers_new(const char *name, unsigned num, size_t room, bool without_gaps)
{
    return without_gaps ? new_without_gaps(name, num, room)
                        : rte_pktmbuf_pool_create(name, num, CACHE, 0, (uint16_t)(RTE_PKTMBUF_HEADROOM + room),
                                                  (int)rte_socket_id());
}
