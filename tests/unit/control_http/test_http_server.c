/* SPDX-License-Identifier: Apache-2.0 */
/* The server as clients see it: curl, over TLS and over the Unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../hsm/temp_dir.h"
#include "base/clock.h"
#include "base/unix_socket.h"
#include "control/http/oauth.h"
#include "control/http/server.h"

/* ---- a family of routes ---- */

static atomic_uint num_slow;

static void handle_echo(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    http_response_json(response, 200, json_pack("{s:s,s:O}", "who", request->identity.name, "body", request->json));
}

static void handle_item(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    http_response_json(response, 200, json_pack("{s:I}", "id", (json_int_t)http_request_id(request, 0)));
}

static void handle_upload(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    const struct multipart_part *part = multipart_find0(&request->multipart, "fileUpload");
    if (part == NULL) {
        http_fail(request, response, HTTP_PROBLEM_INVALID, NULL, "fileUpload: is required");
        return;
    }
    http_response_download(response, "a b.pem", part->data);
}

static void handle_slow(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    (void)request;
    atomic_fetch_add(&num_slow, 1);
    nanosleep(&(struct timespec){.tv_nsec = 400 * 1000 * 1000}, NULL);
    http_response_empty(response, 204);
}

static const struct http_route routes[] = {
    {HTTP_POST, "/echo", HTTP_ROLE_AUDITOR, HTTP_BODY_JSON, 1024, RATE_NONE, handle_echo},
    {HTTP_GET, "/item/{id}", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_item},
    {HTTP_DELETE, "/item/{id}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_NONE, handle_item},
    {HTTP_POST, "/upload", HTTP_ROLE_OPERATOR, HTTP_BODY_MULTIPART, 65536, RATE_NONE, handle_upload},
    {HTTP_GET, "/slow", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_slow},
};

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    struct mg_slice token;
    (void)arg;
    if (!http_request_bearer(request, &token) || !mg_slice_equal(token, mg_slice_of_text("right"))) {
        return MG_DENIED;
    }
    snprintf(out->name, sizeof(out->name), "user:somebody");
    out->role = HTTP_ROLE_OPERATOR;
    return MG_OK;
}

static const char *const bases[] = {"/test/v1", NULL};
static const struct http_family family = {.name = "test",
                                          .bases = bases,
                                          .routes = routes,
                                          .num_routes = MG_ARRAY_LEN(routes),
                                          .authenticate = authenticate,
                                          .render = oauth_render_error};

/* ---- the server ---- */

static struct router *router;
static struct http_server *server;

static struct http_server_limits limits_for_tests(void)
{
    struct http_server_limits limits = http_server_default_limits;
    limits.connections_per_address = 0; /* all of them come from one */
    return limits;
}

