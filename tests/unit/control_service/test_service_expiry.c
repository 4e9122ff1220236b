/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/service/expiry.h"

#define NOW INT64_C(1800000000)
#define DAY MG_COUNTDOWN_SECONDS_PER_DAY
#define MANY (WIRE_PUBLISH_MAX_ISSUERS + 4)

static struct intermediate records[MANY];
static struct intermediate_list list;
static struct expiry_watched watched;

/* The default, an enabled one that expires in 100 days, a disabled one and one that has no certificate yet. */
static int start(void **state)
{
    (void)state;
    list = (struct intermediate_list){records, 4};
    watched = (struct expiry_watched){.places = {{.id = 0}}};
    for (size_t i = 0; i < MANY; i++) {
        records[i] = (struct intermediate){.id = (int64_t)i + 1,
                                           .is_default = i == 0,
                                           .state = INTERMEDIATE_CERT_READY,
                                           .status = INTERMEDIATE_ENABLED,
                                           .not_before = NOW - 100 * DAY,
                                           .not_after = NOW + 100 * DAY};
    }
    records[2].status = INTERMEDIATE_DISABLED;
    records[3].state = INTERMEDIATE_CSRGEN_DONE;
    return 0;
}

static unsigned warn_at(int64_t now)
{
    return expiry_warn(&watched, &list, CONFIG_EXPIRY_SUCCESSOR, now);
}

static void test_what_is_in_use_is_warned_of(void **state)
{
    (void)state;
    assert_int_equal(warn_at(NOW), 0);
    assert_int_equal(warn_at(NOW + 80 * DAY), 2);
    assert_int_equal(warn_at(NOW + 80 * DAY + 60), 0);
    assert_int_equal(warn_at(NOW + 81 * DAY), 2);
    assert_int_equal(warn_at(NOW + 101 * DAY), 2);
}

static void test_a_disabled_default_is_in_use(void **state)
{
    (void)state;
    records[0].status = INTERMEDIATE_DISABLED;
    assert_int_equal(warn_at(NOW + 80 * DAY), 2);
}

static void test_one_that_is_enabled_late_is_warned_of_at_once(void **state)
{
    (void)state;
    assert_int_equal(warn_at(NOW + 80 * DAY), 2);
    records[2].status = INTERMEDIATE_ENABLED;
    assert_int_equal(warn_at(NOW + 80 * DAY + 1), 1);
}

static void test_places_of_those_that_are_gone_are_used_again(void **state)
{
    (void)state;
    list.num_items = 1;
    for (int64_t i = 0; i < 100; i++) {
        records[0].id = i + 1;
        assert_int_equal(warn_at(NOW + 80 * DAY), 1);
        assert_int_equal(warn_at(NOW + 80 * DAY), 0);
    }
}

static void test_more_than_there_are_places_do_no_harm(void **state)
{
    (void)state;
    list.num_items = MANY;
    assert_int_equal(warn_at(NOW + 80 * DAY), WIRE_PUBLISH_MAX_ISSUERS);
    assert_int_equal(warn_at(NOW + 80 * DAY), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_in_use_is_warned_of),
        TEST(test_a_disabled_default_is_in_use),
        TEST(test_one_that_is_enabled_late_is_warned_of_at_once),
        TEST(test_places_of_those_that_are_gone_are_used_again),
        TEST(test_more_than_there_are_places_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
