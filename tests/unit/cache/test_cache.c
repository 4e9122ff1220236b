/* SPDX-License-Identifier: Apache-2.0 */
/* What the cache promises to one thread: claims, results, expiry, bounds, eviction, references, removal. */
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cache/rcu.h"
#include "cache_fixture.h"

#define NOW 1000
#define LATER 2000

static void test_a_key_is_missing_then_pending_then_found(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    assert_int_equal(lookup(cache, 1, NOW), CACHE_MISS);
    struct cache_pending *pending = claim(cache, 1, NOW);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_PENDING);
    assert_int_equal(lookup(cache, 2, NOW), CACHE_MISS);
    cache_publish(pending, &value_new(1)->value, 10, LATER);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
    assert_int_equal(lookup(cache, 2, NOW), CACHE_MISS);

    struct cache_stats stats = stats_of(cache);
    assert_int_equal(stats.hits, 1);
    assert_int_equal(stats.misses, 3);
    assert_int_equal(stats.pending_hits, 1);
    assert_int_equal(stats.published, 1);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.bytes, 10 + cache_entry_bytes(sizeof(struct test_key)));
    assert_int_equal(stats.pending, 0);
    free_and_check(cache);
}

static void test_an_empty_key_and_a_long_one_are_keys(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    static const uint8_t long_key[5000] = {1};
    const struct mg_slice keys[] = {mg_slice_of(NULL, 0), mg_slice_of(long_key, sizeof(long_key)),
                                    mg_slice_of(long_key, sizeof(long_key) - 1)};
    struct cache_value *value;
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        struct cache_pending *pending;
        assert_int_equal(cache_claim(cache, keys[i], NOW, NULL, &value, &pending), CACHE_CLAIM_ELECTED);
        cache_publish(pending, &value_new(i)->value, 0, LATER);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        assert_int_equal(cache_lookup(cache, keys[i], NOW, &value), CACHE_HIT);
        assert_int_equal(value_id(value), i);
    }
    free_and_check(cache);
}

static void test_waiters_are_woken_once_each_and_in_order(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct test_key key;
    struct test_waiter waiters[5];
    _Atomic int order = 0;
    struct cache_value *value;
    struct cache_pending *pending = NULL, *not_ours = NULL;
    for (int i = 0; i < 5; i++) {
        waiter_init(&waiters[i]);
        waiters[i].order = &order;
        enum cache_claim_result result =
            cache_claim(cache, key_number(&key, 1), NOW, &waiters[i].waiter, &value, i == 0 ? &pending : &not_ours);
        assert_int_equal(result, i == 0 ? CACHE_CLAIM_ELECTED : CACHE_CLAIM_WAITING);
    }
    assert_null(not_ours);
    assert_int_equal(stats_of(cache).waiters, 5);
    assert_int_equal(stats_of(cache).pending, 1);
    assert_int_equal(order, 0); /* never inside cache_claim */

    cache_publish(pending, &value_new(1)->value, 10, LATER);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(waiters[i].num_woken, 1);
        assert_int_equal(waiters[i].turn, i);
    }
    assert_int_equal(stats_of(cache).waiters, 0);

    struct test_waiter late;
    waiter_init(&late);
    assert_int_equal(cache_claim(cache, key_number(&key, 1), NOW, &late.waiter, &value, &not_ours), CACHE_CLAIM_HIT);
    assert_int_equal(value_id(value), 1);
    free_and_check(cache);
    assert_int_equal(late.num_woken, 0);
}

static void test_what_all_waiters_have_left_is_not_wanted(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct test_key key;
    struct test_waiter first, second;
    struct cache_value *value;
    struct cache_pending *pending, *not_ours;
    waiter_init(&first);
    waiter_init(&second);
    assert_int_equal(cache_claim(cache, key_number(&key, 1), NOW, &first.waiter, &value, &pending),
                     CACHE_CLAIM_ELECTED);
    assert_int_equal(cache_claim(cache, key_number(&key, 1), NOW, &second.waiter, &value, &not_ours),
                     CACHE_CLAIM_WAITING);
    assert_true(cache_pending_is_wanted(pending));
    cache_waiter_leave(&first.waiter);
    assert_true(cache_pending_is_wanted(pending));
    cache_waiter_leave(&second.waiter);
    assert_false(cache_pending_is_wanted(pending));

    struct test_waiter late;
    waiter_init(&late);
    assert_int_equal(cache_claim(cache, key_number(&key, 1), NOW, &late.waiter, &value, &not_ours),
                     CACHE_CLAIM_WAITING);
    assert_true(cache_pending_is_wanted(pending));
    cache_fail(pending, 0);
    assert_int_equal(first.num_woken, 1); /* all the same */
    assert_int_equal(second.num_woken, 1);
    assert_int_equal(late.num_woken, 1);
    free_and_check(cache);
}

