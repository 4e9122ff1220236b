/* SPDX-License-Identifier: Apache-2.0 */
/* What the door to RCU promises: grace periods, deferred work, threads that block, helpers, the age of a stall. */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cache/rcu.h"
#include "cache_fixture.h"

/* liburcu makes its futex calls through the C library's syscall(); this one takes its place and counts them. */
static _Thread_local unsigned num_syscalls;

long syscall(long number, ...)
{
    va_list args;
    long a[6];
    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(args, long);
    }
    va_end(args);
    num_syscalls++;
    long result;
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

struct deferred {
    struct mg_rcu_head head;
    _Atomic bool ran;
};

static void note_run(struct mg_rcu_head *head)
{
    atomic_store(&MG_CONTAINER_OF(head, struct deferred, head)->ran, true);
}

/* A reader that does as it is told, and stays online where it was not told to go offline. */
struct reader {
    sem_t ready, go;
    bool blocks_offline;
};

static void read_until_told(unsigned number, void *arg)
{
    struct reader *reader = arg;
    (void)number;
    if (reader->blocks_offline) {
        mg_rcu_offline();
    }
    sem_post(&reader->ready);
    sem_wait(&reader->go);
    if (reader->blocks_offline) {
        mg_rcu_online();
    }
}

static void reader_start(struct reader *reader, struct test_thread *thread, bool blocks_offline)
{
    reader->blocks_offline = blocks_offline;
    sem_init(&reader->ready, 0, 0);
    sem_init(&reader->go, 0, 0);
    thread_start(thread, 0, read_until_told, reader);
    sem_wait(&reader->ready);
}

static void reader_end(struct reader *reader, struct test_thread *thread)
{
    sem_post(&reader->go);
    thread_join(thread);
}

static void test_deferred_work_waits_for_an_online_thread(void **state)
{
    (void)state;
    struct reader reader;
    struct test_thread thread;
    static struct deferred deferred;
    reader_start(&reader, &thread, false);
    mg_rcu_defer(&deferred.head, note_run);
    for (int i = 0; i < 10; i++) {
        sleep_ms(10);
        mg_rcu_quiescent();
    }
    assert_false(deferred.ran);
    reader_end(&reader, &thread);
    mg_rcu_barrier();
    assert_true(deferred.ran);
}

static void test_deferred_work_waits_for_the_thread_that_deferred(void **state)
{
    (void)state;
    static struct deferred deferred;
    mg_rcu_defer(&deferred.head, note_run);
    sleep_ms(50);
    assert_false(deferred.ran);
    mg_rcu_barrier();
    assert_true(deferred.ran);
}

static void test_a_thread_that_blocks_offline_holds_nothing_up(void **state)
{
    (void)state;
    struct reader reader;
    struct test_thread thread;
    static struct deferred deferred;
    reader_start(&reader, &thread, true);
    mg_rcu_defer(&deferred.head, note_run);
    mg_rcu_synchronize(); /* each would hang */
    mg_rcu_barrier();
    assert_true(deferred.ran);
    reader_end(&reader, &thread);
}

static void test_synchronize_works_offline_too(void **state)
{
    (void)state;
    static struct deferred deferred;
    mg_rcu_defer(&deferred.head, note_run);
    mg_rcu_offline();
    mg_rcu_synchronize();
    mg_rcu_barrier();
    mg_rcu_online();
    assert_true(deferred.ran);
    (void)mg_rcu_thread_index(); /* aborts unless online */
}

static void test_a_stuck_online_thread_shows_in_the_stall(void **state)
{
    (void)state;
    struct reader reader;
    struct test_thread thread;
    mg_rcu_barrier(); /* whatever is under way began before the reader */
    reader_start(&reader, &thread, false);
    (void)mg_rcu_stall_ns();
    uint64_t begin_ns = mg_clock_monotonic_ns();
    for (int i = 0; i < 10; i++) {
        sleep_ms(10);
        mg_rcu_quiescent();
    }
    uint64_t lasted_ns = mg_clock_monotonic_ns() - begin_ns;
    uint64_t stall_ns = mg_rcu_stall_ns();
    assert_true(stall_ns >= lasted_ns);
    reader_end(&reader, &thread);
    mg_rcu_barrier();
    assert_true(mg_rcu_stall_ns() < stall_ns);
}

