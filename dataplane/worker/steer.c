/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dataplane/net/gso.h"
#include "dataplane/worker/worker_internal.h"

/* Packets taken from the stack in one turn. */
#define STACK_BURST 16

/* ---- what is known about the halves ---- */

/* half_closed tells whether the half's socket is gone, or will have nothing more to say. A socket that the session has
 * let go of is destroyed as soon as its FIN is acknowledged, because there is no TIME_WAIT here; the endpoint's own FIN
 * may come later, and is then answered here. */
static bool half_closed(const struct flow *flow, enum side side)
{
    const struct flow_half *half = &flow->half[side];
    bool both_ended = flow->end[side].fin_sent && half->peer_fin_acked;
    return half->dead || (half->fin_sent && half->fin_acked && (flow->finished || both_ended));
}

bool steer_halves_closed(const struct flow *flow)
{
    return half_closed(flow, SIDE_CLIENT) && half_closed(flow, SIDE_SERVER);
}

/* note_from_endpoint follows a packet of the endpoint on |side| to its socket. */
static void note_from_endpoint(struct flow *flow, const struct packet *packet, enum side side)
{
    struct flow_half *half = &flow->half[side];
    struct flow_end *end = &flow->end[side];
    uint32_t after = packet->seq + packet_sequence_len(packet);
    if ((packet->tcp_flags & TCP_RST) != 0) {
        /* Another the socket does not take either, but asks about it (RFC 5961 section 3.2). */
        half->dead = half->dead || packet->seq == end->next_seq;
        return;
    }
    if (seq_before(end->next_seq, after)) {
        end->next_seq = after;
    }
    if ((packet->tcp_flags & TCP_FIN) != 0) {
        end->fin_sent = true;
    }
    if (half->fin_sent && (packet->tcp_flags & TCP_ACK) != 0 && seq_before(half->fin_seq, packet->ack)) {
        half->fin_acked = true;
    }
}

/* note_from_socket follows a packet of the socket to the endpoint on |side|. */
static void note_from_socket(struct flow *flow, const struct packet *packet, enum side side)
{
    struct flow_half *half = &flow->half[side];
    const struct flow_end *end = &flow->end[side];
    if ((packet->tcp_flags & TCP_FIN) != 0) {
        half->fin_sent = true;
        half->fin_seq = packet->seq + packet_sequence_len(packet) - 1;
    }
    if (end->fin_sent && (packet->tcp_flags & TCP_ACK) != 0 && !seq_before(packet->ack, end->next_seq)) {
        half->peer_fin_acked = true;
    }
    if ((packet->tcp_flags & TCP_RST) != 0) {
        half->dead = true;
    }
}

/* ---- to the stack ---- */

void steer_flush(struct worker *worker)
{
    if (gro_empty(&worker->gro)) {
        return;
    }
    count_n(&worker->counters, COUNT_STACK_TX_SEGMENTS, (uint64_t)worker->gro.num_segments);
    count(&worker->counters, COUNT_STACK_TX_PACKETS);
    if (gro_write(&worker->gro, worker->tun_fd) != MG_OK) {
        count(&worker->counters, COUNT_DROP_TUN_FULL);
    }
    rte_pktmbuf_free_bulk(worker->gro_mbufs, (unsigned)worker->num_gro_mbufs);
    worker->num_gro_mbufs = 0;
}

/* answer_late answers for a socket that is gone: the kernel, having no TIME_WAIT here, would answer a late FIN with a
 * reset (RFC 9293 section 3.6.1: a retransmitted FIN is acknowledged). */
static void answer_late(struct worker *worker, struct flow *flow, const struct packet *packet, enum side side)
{
    if (packet_sequence_len(packet) == 0 || (packet->tcp_flags & (TCP_RST | TCP_SYN)) != 0 || flow->half[side].dead) {
        return;
    }
    struct segment segment;
    segment_answer(&segment, packet, TCP_ACK);
    struct tcp_options options;
    tcp_options_parse(&options, packet->options);
    if (options.has_timestamp) {
        segment.has_timestamp = true;
        segment.timestamp_value = options.timestamp_echo;
        segment.timestamp_echo = options.timestamp_value;
    }
    output_segment(worker, flow, side, &segment);
    count(&worker->counters, COUNT_LATE_ANSWERED);
}

