/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load_conn.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "bench/http_head.h"
#include "bench/load_tls.h"

static const char *const stage_names[] = {
    [LOAD_CONNECT] = "connect",   [LOAD_HANDSHAKE] = "handshake", [LOAD_REQUEST] = "request",
    [LOAD_RESPONSE] = "response", [LOAD_CLOSE] = "close",
};

/* What a stage says when it returns. */
enum step {
    STEP_ON, /* go on with the stage that is set now */
    STEP_WAIT_READ,
    STEP_WAIT_WRITE,
    STEP_FINISHED, /* reported; |conn| must not be touched */
};

static void release(struct loop_retired *retired)
{
    free(MG_CONTAINER_OF(retired, struct load_conn, retired));
}

static uint64_t us_between(uint64_t from_ns, uint64_t to_ns)
{
    return to_ns > from_ns ? (to_ns - from_ns) / MG_NS_PER_US : 0;
}

static enum step finish(struct load_conn *conn, const char *result, bool unclean_close)
{
    const struct tally_record record = {
        .result = result,
        .lag_us = us_between(conn->intended_ns, conn->started_ns),
        .connect_us = us_between(conn->started_ns, conn->connected_ns),
        .handshake_us = us_between(conn->connected_ns, conn->handshaken_ns),
        .total_us = us_between(conn->intended_ns, conn->answered_ns),
        .body_bytes = conn->body_bytes,
        .offered = conn->offered,
        .resumed = conn->ssl != NULL && SSL_session_reused(conn->ssl),
        .unclean_close = unclean_close,
    };
    conn->shared->finished(conn, &record);
    SSL_free(conn->ssl);
    loop_close(&conn->source);
    loop_retire(conn->shared->loop, &conn->retired);
    return STEP_FINISHED;
}

static enum step fail(struct load_conn *conn, const char *reason)
{
    char result[LOAD_TLS_MAX_REASON + 32];
    snprintf(result, sizeof(result), "%s: %s", stage_names[conn->stage], reason);
    return finish(conn, result, false);
}

static enum step fail_errno(struct load_conn *conn, int number)
{
    switch (number) {
    case 0:
        return fail(conn, "end of file");
    case ECONNREFUSED:
        return fail(conn, "refused");
    case EPIPE:
    case ECONNRESET:
        return fail(conn, "reset");
    case ETIMEDOUT:
        return fail(conn, "timeout");
    default:
        return fail(conn, strerror(number));
    }
}

static enum step fail_tls(struct load_conn *conn)
{
    char reason[LOAD_TLS_MAX_REASON];
    load_tls_describe_failure(conn->ssl, reason);
    return fail(conn, reason);
}

/* wait_or_fail says what is to be done after an SSL_* function returned |result| and could not go on. */
static enum step wait_or_fail(struct load_conn *conn, int result)
{
    int number = errno;
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return STEP_WAIT_READ;
    case SSL_ERROR_WANT_WRITE:
        return STEP_WAIT_WRITE;
    case SSL_ERROR_SYSCALL:
        return fail_errno(conn, result == 0 ? 0 : number);
    case SSL_ERROR_ZERO_RETURN:
        return fail(conn, "close_notify");
    default:
        return fail_tls(conn);
    }
}

static void clear_errors(void)
{
    ERR_clear_error();
    errno = 0;
}

static void offer_session(struct load_conn *conn)
{
    struct load_shared *shared = conn->shared;
    SSL_SESSION *session = load_options_may_resume(shared->options, conn->index)
                               ? load_sessions_take(&shared->sessions, conn->name_index)
                               : NULL;
    conn->offered = session != NULL;
    if (session != NULL) {
        SSL_set_session(conn->ssl, session);
        SSL_SESSION_free(session);
    }
}