static void test_deferring_starts_the_clock_of_a_stall(void **state)
{
    (void)state;
    struct reader reader;
    struct test_thread thread;
    static struct deferred deferred;
    mg_rcu_barrier();
    reader_start(&reader, &thread, false);
    mg_rcu_defer(&deferred.head, note_run);
    uint64_t begin_ns = mg_clock_monotonic_ns();
    sleep_ms(20);
    uint64_t lasted_ns = mg_clock_monotonic_ns() - begin_ns;
    assert_true(mg_rcu_stall_ns() >= lasted_ns);
    reader_end(&reader, &thread);
    mg_rcu_barrier();
}

/* Whether deferring makes system calls, by kind of thread: 0 is an ordinary one, 1 in poll mode (thread_start). */
static unsigned syscalls_to_defer[2];

static void defer_now_and_then(unsigned number, void *arg)
{
    (void)arg;
    static struct deferred deferred[2][10];
    for (size_t i = 0; i < MG_ARRAY_LEN(deferred[number]); i++) {
        mg_rcu_offline();
        sleep_ms(30); /* so that the helper that sleeps does */
        mg_rcu_online();
        unsigned before = num_syscalls;
        mg_rcu_defer(&deferred[number][i].head, note_run);
        syscalls_to_defer[number] += num_syscalls - before;
    }
    mg_rcu_barrier();
}

static void test_deferring_in_poll_mode_makes_no_system_call(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 2; number++) {
        struct test_thread thread;
        thread_start(&thread, number, defer_now_and_then, NULL);
        thread_join(&thread);
    }
    assert_int_not_equal(syscalls_to_defer[0], 0); /* else this test sees nothing */
    assert_int_equal(syscalls_to_defer[1], 0);
}

struct crowd {
    _Atomic int num_in, num_refused, index_taken[MG_RCU_MAX_THREADS];
    pthread_barrier_t all_tried;
};

static void *join_crowd(void *arg)
{
    struct crowd *crowd = arg;
    enum mg_status status = mg_rcu_thread_start();
    if (status == MG_OK) {
        atomic_fetch_add(&crowd->num_in, 1);
        atomic_fetch_add(&crowd->index_taken[mg_rcu_thread_index()], 1);
        mg_rcu_offline();
    } else {
        check(status == MG_LIMIT);
        atomic_fetch_add(&crowd->num_refused, 1);
    }
    pthread_barrier_wait(&crowd->all_tried);
    if (status == MG_OK) {
        mg_rcu_online();
        mg_rcu_thread_stop();
    }
    return NULL;
}

static void test_full_of_threads_refuses_and_each_has_its_own_index(void **state)
{
    (void)state;
    enum { TOO_MANY = MG_RCU_MAX_THREADS + 10 };
    for (int round = 0; round < 2; round++) { /* in the second, indices are given out again */
        static pthread_t threads[TOO_MANY];
        static struct crowd crowd;
        crowd = (struct crowd){.num_in = 0};
        pthread_barrier_init(&crowd.all_tried, NULL, TOO_MANY);
        mg_rcu_offline();
        for (int i = 0; i < TOO_MANY; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, join_crowd, &crowd), 0);
        }
        for (int i = 0; i < TOO_MANY; i++) {
            pthread_join(threads[i], NULL);
        }
        mg_rcu_online();
        pthread_barrier_destroy(&crowd.all_tried);
        assert_int_equal(crowd.num_in, MG_RCU_MAX_THREADS - 1); /* and this thread */
        assert_int_equal(crowd.num_refused, TOO_MANY - crowd.num_in);
        for (unsigned i = 0; i < MG_RCU_MAX_THREADS; i++) {
            assert_int_equal(crowd.index_taken[i], i == mg_rcu_thread_index() ? 0 : 1);
        }
    }
}

