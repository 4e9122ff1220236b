/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <urcu/rculfhash.h>

#include "base/metrics.h"
#include "base/siphash.h"
#include "cache/rcu.h"
#include "cache/slots.h"

/*
 * An entry's content is one word that says all of its state and changes by one atomic step:
 *
 *     PENDING    the waiters' stack, tagged        -> by push (claim), VALUE or NEGATIVE (publish, fail: once)
 *     VALUE      the value's address               -> for ever
 *     NEGATIVE   a constant                        -> for ever
 *
 * So publishing happens in place: the exchange that makes a value visible also takes the stack and closes it, and a
 * waiter that comes too late to be pushed sees the value instead. A finished entry never changes again. What follows
 * an expired one is a new entry that takes its place in the table by cds_lfht_replace, which lets one claimer win;
 * nobody can therefore see the value of one entry with the expiry of another.
 */
#define CONTENT_PENDING ((uintptr_t)1)  /* tag beside the address of the last waiter queued, or of none */
#define CONTENT_NEGATIVE ((uintptr_t)2) /* the whole word */
#define CONTENT_TAGS ((uintptr_t)3)

/* Cold fields first and the key last, so that what a lookup reads is contiguous. With a key of up to 50 bytes, as most
 * leaves have, it lies in a slot, and whole in one pair of cache lines; otherwise in memory of its own. */
struct entry {
    union {                         /* the three lives of an entry */
        struct entry *replaced;     /* pending: the expired entry whose place it took; owned; its producer: rw */
        TAILQ_ENTRY(entry) ring;    /* finished; under the lock */
        struct mg_rcu_head retired; /* removed from table and ring, until its grace period has passed */
    };
    struct cache *cache;
    struct cds_lfht_node node;
    _Atomic uintptr_t content; /* claims: push; its producer: one exchange */
    int64_t expires;           /* its producer: wo, before the exchange of content; all: ro, after */
    size_t bytes;              /* against max_bytes; its producer: wo, then ro under the lock */
    uint32_t key_len;
    bool in_ring;      /* under the lock */
    _Atomic bool used; /* the CLOCK bit. lookups: set; the hand, under the lock: clear */
    uint8_t key[];
};

_Static_assert(offsetof(struct entry, key) + 50 <= SLOT_SIZE, "an entry with a key of 50 bytes fits into a slot");

TAILQ_HEAD(entry_list, entry);

/* What one thread counts, on a cache line of its own. */
struct lookup_counters {
    MG_CACHE_ALIGNED struct mg_counter results[CACHE_NEGATIVE + 1]; /* by enum cache_lookup_result */
};

struct cache {
    /* Constant after cache_new. */
    struct cds_lfht *table; /* in it: pending entries, and the finished ones that are in the ring */
    struct mg_siphash_key hash_key;
    struct slots slots; /* of entries; itself, it is for all threads */
    struct cache_config config;
    size_t max_retired;

    /* Claims: rw. */
    MG_CACHE_ALIGNED _Atomic size_t num_pending;
    _Atomic size_t num_waiters;
    _Atomic size_t num_retired;
    _Atomic int64_t now; /* what the last claim said, for telling expired entries when evicting */
    _Atomic uint64_t full_pending, full_waiters, full_retired, full_memory;

    /*
     * Writers. The lock makes a finished entry's removal from the table and from the ring one step, and so is its
     * publication: outside the lock, a finished entry is in the table if and only if it is in the ring, except for
     * those that a claim has replaced, which leave the ring when their successor finishes or when the hand meets them.
     */
    MG_CACHE_ALIGNED pthread_mutex_t lock;
    struct entry_list ring; /* finished entries, newest first */
    struct entry *hand; /* SIEVE's hand: the next candidate, going from the oldest to newer ones; NULL: the oldest */
    size_t num_entries, num_bytes; /* of the ring */
    uint64_t published, failed, evicted, expired, removed;

    struct lookup_counters counters[MG_RCU_MAX_THREADS]; /* by mg_rcu_thread_index */
};