static enum step begin_handshake(struct load_conn *conn)
{
    struct load_shared *shared = conn->shared;
    char name[LOAD_MAX_NAME + 1];
    load_options_name(shared->options, conn->name_index, name);
    conn->ssl = SSL_new(shared->ctx);
    if (conn->ssl == NULL || !SSL_set_fd(conn->ssl, conn->source.fd) || !load_tls_require_name(conn->ssl, name)) {
        return fail(conn, "out of memory");
    }
    SSL_set_app_data(conn->ssl, conn);
    offer_session(conn);
    conn->stage = LOAD_HANDSHAKE;
    return STEP_ON;
}

static enum step run_connect(struct load_conn *conn)
{
    int number = 0;
    socklen_t len = sizeof(number);
    if (getsockopt(conn->source.fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0 || number != 0) {
        return fail_errno(conn, number);
    }
    conn->connected_ns = mg_clock_monotonic_ns();
    return begin_handshake(conn);
}

static enum step begin_close(struct load_conn *conn)
{
    conn->answered_ns = mg_clock_monotonic_ns();
    clear_errors();
    (void)SSL_shutdown(conn->ssl);
    shutdown(conn->source.fd, SHUT_WR);
    conn->stage = LOAD_CLOSE;
    return STEP_ON;
}

static enum step run_handshake(struct load_conn *conn)
{
    clear_errors();
    int result = SSL_connect(conn->ssl);
    if (result != 1) {
        return wait_or_fail(conn, result);
    }
    conn->handshaken_ns = mg_clock_monotonic_ns();
    if (!load_tls_note(conn->ssl, conn->shared->tally, &conn->seen) && conn->shared->options->ca_file != NULL) {
        return fail(conn, "the chain is another issuer's");
    }
    if (conn->shared->options->path == NULL) {
        return begin_close(conn);
    }
    conn->stage = LOAD_REQUEST;
    return STEP_ON;
}

static enum step run_request(struct load_conn *conn)
{
    char request[2048], name[LOAD_MAX_NAME + 1];
    load_options_name(conn->shared->options, conn->name_index, name);
    int len =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", conn->shared->options->path, name);
    clear_errors();
    int result = SSL_write(conn->ssl, request, len);
    if (result <= 0) {
        return wait_or_fail(conn, result);
    }
    conn->stage = LOAD_RESPONSE;
    return STEP_ON;
}

/* check_head returns what is wrong with the answer's head, or NULL. */
static const char *check_head(struct load_conn *conn, struct mg_slice head)
{
    const struct load_options *options = conn->shared->options;
    struct mg_slice line, version, status, value;
    uint64_t number;
    if (!http_take_line(&head, &line) || !http_take_word(&line, ' ', &version) ||
        !http_equal_text(version, "HTTP/1.1") || !http_take_word(&line, ' ', &status) ||
        !http_number(status, 10, &number)) {
        return "not an HTTP answer";
    }
    if (number != options->expect_status) {
        snprintf(conn->problem, sizeof(conn->problem), "http status %" PRIu64, number);
        return conn->problem;
    }
    if (!http_field(head, "Content-Length", &value) || !http_number(value, 10, &conn->body_left)) {
        return "no Content-Length";
    }
    if (options->expect_len >= 0 && conn->body_left != (uint64_t)options->expect_len) {
        return "http length";
    }
    return NULL;
}

static const char *take_body(struct load_conn *conn, size_t len)
{
    conn->body_bytes += len;
    if (len > conn->body_left) {
        return "more than Content-Length";
    }
    conn->body_left -= len;
    return NULL;
}

/* take_answer takes in what was read; it returns what is wrong with it, or NULL. */
static const char *take_answer(struct load_conn *conn, const uint8_t *data, size_t len)
{
    if (conn->head_complete) {
        return take_body(conn, len);
    }
    size_t room = sizeof(conn->head) - conn->head_len;
    size_t part = len < room ? len : room;
    memcpy(conn->head + conn->head_len, data, part);
    conn->head_len += part;
    size_t head_len = http_head_len(mg_slice_of(conn->head, conn->head_len));
    if (head_len == 0) {
        return part < len || conn->head_len == sizeof(conn->head) ? "head too large" : NULL;
    }
    conn->head_complete = true;
    const char *problem = check_head(conn, mg_slice_of(conn->head, head_len));
    return problem != NULL ? problem : take_body(conn, conn->head_len - head_len + (len - part));
}

static enum step run_response(struct load_conn *conn)
{
    clear_errors();
    int result = SSL_read(conn->ssl, conn->shared->scratch, LOAD_SCRATCH_SIZE);
    if (result <= 0) {
        return wait_or_fail(conn, result);
    }
    const char *problem = take_answer(conn, conn->shared->scratch, (size_t)result);
    if (problem != NULL) {
        return fail(conn, problem);
    }
    return conn->head_complete && conn->body_left == 0 ? begin_close(conn) : STEP_ON;
}

/* run_close waits until the peer has finished too. */
static enum step run_close(struct load_conn *conn)
{
    clear_errors();
    int result = SSL_read(conn->ssl, conn->shared->scratch, LOAD_SCRATCH_SIZE);
    if (result > 0) {
        return fail(conn, "unexpected data");
    }
    int number = errno;
    switch (SSL_get_error(conn->ssl, result)) {
    case SSL_ERROR_ZERO_RETURN:
        return finish(conn, TALLY_OK, false);
    case SSL_ERROR_SYSCALL:
        return result == 0 ? finish(conn, TALLY_OK, true) : fail_errno(conn, number);
    default:
        return wait_or_fail(conn, result);
    }
}

static enum step (*const stages[])(struct load_conn *) = {
    [LOAD_CONNECT] = run_connect,   [LOAD_HANDSHAKE] = run_handshake, [LOAD_REQUEST] = run_request,
    [LOAD_RESPONSE] = run_response, [LOAD_CLOSE] = run_close,
};

static void ready(struct loop_source *source, uint32_t events)
{
    struct load_conn *conn = MG_CONTAINER_OF(source, struct load_conn, source);
    enum step step;
    (void)events;
    do {
        step = stages[conn->stage](conn);
    } while (step == STEP_ON);
    if (step != STEP_FINISHED) {
        loop_watch(conn->shared->loop, source, step == STEP_WAIT_READ ? EPOLLIN : EPOLLOUT);
    }
}

struct load_conn *load_conn_new(struct load_shared *shared, uint64_t index, uint64_t name_index, uint64_t intended_ns)
{
    struct load_conn *conn = calloc(1, sizeof(*conn));
    if (conn != NULL) {
        conn->shared = shared;
        conn->index = index;
        conn->name_index = name_index;
        conn->intended_ns = intended_ns;
        conn->source = (struct loop_source){.fd = -1, .ready = ready};
        conn->retired.release = release;
    }
    return conn;
}

static socklen_t address_len(const union load_address *address)
{
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

/* open_socket makes the socket, bound to its source address but to no port: the kernel chooses that at connect, when it
 * knows the whole 4-tuple, so that all ports can be used. */
static bool open_socket(struct load_conn *conn)
{
    const struct load_options *options = conn->shared->options;
    const int on = 1;
    int fd = socket(options->target.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    conn->source.fd = fd;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
        return false;
    }
    if (options->num_sources == 0) {
        return true;
    }
    union load_address source = load_options_source(options, conn->index);
    return setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == 0 &&
           bind(fd, &source.any, address_len(&source)) == 0;
}

void load_conn_start(struct load_conn *conn)
{
    const union load_address *target = &conn->shared->options->target;
    conn->started_ns = mg_clock_monotonic_ns();
    if (!open_socket(conn) ||
        (connect(conn->source.fd, &target->any, address_len(target)) != 0 && errno != EINPROGRESS)) {
        (void)fail_errno(conn, errno);
        return;
    }
    loop_watch(conn->shared->loop, &conn->source, EPOLLOUT);
}

void load_conn_expire(struct load_conn *conn)
{
    (void)fail(conn, "timeout");
}

int load_conn_keep_session(SSL *ssl, SSL_SESSION *session)
{
    const struct load_conn *conn = SSL_get_app_data(ssl);
    return load_sessions_keep(&conn->shared->sessions, conn->name_index, session); /* 0: the library frees it */
}
