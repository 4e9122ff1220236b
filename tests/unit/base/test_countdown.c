/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/countdown.h"

#define DAY MG_COUNTDOWN_SECONDS_PER_DAY
#define END (1000 * DAY)

static void test_bands_begin_at_their_days(void **state)
{
    (void)state;
    static const struct {
        int64_t days;
        int band;
    } cases[] = {{30, 1}, {14, 2}, {7, 3}, {3, 4}, {1, 5}};
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        assert_int_equal(mg_countdown_band(END, END - cases[i].days * DAY - 1), cases[i].band - 1);
        assert_int_equal(mg_countdown_band(END, END - cases[i].days * DAY), cases[i].band);
    }
    assert_int_equal(mg_countdown_band(END, END), 5); /* the last second counts */
    assert_int_equal(mg_countdown_band(END, END + 1), MG_COUNTDOWN_OVER);
}

static void test_a_day_has_one_warning_unless_a_band_is_entered(void **state)
{
    (void)state;
    struct mg_countdown countdown = {.band = 0};
    assert_false(mg_countdown_warns(&countdown, END, END - 31 * DAY));
    assert_true(mg_countdown_warns(&countdown, END, END - 29 * DAY));
    assert_false(mg_countdown_warns(&countdown, END, END - 29 * DAY));
    assert_false(mg_countdown_warns(&countdown, END, END - 28 * DAY - 1));
    assert_true(mg_countdown_warns(&countdown, END, END - 28 * DAY));
    assert_true(mg_countdown_warns(&countdown, END, END - 14 * DAY - 5));
    assert_true(mg_countdown_warns(&countdown, END, END - 14 * DAY)); /* another band, seconds later */
    assert_true(mg_countdown_warns(&countdown, END, END + 1));
    assert_false(mg_countdown_warns(&countdown, END, END + DAY));
    assert_true(mg_countdown_warns(&countdown, END, END + DAY + 1));
}

static void test_a_whole_countdown_in_hours_warns_once_a_day(void **state)
{
    (void)state;
    struct mg_countdown countdown = {.band = 0};
    int num_warnings = 0;
    for (int64_t hour = -40 * 24; hour <= 0; hour++) {
        num_warnings += mg_countdown_warns(&countdown, END, END + hour * 3600);
    }
    assert_int_equal(num_warnings, 31);
}

static void test_a_renewed_end_begins_anew(void **state)
{
    (void)state;
    struct mg_countdown countdown = {.band = 0};
    assert_true(mg_countdown_warns(&countdown, END, END - DAY));
    assert_false(mg_countdown_warns(&countdown, END + 100 * DAY, END - DAY + 1));
    assert_true(mg_countdown_warns(&countdown, END, END - DAY + 2));
}

static void test_days_left_are_whole(void **state)
{
    (void)state;
    assert_int_equal(mg_countdown_days(END, END - DAY), 1);
    assert_int_equal(mg_countdown_days(END, END - DAY + 1), 0);
    assert_int_equal(mg_countdown_days(END, END), 0);
    assert_int_equal(mg_countdown_days(END, END + 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bands_begin_at_their_days),
        cmocka_unit_test(test_a_day_has_one_warning_unless_a_band_is_entered),
        cmocka_unit_test(test_a_whole_countdown_in_hours_warns_once_a_day),
        cmocka_unit_test(test_a_renewed_end_begins_anew),
        cmocka_unit_test(test_days_left_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
