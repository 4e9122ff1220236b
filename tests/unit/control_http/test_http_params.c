/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "control/http/params.h"
#include "control/http/scan.h"

static struct http_params params;

static enum mg_status decode(const char *text)
{
    http_params_free(&params);
    return http_params_decode(&params, mg_slice_of_text(text), NULL);
}

static void assert_param(const char *name, const char *value)
{
    const char *found = http_params_get0(&params, name);
    assert_non_null(found);
    assert_string_equal(found, value);
}

static int tear_down(void **state)
{
    (void)state;
    http_params_free(&params);
    return 0;
}

/* contracts.md 1.3: a vendor's client asks for "?&pageSize=1000&page=1". */
static void test_a_stray_ampersand_is_no_parameter(void **state)
{
    (void)state;
    assert_int_equal(decode("&pageSize=1000&&page=1&"), MG_OK);
    assert_int_equal(params.num_items, 2);
    assert_param("pageSize", "1000");
    assert_param("page", "1");
    assert_null(http_params_get0(&params, ""));
}

static void test_escapes_and_plus_are_decoded(void **state)
{
    (void)state;
    assert_int_equal(decode("audience=https%3A%2F%2Fapi.zscaler.com&n%61me=two+words&empty=&bare&eq=a=b"), MG_OK);
    assert_param("audience", "https://api.zscaler.com");
    assert_param("name", "two words");
    assert_param("empty", "");
    assert_param("bare", "");
    assert_param("eq", "a=b");
}

static void test_wrong_escapes_nul_and_what_is_no_utf8_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"a=%",   "a=%4",  "a=%zz",    "a=%4g",       "%=1",     "a=x%00y",
                                      "%00=1", "a=%ff", "%c0%80=1", "a=%ed%a0%80", "a=%e2%82"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(decode(bad[i]), MG_INVALID);
        assert_int_equal(params.num_items, 0);
    }
    assert_int_equal(http_params_decode(&params, mg_slice_of("a=\0b", 4), NULL), MG_INVALID);
}

static void test_a_name_given_twice_is_refused(void **state)
{
    (void)state;
    assert_int_equal(decode("client_id=a&client_id=a"), MG_INVALID);
    assert_int_equal(decode("client_id=a&client%5fid=b"), MG_INVALID);
}

static void test_too_many_parameters_are_refused(void **state)
{
    (void)state;
    char text[HTTP_MAX_PARAMS * 8 + 8];
    size_t len = 0;
    for (int i = 0; i < HTTP_MAX_PARAMS; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "a%d=1&", i);
    }
    assert_int_equal(decode(text), MG_OK);
    assert_int_equal(params.num_items, HTTP_MAX_PARAMS);
    snprintf(text + len, sizeof(text) - len, "b=1");
    assert_int_equal(decode(text), MG_LIMIT);
}

static void test_numbers_are_digits_within_bounds(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_int_equal(decode("a=12&b=-1&c=1x&d=18446744073709551616&e=&f=18446744073709551615"), MG_OK);
    assert_int_equal(http_params_number(&params, "a", 1, 12, 5, &value, NULL), MG_OK);
    assert_int_equal(value, 12);
    assert_int_equal(http_params_number(&params, "a", 1, 11, 5, &value, NULL), MG_INVALID);
    assert_int_equal(http_params_number(&params, "a", 13, 99, 5, &value, NULL), MG_INVALID);
    assert_int_equal(http_params_number(&params, "none", 1, 9, 5, &value, NULL), MG_OK);
    assert_int_equal(value, 5);
    static const char *const bad[] = {"b", "c", "d", "e"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(http_params_number(&params, bad[i], 0, UINT64_MAX, 5, &value, NULL), MG_INVALID);
    }
    assert_int_equal(http_params_number(&params, "f", 0, UINT64_MAX, 5, &value, NULL), MG_OK);
    assert_true(value == UINT64_MAX);
}

static void assert_range(const char *query, size_t total, size_t want_first, size_t want_num)
{
    struct http_paging paging;
    size_t first, num;
    assert_int_equal(decode(query), MG_OK);
    assert_int_equal(http_paging_read(&params, 100, 1000, &paging, NULL), MG_OK);
    http_paging_range(&paging, total, &first, &num);
    assert_int_equal(first, want_first);
    assert_int_equal(num, want_num);
}

static void test_pages_count_from_one_and_end_with_the_list(void **state)
{
    (void)state;
    assert_range("", 250, 0, 100);
    assert_range("page=3", 250, 200, 50);
    assert_range("page=4", 250, 250, 0);
    assert_range("page=2&pageSize=3", 8, 3, 3);
    assert_range("pageSize=4000000", 5000, 0, 1000); /* clamped to the largest page */
    assert_range("page=4294967295&pageSize=1000", 5000, 5000, 0);
    struct http_paging paging;
    static const char *const bad[] = {"page=0", "page=-1", "page=x", "pageSize=0", "page=4294967296"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(decode(bad[i]), MG_OK);
        assert_int_equal(http_paging_read(&params, 100, 1000, &paging, NULL), MG_INVALID);
    }
}

static void test_parameters_of_headers_are_found(void **state)
{
    (void)state;
    struct mg_slice value;
    struct mg_slice header = mg_slice_of_text("form-data; NAME=\"a;b\\\"c\" ; filename=plain;x=");
    assert_true(scan_header_parameter(header, "name", &value));
    assert_true(mg_slice_equal(value, mg_slice_of_text("a;b\\\"c")));
    assert_true(scan_header_parameter(header, "filename", &value));
    assert_true(mg_slice_equal(value, mg_slice_of_text("plain")));
    assert_true(scan_header_parameter(header, "x", &value));
    assert_int_equal(value.len, 0);
    assert_false(scan_header_parameter(header, "b", &value));
    assert_false(scan_header_parameter(mg_slice_of_text("form-data; name=\"open"), "name", &value));
    assert_false(scan_header_parameter(mg_slice_of_text("name=x"), "name", &value));
}

#define PARAMS_TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARAMS_TEST(test_a_stray_ampersand_is_no_parameter),
        PARAMS_TEST(test_escapes_and_plus_are_decoded),
        PARAMS_TEST(test_wrong_escapes_nul_and_what_is_no_utf8_are_refused),
        PARAMS_TEST(test_a_name_given_twice_is_refused),
        PARAMS_TEST(test_too_many_parameters_are_refused),
        PARAMS_TEST(test_numbers_are_digits_within_bounds),
        PARAMS_TEST(test_pages_count_from_one_and_end_with_the_list),
        PARAMS_TEST(test_parameters_of_headers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
