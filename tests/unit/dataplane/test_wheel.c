/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h" /* test_random */

#include <string.h>

#include "dataplane/flow/wheel.h"

#define TICK_NS UINT64_C(1000)
#define ROUND_NS (TICK_NS * WHEEL_NUM_SLOTS)
#define START_NS UINT64_C(123456789)
#define NO_LIMIT SIZE_MAX
#define HOUR_NS UINT64_C(3600000000000)

static struct wheel wheel;

static int start(void **state)
{
    (void)state;
    memset(&wheel, 0xee, sizeof(wheel)); /* wheel_init needs nothing to have been set */
    wheel_init(&wheel, TICK_NS, START_NS);
    return 0;
}

static void count_fired(struct wheel_timer *timer, void *arg)
{
    assert_false(wheel_timer_running(timer));
    ++*(unsigned *)arg;
}

/* expire returns how many timers fire at |now_ns|. */
static unsigned expire(uint64_t now_ns)
{
    unsigned num = 0;
    size_t told = wheel_expire(&wheel, now_ns, NO_LIMIT, count_fired, &num);
    assert_int_equal(told, num);
    return num;
}

static void test_an_empty_wheel_fires_nothing(void **state)
{
    (void)state;
    assert_int_equal(wheel.num_timers, 0);
    assert_int_equal(expire(START_NS), 0);
    assert_int_equal(expire(START_NS + 10 * ROUND_NS), 0);
}

static void test_a_timer_fires_once(void **state)
{
    (void)state;
    struct wheel_timer timer = {0};
    assert_false(wheel_timer_running(&timer));
    wheel_start(&wheel, &timer, START_NS + 5 * TICK_NS);
    assert_true(wheel_timer_running(&timer));
    assert_int_equal(wheel.num_timers, 1);
    assert_int_equal(expire(START_NS + 10 * TICK_NS), 1);
    assert_false(wheel_timer_running(&timer));
    assert_int_equal(wheel.num_timers, 0);
    assert_int_equal(expire(START_NS + 20 * TICK_NS), 0);
    assert_int_equal(expire(START_NS + 20 * TICK_NS + ROUND_NS), 0);
}

/* Every deadline around ticks, rounds and many rounds, looked at nanosecond by nanosecond where it matters. */
static void test_a_timer_is_never_early_and_at_most_a_tick_late(void **state)
{
    (void)state;
    static const uint64_t distances[] = {0,
                                         1,
                                         TICK_NS - 1,
                                         TICK_NS,
                                         TICK_NS + 1,
                                         10 * TICK_NS,
                                         ROUND_NS - TICK_NS,
                                         ROUND_NS - 1,
                                         ROUND_NS,
                                         ROUND_NS + 1,
                                         ROUND_NS + TICK_NS,
                                         2 * ROUND_NS,
                                         5 * ROUND_NS + 3 * TICK_NS + 7};
    for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
        for (uint64_t phase = 0; phase < TICK_NS; phase += 111) {
            uint64_t now_ns = START_NS + phase, deadline_ns = now_ns + distances[i];
            struct wheel_timer timer = {0};
            wheel_init(&wheel, TICK_NS, START_NS);
            wheel_start(&wheel, &timer, deadline_ns);
            while (now_ns + TICK_NS < deadline_ns) {
                assert_int_equal(expire(now_ns), 0);
                now_ns += TICK_NS / 2;
            }
            while (now_ns < deadline_ns) {
                assert_int_equal(expire(now_ns), 0);
                now_ns++;
            }
            while (now_ns < deadline_ns + TICK_NS && expire(now_ns) == 0) {
                now_ns++;
            }
            assert_false(wheel_timer_running(&timer) && expire(deadline_ns + TICK_NS) == 0);
        }
    }
}

static void test_a_deadline_in_the_past_fires_at_the_next_look(void **state)
{
    (void)state;
    struct wheel_timer timer = {0};
    expire(START_NS + 100 * TICK_NS);
    wheel_start(&wheel, &timer, START_NS);
    assert_int_equal(expire(START_NS + 101 * TICK_NS), 1);
    wheel_start(&wheel, &timer, 0);
    assert_int_equal(expire(START_NS + 102 * TICK_NS), 1);
}

