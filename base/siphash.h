/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): the keyed hash of every table whose
 * keys come from the network, so that nobody outside can choose keys that collide. Pure: any thread.
 */
#ifndef MINTGATE_BASE_SIPHASH_H
#define MINTGATE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct mg_siphash_key {
    uint64_t k[2];
};

/* mg_siphash_key_random fills |key| from the kernel's generator; it aborts if the kernel has none. */
void mg_siphash_key_random(struct mg_siphash_key *key);

uint64_t mg_siphash(const struct mg_siphash_key *key, const void *data, size_t len);

#endif