void steer_to_stack(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet,
                    enum side side)
{
    if (half_closed(flow, side)) {
        answer_late(worker, flow, packet, side);
        rte_pktmbuf_free(mbuf);
        return;
    }
    note_from_endpoint(flow, packet, side);
    if (flow->finished) {
        track_ended(worker, flow);
    }
    if (!gro_add(&worker->gro, packet)) {
        steer_flush(worker);
        gro_add(&worker->gro, packet); /* an empty one takes any packet */
    }
    worker->gro_mbufs[worker->num_gro_mbufs++] = mbuf;
}

void steer_raw(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet)
{
    steer_flush(worker); /* order matters to TCP */
    struct iovec parts[2] = {[1] = {MG_UNCONST(packet->ip.data), packet->ip.len}};
    if (tun_write(worker->tun_fd, parts, 2, packet->is_ipv6, 0, 0, (struct tun_offload){0}) != MG_OK) {
        count(&worker->counters, COUNT_DROP_TUN_FULL);
    }
    rte_pktmbuf_free(mbuf);
}

/* ---- from the stack ---- */

/* find_stack_flow finds the flow that the stack sends for, and to which side. */
static struct flow *find_stack_flow(struct worker *worker, struct packet *packet, enum side *to)
{
    packet->vlan[0] = packet->vlan[1] = FLOW_VLAN_STACK;
    for (int side = 0; side < 2; side++) {
        struct flow_key key;
        /* A packet to the client looks like one that came in from the server's side. */
        flow_key_of(&key, packet, side_other((enum side)side));
        struct flow *flow = flow_find(worker->flows, &key, flow_hash(&worker->dataplane->siphash, &key));
        if (flow != NULL) {
            *to = (enum side)side;
            return flow;
        }
    }
    return NULL;
}

static void send_cut(struct worker *worker, const struct flow *flow, enum side to, const struct packet *packet,
                     struct tun_offload offload)
{
    const struct flow_end *in_whose_name = &flow->end[side_other(to)];
    struct gso gso;
    gso_begin(&gso, packet, offload);
    for (size_t len; (len = gso_segment_len(&gso)) > 0;) {
        uint8_t *ip;
        struct rte_mbuf *mbuf = output_frame(worker, in_whose_name->l2, in_whose_name->l2_len, len, &ip);
        if (mbuf == NULL) {
            return; /* lost as on a full wire; TCP sends it again */
        }
        gso_next(&gso, ip);
        output_send(worker, mbuf, to);
        count(&worker->counters, COUNT_STACK_RX_SEGMENTS);
    }
}

static void take_from_stack(struct worker *worker, struct mg_slice ip, struct tun_offload offload)
{
    struct packet packet;
    packet_parse_ip(&packet, ip);
    count(&worker->counters, COUNT_STACK_RX_PACKETS);
    if (packet.kind != PACKET_TCP) {
        count(&worker->counters, COUNT_DROP_TUN_INVALID);
        return;
    }
    enum side to;
    struct flow *flow = find_stack_flow(worker, &packet, &to);
    if (flow == NULL) {
        count(&worker->counters, COUNT_DROP_TUN_NO_FLOW);
        return;
    }
    note_from_socket(flow, &packet, to);
    flow->last_packet_ns = worker->now_ns;
    if (flow->finished) {
        track_ended(worker, flow);
    }
    send_cut(worker, flow, to, &packet, offload);
}

unsigned steer_from_stack(struct worker *worker)
{
    unsigned num = 0;
    for (; num < STACK_BURST; num++) {
        struct mg_slice ip;
        struct tun_offload offload;
        enum mg_status status = tun_read(worker->tun_fd, worker->stack_buffer, &ip, &offload);
        if (status == MG_INVALID) {
            count(&worker->counters, COUNT_DROP_TUN_INVALID);
        } else if (status != MG_OK) {
            break;
        } else {
            take_from_stack(worker, ip, offload);
        }
    }
    return num;
}
