/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "control/securosys/ska_error.h"

/* contracts.md section 4.5. */
static void test_codes_have_the_vendors_statuses_and_words(void **state)
{
    (void)state;
    static const struct {
        enum ska_code code;
        unsigned http_status;
    } cases[] = {{SKA_MISSING_APPROVAL, 400}, {SKA_TIMESTAMP_OFF, 400}, {SKA_CLIENT, 403},  {SKA_NOT_LICENSED, 403},
                 {SKA_INVALID_ENUM, 400},     {SKA_INPUT, 400},         {SKA_API_KEY, 401}, {SKA_NO_KEY, 404},
                 {SKA_NO_APPROVER, 404},      {SKA_IN_HSM, 500}};
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        assert_int_equal(ska_code_http_status(cases[i].code), cases[i].http_status);
        assert_int_equal(strncmp(ska_code_reason(cases[i].code), "res.error.", 10), 0);
        assert_string_not_equal(ska_code_reason(cases[i].code), "res.error.unknown");
    }
    assert_string_equal(ska_code_reason(SKA_API_KEY), "res.error.invalid.api.key");
}

static void test_a_failure_has_its_class(void **state)
{
    (void)state;
    struct ska_error error = {.code = SKA_NO_CODE};
    assert_int_equal(ska_fail(&error, SKA_NO_TASK, "id: %s", "none"), MG_NOT_FOUND);
    assert_string_equal(error.why.text, "id: none");
    assert_int_equal(ska_fail(&error, SKA_KEY_EXISTS, "x"), MG_EXISTS);
    assert_int_equal(ska_fail(&error, SKA_INPUT, "x"), MG_INVALID);
    assert_int_equal(ska_fail(&error, SKA_IN_HSM, "x"), MG_INTERNAL);
    error = (struct ska_error){.code = SKA_NO_CODE};
    assert_int_equal(ska_code_of(&error, MG_INVALID), SKA_INPUT);
    assert_int_equal(ska_code_of(&error, MG_LIMIT), SKA_CLIENT);
    assert_int_equal(ska_code_of(&error, MG_IO), SKA_IN_HSM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_have_the_vendors_statuses_and_words),
        cmocka_unit_test(test_a_failure_has_its_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
