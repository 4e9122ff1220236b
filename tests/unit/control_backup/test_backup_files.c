/* SPDX-License-Identifier: Apache-2.0 */
/* Backup and restore on files, without programs: what the integration test cannot bring about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "control/backup/backup.h"
#include "control/backup/restore.h"
#include "control/backup/stage.h"
#include "tests/unit/hsm/temp_dir.h"

#define KEY_NAME "0123456789abcdef0123456789abcdef.key"
#define PASSPHRASE "a passphrase of many words"

static struct mg_error error;
static struct manifest manifest;
static char paths[4][PATH_MAX]; /* of the machine that is saved: archive, database's copy, keys, key-encryption key */
static char fresh[3][PATH_MAX];

static void write_text(const char *path, const char *text)
{
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text(text), 0600, &error), MG_OK);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int make_machine(void **state)
{
    static const char *const names[] = {"backup.tar", "copy", "keys", "kek"};
    static const char *const fresh_names[] = {"new/control/control.db", "new/signer/keys", "new/etc/kek"};
    char key[PATH_MAX];
    if (temp_dir_make(state) != 0) {
        return -1;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        snprintf(paths[i], PATH_MAX, "%s", temp_path(names[i]));
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(fresh_names); i++) {
        snprintf(fresh[i], PATH_MAX, "%s", temp_path(fresh_names[i]));
    }
    snprintf(key, sizeof(key), "%.2000s/" KEY_NAME, paths[2]);
    assert_int_equal(mkdir(paths[2], 0700), 0);
    write_text(key, "sealed");
    write_text(paths[3], "0123456789abcdef0123456789abcdef");
    return 0;
}

static struct backup_paths saved_paths(void)
{
    return (struct backup_paths){.database = "", .keys = paths[2], .key_encryption_key = paths[3]};
}

static struct backup_paths fresh_paths(void)
{
    return (struct backup_paths){.database = fresh[0], .keys = fresh[1], .key_encryption_key = fresh[2]};
}

static int num_copies;

/* |arg| is how often a key is made while the copy is. */
static enum mg_status copy_database(void *arg, char path[PATH_MAX], struct mg_error *unused)
{
    (void)unused;
    snprintf(path, PATH_MAX, "%s", paths[1]);
    write_text(path, "the database");
    if (num_copies++ < *(const int *)arg) {
        char key[PATH_MAX];
        usleep(20000); /* a file system's clock may stand still for some milliseconds */
        snprintf(key, sizeof(key), "%.2000s/%032x.key", paths[2], num_copies);
        write_text(key, "another");
    }
    return MG_OK;
}

static enum mg_status back_up(int num_disturbed)
{
    const struct backup_request request = {.paths = saved_paths(),
                                           .archive = paths[0],
                                           .passphrase = mg_slice_of_text(PASSPHRASE),
                                           .now = 7,
                                           .copy_database = copy_database,
                                           .arg = &num_disturbed};
    num_copies = 0;
    return backup_make(&request, &manifest, &error);
}

static enum mg_status tell_passphrase(void *arg, struct mg_buffer *out, struct mg_error *unused)
{
    (void)unused;
    mg_buffer_append_text(out, arg);
    return MG_OK;
}

static enum mg_status restore(void)
{
    const struct restore_request request = {
        .paths = fresh_paths(), .archive = paths[0], .ask_passphrase = tell_passphrase, .arg = MG_UNCONST(PASSPHRASE)};
    return restore_run(&request, &manifest, &error);
}

static void assert_content(const char *path, const char *expected)
{
    char storage[256];
    struct mg_buffer text;
    mg_buffer_wrap(&text, storage, sizeof(storage));
    assert_int_equal(mg_file_read(path, &text, &error), MG_OK);
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.data, expected, text.len);
}

static void test_what_was_saved_is_restored_into_directories_that_are_made(void **state)
{
    char key[PATH_MAX];
    (void)state;
    assert_int_equal(back_up(0), MG_OK);
    assert_false(exists(paths[1]));
    assert_int_equal(restore(), MG_OK);
    snprintf(key, sizeof(key), "%.2000s/" KEY_NAME, fresh[1]);
    assert_content(fresh[0], "the database");
    assert_content(key, "sealed");
    assert_content(fresh[2], "0123456789abcdef0123456789abcdef");
    assert_int_equal(manifest.num_files, 2);
    assert_int_equal(restore(), MG_EXISTS);
}

static void test_keys_that_change_meanwhile_are_collected_anew(void **state)
{
    (void)state;
    assert_int_equal(back_up(2), MG_OK);
    assert_int_equal(num_copies, 3);
    assert_int_equal(manifest.num_files, 4);
}

static void test_keys_that_change_all_the_time_are_told(void **state)
{
    (void)state;
    assert_int_equal(back_up(1000), MG_LIMIT);
    assert_false(exists(paths[0]) || exists(paths[1]));
}

static void stage(struct stage *out, const struct backup_paths *where)
{
    int fd;
    assert_int_equal(stage_begin(out, where, &error), MG_OK);
    assert_int_equal(stage_create(out, "control.db", &fd, &error), MG_OK);
    close(fd);
    assert_int_equal(stage_create(out, MANIFEST_KEYS KEY_NAME, &fd, &error), MG_OK);
    close(fd);
}

/* Somebody else makes one of the places not empty between the check and the last steps. */
static void test_a_commit_that_fails_takes_back_what_it_did(void **state)
{
    static const uint8_t key[KEY_WRAP_KEY_LEN] = {1};
    struct backup_paths where = fresh_paths();
    struct stage staged;
    (void)state;
    stage(&staged, &where);
    write_text(fresh[0], "another's");
    assert_int_equal(stage_commit(&staged, key, &error), MG_IO);
    stage_drop(&staged);
    assert_content(fresh[0], "another's");
    assert_false(exists(fresh[1]) || exists(fresh[2]) || exists(staged.database) || exists(staged.keys));
    assert_int_equal(unlink(fresh[0]), 0);

    char other[PATH_MAX];
    stage(&staged, &where);
    assert_int_equal(mkdir(fresh[1], 0700), 0);
    snprintf(other, sizeof(other), "%.2000s/x", fresh[1]);
    write_text(other, "another's");
    assert_int_equal(stage_commit(&staged, key, &error), MG_IO);
    stage_drop(&staged);
    assert_content(other, "another's");
    assert_false(exists(fresh[0]) || exists(fresh[2]) || exists(staged.database) || exists(staged.keys));
}

static void test_what_an_interrupted_try_left_is_no_hindrance(void **state)
{
    struct backup_paths where = fresh_paths();
    struct stage left;
    (void)state;
    stage(&left, &where);
    assert_int_equal(back_up(0), MG_OK);
    assert_int_equal(restore(), MG_OK);
    assert_content(fresh[0], "the database");
    assert_false(exists(left.database) || exists(left.keys));
}

#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, make_machine, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_MACHINE(test_what_was_saved_is_restored_into_directories_that_are_made),
        ON_MACHINE(test_keys_that_change_meanwhile_are_collected_anew),
        ON_MACHINE(test_keys_that_change_all_the_time_are_told),
        ON_MACHINE(test_a_commit_that_fails_takes_back_what_it_did),
        ON_MACHINE(test_what_an_interrupted_try_left_is_no_hindrance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
