/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of values in buckets whose width grows with the value, so that a percentile is right to within 1 part in 128
 * at any size, in constant memory. Zero state: empty. One owner.
 */
#ifndef MINTGATE_BENCH_HISTOGRAM_H
#define MINTGATE_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BUCKETS 128
#define HISTOGRAM_OCTAVES 32
#define HISTOGRAM_NUM_BUCKETS ((HISTOGRAM_OCTAVES + 1) * HISTOGRAM_SUB_BUCKETS)

struct histogram {
    uint64_t count;
    uint64_t max; /* the largest value added, exact */
    uint32_t buckets[HISTOGRAM_NUM_BUCKETS];
};

/* histogram_add counts |value|; one beyond the last bucket is counted in that. */
void histogram_add(struct histogram *histogram, uint64_t value);

/* histogram_merge adds what |from| counted to |into|. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* histogram_lowest_of returns the smallest value that is counted in |bucket|. */
uint64_t histogram_lowest_of(size_t bucket);

/* histogram_percentile returns the smallest value of a bucket such that |percent| (0 to 100) of all values are in it or
 * below; 0 for an empty histogram. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
