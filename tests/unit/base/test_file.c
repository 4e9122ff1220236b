/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/unit/hsm/temp_dir.h"

/* More than one chunk of the reader. */
#define LONG_LEN 50000

static struct mg_error error;

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void put_file(const char *path, struct mg_slice content, mode_t mode)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static unsigned num_entries(void)
{
    DIR *directory = opendir(temp_dir);
    assert_non_null(directory);
    unsigned num = 0;
    while (readdir(directory) != NULL) {
        num++;
    }
    closedir(directory);
    return num - 2; /* "." and ".." */
}

static void assert_content(const char *path, struct mg_slice expected)
{
    struct mg_buffer out;
    mg_buffer_init(&out, 1 << 20);
    assert_int_equal(mg_file_read(path, &out, &error), MG_OK);
    assert_true(mg_slice_equal(mg_buffer_slice(&out), expected));
    mg_buffer_free(&out);
}

static void test_a_file_of_exactly_the_limit_is_read_and_a_longer_one_refused(void **state)
{
    (void)state;
    static uint8_t content[LONG_LEN];
    for (size_t i = 0; i < LONG_LEN; i++) {
        content[i] = (uint8_t)(i * 7);
    }
    const char *path = temp_path("long");
    put_file(path, mg_slice_of(content, LONG_LEN), 0644);
    struct mg_buffer out;
    mg_buffer_init(&out, LONG_LEN);
    assert_int_equal(mg_file_read(path, &out, &error), MG_OK);
    assert_int_equal(out.len, LONG_LEN);
    assert_memory_equal(out.data, content, LONG_LEN);
    mg_buffer_free(&out);
    mg_buffer_init(&out, LONG_LEN - 1);
    assert_int_equal(mg_file_read(path, &out, &error), MG_LIMIT);
    assert_non_null(strstr(error.text, path));
    assert_non_null(strstr(error.text, "49999"));
    mg_buffer_free(&out);
}

static void test_reading_appends(void **state)
{
    (void)state;
    const char *path = temp_path("file");
    put_file(path, mg_slice_of_text("def"), 0644);
    struct mg_buffer out;
    mg_buffer_init(&out, 6);
    mg_buffer_append_text(&out, "abc");
    assert_int_equal(mg_file_read(path, &out, &error), MG_OK);
    assert_true(mg_slice_equal(mg_buffer_slice(&out), mg_slice_of_text("abcdef")));
    mg_buffer_free(&out);
}

static void test_what_cannot_be_read_is_told_apart(void **state)
{
    (void)state;
    struct mg_buffer out;
    mg_buffer_init(&out, 100);
    assert_int_equal(mg_file_read(temp_path("none"), &out, &error), MG_NOT_FOUND);
    assert_non_null(strstr(error.text, "none: No such file"));
    assert_int_equal(mg_file_read(temp_dir, &out, &error), MG_IO);
    assert_int_equal(mg_file_read_secret(temp_path("none"), &out, &error), MG_NOT_FOUND);
    assert_int_equal(out.len, 0);
    mg_buffer_free(&out);
}

static void test_a_secret_that_others_may_touch_is_refused(void **state)
{
    (void)state;
    static const mode_t good[] = {0600, 0400}, bad[] = {0640, 0620, 0604, 0602, 0601, 0610, 0777};
    const char *path = temp_path("key");
    put_file(path, mg_slice_of_text("secret"), 0600);
    struct mg_buffer out;
    mg_buffer_init(&out, 100);
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_int_equal(mg_file_read_secret(path, &out, &error), MG_DENIED);
        assert_non_null(strstr(error.text, path));
        assert_int_equal(out.len, 0);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        assert_int_equal(chmod(path, good[i]), 0);
        mg_buffer_clear(&out);
        assert_int_equal(mg_file_read_secret(path, &out, &error), MG_OK);
        assert_true(mg_slice_equal(mg_buffer_slice(&out), mg_slice_of_text("secret")));
    }
    mg_buffer_free(&out);
}

static void test_a_secret_of_another_user_is_refused(void **state)
{
    (void)state;
    const char *path = temp_path("key");
    put_file(path, mg_slice_of_text("secret"), 0600);
    if (geteuid() != 0 || chown(path, 12345, (gid_t)-1) != 0) {
        skip();
    }
    struct mg_buffer out;
    mg_buffer_init(&out, 100);
    assert_int_equal(mg_file_read_secret(path, &out, &error), MG_DENIED);
    assert_int_equal(out.len, 0);
    mg_buffer_free(&out);
}

