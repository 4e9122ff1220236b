/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread's event loop over epoll, level-triggered, for the peers that tests and benchmarks talk with. A loop and
 * all that is in it belong to one thread; loop_stop alone may be called from another.
 */
#ifndef MINTGATE_BENCH_LOOP_H
#define MINTGATE_BENCH_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/status.h"

/* struct loop_source is embedded in what waits for a descriptor. Its memory must stay valid until the current batch
 * of events is done: release the owner with loop_retire, never with free. */
struct loop_source {
    int fd;          /* owned by the embedding object; -1: none. The first loop_watch adds it to the loop */
    uint32_t events; /* EPOLL* bits now asked for */
    bool added;
    /* Called with the bits that came up; EPOLLERR and EPOLLHUP come unasked. */
    void (*ready)(struct loop_source *source, uint32_t events);
};

/* struct loop_retired is embedded in an object that dies inside a callback: |release| is called once no event of the
 * batch can refer to it any more. */
struct loop_retired {
    struct loop_retired *next;
    void (*release)(struct loop_retired *retired);
};

struct loop {
    int epoll_fd;
    struct loop_source waker;
    struct loop_retired *retired;
    atomic_bool stopping; /* anyone: w, loop: r */
};

/* loop_init opens the descriptors; loop_free closes them and releases what is retired. */
MG_MUST_USE enum mg_status loop_init(struct loop *loop, struct mg_error *error);
void loop_free(struct loop *loop);

/* loop_watch sets the bits that |source| waits for; 0 leaves errors only. It makes no system call when nothing
 * changes. It aborts if the kernel has no memory for one more entry. */
void loop_watch(struct loop *loop, struct loop_source *source, uint32_t events);

/* loop_close closes the descriptor of |source|, which gets no more events. Does nothing the second time. */
void loop_close(struct loop_source *source);

/* loop_move hands the descriptor of |from| over to |to|, whose |ready| is called from now on. |from| has none then. */
void loop_move(struct loop *loop, struct loop_source *from, struct loop_source *to);

void loop_retire(struct loop *loop, struct loop_retired *retired);

/* loop_run_once waits at most |timeout_ms| (-1: for ever) and calls what is ready. */
void loop_run_once(struct loop *loop, int timeout_ms);

/* loop_stop wakes the loop's thread, after which loop_stopping is true. Any thread. */
void loop_stop(struct loop *loop);
bool loop_stopping(const struct loop *loop);

#endif
