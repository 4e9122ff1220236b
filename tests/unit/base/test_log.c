/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/* Standard error is a datagram socket while a test runs: one write is one message. */
static int captured_fd, stderr_fd;

static int capture(void **state)
{
    (void)state;
    int fds[2];
    stderr_fd = dup(STDERR_FILENO);
    if (stderr_fd < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return -1;
    }
    captured_fd = fds[0];
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    mg_log_init("tester", MG_LOG_DEBUG);
    return 0;
}

static int release(void **state)
{
    (void)state;
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    close(captured_fd);
    return 0;
}

/* next_line returns what one write brought, NUL-terminated; "" if nothing was written. */
static const char *next_line(void)
{
    static char line[8192];
    ssize_t len = recv(captured_fd, line, sizeof(line) - 1, MSG_DONTWAIT);
    line[len < 0 ? 0 : len] = '\0';
    return line;
}

/* assert_body checks the form of a line and that |body| stands behind its head. */
static void assert_body(const char *line, const char *level, const char *body)
{
    char head[64] = "0000-00-00T00:00:00.000000Z ";
    for (size_t i = 0; i < strlen(head); i++) {
        assert_true(head[i] == '0' ? line[i] >= '0' && line[i] <= '9' : line[i] == head[i]);
    }
    const char *rest = line + strlen(head);
    assert_int_equal(strncmp(rest, level, strlen(level)), 0);
    rest += strlen(level);
    assert_int_equal(strncmp(rest, " tester: ", 9), 0);
    rest += 9;
    assert_int_equal(strncmp(rest, body, strlen(body)), 0);
    assert_string_equal(rest + strlen(body), "\n");
}

static void test_a_line_says_when_how_grave_and_who(void **state)
{
    (void)state;
    mg_log_error("a %d", 1);
    assert_body(next_line(), "error", "a 1");
    mg_log_warning("b");
    assert_body(next_line(), "warning", "b");
    mg_log_info("c");
    assert_body(next_line(), "info", "c");
    mg_log_debug("%s", "d");
    assert_body(next_line(), "debug", "d");
    assert_string_equal(next_line(), "");
}

static void test_levels_below_the_one_set_are_silent(void **state)
{
    (void)state;
    mg_log_set_level(MG_LOG_WARNING);
    mg_log_info("x");
    mg_log_debug("x");
    assert_string_equal(next_line(), "");
    mg_log_warning("y");
    assert_body(next_line(), "warning", "y");
    mg_log_set_level(MG_LOG_ERROR);
    mg_log_warning("x");
    assert_string_equal(next_line(), "");
    mg_log_error("z");
    assert_body(next_line(), "error", "z");
}

static void test_control_characters_cannot_forge_lines(void **state)
{
    (void)state;
    mg_log_error("name %s end", "a\n2026-01-01 error tester: forged\r\x1b[2J\x7f\tb");
    assert_body(next_line(), "error", "name a?2026-01-01 error tester: forged??[2J??b end");
    assert_string_equal(next_line(), "");
}

static void test_text_beyond_ascii_is_kept(void **state)
{
    (void)state;
    mg_log_error("%s", "gr\xc3\xbc\xc3\x9f");
    assert_body(next_line(), "error", "gr\xc3\xbc\xc3\x9f");
}

static void test_a_long_line_is_cut_and_still_ends(void **state)
{
    (void)state;
    static const int lens[] = {1990, 2000, 2010, 2020, 5000};
    for (size_t i = 0; i < MG_ARRAY_LEN(lens); i++) {
        mg_log_error("%0*d", lens[i], 0);
        const char *line = next_line();
        size_t len = strlen(line);
        assert_true(len > 1000 && len < 2048);
        assert_ptr_equal(strchr(line, '\n'), line + len - 1);
        assert_int_equal(line[len - 2], '0');
    }
}

static void test_level_names_are_parsed(void **state)
{
    (void)state;
    static const char *const names[] = {"error", "warning", "info", "debug"};
    enum mg_log_level level;
    for (int i = MG_LOG_ERROR; i <= MG_LOG_DEBUG; i++) {
        assert_int_equal(mg_log_level_parse(names[i], &level), MG_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(mg_log_level_parse("ERROR", &level), MG_INVALID);
    assert_int_equal(mg_log_level_parse("", &level), MG_INVALID);
    assert_int_equal(level, MG_LOG_DEBUG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, capture, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_line_says_when_how_grave_and_who),    TEST(test_levels_below_the_one_set_are_silent),
        TEST(test_control_characters_cannot_forge_lines), TEST(test_text_beyond_ascii_is_kept),
        TEST(test_a_long_line_is_cut_and_still_ends),     cmocka_unit_test(test_level_names_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
