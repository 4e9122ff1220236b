/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers' chains remembered as verified, so that a warm connection pays for the server's CertificateVerify alone. An
 * entry says: these very bytes, under this snapshot of the trust store, were found good. Whether they cover the name
 * that the client asks for is seen anew each time, since one wildcard serves many names; the possession of the key is
 * proven anew by every handshake. Only good chains are remembered.
 */
#ifndef MINTGATE_DATAPLANE_TLS_CHAIN_MEMORY_H
#define MINTGATE_DATAPLANE_TLS_CHAIN_MEMORY_H

#include <openssl/pool.h>

#include "base/slice.h"
#include "base/status.h"
#include "cache/cache.h"
#include "minting/mimic.h"

struct chain_memory;

struct chain_key {
    uint8_t bytes[32]; /* SHA-256 over the certificates and the trust generation */
};

MG_MUST_USE enum mg_status chain_memory_new(struct chain_memory **out, size_t max_entries);
void chain_memory_free(struct chain_memory *memory);

/* chain_key_of computes the key of |chain| as sent. Pure. */
void chain_key_of(struct chain_key *out, const STACK_OF(CRYPTO_BUFFER) * chain, uint64_t trust_generation);

/* chain_memory_find returns the end-entity certificate of a chain that was found good, or NULL. The caller gets a
 * reference. Times in seconds of the wall clock. RCU reader. */
struct mimic *chain_memory_find(struct chain_memory *memory, const struct chain_key *key, int64_t now);

/* chain_memory_add remembers a chain until |until|. Takes a reference to |mimic|. RCU reader. */
void chain_memory_add(struct chain_memory *memory, const struct chain_key *key, struct mimic *mimic, int64_t now,
                      int64_t until);

void chain_memory_stats(struct chain_memory *memory, struct cache_stats *out);

#endif
