/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mintgate-bench measures: groups of rows, the first row of each its limit. Each round of a group measures every
 * row once for a short while, there and back again in turn, so that each stands beside the limit of the same round.
 * What a machine does from one second to the next then cancels out of the ratios; it does not out of the rates.
 */
#ifndef MINTGATE_BENCH_MEASURE_H
#define MINTGATE_BENCH_MEASURE_H

#include "bench/helper.h"
#include "bench/statistics.h"

enum bench_role { BENCH_LIMIT, BENCH_OURS, BENCH_BASELINE };

/* Whose CPU time counts for a row. */
enum bench_cpu {
    BENCH_CPU_OWN,     /* of the threads that do it */
    BENCH_CPU_WATCHED, /* of the processes that work for them alone: the signer's */
    BENCH_CPU_ALL,     /* of both */
};

/* What of a row is looked at. */
enum bench_value {
    BENCH_PER_CPU,    /* things per second of CPU time */
    BENCH_PER_SECOND, /* of the clock on the wall */
    BENCH_LATENCY,    /* nanoseconds that half of the things take at most */
    BENCH_P99,        /* and that 99 % do */
    BENCH_P999,       /* and 99.9 % */
    BENCH_BYTES,      /* of memory that one thing holds */
};
#define BENCH_NUM_VALUES 6

/* struct bench_row is what to measure; it borrows all. */
struct bench_row {
    const char *name;
    const char *key;       /* of the ratio in the report's flat list; NULL: not there */
    const char *ns_key;    /* likewise of the nanoseconds of CPU time that one takes */
    const char *bytes_key; /* and of the bytes that one holds */
    enum bench_role role;
    enum bench_cpu cpu;
    enum bench_value value; /* that the aim and the key are about */
    struct helper *helper;
    const char *probe;
    unsigned num_threads;
    unsigned long parameter;
    unsigned long size; /* of what it works on, for plots; 0: nothing to say */
    size_t against;     /* the row of the group that its ratios are to: the limit, unless another is said */
    double max_bytes;   /* the aim of BENCH_BYTES; 0: none */
    double aim;         /* of the ratio; of a latency's: at most; 0: none */
};

#define BENCH_MAX_ROWS 24
#define BENCH_MAX_GROUPS 64
#define BENCH_MAX_TITLE 95

struct bench_group {
    char title[BENCH_MAX_TITLE + 1];
    size_t num_rows;
    struct bench_row rows[BENCH_MAX_ROWS]; /* without their helpers once measured */
    struct bench_sample *samples;          /* owned: of each round, each row */
};

struct bench_options {
    unsigned rounds;       /* 1 to BENCH_MAX_ROUNDS */
    unsigned milliseconds; /* of each row in each round */
    bool is_quick;         /* what --quick leaves out is left out */
    bool shows_progress;   /* on standard error */
};

struct bench {
    struct bench_options options;
    struct bench_group groups[BENCH_MAX_GROUPS];
    size_t num_groups;
};

/* bench_measure adds a group: every row once to warm up, which is not counted, and then the rounds. On error there is
 * no group. */
MG_MUST_USE enum mg_status bench_measure(struct bench *bench, const char *title, const struct bench_row *rows,
                                         size_t num_rows, struct mg_error *error);

void bench_free(struct bench *bench);

/* bench_value_of returns what |value| says of a sample of |row|; 0: nothing. */
double bench_value_of(const struct bench_row *row, enum bench_value value, const struct bench_sample *sample);

/* bench_spread_of_row returns the spread of |value| of a row over the rounds; bench_ratio_of_row that of the ratio of
 * it and that of the row it is |against| in the same round, 0 where either is nothing. */
struct bench_spread bench_spread_of_row(const struct bench *bench, const struct bench_group *group, size_t row,
                                        enum bench_value value);
struct bench_spread bench_ratio_of_row(const struct bench *bench, const struct bench_group *group, size_t row,
                                       enum bench_value value);

#endif
