/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/statistics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"

#define CLOSE 1e-5

static void test_one_value_is_all_of_its_spread(void **state)
{
    (void)state;
    const double value = 42;
    struct bench_spread spread = bench_spread_of(&value, 1);
    assert_float_equal(spread.min, 42, CLOSE);
    assert_float_equal(spread.low, 42, CLOSE);
    assert_float_equal(spread.median, 42, CLOSE);
    assert_float_equal(spread.high, 42, CLOSE);
    assert_float_equal(spread.max, 42, CLOSE);
}

static void test_the_order_of_the_values_does_not_matter_and_they_stay(void **state)
{
    (void)state;
    const double values[] = {5, 1, 4, 2, 3};
    struct bench_spread spread = bench_spread_of(values, MG_ARRAY_LEN(values));
    assert_float_equal(spread.min, 1, CLOSE);
    assert_float_equal(spread.low, 2, CLOSE);
    assert_float_equal(spread.median, 3, CLOSE);
    assert_float_equal(spread.high, 4, CLOSE);
    assert_float_equal(spread.max, 5, CLOSE);
    assert_float_equal(values[0], 5, CLOSE);
}

/* The figures are those of R's quantile(c(1, 2, 3, 10)). */
static void test_between_two_values_a_quantile_is_interpolated(void **state)
{
    (void)state;
    const double values[] = {10, 1, 3, 2};
    struct bench_spread spread = bench_spread_of(values, MG_ARRAY_LEN(values));
    assert_float_equal(spread.low, 1.75, CLOSE);
    assert_float_equal(spread.median, 2.5, CLOSE);
    assert_float_equal(spread.high, 4.75, CLOSE);
}

static void test_one_wild_value_moves_neither_median_nor_quartiles(void **state)
{
    (void)state;
    const double values[] = {1, 1, 1, 1, 1, 1, 1e9};
    struct bench_spread spread = bench_spread_of(values, MG_ARRAY_LEN(values));
    assert_float_equal(spread.median, 1, CLOSE);
    assert_float_equal(spread.high, 1, CLOSE);
    assert_float_equal(spread.max, 1e9, CLOSE);
}

static void test_as_many_values_as_there_may_be(void **state)
{
    (void)state;
    double values[BENCH_MAX_ROUNDS];
    for (size_t i = 0; i < BENCH_MAX_ROUNDS; i++) {
        values[i] = (double)(BENCH_MAX_ROUNDS - i);
    }
    struct bench_spread spread = bench_spread_of(values, BENCH_MAX_ROUNDS);
    assert_float_equal(spread.min, 1, CLOSE);
    assert_float_equal(spread.median, (BENCH_MAX_ROUNDS + 1) / 2.0, CLOSE);
    assert_float_equal(spread.max, BENCH_MAX_ROUNDS, CLOSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_value_is_all_of_its_spread),
        cmocka_unit_test(test_the_order_of_the_values_does_not_matter_and_they_stay),
        cmocka_unit_test(test_between_two_values_a_quantile_is_interpolated),
        cmocka_unit_test(test_one_wild_value_moves_neither_median_nor_quartiles),
        cmocka_unit_test(test_as_many_values_as_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
