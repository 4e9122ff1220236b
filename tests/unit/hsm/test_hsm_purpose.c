/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "hsm/purpose.h"

/* design.md section 1: the whole matrix, written out, so that a change of the table is a change here. */
static void test_each_use_of_a_key_accepts_one_purpose(void **state)
{
    (void)state;
    static const struct {
        enum key_purpose purpose;
        /* sign a leaf, sign a CA certificate, sign a CSR, be made, imported, destroyed, attest */
        bool allowed[KEY_NUM_CALLS];
    } matrix[] = {
        {KEY_MINTING, {true, false, true, true, true, true, true}},
        {KEY_PRIVATE_CA, {false, true, false, false, false, false, false}},
        {KEY_SKA, {false, false, false, false, false, false, false}},
        {KEY_TLS_CLIENT, {false, false, false, false, true, true, false}},
        {KEY_SERVER_TLS, {false, false, false, false, false, false, false}},
    };
    assert_int_equal(MG_ARRAY_LEN(matrix), KEY_PURPOSE_LAST - KEY_PURPOSE_FIRST + 1);
    for (size_t i = 0; i < MG_ARRAY_LEN(matrix); i++) {
        for (int call = 0; call < KEY_NUM_CALLS; call++) {
            assert_int_equal(key_purpose_allows(matrix[i].purpose, (enum key_call)call), matrix[i].allowed[call]);
        }
    }
}

static void test_only_five_numbers_are_purposes(void **state)
{
    (void)state;
    for (unsigned number = 0; number <= 255; number++) {
        assert_int_equal(key_purpose_is_known((uint8_t)number), number >= 1 && number <= 5);
    }
    assert_string_equal(key_purpose_name(KEY_MINTING), "minting");
    assert_string_equal(key_purpose_name(KEY_PRIVATE_CA), "private-ca");
    assert_string_equal(key_purpose_name(KEY_SKA), "ska");
    assert_string_equal(key_purpose_name(KEY_TLS_CLIENT), "tls-client");
    assert_string_equal(key_purpose_name(KEY_SERVER_TLS), "server-tls");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_use_of_a_key_accepts_one_purpose),
        cmocka_unit_test(test_only_five_numbers_are_purposes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
