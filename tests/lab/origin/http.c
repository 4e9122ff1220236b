/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "bench/http_head.h"
#include "tests/lab/origin/address.h"
#include "tests/lab/origin/answer.h"
#include "tests/lab/origin/body.h"
#include "tests/lab/origin/pattern.h"
#include "tests/lab/origin/stream.h"

#define IN_SIZE (16 * 1024) /* the largest head of a request, too */
#define OUT_SIZE (16 * 1024)
#define BYTES_PER_TURN (1024 * 1024) /* written before other connections get their turn */
#define LINGER_MS 10000              /* how long the peer may take to finish after us */

enum phase {
    PHASE_HEAD,       /* reading a request's head */
    PHASE_BODY,       /* reading its body */
    PHASE_DELAY,      /* the answer is due when the timer fires */
    PHASE_HALF_CLOSE, /* the answer is due when the peer has finished sending */
    PHASE_ANSWER,     /* writing */
    PHASE_LINGER,     /* we have finished; the peer has not */
    NUM_PHASES,
};

/* What a phase says when it returns. */
enum step {
    STEP_ON, /* go on with the phase that is set now */
    STEP_WAIT_READ,
    STEP_WAIT_WRITE,
    STEP_WAIT_TIMER,
    STEP_END, /* close the connection */
};

struct http {
    struct worker *worker;
    struct loop_source source;
    struct loop_source timer;
    struct loop_retired retired;
    struct stream stream;
    bool peer_finished;
    bool behind_nginx;
    enum phase phase;
    struct http_peer peer; /* of the connection */
    struct request request;
    struct body body;
    struct answer answer;
    uint64_t body_sent;
    struct mg_buffer out; /* writes into |out_storage| */
    size_t out_written;
    size_t in_start, in_end;
    uint8_t in[IN_SIZE];
    uint8_t out_storage[OUT_SIZE];
};

static void release(struct loop_retired *retired)
{
    free(MG_CONTAINER_OF(retired, struct http, retired));
}

static void destroy(struct http *http)
{
    stream_free(&http->stream);
    loop_close(&http->source);
    loop_close(&http->timer);
    worker_leave(http->worker);
    loop_retire(&http->worker->loop, &http->retired);
}

static struct mg_slice input(const struct http *http)
{
    return mg_slice_of(http->in + http->in_start, http->in_end - http->in_start);
}

/* read_more makes room in |in| and reads into it. */
static enum step read_more(struct http *http)
{
    size_t len = http->in_end - http->in_start;
    memmove(http->in, http->in + http->in_start, len);
    http->in_start = 0;
    http->in_end = len;
    if (http->peer_finished || len == IN_SIZE) {
        stream_finish(&http->stream);
        return STEP_END;
    }
    switch (stream_read(&http->stream, http->in + len, IN_SIZE - len, &len)) {
    case MG_OK:
        http->peer_finished = len == 0;
        http->in_end += len;
        return STEP_ON;
    case MG_AGAIN:
        return STEP_WAIT_READ;
    default:
        return STEP_END;
    }
}

/* flush writes what is in |out|: STEP_ON when it is empty. */
static enum step flush(struct http *http)
{
    while (http->out_written < http->out.len) {
        size_t len;
        switch (
            stream_write(&http->stream, http->out.data + http->out_written, http->out.len - http->out_written, &len)) {
        case MG_OK:
            http->out_written += len;
            break;
        case MG_AGAIN:
            return STEP_WAIT_WRITE;
        default:
            return STEP_END;
        }
    }
    mg_buffer_clear(&http->out);
    http->out_written = 0;
    return STEP_ON;
}

static bool start_timer(struct http *http, uint32_t delay_ms)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = delay_ms / 1000, .tv_nsec = (long)(delay_ms % 1000 * MG_NS_PER_MS)}};
    loop_close(&http->timer);
    http->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (http->timer.fd < 0 || timerfd_settime(http->timer.fd, 0, &when, NULL) != 0) {
        return false;
    }
    loop_watch(&http->worker->loop, &http->timer, EPOLLIN);
    return true;
}