/* The least that max_retired is, so that a small cache outlives a busy grace period: about 16 MB of leaves. */
#define MIN_MAX_RETIRED 16384
/* Used entries that the hand passes for one eviction: bounds the time under the lock. */
#define MAX_SECOND_CHANCES 128

static size_t round_up_to_power_of_two(size_t n)
{
    size_t power = 1;
    while (power < n) {
        power <<= 1;
    }
    return power;
}

static bool config_is_valid(const struct cache_config *config)
{
    return config->max_entries >= 1 && config->max_entries <= CACHE_MAX_ENTRIES && config->max_bytes >= 1 &&
           config->max_pending >= 1 && config->free_value != NULL;
}

enum mg_status cache_new(struct cache **out, const struct cache_config *config)
{
    if (!config_is_valid(config)) {
        return MG_INVALID;
    }
    struct cache *cache = aligned_alloc(_Alignof(struct cache), sizeof(*cache));
    if (cache == NULL) {
        return MG_MEMORY;
    }
    memset(cache, 0, sizeof(*cache));
    cache->table = mg_rcu_table_new(round_up_to_power_of_two(config->max_entries));
    if (cache->table == NULL) {
        free(cache);
        return MG_MEMORY;
    }
    mg_siphash_key_random(&cache->hash_key);
    cache->config = *config;
    cache->max_retired = config->max_entries > MIN_MAX_RETIRED ? config->max_entries : MIN_MAX_RETIRED;
    slots_init(&cache->slots, config->max_entries + cache->max_retired);
    pthread_mutex_init(&cache->lock, NULL);
    TAILQ_INIT(&cache->ring);
    *out = cache;
    return MG_OK;
}

static size_t entry_size(size_t key_len)
{
    size_t size = offsetof(struct entry, key) + key_len;
    return size < sizeof(struct entry) ? sizeof(struct entry) : size;
}

size_t cache_entry_bytes(size_t key_len)
{
    /* A chunk of malloc has a word of its own and a granularity of 16; the table has at most two buckets an entry. */
    size_t chunk = (entry_size(key_len) + sizeof(size_t) + 15) & ~(size_t)15;
    return (entry_size(key_len) <= SLOT_SIZE ? SLOT_SIZE : chunk) + 2 * sizeof(struct cds_lfht_node);
}

/* Values. */

void cache_value_up_ref(struct cache_value *value)
{
    atomic_fetch_add_explicit(&value->references, 1, memory_order_relaxed);
}

void cache_value_unref(struct cache_value *value)
{
    if (atomic_fetch_sub_explicit(&value->references, 1, memory_order_acq_rel) == 1) {
        value->free_value(value);
    }
}

/* Entries. */

static bool is_pending(uintptr_t content)
{
    return (content & CONTENT_PENDING) != 0;
}

static struct cache_value *value_of(uintptr_t content)
{
    return content == CONTENT_NEGATIVE ? NULL : (struct cache_value *)content;
}

static uintptr_t pending_content(struct cache_waiter *last)
{
    return (uintptr_t)last | CONTENT_PENDING;
}

static struct cache_waiter *last_waiter(uintptr_t content)
{
    return (struct cache_waiter *)(content & ~CONTENT_TAGS);
}

static struct mg_slice key_of(const struct entry *entry)
{
    return mg_slice_of(entry->key, entry->key_len);
}

static struct entry *entry_of(struct cds_lfht_node *node)
{
    struct entry *entry = MG_CONTAINER_OF(node, struct entry, node);
    mg_rcu_annotate_found(entry);
    return entry;
}

static void *entry_memory(struct cache *cache, size_t key_len)
{
    void *slot = entry_size(key_len) <= SLOT_SIZE ? slots_take(&cache->slots) : NULL;
    return slot != NULL ? slot : malloc(entry_size(key_len));
}

static void entry_free(struct cache *cache, struct entry *entry)
{
    if (slots_own(&cache->slots, entry)) {
        slots_give(&cache->slots, entry);
    } else {
        free(entry);
    }
}

