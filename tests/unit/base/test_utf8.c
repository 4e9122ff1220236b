/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

/* RFC 3629 section 3: the ends of each length. */
static void test_characters_of_each_length_are_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t character;
    } rows[] = {
        {"A", 'A'},
        {"\x7f", 0x7f},
        {"\xc2\x80", 0x80},
        {"\xdf\xbf", 0x7ff},
        {"\xe0\xa0\x80", 0x800},
        {"\xed\x9f\xbf", 0xd7ff},
        {"\xee\x80\x80", 0xe000},
        {"\xef\xbf\xbf", 0xffff},
        {"\xf0\x90\x80\x80", 0x10000},
        {"\xf4\x8f\xbf\xbf", 0x10ffff},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        struct mg_slice in = mg_slice_of_text(rows[i].text);
        uint32_t character;
        assert_true(mg_utf8_take(&in, &character));
        assert_int_equal(character, rows[i].character);
        assert_int_equal(in.len, 0);
    }
}

/* RFC 3629 section 4: each of these is no character, and nothing is taken. */
static void test_what_is_no_character_is_not_taken(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2"
        "A",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe1\x80",
        "\xe1\x80"
        "A",
        "\xf0\x8f\xbf\xbf",
        "\xf1\x80\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "",
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        struct mg_slice in = mg_slice_of_text(rows[i]);
        uint32_t character;
        assert_false(mg_utf8_take(&in, &character));
        assert_int_equal(in.len, strlen(rows[i]));
    }
}

static void test_a_label_has_no_control_characters_and_is_well_formed(void **state)
{
    (void)state;
    static const char *const good[] = {"", "Corp Inspection CA", "Z\xc3\xbcrich \xe2\x80\x94 \xf0\x9f\x94\x91",
                                       "\xc2\xa0"};
    static const char *const bad[] = {"a\nb", "\x1f", "\x7f", "\xc2\x80", "\xc2\x9f", "a\xff", "ab\xc3"};
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        assert_true(mg_utf8_is_label(mg_slice_of_text(good[i])));
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(mg_utf8_is_label(mg_slice_of_text(bad[i])));
    }
    assert_false(mg_utf8_is_label(mg_slice_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters_of_each_length_are_taken),
        cmocka_unit_test(test_what_is_no_character_is_not_taken),
        cmocka_unit_test(test_a_label_has_no_control_characters_and_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
