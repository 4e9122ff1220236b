/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static void assert_text(int64_t wall_us, const char *expected)
{
    char text[MG_CLOCK_TEXT_LEN + 1];
    memset(text, 'x', sizeof(text));
    mg_clock_format_us(text, wall_us);
    assert_string_equal(text, expected);
    assert_int_equal(text[MG_CLOCK_TEXT_LEN], 'x');
}

static void test_times_are_written_in_utc_with_microseconds(void **state)
{
    (void)state;
    setenv("TZ", "America/New_York", 1);
    tzset();
    assert_text(0, "1970-01-01T00:00:00.000000Z");
    assert_text(1, "1970-01-01T00:00:00.000001Z");
    assert_text(INT64_C(1795254060123456), "2026-11-21T09:41:00.123456Z");
    assert_text(INT64_C(951782400) * 1000000, "2000-02-29T00:00:00.000000Z");
    assert_text(INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z");
    unsetenv("TZ");
    tzset();
}

static void test_a_time_before_1970_is_written_too(void **state)
{
    (void)state;
    assert_text(-1, "1969-12-31T23:59:59.999999Z");
    assert_text(-1000000, "1969-12-31T23:59:59.000000Z");
    assert_text(-1500000, "1969-12-31T23:59:58.500000Z");
}

static void test_a_time_that_the_text_has_no_room_for_stays_within_it(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_C(253402300800000000), INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        char text[MG_CLOCK_TEXT_LEN + 1];
        memset(text, 'x', sizeof(text));
        mg_clock_format_us(text, times[i]);
        assert_true(strlen(text) < MG_CLOCK_TEXT_LEN);
        assert_int_equal(text[MG_CLOCK_TEXT_LEN], 'x');
    }
}

static void test_the_monotonic_clock_does_not_go_back(void **state)
{
    (void)state;
    uint64_t last = mg_clock_monotonic_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = mg_clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
}

/* All clocks name the same moment in their own units. */
static void test_the_clocks_have_their_units(void **state)
{
    (void)state;
    int64_t seconds_before = (int64_t)time(NULL);
    int64_t seconds = mg_clock_wall_seconds(), us = mg_clock_wall_us();
    assert_true(seconds >= seconds_before);
    assert_true(us >= seconds * 1000000);
    assert_true(us / 1000000 <= (int64_t)time(NULL) + 1);
    struct timespec ts;
    uint64_t before_ns = mg_clock_monotonic_ns();
    clock_gettime(CLOCK_MONOTONIC, &ts);
    uint64_t after_ns = mg_clock_monotonic_ns();
    uint64_t between_ns = (uint64_t)ts.tv_sec * MG_NS_PER_SECOND + (uint64_t)ts.tv_nsec;
    assert_true(before_ns <= between_ns && between_ns <= after_ns);
}

static void test_a_wait_is_rounded_up_and_bounded(void **state)
{
    (void)state;
    assert_int_equal(mg_clock_wait_ms(5, 5), 0);
    assert_int_equal(mg_clock_wait_ms(6, 5), 0);
    assert_int_equal(mg_clock_wait_ms(5, 6), 1);
    assert_int_equal(mg_clock_wait_ms(5, 5 + MG_NS_PER_MS), 1);
    assert_int_equal(mg_clock_wait_ms(5, 6 + MG_NS_PER_MS), 2);
    assert_int_equal(mg_clock_wait_ms(0, UINT64_MAX), INT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_written_in_utc_with_microseconds),
        cmocka_unit_test(test_a_time_before_1970_is_written_too),
        cmocka_unit_test(test_a_time_that_the_text_has_no_room_for_stays_within_it),
        cmocka_unit_test(test_the_monotonic_clock_does_not_go_back),
        cmocka_unit_test(test_a_wait_is_rounded_up_and_bounded),
        cmocka_unit_test(test_the_clocks_have_their_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
