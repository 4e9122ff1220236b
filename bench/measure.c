/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/measure.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static uint64_t cpu_ns_of(enum bench_cpu cpu, const struct bench_sample *sample)
{
    switch (cpu) {
    case BENCH_CPU_OWN:
        return sample->cpu_ns;
    case BENCH_CPU_WATCHED:
        return sample->watched_ns;
    case BENCH_CPU_ALL:
        return sample->cpu_ns + sample->watched_ns;
    }
    return 0;
}

static double per_second(uint64_t count, uint64_t ns)
{
    return ns == 0 ? 0 : (double)count * MG_NS_PER_SECOND / (double)ns;
}

double bench_value_of(const struct bench_row *row, enum bench_value value, const struct bench_sample *sample)
{
    switch (value) {
    case BENCH_PER_CPU:
        return per_second(sample->count, cpu_ns_of(row->cpu, sample));
    case BENCH_PER_SECOND:
        return per_second(sample->count, sample->wall_ns);
    case BENCH_LATENCY:
        return (double)sample->p50_ns;
    case BENCH_P99:
        return (double)sample->p99_ns;
    case BENCH_P999:
        return (double)sample->p999_ns;
    case BENCH_BYTES:
        return sample->count == 0 ? 0 : (double)sample->bytes / (double)sample->count;
    }
    return 0;
}

static double value_at(const struct bench_group *group, size_t round, size_t row, enum bench_value value)
{
    return bench_value_of(&group->rows[row], value, &group->samples[round * group->num_rows + row]);
}

struct bench_spread bench_spread_of_row(const struct bench *bench, const struct bench_group *group, size_t row,
                                        enum bench_value value)
{
    double values[BENCH_MAX_ROUNDS];
    for (size_t i = 0; i < bench->options.rounds; i++) {
        values[i] = value_at(group, i, row, value);
    }
    return bench_spread_of(values, bench->options.rounds);
}

struct bench_spread bench_ratio_of_row(const struct bench *bench, const struct bench_group *group, size_t row,
                                       enum bench_value value)
{
    double ratios[BENCH_MAX_ROUNDS];
    for (size_t i = 0; i < bench->options.rounds; i++) {
        double limit = value_at(group, i, group->rows[row].against, value);
        ratios[i] = limit > 0 ? value_at(group, i, row, value) / limit : 0;
    }
    return bench_spread_of(ratios, bench->options.rounds);
}

static enum mg_status run_row(const struct bench *bench, const struct bench_row *row, struct bench_sample *out,
                              struct mg_error *error)
{
    return helper_run(row->helper, row->probe, bench->options.milliseconds, row->num_threads, row->parameter, out,
                      error);
}

static void show_progress(const struct bench *bench, const struct bench_group *group, unsigned num_done)
{
    if (bench->options.shows_progress) {
        fprintf(stderr, "\r\033[K%s: %u of %u", group->title, num_done, bench->options.rounds);
        fflush(stderr);
    }
}

static void end_progress(const struct bench *bench)
{
    if (bench->options.shows_progress) {
        fprintf(stderr, "\r\033[K");
    }
}

static enum mg_status warm_up(const struct bench *bench, const struct bench_group *group, struct mg_error *error)
{
    struct bench_sample ignored;
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < group->num_rows; i++) {
        status = run_row(bench, &group->rows[i], &ignored, error);
    }
    return status;
}

/* run_round goes through the rows forwards in one round and backwards in the next, so that none always comes first. */
static enum mg_status run_round(const struct bench *bench, struct bench_group *group, unsigned round,
                                struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < group->num_rows; i++) {
        size_t row = round % 2 == 0 ? i : group->num_rows - 1 - i;
        status = run_row(bench, &group->rows[row], &group->samples[round * group->num_rows + row], error);
    }
    return status;
}

enum mg_status bench_measure(struct bench *bench, const char *title, const struct bench_row *rows, size_t num_rows,
                             struct mg_error *error)
{
    if (bench->num_groups == BENCH_MAX_GROUPS || num_rows > BENCH_MAX_ROWS) {
        return mg_error_set(error, MG_LIMIT, "%s: %d groups of %d rows at most", title, BENCH_MAX_GROUPS,
                            BENCH_MAX_ROWS);
    }
    struct bench_group *group = &bench->groups[bench->num_groups];
    snprintf(group->title, sizeof(group->title), "%s", title);
    memcpy(group->rows, rows, num_rows * sizeof(*rows));
    group->num_rows = num_rows;
    group->samples = calloc(bench->options.rounds * num_rows, sizeof(*group->samples));
    if (group->samples == NULL) {
        return mg_error_set(error, MG_MEMORY, "%s: no memory for what is measured", title);
    }
    enum mg_status status = warm_up(bench, group, error);
    for (unsigned i = 0; status == MG_OK && i < bench->options.rounds; i++) {
        show_progress(bench, group, i);
        status = run_round(bench, group, i, error);
    }
    end_progress(bench);
    if (status != MG_OK) {
        free(group->samples);
        group->samples = NULL;
        return status;
    }
    bench->num_groups++;
    return MG_OK;
}

void bench_free(struct bench *bench)
{
    for (size_t i = 0; i < bench->num_groups; i++) {
        free(bench->groups[i].samples);
    }
    bench->num_groups = 0;
}
