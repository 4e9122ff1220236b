/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "control/succession.h"

#define NOW INT64_C(1800000000)
#define YEAR INT64_C(31536000)

static struct intermediate records[4];
static const struct intermediate_list list = {records, MG_ARRAY_LEN(records)};

/* Four that are ready and live a year: 1, 2, 3 and 4. */
static int start(void **state)
{
    (void)state;
    for (size_t i = 0; i < MG_ARRAY_LEN(records); i++) {
        records[i] = (struct intermediate){.id = (int64_t)i + 1,
                                           .state = INTERMEDIATE_CERT_READY,
                                           .not_before = NOW - YEAR / 2,
                                           .not_after = NOW + YEAR / 2};
    }
    return 0;
}

static void expire(int64_t id)
{
    records[id - 1].not_after = NOW - 1;
}

static void assert_found(int64_t id, int64_t next, int64_t found)
{
    const struct intermediate *record = succession_next(&list, &records[id - 1]);
    assert_int_equal(record == NULL ? 0 : record->id, next);
    record = succession_find(&list, &records[id - 1], NOW);
    assert_int_equal(record == NULL ? 0 : record->id, found);
}

static void test_it_is_due_an_hour_before_or_a_tenth_of_its_life(void **state)
{
    (void)state;
    struct intermediate *record = &records[0];
    assert_false(succession_is_due(record, record->not_after - SUCCESSION_LEAD_SECONDS - 1));
    assert_true(succession_is_due(record, record->not_after - SUCCESSION_LEAD_SECONDS));
    record->not_before = record->not_after - 100;
    assert_false(succession_is_due(record, record->not_after - 11));
    assert_true(succession_is_due(record, record->not_after - 10));
    assert_true(succession_is_due(record, record->not_after + 1));
}

static void test_without_a_successor_there_is_nobody(void **state)
{
    (void)state;
    assert_found(1, 0, 0);
    records[0].fallback_id = 9; /* deleted meanwhile */
    assert_found(1, 0, 0);
}

static void test_one_that_cannot_hands_on_to_its_own(void **state)
{
    (void)state;
    records[0].fallback_id = 2;
    records[1].fallback_id = 3;
    assert_found(1, 2, 2);
    records[1].state = INTERMEDIATE_CHAIN_UPLOAD_DONE;
    assert_found(1, 3, 3);
    records[1].state = INTERMEDIATE_CERT_READY;
    expire(2);
    assert_found(1, 2, 3);
    expire(3);
    assert_found(1, 2, 0);
}

static void test_a_circle_ends(void **state)
{
    (void)state;
    records[0].fallback_id = 2;
    records[1].fallback_id = 1;
    expire(2);
    assert_found(1, 2, 0);
    records[1].fallback_id = 3;
    records[2].fallback_id = 2;
    expire(3);
    assert_found(1, 2, 0);
}

static void test_who_is_named(void **state)
{
    (void)state;
    records[0].fallback_id = 2;
    assert_true(succession_names(&list, 2));
    assert_false(succession_names(&list, 1) || succession_names(&list, 3));
}

#define TEST(name) cmocka_unit_test_setup(name, start)

static void test_a_revoked_one_succeeds_nobody(void **state)
{
    (void)state;
    records[0].fallback_id = 2;
    records[1].fallback_id = 3;
    assert_found(1, 2, 2);
    records[1].is_revoked = true;
    assert_found(1, 3, 3);
    records[2].is_revoked = true;
    assert_found(1, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_due_an_hour_before_or_a_tenth_of_its_life),
        TEST(test_without_a_successor_there_is_nobody),
        TEST(test_one_that_cannot_hands_on_to_its_own),
        TEST(test_a_circle_ends),
        TEST(test_who_is_named),
        TEST(test_a_revoked_one_succeeds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
