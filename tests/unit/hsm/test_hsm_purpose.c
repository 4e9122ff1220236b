/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "hsm/purpose.h"

/* design.md section 1: the whole matrix, written out, so that a change of the table is a change here. */
static void test_each_call_accepts_its_purposes(void **state)
{
    (void)state;
    static const struct {
        enum key_purpose purpose;
        bool allowed[KEY_NUM_CALLS]; /* in the order of enum key_call */
    } matrix[] = {
        {KEY_MINTING,
         {[KEY_CALL_SIGN_LEAF] = true,
          [KEY_CALL_SIGN_CSR] = true,
          [KEY_CALL_MAKE] = true,
          [KEY_CALL_DESTROY] = true,
          [KEY_CALL_ATTEST] = true,
          [KEY_CALL_INSTALL] = true,
          [KEY_CALL_IMPORT] = true}},
        {KEY_PRIVATE_CA,
         {[KEY_CALL_SIGN_CA] = true,
          [KEY_CALL_SIGN_CSR] = true,
          [KEY_CALL_MAKE] = true,
          [KEY_CALL_DESTROY] = true,
          [KEY_CALL_INSTALL] = true}},
        {KEY_SKA, {[KEY_CALL_MAKE] = true, [KEY_CALL_DESTROY] = true, [KEY_CALL_SKA_SIGN] = true}},
        {KEY_TLS_CLIENT, {[KEY_CALL_DESTROY] = true, [KEY_CALL_IMPORT] = true, [KEY_CALL_CLIENT_SIGN] = true}},
        {KEY_SERVER_TLS, {false}},
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
        cmocka_unit_test(test_each_call_accepts_its_purposes),
        cmocka_unit_test(test_only_five_numbers_are_purposes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
