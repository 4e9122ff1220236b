/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/ctl/samples.h"

static int64_t find(const char *text, const char *name)
{
    int64_t value = -1;
    return samples_find(text, name, &value) ? value : -1;
}

static void test_the_sample_of_exactly_that_name_is_found(void **state)
{
    (void)state;
    const char *text = "# TYPE hits counter\nhits_total{by=\"x\"} 1\nhits_total 2\nmy_hits 3\nhits 4\nlast 5";
    assert_int_equal(find(text, "hits"), 4);
    assert_int_equal(find(text, "hits_total"), 2);
    assert_int_equal(find(text, "last"), 5);
    assert_int_equal(find(text, "hit"), -1);
    assert_int_equal(find("", "hits"), -1);
}

static void test_what_is_no_whole_number_is_no_sample(void **state)
{
    (void)state;
    const char *const texts[] = {"a \n", "a -1\n", "a 1.5\n", "a NaN\n", "a  1\n", "a 99999999999999999999\n", "a "};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(find(texts[i], "a"), -1);
    }
    assert_int_equal(find("a 9223372036854775807\n", "a"), INT64_MAX);
}

static int64_t sum(const char *text, const char *name)
{
    int64_t value = -1;
    return samples_sum(text, name, &value) ? value : -1;
}

static void test_a_family_is_added_up(void **state)
{
    (void)state;
    const char *text = "# HELP a\na{b=\"c d\"} 1\na{b=\"e\"} 20\na_more{b=\"e\"} 300\na 4000\nba 50000";
    assert_int_equal(sum(text, "a"), 4021);
    assert_int_equal(sum(text, "a_more"), 300);
    assert_int_equal(find(text, "a{b=\"e\"}"), 20);
    assert_int_equal(sum(text, "b"), -1);
    assert_int_equal(sum("", "a"), -1);
    assert_int_equal(sum("a{b=\"\"} 1\na{c=\"\"} x\n", "a"), -1);
    assert_int_equal(sum("a{", "a"), -1);
    assert_int_equal(sum("a{b} 9223372036854775807\na 1\n", "a"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sample_of_exactly_that_name_is_found),
        cmocka_unit_test(test_what_is_no_whole_number_is_no_sample),
        cmocka_unit_test(test_a_family_is_added_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
