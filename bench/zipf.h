/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranks as popular as Zipf's law says: rank k of n, counted from 1, comes up with a probability proportional to k^-s.
 * Drawn by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone
 * discrete distributions", ACM TOMACS 6(3), 1996): the exact distribution, in constant time and memory whatever n is.
 */
#ifndef MINTGATE_BENCH_ZIPF_H
#define MINTGATE_BENCH_ZIPF_H

#include <stdint.h>

#define ZIPF_MAX_EXPONENT 10

/* Read-only once made: any thread. */
struct zipf {
    double num_ranks;
    double exponent;
    double lowest, highest; /* the interval of which each rank has its share */
    double sure;            /* a point that is not further below its rank needs no second look */
};

/* zipf_init is for |num_ranks| from 1 to 2^32 and an |exponent| from 0 (all alike) to ZIPF_MAX_EXPONENT. */
void zipf_init(struct zipf *zipf, uint64_t num_ranks, double exponent);

/* zipf_draw returns a rank counted from 0, the most popular one, to num_ranks - 1. |random| is split_mix.h's state. */
uint64_t zipf_draw(const struct zipf *zipf, uint64_t *random);

#endif
