/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker/worker_internal.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include <rte_ring_elem.h>

#include "base/clock.h"
#include "cache/rcu.h"

#define WHEEL_TICK_NS (10 * MG_NS_PER_MS)
#define TIMERS_PER_TURN 64
#define FOREIGN_RING_SIZE 1024
#define MAX_TAKEOVERS 4096
#define ANSWERS_PER_TURN 64
/* Turns without work before the worker sleeps. */
#define TURNS_BEFORE_SLEEP 4
_Static_assert(WORKER_BURST <= FLOW_MAX_FIND, "a burst is looked up at once");

/* ---- life ---- */

static uint32_t share_of(uint64_t total, unsigned num_workers)
{
    uint64_t share = total / num_workers;
    return (uint32_t)(share == 0 ? 1 : share);
}

static struct rte_ring *new_ring(const char *what, unsigned a, unsigned b, unsigned element_size, unsigned num_places)
{
    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof(name), "%s_%u_%u", what, a, b);
    return rte_ring_create_elem(name, element_size, rte_align32pow2(num_places + 1), (int)rte_socket_id(),
                                RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static bool make_rings(struct worker *worker, unsigned num_takeovers)
{
    const struct dataplane *dataplane = worker->dataplane;
    unsigned num_threads = dataplane->num_session_threads;
    worker->to_session = calloc(num_threads, sizeof(*worker->to_session));
    worker->from_session = calloc(num_threads, sizeof(*worker->from_session));
    worker->from_worker = calloc(dataplane->num_workers, sizeof(*worker->from_worker));
    if (worker->to_session == NULL || worker->from_session == NULL || worker->from_worker == NULL) {
        return false;
    }
    /* A session sends two answers in its life, and has a takeover or a place among the sessions until the second. */
    unsigned num_answers = num_takeovers + (unsigned)dataplane->config->sessions.max;
    for (unsigned i = 0; i < num_threads; i++) {
        worker->to_session[i] = new_ring("takeover", worker->index, i, sizeof(void *), num_takeovers);
        worker->from_session[i] = new_ring("answer", worker->index, i, sizeof(struct takeover_answer), num_answers);
        if (worker->to_session[i] == NULL || worker->from_session[i] == NULL) {
            return false;
        }
    }
    for (unsigned i = 0; i < dataplane->num_workers; i++) {
        if (i != worker->index) {
            worker->from_worker[i] = new_ring("foreign", worker->index, i, sizeof(void *), FOREIGN_RING_SIZE);
            if (worker->from_worker[i] == NULL) {
                return false;
            }
        }
    }
    return true;
}

static bool make_takeovers(struct worker *worker, unsigned num)
{
    worker->takeovers = calloc(num, sizeof(*worker->takeovers));
    for (unsigned i = 0; worker->takeovers != NULL && i < num; i++) {
        worker->takeovers[i].next_free = worker->free_takeovers;
        worker->free_takeovers = &worker->takeovers[i];
    }
    return worker->takeovers != NULL;
}

static bool make_hellos(struct worker *worker, unsigned num)
{
    worker->hellos = calloc(num, sizeof(*worker->hellos));
    worker->hello_bytes = malloc((size_t)num * HELLO_CAPACITY);
    worker->hello_scratch = malloc(HELLO_RECORD_MAX_MESSAGE);
    if (worker->hellos == NULL || worker->hello_bytes == NULL || worker->hello_scratch == NULL) {
        return false;
    }
    for (unsigned i = 0; i < num; i++) {
        worker->hellos[i].bytes = worker->hello_bytes + (size_t)i * HELLO_CAPACITY;
        worker->hellos[i].next_free = worker->free_hellos;
        worker->free_hellos = &worker->hellos[i];
    }
    return true;
}

static bool make_flows(struct worker *worker)
{
    char name[32];
    snprintf(name, sizeof(name), "flows_%u", worker->index);
    const struct config *config = worker->dataplane->config;
    return flow_table_new(&worker->flows, name, share_of(config->dataplane.flows, worker->dataplane->num_workers)) ==
           MG_OK;
}

enum mg_status worker_new(struct worker **out, struct dataplane *dataplane, unsigned index)
{
    struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) & ~(size_t)63);
    if (worker == NULL) {
        return MG_MEMORY;
    }
    memset(worker, 0, sizeof(*worker));
    const struct config *config = dataplane->config;
    unsigned num_takeovers = config->sessions.max < MAX_TAKEOVERS ? (unsigned)config->sessions.max : MAX_TAKEOVERS;
    worker->dataplane = dataplane;
    worker->index = index;
    worker->tun_fd = dataplane->stack.tun_fds[index];
    worker->max_held = share_of(config->dataplane.hold_packets, dataplane->num_workers);
    worker->log = session_log_channel(dataplane->log, index);
    wheel_init(&worker->wheel, WHEEL_TICK_NS, mg_clock_monotonic_ns());
    worker->fragments = calloc(1, sizeof(*worker->fragments));
    worker->stack_buffer = malloc(TUN_MAX_PACKET);
    if (worker->fragments == NULL || worker->stack_buffer == NULL || !held_register() || !make_flows(worker) ||
        !make_takeovers(worker, num_takeovers) ||
        !make_hellos(worker, share_of(config->dataplane.hold_hellos, dataplane->num_workers)) ||
        !make_rings(worker, num_takeovers) || !doorbell_open(&worker->bell)) {
        worker_free(worker);
        return MG_MEMORY;
    }
    *out = worker;
    return MG_OK;
}

