/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dataplane/worker/worker_internal.h"

/* How long the ends of finished flows are remembered. */
#define BLOCKED_TIMEOUT_NS (UINT64_C(10) * 1000000000)
#define ENDED_TIMEOUT_NS (UINT64_C(5) * 1000000000)
/* A session has let go, but its sockets may still be sending: as long as the kernel tries. */
#define FINISHED_TIMEOUT_NS (UINT64_C(60) * 1000000000)

void track_policy_flow(struct policy_flow *out, const struct flow_key *key)
{
    *out = (struct policy_flow){
        .client = key->client, .server = key->server, .is_ipv6 = key->is_ipv6 != 0, .port = key->server_port};
}

static bool may_touch(const struct worker *worker, const struct flow_key *key)
{
    struct policy_flow flow;
    track_policy_flow(&flow, key);
    return !worker->is_wire && policy_may_touch(worker->policy, &flow);
}

static bool is_syn(const struct packet *packet)
{
    return (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

static bool is_syn_ack(const struct packet *packet)
{
    return (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK);
}

/* ---- life of a flow ---- */

static uint64_t idle_timeout_ns(const struct worker *worker, const struct flow *flow)
{
    const struct config_dataplane *config = &worker->dataplane->config->dataplane;
    switch (flow->state) {
    case FLOW_SYN:
        return config->flow_opening_timeout_ns;
    case FLOW_OPEN: /* browsers connect ahead of need; forgetting such a flow would let it pass uninspected */
        return config->flow_idle_timeout_ns;
    case FLOW_HOLDING:
        return config->hold_time_ns;
    case FLOW_ADOPTING:
        return UINT64_MAX;
    case FLOW_ADOPTED:
        /* The session has timeouts of its own, and says when it is done. */
        if (!flow->finished) {
            return UINT64_MAX;
        }
        return steer_halves_closed(flow) ? ENDED_TIMEOUT_NS : FINISHED_TIMEOUT_NS;
    case FLOW_BYPASSED:
        return flow->end[SIDE_CLIENT].fin_sent && flow->end[SIDE_SERVER].fin_sent ? ENDED_TIMEOUT_NS
                                                                                  : config->flow_idle_timeout_ns;
    case FLOW_BLOCKED:
        return BLOCKED_TIMEOUT_NS;
    }
    return config->flow_idle_timeout_ns;
}

/* start_timer sets the deadline by state, counted from the last packet; for a held flow from the first one held. */
static void start_timer(struct worker *worker, struct flow *flow)
{
    uint64_t timeout = idle_timeout_ns(worker, flow);
    if (timeout == UINT64_MAX) {
        wheel_stop(&worker->wheel, &flow->timer);
    } else {
        wheel_start(&worker->wheel, &flow->timer, flow->last_packet_ns + timeout);
    }
}

void track_ended(struct worker *worker, struct flow *flow)
{
    if (!flow->ended && steer_halves_closed(flow)) {
        flow->ended = true;
        start_timer(worker, flow);
    }
}

void track_set_state(struct worker *worker, struct flow *flow, enum flow_state state)
{
    flow->state = state;
    flow->last_packet_ns = worker->now_ns;
    start_timer(worker, flow);
}

void track_remove(struct worker *worker, struct flow *flow)
{
    wheel_stop(&worker->wheel, &flow->timer);
    decide_free_held(worker, flow);
    if (flow->stack_key) {
        worker->num_stack_flows--;
    }
    flow_remove(worker->flows, flow);
    count(&worker->counters, COUNT_FLOWS_CLOSED);
}

void track_timer(struct wheel_timer *timer, void *arg)
{
    struct worker *worker = arg;
    struct flow *flow = MG_CONTAINER_OF(timer, struct flow, timer);
    /* Packets do not move the timer: it looks here whether there were any. A held flow's first packet counts. */
    uint64_t timeout = idle_timeout_ns(worker, flow);
    if (flow->state != FLOW_HOLDING && timeout != UINT64_MAX && worker->now_ns < flow->last_packet_ns + timeout) {
        start_timer(worker, flow);
        return;
    }
    if (flow->state == FLOW_HOLDING) {
        decide_way_out(worker, flow, COUNT_WAY_OUT_HOLD_EXCEEDED, policy_settings(worker->policy)->hold_exceeded,
                       "hold_exceeded");
        return;
    }
    track_remove(worker, flow);
}

/* ---- what a packet tells ---- */

static void note_l2(struct flow_end *end, const struct packet *packet)
{
    const uint8_t *frame = packet->ip.data - packet->l2_len;
    memcpy(end->l2, frame, packet->l2_len);
    end->l2_len = packet->l2_len;
}

/* note_packet keeps what a takeover needs to know, while one may still come. */
static void note_packet(struct flow *flow, const struct packet *packet, enum side side)
{
    struct flow_end *end = &flow->end[side];
    const struct flow_end *peer = &flow->end[side_other(side)];
    struct tcp_options options;
    tcp_options_parse(&options, packet->options);
    bool scaled = end->syn_options.has_window_scale && peer->syn_options.has_window_scale;
    unsigned scale = scaled ? end->syn_options.window_scale : 0;
    end->window = (packet->tcp_flags & TCP_SYN) != 0 ? packet->window : (uint32_t)packet->window << scale;
    if (options.has_timestamp) {
        end->timestamp = options.timestamp_value;
    }
    if ((packet->tcp_flags & TCP_ACK) != 0) {
        end->last_ack = packet->ack;
    }
    uint32_t after = packet->seq + packet_sequence_len(packet);
    if (seq_before(end->next_seq, after)) {
        end->next_seq = after;
    }
}

static void note_syn(struct flow *flow, const struct packet *packet, enum side side)
{
    struct flow_end *end = &flow->end[side];
    tcp_options_parse(&end->syn_options, packet->options);
    end->isn = packet->seq;
    end->next_seq = packet->seq + 1;
    end->seen = true;
    note_packet(flow, packet, side);
}

/* ---- flows that are not known ---- */

static void reset_both(struct worker *worker, const struct packet *packet, enum side side)
{
    const uint8_t *frame = packet->ip.data - packet->l2_len;
    struct segment segment;
    segment_answer(&segment, packet, TCP_RST);
    output_answer(worker, packet, frame, side, &segment);
    /* And one onwards in the sender's name, in the place of the packet. */
    segment = (struct segment){
        .is_ipv6 = packet->is_ipv6,
        .source = packet->source,
        .destination = packet->destination,
        .source_port = packet->source_port,
        .destination_port = packet->destination_port,
        .seq = packet->seq,
        .ack = packet->ack,
        .flags = TCP_RST | (packet->tcp_flags & TCP_ACK),
    };
    uint8_t ip[SEGMENT_MAX_LEN], *place;
    size_t len = segment_build(ip, &segment);
    struct rte_mbuf *mbuf = output_frame(worker, frame, packet->l2_len, len, &place);
    if (mbuf != NULL) {
        memcpy(place, ip, len);
        output_send(worker, mbuf, side_other(side));
    }
}

/* way_out_without_flow does what policy says for a packet that has no flow and gets none. */
static void way_out_without_flow(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet,
                                 enum side side, const struct flow_key *key, enum counter counter,
                                 enum config_way_out way, const char *reason)
{
    count(&worker->counters, counter);
    decide_note(worker, key, NULL, way == CONFIG_WAY_OUT_BLOCK ? "block" : "bypass", reason, NULL);
    if (way == CONFIG_WAY_OUT_BLOCK) {
        reset_both(worker, packet, side);
        rte_pktmbuf_free(mbuf);
    } else {
        output_forward(worker, mbuf, side);
    }
}

static struct flow *open_flow(struct worker *worker, const struct flow_key *key, uint64_t hash)
{
    struct flow *flow = flow_add(worker->flows, key, hash);
    if (flow == NULL) {
        count(&worker->counters, COUNT_FULL_FLOWS);
        return NULL;
    }
    flow->opened_ns = worker->now_ns;
    return flow;
}

static void open_with_syn(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet,
                          const struct flow_key *key, uint64_t hash)
{
    struct flow *flow = open_flow(worker, key, hash);
    if (flow == NULL) {
        way_out_without_flow(worker, mbuf, packet, SIDE_CLIENT, key, COUNT_WAY_OUT_TABLE_FULL,
                             policy_settings(worker->policy)->table_full, "table_full");
        return;
    }
    count(&worker->counters, COUNT_FLOWS_OPENED);
    track_set_state(worker, flow, FLOW_SYN);
    note_syn(flow, packet, SIDE_CLIENT);
    note_l2(&flow->end[SIDE_CLIENT], packet);
    output_forward(worker, mbuf, SIDE_CLIENT);
}

/* open_midstream meets a flow whose beginning was not seen, or one that was opened from the servers' side. */
static void open_midstream(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet, enum side side,
                           const struct flow_key *key, uint64_t hash)
{
    enum config_way_out way = policy_settings(worker->policy)->midstream;
    bool inbound = is_syn(packet);
    if (!inbound && way == CONFIG_WAY_OUT_BLOCK) {
        way_out_without_flow(worker, mbuf, packet, side, key, COUNT_WAY_OUT_MIDSTREAM, way, "midstream");
        return;
    }
    struct flow *flow = open_flow(worker, key, hash);
    if (flow != NULL) {
        track_set_state(worker, flow, FLOW_BYPASSED);
        if (!inbound) {
            count(&worker->counters, COUNT_WAY_OUT_MIDSTREAM);
            decide_note(worker, key, NULL, "bypass", "midstream", NULL);
        }
    }
    output_forward(worker, mbuf, side);
}

static void neutralize(struct worker *worker, struct rte_mbuf *mbuf, struct packet *packet)
{
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
    size_t len;
    if (tcp_syn_neutralize(frame, packet, &len)) {
        count(&worker->counters, COUNT_SYN_NEUTRALIZED);
        rte_pktmbuf_trim(mbuf, (uint16_t)(rte_pktmbuf_data_len(mbuf) - len));
        packet_parse(packet, mg_slice_of(frame, len));
    }
}

static void unknown_flow(struct worker *worker, struct rte_mbuf *mbuf, struct packet *packet, enum side side,
                         const struct flow_key *key, uint64_t hash)
{
    if (!may_touch(worker, key) || (packet->tcp_flags & TCP_RST) != 0) {
        output_forward(worker, mbuf, side);
    } else if (is_syn(packet) && side == SIDE_CLIENT) {
        neutralize(worker, mbuf, packet);
        open_with_syn(worker, mbuf, packet, key, hash);
    } else {
        open_midstream(worker, mbuf, packet, side, key, hash);
    }
}

/* ---- known flows ---- */

static void ended_by_reset(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, enum side side)
{
    output_forward(worker, mbuf, side);
    track_remove(worker, flow);
}

/* settle_isn chooses among SYN-ACKs that differ, as a server without memory may send them (SYN cookies, RFC 4987
 * section 3.6): the client has taken the one that it acknowledges, and the server has sent nothing else yet. */
static void settle_isn(struct flow *flow, const struct packet *packet)
{
    struct flow_end *server = &flow->end[SIDE_SERVER];
    if ((packet->tcp_flags & TCP_ACK) != 0) {
        server->isn = packet->ack - 1;
        server->next_seq = packet->ack;
    }
}

/* out_before_data ends the watch of a flow that goes another way than a client's first bytes after a handshake. */
static void out_before_data(struct worker *worker, struct flow *flow, enum side side)
{
    const struct config_policy *settings = policy_settings(worker->policy);
    if (side == SIDE_SERVER) {
        /* It speaks first, or ends the connection unasked: not TLS. */
        decide_way_out(worker, flow, COUNT_WAY_OUT_NOT_TLS, settings->not_tls, "not_tls");
    } else {
        /* The answer to its SYN was never seen. */
        decide_way_out(worker, flow, COUNT_WAY_OUT_MIDSTREAM, settings->midstream, "midstream");
    }
}

/* reset_before_data passes a RST on. It counts only where the other end takes it for one, as long as that was given no
 * byte (RFC 9293 section 3.5.3, RFC 5961 section 3.2): else a client could have us forget a flow that goes on. */
static void reset_before_data(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf,
                              const struct packet *packet, enum side side)
{
    bool refused = side == SIDE_SERVER && flow->state == FLOW_SYN && (packet->tcp_flags & TCP_ACK) != 0 &&
                   packet->ack == flow->end[SIDE_CLIENT].isn + 1;
    if (refused || (flow->end[side].seen && packet->seq == flow->end[side].isn + 1)) {
        ended_by_reset(worker, flow, mbuf, side);
    } else {
        output_forward(worker, mbuf, side);
    }
}

static void before_data(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet,
                        enum side side)
{
    note_l2(&flow->end[side], packet);
    if ((packet->tcp_flags & TCP_RST) != 0) {
        reset_before_data(worker, flow, mbuf, packet, side);
        return;
    }
    if (side == SIDE_SERVER && is_syn_ack(packet) && packet->ack == flow->end[SIDE_CLIENT].isn + 1) {
        if (flow->state != FLOW_HOLDING) {
            note_syn(flow, packet, side);
        }
        if (flow->state == FLOW_SYN) {
            track_set_state(worker, flow, FLOW_OPEN);
        }
        output_forward(worker, mbuf, side);
        return;
    }
    /* A keep-alive sends nothing new, though it may carry a byte. */
    bool has_content = packet_sequence_len(packet) > 0 &&
                       seq_before(flow->end[side].isn + 1, packet->seq + packet_sequence_len(packet));
    if (side == SIDE_CLIENT && flow->state == FLOW_OPEN && has_content) {
        note_packet(flow, packet, side);
        settle_isn(flow, packet);
        decide_first(worker, flow, mbuf, packet);
        return;
    }
    note_packet(flow, packet, side);
    if (has_content) {
        out_before_data(worker, flow, side);
        if (flow->state == FLOW_BLOCKED) {
            rte_pktmbuf_free(mbuf);
            return;
        }
    }
    output_forward(worker, mbuf, side);
}

static void while_holding(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet,
                          enum side side)
{
    note_l2(&flow->end[side], packet);
    if ((packet->tcp_flags & TCP_RST) != 0) {
        reset_before_data(worker, flow, mbuf, packet, side);
        return;
    }
    if (side == SIDE_CLIENT) {
        note_packet(flow, packet, side);
        decide_more(worker, flow, mbuf, packet);
        return;
    }
    before_data(worker, flow, mbuf, packet, side);
}

static void while_bypassed(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet,
                           enum side side)
{
    struct flow_end *end = &flow->end[side], *other = &flow->end[side_other(side)];
    bool both = (packet->tcp_flags & TCP_RST) != 0; /* remembered like two FINs: the other end may not know of it yet */
    flow->last_packet_ns = worker->now_ns;
    if (((packet->tcp_flags & TCP_FIN) != 0 && !end->fin_sent) || (both && !(end->fin_sent && other->fin_sent))) {
        end->fin_sent = true;
        other->fin_sent = other->fin_sent || both;
        start_timer(worker, flow);
    }
    output_forward(worker, mbuf, side);
}

static void while_blocked(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet, enum side side)
{
    if ((packet->tcp_flags & TCP_RST) == 0) {
        struct segment segment;
        segment_answer(&segment, packet, TCP_RST);
        output_answer(worker, packet, packet->ip.data - packet->l2_len, side, &segment);
    }
    rte_pktmbuf_free(mbuf);
}

/* begins_again tells whether a SYN of the client opens a new connection with the ports of an old one. */
static bool begins_again(const struct flow *flow, const struct packet *packet, enum side side)
{
    if (!is_syn(packet) || side != SIDE_CLIENT ||
        (flow->end[SIDE_CLIENT].seen && flow->end[SIDE_CLIENT].isn == packet->seq)) {
        return false;
    }
    switch (flow->state) {
    case FLOW_ADOPTING:
        return false;
    case FLOW_ADOPTED:
        return steer_halves_closed(flow); /* else the stack answers as a host does (RFC 5961 section 4) */
    default:
        return true;
    }
}

void track_packet(struct worker *worker, struct rte_mbuf *mbuf, struct packet *packet, enum side side,
                  const struct flow_lookup *lookup)
{
    struct flow *flow = lookup->flow;
    if (flow != NULL && begins_again(flow, packet, side)) {
        track_remove(worker, flow);
        flow = NULL;
    }
    if (flow == NULL) {
        unknown_flow(worker, mbuf, packet, side, &lookup->key, lookup->hash);
        return;
    }
    switch (flow->state) {
    case FLOW_SYN:
        if (is_syn(packet) && side == SIDE_CLIENT) {
            neutralize(worker, mbuf, packet); /* sent again */
        }
        before_data(worker, flow, mbuf, packet, side);
        break;
    case FLOW_OPEN:
        before_data(worker, flow, mbuf, packet, side);
        break;
    case FLOW_HOLDING:
        while_holding(worker, flow, mbuf, packet, side);
        break;
    case FLOW_ADOPTING:
        note_l2(&flow->end[side], packet);
        decide_hold(worker, flow, mbuf);
        break;
    case FLOW_ADOPTED:
        note_l2(&flow->end[side], packet);
        flow->last_packet_ns = worker->now_ns;
        steer_to_stack(worker, flow, mbuf, packet, side);
        break;
    case FLOW_BYPASSED:
        while_bypassed(worker, flow, mbuf, packet, side);
        break;
    case FLOW_BLOCKED:
        while_blocked(worker, mbuf, packet, side);
        break;
    }
}

/* ---- fragments ---- */

static void drop_fragment(struct rte_mbuf *mbuf, void *arg)
{
    struct worker *worker = arg;
    rte_pktmbuf_free(mbuf);
    count(&worker->counters, COUNT_DROP_FRAGMENTS);
}

/* way_of_first decides by the first fragment, whose ports are known. */
static enum fragments_way way_of_first(struct worker *worker, const struct packet *packet, enum side side)
{
    struct flow_key key;
    flow_key_of(&key, packet, side);
    uint64_t hash = flow_hash(&worker->dataplane->siphash, &key);
    struct flow *flow = flow_find(worker->flows, &key, hash);
    enum config_way_out way = policy_settings(worker->policy)->fragmented;
    if (flow == NULL) {
        if (!may_touch(worker, &key)) {
            return FRAGMENTS_FORWARD;
        }
        /* A handshake in fragments is judged as one, or it would make the flow one whose beginning was missed. */
        bool opens = (packet->tcp_flags & TCP_SYN) != 0;
        if (!opens && policy_settings(worker->policy)->midstream == CONFIG_WAY_OUT_BYPASS) {
            return FRAGMENTS_FORWARD;
        }
        count(&worker->counters, COUNT_WAY_OUT_FRAGMENTED);
        return opens && way == CONFIG_WAY_OUT_BYPASS ? FRAGMENTS_FORWARD : FRAGMENTS_DROP;
    }
    switch (flow->state) {
    case FLOW_SYN:
    case FLOW_OPEN:
    case FLOW_HOLDING:
        /* The server's too: its SYN-ACK in fragments would hide the handshake from us. */
        decide_way_out(worker, flow, COUNT_WAY_OUT_FRAGMENTED, way, "fragmented");
        return way == CONFIG_WAY_OUT_BLOCK ? FRAGMENTS_DROP : FRAGMENTS_FORWARD;
    case FLOW_BYPASSED:
        flow->last_packet_ns = worker->now_ns;
        return FRAGMENTS_FORWARD;
    case FLOW_ADOPTED:
        flow->last_packet_ns = worker->now_ns;
        return FRAGMENTS_TO_STACK;
    case FLOW_ADOPTING: /* too early for the stack; TCP sends it again */
    case FLOW_BLOCKED:
        break;
    }
    return FRAGMENTS_DROP;
}

static void send_fragment(struct worker *worker, struct rte_mbuf *mbuf, enum fragments_way way, enum side side)
{
    switch (way) {
    case FRAGMENTS_FORWARD:
        output_forward(worker, mbuf, side);
        break;
    case FRAGMENTS_TO_STACK: {
        struct packet packet;
        struct mg_slice frame;
        if (ports_frame(mbuf, &frame)) {
            packet_parse(&packet, frame);
            steer_raw(worker, mbuf, &packet);
        } else {
            drop_fragment(mbuf, worker);
        }
        break;
    }
    case FRAGMENTS_DROP:
    case FRAGMENTS_UNKNOWN:
        drop_fragment(mbuf, worker);
        break;
    }
}

void track_fragment(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet, enum side side)
{
    struct flow_key key;
    flow_key_of(&key, packet, side);
    struct policy_flow flow;
    track_policy_flow(&flow, &key);
    if (!policy_may_touch_addresses(worker->policy, &flow)) {
        output_forward(worker, mbuf, side);
        return;
    }
    struct datagram *datagram = fragments_find(worker->fragments, packet, side, worker->now_ns, drop_fragment, worker);
    if (datagram == NULL) {
        count(&worker->counters, COUNT_FULL_FRAGMENTS);
        drop_fragment(mbuf, worker);
        return;
    }
    if (datagram->way == FRAGMENTS_UNKNOWN && packet->fragment_first) {
        datagram->way = packet->has_ports ? way_of_first(worker, packet, side) : FRAGMENTS_DROP;
        for (unsigned i = 0; i < datagram->num_waiting; i++) {
            send_fragment(worker, datagram->waiting[i], datagram->way, side);
        }
        datagram->num_waiting = 0;
    }
    if (datagram->way != FRAGMENTS_UNKNOWN) {
        send_fragment(worker, mbuf, datagram->way, side);
    } else if (!fragments_wait(datagram, mbuf)) {
        count(&worker->counters, COUNT_FULL_FRAGMENTS);
        drop_fragment(mbuf, worker);
    }
}