static void test_reading_offline_aborts(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(STDERR_FILENO);
        mg_rcu_offline();
        (void)mg_rcu_thread_index();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* A snapshot that one thread replaces while others read it: what a configuration is. */
struct snapshot {
    struct mg_rcu_head head;
    uint64_t number, number_too;
};

struct swap {
    struct snapshot *current; /* mg_rcu_publish by thread 0 */
    uint64_t deadline_ns;
    _Atomic uint64_t num_swaps;
};

static void snapshot_reclaim(struct mg_rcu_head *head)
{
    struct snapshot *snapshot = MG_CONTAINER_OF(head, struct snapshot, head);
    snapshot->number = snapshot->number_too + 1; /* should a reader look */
    free(snapshot);
}

static struct snapshot *snapshot_new(uint64_t number)
{
    struct snapshot *snapshot = malloc(sizeof(*snapshot));
    check(snapshot != NULL);
    snapshot->number = snapshot->number_too = number;
    return snapshot;
}

static void swap_snapshots(struct swap *swap)
{
    uint64_t number = 0;
    while (mg_clock_monotonic_ns() < swap->deadline_ns) {
        struct snapshot *before = swap->current;
        mg_rcu_publish(&swap->current, snapshot_new(++number));
        if (number % 64 == 0) {
            mg_rcu_synchronize();
            snapshot_reclaim(&before->head);
        } else {
            mg_rcu_defer(&before->head, snapshot_reclaim);
        }
        mg_rcu_quiescent();
    }
    atomic_store(&swap->num_swaps, number);
}

static void read_snapshots(unsigned number, void *arg)
{
    struct swap *swap = arg;
    if (number == 0) {
        swap_snapshots(swap);
        return;
    }
    for (unsigned turn = 0; mg_clock_monotonic_ns() < swap->deadline_ns; turn++) {
        const struct snapshot *snapshot = mg_rcu_load(&swap->current);
        for (int i = 0; i < 10; i++) {
            check(snapshot->number == snapshot->number_too);
        }
        if (turn % 1000 == 0) {
            mg_rcu_offline();
            sleep_ms(1);
            mg_rcu_online();
        }
        mg_rcu_quiescent();
    }
}

static void test_a_snapshot_is_swapped_under_readers(void **state)
{
    (void)state;
    struct swap swap = {.current = snapshot_new(0),
                        .deadline_ns = mg_clock_monotonic_ns() + (uint64_t)(test_seconds() * 0.25e9)};
    run_threads(4, read_snapshots, &swap);
    mg_rcu_barrier();
    assert_true(swap.num_swaps > 10);
    assert_int_equal(swap.current->number, swap.num_swaps);
    free(swap.current);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deferred_work_waits_for_an_online_thread),
        cmocka_unit_test(test_deferred_work_waits_for_the_thread_that_deferred),
        cmocka_unit_test(test_a_thread_that_blocks_offline_holds_nothing_up),
        cmocka_unit_test(test_synchronize_works_offline_too),
        cmocka_unit_test(test_a_stuck_online_thread_shows_in_the_stall),
        cmocka_unit_test(test_deferring_starts_the_clock_of_a_stall),
        cmocka_unit_test(test_deferring_in_poll_mode_makes_no_system_call),
        cmocka_unit_test(test_full_of_threads_refuses_and_each_has_its_own_index),
        cmocka_unit_test(test_reading_offline_aborts),
        cmocka_unit_test(test_a_snapshot_is_swapped_under_readers),
    };
    return cmocka_run_group_tests(tests, start_rcu, stop_rcu);
}
