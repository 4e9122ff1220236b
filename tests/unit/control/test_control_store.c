/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/store.h"
#include "tests/unit/hsm/temp_dir.h"

static const char *const town_steps[] = {
    "CREATE TABLE town (name TEXT PRIMARY KEY, people INTEGER, arms BLOB) STRICT",
    "ALTER TABLE town ADD COLUMN mayor TEXT; INSERT INTO town (name, people) VALUES ('Ur', 30000)",
};
static const char *const river_steps[] = {
    "CREATE TABLE river (name TEXT PRIMARY KEY, town TEXT REFERENCES town) STRICT"};
static const struct store_migrations towns_then = {"town", town_steps, 1}, towns = {"town", town_steps, 2},
                                     rivers = {"river", river_steps, 1};
static const struct store_migrations *const old_modules[] = {&towns_then}, *const modules[] = {&towns, &rivers};

static struct mg_error error;

static enum mg_status open_as(const struct store_migrations *const *list, size_t num, struct store **out)
{
    error.text[0] = '\0';
    enum mg_status status = store_open(out, temp_path("control.db"), list, num, &error);
    assert_true((status == MG_OK) == (error.text[0] == '\0'));
    return status;
}

static struct store *open_store(void)
{
    struct store *store = NULL;
    assert_int_equal(open_as(modules, 2, &store), MG_OK);
    return store;
}

static void refused(enum mg_status expected, const char *text)
{
    struct store *store = NULL;
    assert_int_equal(open_as(modules, 2, &store), expected);
    assert_non_null(strstr(error.text, text));
    assert_null(store);
}

static enum mg_status add(struct store_tx *tx, const char *name, int64_t people)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT INTO town (name, people) VALUES (?, ?)");
    store_bind_text(&statement, mg_slice_of_text(name));
    store_bind_int(&statement, people);
    return store_run(&statement, &error);
}

static struct store_tx *begin(struct store *store, enum store_access access)
{
    struct store_tx *tx = NULL;
    assert_int_equal(store_begin(store, access, &tx, &error), MG_OK);
    return tx;
}

static int64_t number_of(struct store_tx *tx, const char *sql)
{
    struct store_statement query;
    store_prepare(&query, tx, sql);
    assert_true(store_next(&query));
    int64_t number = store_column_int(&query);
    assert_int_equal(store_finish(&query, &error), MG_OK);
    return number;
}

static int64_t num_towns(struct store *store)
{
    struct store_tx *tx = begin(store, STORE_READ);
    int64_t number = number_of(tx, "SELECT count(*) FROM town");
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    return number;
}

static int64_t take_copy_mark(struct store *store)
{
    struct store_tx *tx = begin(store, STORE_WRITE);
    int64_t made;
    assert_int_equal(store_end(tx, store_take_copy_mark(tx, &made, &error), &error), MG_OK);
    return made;
}

