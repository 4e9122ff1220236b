/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "control/ccadb/same_call.h"

#define MINUTE (60 * MG_NS_PER_SECOND)
#define BEGIN (1000 * MG_NS_PER_SECOND)

static struct same_calls *calls;

static int start(void **state)
{
    (void)state;
    return same_calls_new(&calls, NULL) == MG_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    same_calls_free(calls);
    return 0;
}

static uint64_t take(const char *user, const char *path, const char *body, uint64_t now_ns)
{
    return same_calls_take(calls, user, path, mg_slice_of_text(body), MINUTE, now_ns);
}

static void test_the_same_call_waits_for_the_end_of_its_minute(void **state)
{
    (void)state;
    assert_int_equal(take("a", "/x", "body", BEGIN), 0);
    assert_int_equal(take("a", "/x", "body", BEGIN), 60);
    assert_int_equal(take("a", "/x", "body", BEGIN + MINUTE - 1), 1);
    assert_int_equal(take("a", "/x", "body", BEGIN + MINUTE), 0); /* and begins another one */
    assert_int_equal(take("a", "/x", "body", BEGIN + MINUTE + 1), 60);
    assert_int_equal(take("a", "/x", "body", BEGIN + MINUTE - 5), 60); /* a thread whose look at the clock is older */
}

static void test_another_user_path_or_body_is_another_call(void **state)
{
    (void)state;
    assert_int_equal(take("a", "/x", "body", BEGIN), 0);
    assert_int_equal(take("b", "/x", "body", BEGIN), 0);
    assert_int_equal(take("a", "/y", "body", BEGIN), 0);
    assert_int_equal(take("a", "/x", "Body", BEGIN), 0);
    assert_int_equal(take("a/", "x", "body", BEGIN), 0);
    assert_int_equal(take("a", "/xb", "ody", BEGIN), 0);
}

static void test_without_a_span_every_call_is_new(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(same_calls_take(calls, "a", "/x", mg_slice_of_text("body"), 0, BEGIN), 0);
    }
}

static void test_when_there_are_too_many_the_oldest_is_forgotten(void **state)
{
    (void)state;
    char body[32];
    for (uint64_t i = 0; i <= SAME_CALL_MAX; i++) {
        snprintf(body, sizeof(body), "%llu", (unsigned long long)i);
        assert_int_equal(take("a", "/x", body, BEGIN + i), 0);
    }
    assert_int_not_equal(take("a", "/x", "1", BEGIN + SAME_CALL_MAX + 1), 0);
    assert_int_equal(take("a", "/x", "0", BEGIN + SAME_CALL_MAX + 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_same_call_waits_for_the_end_of_its_minute),
        TEST(test_another_user_path_or_body_is_another_call),
        TEST(test_without_a_span_every_call_is_new),
        TEST(test_when_there_are_too_many_the_oldest_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
