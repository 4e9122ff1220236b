/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waking a thread that sleeps, without a system call while it is awake. The sleeper announces its sleep, looks once
 * more whether there is work, and only then blocks on the descriptor; whoever brings work rings only if it sleeps.
 */
#ifndef MINTGATE_DATAPLANE_WORKER_DOORBELL_H
#define MINTGATE_DATAPLANE_WORKER_DOORBELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct doorbell {
    int fd;              /* an eventfd, non-blocking */
    _Atomic bool asleep; /* sleeper: wo, others: ro */
};

static inline bool doorbell_open(struct doorbell *doorbell)
{
    atomic_init(&doorbell->asleep, false);
    doorbell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return doorbell->fd >= 0;
}

/* doorbell_prepare announces the sleep; work brought before it returns is visible to the caller after it. */
static inline void doorbell_prepare(struct doorbell *doorbell)
{
    atomic_store_explicit(&doorbell->asleep, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

static inline void doorbell_awake(struct doorbell *doorbell)
{
    atomic_store_explicit(&doorbell->asleep, false, memory_order_relaxed);
}

/* doorbell_drain takes what was rung, after a sleep that the descriptor ended. */
static inline void doorbell_drain(struct doorbell *doorbell)
{
    uint64_t rings;
    ssize_t ignored = read(doorbell->fd, &rings, sizeof(rings));
    (void)ignored;
}

/* doorbell_ring is called after the work was made visible. */
static inline void doorbell_ring(struct doorbell *doorbell)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&doorbell->asleep, memory_order_relaxed)) {
        const uint64_t one = 1;
        ssize_t ignored = write(doorbell->fd, &one, sizeof(one));
        (void)ignored;
    }
}

#endif
