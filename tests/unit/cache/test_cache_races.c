/* SPDX-License-Identifier: Apache-2.0 */
/* Races between claims, publishing and eviction, made to happen: the cache is compiled with a table that, before it
 * changes anything, first does what another thread could do at that moment. */
#include <urcu/rculfhash.h>

static void (*before_change)(void); /* called once, before the next change to the table */

static void let_others_go_first(void)
{
    void (*others)(void) = before_change;
    before_change = NULL;
    if (others != NULL) {
        others();
    }
}

static struct cds_lfht_node *racing_add_unique(struct cds_lfht *table, unsigned long hash, cds_lfht_match_fct match,
                                               const void *key, struct cds_lfht_node *node)
{
    let_others_go_first();
    return cds_lfht_add_unique(table, hash, match, key, node);
}

static int racing_replace(struct cds_lfht *table, struct cds_lfht_iter *old, unsigned long hash,
                          cds_lfht_match_fct match, const void *key, struct cds_lfht_node *node)
{
    let_others_go_first();
    return cds_lfht_replace(table, old, hash, match, key, node);
}

static int racing_del(struct cds_lfht *table, struct cds_lfht_node *node)
{
    let_others_go_first();
    return cds_lfht_del(table, node);
}

#define cds_lfht_add_unique racing_add_unique
#define cds_lfht_replace racing_replace
#define cds_lfht_del racing_del
#include "cache/cache.c"
#undef cds_lfht_add_unique
#undef cds_lfht_replace
#undef cds_lfht_del

#include "cache_fixture.h"

#define NOW 1000
#define LATER 2000

static struct cache *cache;
static struct cache_pending *theirs; /* what the other was elected to produce: key 1 */

static void others_claim(void)
{
    theirs = claim(cache, 1, NOW);
}

static void others_claim_and_publish(void)
{
    fill(cache, 1, 10, NOW, LATER);
}

static void others_claim_and_fail(void)
{
    cache_fail(claim(cache, 1, NOW), 0);
}

/* claim_against claims key 1 while |others| go first. */
static enum cache_claim_result claim_against(void (*others)(void), struct test_waiter *waiter,
                                             struct cache_pending **out_pending)
{
    struct test_key key;
    struct cache_value *value = NULL;
    waiter_init(waiter);
    before_change = others;
    enum cache_claim_result result = cache_claim(cache, key_number(&key, 1), NOW, &waiter->waiter, &value, out_pending);
    if (result == CACHE_CLAIM_HIT) {
        assert_int_equal(value_id(value), 1);
    }
    assert_null(before_change);
    assert_int_equal(stats_of(cache).waiters, result == CACHE_CLAIM_HIT ? 0 : 1);
    return result;
}

/* A new key, and then one whose value has expired, in each of the tests that follow. */
static void make_cache(bool with_expired)
{
    cache = cache_with(config_wide());
    if (with_expired) {
        fill(cache, 1, 10, NOW - 10, NOW);
    }
}

static void test_the_loser_of_an_election_waits(void **state)
{
    (void)state;
    for (int with_expired = 0; with_expired < 2; with_expired++) {
        struct test_waiter waiter;
        struct cache_pending *none = NULL;
        make_cache(with_expired);
        assert_int_equal(claim_against(others_claim, &waiter, &none), CACHE_CLAIM_WAITING);
        assert_null(none);
        assert_int_equal(stats_of(cache).pending, 1);
        cache_publish(theirs, &value_new(1)->value, 10, LATER);
        assert_int_equal(waiter.num_woken, 1);
        assert_int_equal(stats_of(cache).entries, 1);
        free_and_check(cache);
    }
}

static void test_the_loser_of_an_election_sees_what_was_published_at_once(void **state)
{
    (void)state;
    for (int with_expired = 0; with_expired < 2; with_expired++) {
        struct test_waiter waiter;
        struct cache_pending *none = NULL;
        make_cache(with_expired);
        assert_int_equal(claim_against(others_claim_and_publish, &waiter, &none), CACHE_CLAIM_HIT);
        assert_int_equal(stats_of(cache).pending, 0);
        free_and_check(cache);
        assert_int_equal(waiter.num_woken, 0);
    }
}

static void test_the_loser_of_an_election_that_failed_at_once_is_elected(void **state)
{
    (void)state;
    for (int with_expired = 0; with_expired < 2; with_expired++) {
        struct test_waiter waiter;
        struct cache_pending *pending;
        make_cache(with_expired);
        assert_int_equal(claim_against(others_claim_and_fail, &waiter, &pending), CACHE_CLAIM_ELECTED);
        cache_publish(pending, &value_new(1)->value, 10, LATER);
        assert_int_equal(waiter.num_woken, 1);
        assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
        free_and_check(cache);
    }
}

static void test_an_entry_that_is_replaced_as_it_is_evicted_goes_once(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 1;
    cache = cache_with(config);
    fill(cache, 1, 10, NOW - 10, NOW);
    struct cache_pending *second = claim(cache, 2, NOW);
    before_change = others_claim;
    cache_publish(second, &value_new(2)->value, 10, LATER);
    assert_int_equal(stats_of(cache).entries, 1);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_PENDING);
    assert_int_equal(lookup(cache, 2, NOW), CACHE_HIT);

    cache_publish(theirs, &value_new(1)->value, 10, LATER);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
    assert_int_equal(lookup(cache, 2, NOW), CACHE_MISS);
    assert_int_equal(stats_of(cache).expired, 1);
    assert_int_equal(stats_of(cache).evicted, 1);
    mg_rcu_barrier();
    assert_int_equal(values_alive(), 1);
    free_and_check(cache);
}

static void test_an_entry_that_is_replaced_as_it_is_removed_goes_once(void **state)
{
    (void)state;
    struct test_key key;
    make_cache(true);
    before_change = others_claim;
    cache_remove(cache, key_number(&key, 1));
    assert_int_equal(lookup(cache, 1, NOW), CACHE_PENDING);
    assert_int_equal(stats_of(cache).removed, 0);
    cache_publish(theirs, &value_new(1)->value, 10, LATER);
    assert_int_equal(stats_of(cache).entries, 1);
    mg_rcu_barrier();
    assert_int_equal(values_alive(), 1);
    free_and_check(cache);
}

static void test_a_failure_not_to_be_remembered_can_be_claimed_before_it_is_gone(void **state)
{
    (void)state;
    make_cache(false);
    struct cache_pending *failing = claim(cache, 1, NOW);
    before_change = others_claim;
    cache_fail(failing, 0);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_PENDING);
    assert_int_equal(stats_of(cache).entries, 0);
    cache_publish(theirs, &value_new(1)->value, 10, LATER);
    assert_int_equal(lookup(cache, 1, NOW), CACHE_HIT);
    assert_int_equal(stats_of(cache).entries, 1);
    mg_rcu_barrier();
    assert_int_equal(stats_of(cache).retired, 0);
    free_and_check(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_loser_of_an_election_waits),
        cmocka_unit_test(test_the_loser_of_an_election_sees_what_was_published_at_once),
        cmocka_unit_test(test_the_loser_of_an_election_that_failed_at_once_is_elected),
        cmocka_unit_test(test_an_entry_that_is_replaced_as_it_is_evicted_goes_once),
        cmocka_unit_test(test_an_entry_that_is_replaced_as_it_is_removed_goes_once),
        cmocka_unit_test(test_a_failure_not_to_be_remembered_can_be_claimed_before_it_is_gone),
    };
    return cmocka_run_group_tests(tests, start_rcu, stop_rcu);
}
