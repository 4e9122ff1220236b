/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include <openssl/evp.h>

#include "cache/rcu.h"
#include "certs.h"
#include "minting/leaf_keys.h"

#define EC LEAF_KEY_EC_P256
#define RSA LEAF_KEY_RSA_2048

static void test_an_ec_key(void **state)
{
    (void)state;
    struct leaf_key *key;
    assert_int_equal(leaf_key_new(&key, EC), MG_OK);
    assert_int_equal(EVP_PKEY_id(key->pkey), EVP_PKEY_EC);
    assert_int_equal(EVP_PKEY_bits(key->pkey), 256);
    CBS spki = cert_cbs_of(key->spki.data, key->spki.len);
    EVP_PKEY *parsed = EVP_parse_public_key(&spki);
    assert_int_equal(EVP_PKEY_cmp(parsed, key->pkey), 1);
    EVP_PKEY_free(parsed);
    /* RFC 7093 section 2: of the BIT STRING's value, the last 65 bytes of an EC key's SPKI. */
    uint8_t id[CERT_KEY_ID_LEN];
    cert_compute_key_id(id, cert_cbs_of(key->spki.data + key->spki.len - 65, 65));
    assert_memory_equal(key->key_id, id, sizeof(id));
    leaf_key_unref(leaf_key_up_ref(key));
    leaf_key_unref(key);
    leaf_key_unref(NULL);
}

static void test_an_rsa_key(void **state)
{
    (void)state;
    struct leaf_key *key;
    assert_int_equal(leaf_key_new(&key, RSA), MG_OK);
    assert_int_equal(EVP_PKEY_id(key->pkey), EVP_PKEY_RSA);
    assert_int_equal(EVP_PKEY_bits(key->pkey), 2048);
    leaf_key_unref(key);
    assert_string_equal(leaf_key_type_name(EC), "ec_p256");
    assert_string_equal(leaf_key_type_name(RSA), "rsa_2048");
}

static struct leaf_keys *pool_new(size_t num_ec, int64_t lifetime)
{
    const struct leaf_keys_config config = {.num_keys = {num_ec, 1}, .lifetime_seconds = lifetime};
    struct leaf_keys *pool;
    assert_int_equal(leaf_keys_new(&pool, &config, 1000, NULL), MG_OK);
    return pool;
}

static void test_turns_spread_over_all_keys(void **state)
{
    (void)state;
    struct leaf_keys *pool = pool_new(3, 300);
    struct leaf_key *keys[3];
    for (size_t i = 0; i < 3; i++) {
        keys[i] = leaf_keys_pick(pool, EC, i);
        for (size_t j = 0; j < i; j++) {
            assert_ptr_not_equal(keys[i], keys[j]);
        }
        assert_ptr_equal(leaf_keys_pick(pool, EC, i + 3), keys[i]);
        assert_int_equal(keys[i]->type, EC);
    }
    assert_int_equal(leaf_keys_pick(pool, RSA, 7)->type, RSA);
    leaf_keys_free(pool);
    leaf_keys_free(NULL);
}

static void test_rotation_replaces_one_key_at_a_time_when_due(void **state)
{
    (void)state;
    struct leaf_keys *pool = pool_new(3, 300); /* an EC key each 100 seconds, the RSA key each 300 */
    struct leaf_key *old[3];
    for (size_t i = 0; i < 3; i++) {
        old[i] = leaf_key_up_ref(leaf_keys_pick(pool, EC, i));
    }
    assert_int_equal(leaf_keys_rotate(pool, 1099), MG_OK);
    assert_int_equal(mg_counter_get(&leaf_keys_counters(pool)->rotated[EC]), 0);
    for (size_t round = 0; round < 3; round++) {
        assert_int_equal(leaf_keys_rotate(pool, 1100 + 100 * (int64_t)round), MG_OK);
        for (size_t i = 0; i < 3; i++) {
            bool replaced = leaf_keys_pick(pool, EC, i) != old[i];
            assert_int_equal(replaced, i <= round);
        }
    }
    assert_int_equal(mg_counter_get(&leaf_keys_counters(pool)->rotated[EC]), 3);
    assert_int_equal(mg_counter_get(&leaf_keys_counters(pool)->rotated[RSA]), 1);
    assert_int_equal(mg_counter_get(&leaf_keys_counters(pool)->failed), 0);
    mg_rcu_barrier();
    /* A key outlives the pool's use of it for as long as somebody holds it. */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(EVP_PKEY_bits(old[i]->pkey), 256);
        leaf_key_unref(old[i]);
    }
    leaf_keys_free(pool);
}

static void test_numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct leaf_keys_config bad[] = {
        {.num_keys = {0, 1}, .lifetime_seconds = 100},
        {.num_keys = {1, 0}, .lifetime_seconds = 100},
        {.num_keys = {LEAF_KEYS_MAX + 1, 1}, .lifetime_seconds = 100},
        {.num_keys = {2, 1}, .lifetime_seconds = 1},
        {.num_keys = {1, 1}, .lifetime_seconds = 0},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct leaf_keys *pool;
        struct mg_error error;
        assert_int_equal(leaf_keys_new(&pool, &bad[i], 0, &error), MG_INVALID);
        assert_non_null(strstr(error.text, "leaf keys"));
    }
}

struct reader {
    struct leaf_keys *pool;
    atomic_bool stop;
};

static void *read_keys(void *arg)
{
    struct reader *reader = arg;
    certs_must(mg_rcu_thread_start() == MG_OK);
    struct leaf_key *kept = NULL;
    for (size_t turn = 0; !atomic_load(&reader->stop); turn++) {
        struct leaf_key *key = leaf_keys_pick(reader->pool, EC, turn);
        certs_must(EVP_PKEY_bits(key->pkey) == 256);
        if (turn % 64 == 0) {
            leaf_key_unref(kept);
            kept = leaf_key_up_ref(key);
        }
        mg_rcu_quiescent();
    }
    leaf_key_unref(kept);
    mg_rcu_thread_stop();
    return NULL;
}

static void test_readers_go_on_while_keys_are_replaced(void **state)
{
    (void)state;
    /* An EC key is due each second, the RSA key, which takes long, not before the test is over. */
    struct reader reader = {.pool = pool_new(LEAF_KEYS_MAX, LEAF_KEYS_MAX)};
    pthread_t threads[2];
    for (size_t i = 0; i < MG_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_keys, &reader), 0);
    }
    for (int64_t i = 1; i < LEAF_KEYS_MAX; i++) {
        assert_int_equal(leaf_keys_rotate(reader.pool, 1000 + i), MG_OK);
    }
    atomic_store(&reader.stop, true);
    mg_rcu_offline();
    for (size_t i = 0; i < MG_ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    mg_rcu_online();
    assert_int_equal(mg_counter_get(&leaf_keys_counters(reader.pool)->rotated[EC]), LEAF_KEYS_MAX - 1);
    mg_rcu_barrier();
    leaf_keys_free(reader.pool);
}

static int start(void **state)
{
    (void)state;
    return mg_rcu_thread_start() == MG_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    mg_rcu_thread_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_ec_key),
        cmocka_unit_test(test_an_rsa_key),
        cmocka_unit_test(test_turns_spread_over_all_keys),
        cmocka_unit_test(test_rotation_replaces_one_key_at_a_time_when_due),
        cmocka_unit_test(test_numbers_out_of_range_are_refused),
        cmocka_unit_test(test_readers_go_on_while_keys_are_replaced),
    };
    return cmocka_run_group_tests_name("leaf_keys", tests, start, stop);
}
