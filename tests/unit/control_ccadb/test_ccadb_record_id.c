/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/ccadb/record_id.h"

static bool is_valid(const char *text)
{
    return record_id_is_valid(mg_slice_of_text(text));
}

static void test_the_seeds_ids_are_valid(void **state)
{
    (void)state;
    assert_true(is_valid("0010r00000damffAAA"));
    assert_true(is_valid("0010r00000UqC4AAAV"));
}

static void test_ids_with_a_wrong_check_or_shape_are_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "0010r00000damff",    /* 15: Salesforce's other form */
        "1300870009327",      /* the seed's own, of 13 */
        "0010R00000damffAAA", /* another case, the same check */
        "0010r00000damffAAB",
        "0010r00000damffaaa",
        "0010r00000damffAAAA",
        "0010r00000damf-AAA",
        "0010r00000UqC4AAAA",
        "0010r00000damffAA6",
        " 010r00000damffAAA",
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(is_valid(bad[i]));
    }
    assert_false(record_id_is_valid(mg_slice_of("0010r00000damf\0AAA", 18)));
}

static void assert_round_trip(uint64_t number, const char *expected)
{
    char id[RECORD_ID_SIZE];
    uint64_t read;
    record_id_make(RECORD_ID_RECORD, number, id);
    if (expected != NULL) {
        assert_string_equal(id, expected);
    }
    assert_true(is_valid(id));
    assert_true(record_id_number(mg_slice_of_text(id), RECORD_ID_RECORD, &read));
    assert_true(read == number);
    assert_false(record_id_number(mg_slice_of_text(id), RECORD_ID_USER, &read));
}

static void test_a_number_comes_back_from_its_id(void **state)
{
    (void)state;
    assert_round_trip(0, "001Mg0000000000IAA");
    assert_round_trip(1, "001Mg0000000001IAA");
    assert_round_trip(35, "001Mg000000000ZIAQ");
    assert_round_trip(61, "001Mg000000000zIAA");
    assert_round_trip(62, "001Mg0000000010IAA");
    assert_round_trip(UINT64_C(13537086546263551), NULL); /* 62 to the power of 9, less one */
}

static void test_valid_ids_of_others_have_no_number(void **state)
{
    (void)state;
    uint64_t number;
    assert_false(record_id_number(mg_slice_of_text("0010r00000damffAAA"), RECORD_ID_RECORD, &number));
    assert_false(record_id_number(mg_slice_of_text("x"), RECORD_ID_RECORD, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_seeds_ids_are_valid),
        cmocka_unit_test(test_ids_with_a_wrong_check_or_shape_are_not),
        cmocka_unit_test(test_a_number_comes_back_from_its_id),
        cmocka_unit_test(test_valid_ids_of_others_have_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
