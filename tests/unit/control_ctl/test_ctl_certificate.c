/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/ctl/certificate.h"

static int64_t match(const char *text)
{
    json_t *list = json_loads("[{\"id\": 1, \"name\": \"built in\"}, {\"id\": 2, \"name\": \"3\"},"
                              " {\"id\": 3, \"name\": \"corp\"}, {\"id\": 4, \"name\": \"2026\"}, 5]",
                              0, NULL);
    assert_non_null(list);
    const json_t *cert = certificate_match(list, text);
    int64_t id = cert == NULL ? 0 : ctl_number(cert, "id");
    json_decref(list);
    return id;
}

static void test_an_id_is_found_before_a_name_that_looks_like_it(void **state)
{
    (void)state;
    assert_int_equal(match("3"), 3);
    assert_int_equal(match("2026"), 4);
}

static void test_a_name_must_be_exact(void **state)
{
    (void)state;
    assert_int_equal(match("corp"), 3);
    assert_int_equal(match("built in"), 1);
    assert_int_equal(match("Corp"), 0);
    assert_int_equal(match("cor"), 0);
    assert_int_equal(match("03"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_id_is_found_before_a_name_that_looks_like_it),
        cmocka_unit_test(test_a_name_must_be_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
