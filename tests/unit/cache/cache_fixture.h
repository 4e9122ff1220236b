/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the cache share: values that know what they are and are counted, keys from numbers, waiters that
 * count, threads registered with RCU. Any thread may call everything here. */
#ifndef MINTGATE_TESTS_UNIT_CACHE_FIXTURE_H
#define MINTGATE_TESTS_UNIT_CACHE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <pthread.h>

#include "cache/cache.h"

/* A value: |id| is what it was made for. A freed one has another |mark|, should somebody look. */
struct test_value {
    struct cache_value value;
    uint64_t id;
    uint64_t mark;
};

/* values_alive returns how many values have been made and not freed yet. */
int values_alive(void);
struct test_value *value_new(uint64_t id);
/* value_id returns |id|, having checked that |value| is alive. */
uint64_t value_id(const struct cache_value *value);

struct test_waiter {
    struct cache_waiter waiter;
    _Atomic int num_woken;
    _Atomic int *order; /* counted up at each wake and kept in |turn|, unless NULL */
    int turn;
};
void waiter_init(struct test_waiter *waiter);

struct test_key {
    uint64_t words[4];
};
/* key_number writes a key of 32 bytes that says |n| into |storage|. */
struct mg_slice key_number(struct test_key *storage, uint64_t n);

/* config_wide returns bounds that no test reaches by accident. */
struct cache_config config_wide(void);
struct cache *cache_with(struct cache_config config);
struct cache_stats stats_of(struct cache *cache);

/* claim elects the caller for key |n| at |now|, which must work. */
struct cache_pending *claim(struct cache *cache, uint64_t n, int64_t now);
/* fill makes value |n| the value of key |n|, which must be missing at |now|. */
void fill(struct cache *cache, uint64_t n, size_t bytes, int64_t now, int64_t expires);
enum cache_lookup_result lookup(struct cache *cache, uint64_t n, int64_t now);

/* free_and_check frees |cache| and checks that no value is left. */
void free_and_check(struct cache *cache);

/* A thread that is registered with RCU while it runs |run|; every other one as a worker is. It must not use cmocka's
 * assertions. */
struct test_thread {
    pthread_t id;
    unsigned number;
    void (*run)(unsigned number, void *arg);
    void *arg;
};
void thread_start(struct test_thread *thread, unsigned number, void (*run)(unsigned number, void *arg), void *arg);
/* thread_join waits, offline, for the thread's end. */
void thread_join(struct test_thread *thread);
/* run_threads runs |num| of them, numbered from 0, to their ends. */
void run_threads(unsigned num, void (*run)(unsigned number, void *arg), void *arg);

/* check is the assertion for all threads. */
#define check(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            check_failed(__FILE__, __LINE__, #condition);                                                              \
        }                                                                                                              \
    } while (0)
_Noreturn void check_failed(const char *file, int line, const char *condition);

void sleep_ms(unsigned ms); /* as the caller is: online, if it is */

/* test_seconds returns how long a stress test lasts: MINTGATE_TEST_SECONDS, or 2. */
double test_seconds(void);

/* Group setup and teardown: the main thread is registered with RCU. */
int start_rcu(void **state);
int stop_rcu(void **state);

#endif