/* entry_new makes a pending entry with |waiter|, unless NULL, as its first. */
static struct entry *entry_new(struct cache *cache, struct mg_slice key, struct cache_waiter *waiter)
{
    assert(key.len <= UINT32_MAX);
    struct entry *entry = entry_memory(cache, key.len);
    if (entry == NULL) {
        return NULL;
    }
    if (waiter != NULL) {
        waiter->next = NULL;
    }
    *entry = (struct entry){.cache = cache, .key_len = (uint32_t)key.len, .content = pending_content(waiter)};
    cds_lfht_node_init(&entry->node);
    if (key.len > 0) {
        memcpy(entry->key, key.data, key.len);
    }
    return entry;
}

/* A key being looked for, and where it was last found. */
struct search {
    struct mg_slice key;
    uint64_t hash;
    struct cds_lfht_iter found;
};

static int key_matches(struct cds_lfht_node *node, const void *key)
{
    return mg_slice_equal(key_of(entry_of(node)), *(const struct mg_slice *)key);
}

static struct search search_for(const struct cache *cache, struct mg_slice key)
{
    return (struct search){.key = key, .hash = mg_siphash(&cache->hash_key, key.data, key.len)};
}

static struct entry *find(const struct cache *cache, struct search *search)
{
    cds_lfht_lookup(cache->table, search->hash, key_matches, &search->key, &search->found);
    struct cds_lfht_node *node = cds_lfht_iter_get_node(&search->found);
    return node == NULL ? NULL : MG_CONTAINER_OF(node, struct entry, node);
}

/* examine tells what |entry| is worth to somebody who looks it up. */
static enum cache_lookup_result examine(struct entry *entry, int64_t now, struct cache_value **out_value)
{
    uintptr_t content = atomic_load_explicit(&entry->content, memory_order_acquire);
    if (is_pending(content)) {
        return CACHE_PENDING;
    }
    if (entry->expires <= now) {
        return CACHE_MISS;
    }
    if (content == CONTENT_NEGATIVE) {
        return CACHE_NEGATIVE;
    }
    /* Checked before it is written, so that the line of a hot entry stays shared. */
    if (!atomic_load_explicit(&entry->used, memory_order_relaxed)) {
        atomic_store_explicit(&entry->used, true, memory_order_relaxed);
    }
    *out_value = value_of(content);
    return CACHE_HIT;
}

enum cache_lookup_result cache_lookup(struct cache *cache, struct mg_slice key, int64_t now,
                                      struct cache_value **out_value)
{
    struct lookup_counters *counters = &cache->counters[mg_rcu_thread_index()];
    struct search search = search_for(cache, key);
    struct entry *entry = find(cache, &search);
    enum cache_lookup_result result = entry == NULL ? CACHE_MISS : examine(entry, now, out_value);
    mg_counter_add(&counters->results[result], 1);
    return result;
}

/* Claims. */

