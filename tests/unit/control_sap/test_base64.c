/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ossl/base64.h"

static uint8_t storage[64];
static struct mg_buffer out;

static bool decodes(const char *text)
{
    mg_buffer_wrap(&out, storage, sizeof(storage));
    return base64_decode(mg_slice_of_text(text), &out);
}

static void expect(const char *text, const char *bytes)
{
    assert_true(decodes(text));
    assert_true(mg_slice_equal(mg_buffer_slice(&out), mg_slice_of_text(bytes)));
}

/* both is expect, and the other way round. */
static void both(const char *text, const char *bytes)
{
    expect(text, bytes);
    mg_buffer_clear(&out);
    base64_encode(mg_slice_of_text(bytes), &out);
    assert_true(mg_slice_equal(mg_buffer_slice(&out), mg_slice_of_text(text)));
}

/* RFC 4648 section 10. */
static void test_the_vectors_of_the_rfc(void **state)
{
    (void)state;
    both("", "");
    both("Zg==", "f");
    both("Zm8=", "fo");
    both("Zm9v", "foo");
    both("Zm9vYg==", "foob");
    both("Zm9vYmE=", "fooba");
    both("Zm9vYmFy", "foobar");
    both("+/+/", "\xfb\xff\xbf");
}

static void test_spaces_and_ends_of_lines_are_skipped(void **state)
{
    (void)state;
    expect(" Zm9v\r\n\tYm Fy\n", "foobar");
}

static void test_what_is_no_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",        "Zg",    "Zg=",      "Zg===", "Z===",     "====",
                                      "Zg==Zg==", "Zm9v=", "Zm9v====", "Zh==",  "Zm9=Zm9v", "Zm-v",
                                      "Zm_v",     "Zm9v.", "=Zm9",     "Zg=x",  "Zm9\xff"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(decodes(bad[i]));
    }
}

static void test_more_than_the_buffer_takes_is_refused(void **state)
{
    (void)state;
    mg_buffer_wrap(&out, storage, 5);
    assert_false(base64_decode(mg_slice_of_text("Zm9vYmFy"), &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vectors_of_the_rfc),
        cmocka_unit_test(test_spaces_and_ends_of_lines_are_skipped),
        cmocka_unit_test(test_what_is_no_base64_is_refused),
        cmocka_unit_test(test_more_than_the_buffer_takes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
