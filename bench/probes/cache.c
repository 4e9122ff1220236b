/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-cache ENTRIES: for mintgate-bench, lookups in a cache that holds so many entries; in liburcu's hash
 * table by itself with the same hash, keys and comparison; and in a table behind a mutex.
 *
 * The parameter of a probe is the percentage of lookups that find something, and 1000 more for a Zipf distribution
 * (exponent 1) of what is looked up instead of an even one. What is asked for is drawn before the clock starts.
 */
#define _LGPL_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

#include "base/siphash.h"
#include "bench/probe.h"
#include "bench/split_mix.h"
#include "cache/cache.h"
#include "cache/rcu.h"

#define KEY_LEN 48 /* a generation, a fingerprint and a key type */
#define MAX_ENTRIES (1 << 22)
#define NUM_DRAWS (1 << 16)
#define LOOKUPS_A_STEP 256
#define VALUE_BYTES 512
#define WRITER_SLACK 4096   /* entries that the writer's come and go in */
#define WRITER_PAUSE_US 100 /* between eight inserts: about as fast as a core mints */
#define NOW 1000
#define NEVER 2000000000

static size_t num_entries;
static struct mg_siphash_key hash_key;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-cache: %s\n", what);
    exit(1);
}

struct key {
    uint8_t bytes[KEY_LEN];
};

/* key_of makes the key with |number|, spread as a fingerprint is. */
static struct key key_of(uint64_t number)
{
    struct key key = {{1}};
    for (size_t i = 8; i < KEY_LEN; i += sizeof(uint64_t)) {
        uint64_t word = split_mix_next(&number);
        memcpy(key.bytes + i, &word, sizeof(word));
    }
    return key;
}

static unsigned long hash_of(const struct key *key)
{
    return mg_siphash(&hash_key, key->bytes, KEY_LEN);
}

/* ---- the cache ---- */

struct value {
    struct cache_value base;
    uint8_t content[VALUE_BYTES];
};

static struct cache *cache;

static void free_value(struct cache_value *value)
{
    free((struct value *)value);
}

static void insert(uint64_t number)
{
    struct key key = key_of(number);
    struct cache_value *found;
    struct cache_pending *pending;
    struct value *value = calloc(1, sizeof(*value));
    if (value == NULL ||
        cache_claim(cache, mg_slice_of(key.bytes, KEY_LEN), NOW, NULL, &found, &pending) != CACHE_CLAIM_ELECTED) {
        free(value); /* the writer is ahead of the grace periods */
        return;
    }
    value->base.references = 1;
    cache_publish(pending, &value->base, sizeof(*value), NEVER);
}

static bool find_in_cache(const struct key *key)
{
    struct cache_value *value;
    return cache_lookup(cache, mg_slice_of(key->bytes, KEY_LEN), NOW, &value) == CACHE_HIT;
}

/* ---- liburcu's table by itself: nodes and values each of an allocation of its own, as in any cache ---- */

struct node {
    struct cds_lfht_node node;
    struct key key;
    struct value *value;
};

static struct cds_lfht *table;

static int node_matches(struct cds_lfht_node *node, const void *key)
{
    return memcmp(MG_CONTAINER_OF(node, struct node, node)->key.bytes, key, KEY_LEN) == 0;
}

static bool find_in_table(const struct key *key)
{
    struct cds_lfht_iter iter;
    cds_lfht_lookup(table, hash_of(key), node_matches, key->bytes, &iter);
    return cds_lfht_iter_get_node(&iter) != NULL;
}

/* ---- a table behind a mutex: chains of the same nodes ---- */

struct link {
    struct link *next;
    struct key key;
    struct value *value;
};

static struct link **chains;
static size_t num_chains;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static bool find_behind_mutex(const struct key *key)
{
    pthread_mutex_lock(&mutex);
    const struct link *link = chains[hash_of(key) & (num_chains - 1)];
    while (link != NULL && memcmp(link->key.bytes, key->bytes, KEY_LEN) != 0) {
        link = link->next;
    }
    pthread_mutex_unlock(&mutex);
    return link != NULL;
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        die("no memory");
    }
    return memory;
}

static void add_node(uint64_t number)
{
    struct node *node = allocate(sizeof(*node));
    node->key = key_of(number);
    node->value = allocate(sizeof(*node->value));
    cds_lfht_node_init(&node->node);
    cds_lfht_add(table, hash_of(&node->key), &node->node);
}

static void add_link(uint64_t number)
{
    struct link *link = allocate(sizeof(*link));
    link->key = key_of(number);
    link->value = allocate(sizeof(*link->value));
    struct link **chain = &chains[hash_of(&link->key) & (num_chains - 1)];
    link->next = *chain;
    *chain = link;
}