static void test_a_claim_without_a_waiter_elects_or_leaves_it_to_another(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct cache_pending *pending = claim(cache, 1, NOW);
    struct test_key key;
    struct cache_value *value;
    assert_int_equal(cache_claim(cache, key_number(&key, 1), NOW, NULL, &value, &pending), CACHE_CLAIM_WAITING);
    assert_int_equal(stats_of(cache).waiters, 0);
    cache_publish(pending, &value_new(1)->value, 10, LATER);
    free_and_check(cache);
}

static void test_a_failure_wakes_and_is_remembered_until_its_time(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct test_key key;
    struct test_waiter waiter;
    struct cache_value *value;
    struct cache_pending *pending;
    waiter_init(&waiter);
    assert_int_equal(cache_claim(cache, key_number(&key, 1), NOW, &waiter.waiter, &value, &pending),
                     CACHE_CLAIM_ELECTED);
    cache_fail(pending, NOW + 5);
    assert_int_equal(waiter.num_woken, 1);
    assert_int_equal(lookup(cache, 1, NOW + 4), CACHE_NEGATIVE);
    assert_int_equal(cache_claim(cache, key_number(&key, 1), NOW + 4, &waiter.waiter, &value, &pending),
                     CACHE_CLAIM_NEGATIVE);
    assert_int_equal(stats_of(cache).entries, 1); /* it counts in the bounds */
    assert_int_equal(stats_of(cache).bytes, cache_entry_bytes(sizeof(key)));

    assert_int_equal(lookup(cache, 1, NOW + 5), CACHE_MISS);
    fill(cache, 1, 10, NOW + 5, LATER);
    assert_int_equal(lookup(cache, 1, NOW + 5), CACHE_HIT);
    struct cache_stats stats = stats_of(cache);
    assert_int_equal(stats.failed, 1);
    assert_int_equal(stats.expired, 1);
    assert_int_equal(stats.negative_hits, 1);
    assert_int_equal(stats.entries, 1);
    free_and_check(cache);
}

static void test_a_failure_not_to_be_remembered_leaves_nothing(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    cache_fail(claim(cache, 1, NOW), 0);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_MISS);
    assert_int_equal(lookup(cache, 1, INT64_MIN), CACHE_MISS);
    assert_int_equal(stats_of(cache).entries, 0);
    assert_int_equal(stats_of(cache).pending, 0);
    fill(cache, 1, 10, NOW, LATER);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
    free_and_check(cache);
}

static void test_a_failed_mint_leaves_no_lock_held(void **state)
{
    /* Scar: "A lock stayed held on a failed mint. Minting ran under the cache's write lock." */
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct cache_pending *minting = claim(cache, 1, NOW);
    fill(cache, 2, 10, NOW, LATER); /* while one is being minted, others are published, failed and removed */
    cache_fail(claim(cache, 3, NOW), NOW + 5);
    struct test_key key;
    cache_remove(cache, key_number(&key, 2));
    cache_fail(minting, NOW + 5);
    fill(cache, 4, 10, NOW, LATER);
    assert_int_equal(lookup(cache, 4, NOW), CACHE_HIT);
    free_and_check(cache);
}

static void test_an_expired_value_is_missing_and_can_be_claimed_at_once(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    fill(cache, 1, 10, NOW, NOW + 10);
    assert_int_equal(lookup(cache, 1, NOW + 9), CACHE_HIT);
    assert_int_equal(lookup(cache, 1, NOW + 10), CACHE_MISS);

    struct cache_pending *pending = claim(cache, 1, NOW + 10);
    assert_int_equal(lookup(cache, 1, NOW + 10), CACHE_PENDING);
    assert_int_equal(stats_of(cache).entries, 1); /* the old one still holds its memory */
    struct test_key key;
    cache_remove(cache, key_number(&key, 1)); /* pending: stays */
    cache_publish(pending, &value_new(1)->value, 20, LATER);
    assert_int_equal(lookup(cache, 1, NOW + 10), CACHE_HIT);
    assert_int_equal(stats_of(cache).entries, 1);
    assert_int_equal(stats_of(cache).bytes, 20 + cache_entry_bytes(sizeof(key)));
    assert_int_equal(stats_of(cache).expired, 1);
    mg_rcu_barrier();
    assert_int_equal(values_alive(), 1);
    assert_int_equal(stats_of(cache).retired, 0);
    free_and_check(cache);
}

