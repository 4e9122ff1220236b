/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/process_cpu.h"

/* ---- lines ---- */

static void test_a_sample_comes_back_from_its_line(void **state)
{
    (void)state;
    const struct bench_sample sample = {.count = 1,
                                        .wall_ns = 2,
                                        .cpu_ns = 3,
                                        .watched_ns = 4,
                                        .p50_ns = 5,
                                        .p99_ns = 6,
                                        .p999_ns = UINT64_MAX,
                                        .bytes = 8};
    struct bench_sample read;
    char line[BENCH_SAMPLE_MAX_LINE];
    bench_sample_write(&sample, line);
    assert_true(bench_sample_read(line, &read));
    assert_memory_equal(&read, &sample, sizeof(sample));
}

static void test_what_is_no_sample_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "\n",
        "done\n",
        "done 1 2 3 4 5 6 7\n",
        "done 1 2 3 4 5 6 7 8",
        "done 1 2 3 4 5 6 7 8 9\n",
        "done 1 2 3 4 5 6 7 x\n",
        "ready 1 2 3 4 5 6 7 8\n",
        "done 0 2 3 4 5 6 7 8\n", /* nothing done */
        "done 1 0 3 4 5 6 7 8\n", /* in no time */
        "done 1 2 0 4 5 6 7 8\n",
    };
    struct bench_sample read;
    for (size_t i = 0; i < MG_ARRAY_LEN(lines); i++) {
        assert_false(bench_sample_read(lines[i], &read));
    }
}

/* ---- the kernel ---- */

/* What the threads of a probe did. */
static _Atomic unsigned num_setups, num_teardowns, num_weighed, seen_threads;
static _Atomic unsigned long seen_parameter;
static _Atomic size_t num_steps, num_drained;
static _Atomic bool step_before_all_were_set_up, teardown_before_all_were_weighed;

static void *counting_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    (void)thread;
    num_setups++;
    seen_threads = num_threads;
    seen_parameter = parameter;
    return calloc(1, 1);
}

static size_t counting_step(void *state)
{
    (void)state;
    if (num_setups < seen_threads) {
        step_before_all_were_set_up = true;
    }
    num_steps++;
    return 3;
}

static size_t counting_drain(void *state)
{
    (void)state;
    num_drained++;
    return 5;
}

static size_t counting_weigh(void *state)
{
    (void)state;
    num_weighed++;
    return 1000;
}

static void counting_teardown(void *state)
{
    free(state);
    if (num_weighed < seen_threads) {
        teardown_before_all_were_weighed = true;
    }
    num_teardowns++;
}

static const struct probe counting = {.name = "counting",
                                      .setup = counting_setup,
                                      .step = counting_step,
                                      .drain = counting_drain,
                                      .weigh = counting_weigh,
                                      .teardown = counting_teardown,
                                      .times_steps = true};

static int reset(void **state)
{
    (void)state;
    num_setups = num_teardowns = num_weighed = seen_threads = 0;
    num_steps = num_drained = 0;
    step_before_all_were_set_up = teardown_before_all_were_weighed = false;
    return 0;
}

static void test_every_thread_is_set_up_counted_drained_and_torn_down(void **state)
{
    (void)state;
    struct bench_sample sample;
    assert_int_equal(probe_run(&counting, 5, 3, 77, 0, &sample, NULL), MG_OK);
    assert_int_equal(num_setups, 3);
    assert_int_equal(num_teardowns, 3);
    assert_int_equal(num_drained, 3);
    assert_int_equal(seen_parameter, 77);
    assert_false(step_before_all_were_set_up);
    assert_false(teardown_before_all_were_weighed);
    assert_int_equal(sample.bytes, 3 * 1000);
    assert_int_equal(sample.count, 3 * num_steps + 5 * num_drained);
    assert_true(sample.wall_ns >= 5000000);
    assert_true(sample.cpu_ns > 0);
    assert_int_equal(sample.watched_ns, 0);
}

static size_t sleeping_step(void *state)
{
    (void)state;
    usleep(2000);
    return 1;
}

static void test_steps_are_timed_and_sleep_is_no_cpu_time(void **state)
{
    (void)state;
    const struct probe sleeping = {.name = "sleeping", .step = sleeping_step, .times_steps = true};
    struct bench_sample sample;
    assert_int_equal(probe_run(&sleeping, 20, 1, 0, 0, &sample, NULL), MG_OK);
    assert_true(sample.p50_ns > 1900000);
    assert_true(sample.p50_ns <= sample.p99_ns && sample.p99_ns <= sample.p999_ns);
    assert_true(sample.cpu_ns < sample.wall_ns / 2);
}

static void test_more_threads_than_there_may_be_are_refused(void **state)
{
    (void)state;
    struct bench_sample sample;
    struct mg_error error = {""};
    assert_int_equal(probe_run(&counting, 1, PROBE_MAX_THREADS + 1, 0, 0, &sample, &error), MG_LIMIT);
    assert_int_equal(probe_run(&counting, 1, 0, 0, 0, &sample, &error), MG_LIMIT);
    assert_true(error.text[0] != '\0');
    assert_int_equal(num_setups, 0);
}

/* ---- other processes ---- */

/* busy_tree is a process that sleeps and has a child that does not, in a process group of their own. */
static pid_t busy_tree(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        execl("/bin/sh", "sh", "-c", "(while :; do :; done) & wait", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void test_the_cpu_time_of_a_process_has_that_of_its_children(void **state)
{
    (void)state;
    struct bench_sample sample;
    pid_t pid = busy_tree();
    const struct probe sleeping = {.name = "sleeping", .step = sleeping_step};
    for (int tries = 0; tries == 0 || (sample.watched_ns < 10000000 && tries < 1000); tries++) {
        assert_int_equal(probe_run(&sleeping, 20, 1, 0, pid, &sample, NULL), MG_OK);
    }
    uint64_t sum_ns;
    assert_true(process_tree_cpu_ns(pid, &sum_ns));
    assert_true(sample.watched_ns >= 10000000 && sum_ns >= sample.watched_ns);
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void test_a_process_that_has_ended_cannot_be_watched(void **state)
{
    (void)state;
    struct bench_sample sample;
    struct mg_error error = {""};
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    assert_int_equal(probe_run(&counting, 1, 1, 0, pid, &sample, &error), MG_IO);
    assert_int_equal(num_teardowns, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sample_comes_back_from_its_line),
        cmocka_unit_test(test_what_is_no_sample_is_refused),
        cmocka_unit_test_setup(test_every_thread_is_set_up_counted_drained_and_torn_down, reset),
        cmocka_unit_test(test_steps_are_timed_and_sleep_is_no_cpu_time),
        cmocka_unit_test_setup(test_more_threads_than_there_may_be_are_refused, reset),
        cmocka_unit_test(test_the_cpu_time_of_a_process_has_that_of_its_children),
        cmocka_unit_test_setup(test_a_process_that_has_ended_cannot_be_watched, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
