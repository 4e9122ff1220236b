/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <rte_mbuf_dyn.h>

#include "base/clock.h"
#include "cache/rcu.h"
#include "dataplane/policy/decision.h"
#include "dataplane/session/session_thread.h"
#include "dataplane/tls/tls_settings.h"
#include "dataplane/worker/worker_internal.h"

/* ---- held packets ---- */

static int held_offset = -1;

bool held_register(void)
{
    static const struct rte_mbuf_dynfield field = {
        .name = "mintgate_held", .size = sizeof(struct rte_mbuf *), .align = sizeof(struct rte_mbuf *)};
    if (held_offset < 0) {
        held_offset = rte_mbuf_dynfield_register(&field);
    }
    return held_offset >= 0;
}

struct rte_mbuf **held_next(struct rte_mbuf *mbuf)
{
    return RTE_MBUF_DYNFIELD(mbuf, held_offset, struct rte_mbuf **);
}

static struct rte_mbuf *take_held(struct worker *worker, struct flow *flow)
{
    struct rte_mbuf *mbuf = flow->held_first;
    if (mbuf != NULL) {
        flow->held_first = *held_next(mbuf);
        flow->num_held--;
        worker->num_held--;
    }
    return mbuf;
}

void decide_hold(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf)
{
    if (worker->num_held >= worker->max_held) {
        /* TCP sends it again; a flow that cannot even hold its first packets is let go by its callers. */
        count(&worker->counters, COUNT_FULL_HOLD_PACKETS);
        rte_pktmbuf_free(mbuf);
        return;
    }
    *held_next(mbuf) = NULL;
    if (flow->held_first == NULL) {
        flow->held_first = mbuf;
    } else {
        *held_next(flow->held_last) = mbuf;
    }
    flow->held_last = mbuf;
    flow->num_held++;
    worker->num_held++;
}

static void free_hello(struct worker *worker, struct flow *flow)
{
    if (flow->hello != NULL) {
        flow->hello->next_free = worker->free_hellos;
        worker->free_hellos = flow->hello;
        flow->hello = NULL;
    }
}

void decide_free_held(struct worker *worker, struct flow *flow)
{
    for (struct rte_mbuf *mbuf; (mbuf = take_held(worker, flow)) != NULL;) {
        rte_pktmbuf_free(mbuf);
    }
    free_hello(worker, flow);
}

static enum side side_of(const struct worker *worker, const struct rte_mbuf *mbuf)
{
    return mbuf->port == worker->dataplane->ports.id[SIDE_CLIENT] ? SIDE_CLIENT : SIDE_SERVER;
}

/* ---- records ---- */

void decide_note(struct worker *worker, const struct flow_key *key, const struct hello_info *hello, const char *action,
                 const char *reason, const char *rule)
{
    struct session_record record;
    session_record_init(&record, key);
    record.action = action;
    record.reason = reason;
    if (hello != NULL) {
        record.sni = hello->sni;
        record.ja4 = hello->ja4;
    }
    if (rule != NULL) {
        snprintf(record.rule, sizeof(record.rule), "%s", rule);
    }
    if (!session_log_put(worker->log, &record)) {
        count(&worker->counters, COUNT_FULL_LOG);
    }
}

/* ---- carrying a decision out ---- */

void decide_bypass(struct worker *worker, struct flow *flow)
{
    for (struct rte_mbuf *mbuf; (mbuf = take_held(worker, flow)) != NULL;) {
        output_forward(worker, mbuf, side_of(worker, mbuf));
    }
    free_hello(worker, flow);
    track_set_state(worker, flow, FLOW_BYPASSED);
}

/* segment_between prepares a segment from the endpoint on |from| to the other one. */
static void segment_between(struct segment *out, const struct flow *flow, enum side from, uint8_t flags)
{
    const struct flow_key *key = &flow->key;
    const struct flow_end *end = &flow->end[from], *peer = &flow->end[side_other(from)];
    bool from_client = from == SIDE_CLIENT;
    *out = (struct segment){
        .is_ipv6 = key->is_ipv6 != 0,
        .source = from_client ? key->client : key->server,
        .destination = from_client ? key->server : key->client,
        .source_port = from_client ? key->client_port : key->server_port,
        .destination_port = from_client ? key->server_port : key->client_port,
        .seq = end->next_seq,
        .ack = peer->next_seq,
        .flags = (uint8_t)(flags | TCP_ACK),
        .has_timestamp = end->syn_options.has_timestamp && peer->syn_options.has_timestamp,
        .timestamp_value = end->timestamp,
        .timestamp_echo = peer->timestamp,
    };
}

/* A fatal access_denied alert (RFC 8446 section 6.2), in a record of its own. */
static const uint8_t access_denied[] = {21, 3, 3, 0, 2, 2, 49};

