/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: no two takers have the same one, what is given back is used again, and no more are had than there are. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cache/slots.h"
#include "cache_fixture.h"

#define FEW 100

static void test_slots_are_aligned_apart_and_no_more_than_there_are(void **state)
{
    (void)state;
    struct slots slots;
    uint8_t *taken[FEW];
    slots_init(&slots, FEW);
    for (size_t i = 0; i < FEW; i++) {
        taken[i] = slots_take(&slots);
        assert_non_null(taken[i]);
        assert_int_equal((uintptr_t)taken[i] % SLOT_SIZE, 0);
        assert_true(slots_own(&slots, taken[i]));
        memset(taken[i], (int)i, SLOT_SIZE);
    }
    assert_null(slots_take(&slots));
    for (size_t i = 0; i < FEW; i++) {
        for (size_t j = 0; j < SLOT_SIZE; j++) {
            assert_int_equal(taken[i][j], i);
        }
    }
    slots_end(&slots);
}

static void test_what_is_given_back_is_taken_again_first(void **state)
{
    (void)state;
    struct slots slots;
    slots_init(&slots, FEW);
    void *first = slots_take(&slots), *second = slots_take(&slots);
    slots_give(&slots, first);
    slots_give(&slots, second);
    assert_ptr_equal(slots_take(&slots), second);
    assert_ptr_equal(slots_take(&slots), first);
    assert_ptr_not_equal(slots_take(&slots), second);
    slots_end(&slots);
}

/* Else a taker that was held up between its look at the stack and its exchange would put a slot on top that has an
 * owner by then. */
static void test_a_stack_that_came_back_is_not_the_same(void **state)
{
    (void)state;
    struct slots slots;
    slots_init(&slots, FEW);
    void *slot = slots_take(&slots);
    slots_give(&slots, slot);
    uint64_t before = atomic_load(&slots.free);
    assert_ptr_equal(slots_take(&slots), slot);
    slots_give(&slots, slot);
    assert_int_not_equal(atomic_load(&slots.free), before);
    slots_end(&slots);
}

static void test_other_memory_is_told_apart(void **state)
{
    (void)state;
    struct slots slots, none = {.first = NULL};
    slots_init(&slots, FEW);
    void *other = malloc(SLOT_SIZE);
    assert_false(slots_own(&slots, other));
    assert_false(slots_own(&slots, slots.first + FEW * SLOT_SIZE));
    assert_false(slots_own(&slots, slots.first - 1));
    assert_false(slots_own(&none, other));
    assert_null(slots_take(&none)); /* the kernel had refused */
    free(other);
    slots_end(&slots);
    slots_end(&none);
}

/* ---- threads that take all there are ---- */

#define MANY 400000
#define NUM_THREADS 4

struct rush {
    struct slots slots;
    _Atomic size_t num_taken;
    _Atomic unsigned num_ready;
};

static void take_all(unsigned number, void *arg)
{
    struct rush *rush = arg;
    (void)number;
    rush->num_ready++;
    while (rush->num_ready < NUM_THREADS) { /* all at once */
        sched_yield();
    }
    for (uint32_t *slot = slots_take(&rush->slots); slot != NULL; slot = slots_take(&rush->slots)) {
        check(*slot == 0); /* fresh memory, and nobody else's */
        *slot = 1;
        rush->num_taken++;
    }
}

static void test_threads_that_begin_slots_never_share_one(void **state)
{
    (void)state;
    struct rush rush = {.num_taken = 0};
    slots_init(&rush.slots, MANY);
    run_threads(NUM_THREADS, take_all, &rush);
    assert_int_equal(rush.num_taken, MANY);
    slots_end(&rush.slots);
}

/* ---- many threads that take and give: a slot has one owner at a time ---- */

#define NUM_SHARED 24 /* fewer than are wanted: the stack is emptied all the time */
#define MAX_HELD 8

struct shared {
    struct slots slots;
    uint64_t deadline_ns;
    _Atomic uint64_t num_taken;
};

static void take_one(struct shared *shared, unsigned number, uint32_t *held[MAX_HELD], unsigned *num_held)
{
    uint32_t *slot = slots_take(&shared->slots);
    if (slot != NULL) {
        *slot = number; /* a plain write: another owner would be a data race, which ThreadSanitizer tells */
        held[(*num_held)++] = slot;
        shared->num_taken++;
    }
}

static void take_and_give(unsigned number, void *arg)
{
    struct shared *shared = arg;
    uint32_t *held[MAX_HELD];
    unsigned num_held = 0, random = number;
    while (mg_clock_monotonic_ns() < shared->deadline_ns) {
        random = random * 1664525 + 1013904223;
        if (num_held < MAX_HELD && (random >> 16) % 2 == 0) {
            take_one(shared, number, held, &num_held);
        } else if (num_held > 0) {
            unsigned which = (random >> 17) % num_held;
            check(*held[which] == number);
            slots_give(&shared->slots, held[which]);
            held[which] = held[--num_held];
        }
    }
    while (num_held > 0) {
        slots_give(&shared->slots, held[--num_held]);
    }
}

static void test_threads_that_take_and_give_never_share_a_slot(void **state)
{
    (void)state;
    struct shared shared = {.deadline_ns =
                                mg_clock_monotonic_ns() + (uint64_t)(test_seconds() / 4 * (double)MG_NS_PER_SECOND)};
    slots_init(&shared.slots, NUM_SHARED);
    run_threads(NUM_THREADS, take_and_give, &shared);
    assert_true(shared.num_taken > 100);
    size_t num = 0;
    while (slots_take(&shared.slots) != NULL) {
        num++;
    }
    assert_int_equal(num, NUM_SHARED); /* none is lost, none is there twice */
    slots_end(&shared.slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_are_aligned_apart_and_no_more_than_there_are),
        cmocka_unit_test(test_what_is_given_back_is_taken_again_first),
        cmocka_unit_test(test_a_stack_that_came_back_is_not_the_same),
        cmocka_unit_test(test_other_memory_is_told_apart),
        cmocka_unit_test(test_threads_that_begin_slots_never_share_one),
        cmocka_unit_test(test_threads_that_take_and_give_never_share_a_slot),
    };
    return cmocka_run_group_tests(tests, start_rcu, stop_rcu);
}
