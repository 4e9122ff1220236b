/* SPDX-License-Identifier: Apache-2.0 */
/* Each test confines a child process and looks at what became of it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/confine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

/* must ends the child with the line that failed. */
#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static int run_child(void (*child)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* A thread that exists before its process is confined, and then calls |what|. */
static sem_t go;
static pthread_t thread;
static void (*what)(void);

static void *wait_and_call(void *arg)
{
    (void)arg;
    sem_wait(&go);
    what();
    return NULL;
}

static void start_thread(void (*call)(void))
{
    what = call;
    must(sem_init(&go, 0, 0) == 0 && pthread_create(&thread, NULL, wait_and_call, NULL) == 0);
}

static void let_thread_call(void)
{
    sem_post(&go);
    pthread_join(thread, NULL);
}

/* status_field returns a field of the calling thread's status, hexadecimal or decimal. */
static uint64_t status_field(const char *name, int base)
{
    char line[256];
    uint64_t value = UINT64_MAX;
    FILE *file = fopen("/proc/thread-self/status", "r");
    must(file != NULL);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            value = strtoull(line + strlen(name) + 1, NULL, base);
        }
    }
    fclose(file);
    return value;
}

static void must_be_confined_to(uint64_t capabilities)
{
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
    for (size_t i = 0; i < MG_ARRAY_LEN(sets); i++) {
        must((status_field(sets[i], 16) & ~capabilities) == 0);
    }
    must(status_field("NoNewPrivs", 10) == 1);
}

#define KEPT (UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_CHECKPOINT_RESTORE)

static void must_have_kept_two(void)
{
    must_be_confined_to(KEPT);
}

static void keep_two(void)
{
    static const int keep[] = {CAP_NET_ADMIN, CAP_CHECKPOINT_RESTORE}; /* one of each half of the mask */
    struct mg_error error;
    uint64_t before = status_field("CapPrm", 16);
    start_thread(must_have_kept_two);
    must(mg_confine_capabilities(keep, MG_ARRAY_LEN(keep), &error) == MG_OK);
    must_have_kept_two();
    must(status_field("CapPrm", 16) == (before & KEPT));
    must(status_field("CapEff", 16) == (before & KEPT));
    let_thread_call();
}

static void test_only_the_kept_capabilities_are_left_in_all_threads(void **state)
{
    (void)state;
    assert_int_equal(run_child(keep_two), 0);
}

static void must_have_none(void)
{
    must_be_confined_to(0);
}

static void keep_none(void)
{
    struct mg_error error;
    start_thread(must_have_none);
    must(mg_confine_capabilities(NULL, 0, &error) == MG_OK);
    must_have_none();
    let_thread_call();
    must(mg_confine_capabilities(NULL, 0, &error) == MG_OK); /* and again, without the right to */
}

static void test_all_capabilities_can_be_dropped_and_dropped_again(void **state)
{
    (void)state;
    assert_int_equal(run_child(keep_none), 0);
}

static uint64_t permitted_before;

static void must_have_what_it_had(void)
{
    must(status_field("CapPrm", 16) == permitted_before);
}

static void confine_one_thread(void)
{
    struct mg_error error;
    permitted_before = status_field("CapPrm", 16);
    start_thread(must_have_what_it_had);
    must(mg_confine_thread(&error) == MG_OK);
    must(status_field("CapPrm", 16) == 0 && status_field("CapEff", 16) == 0);
    let_thread_call();
}

static void test_one_thread_can_drop_its_own(void **state)
{
    (void)state;
    assert_int_equal(run_child(confine_one_thread), 0);
}

