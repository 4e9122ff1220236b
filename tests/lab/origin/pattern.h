/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes that /bytes/N answers with: endless, reproducible, incompressible. The eight bytes at offset 8*i are, least
 * significant first, SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014) at i.
 * Pure: any thread.
 */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_PATTERN_H
#define MINTGATE_TESTS_LAB_ORIGIN_PATTERN_H

#include <stddef.h>
#include <stdint.h>

/* pattern_fill writes the |len| bytes that stand at |offset|. */
void pattern_fill(uint8_t *out, size_t len, uint64_t offset);

#endif
