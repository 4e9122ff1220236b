/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kill switch: while it is on, the engine is a wire. New flows are not looked at, neither to be intercepted nor to
 * be blocked; those whose ClientHello is held are let pass; sessions that run go on.
 *
 * It is a file, so that it works with the control plane down and outlives a restart of the engine: its first line is
 * the end, in seconds since 1970; the rest is for people (who, and why). Written whole by rename (mintgatectl bypass).
 */
#ifndef MINTGATE_DATAPLANE_ENGINE_KILL_SWITCH_H
#define MINTGATE_DATAPLANE_ENGINE_KILL_SWITCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct kill_switch {
    const char *path;          /* borrowed */
    int fd;                    /* readable when the file may have changed */
    _Atomic uint64_t until_ns; /* monotonic; main: wo, all: ro */
};

/* kill_switch_open begins to watch |path|, whose directory must exist, and reads it. Main thread. */
MG_MUST_USE enum mg_status kill_switch_open(struct kill_switch *out, const char *path, struct mg_error *error);
void kill_switch_close(struct kill_switch *kill_switch);

/* kill_switch_read takes over what the file says, when the descriptor is readable. A file that cannot be read changes
 * nothing. Main thread. */
void kill_switch_read(struct kill_switch *kill_switch);

/* kill_switch_is_on: any thread. */
static inline bool kill_switch_is_on(const struct kill_switch *kill_switch, uint64_t now_ns)
{
    return now_ns < atomic_load_explicit(&kill_switch->until_ns, memory_order_relaxed);
}

#endif
