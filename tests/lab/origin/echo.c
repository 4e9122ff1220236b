/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/echo.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/buffer.h"

#define CHUNK 4096
#define DATAGRAMS_PER_TURN 64

struct echo {
    struct worker *worker;
    struct loop_source source;
    struct loop_retired retired;
    bool peer_finished;
    size_t written;
    struct mg_buffer pending; /* writes into |storage| */
    char storage[CHUNK];
};

static void release(struct loop_retired *retired)
{
    free(MG_CONTAINER_OF(retired, struct echo, retired));
}

static void destroy(struct echo *echo)
{
    loop_close(&echo->source);
    worker_leave(echo->worker);
    loop_retire(&echo->worker->loop, &echo->retired);
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* flush and fill return false when the connection is broken. */
static bool flush(struct echo *echo)
{
    size_t left = echo->pending.len - echo->written;
    ssize_t len = send(echo->source.fd, echo->pending.data + echo->written, left, MSG_NOSIGNAL);
    if (len < 0) {
        return would_block();
    }
    echo->written += (size_t)len;
    if (echo->written == echo->pending.len) {
        mg_buffer_clear(&echo->pending);
        echo->written = 0;
    }
    return true;
}

static bool fill(struct echo *echo)
{
    ssize_t len = recv(echo->source.fd, echo->storage, sizeof(echo->storage), 0);
    if (len < 0) {
        return would_block();
    }
    echo->peer_finished = len == 0;
    echo->pending.len = (size_t)len;
    return true;
}

static void ready(struct loop_source *source, uint32_t events)
{
    struct echo *echo = MG_CONTAINER_OF(source, struct echo, source);
    bool ok = (events & EPOLLERR) == 0;
    if (ok && echo->pending.len == 0) {
        ok = fill(echo);
    }
    if (ok && echo->pending.len > 0) {
        ok = flush(echo);
    }
    if (!ok || (echo->peer_finished && echo->pending.len == 0)) {
        destroy(echo);
    } else {
        loop_watch(&echo->worker->loop, source, echo->pending.len > 0 ? EPOLLOUT : EPOLLIN);
    }
}

void echo_serve(struct worker *worker, struct loop_source *accepted)
{
    struct echo *echo = calloc(1, sizeof(*echo));
    if (echo == NULL) {
        loop_close(accepted);
        worker_leave(worker);
        return;
    }
    echo->worker = worker;
    echo->source = (struct loop_source){.fd = -1, .ready = ready};
    echo->retired.release = release;
    mg_buffer_wrap(&echo->pending, echo->storage, sizeof(echo->storage));
    mg_buffer_append_text(&echo->pending, ECHO_BANNER);
    loop_move(&worker->loop, accepted, &echo->source);
    loop_watch(&worker->loop, &echo->source, EPOLLOUT);
}

void echo_datagrams(struct worker *worker, int fd)
{
    for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
        char data[65536];
        struct sockaddr_in6 from;
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);
        if (len < 0) {
            return;
        }
        worker_count(worker, COUNT_DATAGRAMS);
        (void)sendto(fd, data, (size_t)len, 0, (const struct sockaddr *)&from, from_len);
    }
}