static void test_full_of_entries_evicts_and_counts(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 5; /* not a power of two */
    struct cache *cache = cache_with(config);
    for (uint64_t n = 0; n < 5; n++) {
        fill(cache, n, 10, NOW, LATER);
    }
    assert_int_equal(stats_of(cache).entries, 5);
    assert_int_equal(stats_of(cache).evicted, 0);
    fill(cache, 5, 10, NOW, LATER);
    assert_int_equal(stats_of(cache).entries, 5);
    assert_int_equal(stats_of(cache).evicted, 1);
    assert_int_equal(lookup(cache, 0, NOW), CACHE_MISS); /* the oldest */
    for (uint64_t n = 1; n <= 5; n++) {
        assert_int_equal(lookup(cache, n, NOW), CACHE_HIT);
    }
    cache_fail(claim(cache, 6, NOW), LATER); /* failures count */
    assert_int_equal(stats_of(cache).entries, 5);
    assert_int_equal(stats_of(cache).evicted, 2);
    free_and_check(cache);
}

static void test_full_of_bytes_evicts_and_counts(void **state)
{
    (void)state;
    const size_t each = 1000 + cache_entry_bytes(sizeof(struct test_key));
    struct cache_config config = config_wide();
    config.max_bytes = 4 * each;
    struct cache *cache = cache_with(config);
    for (uint64_t n = 0; n < 4; n++) {
        fill(cache, n, 1000, NOW, LATER);
    }
    assert_int_equal(stats_of(cache).bytes, config.max_bytes);
    assert_int_equal(stats_of(cache).evicted, 0);
    fill(cache, 4, 1001, NOW, LATER); /* one byte more than one eviction makes room for */
    assert_int_equal(stats_of(cache).evicted, 2);
    assert_int_equal(stats_of(cache).entries, 3);
    assert_int_equal(stats_of(cache).bytes, 3 * each + 1);
    free_and_check(cache);
}

static void test_a_value_larger_than_the_cache_is_dropped_alone(void **state)
{
    (void)state;
    const size_t overhead = cache_entry_bytes(sizeof(struct test_key));
    struct cache_config config = config_wide();
    config.max_bytes = 4 * (1000 + overhead);
    struct cache *cache = cache_with(config);
    fill(cache, 1, 1000, NOW, LATER);
    fill(cache, 2, config.max_bytes - overhead + 1, NOW, LATER);
    fill(cache, 3, SIZE_MAX, NOW, LATER);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
    assert_int_equal(lookup(cache, 2, NOW), CACHE_MISS);
    assert_int_equal(lookup(cache, 3, NOW), CACHE_MISS);
    assert_int_equal(stats_of(cache).evicted, 2);
    fill(cache, 2, config.max_bytes - overhead, NOW, LATER); /* just fits, alone */
    assert_int_equal(lookup(cache, 2, NOW), CACHE_HIT);
    assert_int_equal(stats_of(cache).entries, 1);
    free_and_check(cache);
}

static void test_full_of_pending_entries_refuses_and_counts(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_pending = 3;
    struct cache *cache = cache_with(config);
    struct cache_pending *pending[3];
    for (uint64_t n = 0; n < 3; n++) {
        pending[n] = claim(cache, n, NOW);
    }
    struct test_key key;
    struct cache_value *value;
    struct cache_pending *fourth;
    struct test_waiter waiter;
    waiter_init(&waiter);
    assert_int_equal(cache_claim(cache, key_number(&key, 3), NOW, &waiter.waiter, &value, &fourth), CACHE_CLAIM_FULL);
    assert_int_equal(stats_of(cache).full_pending, 1);
    assert_int_equal(stats_of(cache).waiters, 0);
    assert_int_equal(cache_claim(cache, key_number(&key, 2), NOW, &waiter.waiter, &value, &fourth),
                     CACHE_CLAIM_WAITING); /* joining is not producing */

    cache_publish(pending[0], &value_new(0)->value, 10, LATER);
    fourth = claim(cache, 3, NOW);
    assert_int_equal(stats_of(cache).pending, 3);
    cache_fail(fourth, 0);
    cache_fail(pending[1], 0);
    cache_fail(pending[2], 0);
    assert_int_equal(waiter.num_woken, 1);
    free_and_check(cache);
}

