/* SPDX-License-Identifier: Apache-2.0 */
#define _LGPL_SOURCE
#include "bench/probes/tables.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

#include "base/siphash.h"
#include "bench/split_mix.h"
#include "cache/rcu.h"

#define VALUE_BYTES 512
#define MAX_BYTES_PER_ENTRY 4096
#define NEVER 2000000000

struct value {
    struct cache_value base;
    uint8_t content[VALUE_BYTES];
};

struct node {
    struct cds_lfht_node node;
    struct tables_key key;
    struct value *value;
    struct mg_rcu_head retired;
};

struct link {
    struct link *next;
    struct tables_key key;
    struct value *value;
};

static size_t num_entries;
static struct mg_siphash_key hash_key;
static struct cache *cache;
static struct cds_lfht *table;
static struct link **chains;
static size_t num_chains;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* What tables_churn_lfht has added, in a ring. */
static struct node **churned;
static size_t num_churned, max_churned;

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fprintf(stderr, "mintgate-bench-cache: no memory\n");
        exit(1);
    }
    return memory;
}

struct tables_key tables_key_of(uint8_t generation, uint64_t number)
{
    struct tables_key key = {{generation}};
    for (size_t i = 8; i < TABLES_KEY_LEN; i += sizeof(uint64_t)) {
        uint64_t word = split_mix_next(&number);
        memcpy(key.bytes + i, &word, sizeof(word));
    }
    return key;
}

static unsigned long hash_of(const struct tables_key *key)
{
    return mg_siphash(&hash_key, key->bytes, TABLES_KEY_LEN);
}

/* ---- the cache ---- */

static void free_value(struct cache_value *value)
{
    free((struct value *)value);
}

struct cache *tables_cache_new(size_t max_entries)
{
    struct cache *out;
    const struct cache_config config = {.max_entries = max_entries,
                                        .max_bytes = max_entries * MAX_BYTES_PER_ENTRY,
                                        .max_pending = 16,
                                        .max_waiters = 16,
                                        .free_value = free_value};
    if (cache_new(&out, &config) != MG_OK) {
        fprintf(stderr, "mintgate-bench-cache: no memory for a cache\n");
        exit(1);
    }
    return out;
}

void tables_insert(struct cache *into, const struct tables_key *key)
{
    struct cache_value *found;
    struct cache_pending *pending;
    if (cache_claim(into, mg_slice_of(key->bytes, TABLES_KEY_LEN), TABLES_NOW, NULL, &found, &pending) !=
        CACHE_CLAIM_ELECTED) {
        return;
    }
    struct value *value = allocate(sizeof(*value));
    value->base.references = 1;
    cache_publish(pending, &value->base, sizeof(*value), NEVER);
}

bool tables_find_in(struct cache *in, const struct tables_key *key)
{
    struct cache_value *value;
    return cache_lookup(in, mg_slice_of(key->bytes, TABLES_KEY_LEN), TABLES_NOW, &value) == CACHE_HIT;
}

bool tables_find_in_cache(const struct tables_key *key)
{
    return tables_find_in(cache, key);
}

void tables_refill(void)
{
    for (size_t i = 0; i < num_entries; i++) {
        struct tables_key key = tables_key_of(0, i);
        tables_insert(cache, &key);
        mg_rcu_quiescent();
    }
}

struct cache *tables_cache(void)
{
    return cache;
}

/* ---- liburcu's table ---- */

static int node_matches(struct cds_lfht_node *node, const void *key)
{
    return memcmp(MG_CONTAINER_OF(node, struct node, node)->key.bytes, key, TABLES_KEY_LEN) == 0;
}

bool tables_find_in_lfht(const struct tables_key *key)
{
    struct cds_lfht_iter iter;
    cds_lfht_lookup(table, hash_of(key), node_matches, key->bytes, &iter);
    return cds_lfht_iter_get_node(&iter) != NULL;
}

static struct node *add_node(const struct tables_key *key)
{
    struct node *node = allocate(sizeof(*node));
    node->key = *key;
    node->value = allocate(sizeof(*node->value));
    cds_lfht_node_init(&node->node);
    cds_lfht_add(table, hash_of(key), &node->node);
    return node;
}

static void free_node(struct mg_rcu_head *head)
{
    struct node *node = MG_CONTAINER_OF(head, struct node, retired);
    free(node->value);
    free(node);
}

void tables_churn_lfht(const struct tables_key *key)
{
    struct node **place = &churned[num_churned++ % max_churned];
    if (*place != NULL) {
        cds_lfht_del(table, &(*place)->node);
        mg_rcu_defer(&(*place)->retired, free_node);
    }
    *place = add_node(key);
}

/* ---- chains behind a mutex ---- */

bool tables_find_behind_mutex(const struct tables_key *key)
{
    pthread_mutex_lock(&mutex);
    const struct link *link = chains[hash_of(key) & (num_chains - 1)];
    while (link != NULL && memcmp(link->key.bytes, key->bytes, TABLES_KEY_LEN) != 0) {
        link = link->next;
    }
    pthread_mutex_unlock(&mutex);
    return link != NULL;
}

static void add_link(const struct tables_key *key)
{
    struct link *link = allocate(sizeof(*link));
    link->key = *key;
    link->value = allocate(sizeof(*link->value));
    struct link **chain = &chains[hash_of(key) & (num_chains - 1)];
    link->next = *chain;
    *chain = link;
}

void tables_fill(size_t entries, size_t slack)
{
    num_entries = entries;
    max_churned = slack;
    for (num_chains = 1; num_chains < num_entries; num_chains *= 2) {
    }
    mg_siphash_key_random(&hash_key);
    chains = allocate(num_chains * sizeof(struct link *));
    churned = allocate(slack * sizeof(struct node *));
    table = mg_rcu_table_new(num_chains);
    cache = tables_cache_new(num_entries + slack);
    for (size_t i = 0; i < num_entries; i++) {
        struct tables_key key = tables_key_of(0, i);
        tables_insert(cache, &key);
        (void)add_node(&key);
        add_link(&key);
        mg_rcu_quiescent();
    }
}

void tables_free(void)
{
    cache_free(cache); /* the others go with the process */
}
