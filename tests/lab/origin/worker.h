/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin's threads. Each has a loop and listening sockets of its own on every port (SO_REUSEPORT), so that a
 * connection belongs to one thread for life.
 */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_WORKER_H
#define MINTGATE_TESTS_LAB_ORIGIN_WORKER_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>

#include <openssl/base.h>

#include "base/metrics.h"
#include "bench/loop.h"
#include "tests/lab/origin/credentials.h"
#include "tests/lab/origin/fresh.h"

#define ORIGIN_MAX_IMPOSTORS 4

enum origin_counter {
    COUNT_CONNECTIONS,
    COUNT_REFUSED, /* over the bound on connections */
    COUNT_HANDSHAKES,
    COUNT_RESUMED,
    COUNT_HANDSHAKES_FAILED,
    COUNT_SPLICED,
    COUNT_REQUESTS,
    COUNT_DATAGRAMS,
    ORIGIN_NUM_COUNTERS,
};

struct worker;

/* What all threads share; immutable while they run, but for what |fresh| and |impostor| lock themselves. */
struct origin {
    SSL_CTX *tls;
    struct credentials good;
    struct credentials fresh_issuer;
    struct credentials impostor_issuer;
    struct fresh *fresh;
    struct fresh *impostor;
    /* Local addresses (IPv4 as v4-mapped) where every name gets a certificate that nobody trusts. */
    struct in6_addr impostors[ORIGIN_MAX_IMPOSTORS];
    size_t num_impostors;
    struct worker *workers;
    size_t num_workers;
    size_t max_connections; /* of each worker */
};

struct listener {
    struct loop_source source;
    struct worker *worker;
    void (*serve)(struct worker *worker, struct loop_source *accepted);
};

#define WORKER_NUM_LISTENERS 5

struct worker {
    struct origin *origin;
    struct loop loop;
    struct listener listeners[WORKER_NUM_LISTENERS];
    size_t num_listeners;
    size_t num_connections;
    struct mg_counter counters[ORIGIN_NUM_COUNTERS]; /* this worker: rw, all: ro */
    pthread_t thread;
};

/* worker_start opens the ports and starts the thread of |worker|, whose |origin| is set. */
MG_MUST_USE enum mg_status worker_start(struct worker *worker, struct mg_error *error);

/* worker_stop ends the thread and waits for it. Connections still open are dropped without a word. */
void worker_stop(struct worker *worker);

static inline void worker_count(struct worker *worker, enum origin_counter counter)
{
    mg_counter_add(&worker->counters[counter], 1);
}

/* worker_enter counts a connection in, false when the bound is reached: then close it at once. worker_leave counts it
 * out. */
MG_MUST_USE bool worker_enter(struct worker *worker);
void worker_leave(struct worker *worker);

/* origin_count sums a counter over the workers; any thread. |origin_counter_name| is its word in /stats. */
uint64_t origin_count(const struct origin *origin, enum origin_counter counter);
const char *origin_counter_name(enum origin_counter counter);

#endif
