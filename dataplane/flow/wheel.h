/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timer wheel: many timers with coarse deadlines, each started, moved and stopped in constant time. One owner thread;
 * time is a parameter.
 */
#ifndef MINTGATE_DATAPLANE_FLOW_WHEEL_H
#define MINTGATE_DATAPLANE_FLOW_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define WHEEL_NUM_SLOTS 4096

/* struct wheel_timer is embedded in what it times. Zero state: stopped. */
struct wheel_timer {
    struct wheel_timer *next;
    struct wheel_timer **place; /* where the pointer to this timer stands; NULL: stopped */
    uint64_t deadline_ns;
};

struct wheel {
    uint64_t tick_ns;
    uint64_t tick; /* the next one to be looked at */
    size_t num_timers;
    struct wheel_timer *slots[WHEEL_NUM_SLOTS];
};

/* wheel_init starts |wheel| at |now_ns|; a timer fires up to |tick_ns| late. */
void wheel_init(struct wheel *wheel, uint64_t tick_ns, uint64_t now_ns);

/* wheel_start starts |timer|, or moves it if it runs. */
void wheel_start(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline_ns);

void wheel_stop(struct wheel *wheel, struct wheel_timer *timer);

static inline bool wheel_timer_running(const struct wheel_timer *timer)
{
    return timer->place != NULL;
}

/* wheel_expire calls |fire| for at most |max| timers whose deadline has passed, each stopped before the call; |fire|
 * may start and stop any timer. Returns how many fired. */
size_t wheel_expire(struct wheel *wheel, uint64_t now_ns, size_t max,
                    void (*fire)(struct wheel_timer *timer, void *arg), void *arg);

#endif
