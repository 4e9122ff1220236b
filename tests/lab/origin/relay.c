/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/relay.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "tests/lab/origin/address.h"

#define CHUNK (32 * 1024)
#define MAX_BACKLOG (128 * 1024) /* what was read before the other side was connected */

/* One side: its socket, and what is still to be written to it. */
struct side {
    struct loop_source source;
    struct relay *relay;
    struct mg_buffer pending;
    size_t written;    /* of |pending| */
    bool read_closed;  /* it will send no more */
    bool write_closed; /* it has been told that we will not either */
};

enum { CLIENT, SERVER };

struct relay {
    struct worker *worker;
    struct side sides[2];
    struct loop_retired retired;
};

static struct side *other(struct side *side)
{
    return &side->relay->sides[side == &side->relay->sides[CLIENT] ? SERVER : CLIENT];
}

static void release(struct loop_retired *retired)
{
    struct relay *relay = MG_CONTAINER_OF(retired, struct relay, retired);
    mg_buffer_free(&relay->sides[CLIENT].pending);
    mg_buffer_free(&relay->sides[SERVER].pending);
    free(relay);
}

static void destroy(struct relay *relay)
{
    loop_close(&relay->sides[CLIENT].source);
    loop_close(&relay->sides[SERVER].source);
    worker_leave(relay->worker);
    loop_retire(&relay->worker->loop, &relay->retired);
}

/* reset_both passes a broken connection on as such. */
static void reset_both(struct relay *relay)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    for (size_t i = 0; i < 2; i++) {
        setsockopt(relay->sides[i].source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    destroy(relay);
}

/* flush writes what is pending for |side|; false when the connection is broken. */
static bool flush(struct side *side)
{
    struct mg_slice rest = mg_buffer_slice(&side->pending);
    rest = mg_slice_of(rest.data + side->written, rest.len - side->written);
    if (rest.len > 0) {
        ssize_t len = send(side->source.fd, rest.data, rest.len, MSG_NOSIGNAL);
        if (len < 0) {
            return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
        }
        side->written += (size_t)len;
    }
    if (side->written == side->pending.len) {
        mg_buffer_clear(&side->pending);
        side->written = 0;
        if (other(side)->read_closed && !side->write_closed) {
            side->write_closed = true;
            shutdown(side->source.fd, SHUT_WR);
        }
    }
    return true;
}

/* pull reads from |side| for the other; false when the connection is broken. */
static bool pull(struct side *side)
{
    uint8_t chunk[CHUNK];
    ssize_t len = recv(side->source.fd, chunk, sizeof(chunk), 0);
    if (len < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    side->read_closed = len == 0;
    mg_buffer_append(&other(side)->pending, chunk, (size_t)len);
    return mg_buffer_ok(&other(side)->pending) && flush(other(side));
}

static void watch(struct side *side)
{
    uint32_t events = 0;
    if (side->pending.len > 0) {
        events |= EPOLLOUT;
    }
    if (!side->read_closed && other(side)->pending.len == 0) {
        events |= EPOLLIN;
    }
    /* With nothing to wait for, edge-triggered: a hang-up is told once, not all the time. */
    loop_watch(&side->relay->worker->loop, &side->source, events != 0 ? events : (uint32_t)EPOLLET);
}

static void ready(struct loop_source *source, uint32_t events)
{
    struct side *side = MG_CONTAINER_OF(source, struct side, source);
    struct relay *relay = side->relay;
    bool ok = (events & EPOLLERR) == 0;
    if (ok && (events & EPOLLOUT) != 0) {
        ok = flush(side);
    }
    if (ok && (events & EPOLLIN) != 0) {
        ok = pull(side);
    }
    if (!ok) {
        reset_both(relay);
    } else if (relay->sides[CLIENT].write_closed && relay->sides[SERVER].write_closed) {
        destroy(relay);
    } else {
        watch(&relay->sides[CLIENT]);
        watch(&relay->sides[SERVER]);
    }
}

static int connect_loopback(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (fd >= 0 && (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
                    (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void append_proxy_header(struct mg_buffer *out, int client_fd)
{
    struct address_text from = address_peer(client_fd), to = address_local(client_fd);
    const char *family = strchr(from.address, ':') == NULL ? "TCP4" : "TCP6";
    mg_buffer_append_format(out, "PROXY %s %s %s %u %u\r\n", family, from.address, to.address, from.port, to.port);
}

static void side_init(struct relay *relay, size_t which)
{
    struct side *side = &relay->sides[which];
    side->relay = relay;
    side->source = (struct loop_source){.fd = -1, .ready = ready};
    mg_buffer_init(&side->pending, MAX_BACKLOG);
}

void relay_start(struct worker *worker, struct loop_source *client, uint16_t port, struct mg_slice received)
{
    int server_fd = connect_loopback(port);
    struct relay *relay = server_fd < 0 ? NULL : calloc(1, sizeof(*relay));
    if (relay == NULL) {
        perror("relay");
        if (server_fd >= 0) {
            close(server_fd);
        }
        loop_close(client);
        worker_leave(worker);
        return;
    }
    worker_count(worker, COUNT_SPLICED);
    relay->worker = worker;
    relay->retired.release = release;
    side_init(relay, CLIENT);
    side_init(relay, SERVER);
    loop_move(&worker->loop, client, &relay->sides[CLIENT].source);
    relay->sides[SERVER].source.fd = server_fd;
    append_proxy_header(&relay->sides[SERVER].pending, relay->sides[CLIENT].source.fd);
    mg_buffer_append_slice(&relay->sides[SERVER].pending, received);
    watch(&relay->sides[CLIENT]);
    watch(&relay->sides[SERVER]);
}
