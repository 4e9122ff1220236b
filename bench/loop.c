/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_PER_BATCH 128

static void drain_waker(struct loop_source *source, uint32_t events)
{
    (void)events;
    eventfd_t count;
    (void)eventfd_read(source->fd, &count);
}

enum mg_status loop_init(struct loop *loop, struct mg_error *error)
{
    *loop = (struct loop){.epoll_fd = -1, .waker = {.fd = -1, .ready = drain_waker}};
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->waker.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->waker.fd < 0) {
        enum mg_status status = mg_error_errno(error, "cannot make an event loop");
        loop_free(loop);
        return status;
    }
    loop_watch(loop, &loop->waker, EPOLLIN);
    return MG_OK;
}

static void release_retired(struct loop *loop)
{
    while (loop->retired != NULL) {
        struct loop_retired *retired = loop->retired;
        loop->retired = retired->next;
        retired->release(retired);
    }
}

void loop_free(struct loop *loop)
{
    release_retired(loop);
    loop_close(&loop->waker);
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
        loop->epoll_fd = -1;
    }
}

static void control(struct loop *loop, struct loop_source *source, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, operation, source->fd, &event) != 0) {
        perror("epoll_ctl");
        abort();
    }
    source->added = true;
    source->events = events;
}

void loop_watch(struct loop *loop, struct loop_source *source, uint32_t events)
{
    if (!source->added) {
        control(loop, source, EPOLL_CTL_ADD, events);
    } else if (source->events != events) {
        control(loop, source, EPOLL_CTL_MOD, events);
    }
}

void loop_move(struct loop *loop, struct loop_source *from, struct loop_source *to)
{
    to->fd = from->fd;
    control(loop, to, from->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, from->events);
    from->fd = -1;
    from->added = false;
}

void loop_close(struct loop_source *source)
{
    if (source->fd >= 0) {
        close(source->fd); /* nobody else holds the descriptor, so this takes it out of epoll too */
        source->fd = -1;
        source->added = false;
    }
}

void loop_retire(struct loop *loop, struct loop_retired *retired)
{
    retired->next = loop->retired;
    loop->retired = retired;
}

void loop_run_once(struct loop *loop, int timeout_ms)
{
    struct epoll_event events[EVENTS_PER_BATCH];
    int num_events = epoll_wait(loop->epoll_fd, events, EVENTS_PER_BATCH, timeout_ms);
    for (int i = 0; i < num_events; i++) {
        struct loop_source *source = events[i].data.ptr;
        if (source->fd >= 0) { /* not closed earlier in this batch */
            source->ready(source, events[i].events);
        }
    }
    release_retired(loop);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    (void)eventfd_write(loop->waker.fd, 1);
}

bool loop_stopping(const struct loop *loop)
{
    return atomic_load(&loop->stopping);
}
