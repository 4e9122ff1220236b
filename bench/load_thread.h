/* SPDX-License-Identifier: Apache-2.0 */
/* One thread of the load generator: starts its share of the connections when they are due, and ends those that take
 * too long. */
#ifndef MINTGATE_BENCH_LOAD_THREAD_H
#define MINTGATE_BENCH_LOAD_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "bench/load_conn.h"

/* Once true no thread starts another connection; those under way end as they would. A signal handler may set it. */
extern atomic_bool load_stop;

struct load_thread {
    const struct load_options *options;
    unsigned number;   /* of options->threads: it has every connection whose index is this modulo their number */
    uint64_t start_ns; /* of the whole run */
    FILE *records;     /* shared, or NULL */
    pthread_t thread;
    struct tally tally;   /* the thread: rw until it has ended, then main: rw */
    uint64_t finished_ns; /* of its last connection; likewise */

    /* The thread's own. */
    struct loop loop;
    struct loop_source timer; /* fires when the next connection is due */
    struct load_shared shared;
    uint64_t next_index;
    uint64_t next_ns; /* when that one is due; without a rate, the past */
    uint64_t random;  /* state of the generator */
    uint64_t max_in_flight, in_flight;
    struct load_conn *oldest, *newest; /* in flight, in the order of their starts */
    uint8_t scratch[LOAD_SCRATCH_SIZE];
};

/* load_thread_init prepares |thread|, whose first group of fields is set. */
MG_MUST_USE enum mg_status load_thread_init(struct load_thread *thread, struct mg_error *error);

/* load_thread_run does all that is to be done; |arg| is the thread. For pthread_create. */
void *load_thread_run(void *arg);

void load_thread_free(struct load_thread *thread);

#endif