static void free_rings(struct rte_ring **rings, unsigned num)
{
    for (unsigned i = 0; rings != NULL && i < num; i++) {
        rte_ring_free(rings[i]);
    }
    free(rings);
}

void worker_free(struct worker *worker)
{
    free_rings(worker->to_session, worker->dataplane->num_session_threads);
    free_rings(worker->from_session, worker->dataplane->num_session_threads);
    free_rings(worker->from_worker, worker->dataplane->num_workers);
    flow_table_free(worker->flows);
    free(worker->takeovers);
    free(worker->hellos);
    free(worker->hello_bytes);
    free(worker->hello_scratch);
    free(worker->fragments);
    free(worker->stack_buffer);
    if (worker->bell.fd > 0) {
        close(worker->bell.fd);
    }
    free(worker);
}

/* ---- packets ---- */

/* owner_of chooses by the two addresses alone, so that fragments and ICMP errors, which have no ports of their own,
 * meet their flow (docs/adr/0007). */
static struct worker *owner_of(struct worker *worker, const struct flow_key *key)
{
    const struct dataplane *dataplane = worker->dataplane;
    if (dataplane->num_workers == 1) {
        return worker;
    }
    uint64_t hash = mg_siphash(&dataplane->siphash, key, offsetof(struct flow_key, client_port));
    return dataplane->workers[hash % dataplane->num_workers];
}

static void pass_on(struct worker *worker, struct worker *owner, struct rte_mbuf *mbuf)
{
    if (rte_ring_sp_enqueue(owner->from_worker[worker->index], mbuf) != 0) {
        rte_pktmbuf_free(mbuf);
        count(&worker->counters, COUNT_DROP_RING_FULL);
        return;
    }
    count(&worker->counters, COUNT_FOREIGN_PACKETS);
    doorbell_ring(&owner->bell);
}

/* handle_udp applies the QUIC policy. HTTP/3 is UDP to port 443 (RFC 9114 section 3.1). */
static void handle_udp(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet, enum side side)
{
    struct flow_key key;
    flow_key_of(&key, packet, side);
    struct policy_flow flow;
    track_policy_flow(&flow, &key);
    if (key.server_port == 443 && policy_settings(worker->policy)->quic == CONFIG_DROP && !worker->is_wire &&
        policy_may_touch_addresses(worker->policy, &flow)) {
        count(&worker->counters, COUNT_WAY_OUT_QUIC);
        rte_pktmbuf_free(mbuf);
        return;
    }
    output_forward(worker, mbuf, side);
}