void decide_block(struct worker *worker, struct flow *flow, enum config_block_with with)
{
    decide_free_held(worker, flow);
    struct segment segment;
    bool alert = with == CONFIG_BLOCK_ALERT && flow->first_data;
    segment_between(&segment, flow, SIDE_SERVER, alert ? TCP_PSH | TCP_FIN : TCP_RST);
    if (alert) {
        segment.payload = mg_slice_of(access_denied, sizeof(access_denied));
        segment.window = UINT16_MAX;
    }
    output_segment(worker, flow, SIDE_CLIENT, &segment);
    segment_between(&segment, flow, SIDE_CLIENT, TCP_RST);
    if (flow->first_data) {
        segment.seq = flow->end[SIDE_CLIENT].isn + 1; /* the server has seen nothing of what was held */
    }
    output_segment(worker, flow, SIDE_SERVER, &segment);
    track_set_state(worker, flow, FLOW_BLOCKED);
}

/* carry_out does what was decided, but for a takeover; what was not simply let pass by a rule is noted. */
static void carry_out(struct worker *worker, struct flow *flow, const struct hello_info *hello,
                      const struct decision *decision)
{
    count(&worker->counters, decision->counter);
    if (decision->counter != COUNT_DECIDED_BYPASS) {
        decide_note(worker, &flow->key, hello, decision_action_name(decision->action), decision->reason,
                    decision->rule);
    }
    if (decision->action == CONFIG_ACTION_BLOCK) {
        decide_block(worker, flow, decision->block_with);
    } else {
        decide_bypass(worker, flow);
    }
}

static void way_out(struct worker *worker, struct flow *flow, const struct hello_info *hello, enum counter counter,
                    enum config_way_out way, const char *reason)
{
    struct decision decision;
    if (worker->is_wire) {
        decision_way_out(&decision, worker->policy, COUNT_WAY_OUT_KILL_SWITCH, CONFIG_WAY_OUT_BYPASS, "kill_switch");
    } else {
        decision_way_out(&decision, worker->policy, counter, way, reason);
    }
    carry_out(worker, flow, hello, &decision);
}

void decide_way_out(struct worker *worker, struct flow *flow, enum counter counter, enum config_way_out way,
                    const char *reason)
{
    way_out(worker, flow, NULL, counter, way, reason);
}

static void adoption_failed(struct worker *worker, struct flow *flow, const struct hello_info *hello)
{
    way_out(worker, flow, hello, COUNT_WAY_OUT_ADOPTION_FAILED, policy_settings(worker->policy)->adoption_failed,
            "adoption_failed");
}

static void describe_end(struct adopt_end *out, const struct flow *flow, enum side side)
{
    const struct flow_end *end = &flow->end[side];
    bool client = side == SIDE_CLIENT;
    *out = (struct adopt_end){
        .port = client ? flow->key.client_port : flow->key.server_port,
        .next_seq = end->isn + 1, /* neither has sent a byte that the other was given */
        .window = end->window,
        .timestamp = end->timestamp,
        .syn_options = end->syn_options,
    };
    memcpy(out->address, client ? flow->key.client : flow->key.server, sizeof(out->address));
}

/* take_over hands the flow to a session thread; |hello| and |rule| are NULL where it is forced. */
static void take_over(struct worker *worker, struct flow *flow, enum takeover_cause cause,
                      const struct hello_info *hello, const char *rule)
{
    struct takeover *takeover = worker->free_takeovers;
    unsigned thread = (unsigned)(flow->hash % worker->dataplane->num_session_threads);
    if (takeover == NULL) {
        count(&worker->counters, COUNT_FULL_TAKEOVERS);
        adoption_failed(worker, flow, hello);
        return;
    }
    /* From here on the stack may send for it. */
    if (!flow_add_stack_key(worker->flows, flow)) {
        adoption_failed(worker, flow, hello);
        return;
    }
    worker->num_stack_flows++;
    worker->free_takeovers = takeover->next_free;
    *takeover = (struct takeover){
        .worker = (uint16_t)worker->index,
        .flow = flow_handle_of(worker->flows, flow),
        .key = flow->key,
        .adopt = {.is_ipv6 = flow->key.is_ipv6 != 0, .is_answered = cause == TAKEOVER_DECIDED},
        .cause = cause,
        .hold_ns = flow->last_packet_ns,
        .sent_ns = worker->now_ns,
    };
    if (hello != NULL) {
        takeover->hello = *hello;
        snprintf(takeover->rule, sizeof(takeover->rule), "%s", rule);
    }
    describe_end(&takeover->adopt.end[SIDE_CLIENT], flow, SIDE_CLIENT);
    describe_end(&takeover->adopt.end[SIDE_SERVER], flow, SIDE_SERVER);
    flow->session_thread = (uint8_t)thread;
    free_hello(worker, flow);
    track_set_state(worker, flow, FLOW_ADOPTING);
    /* Cannot be full: it has as many places as there are takeovers. */
    (void)rte_ring_sp_enqueue(worker->to_session[thread], takeover);
    session_thread_ring(worker->dataplane->session_threads[thread]);
}

