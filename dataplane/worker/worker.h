/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: one lcore that moves packets between the two ports and the stack, and decides about flows. Never blocks,
 * locks, logs, or allocates without bound. Its system calls are the reads and writes of its TUN queue, the sleep when
 * there is nothing to do, and the bell that wakes a session thread which sleeps (docs/adr/0005).
 */
#ifndef MINTGATE_DATAPLANE_WORKER_WORKER_H
#define MINTGATE_DATAPLANE_WORKER_WORKER_H

#include "base/status.h"
#include "dataplane/counters.h"
#include "dataplane/dataplane.h"
#include "dataplane/worker/takeover.h"

/* worker_new makes worker |index| and all that it will ever allocate. Main thread, EAL and stack are up. */
MG_MUST_USE enum mg_status worker_new(struct worker **out, struct dataplane *dataplane, unsigned index);

/* worker_run is the lcore's main function (lcore_function_t); returns when dataplane->stop_workers is set. */
int worker_run(void *worker);

/* worker_turn is what worker_run does over and over: it looks once at all that may have work, and returns how much
 * there was. For measurements; a thread that is registered by mg_rcu_thread_start_poll_mode, in place of worker_run's.
 */
unsigned worker_turn(struct worker *worker);

/* worker_free: after every worker has returned. */
void worker_free(struct worker *worker);

/* worker_answer gives an answer to the worker. Session thread |session_thread|; never fails: each takeover has room for
 * its answers. */
void worker_answer(struct worker *worker, unsigned session_thread, const struct takeover_answer *answer);

struct rte_ring;
/* worker_takeovers is the ring of struct takeover that session thread |session_thread| alone empties. */
struct rte_ring *worker_takeovers(const struct worker *worker, unsigned session_thread);

/* worker_tun_fd is the worker's TUN queue, for a session thread that gives the stack a packet itself. */
int worker_tun_fd(const struct worker *worker);

const struct counters *worker_counters(const struct worker *worker);

/* worker_flow_count may be a little behind. Any thread. */
uint32_t worker_flow_count(const struct worker *worker);

#endif
