/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/status.h"

static void test_each_class_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(mg_status_name(MG_OK), "ok");
    for (int i = MG_OK; i <= MG_INTERNAL; i++) {
        assert_string_not_equal(mg_status_name((enum mg_status)i), "unknown");
        for (int j = MG_OK; j < i; j++) {
            assert_string_not_equal(mg_status_name((enum mg_status)i), mg_status_name((enum mg_status)j));
        }
    }
    assert_string_equal(mg_status_name((enum mg_status)(MG_INTERNAL + 1)), "unknown");
}

static void test_setting_an_error_returns_its_class(void **state)
{
    (void)state;
    struct mg_error error;
    assert_int_equal(mg_error_set(&error, MG_LIMIT, "%s: %d", "field", 7), MG_LIMIT);
    assert_string_equal(error.text, "field: 7");
    assert_int_equal(mg_error_set(NULL, MG_DENIED, "x"), MG_DENIED);
}

static void test_a_long_text_is_cut(void **state)
{
    (void)state;
    struct mg_error error;
    (void)mg_error_set(&error, MG_INVALID, "%*s", 2000, "x");
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    errno = ENOENT;
    (void)mg_error_errno(&error, "%*s", 505, "");
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    assert_string_equal(error.text + 505, ": No s");
    (void)mg_error_errno(&error, "%*s", 2000, "");
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

static void test_the_text_of_errno_stands_behind(void **state)
{
    (void)state;
    struct mg_error error;
    errno = EACCES;
    assert_int_equal(mg_error_errno(&error, "cannot open %s", "file"), MG_IO);
    assert_string_equal(error.text, "cannot open file: Permission denied");
    assert_int_equal(mg_error_errno(NULL, "x"), MG_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_class_has_a_name_of_its_own),
        cmocka_unit_test(test_setting_an_error_returns_its_class),
        cmocka_unit_test(test_a_long_text_is_cut),
        cmocka_unit_test(test_the_text_of_errno_stands_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
