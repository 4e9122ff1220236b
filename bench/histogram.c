/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/histogram.h"

#define SUB_BITS 7 /* 2^7 = HISTOGRAM_SUB_BUCKETS */

/* The first two runs of sub-buckets are exact; each further one covers an octave. */
static size_t bucket_of(uint64_t value)
{
    if (value < 2 * HISTOGRAM_SUB_BUCKETS) {
        return (size_t)value;
    }
    unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = exponent - SUB_BITS;
    size_t bucket = (size_t)shift * HISTOGRAM_SUB_BUCKETS + (size_t)(value >> shift);
    return bucket < HISTOGRAM_NUM_BUCKETS ? bucket : HISTOGRAM_NUM_BUCKETS - 1;
}

uint64_t histogram_lowest_of(size_t bucket)
{
    if (bucket < 2 * HISTOGRAM_SUB_BUCKETS) {
        return bucket;
    }
    size_t shift = bucket / HISTOGRAM_SUB_BUCKETS - 1;
    return (uint64_t)(bucket - shift * HISTOGRAM_SUB_BUCKETS) << shift;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->buckets[bucket_of(value)]++;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    into->max = from->max > into->max ? from->max : into->max;
    for (size_t i = 0; i < HISTOGRAM_NUM_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    double wanted = (double)histogram->count * percent / 100;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_NUM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            return histogram_lowest_of(i);
        }
    }
    return 0;
}
