/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a worker, which is spread over some files by what they do:
 *
 *   worker.c   life, main loop, dispatch
 *   output.c   frames to the ports
 *   track.c    what each packet tells about its flow; new flows; packets of unknown flows
 *   decide.c   holding the first bytes, the ClientHello, the decision and its execution
 *   steer.c    packets of adopted flows, to the stack and from it
 *
 * All of it runs on the worker's own thread.
 */
#ifndef MINTGATE_DATAPLANE_WORKER_WORKER_INTERNAL_H
#define MINTGATE_DATAPLANE_WORKER_WORKER_INTERNAL_H

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/flow/flow.h"
#include "dataplane/hello/hello_record.h"
#include "dataplane/hello/hello_stream.h"
#include "dataplane/net/gro.h"
#include "dataplane/net/segment.h"
#include "dataplane/worker/doorbell.h"
#include "dataplane/worker/fragments.h"
#include "dataplane/worker/worker.h"

#define WORKER_BURST 32
/* Room for a ClientHello of 64 KiB and its record headers, were each record to carry 64 bytes. */
#define HELLO_CAPACITY (HELLO_RECORD_MAX_MESSAGE + 8192)
/* A flow that has so many packets held is adopted at once: the stack has room for them. */
#define MAX_HELD_PER_FLOW 64

struct hello_slot {
    struct hello_slot *next_free;
    struct hello_stream stream;
    uint8_t *bytes; /* HELLO_CAPACITY; pages are touched only as far as bytes come */
};

struct worker_tx {
    uint16_t num;
    struct rte_mbuf *mbufs[WORKER_BURST];
};

struct worker {
    struct dataplane *dataplane;
    unsigned index;
    bool is_wire;                /* in this turn: the kill switch is on */
    uint64_t now_ns;             /* read once per turn */
    const struct policy *policy; /* loaded once per turn */

    struct flow_table *flows;
    struct wheel wheel;
    struct fragments *fragments;
    struct worker_tx tx[2]; /* by enum side */

    int tun_fd;
    uint32_t num_stack_flows; /* flows that the stack may send for */
    uint8_t *stack_buffer;    /* TUN_MAX_PACKET */
    struct gro gro;
    struct rte_mbuf *gro_mbufs[GRO_MAX_SEGMENTS];
    int num_gro_mbufs;

    struct takeover *takeovers; /* all of them */
    struct takeover *free_takeovers;
    struct hello_slot *hellos;
    struct hello_slot *free_hellos;
    uint8_t *hello_bytes;
    uint8_t *hello_scratch; /* HELLO_RECORD_MAX_MESSAGE */
    uint32_t num_held;
    uint32_t max_held;

    struct rte_ring **to_session;   /* one for each session thread */
    struct rte_ring **from_session; /* answers by value */
    struct rte_ring **from_worker;  /* packets of flows of this worker; NULL at its own index */
    struct session_log_channel *log;
    struct doorbell bell;
    _Atomic uint32_t flow_count; /* worker: wo */
    struct counters counters;
};

/* The link of a list of held packets, in the packet buffer itself. */
struct rte_mbuf **held_next(struct rte_mbuf *mbuf);
MG_MUST_USE bool held_register(void);

/* ---- output.c ---- */

/* output_send queues |mbuf| for the port on |side|. */
void output_send(struct worker *worker, struct rte_mbuf *mbuf, enum side side);
/* output_forward sends a frame that came in on |from| on its way. */
static inline void output_forward(struct worker *worker, struct rte_mbuf *mbuf, enum side from)
{
    output_send(worker, mbuf, side_other(from));
}
void output_flush(struct worker *worker);
/* output_frame makes a frame with layer 2 of |l2_len| bytes and room for |ip_len| bytes behind it, returned in |ip|.
 * NULL: no buffer is free; counted. */
struct rte_mbuf *output_frame(struct worker *worker, const uint8_t *l2, uint8_t l2_len, size_t ip_len, uint8_t **ip);
/* output_segment sends a segment of our own to the endpoint of |flow| on |to|. */
void output_segment(struct worker *worker, const struct flow *flow, enum side to, const struct segment *segment);
/* output_answer sends |segment| back where |frame| came from: its layer 2 with the addresses turned round. */
void output_answer(struct worker *worker, const struct packet *packet, const uint8_t *frame, enum side side,
                   const struct segment *segment);

/* ---- track.c ---- */

/* track_packet handles a whole TCP segment that came in on |side|, whose flow was looked up; it owns |mbuf|, and may
 * change |packet| with it. */
void track_packet(struct worker *worker, struct rte_mbuf *mbuf, struct packet *packet, enum side side,
                  const struct flow_lookup *lookup);
/* track_fragment handles an IP fragment of one. */
void track_fragment(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet, enum side side);
void track_policy_flow(struct policy_flow *out, const struct flow_key *key);
/* track_remove forgets a flow and what is held of it. */
void track_remove(struct worker *worker, struct flow *flow);
void track_set_state(struct worker *worker, struct flow *flow, enum flow_state state);
/* track_ended shortens the time that a finished flow is remembered once both its halves are closed. */
void track_ended(struct worker *worker, struct flow *flow);
void track_timer(struct wheel_timer *timer, void *worker);

/* ---- decide.c ---- */

/* decide_first takes the client's first packet that counts: data, or a FIN in place of it. */
void decide_first(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet);
/* decide_more takes each further packet of the client while the decision is pending. */
void decide_more(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet);
/* decide_hold keeps a packet until the takeover is done. */
void decide_hold(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf);
void decide_answer(struct worker *worker, const struct takeover_answer *answer);
/* decide_way_out does what policy says for a flow that cannot be judged or handled. */
void decide_way_out(struct worker *worker, struct flow *flow, enum counter counter, enum config_way_out way,
                    const char *reason);
void decide_bypass(struct worker *worker, struct flow *flow);
void decide_block(struct worker *worker, struct flow *flow, enum config_block_with with);
void decide_free_held(struct worker *worker, struct flow *flow);
/* decide_note writes a record of what happened to a flow that no session thread sees. */
void decide_note(struct worker *worker, const struct flow_key *key, const struct hello_info *hello, const char *action,
                 const char *reason, const char *rule);

/* ---- steer.c ---- */

/* steer_to_stack gives the stack a packet of an adopted flow. */
void steer_to_stack(struct worker *worker, struct flow *flow, struct rte_mbuf *mbuf, const struct packet *packet,
                    enum side side);
/* steer_raw gives the stack a packet as it is: a fragment, an ICMP error. */
void steer_raw(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet);
/* steer_flush gives the stack what was merged so far. */
void steer_flush(struct worker *worker);
/* steer_from_stack moves what the stack sends to the ports; returns how many packets. */
unsigned steer_from_stack(struct worker *worker);
/* steer_halves_closed tells whether nothing more is to be expected from either half of an adopted flow. */
bool steer_halves_closed(const struct flow *flow);

#endif