/* ---- deciding ---- */

static void decide(struct worker *worker, struct flow *flow, CBS message)
{
    struct client_hello parsed;
    struct hello_info hello;
    if (client_hello_parse(&parsed, message) != MG_OK || !hello_info_of(&hello, &parsed, message)) {
        if (parsed.fault == CLIENT_HELLO_GOOD) {
            count(&worker->counters, COUNT_HELLO_HOSTILE_SNI);
        }
        decide_way_out(worker, flow, COUNT_WAY_OUT_HELLO_TOO_LARGE, policy_settings(worker->policy)->hello_too_large,
                       parsed.fault == CLIENT_HELLO_GOOD ? "hostile_sni" : "hello_malformed");
        return;
    }
    struct policy_flow policy_flow;
    struct decision decision;
    track_policy_flow(&policy_flow, &flow->key);
    dataplane_decide(&decision, worker->dataplane, worker->policy, &policy_flow, &hello, worker->now_ns,
                     mg_clock_wall_seconds());
    if (decision.action == CONFIG_ACTION_INTERCEPT) {
        count(&worker->counters, decision.counter);
        take_over(worker, flow, TAKEOVER_DECIDED, &hello, decision.rule);
    } else {
        carry_out(worker, flow, &hello, &decision);
    }
}

/* judge looks at the contiguous beginning of the client's stream. */
static void judge(struct worker *worker, struct flow *flow, CBS stream)
{
    const struct config_policy *settings = policy_settings(worker->policy);
    struct hello_record record;
    switch (hello_record_parse(&record, stream, worker->hello_scratch)) {
    case HELLO_RECORD_COMPLETE:
        decide(worker, flow, record.message);
        break;
    case HELLO_RECORD_NEED_MORE:
        flow->hello_needed = (uint32_t)record.needed_len;
        break;
    case HELLO_RECORD_NOT_TLS:
        decide_way_out(worker, flow, COUNT_WAY_OUT_NOT_TLS, settings->not_tls, "not_tls");
        break;
    case HELLO_RECORD_TOO_LARGE:
    case HELLO_RECORD_MALFORMED:
        decide_way_out(worker, flow, COUNT_WAY_OUT_HELLO_TOO_LARGE, settings->hello_too_large, "hello_too_large");
        break;
    }
}

/* new_bytes returns what of a segment belongs to the client's stream, and its place there. A keep-alive carries a byte
 * of garbage from before it (RFC 9293 section 3.8.4). */
static struct mg_slice new_bytes(const struct flow *flow, const struct packet *packet, uint32_t *offset)
{
    uint32_t first = flow->end[SIDE_CLIENT].isn + 1;
    struct mg_slice bytes = packet->payload, before;
    uint32_t seq = packet->seq;
    if (seq_before(seq, first)) {
        if (!mg_slice_take(&bytes, &before, first - seq)) {
            bytes.len = 0;
        }
        seq = first;
    }
    *offset = seq - first;
    return bytes;
}

/* gather puts a segment into the flow's stream and judges what is there. */
static void gather(struct worker *worker, struct flow *flow, const struct packet *packet)
{
    const struct config_policy *settings = policy_settings(worker->policy);
    struct hello_stream *stream = &flow->hello->stream;
    uint32_t offset;
    struct mg_slice bytes = new_bytes(flow, packet, &offset);
    if (bytes.len == 0) {
        return;
    }
    switch (hello_stream_add(stream, offset, bytes.data, bytes.len)) {
    case HELLO_STREAM_OK:
        break;
    case HELLO_STREAM_CONFLICT:
        decide_way_out(worker, flow, COUNT_WAY_OUT_FRAGMENTED, settings->fragmented, "overlap");
        return;
    case HELLO_STREAM_TOO_LARGE:
    case HELLO_STREAM_TOO_MANY:
        decide_way_out(worker, flow, COUNT_WAY_OUT_HELLO_TOO_LARGE, settings->hello_too_large, "hello_too_large");
        return;
    }
    CBS prefix = hello_stream_prefix(stream);
    if (CBS_len(&prefix) >= flow->hello_needed) {
        judge(worker, flow, prefix);
    }
}

