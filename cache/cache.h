/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded, lock-free cache of immutable values under RCU: minted leaves, verified chains, servers learned to bypass
 * are three instances of it. It knows nothing about what a value is.
 *
 * A lookup takes no lock, makes no system call and writes at most one clear CLOCK bit. The first to claim a missing
 * key is elected to produce its value; whoever claims it meanwhile waits on the same entry; publishing or failing it
 * wakes them all, once each. Bounded in entries and bytes; when full, a CLOCK hand evicts what was not looked up since
 * it last came by; entries expire by time; failures are remembered briefly. Every bound is counted when hit.
 *
 * The hash is SipHash under a random key, and keys are compared whole.
 *
 * All functions but cache_new and cache_free: any thread registered and online with RCU (cache/rcu.h). Times are in
 * seconds of one clock that the caller chooses.
 */
#ifndef MINTGATE_CACHE_CACHE_H
#define MINTGATE_CACHE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

struct cache;
struct cache_pending; /* an entry that the caller was elected to fill; exactly one publish or fail ends it */

/* struct cache_value begins every value. A value is immutable once published, and freed by the |free| operation of
 * its cache after a grace period, when the cache and every holder of a reference have let go. */
struct cache_value {
    uint32_t references; /* atomic; the cache's own counts as one */
    struct cache *cache; /* set by cache_publish */
};

/* A waiter is woken exactly once, from whatever thread publishes or fails (possibly inside cache_claim's caller's own
 * thread, never inside cache_claim itself). |wake| must not block, and owns the waiter from then on. Typically it posts
 * a message to the thread that waits, which then looks the key up again. */
struct cache_waiter {
    struct cache_waiter *next;
    void (*wake)(struct cache_waiter *waiter);
};

struct cache_config {
    size_t max_entries;  /* rounded up to a power of two for the table, not for the bound */
    size_t max_bytes;    /* keys, values as published, and the cache's own overhead */
    size_t max_pending;  /* entries being produced at one time */
    size_t max_waiters;  /* waiters on all pending entries together */
    void (*free_value)(struct cache_value *value); /* called from any thread, outside read sections, must not block */
};

MG_MUST_USE enum mg_status cache_new(struct cache **out, const struct cache_config *config);

/* cache_free frees everything, after every thread has stopped using it; pending entries are failed first. Caller: a
 * registered thread; it waits for grace periods. */
void cache_free(struct cache *cache);

enum cache_lookup_result {
    CACHE_HIT,      /* *out_value is borrowed until the caller's next quiescent state */
    CACHE_MISS,
    CACHE_PENDING,  /* somebody is producing it */
    CACHE_NEGATIVE, /* producing it failed a short while ago */
};

enum cache_lookup_result cache_lookup(struct cache *cache, struct mg_slice key, int64_t now,
                                      struct cache_value **out_value);

/* cache_value_up_ref keeps a value found by cache_lookup beyond the quiescent state, until cache_value_unref. */
void cache_value_up_ref(struct cache_value *value);
void cache_value_unref(struct cache_value *value);

enum cache_claim_result {
    CACHE_CLAIM_ELECTED, /* produce the value, then cache_publish or cache_fail *out_pending; |waiter| is queued */
    CACHE_CLAIM_WAITING, /* |waiter| is queued and will be woken */
    CACHE_CLAIM_HIT,     /* it has appeared meanwhile: *out_value as in cache_lookup; |waiter| not queued */
    CACHE_CLAIM_NEGATIVE,
    CACHE_CLAIM_FULL,    /* too many pending entries or waiters; |waiter| not queued; counted */
};

/* cache_claim looks |key| up and, if it is missing, elects the caller or queues it. |waiter| may be NULL for a caller
 * that only wants the value made. */
enum cache_claim_result cache_claim(struct cache *cache, struct mg_slice key, int64_t now, struct cache_waiter *waiter,
                                    struct cache_value **out_value, struct cache_pending **out_pending);

/* cache_publish makes |value| the value of the pending entry and wakes its waiters. Takes over one reference, the
 * caller's (|value->references| is 1 when it comes). |bytes| is what the value holds in memory. The value may be
 * evicted at once if it is larger than the whole cache allows; waiters that then find nothing claim again. */
void cache_publish(struct cache_pending *pending, struct cache_value *value, size_t bytes, int64_t expires);

/* cache_fail ends the pending entry without a value; lookups say CACHE_NEGATIVE until |retry_after| (0: not
 * remembered). */
void cache_fail(struct cache_pending *pending, int64_t retry_after);

/* cache_remove removes |key| if it is there and not pending. */
void cache_remove(struct cache *cache, struct mg_slice key);

/* cache_remove_if removes every finished entry for which |match| returns true, for retiring a generation; returns how
 * many. It walks the whole table: not for workers. */
size_t cache_remove_if(struct cache *cache, bool (*match)(struct mg_slice key, struct cache_value *value, void *arg),
                       void *arg);

/* cache_for_each visits every published entry, recently used ones included, in no order. |recently_used| is the CLOCK
 * bit. Returns when |visit| returns false. Not for workers. */
void cache_for_each(struct cache *cache,
                    bool (*visit)(struct mg_slice key, struct cache_value *value, bool recently_used, void *arg),
                    void *arg);

/* Counts since creation, summed over threads; approximate while others write. */
struct cache_stats {
    uint64_t hits, misses, pending_hits, negative_hits;
    uint64_t published, failed, evicted, expired, removed;
    uint64_t full_pending, full_waiters; /* claims refused by a bound */
    uint64_t entries, bytes, pending, waiters; /* now */
    uint64_t max_entries, max_bytes;
};
void cache_stats(struct cache *cache, struct cache_stats *out);

#endif
