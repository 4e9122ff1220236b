/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/zipf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

#define NUM_RANKS 100
#define NUM_DRAWS 400000
#define MAX_DEVIATION 4.5 /* of a rank's count, in standard deviations; draws are the same in every run */

static void count_draws(uint64_t counts[NUM_RANKS], double exponent)
{
    struct zipf zipf;
    uint64_t random = 1;
    memset(counts, 0, NUM_RANKS * sizeof(*counts));
    zipf_init(&zipf, NUM_RANKS, exponent);
    for (uint64_t i = 0; i < NUM_DRAWS; i++) {
        uint64_t rank = zipf_draw(&zipf, &random);
        assert_in_range(rank, 0, NUM_RANKS - 1);
        counts[rank]++;
    }
}

static void test_each_rank_is_as_popular_as_its_power_says(void **state)
{
    (void)state;
    static const double exponents[] = {0, 0.5, 0.9, 1, 1.00000001, 1.2, 3};
    for (size_t i = 0; i < MG_ARRAY_LEN(exponents); i++) {
        uint64_t counts[NUM_RANKS];
        double sum = 0;
        for (int rank = 1; rank <= NUM_RANKS; rank++) {
            sum += pow(rank, -exponents[i]);
        }
        count_draws(counts, exponents[i]);
        for (int rank = 1; rank <= NUM_RANKS; rank++) {
            double share = pow(rank, -exponents[i]) / sum;
            double deviation = sqrt(NUM_DRAWS * share * (1 - share));
            assert_true(fabs((double)counts[rank - 1] - NUM_DRAWS * share) <= MAX_DEVIATION * deviation + 1);
        }
    }
}

static void test_one_rank_is_always_the_first(void **state)
{
    (void)state;
    struct zipf zipf;
    uint64_t random = 1;
    zipf_init(&zipf, 1, 1.1);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(zipf_draw(&zipf, &random), 0);
    }
}

/* Of 2^32 ranks with exponent 1 those up to the square root have half of the weight: log 2^16 by log 2^32. */
static void test_ranks_without_number_need_no_table(void **state)
{
    (void)state;
    struct zipf zipf;
    uint64_t random = 1, num_popular = 0;
    const int num_draws = 100000;
    zipf_init(&zipf, UINT64_C(1) << 32, 1);
    for (int i = 0; i < num_draws; i++) {
        uint64_t rank = zipf_draw(&zipf, &random);
        assert_true(rank < UINT64_C(1) << 32);
        num_popular += rank < UINT64_C(1) << 16;
    }
    double expected = (log(0x1p16) + 0.5772) / (log(0x1p32) + 0.5772);
    assert_true(fabs((double)num_popular / num_draws - expected) < 0.006);
}

static void test_draws_are_reproducible(void **state)
{
    (void)state;
    struct zipf zipf;
    uint64_t one = 7, two = 7;
    zipf_init(&zipf, 50000, 0.9);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(zipf_draw(&zipf, &one), zipf_draw(&zipf, &two));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rank_is_as_popular_as_its_power_says),
        cmocka_unit_test(test_one_rank_is_always_the_first),
        cmocka_unit_test(test_ranks_without_number_need_no_table),
        cmocka_unit_test(test_draws_are_reproducible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