static bool copy_text(char *out, size_t size, struct mg_slice text)
{
    if (text.len >= size) {
        return false;
    }
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

/* peer_from_fields reads what nginx says of the connection that it terminated. */
static void peer_from_fields(struct http_peer *peer, struct mg_slice fields)
{
    const struct {
        const char *field;
        char *out;
        size_t size;
    } map[] = {
        {"X-Lab-Client", peer->client, sizeof(peer->client)},    {"X-Lab-Sni", peer->sni, sizeof(peer->sni)},
        {"X-Lab-Version", peer->version, sizeof(peer->version)}, {"X-Lab-Cipher", peer->cipher, sizeof(peer->cipher)},
        {"X-Lab-Group", peer->group, sizeof(peer->group)},       {"X-Lab-Alpn", peer->alpn, sizeof(peer->alpn)},
        {"X-Lab-Resumed", peer->resumed, sizeof(peer->resumed)},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(map); i++) {
        struct mg_slice value;
        if (!http_field(fields, map[i].field, &value) || !copy_text(map[i].out, map[i].size, value)) {
            map[i].out[0] = '\0';
        }
    }
}

static bool parse_request_line(struct request *request, struct mg_slice line)
{
    struct mg_slice method, target, path;
    if (!http_take_word(&line, ' ', &method) || !http_take_word(&line, ' ', &target) ||
        !http_take_word(&target, '?', &path)) {
        return false;
    }
    request->close = !http_equal_text(line, "HTTP/1.1");
    return copy_text(request->method, sizeof(request->method), method) &&
           copy_text(request->path, sizeof(request->path), path) &&
           copy_text(request->query, sizeof(request->query), target);
}

/* parse_head reads a request's head and prepares for its body. */
static bool parse_head(struct http *http, struct mg_slice head)
{
    struct request *request = &http->request;
    struct mg_slice line, value;
    uint64_t content_length = 0;
    *request = (struct request){.peer = http->peer};
    if (!http_take_line(&head, &line) || !parse_request_line(request, line)) {
        return false;
    }
    if (http_field(head, "Content-Length", &value) && !http_number(value, 10, &content_length)) {
        return false;
    }
    if (http_field(head, "Connection", &value) && http_equal_text(value, "close")) {
        request->close = true;
    }
    if (http_field(head, "Expect", &value) && http_equal_text(value, "100-continue")) {
        mg_buffer_append_text(&http->out, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    bool chunked = http_field(head, "Transfer-Encoding", &value) && http_equal_text(value, "chunked");
    body_start(&http->body, chunked, content_length);
    if (http->behind_nginx) {
        peer_from_fields(&request->peer, head);
    }
    return true;
}

static enum step run_head(struct http *http)
{
    struct mg_slice data = input(http);
    size_t head_len = http_head_len(data);
    if (head_len == 0) {
        return read_more(http);
    }
    worker_count(http->worker, COUNT_REQUESTS);
    http->in_start += head_len;
    http->phase = PHASE_BODY;
    return parse_head(http, mg_slice_of(data.data, head_len)) ? STEP_ON : STEP_END;
}

static enum step begin_answer(struct http *http)
{
    if (http->peer_finished) {
        http->request.close = true;
    }
    answer_make(&http->answer, &http->request, http->worker->origin);
    answer_append_head(&http->answer, http->request.close, &http->out);
    http->body_sent = 0;
    http->phase = PHASE_ANSWER;
    return STEP_ON;
}

static enum step end_body(struct http *http)
{
    uint32_t delay_ms;
    http->request.body_len = http->body.num_bytes;
    SHA256_Final(http->request.body_sha256, &http->body.sha256);
    switch (answer_due_of(&http->request, &delay_ms)) {
    case ANSWER_AFTER_DELAY:
        http->phase = PHASE_DELAY;
        return start_timer(http, delay_ms) ? STEP_ON : STEP_END;
    case ANSWER_AFTER_HALF_CLOSE:
        http->phase = PHASE_HALF_CLOSE;
        return STEP_ON;
    default:
        return begin_answer(http);
    }
}

static enum step run_body(struct http *http)
{
    enum step flushed = flush(http); /* a 100 (Continue) */
    if (flushed != STEP_ON) {
        return flushed;
    }
    struct mg_slice data = input(http);
    enum mg_status status = body_consume(&http->body, &data);
    http->in_start = http->in_end - data.len;
    if (status == MG_AGAIN) {
        return read_more(http);
    }
    return status == MG_OK ? end_body(http) : STEP_END;
}

static enum step run_delay(struct http *http)
{
    (void)http;
    return STEP_WAIT_TIMER;
}

static enum step run_half_close(struct http *http)
{
    if (http->peer_finished) {
        http->request.saw_close_notify = stream_saw_close_notify(&http->stream);
        return begin_answer(http);
    }
    http->in_start = http->in_end; /* nothing behind this request will be served */
    return read_more(http);
}

/* fill_out puts the next part of the body into the empty |out|. */
static void fill_out(struct http *http)
{
    uint64_t left = http->answer.send_len - http->body_sent;
    size_t len = left < OUT_SIZE ? (size_t)left : OUT_SIZE;
    if (http->answer.pattern) {
        pattern_fill(http->out_storage, len, http->body_sent);
        http->out.len = len;
    } else {
        mg_buffer_append(&http->out, http->answer.text.data + http->body_sent, len);
    }
    http->body_sent += len;
}

static enum step linger(struct http *http)
{
    if (http->peer_finished) {
        return STEP_END;
    }
    http->phase = PHASE_LINGER;
    return start_timer(http, LINGER_MS) ? STEP_ON : STEP_END;
}

static enum step end_answer(struct http *http)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    switch (http->answer.end) {
    case ANSWER_END_RESET:
        setsockopt(http->source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        return STEP_END;
    case ANSWER_END_ALERT:
        if (http->stream.ssl != NULL) {
            (void)SSL_send_fatal_alert(http->stream.ssl, SSL_AD_INTERNAL_ERROR);
        }
        /* fallthrough */
    case ANSWER_END_TRUNCATE:
        shutdown(http->source.fd, SHUT_WR);
        return linger(http);
    default:
        if (http->request.close) {
            stream_finish(&http->stream);
            return linger(http);
        }
        http->phase = PHASE_HEAD;
        return STEP_ON;
    }
}

static enum step run_answer(struct http *http)
{
    for (uint64_t turn_end = http->body_sent + BYTES_PER_TURN;;) {
        enum step flushed = flush(http);
        if (flushed != STEP_ON) {
            return flushed;
        }
        if (http->body_sent == http->answer.send_len) {
            return end_answer(http);
        }
        if (http->body_sent >= turn_end) {
            return STEP_WAIT_WRITE;
        }
        fill_out(http);
    }
}

static enum step run_linger(struct http *http)
{
    if (http->peer_finished) {
        return STEP_END;
    }
    http->in_start = http->in_end;
    return read_more(http);
}

static enum step (*const phases[NUM_PHASES])(struct http *) = {
    [PHASE_HEAD] = run_head,
    [PHASE_BODY] = run_body,
    [PHASE_DELAY] = run_delay,
    [PHASE_ANSWER] = run_answer,
    [PHASE_HALF_CLOSE] = run_half_close,
    [PHASE_LINGER] = run_linger,
};

static void advance(struct http *http)
{
    static const uint32_t events[] = {[STEP_WAIT_READ] = EPOLLIN, [STEP_WAIT_WRITE] = EPOLLOUT, [STEP_WAIT_TIMER] = 0};
    enum step step;
    do {
        step = phases[http->phase](http);
    } while (step == STEP_ON);
    if (step == STEP_END) {
        destroy(http);
    } else {
        loop_watch(&http->worker->loop, &http->source, events[step]);
    }
}

static void socket_ready(struct loop_source *source, uint32_t events)
{
    struct http *http = MG_CONTAINER_OF(source, struct http, source);
    if ((events & EPOLLERR) != 0 || (http->phase == PHASE_DELAY && (events & EPOLLHUP) != 0)) {
        destroy(http);
    } else {
        advance(http);
    }
}

static void timer_ready(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct http *http = MG_CONTAINER_OF(source, struct http, timer);
    if (http->phase != PHASE_DELAY) {
        destroy(http); /* it lingered for too long */
        return;
    }
    loop_close(&http->timer);
    (void)begin_answer(http);
    advance(http);
}

static void peer_of_tls(struct http_peer *peer, const SSL *ssl)
{
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const char *group = SSL_get_curve_name(SSL_get_curve_id(ssl));
    const uint8_t *alpn;
    unsigned alpn_len;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    snprintf(peer->sni, sizeof(peer->sni), "%s", sni != NULL ? sni : "");
    snprintf(peer->version, sizeof(peer->version), "%s", SSL_get_version(ssl));
    snprintf(peer->cipher, sizeof(peer->cipher), "%s", SSL_get_cipher_name(ssl));
    snprintf(peer->group, sizeof(peer->group), "%s", group != NULL ? group : "");
    snprintf(peer->alpn, sizeof(peer->alpn), "%.*s", (int)alpn_len, alpn_len > 0 ? (const char *)alpn : "");
    snprintf(peer->resumed, sizeof(peer->resumed), "%s", SSL_session_reused(ssl) ? "yes" : "no");
}

void http_serve(struct worker *worker, struct loop_source *accepted, SSL *ssl)
{
    struct http *http = malloc(sizeof(*http)); /* not zeroed as a whole: the buffers are large */
    if (http == NULL) {
        SSL_free(ssl);
        loop_close(accepted);
        worker_leave(worker);
        return;
    }
    struct address_text client = address_peer(accepted->fd);
    http->worker = worker;
    http->source = (struct loop_source){.fd = -1, .ready = socket_ready};
    http->timer = (struct loop_source){.fd = -1, .ready = timer_ready};
    http->retired = (struct loop_retired){.release = release};
    http->stream = (struct stream){.fd = accepted->fd, .ssl = ssl};
    http->peer_finished = false;
    http->behind_nginx = ssl == NULL && strcmp(client.address, "127.0.0.1") == 0;
    http->phase = PHASE_HEAD;
    http->in_start = http->in_end = 0;
    http->peer = (struct http_peer){.resumed = "no"};
    snprintf(http->peer.client, sizeof(http->peer.client), "[%s]:%u", client.address, client.port);
    if (ssl != NULL) {
        peer_of_tls(&http->peer, ssl);
    }
    mg_buffer_wrap(&http->out, http->out_storage, sizeof(http->out_storage));
    http->out_written = 0;
    loop_move(&worker->loop, accepted, &http->source);
    advance(http);
}

void http_serve_plain(struct worker *worker, struct loop_source *accepted)
{
    http_serve(worker, accepted, NULL);
}
