/* SPDX-License-Identifier: Apache-2.0 */
/* mintgate-bench's side of its helper programs (bench/probe.h). One thread. */
#ifndef MINTGATE_BENCH_HELPER_H
#define MINTGATE_BENCH_HELPER_H

#include <stdio.h>
#include <sys/types.h>

#include "base/status.h"
#include "bench/sample.h"

/* How long a helper may take to set up, or beyond the time of a measurement: making RSA keys on a busy machine. */
#define HELPER_PATIENCE_MS 300000
#define HELPER_MAX_ARGUMENTS 12
#define HELPER_MAX_DIRECTORY 256

/* struct helper is a running helper. Zero state: none, which helper_stop takes. */
struct helper {
    pid_t pid;
    int commands;                         /* to its standard input */
    FILE *answers;                        /* from its standard output */
    pid_t server;                         /* its server's process; 0: none */
    char directory[HELPER_MAX_DIRECTORY]; /* its server's; "-": none */
};

/* helper_start starts the helper |name|, which lies beside this program in the folder "probes", with |arguments|, up to
 * HELPER_MAX_ARGUMENTS with a NULL behind them, and waits until it is ready. What it says on standard error comes
 * through. On error nothing runs. */
MG_MUST_USE enum mg_status helper_start(struct helper *out, const char *name, const char *const *arguments,
                                        struct mg_error *error);

/* helper_run has it run |probe| for |milliseconds|. MG_IO if it ends, falls silent, or answers something else. */
MG_MUST_USE enum mg_status helper_run(struct helper *helper, const char *probe, unsigned milliseconds,
                                      unsigned num_threads, unsigned long parameter, struct bench_sample *out,
                                      struct mg_error *error);

/* helper_stop lets it clean up, and waits for its end. */
void helper_stop(struct helper *helper);

#endif
