/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/issuer_use.h"
#include "control/service/publication.h"
#include "lifecycle_fixture.h"

static int64_t ready(const char *name, enum intermediate_status status)
{
    return fixture_ready(name, INTERMEDIATE_SOFTWARE, status);
}

static void succeed(int64_t id, int64_t successor_id)
{
    assert_int_equal(lifecycle_set_successor(&call, id, successor_id, NULL, &error), MG_OK);
}

/* What is expected of one that is published. */
struct expected {
    int64_t id;
    uint8_t successor;
    bool is_reserve;
};

static void assert_published(int64_t default_id, const struct expected *expected, size_t num_expected)
{
    struct publication publication;
    assert_int_equal(publication_load(&publication, &lifecycle, default_id, 7, 0, &error), MG_OK);
    assert_int_equal(publication.message.num_issuers, num_expected);
    for (size_t i = 0; i < num_expected; i++) {
        assert_int_equal(publication.records[i]->id, expected[i].id);
        assert_int_equal(publication.message.issuers[i].successor, expected[i].successor);
        assert_int_equal(publication.message.issuers[i].is_reserve, expected[i].is_reserve);
    }
    publication_free(&publication);
}

static void test_the_default_is_first_and_names_its_successor(void **state)
{
    (void)state;
    int64_t one = ready("One", INTERMEDIATE_ENABLED), two = ready("Two", INTERMEDIATE_ENABLED);
    succeed(two, INTERMEDIATE_BUILTIN_ID);
    succeed(INTERMEDIATE_BUILTIN_ID, one);
    const struct expected expected[] = {{two, 2, false}, {INTERMEDIATE_BUILTIN_ID, 3, false}, {one, 0, false}};
    assert_published(two, expected, MG_ARRAY_LEN(expected));
}

static void test_a_disabled_successor_is_a_reserve_with_its_own(void **state)
{
    (void)state;
    int64_t one = ready("One", INTERMEDIATE_DISABLED), two = ready("Two", INTERMEDIATE_DISABLED);
    succeed(INTERMEDIATE_BUILTIN_ID, one);
    succeed(one, two);
    const struct expected expected[] = {{INTERMEDIATE_BUILTIN_ID, 2, false}, {one, 3, true}, {two, 0, true}};
    assert_published(INTERMEDIATE_BUILTIN_ID, expected, MG_ARRAY_LEN(expected));
}

static void test_one_that_is_not_ready_succeeds_nobody(void **state)
{
    (void)state;
    int64_t one = fixture_create("One", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    succeed(INTERMEDIATE_BUILTIN_ID, one);
    const struct expected expected[] = {{INTERMEDIATE_BUILTIN_ID, 0, false}};
    assert_published(INTERMEDIATE_BUILTIN_ID, expected, MG_ARRAY_LEN(expected));
}

/* note notes what records say of |id|. */
static void note(int64_t id, bool is_revoked, const char *crl_url)
{
    struct store_tx *tx;
    bool changed;
    assert_int_equal(store_begin(lifecycle.store, STORE_WRITE, &tx, &error), MG_OK);
    enum mg_status status = issuer_use_set(tx, id, is_revoked, crl_url, &changed, &error);
    assert_int_equal(store_end(tx, status, &error), MG_OK);
    assert_true(changed);
}

static void test_a_revoked_one_is_left_out_unless_it_is_the_default_still(void **state)
{
    (void)state;
    int64_t one = ready("One", INTERMEDIATE_ENABLED), two = ready("Two", INTERMEDIATE_ENABLED);
    succeed(INTERMEDIATE_BUILTIN_ID, one);
    succeed(one, two);
    note(one, true, "");
    const struct expected without[] = {{INTERMEDIATE_BUILTIN_ID, 2, false}, {two, 0, false}};
    assert_published(INTERMEDIATE_BUILTIN_ID, without, MG_ARRAY_LEN(without));
    struct publication publication;
    assert_int_equal(publication_load(&publication, &lifecycle, one, 7, 0, &error), MG_OK);
    assert_true(publication.records[0]->id == one && publication.message.issuers[0].is_revoked);
    assert_false(publication.message.issuers[1].is_revoked);
    publication_free(&publication);
}

static void test_crl_addresses_are_published_where_that_is_configured(void **state)
{
    (void)state;
    note(INTERMEDIATE_BUILTIN_ID, false, "http://crl.example/");
    for (int i = 0; i < 2; i++) {
        struct publication publication;
        lifecycle.publishes_crl_urls = i == 1;
        assert_int_equal(publication_load(&publication, &lifecycle, INTERMEDIATE_BUILTIN_ID, 7, 0, &error), MG_OK);
        assert_int_equal(publication.message.issuers[0].crl_url.len, i == 1 ? strlen("http://crl.example/") : 0);
        publication_free(&publication);
    }
    lifecycle.publishes_crl_urls = false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_default_is_first_and_names_its_successor),
        TEST(test_a_disabled_successor_is_a_reserve_with_its_own),
        TEST(test_one_that_is_not_ready_succeeds_nobody),
        TEST(test_a_revoked_one_is_left_out_unless_it_is_the_default_still),
        TEST(test_crl_addresses_are_published_where_that_is_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
