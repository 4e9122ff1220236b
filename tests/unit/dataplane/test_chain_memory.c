/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <string.h>

#include <openssl/pool.h>

#include "cache/rcu.h"
#include "certs.h"
#include "dataplane/tls/chain_memory.h"

#define NOW INT64_C(1000)

static struct chain_memory *memory;
static struct mimic *mimic;

/* key_of computes the key of a chain of certificates that are texts here, which end with NULL. */
static struct chain_key key_of(const char *const *certificates, uint64_t generation)
{
    struct chain_key key;
    STACK_OF(CRYPTO_BUFFER) *chain = sk_CRYPTO_BUFFER_new_null();
    for (; *certificates != NULL; certificates++) {
        const uint8_t *data = (const uint8_t *)*certificates;
        assert_true(sk_CRYPTO_BUFFER_push(chain, CRYPTO_BUFFER_new(data, strlen(*certificates), NULL)));
    }
    chain_key_of(&key, chain, generation);
    sk_CRYPTO_BUFFER_pop_free(chain, CRYPTO_BUFFER_free);
    return key;
}
#define CHAIN(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_the_key_covers_every_byte_their_order_and_the_generation(void **state)
{
    (void)state;
    const struct chain_key keys[] = {
        key_of(CHAIN("leaf", "issuer"), 1),
        key_of(CHAIN("leaf", "issuer"), 2),
        key_of(CHAIN("leaf", "issuer"), UINT64_C(1) << 56),
        key_of(CHAIN("issuer", "leaf"), 1),
        key_of(CHAIN("leaf", "issuers"), 1),
        key_of(CHAIN("leag", "issuer"), 1),
        key_of(CHAIN("leaf"), 1),
        key_of(CHAIN("leaf", "issuer", "root"), 1),
        key_of(CHAIN("leaf", "issuer", ""), 1),
        /* The same bytes, divided otherwise. */
        key_of(CHAIN("leafissuer"), 1),
        key_of(CHAIN("leafi", "ssuer"), 1),
        key_of((const char *const[]){NULL}, 1),
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(&keys[i], &keys[j], sizeof(keys[i]));
        }
    }
    struct chain_key again = key_of(CHAIN("leaf", "issuer"), 1);
    assert_memory_equal(&keys[0], &again, sizeof(again));
}

static bool knows(const struct chain_key *key, int64_t now)
{
    struct mimic *found = chain_memory_find(memory, key, now);
    bool known = found != NULL;
    assert_true(!known || found == mimic);
    mimic_unref(found);
    return known;
}

static void test_a_chain_is_known_until_its_time(void **state)
{
    (void)state;
    struct chain_key key = key_of(CHAIN("leaf"), 1), other = key_of(CHAIN("fael"), 1);
    assert_false(knows(&key, NOW));
    chain_memory_add(memory, &key, mimic, NOW, NOW + 60);
    assert_true(knows(&key, NOW));
    assert_true(knows(&key, NOW + 59));
    assert_false(knows(&key, NOW + 60));
    assert_false(knows(&other, NOW));
    chain_memory_add(memory, &key, mimic, NOW + 60, NOW + 90);
    assert_true(knows(&key, NOW + 89));
}

static void test_a_certificate_found_outlives_the_memory(void **state)
{
    (void)state;
    struct chain_key key = key_of(CHAIN("leaf"), 1);
    chain_memory_add(memory, &key, mimic, NOW, NOW + 60);
    struct mimic *found = chain_memory_find(memory, &key, NOW);
    chain_memory_free(memory);
    assert_int_equal(chain_memory_new(&memory, 1), MG_OK);
    assert_int_equal(found->num_names, 1);
    mimic_unref(found);
}

static void test_the_bound_holds(void **state)
{
    (void)state;
    unsigned known = 0;
    struct cache_stats stats;
    for (uint64_t i = 0; i < 1000; i++) {
        struct chain_key key = key_of(CHAIN("leaf"), i);
        chain_memory_add(memory, &key, mimic, NOW, NOW + 60);
        chain_memory_stats(memory, &stats);
        assert_in_range(stats.entries, 1, 100);
        mg_rcu_quiescent();
    }
    for (uint64_t i = 0; i < 1000; i++) {
        struct chain_key key = key_of(CHAIN("leaf"), i);
        known += knows(&key, NOW);
    }
    assert_int_equal(known, 100);
}

static void test_with_a_bound_of_none_nothing_is_remembered(void **state)
{
    (void)state;
    struct chain_key key = key_of(CHAIN("leaf"), 1);
    struct cache_stats stats;
    chain_memory_free(memory);
    assert_int_equal(chain_memory_new(&memory, 0), MG_OK);
    chain_memory_add(memory, &key, mimic, NOW, NOW + 60);
    assert_false(knows(&key, NOW));
    chain_memory_stats(memory, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.max_entries, 0);
}

static int start(void **state)
{
    (void)state;
    return chain_memory_new(&memory, 100) == MG_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    chain_memory_free(memory);
    return 0;
}

static int start_all(void **state)
{
    (void)state;
    static const struct certs_name names[] = {CERTS_DNS("a.example")};
    mimic = certs_mimic(&(struct certs_spec){.names = names, .num_names = 1});
    return mg_rcu_thread_start() == MG_OK ? 0 : -1;
}

static int stop_all(void **state)
{
    (void)state;
    mg_rcu_barrier();
    mg_rcu_thread_stop();
    mimic_unref(mimic);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_key_covers_every_byte_their_order_and_the_generation),
        TEST(test_a_chain_is_known_until_its_time),
        TEST(test_a_certificate_found_outlives_the_memory),
        TEST(test_the_bound_holds),
        TEST(test_with_a_bound_of_none_nothing_is_remembered),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