static void test_full_of_waiters_refuses_and_counts(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_waiters = 2;
    struct cache *cache = cache_with(config);
    struct test_key key;
    struct cache_value *value;
    struct cache_pending *pending, *other;
    struct test_waiter waiters[4];
    for (int i = 0; i < 4; i++) {
        waiter_init(&waiters[i]);
    }
    struct mg_slice one = key_number(&key, 1);
    assert_int_equal(cache_claim(cache, one, NOW, &waiters[0].waiter, &value, &pending), CACHE_CLAIM_ELECTED);
    assert_int_equal(cache_claim(cache, one, NOW, &waiters[1].waiter, &value, &other), CACHE_CLAIM_WAITING);
    assert_int_equal(cache_claim(cache, one, NOW, &waiters[2].waiter, &value, &other), CACHE_CLAIM_FULL);
    struct test_key second;
    assert_int_equal(cache_claim(cache, key_number(&second, 2), NOW, &waiters[3].waiter, &value, &other),
                     CACHE_CLAIM_FULL); /* nor does it elect somebody whom it cannot queue */
    assert_int_equal(stats_of(cache).full_waiters, 2);
    assert_int_equal(stats_of(cache).pending, 1);
    assert_int_equal(lookup(cache, 2, NOW), CACHE_MISS);

    cache_publish(pending, &value_new(1)->value, 10, LATER);
    assert_int_equal(waiters[0].num_woken + waiters[1].num_woken, 2);
    assert_int_equal(waiters[2].num_woken + waiters[3].num_woken, 0);
    assert_int_equal(cache_claim(cache, key_number(&second, 2), NOW, &waiters[2].waiter, &value, &pending),
                     CACHE_CLAIM_ELECTED);
    cache_fail(pending, 0);
    free_and_check(cache);
}

/* A thread that is online and passes no quiescent state between |reached| and |go|. */
struct stuck {
    sem_t reached, go;
};

static void stay_stuck(unsigned number, void *arg)
{
    struct stuck *stuck = arg;
    (void)number;
    sem_post(&stuck->reached);
    sem_wait(&stuck->go);
}

static void test_full_of_unreclaimed_entries_refuses_and_counts(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    const uint64_t max_retired = 16384;
    struct stuck stuck;
    struct test_thread thread;
    sem_init(&stuck.reached, 0, 0);
    sem_init(&stuck.go, 0, 0);
    thread_start(&thread, 0, stay_stuck, &stuck);
    sem_wait(&stuck.reached);

    struct test_key key;
    for (uint64_t n = 0; n < max_retired; n++) {
        fill(cache, n, 10, NOW, LATER);
        cache_remove(cache, key_number(&key, n));
        mg_rcu_quiescent();
    }
    assert_int_equal(stats_of(cache).retired, max_retired);
    struct cache_value *value;
    struct cache_pending *pending;
    assert_int_equal(cache_claim(cache, key_number(&key, 0), NOW, NULL, &value, &pending), CACHE_CLAIM_FULL);
    assert_int_equal(stats_of(cache).full_retired, 1);
    assert_int_equal(stats_of(cache).pending, 0);

    sem_post(&stuck.go);
    thread_join(&thread);
    mg_rcu_barrier();
    assert_int_equal(stats_of(cache).retired, 0);
    fill(cache, 0, 10, NOW, LATER);
    free_and_check(cache);
}

static void test_eviction_prefers_what_was_not_looked_up(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 8;
    struct cache *cache = cache_with(config);
    for (uint64_t n = 0; n < 8; n++) {
        fill(cache, n, 10, NOW, LATER);
    }
    for (uint64_t n = 0; n < 8; n += 2) {
        assert_int_equal(lookup(cache, n, NOW), CACHE_HIT);
    }
    for (uint64_t n = 100; n < 104; n++) {
        fill(cache, n, 10, NOW, LATER);
    }
    for (uint64_t n = 0; n < 8; n++) {
        assert_int_equal(lookup(cache, n, NOW), n % 2 == 0 ? CACHE_HIT : CACHE_MISS);
    }
    free_and_check(cache);
}

