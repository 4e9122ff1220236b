/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "tests/unit/hsm/temp_dir.h"

static struct mg_error error;

static int listen_at(const char *path, int type)
{
    int fd;
    assert_int_equal(mg_unix_listen(path, type, 0600, &fd, &error), MG_OK);
    return fd;
}

static int connect_to(const char *path, int type)
{
    int fd;
    assert_int_equal(mg_unix_connect(path, type, &fd, &error), MG_OK);
    return fd;
}

static void assert_flags(int fd)
{
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

static void check_conversation(int type)
{
    const char *path = temp_path("socket");
    int server, listener = listen_at(path, type);
    assert_flags(listener);
    assert_int_equal(mg_unix_accept(listener, &server, &error), MG_AGAIN);
    int client = connect_to(path, type);
    assert_flags(client);
    assert_int_equal(mg_unix_accept(listener, &server, &error), MG_OK);
    assert_flags(server);
    char text[8] = "";
    assert_int_equal(send(client, "hello", 6, 0), 6);
    assert_int_equal(recv(server, text, sizeof(text), 0), 6);
    assert_string_equal(text, "hello");
    close(client);
    close(server);
    close(listener);
    unlink(path);
}

static void test_both_types_connect(void **state)
{
    (void)state;
    check_conversation(SOCK_STREAM);
    check_conversation(SOCK_SEQPACKET);
}

static void test_the_socket_has_its_mode_from_the_beginning(void **state)
{
    (void)state;
    static const mode_t modes[] = {0600, 0660, 0666};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        const char *path = temp_path("socket");
        mode_t old = umask(0027);
        int fd;
        assert_int_equal(mg_unix_listen(path, SOCK_STREAM, modes[i], &fd, &error), MG_OK);
        assert_int_equal(umask(old), 0027); /* put back */
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, modes[i]);
        close(fd);
        unlink(path);
    }
}

static void test_nobody_listening_is_not_found(void **state)
{
    (void)state;
    const char *path = temp_path("socket");
    int fd;
    assert_int_equal(mg_unix_connect(path, SOCK_STREAM, &fd, &error), MG_NOT_FOUND);
    assert_non_null(strstr(error.text, path));
    close(listen_at(path, SOCK_STREAM)); /* the name stays behind */
    assert_int_equal(mg_unix_connect(path, SOCK_STREAM, &fd, &error), MG_NOT_FOUND);
    assert_int_equal(mg_unix_connect(temp_dir, SOCK_STREAM, &fd, &error), MG_NOT_FOUND); /* no socket at all */
}

static void test_a_stale_socket_is_replaced(void **state)
{
    (void)state;
    const char *path = temp_path("socket");
    close(listen_at(path, SOCK_STREAM));
    int listener = listen_at(path, SOCK_SEQPACKET);
    close(connect_to(path, SOCK_SEQPACKET));
    close(listener);
}

static void test_a_socket_that_answers_is_not_taken(void **state)
{
    (void)state;
    const char *path = temp_path("socket");
    int other, listener = listen_at(path, SOCK_STREAM);
    assert_int_equal(mg_unix_listen(path, SOCK_STREAM, 0600, &other, &error), MG_EXISTS);
    assert_non_null(strstr(error.text, path));
    close(connect_to(path, SOCK_STREAM)); /* the first one still has it */
    close(listener);
}

static void test_a_socket_of_another_type_is_not_taken(void **state)
{
    (void)state;
    const char *path = temp_path("socket");
    int other, listener = listen_at(path, SOCK_STREAM);
    assert_int_equal(mg_unix_listen(path, SOCK_SEQPACKET, 0600, &other, &error), MG_IO);
    close(connect_to(path, SOCK_STREAM));
    close(listener);
}

/* A listener whose queue is full refuses for the moment; it is alive all the same. */
static void test_a_busy_socket_is_not_taken(void **state)
{
    (void)state;
    const char *path = temp_path("socket");
    int listener = listen_at(path, SOCK_STREAM), fds[128], other;
    size_t num = 0;
    while (num < 128 && mg_unix_connect(path, SOCK_STREAM, &fds[num], &error) == MG_OK) {
        num++;
    }
    assert_true(num > 0 && num < 128);
    assert_int_equal(mg_unix_listen(path, SOCK_STREAM, 0600, &other, &error), MG_IO);
    int accepted;
    assert_int_equal(mg_unix_accept(listener, &accepted, &error), MG_OK);
    close(accepted);
    close(connect_to(path, SOCK_STREAM));
    while (num > 0) {
        close(fds[--num]);
    }
    close(listener);
}

