/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded cache of immutable values under RCU: minted leaves, verified chains, servers learned to bypass are three
 * instances of it. It knows nothing about what a value is.
 *
 * A lookup takes no lock, makes no system call and writes at most one clear CLOCK bit. The first to claim a missing
 * key is elected to produce its value; whoever claims it meanwhile waits on the same entry; publishing or failing it
 * wakes them all, once each. Bounded in entries and bytes; when full, a hand evicts what was not looked up since it
 * last came by (SIEVE: Zhang et al., NSDI 2024); entries expire by time; failures are remembered briefly. Every bound
 * is counted when hit.
 *
 * The hash is SipHash under a random key, and keys are compared whole.
 *
 * Any thread that is registered and online with RCU (cache/rcu.h) may call all of it, and |key| is borrowed for the
 * call. Workers may call cache_lookup, cache_claim, cache_value_up_ref and cache_value_unref, which take no lock (a
 * claim of a missing key takes memory for its one entry). The rest takes the one lock among writers, for a short while,
 * never across a callback. Times are in seconds of one clock that the caller chooses.
 */
#ifndef MINTGATE_CACHE_CACHE_H
#define MINTGATE_CACHE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

struct cache;
struct cache_pending; /* an entry that the caller was elected to fill; exactly one publish or fail ends it */

/* struct cache_value begins every value. A value is immutable once published, and freed by the |free_value| of its
 * cache after a grace period, when the cache and every holder of a reference have let go. A reference may outlive the
 * entry and the cache. */
struct cache_value {
    _Atomic uint32_t references;                   /* the cache's own counts as one */
    void (*free_value)(struct cache_value *value); /* set by cache_publish, or before by who may unref it before */
};

/* A waiter is woken exactly once, from whatever thread publishes or fails (possibly the one that queued it, never from
 * inside cache_claim). |wake| must not block nor wait for RCU, and owns the waiter from then on. Typically it posts a
 * message to the thread that waits, which then looks the key up again. Earlier waiters are woken first. */
struct cache_waiter {
    struct cache_waiter *next; /* the cache's, while the waiter is queued */
    void (*wake)(struct cache_waiter *waiter);
    _Atomic bool has_left; /* cache_waiter_leave's */
};

#define CACHE_MAX_ENTRIES ((size_t)1 << 26)

struct cache_config {
    size_t max_entries; /* 1 to CACHE_MAX_ENTRIES; rounded up to a power of two for the table, not for the bound */
    size_t max_bytes;   /* values as published, and cache_entry_bytes for each entry */
    size_t max_pending; /* entries being produced at one time */
    size_t max_waiters; /* waiters on all pending entries together */
    void (*free_value)(struct cache_value *value); /* from any thread; must not block, nor call anything of rcu.h */
};

/* cache_new makes an empty cache; |config| is copied. MG_INVALID if a bound is out of range. Any thread. */
MG_MUST_USE enum mg_status cache_new(struct cache **out, const struct cache_config *config);

/* cache_free frees everything, after every thread has stopped using it; pending entries are failed first, which wakes
 * their waiters and ends their cache_pending. Values with further references stay until those go. |cache| may be NULL.
 * Caller: a registered thread; it waits for grace periods. */
void cache_free(struct cache *cache);

/* cache_entry_bytes returns what one entry costs against |max_bytes| beside its value: itself, its key, and its share
 * of the table. Memory for entries with short keys is reserved ahead and stays the cache's until it is freed
 * (cache/slots.h); it counts as long as there is an entry in it. Any thread. */
size_t cache_entry_bytes(size_t key_len);

enum cache_lookup_result {
    CACHE_HIT,      /* *out_value is borrowed until the caller's next quiescent state */
    CACHE_MISS,     /* nothing there, or expired */
    CACHE_PENDING,  /* somebody is producing it */
    CACHE_NEGATIVE, /* producing it failed a short while ago */
};

/* cache_lookup finds |key|; *out_value is written for CACHE_HIT alone. An entry counts as expired from its second
 * |expires| on. */
enum cache_lookup_result cache_lookup(struct cache *cache, struct mg_slice key, int64_t now,
                                      struct cache_value **out_value);

/* cache_value_up_ref keeps a value that is borrowed (from cache_lookup, cache_claim or a visit) or owned already beyond
 * the quiescent state, until cache_value_unref. Safe though the entry may be removed meanwhile, because the cache drops
 * its own reference only after a grace period. */
