/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control/admin/refusals.h"
#include "control/audit.h"
#include "tests/unit/hsm/temp_dir.h"

#define START_NS UINT64_C(5000000000)

static struct store *store;
static struct refusals *refusals;
static struct mg_error error;

static int open_store(void **state)
{
    static const struct store_migrations *const modules[] = {&audit_migrations};
    return temp_dir_make(state) == 0 && store_open(&store, temp_path("control.db"), modules, 1, &error) == MG_OK &&
                   refusals_new(&refusals, store, &error) == MG_OK
               ? 0
               : -1;
}

static int close_store(void **state)
{
    refusals_free(refusals);
    store_close(store);
    return temp_dir_remove(state);
}

static void refuse(const char *object, uint64_t after_seconds)
{
    const struct refusal refusal = {
        .actor = {"user:eve", CONTROL_AUDITOR, "192.0.2.7"},
        .operation = "DELETE",
        .object = object,
        .wall_us = 77,
        .monotonic_ns = START_NS + after_seconds * MG_NS_PER_SECOND,
    };
    refusals_record(refusals, &refusal);
}

/* The newest entry, and how many there are. */
static struct newest {
    size_t num;
    char object[256], detail[256];
} newest;

static enum mg_status look(void *context, const struct audit_entry *entry, struct mg_error *unused)
{
    (void)context, (void)unused;
    assert_int_equal(entry->outcome, AUDIT_REFUSED);
    assert_string_equal(entry->actor.name, "user:eve");
    assert_string_equal(entry->operation, "DELETE");
    if (newest.num++ == 0) {
        snprintf(newest.object, sizeof(newest.object), "%s", entry->object);
        snprintf(newest.detail, sizeof(newest.detail), "%s", entry->detail);
    }
    return MG_OK;
}

static size_t num_records(void)
{
    struct store_tx *tx;
    newest = (struct newest){.num = 0};
    assert_int_equal(store_begin(store, STORE_READ, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, audit_list(tx, 0, 10000, look, NULL, &error), &error), MG_OK);
    return newest.num;
}

static void test_a_flood_is_counted_not_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < REFUSALS_BURST + 7; i++) {
        refuse("/x", 0);
    }
    assert_int_equal(num_records(), REFUSALS_BURST);
    refuse("/x", REFUSALS_SECONDS - 1);
    assert_int_equal(num_records(), REFUSALS_BURST);
    refuse("/y", REFUSALS_SECONDS);
    assert_int_equal(num_records(), REFUSALS_BURST + 1);
    assert_string_equal(newest.object, "/y");
    assert_string_equal(newest.detail, "{\"leftOut\":8}");
    refuse("/z", REFUSALS_SECONDS);
    refuse("/z", 2 * REFUSALS_SECONDS);
    assert_int_equal(num_records(), REFUSALS_BURST + 2);
    assert_string_equal(newest.detail, "{\"leftOut\":1}");
}

static void test_room_comes_back_up_to_the_burst_and_time_may_stand_still(void **state)
{
    (void)state;
    refuse("/x", 1000);
    refuse("/x", 0); /* of two threads one comes with an earlier time */
    assert_int_equal(num_records(), 2);
    for (size_t i = 0; i < 2 * REFUSALS_BURST; i++) {
        refuse("/x", UINT64_C(1000) * 86400);
    }
    assert_int_equal(num_records(), 2 + REFUSALS_BURST);
}

static void test_a_path_of_the_senders_choice_is_cut_and_readable(void **state)
{
    char path[4 * REFUSALS_MAX_OBJECT], expected[REFUSALS_MAX_OBJECT + 1];
    (void)state;
    refuse("/a\x1b[31m\xff \n/b", 0);
    assert_int_equal(num_records(), 1);
    assert_string_equal(newest.object, "/a?[31m?"
                                       "?"
                                       "?/b");
    assert_string_equal(newest.detail, "{}");
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    memset(expected, 'x', sizeof(expected));
    expected[REFUSALS_MAX_OBJECT] = '\0';
    refuse(path, 0);
    assert_int_equal(num_records(), 2);
    assert_string_equal(newest.object, expected);
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(test_a_flood_is_counted_not_written),
        IN_STORE(test_room_comes_back_up_to_the_burst_and_time_may_stand_still),
        IN_STORE(test_a_path_of_the_senders_choice_is_cut_and_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