static void test_a_file_in_the_way_is_not_removed(void **state)
{
    (void)state;
    const char *path = temp_path("file");
    int fd = open(path, O_CREAT | O_WRONLY, 0600), other;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(mg_unix_listen(path, SOCK_STREAM, 0600, &other, &error), MG_IO);
    assert_int_equal(temp_file_size(path), 0);
}

static void test_paths_have_a_length(void **state)
{
    (void)state;
    struct sockaddr_un address;
    char path[sizeof(address.sun_path) + 1];
    memset(path, 'a', sizeof(path));
    path[sizeof(address.sun_path)] = '\0';
    int fd;
    assert_int_equal(mg_unix_connect(path, SOCK_STREAM, &fd, &error), MG_INVALID);
    assert_int_equal(mg_unix_listen(path, SOCK_STREAM, 0600, &fd, &error), MG_INVALID);
    assert_int_equal(mg_unix_connect("", SOCK_STREAM, &fd, &error), MG_INVALID);
    path[sizeof(address.sun_path) - 1] = '\0'; /* the longest there is */
    assert_int_equal(mg_unix_connect(path, SOCK_STREAM, &fd, &error), MG_NOT_FOUND);
}

static void test_an_accept_that_fails_says_so(void **state)
{
    (void)state;
    int fd;
    assert_int_equal(mg_unix_accept(STDIN_FILENO, &fd, &error), MG_IO);
    assert_int_equal(mg_unix_accept(-1, &fd, &error), MG_IO);
}

/* peer_of connects in a child that runs as |uid|, and asks for it. */
static bool peer_of(uid_t uid, pid_t *child, pid_t *out_pid, uid_t *out_uid)
{
    const char *path = temp_path("socket");
    int server = -1, listener;
    assert_int_equal(mg_unix_listen(path, SOCK_STREAM, 0666, &listener, &error), MG_OK);
    assert_int_equal(chmod(temp_dir, 0711), 0);
    *child = fork();
    if (*child == 0) {
        int fd;
        bool done = setresuid(uid, uid, uid) == 0 && mg_unix_connect(path, SOCK_STREAM, &fd, NULL) == MG_OK;
        _exit(done ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(*child, &status, 0), *child);
    assert_int_equal(status, 0);
    assert_int_equal(mg_unix_accept(listener, &server, &error), MG_OK);
    bool allowed = mg_unix_peer_allowed(server, out_pid, out_uid);
    close(server);
    close(listener);
    unlink(path);
    return allowed;
}

static void test_root_and_this_user_are_allowed_and_nobody_else(void **state)
{
    (void)state;
    pid_t child, pid;
    uid_t uid;
    assert_true(peer_of(geteuid(), &child, &pid, &uid));
    assert_int_equal(pid, child);
    assert_int_equal(uid, geteuid());
    assert_true(peer_of(geteuid(), &child, NULL, NULL));
    if (geteuid() != 0) {
        skip();
    }
    assert_false(peer_of(12345, &child, &pid, &uid));
    assert_int_equal(pid, child);
    assert_int_equal(uid, 12345);
    /* For a process of another user root is as good as itself. */
    assert_int_equal(chmod(temp_dir, 0777), 0);
    assert_int_equal(seteuid(12345), 0);
    bool own = mg_unix_peer_allowed(-1, NULL, NULL); /* no socket: nobody */
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    bool as_itself = mg_unix_peer_allowed(fds[0], NULL, &uid);
    assert_int_equal(seteuid(0), 0);
    bool as_root = mg_unix_peer_allowed(fds[0], NULL, NULL);
    close(fds[0]);
    close(fds[1]);
    assert_false(own);
    assert_true(as_itself);
    assert_int_equal(uid, 12345);
    assert_false(as_root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_types_connect),
        TEST(test_the_socket_has_its_mode_from_the_beginning),
        TEST(test_nobody_listening_is_not_found),
        TEST(test_a_stale_socket_is_replaced),
        TEST(test_a_socket_that_answers_is_not_taken),
        TEST(test_a_socket_of_another_type_is_not_taken),
        TEST(test_a_busy_socket_is_not_taken),
        TEST(test_a_file_in_the_way_is_not_removed),
        TEST(test_paths_have_a_length),
        TEST(test_an_accept_that_fails_says_so),
        TEST(test_root_and_this_user_are_allowed_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
