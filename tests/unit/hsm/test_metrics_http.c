/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "metrics/metrics_http.h"
#include "temp_dir.h"

static void render_text(void *arg, struct mg_buffer *out)
{
    mg_buffer_append_format(out, "value %d\n", *(int *)arg);
}

static void render_too_much(void *arg, struct mg_buffer *out)
{
    (void)arg;
    out->failed = true;
}

/* echo says what the argument "x" is, and refuses a request that has none. */
static bool echo(void *arg, const struct metrics_http_request *request, struct mg_buffer *out)
{
    const char *x = metrics_http_argument(request, "x");
    (void)arg;
    mg_buffer_append_text(out, x == NULL ? "x is missing\n" : x);
    return x != NULL;
}

static int value = 7;
static const struct metrics_http_route routes[] = {
    {.path = "/metrics", .content_type = METRICS_HTTP_PROMETHEUS, .render = render_text, .arg = &value},
    {.path = "/status", .content_type = "application/json", .render = render_text, .arg = &value},
    {.path = "/too-much", .content_type = "text/plain", .render = render_too_much},
    {.path = "/echo", .content_type = "application/json", .answer = echo, .is_local = true},
};

static struct metrics_http *start(const char *tcp_address)
{
    struct metrics_http *server = NULL;
    struct mg_error error = {""};
    struct metrics_http_config config = {.socket_path = temp_path("metrics.sock"),
                                         .tcp_address = tcp_address,
                                         .routes = routes,
                                         .num_routes = MG_ARRAY_LEN(routes)};
    if (metrics_http_start(&server, &config, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return server;
}

static int connect_unix(void)
{
    int fd;
    assert_int_equal(mg_unix_connect(temp_path("metrics.sock"), SOCK_STREAM, &fd, NULL), MG_OK);
    return fd;
}

/* ask sends |request| on |fd|, reads to the end, and closes. */
static const char *ask(int fd, const char *request)
{
    static char response[8192];
    size_t len = 0;
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, 20000), 1);
        ssize_t got = recv(fd, response + len, sizeof(response) - 1 - len, 0);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    close(fd);
    response[len] = '\0';
    return response;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_a_page_is_rendered_anew_for_each_request(void **state)
{
    (void)state;
    struct metrics_http *server = start(NULL);
    value = 7;
    const char *response = ask(connect_unix(), GET("/metrics"));
    assert_int_equal(strncmp(response, "HTTP/1.1 200 ", 13), 0);
    assert_non_null(strstr(response, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(response, "\r\n\r\nvalue 7\n"));
    value = 8;
    assert_non_null(strstr(ask(connect_unix(), GET("/metrics?query=1")), "\r\n\r\nvalue 8\n"));
    response = ask(connect_unix(), GET("/status"));
    assert_non_null(strstr(response, "Content-Type: application/json\r\n"));
    metrics_http_stop(server);
}

static void test_a_page_with_arguments_answers_or_says_what_is_wrong(void **state)
{
    (void)state;
    struct metrics_http *server = start(NULL);
    const char *response = ask(connect_unix(), GET("/echo?y=1&x=a%20b"));
    assert_int_equal(strncmp(response, "HTTP/1.1 200 ", 13), 0);
    assert_non_null(strstr(response, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(response, "\r\n\r\na b"));
    static const char *const wrong[] = {GET("/echo"), GET("/echo?"), GET("/echo?x")};
    for (size_t i = 0; i < MG_ARRAY_LEN(wrong); i++) {
        response = ask(connect_unix(), wrong[i]);
        assert_int_equal(strncmp(response, "HTTP/1.1 400 ", 13), 0);
        assert_non_null(strstr(response, "Content-Type: text/plain\r\n"));
        assert_non_null(strstr(response, "\r\n\r\nx is missing\n"));
    }
    metrics_http_stop(server);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    struct metrics_http *server = start(NULL);
    const char *response = ask(connect_unix(), "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_int_equal(strncmp(response, "HTTP/1.1 200 ", 13), 0);
    assert_null(strstr(response, "value"));
    metrics_http_stop(server);
}

static void test_other_paths_and_methods_are_refused(void **state)
{
    (void)state;
    struct metrics_http *server = start(NULL);
    assert_int_equal(strncmp(ask(connect_unix(), GET("/")), "HTTP/1.1 404 ", 13), 0);
    assert_int_equal(strncmp(ask(connect_unix(), GET("/metrics/")), "HTTP/1.1 404 ", 13), 0);
    assert_int_equal(strncmp(ask(connect_unix(), GET("/too-much")), "HTTP/1.1 500 ", 13), 0);
    const char *response = ask(connect_unix(), "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                               "Content-Length: 4\r\n\r\nbody");
    assert_int_equal(strncmp(response, "HTTP/1.1 405 ", 13), 0);
    assert_non_null(strstr(response, "Allow: GET, HEAD\r\n"));
    response = ask(connect_unix(), "nonsense\r\n\r\n");
    assert_null(strstr(response, "value"));
    metrics_http_stop(server);
}

static void test_the_socket_is_for_user_and_group_and_goes_with_the_server(void **state)
{
    (void)state;
    struct metrics_http *server = start(NULL);
    struct stat st;
    assert_int_equal(stat(temp_path("metrics.sock"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    metrics_http_stop(server);
    assert_int_equal(stat(temp_path("metrics.sock"), &st), -1);
    server = start(NULL); /* and comes again */
    assert_non_null(strstr(ask(connect_unix(), GET("/metrics")), "value"));
    metrics_http_stop(server);
}

/* Idle connections up to the bound do not keep a later client out for ever, nor stop the server from stopping. */
static void test_connections_are_bounded(void **state)
{
    (void)state;
    struct metrics_http *server = start(NULL);
    int idle[METRICS_HTTP_MAX_CONNECTIONS + 4];
    for (size_t i = 0; i < MG_ARRAY_LEN(idle); i++) {
        idle[i] = connect_unix();
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(idle); i++) {
        close(idle[i]);
    }
    const char *response = "";
    for (int tries = 0; tries < 100 && strstr(response, "value") == NULL; tries++) {
        response = ask(connect_unix(), GET("/metrics"));
    }
    assert_non_null(strstr(response, "value"));
    metrics_http_stop(server);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static int connect_tcp(int port)
{
    struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
    return fd;
}

static void test_tcp_is_served_too_where_it_is_configured(void **state)
{
    (void)state;
    char address[64];
    int port = free_port();
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    struct metrics_http *server = start(address);
    assert_non_null(strstr(ask(connect_tcp(port), GET("/metrics")), "\r\n\r\nvalue "));
    assert_non_null(strstr(ask(connect_unix(), GET("/metrics")), "\r\n\r\nvalue "));
    /* But for what is local. */
    assert_int_equal(strncmp(ask(connect_tcp(port), GET("/echo?x=1")), "HTTP/1.1 404 ", 13), 0);
    assert_int_equal(strncmp(ask(connect_unix(), GET("/echo?x=1")), "HTTP/1.1 200 ", 13), 0);
    metrics_http_stop(server);
}

static void test_bad_addresses_are_refused_and_nothing_is_left(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "localhost:1", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:port", "[::1]", "192.0.2.1:1"};
    struct stat st;
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct metrics_http *server = NULL;
        struct mg_error error = {""};
        struct metrics_http_config config = {.socket_path = temp_path("metrics.sock"), .tcp_address = bad[i]};
        config.routes = routes;
        config.num_routes = 1;
        assert_int_not_equal(metrics_http_start(&server, &config, &error), MG_OK);
        assert_true(error.text[0] != '\0');
        assert_int_equal(stat(temp_path("metrics.sock"), &st), -1);
    }
}

static void test_no_listener_is_no_error(void **state)
{
    (void)state;
    struct metrics_http *server = NULL;
    struct metrics_http_config config = {.socket_path = "", .tcp_address = "", .routes = routes, .num_routes = 1};
    assert_int_equal(metrics_http_start(&server, &config, NULL), MG_OK);
    metrics_http_stop(server);
    metrics_http_stop(NULL);
    config.num_routes = METRICS_HTTP_MAX_ROUTES + 1;
    assert_int_equal(metrics_http_start(&server, &config, NULL), MG_LIMIT);
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(test_a_page_is_rendered_anew_for_each_request),
        HTTP_TEST(test_a_page_with_arguments_answers_or_says_what_is_wrong),
        HTTP_TEST(test_head_has_no_body),
        HTTP_TEST(test_other_paths_and_methods_are_refused),
        HTTP_TEST(test_the_socket_is_for_user_and_group_and_goes_with_the_server),
        HTTP_TEST(test_connections_are_bounded),
        HTTP_TEST(test_tcp_is_served_too_where_it_is_configured),
        HTTP_TEST(test_bad_addresses_are_refused_and_nothing_is_left),
        HTTP_TEST(test_no_listener_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
