/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/ctl/table.h"

static void expect(const char *const *cells, size_t num_rows, size_t num_columns, const char *expected)
{
    char storage[256];
    struct mg_buffer out;
    mg_buffer_wrap(&out, storage, sizeof(storage));
    table_write(&out, cells, num_rows, num_columns);
    mg_buffer_append_u8(&out, '\0');
    assert_true(mg_buffer_ok(&out));
    assert_string_equal(storage, expected);
}

static void test_columns_are_as_wide_as_their_longest_cell(void **state)
{
    (void)state;
    const char *const cells[] = {"ID", "NAME", "STATE", "1", "a longer name", "READY", "12", "b", "DONE"};
    expect(cells, 3, 3, "ID  NAME           STATE\n1   a longer name  READY\n12  b              DONE\n");
}

static void test_no_spaces_at_the_end_of_a_line(void **state)
{
    (void)state;
    const char *const cells[] = {"a", "default", "b", "", "c", NULL};
    expect(cells, 3, 2, "a  default\nb\nc\n");
}

static void test_widths_count_characters_of_utf8(void **state)
{
    (void)state;
    const char *const cells[] = {"Z\xc3\xbcrich", "x", "London", "y"};
    expect(cells, 2, 2, "Z\xc3\xbcrich  x\nLondon  y\n");
}

static void test_control_characters_cannot_reach_the_terminal(void **state)
{
    (void)state;
    const char *const cells[] = {"a\x1b[2Jb\n\x7f", "c\xc2\x9b\x32J"};
    expect(cells, 1, 2, "a?[2Jb??  c?2J\n");
}

static void expect_table(struct table *table, const char *expected)
{
    char storage[256];
    struct mg_buffer out;
    mg_buffer_wrap(&out, storage, sizeof(storage));
    table_end(table, &out);
    mg_buffer_append_u8(&out, '\0');
    assert_true(mg_buffer_ok(&out));
    assert_string_equal(storage, expected);
}

static void test_a_table_copies_its_cells(void **state)
{
    (void)state;
    static const char *const titles[] = {"NAME", "ENTRIES"};
    struct table table;
    char name[] = "first";
    table_begin(&table, titles, MG_ARRAY_LEN(titles));
    table_add(&table, name);
    table_add_number(&table, 7);
    strcpy(name, "next");
    table_add(&table, name);
    table_add_number(&table, -1);
    expect_table(&table, "NAME   ENTRIES\nfirst  7\nnext   -1\n");
    table_begin(&table, NULL, 2);
    table_add(&table, "no");
    table_add(&table, "title");
    expect_table(&table, "no  title\n");
    table_begin(&table, NULL, 2);
    expect_table(&table, "");
}

static void test_times_are_utc_and_no_time_is_a_dash(void **state)
{
    (void)state;
    char text[MG_CLOCK_TEXT_LEN];
    table_time(text, 1795254060);
    assert_string_equal(text, "2026-11-21 09:41:00Z");
    table_time(text, 0);
    assert_string_equal(text, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_their_longest_cell),
        cmocka_unit_test(test_no_spaces_at_the_end_of_a_line),
        cmocka_unit_test(test_widths_count_characters_of_utf8),
        cmocka_unit_test(test_control_characters_cannot_reach_the_terminal),
        cmocka_unit_test(test_a_table_copies_its_cells),
        cmocka_unit_test(test_times_are_utc_and_no_time_is_a_dash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
