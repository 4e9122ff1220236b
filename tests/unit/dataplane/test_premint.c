/* SPDX-License-Identifier: Apache-2.0 */
/* Minting ahead, out of a cache and with a signer that the test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "cache/rcu.h"
#include "dataplane/publish/premint.h"
#include "mint_client_fixture.h"
#include "minting/mint_key.h"

#define MANY (PREMINT_IN_FLIGHT + 6)
#define FAR_FUTURE (CERTS_NOW + 1000 * CERTS_DAY)

static struct fixture fixture;
static struct cache *cache;
static struct issuer *next; /* of generation 2; the fixture's is of 1 */
static const struct config_cache config = {.lifetime_seconds = 86400, .negative_seconds = 60};

/* The leaves of the cache: what each mimics, and its names. */
static struct mimic *mimics[MANY];
static struct leaf_names all_names[MANY];

static int start(void **state)
{
    (void)state;
    const struct cache_config cache_config = {.max_entries = 1024,
                                              .max_bytes = 1 << 24,
                                              .max_pending = 256,
                                              .max_waiters = 16,
                                              .free_value = leaf_free_value};
    assert_int_equal(cache_new(&cache, &cache_config), MG_OK);
    next = certs_issuer(&pki, 2);
    fixture_init(&fixture);
    for (size_t i = 0; i < MANY; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "n%zu.example", i);
        const struct certs_name name = {2, mg_slice_of(text, (size_t)len)};
        mimics[i] = certs_mimic(&(struct certs_spec){.names = &name, .num_names = 1});
        leaf_names_decide(&all_names[i], mimics[i], MIMIC_NAME_DNS, mg_slice_of(NULL, 0), NULL, NULL);
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_free(&fixture);
    cache_free(cache);
    issuer_unref(next);
    for (size_t i = 0; i < MANY; i++) {
        mimic_unref(mimics[i]);
    }
    return 0;
}

static struct mint_key key_of(size_t i, const struct issuer *by)
{
    struct mint_key key;
    mint_key_build(&key, by, LEAF_KEY_EC_P256, &all_names[i]);
    return key;
}

static struct cache_pending *claim(size_t i, const struct issuer *by)
{
    struct mint_key key = key_of(i, by);
    struct cache_value *value;
    struct cache_pending *pending = NULL;
    assert_int_equal(cache_claim(cache, mint_key_slice(&key), CERTS_NOW, NULL, &value, &pending), CACHE_CLAIM_ELECTED);
    return pending;
}

/* fill puts leaves |first| to |end|, without that one, into the cache, made by |by|. */
static void fill(size_t first, size_t end, struct issuer *by)
{
    for (size_t i = first; i < end; i++) {
        struct leaf *leaf =
            certs_mint(&pki, by, leaf_keys_pick(leaf_keys, LEAF_KEY_EC_P256, i), &all_names[i], CERTS_NOW);
        cache_publish(claim(i, by), &leaf->value, leaf_memory(leaf), FAR_FUTURE);
    }
}

static enum cache_lookup_result look_up(size_t i, const struct issuer *by)
{
    struct mint_key key = key_of(i, by);
    struct cache_value *value;
    enum cache_lookup_result result = cache_lookup(cache, mint_key_slice(&key), CERTS_NOW, &value);
    if (result == CACHE_HIT) {
        assert_ptr_equal(leaf_of_value(value)->issuer, by);
        assert_ptr_equal(leaf_of_value(value)->mimic, mimics[i]);
    }
    return result;
}

static struct premint *begin(size_t max)
{
    struct premint *premint;
    const struct premint_options options = {
        .leaves = cache, .config = &config, .minter = fixture.client, .from = 1, .to = next, .max = max};
    assert_int_equal(premint_new(&premint, &options), MG_OK);
    return premint;
}

static bool step(struct premint *premint)
{
    return premint_step(premint, CERTS_NOW, fixture.now_ns);
}

/* sign_all signs what the signer was sent, and returns how much that was. */
static size_t sign_all(void)
{
    size_t num = 0;
    while (signer_receive(&fixture.signer)) {
        for (size_t i = 0; i < fixture.signer.num_requests; i++) {
            signer_sign(&fixture.signer, pki.key, i);
        }
        num += fixture.signer.num_requests;
    }
    while (is_readable(&fixture)) { /* it takes some at a time */
        process(&fixture);
    }
    return num;
}

static void assert_progress(const struct premint *premint, size_t done, size_t all)
{
    size_t num_done, num_all;
    premint_progress(premint, &num_done, &num_all);
    assert_int_equal(num_done, done);
    assert_int_equal(num_all, all);
}

static void test_what_is_in_the_cache_is_minted_under_the_other_issuer(void **state)
{
    (void)state;
    fill(0, 3, issuer);
    struct premint *premint = begin(1000);
    assert_progress(premint, 0, 3);
    assert_false(step(premint));
    assert_int_equal(look_up(0, next), CACHE_PENDING);
    assert_int_equal(sign_all(), 3);
    assert_true(step(premint));
    assert_progress(premint, 3, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(look_up(i, next), CACHE_HIT);
        assert_int_equal(look_up(i, issuer), CACHE_HIT); /* it is served until the swap */
    }
    premint_free(premint);
}

