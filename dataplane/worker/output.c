/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <rte_ethdev.h>

#include "dataplane/worker/worker_internal.h"

#define MAC_LEN 6

static void flush_side(struct worker *worker, enum side side)
{
    struct worker_tx *tx = &worker->tx[side];
    uint16_t num_sent =
        rte_eth_tx_burst(worker->dataplane->ports.id[side], (uint16_t)worker->index, tx->mbufs, tx->num);
    if (num_sent < tx->num) {
        rte_pktmbuf_free_bulk(tx->mbufs + num_sent, tx->num - num_sent);
        count_n(&worker->counters, COUNT_DROP_TX_FULL, (uint64_t)(tx->num - num_sent));
    }
    count_n(&worker->counters, side == SIDE_CLIENT ? COUNT_TX_CLIENT : COUNT_TX_SERVER, num_sent);
    tx->num = 0;
}

void output_send(struct worker *worker, struct rte_mbuf *mbuf, enum side side)
{
    struct worker_tx *tx = &worker->tx[side];
    tx->mbufs[tx->num++] = mbuf;
    if (tx->num == WORKER_BURST) {
        flush_side(worker, side);
    }
}

void output_flush(struct worker *worker)
{
    for (int side = 0; side < 2; side++) {
        if (worker->tx[side].num > 0) {
            flush_side(worker, (enum side)side);
        }
    }
}

struct rte_mbuf *output_frame(struct worker *worker, const uint8_t *l2, uint8_t l2_len, size_t ip_len, uint8_t **ip)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(worker->dataplane->ports.pool);
    uint8_t *frame = mbuf == NULL ? NULL : (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)(l2_len + ip_len));
    if (frame == NULL) {
        rte_pktmbuf_free(mbuf);
        count(&worker->counters, COUNT_DROP_NO_BUFFER);
        return NULL;
    }
    memcpy(frame, l2, l2_len);
    *ip = frame + l2_len;
    return mbuf;
}

void output_segment(struct worker *worker, const struct flow *flow, enum side to, const struct segment *segment)
{
    const struct flow_end *in_whose_name = &flow->end[side_other(to)];
    uint8_t ip[SEGMENT_MAX_LEN], *place;
    size_t len = segment_build(ip, segment);
    if (in_whose_name->l2_len == 0 || len == 0) {
        return; /* no frame of that endpoint was ever seen */
    }
    struct rte_mbuf *mbuf = output_frame(worker, in_whose_name->l2, in_whose_name->l2_len, len, &place);
    if (mbuf != NULL) {
        memcpy(place, ip, len);
        output_send(worker, mbuf, to);
    }
}

void output_answer(struct worker *worker, const struct packet *packet, const uint8_t *frame, enum side side,
                   const struct segment *segment)
{
    uint8_t l2[PACKET_MAX_L2], ip[SEGMENT_MAX_LEN], *place;
    memcpy(l2, frame, packet->l2_len);
    memcpy(l2, frame + MAC_LEN, MAC_LEN);
    memcpy(l2 + MAC_LEN, frame, MAC_LEN);
    size_t len = segment_build(ip, segment);
    struct rte_mbuf *mbuf = output_frame(worker, l2, packet->l2_len, len, &place);
    if (mbuf != NULL) {
        memcpy(place, ip, len);
        output_send(worker, mbuf, side);
    }
}