static void test_a_timer_that_is_started_again_moves(void **state)
{
    (void)state;
    struct wheel_timer timer = {0};
    wheel_start(&wheel, &timer, START_NS + 10 * TICK_NS);
    wheel_start(&wheel, &timer, START_NS + 30 * TICK_NS); /* later */
    assert_int_equal(wheel.num_timers, 1);
    assert_int_equal(expire(START_NS + 20 * TICK_NS), 0);
    wheel_start(&wheel, &timer, START_NS + 22 * TICK_NS); /* and earlier */
    assert_int_equal(expire(START_NS + 24 * TICK_NS), 1);
    assert_int_equal(expire(START_NS + 40 * TICK_NS), 0);
}

static void test_a_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    struct wheel_timer timers[3] = {{0}, {0}, {0}}; /* in one slot: the ends and the middle of a list */
    for (int stopped = 0; stopped < 3; stopped++) {
        uint64_t deadline_ns = START_NS + (uint64_t)(stopped + 1) * 100 * TICK_NS;
        for (int i = 0; i < 3; i++) {
            wheel_start(&wheel, &timers[i], deadline_ns);
        }
        wheel_stop(&wheel, &timers[stopped]);
        assert_false(wheel_timer_running(&timers[stopped]));
        assert_int_equal(wheel.num_timers, 2);
        wheel_stop(&wheel, &timers[stopped]); /* a stopped one too */
        assert_int_equal(wheel.num_timers, 2);
        assert_int_equal(expire(deadline_ns + TICK_NS), 2);
    }
}

static void test_timers_far_beyond_one_round_wait_their_time(void **state)
{
    (void)state;
    struct wheel_timer timers[4] = {{0}, {0}, {0}, {0}}; /* one slot, four rounds */
    for (unsigned i = 0; i < 4; i++) {
        wheel_start(&wheel, &timers[i], START_NS + (4 - i) * 100 * ROUND_NS);
    }
    for (unsigned i = 1; i <= 4; i++) {
        for (uint64_t now_ns = START_NS + (i - 1) * 100 * ROUND_NS + TICK_NS; now_ns < START_NS + i * 100 * ROUND_NS;
             now_ns += ROUND_NS / 3) {
            assert_int_equal(expire(now_ns), 0);
        }
        assert_int_equal(expire(START_NS + i * 100 * ROUND_NS + TICK_NS), 1);
        assert_false(wheel_timer_running(&timers[4 - i]));
    }
}

static void test_a_jump_of_hours_finds_all_that_is_due_and_nothing_else(void **state)
{
    (void)state;
    static struct wheel_timer due[1000], later[1000];
    uint64_t random = 7, jump_ns = START_NS + 5 * HOUR_NS;
    memset(due, 0, sizeof(due));
    memset(later, 0, sizeof(later));
    for (size_t i = 0; i < 1000; i++) {
        wheel_start(&wheel, &due[i], START_NS + test_random(&random) % (5 * HOUR_NS - TICK_NS));
        wheel_start(&wheel, &later[i], jump_ns + 1 + test_random(&random));
    }
    assert_int_equal(expire(jump_ns), 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_false(wheel_timer_running(&due[i]));
        assert_true(wheel_timer_running(&later[i]));
    }
    assert_int_equal(expire(jump_ns + HOUR_NS), 1000);
}

static void test_jumps_around_a_whole_round_skip_no_slot(void **state)
{
    (void)state;
    static struct wheel_timer timers[WHEEL_NUM_SLOTS];
    for (uint64_t jump = WHEEL_NUM_SLOTS - 2; jump <= 2 * WHEEL_NUM_SLOTS + 2; jump++) {
        if (jump > WHEEL_NUM_SLOTS + 2 && jump < 2 * WHEEL_NUM_SLOTS - 2) {
            continue;
        }
        wheel_init(&wheel, TICK_NS, START_NS);
        memset(timers, 0, sizeof(timers));
        for (uint64_t i = 0; i < WHEEL_NUM_SLOTS - 4; i++) {
            wheel_start(&wheel, &timers[i], START_NS + i * TICK_NS);
        }
        assert_int_equal(expire(START_NS + jump * TICK_NS), WHEEL_NUM_SLOTS - 4);
    }
}

