/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a session thread's CPU time goes. The thread says which stage it is in; the processor's time stamp counter,
 * which costs next to nothing to read, measures the stages, and now and then the thread's CPU clock, which costs a
 * system call, says how much of that it really had: where another thread was given the processor in between, all stages
 * are shortened by the same factor. What no stage had is the loop's: waiting, dispatching, timers.
 *
 * So the stages' sum is the thread's CPU time, a little behind. One thread writes; the metrics read.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_STAGE_CPU_H
#define MINTGATE_DATAPLANE_SESSION_STAGE_CPU_H

#include <stdbool.h>
#include <stddef.h>

#include "base/metrics.h"

enum cpu_stage {
    CPU_STAGE_LOOP,
    CPU_STAGE_TAKEOVER,     /* adopting the two sockets */
    CPU_STAGE_UPSTREAM,     /* the handshake with the server */
    CPU_STAGE_VERIFICATION, /* of the server's chain */
    CPU_STAGE_MINT,         /* the leaf: cache, and the conversation with the signer */
    CPU_STAGE_CLIENT,       /* the handshake with the client */
    CPU_STAGE_RELAY,        /* and the end */
    NUM_CPU_STAGES,
};

/* Work between two looks at the CPU clock, so that those cost a fraction of a percent. */
#define STAGE_CPU_SETTLE_NS (250 * 1000)

/* Zero state: a thread that has not begun. */
struct stage_cpu {
    struct mg_counter ns[NUM_CPU_STAGES]; /* its thread: rw, metrics: ro */
    double ns_per_tick;
    enum cpu_stage stage;
    uint64_t since_ticks;           /* of |stage| */
    uint64_t ticks[NUM_CPU_STAGES]; /* not settled yet */
    uint64_t settled_cpu_ns;
};

/* stage_cpu_begin starts a zeroed |cpu| with the loop, at the time stamp |now_ticks|. */
void stage_cpu_begin(struct stage_cpu *cpu, uint64_t ticks_per_second, uint64_t now_ticks);

/* stage_cpu_enter changes the stage and returns the one before, for the way back. */
static inline enum cpu_stage stage_cpu_enter(struct stage_cpu *cpu, enum cpu_stage stage, uint64_t now_ticks)
{
    enum cpu_stage before = cpu->stage;
    cpu->ticks[before] += now_ticks - cpu->since_ticks;
    cpu->since_ticks = now_ticks;
    cpu->stage = stage;
    return before;
}

/* stage_cpu_due tells whether it is time for stage_cpu_settle. */
bool stage_cpu_due(const struct stage_cpu *cpu);

/* stage_cpu_settle shares out what the thread's CPU clock, which is at |cpu_ns|, has advanced since the last time, or
 * since the thread was made. */
void stage_cpu_settle(struct stage_cpu *cpu, uint64_t cpu_ns);

/* stage_cpu_write appends the metric's family, summed over |num| threads. Any thread. */
void stage_cpu_write(struct mg_buffer *out, const struct stage_cpu *const *threads, size_t num);

#endif
