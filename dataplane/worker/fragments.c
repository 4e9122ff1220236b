/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker/fragments.h"

#include <string.h>

static bool same_datagram(const struct datagram *datagram, const struct packet *packet, enum side side)
{
    size_t len = packet_address_len(packet);
    return datagram->id == packet->fragment_id && datagram->side == side && datagram->is_ipv6 == packet->is_ipv6 &&
           memcmp(datagram->source, packet->source, len) == 0 &&
           memcmp(datagram->destination, packet->destination, len) == 0;
}

static void give_way(struct datagram *datagram, void (*drop)(struct rte_mbuf *mbuf, void *arg), void *arg)
{
    for (unsigned i = 0; i < datagram->num_waiting; i++) {
        drop(datagram->waiting[i], arg);
    }
    datagram->num_waiting = 0;
    datagram->used = false;
}

struct datagram *fragments_find(struct fragments *fragments, const struct packet *packet, enum side side,
                                uint64_t now_ns, void (*drop)(struct rte_mbuf *mbuf, void *arg), void *arg)
{
    struct datagram *place = NULL;
    for (size_t i = 0; i < FRAGMENTS_MAX_DATAGRAMS; i++) {
        struct datagram *datagram = &fragments->datagrams[i];
        if (datagram->used && now_ns - datagram->since_ns > FRAGMENTS_TIMEOUT_NS) {
            give_way(datagram, drop, arg);
        }
        if (!datagram->used) {
            place = datagram;
        } else if (same_datagram(datagram, packet, side)) {
            return datagram;
        }
    }
    if (place == NULL) {
        return NULL;
    }
    *place = (struct datagram){
        .id = packet->fragment_id, .side = side, .is_ipv6 = packet->is_ipv6, .used = true, .since_ns = now_ns};
    memcpy(place->source, packet->source, packet_address_len(packet));
    memcpy(place->destination, packet->destination, packet_address_len(packet));
    return place;
}

bool fragments_wait(struct datagram *datagram, struct rte_mbuf *mbuf)
{
    if (datagram->num_waiting == FRAGMENTS_MAX_WAITING) {
        return false;
    }
    datagram->waiting[datagram->num_waiting++] = mbuf;
    return true;
}