static void test_at_most_so_many_fire_and_the_rest_later(void **state)
{
    (void)state;
    struct wheel_timer timers[10];
    memset(timers, 0, sizeof(timers));
    for (unsigned i = 0; i < 10; i++) {
        wheel_start(&wheel, &timers[i], START_NS + i / 3 * TICK_NS); /* over slots and within one */
    }
    unsigned num = 0;
    uint64_t now_ns = START_NS + 100 * TICK_NS;
    assert_int_equal(wheel_expire(&wheel, now_ns, 0, count_fired, &num), 0);
    assert_int_equal(wheel_expire(&wheel, now_ns, 4, count_fired, &num), 4);
    assert_int_equal(wheel_expire(&wheel, now_ns + 3 * ROUND_NS, 4, count_fired, &num), 4);
    assert_int_equal(wheel_expire(&wheel, now_ns + 3 * ROUND_NS, 4, count_fired, &num), 2);
    assert_int_equal(num, 10);
}

/* ---- what a call may do ---- */

struct acting_timer {
    struct wheel_timer timer;
    struct wheel_timer *stops;
    struct wheel_timer *starts;
    uint64_t starts_at_ns;
    unsigned num_fired;
};

static void act(struct wheel_timer *timer, void *arg)
{
    struct acting_timer *acting = MG_CONTAINER_OF(timer, struct acting_timer, timer);
    (void)arg;
    acting->num_fired++;
    if (acting->stops != NULL) {
        wheel_stop(&wheel, acting->stops);
    }
    if (acting->starts != NULL) {
        wheel_start(&wheel, acting->starts, acting->starts_at_ns);
    }
}

static void test_a_call_may_stop_the_other_timers_of_its_slot(void **state)
{
    (void)state;
    /* Whichever fires first stops the other one. */
    struct acting_timer timers[2];
    memset(timers, 0, sizeof(timers));
    timers[0].stops = &timers[1].timer;
    timers[1].stops = &timers[0].timer;
    wheel_start(&wheel, &timers[0].timer, START_NS);
    wheel_start(&wheel, &timers[1].timer, START_NS);
    assert_int_equal(wheel_expire(&wheel, START_NS + TICK_NS, NO_LIMIT, act, NULL), 1);
    assert_int_equal(timers[0].num_fired + timers[1].num_fired, 1);
    assert_int_equal(wheel.num_timers, 0);
}

static void test_a_call_may_start_its_own_timer_again(void **state)
{
    (void)state;
    struct acting_timer timer = {.starts = &timer.timer, .starts_at_ns = START_NS + 50 * TICK_NS};
    wheel_start(&wheel, &timer.timer, START_NS);
    assert_int_equal(wheel_expire(&wheel, START_NS + TICK_NS, NO_LIMIT, act, NULL), 1);
    timer.starts_at_ns = START_NS + ROUND_NS; /* into the slot that is being looked at */
    assert_int_equal(wheel_expire(&wheel, START_NS + 51 * TICK_NS, NO_LIMIT, act, NULL), 1);
    assert_int_equal(wheel_expire(&wheel, START_NS + ROUND_NS - 1, NO_LIMIT, act, NULL), 0);
    timer.starts = NULL;
    assert_int_equal(wheel_expire(&wheel, START_NS + ROUND_NS + TICK_NS, NO_LIMIT, act, NULL), 1);
    assert_int_equal(wheel.num_timers, 0);
}

static void test_a_timer_that_always_wants_to_fire_now_ends_at_the_limit(void **state)
{
    (void)state;
    struct acting_timer timer = {.starts = &timer.timer, .starts_at_ns = 0};
    wheel_start(&wheel, &timer.timer, START_NS);
    assert_int_equal(wheel_expire(&wheel, START_NS + TICK_NS, 100, act, NULL), 100);
    assert_true(wheel_timer_running(&timer.timer));
}