static void test_a_hot_entry_outlives_a_scan_of_many_cold_ones(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 8;
    struct cache *cache = cache_with(config);
    fill(cache, 0, 10, NOW, LATER);
    for (uint64_t n = 1; n < 1000; n++) {
        assert_int_equal(lookup(cache, 0, NOW), CACHE_HIT);
        fill(cache, n, 10, NOW, LATER);
        mg_rcu_quiescent();
    }
    assert_int_equal(lookup(cache, 0, NOW), CACHE_HIT);
    free_and_check(cache);
}

static void test_eviction_prefers_what_has_expired_though_looked_up(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 3;
    struct cache *cache = cache_with(config);
    fill(cache, 1, 10, NOW, NOW + 5);
    fill(cache, 2, 10, NOW, LATER);
    fill(cache, 3, 10, NOW, LATER);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
    fill(cache, 4, 10, NOW + 5, LATER);
    assert_int_equal(stats_of(cache).expired, 1);
    assert_int_equal(stats_of(cache).evicted, 0);
    assert_int_equal(lookup(cache, 2, NOW), CACHE_HIT);
    assert_int_equal(lookup(cache, 3, NOW), CACHE_HIT);
    free_and_check(cache);
}

static void test_eviction_works_where_every_entry_was_looked_up(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 1000; /* more than the hand passes for one eviction */
    struct cache *cache = cache_with(config);
    for (uint64_t n = 0; n < 1000; n++) {
        fill(cache, n, 10, NOW, LATER);
        assert_int_equal(lookup(cache, n, NOW), CACHE_HIT);
    }
    for (uint64_t n = 1000; n < 1010; n++) {
        fill(cache, n, 10, NOW, LATER);
        assert_int_equal(lookup(cache, n, NOW), CACHE_HIT);
    }
    assert_int_equal(stats_of(cache).entries, 1000);
    assert_int_equal(stats_of(cache).evicted, 10);
    free_and_check(cache);
}

static void test_the_hand_goes_on_from_an_entry_that_is_removed(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 4;
    struct cache *cache = cache_with(config);
    for (uint64_t n = 1; n <= 4; n++) {
        fill(cache, n, 10, NOW, LATER);
    }
    assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
    fill(cache, 5, 10, NOW, LATER); /* passes 1, evicts 2, so that 3 is next */
    struct test_key key;
    cache_remove(cache, key_number(&key, 3));
    mg_rcu_barrier(); /* and its memory is gone */
    fill(cache, 6, 10, NOW, LATER);
    fill(cache, 7, 10, NOW, LATER);
    const bool stays[] = {[1] = true, [5] = true, [6] = true, [7] = true};
    for (uint64_t n = 1; n < MG_ARRAY_LEN(stays); n++) {
        assert_int_equal(lookup(cache, n, NOW), stays[n] ? CACHE_HIT : CACHE_MISS);
    }
    free_and_check(cache);
}

static void test_eviction_passes_entries_that_a_claim_has_replaced(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 2;
    struct cache *cache = cache_with(config);
    fill(cache, 1, 10, NOW, NOW + 5);
    fill(cache, 2, 10, NOW, NOW + 5);
    struct cache_pending *first = claim(cache, 1, NOW + 5);
    struct cache_pending *second = claim(cache, 2, NOW + 5);
    fill(cache, 3, 10, NOW + 5, LATER); /* the hand meets both old ones */
    fill(cache, 4, 10, NOW + 5, LATER);
    assert_int_equal(stats_of(cache).entries, 2);
    cache_publish(first, &value_new(1)->value, 10, LATER);
    cache_fail(second, LATER);
    assert_int_equal(stats_of(cache).entries, 2);
    assert_int_equal(stats_of(cache).expired, 2);
    assert_int_equal(stats_of(cache).evicted, 2);
    assert_int_equal(lookup(cache, 1, NOW + 5), CACHE_HIT);
    assert_int_equal(lookup(cache, 2, NOW + 5), CACHE_NEGATIVE);
    free_and_check(cache);
}

