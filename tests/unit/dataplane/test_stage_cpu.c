/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dataplane/session/stage_cpu.h"

#define TICKS_PER_SECOND UINT64_C(2000000000) /* two a nanosecond */

static struct stage_cpu cpu;

static int start(void **state)
{
    (void)state;
    memset(&cpu, 0, sizeof(cpu));
    stage_cpu_begin(&cpu, TICKS_PER_SECOND, 1000);
    return 0;
}

static uint64_t ns_of(enum cpu_stage stage)
{
    return mg_counter_get(&cpu.ns[stage]);
}

static void test_stages_have_the_time_between_entering_and_leaving(void **state)
{
    (void)state;
    enum cpu_stage before = stage_cpu_enter(&cpu, CPU_STAGE_UPSTREAM, 2000);
    assert_int_equal(before, CPU_STAGE_LOOP);
    enum cpu_stage outer = stage_cpu_enter(&cpu, CPU_STAGE_VERIFICATION, 2600);
    assert_int_equal(outer, CPU_STAGE_UPSTREAM);
    stage_cpu_enter(&cpu, outer, 3000);
    stage_cpu_enter(&cpu, before, 3400);
    stage_cpu_settle(&cpu, 900); /* the thread also waited and dispatched */
    assert_int_equal(ns_of(CPU_STAGE_UPSTREAM), 300 + 200);
    assert_int_equal(ns_of(CPU_STAGE_VERIFICATION), 200);
    assert_int_equal(ns_of(CPU_STAGE_LOOP), 200);
    assert_int_equal(ns_of(CPU_STAGE_RELAY), 0);
}

static void test_what_another_thread_had_in_between_is_taken_from_all_stages_alike(void **state)
{
    (void)state;
    stage_cpu_enter(&cpu, CPU_STAGE_CLIENT, 1000);
    stage_cpu_enter(&cpu, CPU_STAGE_RELAY, 1000 + 6000);
    stage_cpu_enter(&cpu, CPU_STAGE_LOOP, 1000 + 8000);
    stage_cpu_settle(&cpu, 2000); /* of 4,000 ns by the counter */
    assert_int_equal(ns_of(CPU_STAGE_CLIENT), 1500);
    assert_int_equal(ns_of(CPU_STAGE_RELAY), 500);
    assert_int_equal(ns_of(CPU_STAGE_LOOP), 0);
}

static void test_sleeping_is_no_cpu_time(void **state)
{
    (void)state;
    stage_cpu_enter(&cpu, CPU_STAGE_MINT, UINT64_C(1) << 40);
    stage_cpu_enter(&cpu, CPU_STAGE_LOOP, (UINT64_C(1) << 40) + 200);
    stage_cpu_settle(&cpu, 150);
    assert_int_equal(ns_of(CPU_STAGE_MINT), 100);
    assert_int_equal(ns_of(CPU_STAGE_LOOP), 50);
}

static void test_the_sum_is_the_threads_cpu_clock(void **state)
{
    (void)state;
    uint64_t ticks = 1000, clock_ns = 0;
    for (uint64_t i = 1; i < 1000; i++) {
        stage_cpu_enter(&cpu, (enum cpu_stage)(i % NUM_CPU_STAGES), ticks += i * 7919 % 4099);
        if (i % 11 == 0) {
            stage_cpu_settle(&cpu, clock_ns += i * 31 % 9973);
            uint64_t sum = 0;
            for (enum cpu_stage stage = 0; stage < NUM_CPU_STAGES; stage++) {
                sum += ns_of(stage);
            }
            assert_int_equal(sum, clock_ns);
        }
    }
}

static void test_settling_is_due_after_enough_work_whatever_the_loop_did(void **state)
{
    (void)state;
    stage_cpu_enter(&cpu, CPU_STAGE_RELAY, 1000 + UINT64_C(1000000000));
    assert_false(stage_cpu_due(&cpu));
    stage_cpu_enter(&cpu, CPU_STAGE_LOOP, cpu.since_ticks + 2 * STAGE_CPU_SETTLE_NS - 2);
    assert_false(stage_cpu_due(&cpu));
    stage_cpu_enter(&cpu, CPU_STAGE_RELAY, cpu.since_ticks);
    stage_cpu_enter(&cpu, CPU_STAGE_LOOP, cpu.since_ticks + 2);
    assert_true(stage_cpu_due(&cpu));
    stage_cpu_settle(&cpu, 1);
    assert_false(stage_cpu_due(&cpu));
}

static void test_the_metric_sums_up_threads_in_seconds(void **state)
{
    (void)state;
    static struct stage_cpu other;
    const struct stage_cpu *const threads[] = {&cpu, &other};
    stage_cpu_enter(&cpu, CPU_STAGE_TAKEOVER, 1000);
    stage_cpu_enter(&cpu, CPU_STAGE_LOOP, 1000 + TICKS_PER_SECOND);
    stage_cpu_settle(&cpu, 1500000000);
    mg_counter_add(&other.ns[CPU_STAGE_TAKEOVER], 250000000);
    struct mg_buffer out;
    mg_buffer_init(&out, 1 << 16);
    stage_cpu_write(&out, threads, 2);
    mg_buffer_append_u8(&out, '\0');
    assert_true(mg_buffer_ok(&out));
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "# TYPE mintgate_dataplane_session_cpu_seconds_total counter\n"));
    assert_non_null(strstr(text, "\nmintgate_dataplane_session_cpu_seconds_total{stage=\"takeover\"} 1.25\n"));
    assert_non_null(strstr(text, "\nmintgate_dataplane_session_cpu_seconds_total{stage=\"loop\"} 0.5\n"));
    mg_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_stages_have_the_time_between_entering_and_leaving, start),
        cmocka_unit_test_setup(test_what_another_thread_had_in_between_is_taken_from_all_stages_alike, start),
        cmocka_unit_test_setup(test_sleeping_is_no_cpu_time, start),
        cmocka_unit_test_setup(test_the_sum_is_the_threads_cpu_clock, start),
        cmocka_unit_test_setup(test_settling_is_due_after_enough_work_whatever_the_loop_did, start),
        cmocka_unit_test_setup(test_the_metric_sums_up_threads_in_seconds, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
