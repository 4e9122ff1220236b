/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "control/ccadb/values.h"

static void test_days_of_the_calendar(void **state)
{
    (void)state;
    static const char *const good[] = {"2024-02-29", "2000-02-29", "2023-12-31", "0001-01-01", "9999-12-31"};
    static const char *const bad[] = {"",           "2023-02-29", "1900-02-29", "2024-02-30",  "2024-04-31",
                                      "2024-00-01", "2024-13-01", "2024-01-00", "2024-01-32",  "0000-01-01",
                                      "2024-1-01",  "24-01-01",   "2024/01/01", "2024-01-01 ", "2024-01-0x",
                                      "20240101",   "-024-01-01", "2024-01-1:"};
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        assert_true(value_is_date(good[i]));
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(value_is_date(bad[i]));
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const secure[] = {"https://a", "HTTPS://a.example/x?y=1#z", "https://[::1]:8443/",
                                         "https://URL/a.PDF"};
    static const char *const plain[] = {"http://a/", "http://a.example:80/%41"};
    static const char *const bad[] = {"",
                                      "a",
                                      "https:/a",
                                      "https://",
                                      "https:///x",
                                      "https://?x",
                                      "ftp://a/",
                                      "ldap://a/",
                                      "http://a b",
                                      "http://a\"",
                                      "http://a<",
                                      "http://a\\b",
                                      "http://a\x01",
                                      "http://\xc3\xa4/",
                                      " http://a/",
                                      "http://@/",
                                      "http://:80/",
                                      "[http://a/](http://a/)"};
    for (size_t i = 0; i < MG_ARRAY_LEN(secure); i++) {
        assert_true(value_is_https(secure[i]) && value_is_url(secure[i]));
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(plain); i++) {
        assert_true(!value_is_https(plain[i]) && value_is_url(plain[i]));
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_true(!value_is_https(bad[i]) && !value_is_url(bad[i]));
    }
}

static void test_an_address_has_a_longest(void **state)
{
    (void)state;
    char url[VALUES_MAX_URL + 2] = "https://a/";
    memset(url + strlen(url), 'x', sizeof(url) - 1 - strlen(url));
    assert_false(value_is_url(url));
    url[VALUES_MAX_URL] = '\0';
    assert_true(value_is_url(url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_of_the_calendar),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_an_address_has_a_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
