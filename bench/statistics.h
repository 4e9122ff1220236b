/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a measurement that was made several times. Pure. */
#ifndef MINTGATE_BENCH_STATISTICS_H
#define MINTGATE_BENCH_STATISTICS_H

#include <stddef.h>

/* The most repetitions of a measurement. */
#define BENCH_MAX_ROUNDS 201

/* struct bench_spread is where the middle of the values is, the middle half of them, and all. */
struct bench_spread {
    double min, low, median, high, max; /* low and high: the quartiles */
};

/* bench_spread_of tells the spread of 1 to BENCH_MAX_ROUNDS values. Between two values a quantile is interpolated
 * (Hyndman and Fan, 1996, definition 7: what R and NumPy do by themselves). */
struct bench_spread bench_spread_of(const double *values, size_t num_values);

#endif