static void start(const struct http_server_limits *limits)
{
    struct mg_error error = {""};
    assert_int_equal(router_new(&router, NULL, &error), MG_OK);
    assert_int_equal(router_add(router, &family, &error), MG_OK);
    struct http_server_config config = {.tls_address = "127.0.0.1:0",
                                        .certificate_file = temp_path("control.pem"),
                                        .key_file = temp_path("control.key"),
                                        .socket_path = temp_path("control.sock"),
                                        .router = router,
                                        .limits = *limits};
    if (http_server_start(&server, &config, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
}

static int set_up(void **state)
{
    if (temp_dir_make(state) != 0) {
        return -1;
    }
    struct http_server_limits limits = limits_for_tests();
    start(&limits);
    return 0;
}

static int tear_down(void **state)
{
    http_server_free(server);
    router_free(router);
    return temp_dir_remove(state);
}

/* ---- clients ---- */

/* curl runs curl with |arguments|, in which %T stands for the TLS address with the test's trust, %U for the Unix
 * socket; and returns all that it says. */
static const char *curl(const char *arguments)
{
    static char output[1 << 16];
    char command[4096], tls[512], local[512];
    snprintf(tls, sizeof(tls), "--cacert %s https://localhost:%u", temp_path("control.pem"), http_server_port(server));
    snprintf(local, sizeof(local), "--unix-socket %s http://control", temp_path("control.sock"));
    size_t len = (size_t)snprintf(command, sizeof(command), "curl -sS --max-time 20 ");
    for (const char *at = arguments; *at != '\0'; at++) {
        const char *word = strncmp(at, "%T", 2) == 0 ? tls : strncmp(at, "%U", 2) == 0 ? local : NULL;
        len += (size_t)snprintf(command + len, sizeof(command) - len, "%.*s", word == NULL ? 1 : (int)strlen(word),
                                word == NULL ? at : word);
        at += word != NULL;
    }
    snprintf(command + len, sizeof(command) - len, " 2>&1");
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(output, 1, sizeof(output) - 1, pipe);
    output[got] = '\0';
    pclose(pipe);
    return output;
}

static void assert_has(const char *output, const char *text)
{
    if (strstr(output, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, output);
    }
}

#define RIGHT "-H 'Authorization: Bearer right' "

static void test_tls_serves_with_the_certificate_that_it_made(void **state)
{
    (void)state;
    const char *answer = curl("-i " RIGHT "%T/test/v1/item/7");
    assert_has(answer, "HTTP/1.1 200");
    assert_has(answer, "Content-Type: application/json");
    assert_has(answer, "Cache-Control: no-store");
    assert_has(answer, "{\"id\":7}");
    assert_has(curl("-i -I " RIGHT "%T/test/v1/item/7"), "HTTP/1.1 200");
    assert_has(curl("--tlsv1.0 --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 " RIGHT "%T/test/v1/item/7"), "curl:");
    struct stat st;
    assert_int_equal(stat(temp_path("control.key"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_the_peer_of_the_unix_socket_is_an_administrator(void **state)
{
    (void)state;
    char expected[64];
    snprintf(expected, sizeof(expected), "\"who\":\"unix:%u\"", (unsigned)getuid());
    assert_has(curl("-d '{\"a\":1}' -H 'Content-Type: application/json' %U/test/v1/echo"), expected);
    assert_has(curl("-i -X DELETE %U/test/v1/item/3"), "HTTP/1.1 200");
    struct stat st;
    assert_int_equal(stat(temp_path("control.sock"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_strangers_and_low_roles_are_refused(void **state)
{
    (void)state;
    assert_has(curl("-i %T/test/v1/item/7"), "HTTP/1.1 401");
    assert_has(curl("-i -H 'Authorization: Bearer wrong' %T/test/v1/item/7"), "HTTP/1.1 401");
    assert_has(curl("-i %T/test/v1/nothing"), "HTTP/1.1 401");
    assert_has(curl("-i -X DELETE " RIGHT "%T/test/v1/item/7"), "HTTP/1.1 403");
    assert_has(curl("-i " RIGHT "%T/test/v1/nothing"), "HTTP/1.1 404");
    assert_has(curl("-i %T/"), "HTTP/1.1 404");
    assert_has(curl("-i " RIGHT "%T/test/v1/item/%37"), "HTTP/1.1 404"); /* paths come as they were sent */
}

/* contracts.md 0.2, 0.3: bodies where none belong, and none where one does; on one connection. */
static void test_bodies_of_get_and_delete_are_thrown_away(void **state)
{
    (void)state;
    const char *answer = curl("-v " RIGHT "-H 'Content-Type: application/json' -X GET -d '{}' %T/test/v1/item/1 --next "
                              "-sS -v " RIGHT "-H 'Content-Type: application/json' -X POST %T/test/v1/echo --next "
                              "-sS -v " RIGHT "-X GET -d '{\"id\":9}' %T/test/v1/item/2");
    assert_has(answer, "{\"id\":1}");
    assert_has(answer, "\"body\":{}");
    assert_has(answer, "{\"id\":2}");
    assert_has(answer, "Re-using existing"); /* newer ones go on with "https: connection" */
}

static void test_bodies_are_bounded_and_checked(void **state)
{
    (void)state;
    FILE *large = fopen(temp_path("large"), "w"), *huge = fopen(temp_path("huge"), "w");
    fprintf(large, "{\"a\":\"%02000d\"}", 0);
    fclose(large);
    for (int i = 0; i < 3000; i++) {
        fprintf(huge, "%04000d", 0);
    }
    fclose(huge);
    char arguments[1024];
    snprintf(arguments, sizeof(arguments), "-i " RIGHT "-H 'Content-Type: application/json' -d @%s %%T/test/v1/echo",
             temp_path("large"));
    assert_has(curl(arguments), "HTTP/1.1 413");
    snprintf(arguments, sizeof(arguments), "-i " RIGHT "-H 'Content-Type: application/json' -d @%s %%T/test/v1/echo",
             temp_path("huge"));
    assert_has(curl(arguments), "HTTP/1.1 413");
    snprintf(arguments, sizeof(arguments),
             "-i " RIGHT "-H 'Transfer-Encoding: chunked' -H 'Content-Type: application/json' -d @%s %%T/test/v1/echo",
             temp_path("large"));
    assert_has(curl(arguments), "HTTP/1.1 413");
    assert_has(curl("-i " RIGHT "-H 'Content-Type: application/json' -d '{' %T/test/v1/echo"), "HTTP/1.1 400");
    assert_has(curl("-i " RIGHT "-d '{}' %T/test/v1/echo"), "HTTP/1.1 415");
}

static void test_files_are_uploaded_by_curl(void **state)
{
    (void)state;
    FILE *file = fopen(temp_path("upload"), "w");
    fprintf(file, "-----BEGIN X-----\n\r\n--nothing\n");
    fclose(file);
    char arguments[1024];
    snprintf(arguments, sizeof(arguments),
             "-i " RIGHT "-F 'fileUpload=@%s;filename=certificate.pem' %%T/test/v1/upload", temp_path("upload"));
    const char *answer = curl(arguments);
    assert_has(answer, "HTTP/1.1 200");
    assert_has(answer, "filename=\"a_b.pem\"");
    assert_has(answer, "-----BEGIN X-----\n\r\n--nothing\n");
    assert_has(curl("-i " RIGHT "-F other=1 %T/test/v1/upload"), "fileUpload: is required");
    assert_has(curl("-i " RIGHT "-H 'Content-Type: application/json' -d '{}' %T/test/v1/upload"), "HTTP/1.1 415");
}

static void test_heads_are_bounded(void **state)
{
    (void)state;
    char arguments[1024];
    FILE *file = fopen(temp_path("headers"), "w");
    fprintf(file, "X-Large: %050000d\n", 0);
    fclose(file);
    snprintf(arguments, sizeof(arguments), "-i " RIGHT "-H @%s %%T/test/v1/item/1", temp_path("headers"));
    assert_null(strstr(curl(arguments), "HTTP/1.1 200"));
    assert_has(curl("-i " RIGHT "%T/test/v1/item/1"), "HTTP/1.1 200");
}

static void test_two_hundred_clients_at_once_are_all_answered(void **state)
{
    (void)state;
    const char *answer = curl("--parallel --parallel-max 200 --parallel-immediate --no-progress-meter -o /dev/null "
                              "-w '%{http_code}\\n' " RIGHT "%T/test/v1/item/[1-200]");
    size_t num_ok = 0;
    for (const char *at = answer; (at = strstr(at, "200\n")) != NULL; at += 4) {
        num_ok++;
    }
    assert_int_equal(num_ok, 200);
    num_ok = 0;
    answer = curl("--parallel --parallel-max 200 --parallel-immediate --no-progress-meter -o /dev/null "
                  "-w '%{http_code}\\n' %U/test/v1/item/[1-200]");
    for (const char *at = answer; (at = strstr(at, "200\n")) != NULL; at += 4) {
        num_ok++;
    }
    assert_int_equal(num_ok, 200);
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int connect_tls_port(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(http_server_port(server))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void restart(const struct http_server_limits *limits)
{
    http_server_free(server);
    router_free(router);
    start(limits);
}

/* ends_within waits until the server closes |fd|; false: not within |ms|. */
static bool ends_within(int fd, int ms)
{
    char byte[256];
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (poll(&poll_fd, 1, ms) == 1) {
        if (recv(fd, byte, sizeof(byte), 0) <= 0) {
            return true;
        }
    }
    return false;
}

/* check_bound: of |limit| idle connections and one more the last is cut off at once, and there is room again when one
 * of the others has gone. */
static void check_bound(const struct http_server_limits *limits, int limit)
{
    int fds[8];
    restart(limits);
    for (int i = 0; i < limit; i++) {
        fds[i] = connect_tls_port();
        assert_false(ends_within(fds[i], 50));
    }
    int late = connect_tls_port();
    assert_true(ends_within(late, 20000));
    close(late);
    close(fds[0]);
    const char *answer = "";
    for (int tries = 0; tries < 200 && strstr(answer, "HTTP/1.1 200") == NULL; tries++) {
        answer = curl("-i " RIGHT "%T/test/v1/item/1"); /* the place is free a moment after the close */
    }
    assert_has(answer, "HTTP/1.1 200");
    for (int i = 1; i < limit; i++) {
        close(fds[i]);
    }
}

/* ask_as_nobody is a process of another user, whom a wrong mode let come to the socket. */
static int ask_as_nobody(void)
{
    int fd;
    if (setuid(65534) != 0 || mg_unix_connect(temp_path("control.sock"), SOCK_STREAM, &fd, NULL) != MG_OK) {
        return 2;
    }
    const char request[] = "GET /test/v1/item/1 HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[16];
    (void)!send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 20000) == 1 && recv(fd, answer, sizeof(answer), 0) <= 0 ? 0 : 1;
}

static void test_another_users_process_is_cut_off(void **state)
{
    (void)state;
    int status = -1;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(temp_path("control.sock"), 0666), 0);
    assert_int_equal(chmod(temp_dir, 0755), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(ask_as_nobody());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_connections_of_an_address_are_bounded(void **state)
{
    (void)state;
    struct http_server_limits limits = limits_for_tests();
    limits.connections_per_address = 3;
    check_bound(&limits, 3);
}

/* ---- time ---- */

static void test_a_client_that_is_slow_or_silent_is_cut_off(void **state)
{
    (void)state;
    struct http_server_limits limits = limits_for_tests();
    limits.idle_seconds = 1;
    limits.transfer_seconds = 1;
    restart(&limits);
    static const char *const beginnings[] = {
        "", "GET /test/v1/item/1 HTTP/1.1\r\nHost: x\r\n",
        "POST /test/v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
        "GET /test/v1/item/1 HTTP/1.1\r\nHost: x\r\n\r\n"}; /* answered, then idle */
    int fds[MG_ARRAY_LEN(beginnings)];
    for (size_t i = 0; i < MG_ARRAY_LEN(beginnings); i++) {
        assert_int_equal(mg_unix_connect(temp_path("control.sock"), SOCK_STREAM, &fds[i], NULL), MG_OK);
        send_text(fds[i], beginnings[i]);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(beginnings); i++) {
        assert_true(ends_within(fds[i], 20000));
        close(fds[i]);
    }
    struct mg_buffer text;
    mg_buffer_init(&text, 65536);
    http_server_metrics(server, "mintgate_control_http", "here", &text);
    http_server_metrics(NULL, "mintgate_control_none", "nowhere", &text);
    mg_buffer_append_u8(&text, '\0');
    assert_has((const char *)text.data, "mintgate_control_http_cut_off_total{reason=\"time\"} 4\n");
    assert_has((const char *)text.data, "mintgate_control_http_requests_total{status=\"2xx\"} 1\n");
    assert_has((const char *)text.data, "# HELP mintgate_control_http_requests_total Requests answered here, by class");
    assert_has((const char *)text.data, "mintgate_control_none_requests_total{status=\"2xx\"} 0\n");
    mg_buffer_free(&text);
}

/* A handler that takes longer than a client may be slow is nobody's fault. */
static void test_a_handlers_time_is_not_the_clients(void **state)
{
    (void)state;
    struct http_server_limits limits = limits_for_tests();
    limits.idle_seconds = 0;
    limits.transfer_seconds = 5;
    restart(&limits);
    assert_has(curl("-i %U/test/v1/slow"), "HTTP/1.1 204");
}

static void *ask_slowly(void *arg)
{
    char *answer = arg;
    int fd;
    if (mg_unix_connect(temp_path("control.sock"), SOCK_STREAM, &fd, NULL) != MG_OK) {
        return NULL;
    }
    send_text(fd, "GET /test/v1/slow HTTP/1.1\r\nHost: x\r\n\r\n");
    size_t len = 0;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (poll(&poll_fd, 1, 20000) == 1) {
        ssize_t got = recv(fd, answer + len, 1023 - len, 0);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    answer[len] = '\0';
    close(fd);
    return NULL;
}

static void test_draining_answers_what_runs_and_ends_what_is_idle(void **state)
{
    (void)state;
    char answer[1024] = "";
    int idle;
    pthread_t client;
    unsigned before = atomic_load(&num_slow);
    assert_int_equal(mg_unix_connect(temp_path("control.sock"), SOCK_STREAM, &idle, NULL), MG_OK);
    send_text(idle, "GET /test/v1/item/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(pthread_create(&client, NULL, ask_slowly, answer), 0);
    while (atomic_load(&num_slow) == before) {
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
    struct mg_error error = {""};
    assert_int_equal(http_server_drain(server, 20 * MG_NS_PER_SECOND, &error), MG_OK);
    assert_true(ends_within(idle, 20000));
    close(idle);
    pthread_join(client, NULL);
    assert_has(answer, "HTTP/1.1 204");
    assert_has(answer, "Connection: close");
    int late = -1;
    assert_int_not_equal(mg_unix_connect(temp_path("control.sock"), SOCK_STREAM, &late, NULL), MG_OK);
}

static void test_draining_ends_at_its_deadline(void **state)
{
    (void)state;
    char answer[1024] = "";
    pthread_t client;
    unsigned before = atomic_load(&num_slow);
    assert_int_equal(pthread_create(&client, NULL, ask_slowly, answer), 0);
    while (atomic_load(&num_slow) == before) {
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
    assert_int_equal(http_server_drain(server, 10 * MG_NS_PER_MS, NULL), MG_LIMIT);
    pthread_join(client, NULL);
}

/* ---- starting ---- */

static enum mg_status try_start(const char *certificate, const char *key)
{
    struct http_server *other = NULL;
    struct mg_error error = {""};
    struct http_server_config config = {.tls_address = "127.0.0.1:0",
                                        .certificate_file = certificate,
                                        .key_file = key,
                                        .router = router,
                                        .limits = http_server_default_limits};
    enum mg_status status = http_server_start(&other, &config, &error);
    http_server_free(other);
    assert_true(status == MG_OK || error.text[0] != '\0');
    return status;
}

static void test_certificate_and_key_must_be_a_pair_that_is_kept_secret(void **state)
{
    (void)state;
    const char *certificate = temp_path("control.pem"), *key = temp_path("control.key");
    struct stat before, after;
    assert_int_equal(stat(certificate, &before), 0);
    assert_int_equal(try_start(certificate, key), MG_OK);
    assert_int_equal(stat(certificate, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* not made again */
    assert_int_equal(try_start(certificate, temp_path("none.key")), MG_INVALID);
    assert_int_equal(try_start(certificate, NULL), MG_INVALID);
    assert_int_equal(try_start(temp_path("second.pem"), temp_path("second.key")), MG_OK);
    assert_int_equal(try_start(certificate, temp_path("second.key")), MG_INVALID);
    assert_int_equal(unlink(temp_path("second.pem")), 0);
    assert_int_equal(try_start(temp_path("second.pem"), temp_path("second.key")), MG_OK); /* half a first start */
    assert_int_equal(chmod(key, 0644), 0);
    assert_int_equal(try_start(certificate, key), MG_DENIED);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(test_tls_serves_with_the_certificate_that_it_made),
        SERVER_TEST(test_the_peer_of_the_unix_socket_is_an_administrator),
        SERVER_TEST(test_strangers_and_low_roles_are_refused),
        SERVER_TEST(test_bodies_of_get_and_delete_are_thrown_away),
        SERVER_TEST(test_bodies_are_bounded_and_checked),
        SERVER_TEST(test_files_are_uploaded_by_curl),
        SERVER_TEST(test_heads_are_bounded),
        SERVER_TEST(test_another_users_process_is_cut_off),
        SERVER_TEST(test_connections_of_an_address_are_bounded),
        SERVER_TEST(test_two_hundred_clients_at_once_are_all_answered),
        SERVER_TEST(test_a_client_that_is_slow_or_silent_is_cut_off),
        SERVER_TEST(test_a_handlers_time_is_not_the_clients),
        SERVER_TEST(test_draining_answers_what_runs_and_ends_what_is_idle),
        SERVER_TEST(test_draining_ends_at_its_deadline),
        SERVER_TEST(test_certificate_and_key_must_be_a_pair_that_is_kept_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
