/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measuring kernel of mintgate-bench's helper programs. A helper has probes: things that can be done again and
 * again. mintgate-bench asks for one at a time, for a short while, and has other helpers do theirs in between; so what
 * is compared is measured within milliseconds of each other, by programs that have one libcrypto each.
 *
 *   helper                                   mintgate-bench
 *     ready PID DIRECTORY              ──►                     when everything is set up
 *                                      ◄──     run PROBE MILLISECONDS THREADS PARAMETER
 *     done COUNT WALL CPU WATCHED P50 P99 P999 BYTES  ──►      times in nanoseconds
 *                                      ◄──     end of file: clean up and end
 *
 * One line each, on the helper's standard output and input.
 */
#ifndef MINTGATE_BENCH_PROBE_H
#define MINTGATE_BENCH_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"
#include "bench/sample.h"

#define PROBE_MAX_THREADS 64

/* struct probe is one thing to measure. Where several threads do it each has a state of its own. A probe that fails
 * ends the program: there is nothing to measure then. */
struct probe {
    const char *name; /* a word */
    /* setup prepares one thread, of |num_threads|; |parameter| means what the probe says. Called in that thread, and
     * not measured. NULL: no state. */
    void *(*setup)(unsigned thread, unsigned num_threads, unsigned long parameter);
    /* step does some microseconds' worth or more, and returns how many things that were. */
    size_t (*step)(void *state);
    /* drain waits for what is still under way when the time is up; measured and counted with the rest. NULL: nothing
     * is. */
    size_t (*drain)(void *state);
    /* weigh returns how many bytes of memory all that was made holds. Not measured; called before any teardown. NULL:
     * not asked. */
    size_t (*weigh)(void *state);
    void (*teardown)(void *state); /* not measured; NULL: nothing to do */
    bool times_steps;              /* how long a step takes is asked */
};

/* probe_run runs |probe| for |milliseconds| on |num_threads| threads, 1 to PROBE_MAX_THREADS. |watched|: a process
 * whose CPU time, with that of the processes below it, is taken too; 0: none. MG_LIMIT, MG_MEMORY; MG_IO if |watched|
 * does not run. */
MG_MUST_USE enum mg_status probe_run(const struct probe *probe, unsigned milliseconds, unsigned num_threads,
                                     unsigned long parameter, pid_t watched, struct bench_sample *out,
                                     struct mg_error *error);

/* struct probe_helper is a helper that is set up. */
struct probe_helper {
    const struct probe *probes;
    size_t num_probes;
    pid_t watched;         /* for probe_run */
    pid_t server;          /* a process of the helper's that others talk to; 0: none */
    const char *directory; /* with that process's sockets and files; NULL: none */
};

/* probe_serve does what mintgate-bench asks for on standard input until that ends, and returns the helper's exit
 * status. An interrupt from the terminal is left to mintgate-bench, so that the helper can clean up. */
int probe_serve(const struct probe_helper *helper);

#endif