static void test_a_secret_is_a_regular_file_and_a_pipe_does_not_block(void **state)
{
    (void)state;
    struct mg_buffer out;
    mg_buffer_init(&out, 100);
    const char *pipe = temp_path("pipe"), *directory = temp_path("directory");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(mg_file_read_secret(pipe, &out, &error), MG_DENIED);
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(mg_file_read_secret(directory, &out, &error), MG_DENIED);
    mg_buffer_free(&out);
}

static void test_writing_replaces_the_content_and_leaves_nothing_beside_it(void **state)
{
    (void)state;
    const char *path = temp_path("file");
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("first and long"), 0644, &error), MG_OK);
    assert_content(path, mg_slice_of_text("first and long"));
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("second"), 0644, &error), MG_OK);
    assert_content(path, mg_slice_of_text("second"));
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of(NULL, 0), 0644, &error), MG_OK);
    assert_content(path, mg_slice_of(NULL, 0));
    assert_int_equal(num_entries(), 1);
}

static void test_a_written_file_has_its_mode_exactly(void **state)
{
    (void)state;
    const char *path = temp_path("file");
    mode_t old = umask(0077);
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("x"), 0664, &error), MG_OK);
    umask(0);
    assert_int_equal(mode_of(path), 0664);
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("x"), 0600, &error), MG_OK);
    assert_int_equal(mode_of(path), 0600);
    umask(old);
}

static void test_a_reader_of_the_old_file_keeps_it(void **state)
{
    (void)state;
    const char *path = temp_path("file");
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("old"), 0644, &error), MG_OK);
    FILE *reader = fopen(path, "rb");
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("new"), 0644, &error), MG_OK);
    char content[4] = "";
    assert_int_equal(fread(content, 1, 3, reader), 3);
    assert_string_equal(content, "old");
    fclose(reader);
}

static void test_writing_does_not_follow_a_link_in_its_way(void **state)
{
    (void)state;
    const char *path = temp_path("file"), *victim = temp_path("victim");
    put_file(victim, mg_slice_of_text("untouched"), 0644);
    char temporary[PATH_MAX];
    snprintf(temporary, sizeof(temporary), "%s.new.%d", path, (int)getpid());
    assert_int_equal(symlink(victim, temporary), 0);
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("x"), 0644, &error), MG_IO);
    assert_content(victim, mg_slice_of_text("untouched"));
}

static void test_what_cannot_be_written_leaves_the_old_content(void **state)
{
    (void)state;
    assert_int_equal(mg_file_write_atomic(temp_path("none/file"), mg_slice_of_text("x"), 0644, &error), MG_IO);
    assert_non_null(strstr(error.text, "cannot create"));
    const char *directory = temp_path("directory");
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(mg_file_write_atomic(directory, mg_slice_of_text("x"), 0644, &error), MG_IO);
    assert_non_null(strstr(error.text, "cannot rename"));
    assert_int_equal(num_entries(), 1);
    char path[PATH_MAX];
    memset(path, 'a', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("x"), 0644, &error), MG_INVALID);
}

static void test_a_path_without_a_directory_is_of_the_working_directory(void **state)
{
    (void)state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(temp_dir), 0);
    assert_int_equal(mg_file_write_atomic("plain", mg_slice_of_text("x"), 0644, &error), MG_OK);
    assert_int_equal(chdir(before), 0);
    assert_content(temp_path("plain"), mg_slice_of_text("x"));
}

static void test_a_directory_is_made_once_and_must_be_one(void **state)
{
    (void)state;
    const char *path = temp_path("directory"), *file = temp_path("file");
    mode_t old = umask(0);
    assert_int_equal(mg_file_make_directory(path, 0750, &error), MG_OK);
    assert_int_equal(mode_of(path), 0750);
    assert_int_equal(mg_file_make_directory(path, 0700, &error), MG_OK);
    assert_int_equal(mode_of(path), 0750); /* as it was */
    umask(old);
    put_file(file, mg_slice_of_text(""), 0644);
    assert_int_equal(mg_file_make_directory(file, 0700, &error), MG_INVALID);
    assert_int_equal(mg_file_make_directory(temp_path("a/b"), 0700, &error), MG_IO);
}

static void test_a_disk_that_is_full_leaves_the_old_content(void **state)
{
    (void)state;
    static uint8_t content[LONG_LEN];
    const char *path = temp_path("file");
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("old"), 0644, &error), MG_OK);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = LONG_LEN - 1, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum mg_status status = mg_file_write_atomic(path, mg_slice_of(content, LONG_LEN), 0644, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, MG_IO);
    assert_non_null(strstr(error.text, "cannot write"));
    assert_content(path, mg_slice_of_text("old"));
    assert_int_equal(num_entries(), 1);
}

/* Each test ends with as many descriptors open as it began with. */
static unsigned descriptors_before;

