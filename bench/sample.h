/* SPDX-License-Identifier: Apache-2.0 */
/* One measurement, as a helper of mintgate-bench tells it. Pure. */
#ifndef MINTGATE_BENCH_SAMPLE_H
#define MINTGATE_BENCH_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct bench_sample {
    uint64_t count;                   /* of what was done */
    uint64_t wall_ns;                 /* from the first thread's beginning to the last one's end */
    uint64_t cpu_ns;                  /* of the threads that did it */
    uint64_t watched_ns;              /* CPU time of the processes that worked for them; 0: none */
    uint64_t p50_ns, p99_ns, p999_ns; /* of one step; 0: not asked */
    uint64_t bytes;                   /* of memory that what was made holds at the end; 0: not asked */
};

#define BENCH_SAMPLE_MAX_LINE 256

/* bench_sample_write writes |sample| as one line with its end, NUL-terminated. */
void bench_sample_write(const struct bench_sample *sample, char out[BENCH_SAMPLE_MAX_LINE]);

/* bench_sample_read reads such a line. False: it is not one, or nothing was done, or in no time. */
MG_MUST_USE bool bench_sample_read(const char *line, struct bench_sample *out);

#endif
