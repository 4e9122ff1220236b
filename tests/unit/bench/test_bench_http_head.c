/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_slice(struct mg_slice slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
}

static void test_a_head_ends_with_its_empty_line(void **state)
{
    (void)state;
    const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (size_t len = 0; len < sizeof(head) - 1; len++) {
        assert_int_equal(http_head_len(mg_slice_of(head, len)), 0);
    }
    assert_int_equal(http_head_len(mg_slice_of_text(head)), sizeof(head) - 1);
    assert_int_equal(http_head_len(mg_slice_of_text("A\n\nbody")), 3); /* RFC 9112 section 2.2 */
}

static void test_words_and_lines_are_taken_in_turn(void **state)
{
    (void)state;
    struct mg_slice in = mg_slice_of_text("one two\r\nthree\nfour"), line, word;
    assert_true(http_take_line(&in, &line));
    assert_true(http_take_word(&line, ' ', &word));
    assert_slice(word, "one");
    assert_true(http_take_word(&line, ' ', &word));
    assert_slice(word, "two");
    assert_false(http_take_word(&line, ' ', &word));
    assert_true(http_take_line(&in, &line));
    assert_slice(line, "three");
    assert_false(http_take_line(&in, &line)); /* without its end it is not whole */
    assert_slice(in, "four");
}

static void test_fields_are_found_in_any_case_without_blanks(void **state)
{
    (void)state;
    struct mg_slice fields = mg_slice_of_text("Host: a\r\nCONTENT-length: \t 12 \r\nHost: b\r\n\r\n"), value;
    assert_true(http_field(fields, "Content-Length", &value));
    assert_slice(value, "12");
    assert_true(http_field(fields, "host", &value));
    assert_slice(value, "a");
    assert_false(http_field(fields, "Hos", &value));
    assert_false(http_field(mg_slice_of_text(""), "Host", &value));
}

static void test_numbers_are_digits_alone_and_fit(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(http_number(mg_slice_of_text("18446744073709551615"), 10, &value));
    assert_true(value == UINT64_MAX);
    assert_false(http_number(mg_slice_of_text("18446744073709551616"), 10, &value)); /* the last digit is too much */
    assert_false(http_number(mg_slice_of_text("18446744073709551620"), 10, &value)); /* the last but one */
    assert_true(http_number(mg_slice_of_text("Ff"), 16, &value));
    assert_int_equal(value, 255);
    const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1a", "g"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(http_number(mg_slice_of_text(bad[i]), 10, &value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_head_ends_with_its_empty_line),
        cmocka_unit_test(test_words_and_lines_are_taken_in_turn),
        cmocka_unit_test(test_fields_are_found_in_any_case_without_blanks),
        cmocka_unit_test(test_numbers_are_digits_alone_and_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
