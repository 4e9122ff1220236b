/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct end {
    struct loop_source source;
    struct loop_retired retired;
    struct loop *loop;
    struct end *victim;
    int num_calls;
    bool released;
};

static void release(struct loop_retired *retired)
{
    MG_CONTAINER_OF(retired, struct end, retired)->released = true;
}

static void count_call(struct loop_source *source, uint32_t events)
{
    struct end *end = MG_CONTAINER_OF(source, struct end, source);
    assert_true((events & EPOLLIN) != 0);
    assert_false(end->released);
    end->num_calls++;
    if (end->victim != NULL && end->victim->source.fd >= 0) {
        loop_close(&end->victim->source);
        loop_retire(end->loop, &end->victim->retired);
        assert_false(end->victim->released); /* its event may still be in this batch */
    }
}

/* readable_end makes |end| the reading end of a pipe with a byte in it, and returns the other. */
static int readable_end(struct loop *loop, struct end *end)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    *end = (struct end){.loop = loop, .source = {.fd = fds[0], .ready = count_call}, .retired = {.release = release}};
    loop_watch(loop, &end->source, EPOLLIN);
    return fds[1];
}

static void start(struct loop *loop)
{
    struct mg_error error;
    assert_int_equal(loop_init(loop, &error), MG_OK);
}

static void test_what_is_closed_in_a_batch_gets_no_event_of_it(void **state)
{
    (void)state;
    struct loop loop;
    struct end a, b;
    start(&loop);
    int writers[] = {readable_end(&loop, &a), readable_end(&loop, &b)};
    a.victim = &b;
    b.victim = &a;
    loop_run_once(&loop, 1000);
    assert_int_equal(a.num_calls + b.num_calls, 1);
    assert_true(a.released != b.released);
    loop_close(&a.source);
    loop_close(&b.source);
    loop_free(&loop);
    close(writers[0]);
    close(writers[1]);
}

static void test_a_moved_descriptor_calls_its_new_owner(void **state)
{
    (void)state;
    struct loop loop;
    struct end from, to = {.source = {.fd = -1, .ready = count_call}};
    start(&loop);
    int writer = readable_end(&loop, &from);
    loop_move(&loop, &from.source, &to.source);
    assert_int_equal(from.source.fd, -1);
    loop_run_once(&loop, 1000);
    assert_int_equal(from.num_calls, 0);
    assert_int_equal(to.num_calls, 1);
    loop_close(&to.source);
    loop_free(&loop);
    close(writer);
}

static void test_watching_for_nothing_keeps_quiet(void **state)
{
    (void)state;
    struct loop loop;
    struct end end;
    start(&loop);
    int writer = readable_end(&loop, &end);
    loop_watch(&loop, &end.source, 0);
    loop_run_once(&loop, 0);
    assert_int_equal(end.num_calls, 0);
    loop_watch(&loop, &end.source, EPOLLIN);
    loop_run_once(&loop, 1000);
    assert_int_equal(end.num_calls, 1);
    loop_close(&end.source);
    loop_free(&loop);
    close(writer);
}

static void test_stop_wakes_a_loop_that_waits_for_ever(void **state)
{
    (void)state;
    struct loop loop;
    start(&loop);
    assert_false(loop_stopping(&loop));
    loop_stop(&loop);
    loop_run_once(&loop, -1);
    assert_true(loop_stopping(&loop));
    loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_closed_in_a_batch_gets_no_event_of_it),
        cmocka_unit_test(test_a_moved_descriptor_calls_its_new_owner),
        cmocka_unit_test(test_watching_for_nothing_keeps_quiet),
        cmocka_unit_test(test_stop_wakes_a_loop_that_waits_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
