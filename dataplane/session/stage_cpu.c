/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/stage_cpu.h"

#include <stdio.h>
#include <string.h>

#define METRIC "mintgate_dataplane_session_cpu_seconds_total"
#define NS_PER_SECOND 1e9

static const char *const names[NUM_CPU_STAGES] = {
    [CPU_STAGE_LOOP] = "loop",         [CPU_STAGE_TAKEOVER] = "takeover",
    [CPU_STAGE_UPSTREAM] = "upstream", [CPU_STAGE_VERIFICATION] = "verification",
    [CPU_STAGE_MINT] = "mint",         [CPU_STAGE_CLIENT] = "client",
    [CPU_STAGE_RELAY] = "relay",
};

void stage_cpu_begin(struct stage_cpu *cpu, uint64_t ticks_per_second, uint64_t now_ticks)
{
    cpu->ns_per_tick = NS_PER_SECOND / (double)ticks_per_second;
    cpu->since_ticks = now_ticks;
}

/* measured_ns returns what the stages took by the counter. The loop's is no measure: it sleeps. */
static double measured_ns(const struct stage_cpu *cpu)
{
    uint64_t ticks = 0;
    for (enum cpu_stage stage = CPU_STAGE_LOOP + 1; stage < NUM_CPU_STAGES; stage++) {
        ticks += cpu->ticks[stage];
    }
    return (double)ticks * cpu->ns_per_tick;
}

bool stage_cpu_due(const struct stage_cpu *cpu)
{
    return measured_ns(cpu) >= STAGE_CPU_SETTLE_NS;
}

void stage_cpu_settle(struct stage_cpu *cpu, uint64_t cpu_ns)
{
    uint64_t rest_ns = cpu_ns - cpu->settled_cpu_ns;
    double measured = measured_ns(cpu);
    double factor = measured > (double)rest_ns ? (double)rest_ns / measured : 1;
    for (enum cpu_stage stage = CPU_STAGE_LOOP + 1; stage < NUM_CPU_STAGES; stage++) {
        uint64_t ns = (uint64_t)((double)cpu->ticks[stage] * cpu->ns_per_tick * factor);
        ns = ns < rest_ns ? ns : rest_ns; /* rounding */
        mg_counter_add(&cpu->ns[stage], ns);
        rest_ns -= ns;
    }
    mg_counter_add(&cpu->ns[CPU_STAGE_LOOP], rest_ns);
    memset(cpu->ticks, 0, sizeof(cpu->ticks));
    cpu->settled_cpu_ns = cpu_ns;
}

void stage_cpu_write(struct mg_buffer *out, const struct stage_cpu *const *threads, size_t num)
{
    mg_metrics_family(out, METRIC, "counter",
                      "CPU time of the session threads, user and kernel, by stage of the connection: measured by the "
                      "time stamp counter, limited by the threads' CPU clocks.");
    for (enum cpu_stage stage = 0; stage < NUM_CPU_STAGES; stage++) {
        uint64_t ns = 0;
        char labels[32];
        for (size_t i = 0; i < num; i++) {
            ns += mg_counter_get(&threads[i]->ns[stage]);
        }
        snprintf(labels, sizeof(labels), "stage=\"%s\"", names[stage]);
        mg_metrics_sample_seconds(out, METRIC, labels, (double)ns / NS_PER_SECOND);
    }
}