/* handle_icmp_error gives the stack what concerns a segment that it sent: "packet too big" above all (RFC 1191, RFC
 * 8201). */
static void handle_icmp_error(struct worker *worker, struct rte_mbuf *mbuf, const struct packet *packet, enum side side)
{
    struct flow_key key;
    flow_key_of(&key, packet, side_other(side)); /* the quoted segment went the other way */
    struct flow *flow = flow_find(worker->flows, &key, flow_hash(&worker->dataplane->siphash, &key));
    if (flow != NULL && flow->state == FLOW_ADOPTED) {
        count(&worker->counters, COUNT_STACK_ICMP);
        steer_raw(worker, mbuf, packet);
    } else {
        output_forward(worker, mbuf, side);
    }
}

/* A frame of a burst. */
struct arrival {
    struct rte_mbuf *mbuf;
    enum side side;
    struct worker *owner;
    struct packet packet;
    struct flow_lookup lookup; /* PACKET_TCP of our own */
};

/* look parses a frame, and says whose it is. */
static void look(struct worker *worker, struct arrival *out, struct rte_mbuf *mbuf, bool owned)
{
    struct mg_slice frame;
    out->mbuf = mbuf;
    out->side = mbuf->port == worker->dataplane->ports.id[SIDE_CLIENT] ? SIDE_CLIENT : SIDE_SERVER;
    out->owner = worker;
    if (!ports_frame(mbuf, &frame)) {
        out->packet.kind = PACKET_OTHER;
        return;
    }
    packet_parse(&out->packet, frame);
    if (out->packet.kind == PACKET_OTHER || out->packet.kind == PACKET_UDP) {
        return;
    }
    flow_key_of(&out->lookup.key, &out->packet, out->side);
    if (!owned) {
        out->owner = owner_of(worker, &out->lookup.key);
    }
}

/* look_all looks at a burst, and then for the flows of all its segments at once. */
static void look_all(struct worker *worker, struct arrival *arrivals, struct rte_mbuf *const *mbufs, unsigned num,
                     bool owned)
{
    struct flow_lookup *lookups[WORKER_BURST];
    unsigned num_lookups = 0;
    for (unsigned i = 0; i < num; i++) {
        struct arrival *arrival = &arrivals[i];
        look(worker, arrival, mbufs[i], owned);
        if (arrival->packet.kind == PACKET_TCP && arrival->owner == worker) {
            arrival->lookup.hash = flow_hash(&worker->dataplane->siphash, &arrival->lookup.key);
            lookups[num_lookups++] = &arrival->lookup;
        }
    }
    if (num_lookups > 0) {
        flow_find_many(worker->flows, lookups, num_lookups);
    }
}

static void handle(struct worker *worker, struct arrival *arrival)
{
    struct rte_mbuf *mbuf = arrival->mbuf;
    if (arrival->owner != worker) {
        pass_on(worker, arrival->owner, mbuf);
        return;
    }
    switch (arrival->packet.kind) {
    case PACKET_TCP:
        track_packet(worker, mbuf, &arrival->packet, arrival->side, &arrival->lookup);
        break;
    case PACKET_TCP_FRAGMENT:
        track_fragment(worker, mbuf, &arrival->packet, arrival->side);
        break;
    case PACKET_ICMP_ERROR:
        handle_icmp_error(worker, mbuf, &arrival->packet, arrival->side);
        break;
    case PACKET_UDP:
        handle_udp(worker, mbuf, &arrival->packet, arrival->side);
        break;
    case PACKET_OTHER:
        output_forward(worker, mbuf, arrival->side);
        break;
    }
}

/* handle_burst handles up to WORKER_BURST frames in their order. |owned|: another worker has said that they are ours.
 */
