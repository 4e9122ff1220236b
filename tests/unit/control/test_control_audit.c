/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "control/audit.h"
#include "tests/unit/hsm/temp_dir.h"

static struct store *store;
static struct mg_error error;

static int open_store(void **state)
{
    static const struct store_migrations *const modules[] = {&audit_migrations};
    return temp_dir_make(state) == 0 && store_open(&store, temp_path("control.db"), modules, 1, &error) == MG_OK ? 0
                                                                                                                 : -1;
}

static int close_store(void **state)
{
    store_close(store);
    return temp_dir_remove(state);
}

static enum mg_status append(int64_t time_us)
{
    const struct audit_entry entry = {
        .time_us = time_us,
        .actor = {"bob", CONTROL_OPERATOR, "192.0.2.7"},
        .operation = "makeDefault",
        .object = "intermediate/7",
        .outcome = AUDIT_REFUSED,
        .detail = "{\"epoch\":3}",
    };
    struct store_tx *tx;
    enum mg_status status = store_begin(store, STORE_WRITE, &tx, &error);
    return status == MG_OK ? store_end(tx, audit_append(tx, &entry, &error), &error) : status;
}

struct page {
    int64_t ids[8], last_time;
    size_t num, num_visits;
};

static enum mg_status collect(void *context, const struct audit_entry *entry, struct mg_error *why)
{
    struct page *page = context;
    page->num_visits++;
    if (page->num == MG_ARRAY_LEN(page->ids)) {
        return mg_error_set(why, MG_LIMIT, "full");
    }
    page->ids[page->num++] = entry->id;
    page->last_time = entry->time_us;
    assert_string_equal(entry->actor.name, "bob");
    assert_int_equal(entry->actor.role, CONTROL_OPERATOR);
    assert_string_equal(entry->actor.source, "192.0.2.7");
    assert_string_equal(entry->operation, "makeDefault");
    assert_string_equal(entry->object, "intermediate/7");
    assert_int_equal(entry->outcome, AUDIT_REFUSED);
    assert_string_equal(entry->detail, "{\"epoch\":3}");
    return MG_OK;
}

static enum mg_status list(int64_t before, size_t max, struct page *out)
{
    struct store_tx *tx;
    *out = (struct page){.num = 0};
    enum mg_status status = store_begin(store, STORE_READ, &tx, &error);
    return status == MG_OK ? store_end(tx, audit_list(tx, before, max, collect, out, &error), &error) : status;
}

static void test_entries_come_back_page_by_page_from_the_newest(void **state)
{
    (void)state;
    struct page page;
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(append(1000 + i), MG_OK);
    }
    assert_int_equal(list(0, 2, &page), MG_OK);
    assert_int_equal(page.num, 2);
    assert_int_equal(page.ids[0], 5);
    assert_int_equal(page.last_time, 1004);
    assert_int_equal(list(page.ids[1], 2, &page), MG_OK);
    assert_int_equal(page.ids[0], 3);
    assert_int_equal(page.ids[1], 2);
    assert_int_equal(list(page.ids[1], 2, &page), MG_OK);
    assert_int_equal(page.num, 1);
    assert_int_equal(list(1, 2, &page), MG_OK);
    assert_int_equal(page.num, 0);
}

static void test_a_visitor_that_fails_ends_the_walk(void **state)
{
    (void)state;
    struct page page;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(append(i), MG_OK);
    }
    assert_int_equal(list(0, SIZE_MAX, &page), MG_LIMIT);
    assert_string_equal(error.text, "full");
    assert_int_equal(page.num_visits, MG_ARRAY_LEN(page.ids) + 1);
}

static enum mg_status run(const char *sql)
{
    struct store_tx *tx;
    struct store_statement statement;
    enum mg_status status = store_begin(store, STORE_WRITE, &tx, &error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx, sql);
    return store_end(tx, store_run(&statement, &error), &error);
}

static void test_entries_cannot_be_changed_replaced_or_deleted(void **state)
{
    (void)state;
    struct page page;
    assert_int_equal(append(1), MG_OK);
    assert_int_equal(run("UPDATE audit SET actor = 'nobody'"), MG_INTERNAL);
    assert_non_null(strstr(error.text, "cannot be changed"));
    assert_int_equal(run("DELETE FROM audit"), MG_INTERNAL);
    assert_non_null(strstr(error.text, "cannot be shortened"));
    assert_int_equal(run("INSERT OR REPLACE INTO audit SELECT 1, 2, 'x', 'x', 'x', 'x', 'x', 'x', 'x'"), MG_INTERNAL);
    assert_int_equal(list(0, 8, &page), MG_OK);
    assert_int_equal(page.num, 1);
}

#define AUDIT_TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUDIT_TEST(test_entries_come_back_page_by_page_from_the_newest),
        AUDIT_TEST(test_a_visitor_that_fails_ends_the_walk),
        AUDIT_TEST(test_entries_cannot_be_changed_replaced_or_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
