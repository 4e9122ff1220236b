/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ossl/pem_block.h"

static enum mg_status decode(const char *text, const char *want)
{
    struct mg_buffer der;
    struct mg_error error = {""};
    mg_buffer_init(&der, 64);
    enum mg_status status = pem_block_decode(mg_slice_of_text(text), "X", &der, &error);
    if (status == MG_OK) {
        assert_true(mg_slice_equal(mg_buffer_slice(&der), mg_slice_of_text(want)));
    } else {
        assert_true(error.text[0] != '\0');
    }
    mg_buffer_free(&der);
    return status;
}

#define BEGIN "-----BEGIN X-----"
#define END "-----END X-----"

static void test_one_line_or_many_and_either_line_end(void **state)
{
    (void)state;
    assert_int_equal(decode(BEGIN "\nYWJjZA==\n" END, "abcd"), MG_OK);
    assert_int_equal(decode("\n " BEGIN "\r\nYWJj\r\nZA==\r\n" END "\r\n", "abcd"), MG_OK);
    assert_int_equal(decode(BEGIN "\nYW\nJjZ\nA\n==\n" END "\n", "abcd"), MG_OK);
    assert_int_equal(decode(BEGIN "\nYWJjZGU=\n" END, "abcde"), MG_OK);
    assert_int_equal(decode(BEGIN "\nYWJjZGVm\n" END, "abcdef"), MG_OK);
}

/* The vendor's document: a newline after the BEGIN line and in front of the END line. */
static void test_a_newline_must_stand_on_both_sides(void **state)
{
    (void)state;
    assert_int_equal(decode(BEGIN "YWJjZA==\n" END, ""), MG_INVALID);
    assert_int_equal(decode(BEGIN "\nYWJjZA==" END, ""), MG_INVALID);
    assert_int_equal(decode(BEGIN "YWJjZA==" END, ""), MG_INVALID);
}

static void test_what_is_no_block_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        BEGIN,
        END,
        BEGIN END,
        BEGIN "\n" END,
        BEGIN "\n\n" END,
        "x" BEGIN "\nYWJj\n" END,
        BEGIN "\nYWJj\n" END "x",
        BEGIN "\nYWJ\n" END,
        BEGIN "\nYW=j\n" END,
        BEGIN "\n====\n" END,
        BEGIN "\nYWJj-\n" END,
        BEGIN "\nYWJj\n" END "\n" BEGIN "\nYWJj\n" END,
        "-----BEGIN Y-----\nYWJj\n-----END Y-----",
        BEGIN "\nYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJj\n" END,
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(decode(bad[i], ""), MG_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_line_or_many_and_either_line_end),
        cmocka_unit_test(test_a_newline_must_stand_on_both_sides),
        cmocka_unit_test(test_what_is_no_block_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
