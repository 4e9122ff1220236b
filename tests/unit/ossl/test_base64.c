/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ossl/base64.h"

static enum { GOOD, BAD } decode(const char *text, const char *expected)
{
    uint8_t storage[64];
    struct mg_buffer out;
    mg_buffer_wrap(&out, storage, sizeof(storage));
    if (!base64_decode(&out, mg_slice_of_text(text))) {
        return BAD;
    }
    assert_true(mg_slice_equal(mg_buffer_slice(&out), mg_slice_of_text(expected)));
    return GOOD;
}

/* RFC 4648 section 10. */
static void test_the_rfcs_examples_both_ways(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < MG_ARRAY_LEN(pairs); i++) {
        uint8_t storage[64];
        struct mg_buffer out;
        mg_buffer_wrap(&out, storage, sizeof(storage));
        base64_encode(&out, mg_slice_of_text(pairs[i][0]));
        assert_true(mg_slice_equal(mg_buffer_slice(&out), mg_slice_of_text(pairs[i][1])));
        assert_int_equal(decode(pairs[i][1], pairs[i][0]), GOOD);
    }
}

static void test_white_space_is_skipped_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(decode(" Zm\r\n9v\tYg\n==\n", "foob"), GOOD);
    static const char *const bad[] = {"Z",    "Zg",    "Zg=",  "Zg===", "Zg==Zg==", "Z===", "====",   "=Zg=",
                                      "Zm=v", "Zm9v!", "Zm9_", "Zm9-",  "Zh==",     "Zm9=", "\x80zzz"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(decode(bad[i], ""), BAD);
    }
}

static void test_a_full_buffer_is_said(void **state)
{
    (void)state;
    uint8_t storage[2];
    struct mg_buffer out;
    mg_buffer_wrap(&out, storage, sizeof(storage));
    assert_false(base64_decode(&out, mg_slice_of_text("Zm9v")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rfcs_examples_both_ways),
        cmocka_unit_test(test_white_space_is_skipped_and_nothing_else),
        cmocka_unit_test(test_a_full_buffer_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
