/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/text.h"

static const struct text_rule rule = {"name", 1, 4, "\"/"};
static char out[TEXT_SIZE(4)];

static enum mg_status set(const char *text, size_t len)
{
    struct mg_error error = {""};
    memcpy(out, "kept", sizeof("kept"));
    enum mg_status status = text_set(out, mg_slice_of(text, len), &rule, &error);
    if (status != MG_OK) {
        assert_string_equal(out, "kept");
        assert_memory_equal(error.text, "name: ", 6);
    }
    return status;
}
#define SET(literal) set(literal, sizeof(literal) - 1)

static void test_characters_are_counted_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(SET("\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91"), MG_OK);
    assert_int_equal(strlen(out), 16);
    assert_int_equal(SET("abcd"), MG_OK);
    assert_string_equal(out, "abcd");
    assert_int_equal(SET("abcde"), MG_INVALID);
    assert_int_equal(SET(""), MG_INVALID);
}

/* RFC 3629 section 4; the forms at both edges of each range. */
static void test_what_is_no_utf8_is_refused(void **state)
{
    (void)state;
    assert_int_equal(SET("\xc2\xa0\xdf\xbf"), MG_OK);
    assert_int_equal(SET("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), MG_OK);
    assert_int_equal(SET("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), MG_OK);
    assert_int_equal(SET("\x80"), MG_INVALID);
    assert_int_equal(SET("\xc1\xbf"), MG_INVALID);         /* overlong */
    assert_int_equal(SET("\xe0\x9f\xbf"), MG_INVALID);     /* overlong */
    assert_int_equal(SET("\xed\xa0\x80"), MG_INVALID);     /* a surrogate */
    assert_int_equal(SET("\xf0\x8f\xbf\xbf"), MG_INVALID); /* overlong */
    assert_int_equal(SET("\xf4\x90\x80\x80"), MG_INVALID); /* beyond U+10FFFF */
    assert_int_equal(SET("\xe2\x82"), MG_INVALID);         /* cut */
    assert_int_equal(SET("\xe2\x82x"), MG_INVALID);
    assert_int_equal(SET("\xff"), MG_INVALID);
}

static void test_control_and_forbidden_characters_are_refused(void **state)
{
    (void)state;
    assert_int_equal(SET("a\nb"), MG_INVALID);
    assert_int_equal(SET("a\0b"), MG_INVALID);
    assert_int_equal(SET("a\x7f"), MG_INVALID);
    assert_int_equal(SET("\xc2\x85"), MG_INVALID); /* C1: next line */
    assert_int_equal(SET("a\"b"), MG_INVALID);
    assert_int_equal(SET("a b"), MG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters_are_counted_not_bytes),
        cmocka_unit_test(test_what_is_no_utf8_is_refused),
        cmocka_unit_test(test_control_and_forbidden_characters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
