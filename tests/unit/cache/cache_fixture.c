/* SPDX-License-Identifier: Apache-2.0 */
#include "cache_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache/rcu.h"

#define ALIVE UINT64_C(0x616c697665)
#define FREED UINT64_C(0x6672656564)

static _Atomic int num_alive;

int values_alive(void)
{
    return atomic_load(&num_alive);
}

struct test_value *value_new(uint64_t id)
{
    struct test_value *value = calloc(1, sizeof(*value));
    check(value != NULL);
    value->value.references = 1;
    value->id = id;
    value->mark = ALIVE;
    atomic_fetch_add(&num_alive, 1);
    return value;
}

static void value_free(struct cache_value *value)
{
    struct test_value *test_value = (struct test_value *)value;
    check(test_value->mark == ALIVE);
    test_value->mark = FREED;
    free(test_value);
    atomic_fetch_sub(&num_alive, 1);
}

uint64_t value_id(const struct cache_value *value)
{
    const struct test_value *test_value = (const struct test_value *)value;
    check(test_value->mark == ALIVE);
    return test_value->id;
}

static void count_wake(struct cache_waiter *waiter)
{
    struct test_waiter *test_waiter = (struct test_waiter *)waiter;
    if (test_waiter->order != NULL) {
        test_waiter->turn = atomic_fetch_add(test_waiter->order, 1);
    }
    atomic_fetch_add(&test_waiter->num_woken, 1);
}

void waiter_init(struct test_waiter *waiter)
{
    *waiter = (struct test_waiter){.waiter.wake = count_wake};
}

struct mg_slice key_number(struct test_key *storage, uint64_t n)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(storage->words); i++) {
        storage->words[i] = n;
    }
    return mg_slice_of(storage, sizeof(*storage));
}

struct cache_config config_wide(void)
{
    return (struct cache_config){
        .max_entries = 4096,
        .max_bytes = (size_t)1 << 30,
        .max_pending = 4096,
        .max_waiters = 65536,
        .free_value = value_free,
    };
}

struct cache *cache_with(struct cache_config config)
{
    struct cache *cache = NULL;
    assert_int_equal(cache_new(&cache, &config), MG_OK);
    return cache;
}

struct cache_stats stats_of(struct cache *cache)
{
    struct cache_stats stats;
    cache_stats(cache, &stats);
    return stats;
}

struct cache_pending *claim(struct cache *cache, uint64_t n, int64_t now)
{
    struct test_key key;
    struct cache_value *value;
    struct cache_pending *pending = NULL;
    assert_int_equal(cache_claim(cache, key_number(&key, n), now, NULL, &value, &pending), CACHE_CLAIM_ELECTED);
    return pending;
}

void fill(struct cache *cache, uint64_t n, size_t bytes, int64_t now, int64_t expires)
{
    cache_publish(claim(cache, n, now), &value_new(n)->value, bytes, expires);
}

enum cache_lookup_result lookup(struct cache *cache, uint64_t n, int64_t now)
{
    struct test_key key;
    struct cache_value *value;
    enum cache_lookup_result result = cache_lookup(cache, key_number(&key, n), now, &value);
    if (result == CACHE_HIT) {
        assert_int_equal(value_id(value), n);
    }
    return result;
}

void free_and_check(struct cache *cache)
{
    cache_free(cache);
    assert_int_equal(values_alive(), 0);
}

static void *thread_main(void *arg)
{
    struct test_thread *thread = arg;
    check((thread->number % 2 == 0 ? mg_rcu_thread_start() : mg_rcu_thread_start_poll_mode()) == MG_OK);
    thread->run(thread->number, thread->arg);
    mg_rcu_thread_stop();
    return NULL;
}

void thread_start(struct test_thread *thread, unsigned number, void (*run)(unsigned number, void *arg), void *arg)
{
    *thread = (struct test_thread){.number = number, .run = run, .arg = arg};
    assert_int_equal(pthread_create(&thread->id, NULL, thread_main, thread), 0);
}

void thread_join(struct test_thread *thread)
{
    mg_rcu_offline();
    pthread_join(thread->id, NULL);
    mg_rcu_online();
}

void run_threads(unsigned num, void (*run)(unsigned number, void *arg), void *arg)
{
    struct test_thread *threads = calloc(num, sizeof(*threads));
    assert_non_null(threads);
    for (unsigned i = 0; i < num; i++) {
        thread_start(&threads[i], i, run, arg);
    }
    for (unsigned i = 0; i < num; i++) {
        thread_join(&threads[i]);
    }
    free(threads);
}

void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
    abort();
}

void sleep_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

double test_seconds(void)
{
    const char *text = getenv("MINTGATE_TEST_SECONDS");
    double seconds = text == NULL ? 2 : strtod(text, NULL);
    return seconds > 0 ? seconds : 2;
}

int start_rcu(void **state)
{
    (void)state;
    return mg_rcu_thread_start() == MG_OK ? 0 : -1;
}

int stop_rcu(void **state)
{
    (void)state;
    mg_rcu_thread_stop();
    return 0;
}
