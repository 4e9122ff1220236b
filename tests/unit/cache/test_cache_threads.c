/* SPDX-License-Identifier: Apache-2.0 */
/* What the cache promises among threads. MINTGATE_TEST_SECONDS stretches the tests that run for a time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cache/rcu.h"
#include "cache_fixture.h"

#define NOW 1000
#define LATER 2000

static uint64_t deadline_ns(double share)
{
    return mg_clock_monotonic_ns() + (uint64_t)(test_seconds() * share * 1e9);
}

static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void wait_until_woken(struct test_waiter *waiter)
{
    mg_rcu_offline();
    while (atomic_load(&waiter->num_woken) == 0) {
        sched_yield();
    }
    mg_rcu_online();
}

/* Single flight. */

#define FLIGHT_THREADS 8
#define FLIGHT_KEYS 1000
#define FLIGHT_HELD 4 /* elections that a thread holds before it publishes the first */

struct flight {
    struct cache *cache;
    _Atomic int produced[FLIGHT_KEYS];
    _Atomic int queued;
    struct test_waiter waiters[FLIGHT_THREADS][FLIGHT_KEYS];
    bool waits[FLIGHT_THREADS][FLIGHT_KEYS];
};

struct held {
    struct cache_pending *pending;
    uint64_t n;
};

static void publish_held(struct held *held)
{
    if (held->pending != NULL) {
        cache_publish(held->pending, &value_new(held->n)->value, 10, LATER);
        held->pending = NULL;
    }
}

static void fly(unsigned number, void *arg)
{
    struct flight *flight = arg;
    struct held held[FLIGHT_HELD] = {{0}};
    for (unsigned i = 0; i < FLIGHT_KEYS; i++) {
        struct held *slot = &held[i % FLIGHT_HELD];
        unsigned n = number % 2 == 0 ? i : FLIGHT_KEYS - 1 - i; /* half of them meet the other half on the way */
        struct test_key key;
        struct cache_value *value;
        struct cache_pending *pending;
        publish_held(slot);
        waiter_init(&flight->waiters[number][n]);
        switch (cache_claim(flight->cache, key_number(&key, n), NOW, &flight->waiters[number][n].waiter, &value,
                            &pending)) {
        case CACHE_CLAIM_ELECTED:
            atomic_fetch_add(&flight->produced[n], 1);
            *slot = (struct held){.pending = pending, .n = n};
            flight->waits[number][n] = true;
            break;
        case CACHE_CLAIM_WAITING:
            flight->waits[number][n] = true;
            break;
        case CACHE_CLAIM_HIT:
            check(value_id(value) == n);
            break;
        default:
            check(false);
        }
        mg_rcu_quiescent();
    }
    for (unsigned i = 0; i < FLIGHT_HELD; i++) {
        publish_held(&held[i]);
    }
}

static void test_single_flight_produces_each_key_once_and_wakes_each_waiter_once(void **state)
{
    (void)state;
    struct flight *flight = calloc(1, sizeof(*flight));
    assert_non_null(flight);
    flight->cache = cache_with(config_wide());
    run_threads(FLIGHT_THREADS, fly, flight);
    for (unsigned n = 0; n < FLIGHT_KEYS; n++) {
        assert_int_equal(flight->produced[n], 1);
        assert_int_equal(lookup(flight->cache, n, NOW), CACHE_HIT);
        for (unsigned thread = 0; thread < FLIGHT_THREADS; thread++) {
            assert_int_equal(flight->waiters[thread][n].num_woken, flight->waits[thread][n] ? 1 : 0);
        }
    }
    struct cache_stats stats = stats_of(flight->cache);
    assert_int_equal(stats.published, FLIGHT_KEYS);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.waiters, 0);
    assert_int_equal(stats.hits, FLIGHT_KEYS);
    free_and_check(flight->cache);
    free(flight);
}

/* Rounds: all threads do one thing to one key at the same moment, again and again. */

struct rounds {
    struct cache *cache;
    pthread_barrier_t start, end;
    uint64_t round; /* thread 0, between end and start: rw; others: ro, between start and end */
    uint64_t deadline_ns;
    bool done;
    _Atomic unsigned num_elected, num_queued, num_woken;
    void (*play)(struct rounds *rounds, struct test_waiter *waiter);
};

static void wait_at(pthread_barrier_t *barrier)
{
    mg_rcu_offline();
    pthread_barrier_wait(barrier);
    mg_rcu_online();
}