/* start_gathering gets a place for a ClientHello in several segments; false: there is none. */
static bool start_gathering(struct worker *worker, struct flow *flow)
{
    struct hello_slot *slot = worker->free_hellos;
    if (slot == NULL) {
        count(&worker->counters, COUNT_FULL_HOLD_HELLOS);
        return false;
    }
    worker->free_hellos = slot->next_free;
    hello_stream_init(&slot->stream, slot->bytes, HELLO_CAPACITY);
    flow->hello = slot;
    count(&worker->counters, COUNT_HELLO_SEGMENTED);
    return true;
}

static void table_full(struct worker *worker, struct flow *flow)
{
    way_out(worker, flow, NULL, COUNT_WAY_OUT_TABLE_FULL, policy_settings(worker->policy)->table_full, "table_full");
}

void decide_first(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet)
{
    bool in_order = packet->seq == flow->end[SIDE_CLIENT].isn + 1;
    if (in_order && packet->payload.len == 0) {
        /* It ends the connection without a word: nothing to inspect. */
        track_set_state(worker, flow, FLOW_BYPASSED);
        output_forward(worker, mbuf, SIDE_CLIENT);
        return;
    }
    flow->first_data = true;
    track_set_state(worker, flow, FLOW_HOLDING);
    bool room = worker->num_held < worker->max_held;
    decide_hold(worker, flow, mbuf);
    if (!room) {
        table_full(worker, flow); /* the packet is lost, and comes again on a flow that is decided */
        return;
    }
    if (in_order) {
        CBS stream;
        CBS_init(&stream, packet->payload.data, packet->payload.len);
        judge(worker, flow, stream); /* in place: most ClientHellos are in one segment */
    }
    if (flow->state == FLOW_HOLDING) {
        if (start_gathering(worker, flow)) {
            gather(worker, flow, packet);
        } else {
            table_full(worker, flow);
        }
    }
}

void decide_more(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet)
{
    uint32_t offset;
    struct mg_slice bytes = new_bytes(flow, packet, &offset);
    bool sent_again = bytes.len > 0 && hello_stream_has(&flow->hello->stream, offset, bytes.len);
    bool room = worker->num_held < worker->max_held;
    decide_hold(worker, flow, mbuf);
    if (!room) {
        table_full(worker, flow);
        return;
    }
    if (sent_again || flow->num_held > MAX_HELD_PER_FLOW) {
        /* The client waits for an acknowledgement, which only a socket can give: two lost segments would stop it for
         * good. The session decides. */
        take_over(worker, flow, sent_again ? TAKEOVER_SENT_AGAIN : TAKEOVER_MANY_SEGMENTS, NULL, NULL);
    } else {
        gather(worker, flow, packet);
    }
}

/* ---- answers of session threads ---- */

static void inject_held(struct worker *worker, struct flow *flow)
{
    for (struct rte_mbuf *mbuf; (mbuf = take_held(worker, flow)) != NULL;) {
        struct mg_slice frame;
        struct packet packet;
        if (!ports_frame(mbuf, &frame)) {
            rte_pktmbuf_free(mbuf);
            continue;
        }
        packet_parse(&packet, frame);
        steer_to_stack(worker, flow, mbuf, &packet, side_of(worker, mbuf));
    }
    steer_flush(worker);
}

void decide_answer(struct worker *worker, const struct takeover_answer *answer)
{
    static const enum counter counts[] = {
        [TAKEOVER_DECIDED] = COUNT_ADOPTED,
        [TAKEOVER_SENT_AGAIN] = COUNT_ADOPTED_SENT_AGAIN,
        [TAKEOVER_MANY_SEGMENTS] = COUNT_ADOPTED_MANY_SEGMENTS,
    };
    enum takeover_cause cause = TAKEOVER_DECIDED;
    const struct hello_info *hello = NULL;
    if (answer->takeover != NULL) {
        answer->takeover->next_free = worker->free_takeovers;
        worker->free_takeovers = answer->takeover;
        cause = answer->takeover->cause;
        hello = cause == TAKEOVER_DECIDED ? &answer->takeover->hello : NULL;
    }
    struct flow *flow = flow_by_handle(worker->flows, answer->flow);
    if (flow == NULL) {
        return;
    }
    switch (answer->type) {
    case TAKEOVER_ADOPTED:
        count(&worker->counters, counts[cause]);
        track_set_state(worker, flow, FLOW_ADOPTED);
        inject_held(worker, flow);
        break;
    case TAKEOVER_FAILED:
        adoption_failed(worker, flow, hello);
        break;
    case TAKEOVER_FINISHED:
        flow->finished = true;
        track_set_state(worker, flow, FLOW_ADOPTED);
        track_ended(worker, flow);
        break;
    }
}