static void test_an_empty_cache_is_done_at_once(void **state)
{
    (void)state;
    struct premint *premint = begin(1000);
    assert_true(step(premint));
    assert_progress(premint, 0, 0);
    premint_free(premint);
}

static void test_those_used_lately_are_chosen_where_not_all_may_be(void **state)
{
    (void)state;
    fill(0, 6, issuer);
    assert_int_equal(look_up(2, issuer), CACHE_HIT);
    assert_int_equal(look_up(5, issuer), CACHE_HIT);
    struct premint *premint = begin(2);
    assert_false(step(premint));
    assert_int_equal(sign_all(), 2);
    assert_true(step(premint));
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(look_up(i, next), i == 2 || i == 5 ? CACHE_HIT : CACHE_MISS);
    }
    premint_free(premint);
}

static void test_leaves_of_other_generations_are_not_looked_at(void **state)
{
    (void)state;
    struct issuer *older = certs_issuer(&pki, 7);
    fill(0, 2, older);
    fill(2, 3, issuer);
    struct premint *premint = begin(1000);
    assert_progress(premint, 0, 1);
    premint_free(premint);
    issuer_unref(older);
}

static void test_few_are_under_way_at_one_time(void **state)
{
    (void)state;
    fill(0, MANY, issuer);
    struct premint *premint = begin(1000);
    assert_false(step(premint));
    assert_false(step(premint)); /* nothing more fits */
    assert_int_equal(sign_all(), PREMINT_IN_FLIGHT);
    assert_false(step(premint));
    assert_progress(premint, PREMINT_IN_FLIGHT, MANY);
    assert_int_equal(sign_all(), MANY - PREMINT_IN_FLIGHT);
    assert_true(step(premint));
    premint_free(premint);
}

static void test_what_somebody_else_makes_is_not_made_twice(void **state)
{
    (void)state;
    fill(0, 3, issuer);
    fill(0, 1, next);
    struct cache_pending *pending = claim(1, next); /* a session that was faster */
    struct premint *premint = begin(1000);
    assert_false(step(premint));
    assert_progress(premint, 2, 3);
    assert_int_equal(sign_all(), 1);
    assert_true(step(premint));
    assert_int_equal(look_up(1, next), CACHE_PENDING);
    cache_fail(pending, 0);
    premint_free(premint);
}

static void test_one_that_the_signer_refuses_holds_nothing_up(void **state)
{
    (void)state;
    fill(0, 2, issuer);
    struct premint *premint = begin(1000);
    assert_false(step(premint));
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 2);
    uint64_t refused = fixture.signer.requests[0].id;
    signer_sign(&fixture.signer, pki.key, 1);
    signer_reply(&fixture.signer, refused, WIRE_SIGN_BAD_NAME, mg_slice_of(NULL, 0));
    process(&fixture);
    assert_true(step(premint));
    assert_progress(premint, 2, 2);
    assert_int_equal((look_up(0, next) == CACHE_HIT) + (look_up(1, next) == CACHE_HIT), 1);
    assert_int_equal((look_up(0, next) == CACHE_NEGATIVE) + (look_up(1, next) == CACHE_NEGATIVE), 1);
    premint_free(premint);
}

static void test_what_the_minter_has_no_room_for_is_left_for_later(void **state)
{
    (void)state;
    fill(0, 2, issuer);
    submit_and_flush(&fixture, MAX_JOBS);
    struct premint *premint = begin(1000);
    assert_true(step(premint));
    assert_progress(premint, 2, 2);
    assert_int_equal(look_up(0, next), CACHE_MISS); /* not a failure that is remembered: it is minted when asked for */
    premint_free(premint);
    assert_int_equal(sign_all(), MAX_JOBS);
    for (size_t i = 0; i < MAX_JOBS; i++) {
        take_outcome(&fixture, i, MINT_OK);
    }
}

static void test_ending_it_leaves_what_is_under_way_to_be_published(void **state)
{
    (void)state;
    fill(0, MANY, issuer);
    struct premint *premint = begin(1000);
    assert_false(step(premint));
    premint_free(premint);
    assert_int_equal(sign_all(), PREMINT_IN_FLIGHT);
    size_t num_hits = 0, num_misses = 0;
    for (size_t i = 0; i < MANY; i++) {
        num_hits += look_up(i, next) == CACHE_HIT;
        num_misses += look_up(i, next) == CACHE_MISS;
    }
    assert_int_equal(num_hits, PREMINT_IN_FLIGHT);
    assert_int_equal(num_misses, MANY - PREMINT_IN_FLIGHT);
    premint_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_in_the_cache_is_minted_under_the_other_issuer),
        TEST(test_an_empty_cache_is_done_at_once),
        TEST(test_those_used_lately_are_chosen_where_not_all_may_be),
        TEST(test_leaves_of_other_generations_are_not_looked_at),
        TEST(test_few_are_under_way_at_one_time),
        TEST(test_what_somebody_else_makes_is_not_made_twice),
        TEST(test_one_that_the_signer_refuses_holds_nothing_up),
        TEST(test_what_the_minter_has_no_room_for_is_left_for_later),
        TEST(test_ending_it_leaves_what_is_under_way_to_be_published),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