static void no_dumps(void)
{
    struct mg_error error;
    struct rlimit core;
    must(mg_confine_no_dumps(&error) == MG_OK);
    must(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0);
#ifndef UNDER_SANITIZER
    must(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
#endif
}

static void test_a_process_with_secrets_leaves_no_dump(void **state)
{
    (void)state;
    assert_int_equal(run_child(no_dumps), 0);
}

#ifndef UNDER_SANITIZER

static const char *const allowed[] = {"getppid", "no_such_call_of_any_kernel"};
static const char *const refused[] = {"getpgrp"};
static const struct mg_confine_calls calls = {
    .allowed = allowed,
    .num_allowed = MG_ARRAY_LEN(allowed),
    .refused = refused,
    .num_refused = MG_ARRAY_LEN(refused),
};

static void confine_syscalls(void)
{
    struct mg_error error;
    must(mg_confine_syscalls(&calls, &error) == MG_OK);
}

static void call_what_is_allowed(void)
{
    confine_syscalls();
    must(syscall(SYS_write, STDERR_FILENO, "", 0) == 0); /* what every program calls */
    must(syscall(SYS_getppid) > 0);
}

static void call_what_is_refused(void)
{
    confine_syscalls();
    must(syscall(SYS_getpgrp) == -1 && errno == EPERM);
}

static void call_what_is_not(void)
{
    confine_syscalls();
    syscall(SYS_setsid);
}

static void setsid_of_thread(void)
{
    syscall(SYS_setsid);
}

static void let_a_thread_call_what_is_not(void)
{
    start_thread(setsid_of_thread);
    confine_syscalls();
    let_thread_call();
}

static bool was_killed_for_a_call(void (*child)(void))
{
    int status = run_child(child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static void test_only_the_allowed_system_calls_can_be_made(void **state)
{
    (void)state;
    assert_int_equal(run_child(call_what_is_allowed), 0);
    assert_int_equal(run_child(call_what_is_refused), 0);
    assert_true(was_killed_for_a_call(call_what_is_not));
}

static void test_threads_that_exist_are_confined_too(void **state)
{
    (void)state;
    assert_true(was_killed_for_a_call(let_a_thread_call_what_is_not));
}

static void *do_nothing(void *arg)
{
    return arg;
}

static void make_a_thread(void)
{
    static const struct mg_confine_calls threads = {.makes_threads = true};
    struct mg_error error;
    pthread_t made;
    must(mg_confine_syscalls(&threads, &error) == MG_OK);
    must(pthread_create(&made, NULL, do_nothing, NULL) == 0);
}

static void make_a_process(void)
{
    make_a_thread();
    (void)fork();
}

static void make_a_thread_although_it_may_not(void)
{
    pthread_t made;
    confine_syscalls();
    (void)pthread_create(&made, NULL, do_nothing, NULL);
}

static void test_threads_can_be_made_where_that_was_asked_for_and_processes_cannot(void **state)
{
    (void)state;
    assert_int_equal(run_child(make_a_thread), 0);
    assert_true(was_killed_for_a_call(make_a_process));
    assert_true(was_killed_for_a_call(make_a_thread_although_it_may_not));
}

#else

static void test_threads_can_be_made_where_that_was_asked_for_and_processes_cannot(void **state)
{
    (void)state;
    skip();
}

static void test_only_the_allowed_system_calls_can_be_made(void **state)
{
    (void)state;
    assert_int_equal(mg_confine_syscalls(NULL, NULL), MG_OK); /* a sanitizer makes calls of its own */
}

static void test_threads_that_exist_are_confined_too(void **state)
{
    (void)state;
    skip();
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_kept_capabilities_are_left_in_all_threads),
        cmocka_unit_test(test_all_capabilities_can_be_dropped_and_dropped_again),
        cmocka_unit_test(test_one_thread_can_drop_its_own),
        cmocka_unit_test(test_a_process_with_secrets_leaves_no_dump),
        cmocka_unit_test(test_only_the_allowed_system_calls_can_be_made),
        cmocka_unit_test(test_threads_that_exist_are_confined_too),
        cmocka_unit_test(test_threads_can_be_made_where_that_was_asked_for_and_processes_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
