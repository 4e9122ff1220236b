/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "rate_plans.h"

#define START (UINT64_C(1000000) * MG_NS_PER_SECOND)

static struct rate_limits *limits;

static int set_up(void **state)
{
    (void)state;
    return rate_limits_new(&limits, &rate_documented, NULL) == MG_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rate_limits_free(limits);
    return 0;
}

/* take asks at |seconds| after the start. */
static bool take(const char *who, enum rate_weight weight, double seconds, struct rate_verdict *verdict)
{
    struct rate_verdict ignored;
    uint64_t now_ns = START + (uint64_t)(seconds * (double)MG_NS_PER_SECOND);
    return rate_limits_take(limits, who, weight, now_ns, verdict == NULL ? &ignored : verdict);
}

static void assert_counted(const char *line)
{
    struct mg_buffer text;
    mg_buffer_init(&text, 65536);
    rate_limits_metrics(limits, &text);
    mg_buffer_append_u8(&text, '\0');
    assert_non_null(strstr((const char *)text.data, line));
    mg_buffer_free(&text);
}

/* contracts.md 1.7: GET light 2/s, POST and PUT medium 1/s, DELETE heavy 1/min. */
static void test_short_windows_are_the_documented_ones(void **state)
{
    (void)state;
    struct rate_verdict verdict;
    assert_true(take("a", RATE_LIGHT, 0, NULL) && take("a", RATE_LIGHT, 0, NULL));
    assert_false(take("a", RATE_LIGHT, 0, &verdict));
    assert_true(verdict.limit == 2 && verdict.window == 1 && verdict.remaining == 0 && verdict.retry_after == 1);
    assert_false(take("a", RATE_LIGHT, 0.49, NULL));
    assert_true(take("a", RATE_LIGHT, 0.51, NULL));
    assert_true(take("a", RATE_MEDIUM, 0, NULL));
    assert_false(take("a", RATE_MEDIUM, 0.9, &verdict));
    assert_true(verdict.limit == 1 && verdict.window == 1 && verdict.retry_after == 1);
    assert_true(take("a", RATE_MEDIUM, 1, NULL));
    assert_true(take("a", RATE_HEAVY, 0, NULL));
    assert_false(take("a", RATE_HEAVY, 20.5, &verdict));
    assert_true(verdict.limit == 1 && verdict.window == 60 && verdict.retry_after == 40);
    assert_true(take("a", RATE_HEAVY, 60, NULL));
}

static void test_hours_are_the_documented_ones(void **state)
{
    (void)state;
    struct rate_verdict verdict;
    unsigned num[RATE_NUM_WEIGHTS] = {0};
    for (unsigned i = 0; i < 900; i++) { /* as fast as the short windows allow, for a quarter of an hour */
        num[RATE_LIGHT] += take("a", RATE_LIGHT, i, NULL);
        num[RATE_LIGHT] += take("a", RATE_LIGHT, i, NULL);
        num[RATE_MEDIUM] += take("a", RATE_MEDIUM, i, NULL);
        num[RATE_HEAVY] += take("a", RATE_HEAVY, i, NULL);
    }
    /* A full bucket, and what flowed back in a quarter of an hour. */
    assert_in_range(num[RATE_LIGHT], 1000 + 248, 1000 + 251);
    assert_in_range(num[RATE_MEDIUM], 400 + 98, 400 + 101);
    assert_int_equal(num[RATE_HEAVY], 4);
    assert_false(take("a", RATE_HEAVY, 899, &verdict));
    assert_true(verdict.limit == 4 && verdict.window == 3600 && verdict.retry_after == 1);
    assert_true(take("a", RATE_HEAVY, 900, NULL));
}

static void test_headers_tell_the_window_with_less_left(void **state)
{
    (void)state;
    struct rate_verdict verdict;
    assert_true(take("a", RATE_LIGHT, 0, &verdict));
    assert_true(verdict.is_limited && verdict.limit == 2 && verdict.remaining == 1 && verdict.reset_seconds == 1);
    assert_int_equal(verdict.retry_after, 0);
    assert_true(take("a", RATE_LIGHT, 0, &verdict));
    assert_true(verdict.remaining == 0 && verdict.retry_after == 0);
    assert_true(take("a", RATE_LIGHT, 3600, &verdict));
    assert_true(verdict.remaining == 1);
}

