/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/securosys/ska_compact.h"

static void assert_member(const char *json, const char *name, const char *expected)
{
    uint8_t storage[256];
    struct mg_buffer out;
    mg_buffer_wrap(&out, storage, sizeof(storage));
    bool found = ska_compact_member(&out, mg_slice_of_text(json), name);
    assert_int_equal(found, expected != NULL);
    if (found) {
        assert_true(mg_slice_equal(mg_buffer_slice(&out), mg_slice_of_text(expected)));
    }
}

static void test_white_space_goes_and_texts_stay(void **state)
{
    (void)state;
    assert_member("{ \"a\" : { \"b\" : [ 1 , 2.50 ],\n\t\"c\": \"x  y\" } }", "a", "{\"b\":[1,2.50],\"c\":\"x  y\"}");
    assert_member("{\"a\":\"{}[],:\"}", "a", "\"{}[],:\"");
    assert_member("{\"a\":\"\\\"}\\\\\", \"b\": null}", "a", "\"\\\"}\\\\\"");
    assert_member("{\"a\": \"\\u00fc\xc3\xbc\"}", "a", "\"\\u00fc\xc3\xbc\""); /* as it came */
}

static void test_the_member_is_found_wherever_it_stands(void **state)
{
    (void)state;
    assert_member("{\"b\": {\"a\": 1}, \"a\": 2}", "a", "2");
    assert_member("{\"x\": [{\"a\": 1}], \"y\": \"a\", \"a\": true }", "a", "true");
}

static void test_what_is_not_there_is_not_found(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",       "{\"b\": 1}", "{\"b\": {\"a\": 1}}", "[]",        "", "{\"\\u0061\": 1}",
        "{\"a\": ", "{\"a",       "{\"a\": \"x",         "{\"a\": [1"};
    for (size_t i = 0; i < MG_ARRAY_LEN(texts); i++) {
        assert_member(texts[i], "a", NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_white_space_goes_and_texts_stay),
        cmocka_unit_test(test_the_member_is_found_wherever_it_stands),
        cmocka_unit_test(test_what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