static void play_rounds(unsigned number, void *arg)
{
    struct rounds *rounds = arg;
    for (;;) {
        if (number == 0) {
            check(rounds->num_elected == (rounds->round == 0 ? 0 : 1));
            check(rounds->num_woken == rounds->num_queued);
            rounds->num_elected = rounds->num_woken = rounds->num_queued = 0;
            rounds->round++;
            rounds->done = mg_clock_monotonic_ns() > rounds->deadline_ns;
        }
        wait_at(&rounds->start);
        if (rounds->done) {
            return;
        }
        struct test_waiter waiter;
        waiter_init(&waiter);
        rounds->play(rounds, &waiter);
        atomic_fetch_add(&rounds->num_woken, waiter.num_woken);
        wait_at(&rounds->end);
    }
}

static void run_rounds(struct rounds *rounds, unsigned num_threads)
{
    rounds->deadline_ns = deadline_ns(0.25);
    pthread_barrier_init(&rounds->start, NULL, num_threads);
    pthread_barrier_init(&rounds->end, NULL, num_threads);
    run_threads(num_threads, play_rounds, rounds);
    pthread_barrier_destroy(&rounds->start);
    pthread_barrier_destroy(&rounds->end);
    assert_true(rounds->round > 10);
}

/* claim_and_finish claims this round's key; the one elected publishes in odd rounds and fails in even ones. */
static void claim_and_finish(struct rounds *rounds, struct test_waiter *waiter, uint64_t n, int64_t now)
{
    struct test_key key;
    struct cache_value *value;
    struct cache_pending *pending;
    bool publishes = rounds->round % 2 == 1;
    switch (cache_claim(rounds->cache, key_number(&key, n), now, &waiter->waiter, &value, &pending)) {
    case CACHE_CLAIM_ELECTED:
        atomic_fetch_add(&rounds->num_elected, 1);
        atomic_fetch_add(&rounds->num_queued, 1);
        check(waiter->num_woken == 0);
        if (publishes) {
            cache_publish(pending, &value_new(n)->value, 10, now + 1);
        } else {
            cache_fail(pending, now + 1);
        }
        check(waiter->num_woken == 1);
        break;
    case CACHE_CLAIM_WAITING:
        atomic_fetch_add(&rounds->num_queued, 1);
        wait_until_woken(waiter);
        break;
    case CACHE_CLAIM_HIT:
        check(publishes && value_id(value) == n);
        break;
    case CACHE_CLAIM_NEGATIVE:
        check(!publishes);
        break;
    default:
        check(false);
    }
}

static void play_new_key(struct rounds *rounds, struct test_waiter *waiter)
{
    claim_and_finish(rounds, waiter, rounds->round, NOW);
}

static void test_a_waiter_that_races_with_the_end_is_woken_or_sees_it(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 64;
    struct rounds rounds = {.cache = cache_with(config), .play = play_new_key};
    run_rounds(&rounds, 4);
    free_and_check(rounds.cache);
}

/* Each round's time is one second later, so that what the round before left has just expired. */
static void play_expired_key(struct rounds *rounds, struct test_waiter *waiter)
{
    claim_and_finish(rounds, waiter, 7, NOW + (int64_t)rounds->round);
}

static void test_of_those_who_claim_an_expired_entry_one_is_elected(void **state)
{
    (void)state;
    struct rounds rounds = {.cache = cache_with(config_wide()), .play = play_expired_key};
    run_rounds(&rounds, 4);
    assert_int_equal(stats_of(rounds.cache).entries, 1);
    free_and_check(rounds.cache);
}

/* Everything at once. */

#define STRESS_THREADS 6
#define STRESS_KEYS 300

struct stress {
    struct cache *cache;
    uint64_t deadline_ns;
    _Atomic int64_t now;
    _Atomic uint64_t num_queued;
    _Atomic uint64_t num_ops;
};

static _Atomic uint64_t stress_woken;

static void free_woken(struct cache_waiter *waiter)
{
    atomic_fetch_add(&stress_woken, 1);
    free(waiter);
}

static void finish_held(struct stress *stress, struct held *held, uint32_t *random)
{
    int64_t now = atomic_load(&stress->now);
    if (held->pending == NULL) {
        return;
    }
    switch (random_next(random) % 8) {
    case 0:
        cache_fail(held->pending, 0);
        break;
    case 1:
        cache_fail(held->pending, now + 1);
        break;
    default:
        cache_publish(held->pending, &value_new(held->n)->value, random_next(random) % 2000,
                      now + random_next(random) % 4);
    }
    held->pending = NULL;
}

