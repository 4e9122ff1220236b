/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What mintgate-bench-cache compares: the cache; liburcu's hash table by itself with the same hash, keys and
 * comparison; chains behind a mutex. All three hold the same entries, nodes and values each of an allocation of its
 * own, as in anything that evicts. A thread that is registered and online with RCU may find; the functions that insert
 * are for one thread at a time.
 */
#ifndef MINTGATE_BENCH_PROBES_TABLES_H
#define MINTGATE_BENCH_PROBES_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/cache.h"

#define TABLES_KEY_LEN 48 /* a generation, a fingerprint and a key type */
#define TABLES_NOW 1000   /* the caches' time */

struct tables_key {
    uint8_t bytes[TABLES_KEY_LEN]; /* the first one is the generation */
};

/* tables_key_of makes the key with |number|, spread as a fingerprint is. */
struct tables_key tables_key_of(uint8_t generation, uint64_t number);

/* tables_fill makes the tables, with keys 0 to |num_entries| - 1 of generation 0. The cache has room for |slack| more.
 * It ends the program if there is no memory. Caller: online with RCU. */
void tables_fill(size_t num_entries, size_t slack);

/* tables_refill puts back into the cache what was evicted of the entries that tables_fill made. */
void tables_refill(void);

struct cache *tables_cache(void); /* borrowed */
struct cache *tables_cache_new(size_t max_entries);
void tables_free(void);

/* tables_insert makes a value for |key| in |cache|. It does nothing where that is there, or where the cache wants no
 * more until grace periods have passed. */
void tables_insert(struct cache *cache, const struct tables_key *key);

bool tables_find_in(struct cache *cache, const struct tables_key *key);
bool tables_find_in_cache(const struct tables_key *key);
bool tables_find_in_lfht(const struct tables_key *key);
bool tables_find_behind_mutex(const struct tables_key *key);

/* tables_churn_lfht adds |key| to liburcu's table, and from the |slack|th call on takes out the oldest one that it
 * added: what insertion and eviction cost there at the least. */
void tables_churn_lfht(const struct tables_key *key);

#endif