static void test_a_reference_outlives_eviction_and_the_cache(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 1;
    struct cache *cache = cache_with(config);
    struct test_key key;
    struct cache_value *kept;
    fill(cache, 1, 10, NOW, LATER);
    assert_int_equal(cache_lookup(cache, key_number(&key, 1), NOW, &kept), CACHE_HIT);
    cache_value_up_ref(kept);
    fill(cache, 2, 10, NOW, LATER);
    fill(cache, 3, 10, NOW, LATER);
    mg_rcu_barrier();
    assert_int_equal(values_alive(), 2); /* 1 by the reference, 3 in the cache */
    assert_int_equal(value_id(kept), 1);
    cache_free(cache);
    assert_int_equal(values_alive(), 1);
    assert_int_equal(value_id(kept), 1);
    cache_value_unref(kept);
    assert_int_equal(values_alive(), 0);
}

static void test_a_borrowed_value_stays_until_the_quiescent_state(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct test_key key;
    struct cache_value *borrowed;
    fill(cache, 1, 10, NOW, LATER);
    mg_rcu_barrier();
    assert_int_equal(cache_lookup(cache, key_number(&key, 1), NOW, &borrowed), CACHE_HIT);
    cache_remove(cache, key_number(&key, 1));
    sleep_ms(50); /* more than the helper takes where nobody holds it up */
    assert_int_equal(value_id(borrowed), 1);
    assert_int_equal(values_alive(), 1);
    mg_rcu_barrier();
    assert_int_equal(values_alive(), 0);
    free_and_check(cache);
}

static void test_remove_takes_what_is_finished_and_nothing_else(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct test_key key;
    cache_remove(cache, key_number(&key, 1)); /* not there */
    struct cache_pending *pending = claim(cache, 1, NOW);
    fill(cache, 2, 10, NOW, LATER);
    cache_fail(claim(cache, 3, NOW), LATER);
    for (uint64_t n = 1; n <= 3; n++) {
        cache_remove(cache, key_number(&key, n));
    }
    assert_int_equal(lookup(cache, 1, NOW), CACHE_PENDING);
    assert_int_equal(lookup(cache, 2, NOW), CACHE_MISS);
    assert_int_equal(lookup(cache, 3, NOW), CACHE_MISS);
    assert_int_equal(stats_of(cache).removed, 2);
    assert_int_equal(stats_of(cache).bytes, 0);
    cache_publish(pending, &value_new(1)->value, 10, LATER);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
    free_and_check(cache);
}

static bool is_of_generation(struct mg_slice key, struct cache_value *value, void *arg)
{
    uint64_t n;
    memcpy(&n, key.data, sizeof(n));
    if (value != NULL) {
        assert_int_equal(value_id(value), n);
    }
    return n / 1000 == *(const uint64_t *)arg;
}

static void test_a_generation_is_removed_whole(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    for (uint64_t n = 0; n < 100; n++) {
        fill(cache, 1000 + n, 10, NOW, LATER);
        fill(cache, 2000 + n, 10, NOW, LATER);
    }
    cache_fail(claim(cache, 1100, NOW), LATER);
    cache_fail(claim(cache, 2100, NOW), LATER);
    struct cache_pending *pending = claim(cache, 1200, NOW);

    uint64_t generation = 1;
    assert_int_equal(cache_remove_if(cache, is_of_generation, &generation), 101);
    assert_int_equal(cache_remove_if(cache, is_of_generation, &generation), 0);
    for (uint64_t n = 0; n < 100; n++) {
        assert_int_equal(lookup(cache, 1000 + n, NOW), CACHE_MISS);
        assert_int_equal(lookup(cache, 2000 + n, NOW), CACHE_HIT);
    }
    assert_int_equal(lookup(cache, 1200, NOW), CACHE_PENDING);
    assert_int_equal(lookup(cache, 2100, NOW), CACHE_NEGATIVE);
    assert_int_equal(stats_of(cache).removed, 101);
    cache_fail(pending, 0);
    free_and_check(cache);
}

struct visits {
    int num, num_used, stop_after;
};

static bool count_visit(struct mg_slice key, struct cache_value *value, bool recently_used, void *arg)
{
    struct visits *visits = arg;
    uint64_t n;
    memcpy(&n, key.data, sizeof(n));
    assert_int_equal(value_id(value), n);
    visits->num++;
    visits->num_used += recently_used;
    return visits->num != visits->stop_after;
}

