/* SPDX-License-Identifier: Apache-2.0 */
/* Scar: "A 32-bit hash was the whole cache key". Here all keys have one hash, since the cache is compiled with another
 * hash function, and each must still find its own value. */
#include <stdint.h>

#include "base/siphash.h"

static uint64_t same_hash(const struct mg_siphash_key *key, const void *data, size_t len)
{
    (void)key;
    (void)data;
    (void)len;
    return UINT64_C(0x123456789abcdef0);
}

#define mg_siphash same_hash
#include "cache/cache.c"
#undef mg_siphash

#include "cache_fixture.h"

#define NOW 1000
#define LATER 2000
#define NUM_KEYS 200

static void test_keys_of_one_hash_are_told_apart(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    for (uint64_t n = 0; n < NUM_KEYS; n++) {
        assert_int_equal(lookup(cache, n, NOW), CACHE_MISS);
        fill(cache, n, 10, NOW, LATER);
    }
    for (uint64_t n = 0; n < NUM_KEYS; n++) {
        assert_int_equal(lookup(cache, n, NOW), CACHE_HIT); /* checks whose value it is */
    }
    free_and_check(cache);
}

static void test_a_key_is_not_found_by_its_beginning(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct cache_value *value;
    struct cache_pending *pending;
    fill(cache, 1, 10, NOW, LATER);
    struct test_key storage;
    struct mg_slice key = key_number(&storage, 1);
    uint8_t longer[sizeof(storage) + 1] = {0};
    memcpy(longer, key.data, key.len);
    assert_int_equal(cache_lookup(cache, mg_slice_of(key.data, key.len - 1), NOW, &value), CACHE_MISS);
    assert_int_equal(cache_lookup(cache, mg_slice_of(longer, sizeof(longer)), NOW, &value), CACHE_MISS);
    longer[key.len - 1]++;
    assert_int_equal(cache_lookup(cache, mg_slice_of(longer, key.len), NOW, &value), CACHE_MISS);
    assert_int_equal(cache_claim(cache, mg_slice_of(longer, key.len), NOW, NULL, &value, &pending),
                     CACHE_CLAIM_ELECTED);
    cache_fail(pending, 0);
    free_and_check(cache);
}

static void test_removal_and_replacement_take_the_right_one_of_a_hash(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    struct test_key key;
    for (uint64_t n = 0; n < NUM_KEYS; n++) {
        fill(cache, n, 10, NOW, n % 3 == 1 ? NOW + 5 : LATER);
    }
    for (uint64_t n = 0; n < NUM_KEYS; n++) {
        if (n % 3 == 0) {
            cache_remove(cache, key_number(&key, n));
        } else if (n % 3 == 1) {
            cache_fail(claim(cache, n, NOW + 5), LATER);
        }
    }
    const enum cache_lookup_result expected[] = {CACHE_MISS, CACHE_NEGATIVE, CACHE_HIT};
    for (uint64_t n = 0; n < NUM_KEYS; n++) {
        assert_int_equal(lookup(cache, n, NOW + 5), expected[n % 3]);
    }
    free_and_check(cache);
}

/* It is here because this program has the cache's inside. */
static void test_evicted_entries_give_their_slots_back(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 4;
    struct cache *cache = cache_with(config);
    for (uint64_t n = 0; n < 1000; n++) {
        fill(cache, n, 10, NOW, LATER);
        if (n % 10 == 9) {
            mg_rcu_barrier(); /* what was evicted is reclaimed */
        }
    }
    assert_in_range(atomic_load(&cache->slots.num_begun), 5, 4 + 10 + 1);
    free_and_check(cache);
}

static void test_an_entry_with_a_long_key_has_memory_of_its_own(void **state)
{
    (void)state;
    struct cache *cache = cache_with(config_wide());
    static const uint8_t key[51] = {1};
    struct cache_value *value;
    struct cache_pending *pending;
    for (size_t len = 50; len <= 51; len++) {
        assert_int_equal(cache_claim(cache, mg_slice_of(key, len), NOW, NULL, &value, &pending), CACHE_CLAIM_ELECTED);
        assert_int_equal(slots_own(&cache->slots, pending), len == 50);
        cache_publish(pending, &value_new(len)->value, 10, LATER);
        assert_int_equal(cache_lookup(cache, mg_slice_of(key, len), NOW, &value), CACHE_HIT);
        assert_int_equal(value_id(value), len);
    }
    free_and_check(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_one_hash_are_told_apart),
        cmocka_unit_test(test_a_key_is_not_found_by_its_beginning),
        cmocka_unit_test(test_evicted_entries_give_their_slots_back),
        cmocka_unit_test(test_an_entry_with_a_long_key_has_memory_of_its_own),
        cmocka_unit_test(test_removal_and_replacement_take_the_right_one_of_a_hash),
    };
    return cmocka_run_group_tests(tests, start_rcu, stop_rcu);
}
