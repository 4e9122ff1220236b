/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/tcp_socket.h"

static void test_a_free_port_is_taken_and_told(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0"};
    for (size_t i = 0; i < MG_ARRAY_LEN(addresses); i++) {
        int fd = -1;
        assert_int_equal(mg_tcp_listen(addresses[i], 8, &fd, NULL), MG_OK);
        assert_int_not_equal(mg_tcp_port(fd), 0);
        assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
        close(fd);
    }
}

static void test_a_port_in_use_is_refused(void **state)
{
    (void)state;
    char address[32];
    int fd = -1, other = -1;
    struct mg_error error = {""};
    assert_int_equal(mg_tcp_listen("127.0.0.1:0", 8, &fd, NULL), MG_OK);
    snprintf(address, sizeof(address), "127.0.0.1:%u", mg_tcp_port(fd));
    assert_int_equal(mg_tcp_listen(address, 8, &other, &error), MG_IO);
    assert_int_equal(other, -1);
    assert_true(error.text[0] != '\0');
    close(fd);
}

static void test_what_is_no_address_is_refused(void **state)
{
    (void)state;
    char endless[200];
    static const char *const bad[] = {"", "127.0.0.1", ":80", "127.0.0.1:", "localhost:80", "[::1]", "127.0.0.1:http"};
    int fd = -1;
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct mg_error error = {""};
        assert_int_equal(mg_tcp_listen(bad[i], 8, &fd, &error), MG_INVALID);
        assert_true(error.text[0] != '\0');
    }
    snprintf(endless, sizeof(endless), "%0190d:80", 0);
    assert_int_equal(mg_tcp_listen(endless, 8, &fd, NULL), MG_INVALID);
    assert_int_equal(mg_tcp_port(STDIN_FILENO), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_free_port_is_taken_and_told),
        cmocka_unit_test(test_a_port_in_use_is_refused),
        cmocka_unit_test(test_what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