static void claim_randomly(struct stress *stress, uint64_t n, uint32_t *random, struct held *held)
{
    struct test_key key;
    struct cache_value *value;
    struct cache_pending *pending;
    struct cache_waiter *waiter = malloc(sizeof(*waiter));
    check(waiter != NULL);
    waiter->wake = free_woken;
    switch (cache_claim(stress->cache, key_number(&key, n), atomic_load(&stress->now), waiter, &value, &pending)) {
    case CACHE_CLAIM_ELECTED:
        atomic_fetch_add(&stress->num_queued, 1);
        finish_held(stress, held, random);
        *held = (struct held){.pending = pending, .n = n};
        break;
    case CACHE_CLAIM_WAITING:
        atomic_fetch_add(&stress->num_queued, 1);
        break;
    case CACHE_CLAIM_HIT:
        check(value_id(value) == n);
        free(waiter);
        break;
    default:
        free(waiter);
    }
}

static bool is_seventh(struct mg_slice key, struct cache_value *value, void *arg)
{
    uint64_t n;
    (void)arg;
    memcpy(&n, key.data, sizeof(n));
    check(value == NULL || value_id(value) == n);
    return n % 7 == 0;
}

static bool check_visit(struct mg_slice key, struct cache_value *value, bool recently_used, void *arg)
{
    (void)recently_used;
    (void)is_seventh(key, value, arg);
    return true;
}

static void do_rarely(struct stress *stress, uint32_t *random)
{
    struct cache_stats stats;
    switch (random_next(random) % 4) {
    case 0:
        cache_remove_if(stress->cache, is_seventh, NULL);
        break;
    case 1:
        cache_for_each(stress->cache, check_visit, NULL);
        break;
    case 2:
        cache_stats(stress->cache, &stats);
        check(stats.entries <= stats.max_entries && stats.bytes <= stats.max_bytes);
        break;
    default:
        atomic_fetch_add(&stress->now, 1);
    }
}

/* write_randomly does what a thread does that did not find |n|. */
static void write_randomly(struct stress *stress, uint64_t n, uint32_t *random, struct held *held)
{
    struct test_key key;
    uint32_t choice = random_next(random) % 64;
    if (choice == 0) {
        do_rarely(stress, random);
    } else if (choice < 4) {
        cache_remove(stress->cache, key_number(&key, n));
    } else if (choice < 32) {
        finish_held(stress, held, random);
    } else {
        claim_randomly(stress, n, random, held);
    }
}

static void stress_run(unsigned number, void *arg)
{
    struct stress *stress = arg;
    uint32_t random = number + 1;
    struct held held = {0};
    struct cache_value *kept = NULL;
    uint64_t num_ops = 0;
    while (mg_clock_monotonic_ns() < stress->deadline_ns) {
        uint64_t n = random_next(&random) % STRESS_KEYS;
        struct test_key key;
        struct cache_value *value;
        if (cache_lookup(stress->cache, key_number(&key, n), atomic_load(&stress->now), &value) == CACHE_HIT) {
            check(value_id(value) == n);
            if (num_ops % 16 == 0) {
                cache_value_up_ref(value);
                if (kept != NULL) {
                    (void)value_id(kept);
                    cache_value_unref(kept);
                }
                kept = value;
            }
        } else {
            write_randomly(stress, n, &random, &held);
        }
        if (++num_ops % 8 == 0) {
            mg_rcu_quiescent();
        }
        if (num_ops % 4096 == 0) {
            mg_rcu_offline();
            sleep_ms(1);
            mg_rcu_online();
        }
    }
    finish_held(stress, &held, &random);
    if (kept != NULL) {
        cache_value_unref(kept);
    }
    atomic_fetch_add(&stress->num_ops, num_ops);
}

static void test_everything_at_once(void **state)
{
    (void)state;
    struct cache_config config = config_wide();
    config.max_entries = 100;
    config.max_bytes = 100000;
    config.max_pending = STRESS_THREADS;
    config.max_waiters = 16;
    struct stress stress = {.cache = cache_with(config), .deadline_ns = deadline_ns(1), .now = NOW};
    run_threads(STRESS_THREADS, stress_run, &stress);
    struct cache_stats stats = stats_of(stress.cache);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.waiters, 0);
    assert_int_equal(stress_woken, stress.num_queued);
    assert_int_equal(stats.hits + stats.misses + stats.pending_hits + stats.negative_hits, stress.num_ops);
    assert_true(stats.evicted > 0 && stats.expired > 0 && stats.removed > 0);
    free_and_check(stress.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_flight_produces_each_key_once_and_wakes_each_waiter_once),
        cmocka_unit_test(test_a_waiter_that_races_with_the_end_is_woken_or_sees_it),
        cmocka_unit_test(test_of_those_who_claim_an_expired_entry_one_is_elected),
        cmocka_unit_test(test_everything_at_once),
    };
    return cmocka_run_group_tests(tests, start_rcu, stop_rcu);
}
