/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/chain_memory.h"

#include <stdlib.h>

#include <openssl/pool.h>
#include <openssl/sha.h>

/* Bytes for each entry beside its mimic; the bound that counts is that of entries. */
#define BYTES_PER_ENTRY 4096
#define MAX_PENDING 1024

struct verified {
    struct cache_value value;
    struct mimic *mimic;
};

struct chain_memory {
    struct cache *cache;
};

static void free_verified(struct cache_value *value)
{
    struct verified *verified = MG_CONTAINER_OF(value, struct verified, value);
    mimic_unref(verified->mimic);
    free(verified);
}

enum mg_status chain_memory_new(struct chain_memory **out, size_t max_entries)
{
    struct chain_memory *memory = calloc(1, sizeof(*memory));
    if (memory == NULL) {
        return MG_MEMORY;
    }
    const struct cache_config config = {
        .max_entries = max_entries,
        .max_bytes = max_entries * BYTES_PER_ENTRY,
        .max_pending = MAX_PENDING,
        .max_waiters = 1,
        .free_value = free_verified,
    };
    enum mg_status status = max_entries == 0 ? MG_OK : cache_new(&memory->cache, &config);
    if (status != MG_OK) {
        free(memory);
        return status;
    }
    *out = memory;
    return MG_OK;
}

void chain_memory_free(struct chain_memory *memory)
{
    if (memory != NULL) {
        cache_free(memory->cache);
        free(memory);
    }
}

static void hash_prefixed(SHA256_CTX *hash, const uint8_t *data, size_t len)
{
    const uint8_t prefix[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    SHA256_Update(hash, prefix, sizeof(prefix));
    SHA256_Update(hash, data, len);
}

void chain_key_of(struct chain_key *out, const STACK_OF(CRYPTO_BUFFER) * chain, uint64_t trust_generation)
{
    SHA256_CTX hash;
    SHA256_Init(&hash);
    SHA256_Update(&hash, &trust_generation, sizeof(trust_generation));
    for (size_t i = 0; i < sk_CRYPTO_BUFFER_num(chain); i++) {
        const CRYPTO_BUFFER *certificate = sk_CRYPTO_BUFFER_value(chain, i);
        hash_prefixed(&hash, CRYPTO_BUFFER_data(certificate), CRYPTO_BUFFER_len(certificate));
    }
    SHA256_Final(out->bytes, &hash);
}

struct mimic *chain_memory_find(struct chain_memory *memory, const struct chain_key *key, int64_t now)
{
    struct cache_value *value;
    if (memory->cache == NULL ||
        cache_lookup(memory->cache, mg_slice_of(key->bytes, sizeof(key->bytes)), now, &value) != CACHE_HIT) {
        return NULL;
    }
    return mimic_up_ref(MG_CONTAINER_OF(value, struct verified, value)->mimic);
}

void chain_memory_add(struct chain_memory *memory, const struct chain_key *key, struct mimic *mimic, int64_t now,
                      int64_t until)
{
    struct cache_value *found;
    struct cache_pending *pending;
    if (memory->cache == NULL || cache_claim(memory->cache, mg_slice_of(key->bytes, sizeof(key->bytes)), now, NULL,
                                             &found, &pending) != CACHE_CLAIM_ELECTED) {
        return; /* another thread was faster, or there is no room: the next connection verifies again */
    }
    struct verified *verified = calloc(1, sizeof(*verified));
    if (verified == NULL) {
        cache_fail(pending, 0);
        return;
    }
    verified->value.references = 1;
    verified->mimic = mimic_up_ref(mimic);
    cache_publish(pending, &verified->value, sizeof(*verified) + mimic_memory(mimic), until);
}

void chain_memory_stats(struct chain_memory *memory, struct cache_stats *out)
{
    *out = (struct cache_stats){0};
    if (memory->cache != NULL) {
        cache_stats(memory->cache, out);
    }
}
