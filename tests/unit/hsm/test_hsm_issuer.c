/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of issuers: made from the keystore, changed by making another, never changed themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "signer_fixture.h"
#include "temp_dir.h"

static struct issuers_fixture *f;

static int open_issuers(void **state)
{
    temp_dir_make(state);
    f = calloc(1, sizeof(*f));
    issuers_open(f, WIRE_KEY_EC_P256, false);
    return 0;
}

static int close_issuers(void **state)
{
    issuers_close(f);
    free(f);
    return temp_dir_remove(state);
}

static struct issuer_set *with(const struct issuer_set *set, struct issuer *issuer)
{
    struct issuer_set *out = NULL;
    assert_int_equal(issuer_set_with(&out, set, issuer, NULL), MG_OK);
    return out;
}

static struct issuer_set *without(const struct issuer_set *set, const struct wire_key_id *key_id)
{
    struct issuer_set *out = NULL;
    assert_int_equal(issuer_set_without(&out, set, key_id, NULL), MG_OK);
    return out;
}

/* assert_consistent: the packet says what is in the set, and no two issuers share a line. */
static void assert_consistent(const struct issuer_set *set)
{
    struct wire_issuers message;
    bool is_taken[WIRE_SIGNER_MAX_ISSUERS] = {false};
    assert_int_equal(wire_signer_decode_issuers(mg_buffer_slice(&set->packet), &message, NULL), MG_OK);
    assert_int_equal(message.num_issuers, set->num_issuers);
    for (size_t i = 0; i < set->num_issuers; i++) {
        const struct issuer *issuer = set->issuers[i];
        assert_memory_equal(&message.issuers[i].key_id, &issuer->key_id, sizeof(issuer->key_id));
        assert_int_equal(message.issuers[i].role, issuer->facts.role);
        assert_true(issuer_has_chain(issuer, message.issuers[i].chain, message.issuers[i].num_chain));
        assert_true(issuer->line < WIRE_SIGNER_MAX_ISSUERS && !is_taken[issuer->line]);
        is_taken[issuer->line] = true;
    }
}

static void test_adding_leaves_the_old_set_as_it_is(void **state)
{
    (void)state;
    struct issuer *issuer = issuers_offer(f, WIRE_KEY_EC_P384, "Offered");
    struct issuer_set *set = with(f->issuers, issuer);
    assert_int_equal(f->issuers->num_issuers, 2);
    assert_null(issuer_set_find0(f->issuers, &issuer->key_id));
    assert_int_equal(set->num_issuers, 3);
    assert_ptr_equal(issuer_set_find0(set, &issuer->key_id), issuer);
    assert_true(issuer_set_has(set, issuer) && issuer_set_has(set, f->issuers->issuers[0]));
    assert_false(issuer_set_has(f->issuers, issuer));
    assert_consistent(f->issuers);
    assert_consistent(set);
    issuer_free(issuer);
    issuer_set_free(set);
}

static void test_an_issuer_lives_as_long_as_a_set_has_it(void **state)
{
    (void)state;
    struct issuer *issuer = issuers_offer(f, WIRE_KEY_EC_P256, "Offered");
    struct issuer_set *set = with(f->issuers, issuer), *again = issuer_set_up_ref(set);
    issuer_free(issuer);
    issuer_set_free(set);
    assert_int_equal(again->issuers[2]->facts.role, WIRE_ISSUER_OFFERED); /* a sanitizer sees it if it is freed */
    struct issuer_set *fewer = without(again, &again->issuers[2]->key_id);
    assert_int_equal(fewer->num_issuers, 2);
    assert_consistent(fewer);
    issuer_set_free(again);
    issuer_set_free(fewer);
}

static void test_a_renewed_issuer_takes_the_place_of_the_old_one(void **state)
{
    (void)state;
    struct issuer *old = issuers_offer(f, WIRE_KEY_EC_P256, "Old");
    struct issuer *renewed = issuers_certify(f, keystore_find0(f->store, &old->key_id), "Renewed");
    struct issuer_set *before = with(f->issuers, old), *after = with(before, renewed);
    assert_int_equal(after->num_issuers, 3);
    assert_ptr_equal(issuer_set_find0(after, &old->key_id), renewed);
    assert_false(issuer_set_has(after, old));
    assert_consistent(after);
    issuer_free(old);
    issuer_free(renewed);
    issuer_set_free(before);
    issuer_set_free(after);
}