static void test_for_each_visits_published_values_and_knows_the_used(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    for (uint64_t n = 0; n < 20; n++) {
        fill(cache, n, 10, NOW, LATER);
    }
    for (uint64_t n = 0; n < 7; n++) {
        lookup(cache, n, NOW);
    }
    cache_fail(claim(cache, 100, NOW), LATER);
    struct cache_pending *pending = claim(cache, 101, NOW);
    struct visits all = {0}, some = {.stop_after = 3};
    cache_for_each(cache, count_visit, &all);
    cache_for_each(cache, count_visit, &some);
    assert_int_equal(all.num, 20);
    assert_int_equal(all.num_used, 7);
    assert_int_equal(some.num, 3);
    cache_fail(pending, 0);
    free_and_check(cache);
}

static void test_free_fails_what_is_pending(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct test_key key;
    struct test_waiter waiters[3];
    struct cache_value *value;
    struct cache_pending *pending;
    fill(cache, 1, 10, NOW, NOW + 5);
    for (int i = 0; i < 3; i++) {
        waiter_init(&waiters[i]);
    }
    cache_claim(cache, key_number(&key, 1), NOW + 5, &waiters[0].waiter, &value, &pending); /* replaces */
    cache_claim(cache, key_number(&key, 1), NOW + 5, &waiters[1].waiter, &value, &pending);
    cache_claim(cache, key_number(&key, 2), NOW + 5, &waiters[2].waiter, &value, &pending);
    fill(cache, 3, 10, NOW, LATER);
    free_and_check(cache);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(waiters[i].num_woken, 1);
    }
    cache_free(NULL);
}

static void test_bounds_out_of_range_are_refused(void **state)
{
    (void)state;
    struct cache *cache = NULL;
    for (int i = 0; i < 5; i++) {
        struct cache_config config = config_wide();
        switch (i) {
        case 0:
            config.max_entries = 0;
            break;
        case 1:
            config.max_entries = CACHE_MAX_ENTRIES + 1;
            break;
        case 2:
            config.max_bytes = 0;
            break;
        case 3:
            config.max_pending = 0;
            break;
        default:
            config.free_value = NULL;
        }
        assert_int_equal(cache_new(&cache, &config), MG_INVALID);
        assert_null(cache);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_missing_then_pending_then_found),
        cmocka_unit_test(test_an_empty_key_and_a_long_one_are_keys),
        cmocka_unit_test(test_waiters_are_woken_once_each_and_in_order),
        cmocka_unit_test(test_what_all_waiters_have_left_is_not_wanted),
        cmocka_unit_test(test_a_claim_without_a_waiter_elects_or_leaves_it_to_another),
        cmocka_unit_test(test_a_failure_wakes_and_is_remembered_until_its_time),
        cmocka_unit_test(test_a_failure_not_to_be_remembered_leaves_nothing),
        cmocka_unit_test(test_a_failed_mint_leaves_no_lock_held),
        cmocka_unit_test(test_an_expired_value_is_missing_and_can_be_claimed_at_once),
        cmocka_unit_test(test_full_of_entries_evicts_and_counts),
        cmocka_unit_test(test_full_of_bytes_evicts_and_counts),
        cmocka_unit_test(test_a_value_larger_than_the_cache_is_dropped_alone),
        cmocka_unit_test(test_full_of_pending_entries_refuses_and_counts),
        cmocka_unit_test(test_full_of_waiters_refuses_and_counts),
        cmocka_unit_test(test_full_of_unreclaimed_entries_refuses_and_counts),
        cmocka_unit_test(test_eviction_prefers_what_was_not_looked_up),
        cmocka_unit_test(test_a_hot_entry_outlives_a_scan_of_many_cold_ones),
        cmocka_unit_test(test_eviction_prefers_what_has_expired_though_looked_up),
        cmocka_unit_test(test_eviction_works_where_every_entry_was_looked_up),
        cmocka_unit_test(test_the_hand_goes_on_from_an_entry_that_is_removed),
        cmocka_unit_test(test_eviction_passes_entries_that_a_claim_has_replaced),
        cmocka_unit_test(test_a_reference_outlives_eviction_and_the_cache),
        cmocka_unit_test(test_a_borrowed_value_stays_until_the_quiescent_state),
        cmocka_unit_test(test_remove_takes_what_is_finished_and_nothing_else),
        cmocka_unit_test(test_a_generation_is_removed_whole),
        cmocka_unit_test(test_for_each_visits_published_values_and_knows_the_used),
        cmocka_unit_test(test_free_fails_what_is_pending),
        cmocka_unit_test(test_bounds_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, start_rcu, stop_rcu);
}