static void handle_burst(struct worker *worker, struct rte_mbuf *const *mbufs, unsigned num, bool owned)
{
    struct arrival arrivals[WORKER_BURST];
    look_all(worker, arrivals, mbufs, num, owned);
    uint64_t changes = flow_changes(worker->flows);
    for (unsigned i = 0; i < num; i++) {
        struct arrival *arrival = &arrivals[i];
        bool looked_up = arrival->packet.kind == PACKET_TCP && arrival->owner == worker;
        if (looked_up && flow_changes(worker->flows) != changes) {
            /* A frame before it in this burst has opened or ended a flow, perhaps this one. */
            arrival->lookup.flow = flow_find(worker->flows, &arrival->lookup.key, arrival->lookup.hash);
        }
        handle(worker, arrival);
    }
}

/* ---- one turn ---- */

static unsigned receive(struct worker *worker, enum side side)
{
    struct rte_mbuf *mbufs[WORKER_BURST];
    uint16_t num = rte_eth_rx_burst(worker->dataplane->ports.id[side], (uint16_t)worker->index, mbufs, WORKER_BURST);
    if (num == 0) {
        return 0;
    }
    uint64_t num_bytes = 0;
    for (uint16_t i = 0; i < num; i++) {
        num_bytes += rte_pktmbuf_pkt_len(mbufs[i]);
        mbufs[i]->port = worker->dataplane->ports.id[side];
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
    }
    handle_burst(worker, mbufs, num, false);
    count_n(&worker->counters, side == SIDE_CLIENT ? COUNT_RX_CLIENT : COUNT_RX_SERVER, num);
    count_n(&worker->counters, side == SIDE_CLIENT ? COUNT_RX_CLIENT_BYTES : COUNT_RX_SERVER_BYTES, num_bytes);
    return num;
}

static unsigned take_foreign(struct worker *worker)
{
    unsigned num_taken = 0;
    for (unsigned i = 0; i < worker->dataplane->num_workers; i++) {
        struct rte_mbuf *mbufs[WORKER_BURST];
        unsigned num = worker->from_worker[i] == NULL
                           ? 0
                           : rte_ring_sc_dequeue_burst(worker->from_worker[i], (void **)mbufs, WORKER_BURST, NULL);
        handle_burst(worker, mbufs, num, true);
        num_taken += num;
    }
    return num_taken;
}

static unsigned take_answers(struct worker *worker)
{
    unsigned num_taken = 0;
    for (unsigned i = 0; i < worker->dataplane->num_session_threads; i++) {
        struct takeover_answer answers[ANSWERS_PER_TURN];
        unsigned num = rte_ring_sc_dequeue_burst_elem(worker->from_session[i], answers, sizeof(answers[0]),
                                                      ANSWERS_PER_TURN, NULL);
        for (unsigned j = 0; j < num; j++) {
            decide_answer(worker, &answers[j]);
        }
        num_taken += num;
    }
    return num_taken;
}

unsigned worker_turn(struct worker *worker)
{
    worker->now_ns = mg_clock_monotonic_ns();
    worker->policy = mg_rcu_load(&worker->dataplane->policy);
    worker->is_wire = kill_switch_is_on(&worker->dataplane->kill_switch, worker->now_ns);
    unsigned work = take_answers(worker);
    work += receive(worker, SIDE_CLIENT);
    work += receive(worker, SIDE_SERVER);
    work += take_foreign(worker);
    steer_flush(worker);
    if (worker->asks_stack) {
        work += steer_from_stack(worker);
    }
    work += (unsigned)wheel_expire(&worker->wheel, worker->now_ns, TIMERS_PER_TURN, track_timer, worker);
    output_flush(worker);
    atomic_store_explicit(&worker->flow_count, flow_count(worker->flows), memory_order_relaxed);
    mg_rcu_quiescent();
    return work;
}

/* ---- sleeping ---- */

