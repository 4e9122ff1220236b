/* SPDX-License-Identifier: Apache-2.0 */
/* What mintgate-bench says: a table for people, JSON for programs. Pure. */
#ifndef MINTGATE_BENCH_REPORT_H
#define MINTGATE_BENCH_REPORT_H

#include <jansson.h>

#include "base/buffer.h"
#include "bench/machine.h"
#include "bench/measure.h"

/* Changes whenever a reader of the former one would be misled. */
#define REPORT_SCHEMA "mintgate-bench/1"

/* struct report_run is what was asked for, and where it ran. */
struct report_run {
    const char *subcommand;
    int cpu; /* the one that all was kept on; -1: all */
    struct bench_machine machine;
};

/* report_text appends the table: rates are medians, a ratio is the median of its rounds with the quartiles behind. */
void report_text(const struct bench *bench, const struct report_run *run, struct mg_buffer *out);

/* report_json_machine returns what of a document says where it was made: commit and machine. For the caller to release,
 * NULL if there is no memory. */
json_t *report_json_machine(const struct bench_machine *machine);

/* report_json returns a document for the caller to release, NULL if there is no memory: every row with the spread of
 * each of its values, and the medians of the named ratios in one flat object. */
json_t *report_json(const struct bench *bench, const struct report_run *run);

#endif