/* reserve counts one more in |count| unless that is |max| already, which |full| counts. */
static bool reserve(_Atomic size_t *count, size_t max, _Atomic uint64_t *full)
{
    size_t now = atomic_load_explicit(count, memory_order_relaxed);
    do {
        if (now >= max) {
            atomic_fetch_add_explicit(full, 1, memory_order_relaxed);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(count, &now, now + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void release(_Atomic size_t *count)
{
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

/* One call of cache_claim. Its steps return false where somebody else was faster: look again. */
struct claim {
    struct cache *cache;
    struct search search;
    struct cache_waiter *waiter; /* may be NULL */
    enum cache_claim_result result;
    struct cache_pending *pending; /* for CACHE_CLAIM_ELECTED */
};

static bool reserve_waiter(struct claim *claim)
{
    struct cache *cache = claim->cache;
    return claim->waiter == NULL || reserve(&cache->num_waiters, cache->config.max_waiters, &cache->full_waiters);
}

static void release_waiter(struct claim *claim)
{
    if (claim->waiter != NULL) {
        release(&claim->cache->num_waiters);
    }
}

/* push queues |waiter| unless the entry was finished meanwhile. */
static bool push(struct entry *entry, struct cache_waiter *waiter)
{
    uintptr_t content = atomic_load_explicit(&entry->content, memory_order_relaxed);
    do {
        if (!is_pending(content)) {
            return false;
        }
        waiter->next = last_waiter(content);
    } while (!atomic_compare_exchange_weak_explicit(&entry->content, &content, pending_content(waiter),
                                                    memory_order_acq_rel, memory_order_relaxed));
    return true;
}

/* claim_wait queues the waiter on a pending entry. */
static bool claim_wait(struct claim *claim, struct entry *entry)
{
    if (!reserve_waiter(claim)) {
        claim->result = CACHE_CLAIM_FULL;
        return true;
    }
    if (claim->waiter != NULL && !push(entry, claim->waiter)) {
        release_waiter(claim);
        return false;
    }
    claim->result = CACHE_CLAIM_WAITING;
    return true;
}

/* put places a new entry in the table, in the place of |expired| where that is not NULL. */
static bool put(struct cache *cache, struct search *search, struct entry *entry, struct entry *expired)
{
    struct cds_lfht_node *node = &entry->node;
    entry->replaced = expired;
    mg_rcu_annotate_publish(entry);
    if (expired != NULL) {
        return cds_lfht_replace(cache->table, &search->found, search->hash, key_matches, &search->key, node) == 0;
    }
    return cds_lfht_add_unique(cache->table, search->hash, key_matches, &search->key, node) == node;
}

/* claim_put is claim_elect once the bounds have room. */
static bool claim_put(struct claim *claim, struct entry *expired)
{
    struct entry *entry = entry_new(claim->cache, claim->search.key, claim->waiter);
    if (entry == NULL) {
        atomic_fetch_add_explicit(&claim->cache->full_memory, 1, memory_order_relaxed);
        return true;
    }
    if (!put(claim->cache, &claim->search, entry, expired)) {
        entry_free(claim->cache, entry); /* nobody has seen it */
        return false;
    }
    claim->pending = (struct cache_pending *)entry;
    claim->result = CACHE_CLAIM_ELECTED;
    return true;
}

/* claim_elect makes the caller the producer of a key that is missing or |expired|. */
static bool claim_elect(struct claim *claim, struct entry *expired)
{
    struct cache *cache = claim->cache;
    claim->result = CACHE_CLAIM_FULL; /* until claim_put says better */
    if (atomic_load_explicit(&cache->num_retired, memory_order_relaxed) >= cache->max_retired) {
        atomic_fetch_add_explicit(&cache->full_retired, 1, memory_order_relaxed);
        return true;
    }
    if (!reserve(&cache->num_pending, cache->config.max_pending, &cache->full_pending)) {
        return true;
    }
    if (!reserve_waiter(claim)) {
        release(&cache->num_pending);
        return true;
    }
    bool done = claim_put(claim, expired);
    if (claim->result != CACHE_CLAIM_ELECTED) {
        release_waiter(claim);
        release(&cache->num_pending);
    }
    return done;
}

static void note_time(struct cache *cache, int64_t now)
{
    if (atomic_load_explicit(&cache->now, memory_order_relaxed) != now) {
        atomic_store_explicit(&cache->now, now, memory_order_relaxed);
    }
}

enum cache_claim_result cache_claim(struct cache *cache, struct mg_slice key, int64_t now, struct cache_waiter *waiter,
                                    struct cache_value **out_value, struct cache_pending **out_pending)
{
    struct claim claim = {.cache = cache, .search = search_for(cache, key), .waiter = waiter};
    bool done = false;
    mg_rcu_assert_online();
    note_time(cache, now);
    while (!done) {
        struct entry *entry = find(cache, &claim.search);
        switch (entry == NULL ? CACHE_MISS : examine(entry, now, out_value)) {
        case CACHE_HIT:
            return CACHE_CLAIM_HIT;
        case CACHE_NEGATIVE:
            return CACHE_CLAIM_NEGATIVE;
        case CACHE_PENDING:
            done = claim_wait(&claim, entry);
            break;
        case CACHE_MISS:
            done = claim_elect(&claim, entry);
            break;
        }
    }
    if (claim.result == CACHE_CLAIM_ELECTED) {
        *out_pending = claim.pending;
    }
    return claim.result;
}

/* The ring: all of it under the lock. */

static void ring_insert(struct cache *cache, struct entry *entry)
{
    TAILQ_INSERT_HEAD(&cache->ring, entry, ring);
    entry->in_ring = true;
    cache->num_entries++;
    cache->num_bytes += entry->bytes;
}

static void ring_remove(struct cache *cache, struct entry *entry)
{
    if (!entry->in_ring) {
        return;
    }
    if (cache->hand == entry) {
        cache->hand = TAILQ_PREV(entry, entry_list, ring);
    }
    TAILQ_REMOVE(&cache->ring, entry, ring);
    entry->in_ring = false;
    cache->num_entries--;
    cache->num_bytes -= entry->bytes;
}

/* take_out removes a finished entry from table and ring and hands it over to |gone|. False if a claim has replaced it:
 * then the entry that took its place will retire it. */
static bool take_out(struct cache *cache, struct entry *entry, struct entry_list *gone)
{
    if (cds_lfht_del(cache->table, &entry->node) != 0) {
        return false;
    }
    ring_remove(cache, entry);
    TAILQ_INSERT_TAIL(gone, entry, ring);
    return true;
}

static struct entry *next_candidate(struct cache *cache)
{
    struct entry *candidate = cache->hand != NULL ? cache->hand : TAILQ_LAST(&cache->ring, entry_list);
    cache->hand = TAILQ_PREV(candidate, entry_list, ring);
    return candidate;
}

/* evict_one makes the ring, which is not empty, one entry shorter. */
static void evict_one(struct cache *cache, struct entry_list *gone)
{
    int64_t now = atomic_load_explicit(&cache->now, memory_order_relaxed);
    struct entry *victim = next_candidate(cache);
    for (int chances = 0; chances < MAX_SECOND_CHANCES; chances++) {
        if (victim->expires <= now || !atomic_load_explicit(&victim->used, memory_order_relaxed)) {
            break;
        }
        atomic_store_explicit(&victim->used, false, memory_order_relaxed);
        victim = next_candidate(cache);
    }
    if (!take_out(cache, victim, gone)) {
        ring_remove(cache, victim);
    } else if (victim->expires <= now) {
        cache->expired++;
    } else {
        cache->evicted++;
    }
}

static void insert_within_bounds(struct cache *cache, struct entry *entry, struct entry_list *gone)
{
    while (cache->num_entries >= cache->config.max_entries ||
           (cache->num_entries > 0 && cache->num_bytes + entry->bytes > cache->config.max_bytes)) {
        evict_one(cache, gone);
    }
    ring_insert(cache, entry);
}

/* Reclamation: never under the lock. */

static void reclaim(struct mg_rcu_head *head)
{
    struct entry *entry = MG_CONTAINER_OF(head, struct entry, retired);
    struct cache_value *value = value_of(atomic_load_explicit(&entry->content, memory_order_relaxed));
    if (value != NULL) {
        cache_value_unref(value);
    }
    struct cache *cache = entry->cache;
    entry_free(cache, entry);
    release(&cache->num_retired);
}

static void retire(struct cache *cache, struct entry_list *gone)
{
    struct entry *entry;
    while ((entry = TAILQ_FIRST(gone)) != NULL) {
        TAILQ_REMOVE(gone, entry, ring);
        atomic_fetch_add_explicit(&cache->num_retired, 1, memory_order_relaxed);
        mg_rcu_defer(&entry->retired, reclaim);
    }
}

/* Finishing a pending entry. */

static struct cache_waiter *reversed(struct cache_waiter *waiter)
{
    struct cache_waiter *first = NULL;
    while (waiter != NULL) {
        struct cache_waiter *next = waiter->next;
        waiter->next = first;
        first = waiter;
        waiter = next;
    }
    return first;
}

static void wake_all(struct cache *cache, struct cache_waiter *last)
{
    struct cache_waiter *waiter = reversed(last);
    while (waiter != NULL) {
        struct cache_waiter *next = waiter->next;
        release(&cache->num_waiters);
        waiter->wake(waiter);
        waiter = next;
    }
}

/* finish_locked gives |entry| its content and its place, or none if |keep| is false. Returns the waiters, last first.
 */
static struct cache_waiter *finish_locked(struct entry *entry, uintptr_t content, bool keep, struct entry_list *gone)
{
    struct cache *cache = entry->cache;
    struct entry *replaced = entry->replaced;
    if (replaced != NULL) {
        ring_remove(cache, replaced);
        TAILQ_INSERT_TAIL(gone, replaced, ring);
        cache->expired++;
    }
    uintptr_t before = atomic_exchange_explicit(&entry->content, content, memory_order_acq_rel);
    assert(is_pending(before));
    if (keep) {
        insert_within_bounds(cache, entry, gone);
    } else if (take_out(cache, entry, gone) && content != CONTENT_NEGATIVE) {
        cache->evicted++;
    }
    return last_waiter(before);
}

static void finish(struct entry *entry, uintptr_t content, bool keep, uint64_t *counter)
{
    struct cache *cache = entry->cache;
    struct entry_list gone = TAILQ_HEAD_INITIALIZER(gone);
    mg_rcu_assert_online();
    pthread_mutex_lock(&cache->lock);
    struct cache_waiter *waiters = finish_locked(entry, content, keep, &gone);
    (*counter)++;
    pthread_mutex_unlock(&cache->lock);
    release(&cache->num_pending);
    wake_all(cache, waiters);
    retire(cache, &gone);
}

void cache_publish(struct cache_pending *pending, struct cache_value *value, size_t bytes, int64_t expires)
{
    struct entry *entry = (struct entry *)pending;
    struct cache *cache = entry->cache;
    assert(value != NULL && ((uintptr_t)value & CONTENT_TAGS) == 0);
    value->free_value = cache->config.free_value;
    size_t overhead = cache_entry_bytes(entry->key_len);
    bool fits = overhead <= cache->config.max_bytes && bytes <= cache->config.max_bytes - overhead;
    entry->bytes = overhead + bytes;
    entry->expires = expires;
    finish(entry, (uintptr_t)value, fits, &cache->published);
}

void cache_fail(struct cache_pending *pending, int64_t retry_after)
{
    struct entry *entry = (struct entry *)pending;
    entry->bytes = cache_entry_bytes(entry->key_len);
    entry->expires = retry_after == 0 ? INT64_MIN : retry_after;
    finish(entry, CONTENT_NEGATIVE, retry_after != 0, &entry->cache->failed);
}

void cache_waiter_leave(struct cache_waiter *waiter)
{
    atomic_store_explicit(&waiter->has_left, true, memory_order_relaxed);
}

bool cache_pending_is_wanted(const struct cache_pending *pending)
{
    /* Only the elected takes waiters off, so that those that are seen stay while it looks. */
    const struct entry *entry = (const struct entry *)pending;
    const struct cache_waiter *waiter = last_waiter(atomic_load_explicit(&entry->content, memory_order_acquire));
    while (waiter != NULL && atomic_load_explicit(&waiter->has_left, memory_order_relaxed)) {
        waiter = waiter->next;
    }
    return waiter != NULL;
}

/* Removal and visits. */

static bool remove_finished(struct cache *cache, struct entry *entry)
{
    struct entry_list gone = TAILQ_HEAD_INITIALIZER(gone);
    pthread_mutex_lock(&cache->lock);
    bool removed = take_out(cache, entry, &gone);
    cache->removed += removed;
    pthread_mutex_unlock(&cache->lock);
    retire(cache, &gone);
    return removed;
}

void cache_remove(struct cache *cache, struct mg_slice key)
{
    mg_rcu_assert_online();
    struct search search = search_for(cache, key);
    struct entry *entry = find(cache, &search);
    if (entry != NULL && !is_pending(atomic_load_explicit(&entry->content, memory_order_acquire))) {
        (void)remove_finished(cache, entry);
    }
}

#define FOR_EACH_ENTRY(cache, iter)                                                                                    \
    for (cds_lfht_first((cache)->table, (iter)); cds_lfht_iter_get_node(iter) != NULL;                                 \
         cds_lfht_next((cache)->table, (iter)))

size_t cache_remove_if(struct cache *cache, bool (*match)(struct mg_slice key, struct cache_value *value, void *arg),
                       void *arg)
{
    size_t num_removed = 0;
    struct cds_lfht_iter iter;
    mg_rcu_assert_online();
    FOR_EACH_ENTRY(cache, &iter)
    {
        struct entry *entry = entry_of(cds_lfht_iter_get_node(&iter));
        uintptr_t content = atomic_load_explicit(&entry->content, memory_order_acquire);
        if (!is_pending(content) && match(key_of(entry), value_of(content), arg)) {
            num_removed += remove_finished(cache, entry);
        }
    }
    return num_removed;
}

void cache_for_each(struct cache *cache,
                    bool (*visit)(struct mg_slice key, struct cache_value *value, bool recently_used, void *arg),
                    void *arg)
{
    struct cds_lfht_iter iter;
    mg_rcu_assert_online();
    FOR_EACH_ENTRY(cache, &iter)
    {
        struct entry *entry = entry_of(cds_lfht_iter_get_node(&iter));
        uintptr_t content = atomic_load_explicit(&entry->content, memory_order_acquire);
        if (is_pending(content) || content == CONTENT_NEGATIVE) {
            continue;
        }
        bool used = atomic_load_explicit(&entry->used, memory_order_relaxed);
        if (!visit(key_of(entry), value_of(content), used, arg)) {
            return;
        }
    }
}

void cache_free(struct cache *cache)
{
    if (cache == NULL) {
        return;
    }
    struct cds_lfht_iter iter;
    FOR_EACH_ENTRY(cache, &iter)
    {
        struct entry *entry = entry_of(cds_lfht_iter_get_node(&iter));
        if (is_pending(atomic_load_explicit(&entry->content, memory_order_acquire))) {
            cache_fail((struct cache_pending *)entry, 0);
        } else {
            (void)remove_finished(cache, entry);
        }
    }
    mg_rcu_barrier();
    int left = cds_lfht_destroy(cache->table, NULL);
    assert(left == 0);
    (void)left;
    pthread_mutex_destroy(&cache->lock);
    slots_end(&cache->slots);
    free(cache);
}

static uint64_t lookups_with(const struct cache *cache, enum cache_lookup_result result)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < MG_RCU_MAX_THREADS; i++) {
        sum += mg_counter_get(&cache->counters[i].results[result]);
    }
    return sum;
}

void cache_stats(struct cache *cache, struct cache_stats *out)
{
    *out = (struct cache_stats){
        .hits = lookups_with(cache, CACHE_HIT),
        .misses = lookups_with(cache, CACHE_MISS),
        .pending_hits = lookups_with(cache, CACHE_PENDING),
        .negative_hits = lookups_with(cache, CACHE_NEGATIVE),
        .full_pending = atomic_load_explicit(&cache->full_pending, memory_order_relaxed),
        .full_waiters = atomic_load_explicit(&cache->full_waiters, memory_order_relaxed),
        .full_retired = atomic_load_explicit(&cache->full_retired, memory_order_relaxed),
        .full_memory = atomic_load_explicit(&cache->full_memory, memory_order_relaxed),
        .pending = atomic_load_explicit(&cache->num_pending, memory_order_relaxed),
        .waiters = atomic_load_explicit(&cache->num_waiters, memory_order_relaxed),
        .retired = atomic_load_explicit(&cache->num_retired, memory_order_relaxed),
        .max_entries = cache->config.max_entries,
        .max_bytes = cache->config.max_bytes,
    };
    pthread_mutex_lock(&cache->lock);
    out->published = cache->published;
    out->failed = cache->failed;
    out->evicted = cache->evicted;
    out->expired = cache->expired;
    out->removed = cache->removed;
    out->entries = cache->num_entries;
    out->bytes = cache->num_bytes;
    pthread_mutex_unlock(&cache->lock);
}