static bool rings_empty(const struct worker *worker)
{
    for (unsigned i = 0; i < worker->dataplane->num_session_threads; i++) {
        if (!rte_ring_empty(worker->from_session[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < worker->dataplane->num_workers; i++) {
        if (worker->from_worker[i] != NULL && !rte_ring_empty(worker->from_worker[i])) {
            return false;
        }
    }
    return true;
}

/* rest sleeps until the stack or another thread has something, or for the time after which the ports are looked at
 * again: they cannot wake anybody. Returns whether it slept to the end of that time. */
static bool rest(struct worker *worker, uint64_t sleep_ns)
{
    struct pollfd fds[2] = {{.fd = worker->bell.fd, .events = POLLIN}, {.fd = worker->tun_fd, .events = POLLIN}};
    const struct timespec timeout = {.tv_nsec = (long)sleep_ns};
    int ready = -1;
    doorbell_prepare(&worker->bell);
    if (rings_empty(worker)) {
        mg_rcu_offline();
        ready = ppoll(fds, worker->num_stack_flows > 0 ? 2 : 1, &timeout, NULL);
        mg_rcu_online();
        if (ready > 0 && fds[0].revents != 0) {
            doorbell_drain(&worker->bell);
        }
        worker->asks_stack = ready > 0 && fds[1].revents != 0;
    }
    doorbell_awake(&worker->bell);
    return ready == 0;
}

/* be_patient makes a worker that sleeps a batch job to the scheduler (sched(7)): it wakes every 50 us to look at the
 * ports, and on a processor that it shares it would tear a session thread out of a handshake each time, with a context
 * switch and cold caches for a packet or two. On a processor of its own nothing changes. */
static void be_patient(void)
{
    const struct sched_param param = {0};
    if (sched_getscheduler(0) == SCHED_OTHER) { /* else an operator knows better */
        (void)sched_setscheduler(0, SCHED_BATCH, &param);
    }
}

int worker_run(void *arg)
{
    struct worker *worker = arg;
    if (mg_rcu_thread_start_poll_mode() != MG_OK) {
        return -1;
    }
    prctl(PR_SET_TIMERSLACK, 1000UL); /* or the kernel stretches each sleep by 50 us */
    uint64_t sleep_ns = worker->dataplane->config->dataplane.idle_sleep_ns;
    if (sleep_ns > 0) {
        be_patient();
    }
    unsigned idle_turns = 0;
    bool slept = false;
    while (!atomic_load_explicit(&worker->dataplane->stop_workers, memory_order_relaxed)) {
        bool had_work = worker_turn(worker) > 0;
        /* An empty queue of the TUN device costs a system call to look at. Before it sleeps an idle worker leaves that
         * to rest. */
        worker->asks_stack = worker->num_stack_flows > 0 && (had_work || sleep_ns == 0);
        if (had_work) {
            idle_turns = 0;
            slept = false;
            continue;
        }
        if (slept) {
            count(&worker->counters, COUNT_IDLE_POLLS);
        }
        slept = ++idle_turns > TURNS_BEFORE_SLEEP && sleep_ns > 0 && rest(worker, sleep_ns);
    }
    mg_rcu_thread_stop();
    return 0;
}

/* ---- for other threads ---- */

void worker_answer(struct worker *worker, unsigned session_thread, const struct takeover_answer *answer)
{
    struct takeover_answer copy = *answer; /* DPDK wants it writable */
    (void)rte_ring_sp_enqueue_elem(worker->from_session[session_thread], &copy, sizeof(copy));
}

void worker_ring(struct worker *worker)
{
    doorbell_ring(&worker->bell);
}

struct rte_ring *worker_takeovers(const struct worker *worker, unsigned session_thread)
{
    return worker->to_session[session_thread];
}

int worker_tun_fd(const struct worker *worker)
{
    return worker->tun_fd;
}

const struct counters *worker_counters(const struct worker *worker)
{
    return &worker->counters;
}

uint32_t worker_flow_count(const struct worker *worker)
{
    return atomic_load_explicit(&worker->flow_count, memory_order_relaxed);
}