void cache_value_up_ref(struct cache_value *value);

/* cache_value_unref gives a reference back; the last one frees the value, then and there. Any thread. */
void cache_value_unref(struct cache_value *value);

enum cache_claim_result {
    CACHE_CLAIM_ELECTED,  /* produce the value, then cache_publish or cache_fail *out_pending; |waiter| is queued */
    CACHE_CLAIM_WAITING,  /* somebody else produces it; |waiter| is queued and will be woken */
    CACHE_CLAIM_HIT,      /* it has appeared meanwhile: *out_value as in cache_lookup; |waiter| not queued */
    CACHE_CLAIM_NEGATIVE, /* producing it failed a short while ago; |waiter| not queued */
    CACHE_CLAIM_FULL,     /* a bound or memory is full; |waiter| not queued; counted */
};

/* cache_claim looks |key| up and, if it is missing or expired, elects the caller or queues it; of any number of
 * claimers one is elected. |waiter| may be NULL for a caller that only wants the value made. *out_value and
 * *out_pending are written for CACHE_CLAIM_HIT and CACHE_CLAIM_ELECTED alone. The bounds that refuse a claim are
 * |max_pending|, |max_waiters|, and one on entries removed but not yet reclaimed, which is reached only while a thread
 * holds grace periods up (mg_rcu_stall_ns): max_entries of them, or 16,384 in a smaller cache. */
enum cache_claim_result cache_claim(struct cache *cache, struct mg_slice key, int64_t now, struct cache_waiter *waiter,
                                    struct cache_value **out_value, struct cache_pending **out_pending);

/* cache_publish makes |value| the value of the pending entry and wakes its waiters. Takes over one reference, the
 * caller's (|value->references| is 1 when it comes, unless the caller keeps more). |bytes| is what the value holds in
 * memory. A value that is larger than the whole cache allows is dropped at once; waiters, which then find nothing,
 * claim again. */
void cache_publish(struct cache_pending *pending, struct cache_value *value, size_t bytes, int64_t expires);

/* cache_fail ends the pending entry without a value and wakes its waiters; lookups say CACHE_NEGATIVE until
 * |retry_after| (0: not remembered). */
void cache_fail(struct cache_pending *pending, int64_t retry_after);

/* cache_waiter_leave says that nobody needs any more what |waiter|, which is queued, waits for. It is woken all the
 * same. Whoever will be woken. */
void cache_waiter_leave(struct cache_waiter *waiter);

/* cache_pending_is_wanted tells whether one of the waiters on |pending| has not left: a hint for whoever was elected,
 * and it alone may ask, to spare itself the work and cache_fail instead. A claim that comes in between is woken by that
 * and claims again. */
bool cache_pending_is_wanted(const struct cache_pending *pending);

/* cache_remove removes |key| if it is there and not pending. */
void cache_remove(struct cache *cache, struct mg_slice key);

/* cache_remove_if removes every finished entry for which |match| returns true, for retiring a generation; returns how
 * many. |value| is borrowed, and NULL for a remembered failure. It walks the whole table without a quiescent state: not
 * for workers. */
size_t cache_remove_if(struct cache *cache, bool (*match)(struct mg_slice key, struct cache_value *value, void *arg),
                       void *arg);

/* cache_for_each visits every published value, expired ones that are still there included, in no order; |key| and
 * |value| are borrowed. |recently_used| is the CLOCK bit. Returns when |visit| returns false. It walks the whole table
 * without a quiescent state: not for workers. */
void cache_for_each(struct cache *cache,
                    bool (*visit)(struct mg_slice key, struct cache_value *value, bool recently_used, void *arg),
                    void *arg);

/* Counts since creation, summed over threads; approximate while others write. */
struct cache_stats {
    uint64_t hits, misses, pending_hits, negative_hits;             /* what cache_lookup returned */
    uint64_t published, failed;                                     /* elections by how they ended */
    uint64_t evicted, expired, removed;                             /* entries gone, by why */
    uint64_t full_pending, full_waiters, full_retired, full_memory; /* claims refused, by bound */
    uint64_t entries, bytes;                                        /* now: finished entries */
    uint64_t pending, waiters, retired; /* now; retired: removed, waiting for a grace period */
    uint64_t max_entries, max_bytes;    /* as configured */
};
void cache_stats(struct cache *cache, struct cache_stats *out);

#endif