static void fill(void)
{
    for (num_chains = 1; num_chains < num_entries; num_chains *= 2) {
    }
    const struct cache_config config = {.max_entries = num_entries + WRITER_SLACK,
                                        .max_bytes = (num_entries + WRITER_SLACK) * 4096,
                                        .max_pending = 16,
                                        .max_waiters = 16,
                                        .free_value = free_value};
    chains = calloc(num_chains, sizeof(struct link *));
    table = mg_rcu_table_new(num_chains);
    if (chains == NULL || table == NULL || cache_new(&cache, &config) != MG_OK) {
        die("no memory");
    }
    for (size_t i = 0; i < num_entries; i++) {
        insert(i);
        add_node(i);
        add_link(i);
        mg_rcu_quiescent();
    }
}

/* ---- what is looked up ---- */

struct reader {
    struct key draws[NUM_DRAWS];
    size_t next;
};

/* rank_of draws a rank below num_entries: by the inverse of a Zipf distribution's continuous form, or evenly. */
static size_t rank_of(uint64_t random, bool is_zipf)
{
    if (!is_zipf) {
        return random % num_entries;
    }
    double share = (double)(random >> 11) / (double)(UINT64_C(1) << 53);
    return (size_t)pow((double)num_entries, share) - 1;
}

static void *reader_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    uint64_t state = thread + 1;
    (void)num_threads;
    if (reader == NULL || mg_rcu_thread_start_poll_mode() != MG_OK) {
        die("cannot begin");
    }
    for (size_t i = 0; i < NUM_DRAWS; i++) {
        /* The frequent ones lie anywhere in memory. */
        uint64_t number = rank_of(split_mix_next(&state), parameter >= 1000) * UINT64_C(2654435761) % num_entries;
        bool is_there = split_mix_next(&state) % 100 < parameter % 1000;
        reader->draws[i] = key_of(is_there ? number : UINT64_MAX / 2 + number);
    }
    return reader;
}

static void reader_teardown(void *state)
{
    mg_rcu_thread_stop();
    free(state);
}

static size_t look_up(struct reader *reader, bool (*find)(const struct key *key))
{
    static _Thread_local volatile size_t num_found;
    for (size_t i = 0; i < LOOKUPS_A_STEP; i++) {
        num_found = num_found + find(&reader->draws[reader->next++ % NUM_DRAWS]);
    }
    mg_rcu_quiescent();
    return LOOKUPS_A_STEP;
}

static size_t cache_step(void *state)
{
    return look_up(state, find_in_cache);
}

static size_t table_step(void *state)
{
    return look_up(state, find_in_table);
}

static size_t mutex_step(void *state)
{
    return look_up(state, find_behind_mutex);
}

/* ---- the same while another thread inserts, and evicts what it inserted before ---- */

static _Atomic bool writer_is_over;
static pthread_t writer;

static void *write_on(void *arg)
{
    static uint64_t next = UINT64_MAX / 4;
    (void)arg;
    if (mg_rcu_thread_start() != MG_OK) {
        die("cannot begin");
    }
    while (!atomic_load_explicit(&writer_is_over, memory_order_relaxed)) {
        for (size_t i = 0; i < 8; i++) {
            insert(next++);
        }
        mg_rcu_offline();
        usleep(WRITER_PAUSE_US);
        mg_rcu_online();
    }
    mg_rcu_thread_stop();
    return NULL;
}

static void *disturbed_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    if (thread == 0) {
        writer_is_over = false;
        if (pthread_create(&writer, NULL, write_on, NULL) != 0) {
            die("cannot start the writer");
        }
    }
    return reader_setup(thread, num_threads, parameter);
}

static void disturbed_teardown(void *state)
{
    reader_teardown(state);
    if (!atomic_exchange(&writer_is_over, true)) {
        pthread_join(writer, NULL);
    }
}

static const struct probe probes[] = {
    {.name = "table", .setup = reader_setup, .step = table_step, .teardown = reader_teardown},
    {.name = "cache", .setup = reader_setup, .step = cache_step, .teardown = reader_teardown},
    {.name = "mutex", .setup = reader_setup, .step = mutex_step, .teardown = reader_teardown},
    {.name = "disturbed", .setup = disturbed_setup, .step = cache_step, .teardown = disturbed_teardown},
};

int main(int argc, char **argv)
{
    if (argc != 2 || sscanf(argv[1], "%zu", &num_entries) != 1 || num_entries == 0 || num_entries > MAX_ENTRIES) {
        fprintf(stderr, "usage: mintgate-bench-cache ENTRIES\nA helper of mintgate-bench, which starts it.\n");
        return 2;
    }
    mg_siphash_key_random(&hash_key);
    if (mg_rcu_thread_start() != MG_OK) {
        die("cannot begin");
    }
    fill();
    mg_rcu_offline();
    int status = probe_serve(&(struct probe_helper){.probes = probes, .num_probes = MG_ARRAY_LEN(probes)});
    mg_rcu_online();
    cache_free(cache);
    mg_rcu_thread_stop();
    return status; /* the tables by themselves go with the process */
}