static void test_removing_what_is_not_there_changes_nothing(void **state)
{
    (void)state;
    struct wire_key_id unknown = {{0}};
    struct issuer_set *set = without(f->issuers, &unknown);
    assert_int_equal(set->num_issuers, 2);
    assert_ptr_equal(set->issuers[0], f->issuers->issuers[0]);
    assert_ptr_equal(set->issuers[1], f->issuers->issuers[1]);
    issuer_set_free(set);
}

/* Filled to the bound, an issuer can still be replaced and removed; the free line is used again. */
static void test_a_full_set_refuses_another_issuer(void **state)
{
    (void)state;
    struct issuer_set *set = issuer_set_up_ref(f->issuers), *next;
    struct issuer *last = NULL;
    while (set->num_issuers < WIRE_SIGNER_MAX_ISSUERS) {
        issuer_free(last);
        last = issuers_offer(f, WIRE_KEY_EC_P256, "Offered");
        next = with(set, last);
        issuer_set_free(set);
        set = next;
        assert_consistent(set);
    }
    struct issuer *one_more = issuers_offer(f, WIRE_KEY_EC_P256, "One more");
    assert_int_equal(issuer_set_with(&next, set, one_more, NULL), MG_LIMIT);
    struct issuer *renewed = issuers_certify(f, keystore_find0(f->store, &last->key_id), "Renewed");
    next = with(set, renewed);
    assert_consistent(next);
    issuer_set_free(next);
    struct issuer_set *fewer = without(set, &set->issuers[5]->key_id);
    next = with(fewer, one_more);
    assert_int_equal(one_more->line, 5);
    assert_consistent(next);
    issuer_set_free(next);
    issuer_set_free(fewer);
    issuer_set_free(set);
    issuer_free(last);
    issuer_free(renewed);
    issuer_free(one_more);
}

static void test_a_removed_key_is_no_issuer_after_a_restart(void **state)
{
    (void)state;
    struct issuer *issuer = issuers_offer(f, WIRE_KEY_EC_P256, "Offered");
    const struct keystore_key *key = keystore_find0(f->store, &issuer->key_id);
    struct issuer_set *set;
    assert_int_equal(keystore_set1_chain(f->store, key, issuer->chain, issuer->num_chain, NULL), MG_OK);
    assert_int_equal(issuer_set_new(&set, f->store, &f->backends, NULL), MG_OK);
    assert_int_equal(set->num_issuers, 3);
    assert_consistent(set);
    issuer_set_free(set);
    assert_int_equal(keystore_remove(f->store, key, NULL), MG_OK);
    assert_int_equal(issuer_set_new(&set, f->store, &f->backends, NULL), MG_OK);
    assert_int_equal(set->num_issuers, 2);
    issuer_set_free(set);
    issuer_free(issuer);
}

static void test_what_suits_no_issuer_is_refused(void **state)
{
    (void)state;
    struct mg_error error = {""};
    struct issuer *issuer, *good = issuers_offer(f, WIRE_KEY_EC_P256, "Offered");
    const struct keystore_key *key = keystore_find0(f->store, &good->key_id);
    const struct keystore_key *root = keystore_find0_origin(f->store, KEY_ORIGIN_BUILTIN_ROOT);
    struct mg_slice broken = mg_slice_of(good->chain[0].data, good->chain[0].len - 1);
    assert_int_equal(issuer_new(&issuer, root, root->chain, 1, &f->backends, &error), MG_DENIED);
    assert_non_null(strstr(error.text, "private-ca"));
    assert_int_equal(issuer_new(&issuer, key, &broken, 1, &f->backends, &error), MG_INVALID);
    assert_int_equal(issuer_new(&issuer, key, good->chain, 0, &f->backends, &error), MG_INVALID);
    assert_int_equal(issuer_new(&issuer, key, good->chain, WIRE_SIGNER_MAX_CHAIN + 1, &f->backends, &error),
                     MG_INVALID);
    issuer_free(good);
}

#define ISSUER_TEST(name) cmocka_unit_test_setup_teardown(name, open_issuers, close_issuers)

int main(void)
{
    mg_log_init("test", MG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        ISSUER_TEST(test_adding_leaves_the_old_set_as_it_is),
        ISSUER_TEST(test_an_issuer_lives_as_long_as_a_set_has_it),
        ISSUER_TEST(test_a_renewed_issuer_takes_the_place_of_the_old_one),
        ISSUER_TEST(test_removing_what_is_not_there_changes_nothing),
        ISSUER_TEST(test_a_full_set_refuses_another_issuer),
        ISSUER_TEST(test_a_removed_key_is_no_issuer_after_a_restart),
        ISSUER_TEST(test_what_suits_no_issuer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