static unsigned num_descriptors(void)
{
    unsigned num = 0;
    for (int fd = 0; fd < 1024; fd++) {
        num += fcntl(fd, F_GETFD) >= 0;
    }
    return num;
}

static int begin(void **state)
{
    descriptors_before = num_descriptors();
    return temp_dir_make(state);
}

static int end(void **state)
{
    return num_descriptors() == descriptors_before ? temp_dir_remove(state) : -1;
}

static void test_renaming_replaces_and_says_what_is_missing(void **state)
{
    (void)state;
    const char *from = temp_path("from"), *to = temp_path("to");
    put_file(from, mg_slice_of_text("new"), 0600);
    put_file(to, mg_slice_of_text("old"), 0600);
    assert_int_equal(mg_file_rename(from, to, &error), MG_OK);
    assert_content(to, mg_slice_of_text("new"));
    assert_int_equal(mg_file_rename(from, to, &error), MG_NOT_FOUND);
    assert_content(to, mg_slice_of_text("new"));
}

static void test_removing_is_done_also_when_nothing_is_there(void **state)
{
    (void)state;
    const char *path = temp_path("file");
    put_file(path, mg_slice_of_text("x"), 0600);
    assert_int_equal(mg_file_remove(path, &error), MG_OK);
    assert_int_equal(temp_file_size(path), -1);
    assert_int_equal(mg_file_remove(path, &error), MG_OK);
    assert_int_equal(mg_file_remove(temp_dir, &error), MG_IO);
}

static void test_a_shredded_file_held_zeros_when_it_went(void **state)
{
    (void)state;
    static uint8_t content[LONG_LEN], zeros[LONG_LEN];
    const char *path = temp_path("secret"), *witness = temp_path("witness");
    memset(content, 's', sizeof(content));
    put_file(path, mg_slice_of(content, sizeof(content)), 0600);
    assert_int_equal(link(path, witness), 0); /* another name of the same bytes */
    assert_int_equal(mg_file_shred(path, &error), MG_OK);
    assert_int_equal(temp_file_size(path), -1);
    assert_content(witness, mg_slice_of(zeros, sizeof(zeros)));
    assert_int_equal(mg_file_shred(path, &error), MG_OK); /* again: nothing to do */
    assert_int_equal(symlink(witness, path), 0);
    assert_int_equal(mg_file_shred(path, &error), MG_IO); /* not what somebody points it at */
}

static void test_what_a_crash_left_of_a_file_and_nothing_else_is_removed(void **state)
{
    (void)state;
    static const char *const kept[] = {"file",         "file.new",     "file.new.",
                                       "file.new.12x", "file2.new.12", "a.file.new.12"};
    static const char *const removed[] = {"file.new.1", "file.new.4194304"};
    for (size_t i = 0; i < MG_ARRAY_LEN(kept); i++) {
        put_file(temp_path(kept[i]), mg_slice_of_text("x"), 0600);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(removed); i++) {
        put_file(temp_path(removed[i]), mg_slice_of_text("x"), 0600);
    }
    mg_file_remove_unfinished(temp_path("file"));
    for (size_t i = 0; i < MG_ARRAY_LEN(kept); i++) {
        assert_int_equal(temp_file_size(temp_path(kept[i])), 1);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(removed); i++) {
        assert_int_equal(temp_file_size(temp_path(removed[i])), -1);
    }
    mg_file_remove_unfinished(temp_path("no/file")); /* nothing to remove */
    mg_file_remove_unfinished("");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_of_exactly_the_limit_is_read_and_a_longer_one_refused),
        TEST(test_reading_appends),
        TEST(test_what_cannot_be_read_is_told_apart),
        TEST(test_a_secret_that_others_may_touch_is_refused),
        TEST(test_a_secret_of_another_user_is_refused),
        TEST(test_a_secret_is_a_regular_file_and_a_pipe_does_not_block),
        TEST(test_writing_replaces_the_content_and_leaves_nothing_beside_it),
        TEST(test_a_written_file_has_its_mode_exactly),
        TEST(test_a_reader_of_the_old_file_keeps_it),
        TEST(test_writing_does_not_follow_a_link_in_its_way),
        TEST(test_what_cannot_be_written_leaves_the_old_content),
        TEST(test_renaming_replaces_and_says_what_is_missing),
        TEST(test_removing_is_done_also_when_nothing_is_there),
        TEST(test_a_shredded_file_held_zeros_when_it_went),
        TEST(test_what_a_crash_left_of_a_file_and_nothing_else_is_removed),
        TEST(test_a_disk_that_is_full_leaves_the_old_content),
        TEST(test_a_path_without_a_directory_is_of_the_working_directory),
        TEST(test_a_directory_is_made_once_and_must_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
