/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/wheel.h"

void wheel_init(struct wheel *wheel, uint64_t tick_ns, uint64_t now_ns)
{
    *wheel = (struct wheel){.tick_ns = tick_ns, .tick = now_ns / tick_ns};
}

void wheel_stop(struct wheel *wheel, struct wheel_timer *timer)
{
    if (timer->place == NULL) {
        return;
    }
    *timer->place = timer->next;
    if (timer->next != NULL) {
        timer->next->place = timer->place;
    }
    timer->next = NULL;
    timer->place = NULL;
    wheel->num_timers--;
}

void wheel_start(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline_ns)
{
    wheel_stop(wheel, timer);
    /* Rounded up, so that a timer never fires early; never behind the hand, so that it is not missed for a round. */
    uint64_t tick = deadline_ns / wheel->tick_ns + 1;
    if (tick < wheel->tick) {
        tick = wheel->tick;
    }
    struct wheel_timer **slot = &wheel->slots[tick % WHEEL_NUM_SLOTS];
    timer->deadline_ns = deadline_ns;
    timer->next = *slot;
    timer->place = slot;
    if (timer->next != NULL) {
        timer->next->place = &timer->next;
    }
    *slot = timer;
    wheel->num_timers++;
}

/* first_due finds a timer of the current slot whose deadline has passed; later rounds' timers stay. */
static struct wheel_timer *first_due(const struct wheel *wheel, uint64_t now_ns)
{
    struct wheel_timer *timer = wheel->slots[wheel->tick % WHEEL_NUM_SLOTS];
    while (timer != NULL && timer->deadline_ns > now_ns) {
        timer = timer->next;
    }
    return timer;
}

size_t wheel_expire(struct wheel *wheel, uint64_t now_ns, size_t max,
                    void (*fire)(struct wheel_timer *timer, void *arg), void *arg)
{
    uint64_t now_tick = now_ns / wheel->tick_ns;
    if (now_tick > wheel->tick + WHEEL_NUM_SLOTS) {
        wheel->tick = now_tick - WHEEL_NUM_SLOTS; /* asleep for more than a round: one round finds everything */
    }
    size_t num_fired = 0;
    while (wheel->tick <= now_tick) {
        struct wheel_timer *timer = first_due(wheel, now_ns);
        if (timer == NULL) {
            wheel->tick++;
            continue;
        }
        if (num_fired == max) {
            break;
        }
        wheel_stop(wheel, timer);
        num_fired++;
        fire(timer, arg);
    }
    return num_fired;
}
