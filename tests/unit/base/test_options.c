/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/options.h"

static bool check;
static const char *config, *other;

static const struct mg_option options[] = {
    {.name = "check", .given = &check},
    {.name = "config", .text = &config},
    {.name = "other", .text = &other},
};
static const struct mg_program program = {
    .name = "tried", .usage = "usage: tried\n", .options = options, .num_options = MG_ARRAY_LEN(options)};

/* What parse printed on standard output and on standard error. */
static char printed[2][512];

/* parse gives |words|, ended by NULL, to the program, and keeps what it prints. What is taken is good until the next.
 */
static int parse(const char *const *words)
{
    static FILE *streams[2];
    static char kept[16][64];
    char *argv[16] = {(char[]){"tried"}};
    int argc = 1, saved[2], pipes[2][2];
    for (; words[argc - 1] != NULL; argc++) {
        snprintf(kept[argc], sizeof(kept[argc]), "%s", words[argc - 1]);
        argv[argc] = kept[argc];
    }
    streams[0] = stdout;
    streams[1] = stderr;
    for (int i = 0; i < 2; i++) {
        fflush(streams[i]);
        saved[i] = dup(i + 1);
        assert_int_equal(pipe(pipes[i]), 0);
        dup2(pipes[i][1], i + 1);
        close(pipes[i][1]);
    }
    check = false;
    config = other = NULL;
    int code = mg_options_parse(&program, argc, argv);
    for (int i = 0; i < 2; i++) {
        fflush(streams[i]);
        dup2(saved[i], i + 1);
        close(saved[i]);
        ssize_t len = read(pipes[i][0], printed[i], sizeof(printed[i]) - 1);
        printed[i][len < 0 ? 0 : len] = '\0';
        close(pipes[i][0]);
    }
    return code;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void test_options_are_taken(void **state)
{
    (void)state;
    assert_int_equal(PARSE(NULL), -1);
    assert_false(check);
    assert_null(config);
    assert_int_equal(PARSE("--config", "a", "--check", "--other=b=c"), -1);
    assert_true(check);
    assert_string_equal(config, "a");
    assert_string_equal(other, "b=c");
    assert_int_equal(PARSE("--config", "a", "--config", "--check"), -1); /* a value, whatever it looks like */
    assert_false(check);
    assert_string_equal(config, "--check");
}

static void test_every_program_has_help_and_a_version(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--check", "--help", "whatever"), 0);
    assert_string_equal(printed[0], "usage: tried\n");
    assert_int_equal(PARSE("--version"), 0);
    assert_string_equal(printed[0], "tried " MINTGATE_VERSION "\n");
    assert_string_equal(printed[1], "");
}

static void test_what_is_not_understood_is_said(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--nothing"), MG_EXIT_USAGE);
    assert_string_equal(printed[1], "tried: --nothing: no such option, or not with a value\nTry tried --help.\n");
    assert_int_equal(PARSE("--check=yes"), MG_EXIT_USAGE);
    assert_non_null(strstr(printed[1], "--check=yes: no such option, or not with a value"));
    assert_int_equal(PARSE("-x"), MG_EXIT_USAGE);
    assert_int_equal(PARSE("--config"), MG_EXIT_USAGE);
    assert_non_null(strstr(printed[1], "--config: needs a value"));
    assert_int_equal(PARSE("word", "--check"), MG_EXIT_USAGE);
    assert_non_null(strstr(printed[1], "unexpected argument: word"));
    assert_string_equal(printed[0], "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_are_taken),
        cmocka_unit_test(test_every_program_has_help_and_a_version),
        cmocka_unit_test(test_what_is_not_understood_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
