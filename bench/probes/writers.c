/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/probes/writers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/rcu.h"

#define INSERTS_A_TURN 8
#define PAUSE_US 100 /* between turns */
#define SWAP_INSERTS_A_TURN 64

static pthread_t thread;
static _Atomic bool is_over;
static size_t num_entries;
static enum writer_task current;

/* WRITER_SWAPS: it goes on where it was stopped. */
static struct cache *swapped;
static _Atomic uint8_t generation;
static size_t num_ahead; /* entries of the next generation that are there */

static void insert_some(void)
{
    static uint64_t next = UINT64_MAX / 4;
    for (size_t i = 0; i < INSERTS_A_TURN; i++) {
        struct tables_key key = tables_key_of(0, next++);
        if (current == WRITER_INSERTS) {
            tables_insert(tables_cache(), &key);
        } else {
            tables_churn_lfht(&key);
        }
    }
}

static bool is_of_generation(struct mg_slice key, struct cache_value *value, void *arg)
{
    (void)value;
    return key.data[0] == *(const uint8_t *)arg;
}

static void swap_some(void)
{
    uint8_t now = generation, next = (uint8_t)(now + 1);
    for (size_t i = 0; i < SWAP_INSERTS_A_TURN && num_ahead < num_entries; i++) {
        struct tables_key key = tables_key_of(next, num_ahead++);
        tables_insert(swapped, &key);
    }
    if (num_ahead == num_entries) {
        generation = next;
        num_ahead = 0;
        (void)cache_remove_if(swapped, is_of_generation, &now);
    }
}

static void *write_on(void *arg)
{
    (void)arg;
    if (mg_rcu_thread_start() != MG_OK) {
        abort();
    }
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        if (current == WRITER_SWAPS) {
            swap_some();
        } else {
            insert_some();
        }
        mg_rcu_offline();
        usleep(PAUSE_US);
        mg_rcu_online();
    }
    mg_rcu_thread_stop();
    return NULL;
}

/* fill_swapped makes the cache of WRITER_SWAPS the first time that it is needed. */
static void fill_swapped(void)
{
    if (swapped != NULL) {
        return;
    }
    swapped = tables_cache_new(2 * num_entries);
    for (size_t i = 0; i < num_entries; i++) {
        struct tables_key key = tables_key_of(generation, i);
        tables_insert(swapped, &key);
        mg_rcu_quiescent();
    }
}

void writers_start(enum writer_task task, size_t entries)
{
    num_entries = entries;
    current = task;
    is_over = false;
    if (task == WRITER_SWAPS) {
        fill_swapped();
    }
    if (pthread_create(&thread, NULL, write_on, NULL) != 0) {
        fprintf(stderr, "mintgate-bench-cache: cannot start the writer\n");
        exit(1);
    }
}

void writers_stop(void)
{
    is_over = true;
    mg_rcu_offline();
    pthread_join(thread, NULL);
    mg_rcu_online();
    if (current == WRITER_INSERTS) {
        tables_refill();
    }
}

bool writers_find_swapped(struct tables_key *key)
{
    key->bytes[0] = atomic_load_explicit(&generation, memory_order_acquire);
    return tables_find_in(swapped, key);
}
