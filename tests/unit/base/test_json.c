/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

static char storage[256];
static struct mg_buffer out;

static int begin(void **state)
{
    (void)state;
    mg_buffer_wrap(&out, storage, sizeof(storage));
    return 0;
}

static void expect(const char *text)
{
    assert_true(mg_buffer_ok(&out));
    mg_buffer_append_u8(&out, '\0');
    assert_string_equal(storage, text);
    mg_buffer_clear(&out);
}

static void quotes(const char *text, const char *expected)
{
    mg_json_quote(&out, text);
    expect(expected);
}

static void test_commas_stand_between_values_only(void **state)
{
    (void)state;
    mg_json_begin_object(&out, NULL);
    mg_json_begin_array(&out, "empty");
    mg_json_end_array(&out);
    mg_json_begin_object(&out, "none");
    mg_json_end_object(&out);
    mg_json_begin_array(&out, "mixed");
    mg_json_uint(&out, NULL, 0);
    mg_json_string(&out, NULL, "{");
    mg_json_bool(&out, NULL, true);
    mg_json_begin_object(&out, NULL);
    mg_json_bool(&out, "no", false);
    mg_json_end_object(&out);
    mg_json_end_array(&out);
    mg_json_end_object(&out);
    expect("{\"empty\":[],\"none\":{},\"mixed\":[0,\"{\",true,{\"no\":false}]}");
}

static void test_objects_on_lines_of_their_own_have_no_comma_between(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        mg_json_begin_object(&out, NULL);
        mg_json_end_object(&out);
        mg_buffer_append_u8(&out, '\n');
    }
    expect("{}\n{}\n");
}

static void test_numbers(void **state)
{
    (void)state;
    mg_json_begin_array(&out, NULL);
    mg_json_uint(&out, NULL, 9);
    mg_json_uint(&out, NULL, 10);
    mg_json_uint(&out, NULL, UINT64_MAX);
    mg_json_end_array(&out);
    expect("[9,10,18446744073709551615]");
}

static void test_bytes_as_hexadecimal(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x9f, 0xa0};
    mg_json_begin_object(&out, NULL);
    mg_json_hex(&out, "some", bytes, sizeof(bytes));
    mg_json_hex(&out, "none", bytes, 0);
    mg_json_end_object(&out);
    expect("{\"some\":\"009fa0\",\"none\":\"\"}");
}

static void test_nothing_breaks_out_of_a_string(void **state)
{
    (void)state;
    quotes("", "\"\"");
    quotes("a\"b\\c", "\"a\\\"b\\\\c\"");
    quotes("\",\"admin\":true,\"", "\"\\\",\\\"admin\\\":true,\\\"\"");
    quotes("\x01line\nend\r\t\x1f\x7f", "\"\\u0001line\\u000aend\\u000d\\u0009\\u001f\\u007f\"");
    quotes("\\\"", "\"\\\\\\\"\"");
}

static void test_characters_beyond_ascii_are_escaped(void **state)
{
    (void)state;
    quotes("Pr\xc3\xbc"
           "fung",
           "\"Pr\\u00fcfung\"");
    quotes("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", "\"\\u0080\\u07ff\\u0800\\uffff\"");
    quotes("\xe2\x80\xa8", "\"\\u2028\""); /* ends lines in some readers */
    quotes("\xed\x9f\xbf\xee\x80\x80", "\"\\ud7ff\\ue000\"");
    quotes("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\"\\ud800\\udc00\\udbff\\udfff\"");
}

#define BAD "\\ufffd"

static void test_what_is_no_utf8_is_replaced_byte_by_byte(void **state)
{
    (void)state;
    quotes("\xff", "\"" BAD "\"");
    quotes("a\x80z", "\"a" BAD "z\"");
    quotes("\xc3", "\"" BAD "\"");                                               /* cut off */
    quotes("\xc3\"", "\"" BAD "\\\"\"");                                         /* the quote is not swallowed */
    quotes("\xe2\x82", "\"" BAD BAD "\"");                                       /* cut off later */
    quotes("\xf0\x9f\x98\"", "\"" BAD BAD BAD "\\\"\"");                         /* later still */
    quotes("\xc0\xaf", "\"" BAD BAD "\"");                                       /* overlong */
    quotes("\xc1\xbf", "\"" BAD BAD "\"");                                       /* overlong */
    quotes("\xe0\x9f\xbf", "\"" BAD BAD BAD "\"");                               /* overlong */
    quotes("\xf0\x8f\xbf\xbf", "\"" BAD BAD BAD BAD "\"");                       /* overlong */
    quotes("\xed\xa0\x80", "\"" BAD BAD BAD "\"");                               /* a surrogate */
    quotes("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"");                       /* beyond U+10FFFF */
    quotes("\xf5\x80\x80\x80", "\"" BAD BAD BAD BAD "\"");                       /* beyond it */
    quotes("\xe1\x7f\x80\xe1\x80\xc0", "\"" BAD "\\u007f" BAD BAD BAD BAD "\""); /* wrong second, wrong third byte */
}

static void test_a_full_buffer_is_marked(void **state)
{
    (void)state;
    char little[4];
    mg_buffer_wrap(&out, little, sizeof(little));
    mg_json_begin_object(&out, NULL);
    mg_json_string(&out, "key", "value");
    mg_json_end_object(&out);
    assert_false(mg_buffer_ok(&out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_commas_stand_between_values_only, begin),
        cmocka_unit_test_setup(test_objects_on_lines_of_their_own_have_no_comma_between, begin),
        cmocka_unit_test_setup(test_numbers, begin),
        cmocka_unit_test_setup(test_bytes_as_hexadecimal, begin),
        cmocka_unit_test_setup(test_nothing_breaks_out_of_a_string, begin),
        cmocka_unit_test_setup(test_characters_beyond_ascii_are_escaped, begin),
        cmocka_unit_test_setup(test_what_is_no_utf8_is_replaced_byte_by_byte, begin),
        cmocka_unit_test_setup(test_a_full_buffer_is_marked, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
