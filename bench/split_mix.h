/* SPDX-License-Identifier: Apache-2.0 */
/* Reproducible randomness for loads, not for secrets: SplitMix64 (Steele, Lea, Flood, 2014). Pure. */
#ifndef MINTGATE_BENCH_SPLIT_MIX_H
#define MINTGATE_BENCH_SPLIT_MIX_H

#include <stdint.h>

/* split_mix_next moves |state| on and returns the next number. Any state is a good one to begin with. */
static inline uint64_t split_mix_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* split_mix_unit returns the next number from above 0 to 1, of which a logarithm can be taken. */
static inline double split_mix_unit(uint64_t *state)
{
    return ((double)(split_mix_next(state) >> 11) + 1) * 0x1p-53;
}

#endif