static void test_a_call_may_start_and_stop_any_timer(void **state)
{
    (void)state;
    struct acting_timer actor = {0};
    struct wheel_timer others[3] = {{0}, {0}, {0}};
    wheel_start(&wheel, &others[0], START_NS + 2 * TICK_NS);
    wheel_start(&wheel, &others[1], START_NS + 2 * ROUND_NS);
    actor.stops = &others[1];
    actor.starts = &others[2];
    actor.starts_at_ns = START_NS + 3 * TICK_NS; /* due within the same call */
    wheel_start(&wheel, &actor.timer, START_NS);
    unsigned num = 0;
    assert_int_equal(wheel_expire(&wheel, START_NS + TICK_NS, NO_LIMIT, act, NULL), 1);
    assert_int_equal(wheel_expire(&wheel, START_NS + 10 * TICK_NS, NO_LIMIT, count_fired, &num), 2);
    assert_false(wheel_timer_running(&others[1]));
    assert_int_equal(wheel.num_timers, 0);
}

/* ---- against a model ---- */

#define NUM_MODEL 500

struct model_timer {
    struct wheel_timer timer;
    bool running;
};

static uint64_t model_now_ns;

static void fire_in_model(struct wheel_timer *timer, void *arg)
{
    struct model_timer *model = MG_CONTAINER_OF(timer, struct model_timer, timer);
    (void)arg;
    assert_true(model->running);
    assert_true(timer->deadline_ns <= model_now_ns);
    model->running = false;
}

static void test_a_long_random_life_agrees_with_a_simple_list(void **state)
{
    (void)state;
    static struct model_timer timers[NUM_MODEL];
    uint64_t random = 11;
    memset(timers, 0, sizeof(timers));
    model_now_ns = START_NS;
    for (int step = 0; step < 20000; step++) {
        struct model_timer *model = &timers[test_random_below(&random, NUM_MODEL)];
        if (test_random_below(&random, 3) == 0) {
            wheel_stop(&wheel, &model->timer);
            model->running = false;
        } else {
            uint64_t far = test_random_below(&random, 10) == 0 ? 20 * ROUND_NS : 100 * TICK_NS;
            wheel_start(&wheel, &model->timer, model_now_ns + test_random(&random) % far);
            model->running = true;
        }
        if (test_random_below(&random, 4) == 0) {
            model_now_ns += test_random(&random) % (test_random_below(&random, 50) == 0 ? 3 * ROUND_NS : 3 * TICK_NS);
            wheel_expire(&wheel, model_now_ns, NO_LIMIT, fire_in_model, NULL);
            size_t num_running = 0;
            for (size_t i = 0; i < NUM_MODEL; i++) {
                assert_int_equal(wheel_timer_running(&timers[i].timer), timers[i].running);
                assert_false(timers[i].running && timers[i].timer.deadline_ns + TICK_NS <= model_now_ns);
                num_running += timers[i].running;
            }
            assert_int_equal(wheel.num_timers, num_running);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_empty_wheel_fires_nothing),
        TEST(test_a_timer_fires_once),
        TEST(test_a_timer_is_never_early_and_at_most_a_tick_late),
        TEST(test_a_deadline_in_the_past_fires_at_the_next_look),
        TEST(test_a_timer_that_is_started_again_moves),
        TEST(test_a_stopped_timer_does_not_fire),
        TEST(test_timers_far_beyond_one_round_wait_their_time),
        TEST(test_a_jump_of_hours_finds_all_that_is_due_and_nothing_else),
        TEST(test_jumps_around_a_whole_round_skip_no_slot),
        TEST(test_at_most_so_many_fire_and_the_rest_later),
        TEST(test_a_call_may_stop_the_other_timers_of_its_slot),
        TEST(test_a_call_may_start_its_own_timer_again),
        TEST(test_a_timer_that_always_wants_to_fire_now_ends_at_the_limit),
        TEST(test_a_call_may_start_and_stop_any_timer),
        TEST(test_a_long_random_life_agrees_with_a_simple_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