static void test_credentials_and_weights_are_counted_apart(void **state)
{
    (void)state;
    assert_true(take("a", RATE_MEDIUM, 0, NULL) && take("b", RATE_MEDIUM, 0, NULL));
    assert_false(take("a", RATE_MEDIUM, 0, NULL));
    assert_true(take("a", RATE_LIGHT, 0, NULL));
    for (int i = 0; i < 100; i++) {
        struct rate_verdict verdict;
        assert_true(take("a", RATE_NONE, 0, &verdict));
        assert_false(verdict.is_limited);
    }
}

static void test_a_refused_request_costs_nothing(void **state)
{
    (void)state;
    assert_true(take("a", RATE_MEDIUM, 0, NULL));
    for (int i = 0; i < 50; i++) {
        assert_false(take("a", RATE_MEDIUM, 0.5, NULL));
    }
    assert_true(take("a", RATE_MEDIUM, 1, NULL));
    assert_counted("mintgate_control_rate_limited_total{weight=\"medium\"} 50\n");
    assert_counted("mintgate_control_rate_limited_total{weight=\"light\"} 0\n");
}

static void test_a_plan_can_be_changed_and_be_none(void **state)
{
    (void)state;
    struct rate_verdict verdict;
    struct rate_plan plan = {.limits = {[RATE_MEDIUM] = {10, 400}}};
    rate_limits_set_plan(limits, &plan);
    for (int i = 0; i < 10; i++) {
        assert_true(take("a", RATE_MEDIUM, 0, NULL));
    }
    assert_false(take("a", RATE_MEDIUM, 0, &verdict));
    assert_int_equal(verdict.limit, 10);
    for (int i = 0; i < 10000; i++) {
        assert_true(take("a", RATE_HEAVY, 0, &verdict));
        assert_false(verdict.is_limited);
    }
    rate_limits_set_plan(limits, &rate_documented);
    assert_true(take("b", RATE_HEAVY, 0, NULL));
    assert_false(take("b", RATE_HEAVY, 0, NULL));
}

static void test_one_window_may_have_no_limit(void **state)
{
    (void)state;
    struct rate_verdict verdict;
    struct rate_plan plan = {.limits = {[RATE_LIGHT] = {0, 3}, [RATE_MEDIUM] = {2, 0}}};
    rate_limits_set_plan(limits, &plan);
    for (int i = 0; i < 3; i++) {
        assert_true(take("a", RATE_LIGHT, 0, &verdict));
        assert_true(verdict.is_limited && verdict.limit == 3 && verdict.window == 3600);
    }
    assert_false(take("a", RATE_LIGHT, 1, &verdict));
    assert_int_equal(verdict.retry_after, 1199);
    for (int i = 0; i < 1000; i++) {
        assert_true(take("a", RATE_MEDIUM, i, &verdict));
        assert_true(verdict.limit == 2 && verdict.window == 1);
    }
}

static void test_of_too_many_credentials_the_one_longest_unused_is_forgotten(void **state)
{
    (void)state;
    char who[32];
    assert_true(take("first", RATE_HEAVY, 0, NULL));
    assert_true(take("second", RATE_HEAVY, 1, NULL));
    assert_true(take("first", RATE_LIGHT, 2, NULL));
    for (int i = 0; i < RATE_MAX_CREDENTIALS - 1; i++) {
        snprintf(who, sizeof(who), "other %d", i);
        assert_true(take(who, RATE_HEAVY, 3, NULL));
    }
    assert_counted("mintgate_control_rate_displaced_total 1\n");
    assert_false(take("first", RATE_HEAVY, 4, NULL));
    assert_true(take("second", RATE_HEAVY, 4, NULL));
}

#define RATE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RATE_TEST(test_short_windows_are_the_documented_ones),
        RATE_TEST(test_hours_are_the_documented_ones),
        RATE_TEST(test_headers_tell_the_window_with_less_left),
        RATE_TEST(test_credentials_and_weights_are_counted_apart),
        RATE_TEST(test_a_refused_request_costs_nothing),
        RATE_TEST(test_a_plan_can_be_changed_and_be_none),
        RATE_TEST(test_one_window_may_have_no_limit),
        RATE_TEST(test_of_too_many_credentials_the_one_longest_unused_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
