/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sample.h"

#include <inttypes.h>
#include <stdio.h>

void bench_sample_write(const struct bench_sample *sample, char out[BENCH_SAMPLE_MAX_LINE])
{
    snprintf(out, BENCH_SAMPLE_MAX_LINE,
             "done %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
             sample->count, sample->wall_ns, sample->cpu_ns, sample->watched_ns, sample->p50_ns, sample->p99_ns,
             sample->p999_ns, sample->bytes);
}

bool bench_sample_read(const char *line, struct bench_sample *out)
{
    int end = 0;
    *out = (struct bench_sample){.count = 0};
    int num_read = sscanf(
        line, "done %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 "%n",
        &out->count, &out->wall_ns, &out->cpu_ns, &out->watched_ns, &out->p50_ns, &out->p99_ns, &out->p999_ns,
        &out->bytes, &end);
    return num_read == 8 && line[end] == '\n' && out->count > 0 && out->wall_ns > 0 && out->cpu_ns > 0;
}
