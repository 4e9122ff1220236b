/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine with one worker and nothing else, without privileges: for what is to be seen of the worker's main loop
 * itself. Names decide about TCP to port 443, and all but one have it pass.
 */
#ifndef MINTGATE_TESTS_UNIT_DATAPLANE_WORKER_FIXTURE_H
#define MINTGATE_TESTS_UNIT_DATAPLANE_WORKER_FIXTURE_H

#include <stdint.h>

#include "dataplane/dataplane.h"
#include "dataplane/worker/worker.h"

struct rte_ring;

#define WORKER_FIXTURE_PLACES 32768 /* for packets, in each ring */

enum worker_fixture_ports {
    WORKER_FIXTURE_NULL, /* net_null: empty frames, made up as fast as they are asked for, and forgotten */
    WORKER_FIXTURE_RING, /* net_ring: what one port sends the other receives, so that it goes round for ever */
};

struct worker_fixture {
    struct config *config;
    struct dataplane dataplane;
    struct worker *worker;
    struct rte_ring *received[2]; /* by enum side: what the port there receives; NULL without rings */
};

/* worker_fixture_start starts the EAL, on the processors that the thread may use, and all the rest. Once in a process,
 * whose first thread calls it; where it cannot the program ends. */
void worker_fixture_start(struct worker_fixture *out, enum worker_fixture_ports ports);
void worker_fixture_stop(struct worker_fixture *fixture);

/* worker_fixture_enter makes the calling thread the worker's, for worker_turn; worker_fixture_leave takes that back. */
void worker_fixture_enter(void);
void worker_fixture_leave(void);

/* worker_fixture_empty takes out what is in the rings. */
void worker_fixture_empty(const struct worker_fixture *fixture);

uint64_t worker_fixture_counted(const struct worker_fixture *fixture, enum counter counter);

#endif