static void run_raw(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(temp_path("control.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_the_file_is_for_its_user_alone(void **state)
{
    (void)state;
    struct stat st;
    mode_t before = umask(0);
    struct store *store = open_store();
    umask(before);
    assert_int_equal(stat(temp_path("control.db"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(store_end(begin(store, STORE_WRITE), MG_OK, &error), MG_OK);
    assert_int_equal(stat(temp_path("control.db-wal"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    store_close(store);
}

static void test_files_that_others_could_touch_are_refused(void **state)
{
    (void)state;
    store_close(open_store());
    assert_int_equal(chmod(temp_path("control.db"), 0640), 0);
    refused(MG_DENIED, "mode 0600");
    assert_int_equal(chmod(temp_path("control.db"), 0600), 0);
    assert_int_equal(link(temp_path("control.db"), temp_path("other")), 0);
    refused(MG_DENIED, "one name");
    assert_int_equal(unlink(temp_path("control.db")), 0);
    assert_int_equal(symlink(temp_path("other"), temp_path("control.db")), 0);
    refused(MG_DENIED, "is a symbolic link");
    assert_int_equal(unlink(temp_path("control.db")), 0);
    assert_int_equal(mkdir(temp_path("control.db"), 0700), 0);
    refused(MG_IO, "control.database");
}

static void test_a_symbolic_link_on_the_way_is_refused(void **state)
{
    (void)state;
    struct store *store = NULL;
    assert_int_equal(mkdir(temp_path("real"), 0700), 0);
    assert_int_equal(symlink(temp_path("real"), temp_path("link")), 0);
    assert_int_equal(store_open(&store, temp_path("link/control.db"), modules, 2, &error), MG_DENIED);
}

static void test_what_was_bound_comes_back(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_tx *tx = begin(store, STORE_WRITE);
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT INTO town (name, people, arms, mayor) VALUES (?, ?, ?, ?)");
    store_bind_text(&statement, mg_slice_of_text("Uruk'; DROP TABLE town; --"));
    store_bind_int(&statement, INT64_MIN);
    store_bind_blob(&statement, mg_slice_of("\0\1\2", 3));
    store_bind_text(&statement, mg_slice_of(NULL, 0));
    assert_int_equal(store_run(&statement, &error), MG_OK);
    assert_int_equal(store_num_changed(tx), 1);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);

    tx = begin(store, STORE_READ);
    store_prepare(&statement, tx,
                  "SELECT name, people, arms, mayor, '', x'' FROM town WHERE mayor IS NULL AND people < 0");
    assert_true(store_next(&statement));
    assert_true(mg_slice_equal(store_column_text(&statement), mg_slice_of_text("Uruk'; DROP TABLE town; --")));
    assert_true(store_column_int(&statement) == INT64_MIN);
    assert_true(mg_slice_equal(store_column_blob(&statement), mg_slice_of("\0\1\2", 3)));
    assert_null(store_column_text(&statement).data);
    assert_non_null(store_column_text(&statement).data); /* empty is not NULL */
    assert_non_null(store_column_blob(&statement).data);
    assert_false(store_next(&statement));
    assert_int_equal(store_finish(&statement, &error), MG_OK);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    store_close(store);
}

static void test_a_transaction_commits_all_or_nothing(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_tx *tx = begin(store, STORE_WRITE);
    assert_int_equal(add(tx, "Eridu", 1), MG_OK);
    assert_int_equal(num_towns(store), 1); /* a reader does not see it yet, and does not wait */
    assert_int_equal(store_end(tx, MG_LIMIT, &error), MG_LIMIT);
    assert_int_equal(num_towns(store), 1);
    tx = begin(store, STORE_WRITE);
    assert_int_equal(add(tx, "Eridu", 1), MG_OK);
    assert_int_equal(add(tx, "Kish", 2), MG_OK);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    assert_int_equal(num_towns(store), 3);
    store_close(store);
    store = open_store();
    assert_int_equal(num_towns(store), 3);
    store_close(store);
}

static void test_a_failed_statement_dooms_the_transaction(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_tx *tx = begin(store, STORE_WRITE);
    assert_int_equal(add(tx, "Eridu", 1), MG_OK);
    assert_int_equal(add(tx, "Eridu", 1), MG_EXISTS);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_INTERNAL); /* the caller forgot */
    assert_int_equal(num_towns(store), 1);
    store_close(store);
}

static void test_broken_rules_and_broken_sql_are_told_apart(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_statement statement;
    struct store_tx *tx = begin(store, STORE_WRITE);
    store_prepare(&statement, tx, "INSERT INTO river VALUES ('Tigris', 'Nowhere')"); /* no such town */
    assert_int_equal(store_run(&statement, &error), MG_INTERNAL);
    assert_non_null(strstr(error.text, "FOREIGN KEY"));
    store_prepare(&statement, tx, "INSERT INTO rover VALUES (?)");
    store_bind_int(&statement, 1);
    assert_int_equal(store_run(&statement, &error), MG_INTERNAL);
    store_prepare(&statement, tx, "INSERT INTO river VALUES ('Tigris', NULL)");
    store_bind_int(&statement, 1); /* one too many */
    assert_int_equal(store_run(&statement, &error), MG_INTERNAL);
    assert_int_equal(store_end(tx, MG_INVALID, &error), MG_INVALID);
    store_close(store);
}

static void test_a_reader_cannot_write(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_tx *tx = begin(store, STORE_READ);
    assert_int_equal(add(tx, "Eridu", 1), MG_IO);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_INTERNAL);
    assert_int_equal(num_towns(store), 1);
    store_close(store);
}

static void test_what_is_committed_is_synced_and_journaled(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_tx *tx = begin(store, STORE_WRITE);
    assert_int_equal(number_of(tx, "PRAGMA synchronous"), 2); /* FULL */
    assert_int_equal(number_of(tx, "PRAGMA foreign_keys"), 1);
    assert_int_equal(number_of(tx, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    store_close(store);
}

static void test_an_older_database_is_brought_up_to_date(void **state)
{
    (void)state;
    struct store *store = NULL;
    assert_int_equal(open_as(old_modules, 1, &store), MG_OK);
    assert_int_equal(num_towns(store), 0);
    store_close(store);
    store = open_store();
    assert_int_equal(num_towns(store), 1);
    store_close(store);
    store = open_store(); /* no step runs twice */
    assert_int_equal(num_towns(store), 1);
    store_close(store);
}

static void test_a_newer_database_is_refused(void **state)
{
    (void)state;
    static const struct store_migrations *const without_rivers[] = {&towns};
    static const struct store_migrations *const older[] = {&towns_then, &rivers};
    struct store *store = NULL;
    store_close(open_store());
    assert_int_equal(open_as(older, 2, &store), MG_INVALID);
    assert_non_null(strstr(error.text, "town is at version 2, not 1"));
    assert_int_equal(open_as(without_rivers, 1, &store), MG_INVALID);
    assert_non_null(strstr(error.text, "unknown module river"));
    run_raw("PRAGMA user_version = 2");
    refused(MG_INVALID, "its format is 2");
}

static void test_a_failing_step_changes_nothing(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "CREATE TABLE town (name TEXT PRIMARY KEY, people INTEGER, arms BLOB) STRICT",
        "INSERT INTO town (name, people) VALUES ('Ur', 1); INSERT INTO nowhere VALUES (1)",
    };
    static const struct store_migrations broken = {"town", steps, 2};
    static const struct store_migrations *const list[] = {&broken};
    struct store *store = NULL;
    assert_int_equal(open_as(list, 1, &store), MG_INTERNAL);
    store = open_store(); /* goes on from version 1 */
    assert_int_equal(num_towns(store), 1);
    store_close(store);
}

static void test_another_programs_database_is_refused_and_left_alone(void **state)
{
    (void)state;
    run_raw("CREATE TABLE mine (x)");
    assert_int_equal(chmod(temp_path("control.db"), 0600), 0);
    refused(MG_INVALID, "not one of Mintgate's");
    run_raw("CREATE TEMP TABLE expected (mode CHECK (mode = 'delete'));"
            "INSERT INTO expected SELECT journal_mode FROM pragma_journal_mode");
}

static void test_a_damaged_database_is_refused(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct store_tx *tx = begin(store, STORE_WRITE);
    for (int i = 0; i < 500; i++) {
        char name[32];
        snprintf(name, sizeof(name), "town %d of the many", i);
        assert_int_equal(add(tx, name, i), MG_OK);
    }
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    store_close(store);
    const char *path = temp_path("control.db");
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, temp_file_size(path) / 2, SEEK_SET); /* a page in the middle */
    static const uint8_t rubbish[4096] = {0xff, 0xff, 0xff};
    assert_int_equal(fwrite(rubbish, sizeof(rubbish), 1, file), 1);
    fclose(file);
    refused(MG_IO, "database");
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("this is no database at all, but it is long enough to have been one, if only it had tried: "
          "a header of a hundred bytes",
          file);
    fclose(file);
    refused(MG_IO, "not a database");
}

static void test_a_backup_is_a_database_of_the_last_commit(void **state)
{
    (void)state;
    struct store *store = open_store(), *copy = NULL;
    struct stat st;
    struct store_tx *tx = begin(store, STORE_WRITE);
    assert_int_equal(add(tx, "Eridu", 1), MG_OK);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    tx = begin(store, STORE_WRITE);
    assert_int_equal(add(tx, "Kish", 2), MG_OK); /* not committed yet */
    assert_int_equal(store_backup(store, temp_path("copy.db"), &error), MG_OK);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    assert_int_equal(stat(temp_path("copy.db"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(store_open(&copy, temp_path("copy.db"), modules, 2, &error), MG_OK);
    assert_int_equal(num_towns(copy), 2);
    assert_true(take_copy_mark(copy) > 1700000000);
    assert_int_equal(take_copy_mark(copy), 0); /* it is taken off */
    assert_int_equal(take_copy_mark(store), 0);
    store_close(copy);
    assert_int_equal(store_backup(store, temp_path("copy.db"), &error), MG_EXISTS);
    assert_int_equal(store_backup(store, temp_path("nowhere/copy.db"), &error), MG_IO);
    assert_int_equal(num_towns(store), 3);
    store_close(store);
}

static void test_a_failed_backup_leaves_no_file(void **state)
{
    (void)state;
    struct store *store = open_store();
    struct rlimit before, small = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum mg_status status = store_backup(store, temp_path("copy.db"), &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, MG_IO);
    assert_int_equal(access(temp_path("copy.db"), F_OK), -1);
    assert_int_equal(num_towns(store), 1);
    store_close(store);
}

static void test_a_full_disk_undoes_the_transaction(void **state)
{
    (void)state;
    static const uint8_t arms[16384];
    struct store *store = open_store();
    struct store_statement statement;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){(rlim_t)temp_file_size(temp_path("control.db-wal")) + 8192, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    struct store_tx *tx = begin(store, STORE_WRITE);
    store_prepare(&statement, tx, "INSERT INTO town (name, arms) VALUES ('Big', ?)");
    store_bind_blob(&statement, mg_slice_of(arms, sizeof(arms)));
    assert_int_equal(store_run(&statement, &error), MG_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum mg_status status = store_end(tx, MG_OK, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, MG_IO);
    assert_int_equal(num_towns(store), 1);
    tx = begin(store, STORE_WRITE); /* and it goes on */
    assert_int_equal(add(tx, "Eridu", 1), MG_OK);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    store_close(store);
    store = open_store();
    assert_int_equal(num_towns(store), 2);
    store_close(store);
}

#define NUM_THREADS 4
#define ADDS_PER_THREAD 50

static void *add_many(void *argument)
{
    struct store *store = argument;
    for (int i = 0; i < ADDS_PER_THREAD; i++) {
        struct store_tx *tx;
        struct store_statement statement;
        if (store_begin(store, STORE_WRITE, &tx, NULL) != MG_OK) {
            return NULL;
        }
        store_prepare(&statement, tx, "UPDATE town SET people = people + 1 WHERE name = 'Ur'");
        if (store_end(tx, store_run(&statement, NULL), NULL) != MG_OK) {
            return NULL;
        }
    }
    return argument;
}

static void test_writers_take_turns(void **state)
{
    (void)state;
    struct store *store = open_store();
    pthread_t threads[NUM_THREADS];
    for (int i = 0; i < NUM_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, store), 0);
    }
    for (int i = 0; i < NUM_THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, store);
    }
    struct store_tx *tx = begin(store, STORE_READ);
    assert_int_equal(number_of(tx, "SELECT people FROM town"), 30000 + NUM_THREADS * ADDS_PER_THREAD);
    assert_int_equal(store_end(tx, MG_OK, &error), MG_OK);
    store_close(store);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_the_file_is_for_its_user_alone),
        STORE_TEST(test_files_that_others_could_touch_are_refused),
        STORE_TEST(test_a_symbolic_link_on_the_way_is_refused),
        STORE_TEST(test_what_was_bound_comes_back),
        STORE_TEST(test_a_transaction_commits_all_or_nothing),
        STORE_TEST(test_a_failed_statement_dooms_the_transaction),
        STORE_TEST(test_broken_rules_and_broken_sql_are_told_apart),
        STORE_TEST(test_a_reader_cannot_write),
        STORE_TEST(test_what_is_committed_is_synced_and_journaled),
        STORE_TEST(test_an_older_database_is_brought_up_to_date),
        STORE_TEST(test_a_newer_database_is_refused),
        STORE_TEST(test_a_failing_step_changes_nothing),
        STORE_TEST(test_another_programs_database_is_refused_and_left_alone),
        STORE_TEST(test_a_damaged_database_is_refused),
        STORE_TEST(test_a_backup_is_a_database_of_the_last_commit),
        STORE_TEST(test_a_failed_backup_leaves_no_file),
        STORE_TEST(test_a_full_disk_undoes_the_transaction),
        STORE_TEST(test_writers_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
