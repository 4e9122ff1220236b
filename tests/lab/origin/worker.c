/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/worker.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lab/origin/echo.h"
#include "tests/lab/origin/http.h"
#include "tests/lab/origin/tls_accept.h"

#define BACKLOG 4096
#define ACCEPTS_PER_TURN 64

static const struct {
    int type;
    uint16_t port;
    bool loopback_only;
    void (*serve)(struct worker *worker, struct loop_source *accepted); /* NULL: datagrams */
} ports[WORKER_NUM_LISTENERS] = {
    {SOCK_STREAM, 443, false, tls_accept},       {SOCK_STREAM, 80, false, http_serve_plain},
    {SOCK_STREAM, 8080, true, http_serve_plain}, /* nginx passes requests on to it */
    {SOCK_STREAM, 2525, false, echo_serve},      {SOCK_DGRAM, 443, false, NULL},
};

static const char *const counter_names[ORIGIN_NUM_COUNTERS] = {
    [COUNT_CONNECTIONS] = "connections",
    [COUNT_REFUSED] = "refused",
    [COUNT_HANDSHAKES] = "handshakes",
    [COUNT_RESUMED] = "resumed",
    [COUNT_HANDSHAKES_FAILED] = "handshakes_failed",
    [COUNT_SPLICED] = "spliced",
    [COUNT_REQUESTS] = "requests",
    [COUNT_DATAGRAMS] = "datagrams",
};

const char *origin_counter_name(enum origin_counter counter)
{
    return counter_names[counter];
}

uint64_t origin_count(const struct origin *origin, enum origin_counter counter)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < origin->num_workers; i++) {
        sum += mg_counter_get(&origin->workers[i].counters[counter]);
    }
    return sum;
}

bool worker_enter(struct worker *worker)
{
    if (worker->num_connections >= worker->origin->max_connections) {
        worker_count(worker, COUNT_REFUSED);
        return false;
    }
    worker->num_connections++;
    worker_count(worker, COUNT_CONNECTIONS);
    return true;
}

void worker_leave(struct worker *worker)
{
    worker->num_connections--;
}

static void accept_ready(struct loop_source *source, uint32_t events)
{
    struct listener *listener = MG_CONTAINER_OF(source, struct listener, source);
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct loop_source accepted = {.fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (accepted.fd < 0) {
            return;
        }
        if (worker_enter(listener->worker)) {
            listener->serve(listener->worker, &accepted);
        } else {
            loop_close(&accepted);
        }
    }
}

static void datagram_ready(struct loop_source *source, uint32_t events)
{
    (void)events;
    echo_datagrams(MG_CONTAINER_OF(source, struct listener, source)->worker, source->fd);
}

/* set_options sets what accepted sockets inherit. The kernel finds peers that vanished, so that no timer here must. */
static bool set_options(int fd, int type)
{
    const int on = 1, idle_seconds = 60;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
        return false;
    }
    return type != SOCK_STREAM || (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
                                   setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0 &&
                                   setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds)) == 0);
}

static int open_port(size_t index)
{
    int type = ports[index].type;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(ports[index].port)};
    if (ports[index].loopback_only) { /* IPv4's, as seen by a dual-stack socket */
        address.sin6_addr = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    }
    int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (!set_options(fd, type) || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
                    (type == SOCK_STREAM && listen(fd, BACKLOG) != 0))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static enum mg_status open_ports(struct worker *worker, struct mg_error *error)
{
    for (size_t i = 0; i < WORKER_NUM_LISTENERS; i++) {
        struct listener *listener = &worker->listeners[worker->num_listeners];
        *listener = (struct listener){.worker = worker, .serve = ports[i].serve};
        listener->source.ready = ports[i].serve != NULL ? accept_ready : datagram_ready;
        listener->source.fd = open_port(i);
        if (listener->source.fd < 0) {
            return mg_error_errno(error, "cannot open port %u", ports[i].port);
        }
        worker->num_listeners++;
        loop_watch(&worker->loop, &listener->source, EPOLLIN);
    }
    return MG_OK;
}

static void close_ports(struct worker *worker)
{
    while (worker->num_listeners > 0) {
        loop_close(&worker->listeners[--worker->num_listeners].source);
    }
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    while (!loop_stopping(&worker->loop)) {
        loop_run_once(&worker->loop, -1);
    }
    return NULL;
}

enum mg_status worker_start(struct worker *worker, struct mg_error *error)
{
    enum mg_status status = loop_init(&worker->loop, error);
    if (status != MG_OK) {
        return status;
    }
    status = open_ports(worker, error);
    if (status == MG_OK) {
        int failure = pthread_create(&worker->thread, NULL, run, worker);
        if (failure == 0) {
            return MG_OK;
        }
        status = mg_error_set(error, MG_IO, "cannot start a thread: %s", strerror(failure));
    }
    close_ports(worker);
    loop_free(&worker->loop);
    return status;
}

void worker_stop(struct worker *worker)
{
    loop_stop(&worker->loop);
    pthread_join(worker->thread, NULL);
    close_ports(worker);
    loop_free(&worker->loop);
}
