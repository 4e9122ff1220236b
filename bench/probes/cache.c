/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-cache ENTRIES: for mintgate-bench, lookups in the tables of bench/probes/tables.h, which hold so many
 * entries, alone and beside others.
 *
 * The parameter of a probe is the percentage of lookups that find something, and 1000 more for a Zipf distribution
 * (exponent 1) of what is looked up instead of an even one. What is asked for is drawn before the clock starts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/probe.h"
#include "bench/probes/writers.h"
#include "bench/split_mix.h"
#include "bench/zipf.h"
#include "cache/rcu.h"

#define MAX_ENTRIES (1 << 22)
#define NUM_DRAWS (1 << 16)
#define LOOKUPS_A_STEP 256
#define SLACK 4096 /* entries that the writer's come and go in */
#define ZIPF 1000

static size_t num_entries;
static struct zipf popularity; /* of |num_entries| */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-cache: %s\n", what);
    exit(1);
}

/* ---- what is looked up ---- */

struct reader {
    struct tables_key draws[NUM_DRAWS];
    size_t next;
    bool is_first; /* of the probe's threads */
};

/* rank_of draws a rank below num_entries. */
static size_t rank_of(uint64_t *random, bool is_zipf)
{
    return is_zipf ? zipf_draw(&popularity, random) : split_mix_next(random) % num_entries;
}

static void *reader_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    struct reader *reader = calloc(1, sizeof(*reader));
    uint64_t state = thread + 1;
    (void)num_threads;
    if (reader == NULL || mg_rcu_thread_start_poll_mode() != MG_OK) {
        die("cannot begin");
    }
    reader->is_first = thread == 0;
    for (size_t i = 0; i < NUM_DRAWS; i++) {
        /* The frequent ones lie anywhere in memory. */
        uint64_t number = rank_of(&state, parameter >= ZIPF) * UINT64_C(2654435761) % num_entries;
        bool is_there = split_mix_next(&state) % 100 < parameter % ZIPF;
        reader->draws[i] = tables_key_of(0, is_there ? number : UINT64_MAX / 2 + number);
        mg_rcu_quiescent();
    }
    return reader;
}

static void reader_teardown(void *state)
{
    mg_rcu_thread_stop();
    free(state);
}

static inline struct tables_key *next_draw(struct reader *reader)
{
    return &reader->draws[reader->next++ % NUM_DRAWS];
}

static _Thread_local volatile size_t num_found; /* so that no lookup is left out */

static size_t look_up(struct reader *reader, bool (*find)(const struct tables_key *key))
{
    for (size_t i = 0; i < LOOKUPS_A_STEP; i++) {
        num_found = num_found + find(next_draw(reader));
    }
    mg_rcu_quiescent();
    return LOOKUPS_A_STEP;
}

/* look_up_one is look_up where each lookup is timed. */
static size_t look_up_one(struct reader *reader, bool (*find)(const struct tables_key *key))
{
    if (reader->next % LOOKUPS_A_STEP == 0) {
        mg_rcu_quiescent();
    }
    num_found = num_found + find(next_draw(reader));
    return 1;
}

static size_t cache_step(void *state)
{
    return look_up(state, tables_find_in_cache);
}

static size_t lfht_step(void *state)
{
    return look_up(state, tables_find_in_lfht);
}

static size_t mutex_step(void *state)
{
    return look_up(state, tables_find_behind_mutex);
}

static size_t swapped_step(void *state)
{
    for (size_t i = 0; i < LOOKUPS_A_STEP; i++) {
        num_found = num_found + writers_find_swapped(next_draw(state));
    }
    mg_rcu_quiescent();
    return LOOKUPS_A_STEP;
}

static bool find_nothing(const struct tables_key *key)
{
    return key->bytes[0] != 0;
}

static size_t no_step_timed(void *state)
{
    return look_up_one(state, find_nothing);
}

static size_t cache_step_timed(void *state)
{
    return look_up_one(state, tables_find_in_cache);
}

static size_t lfht_step_timed(void *state)
{
    return look_up_one(state, tables_find_in_lfht);
}

static size_t mutex_step_timed(void *state)
{
    return look_up_one(state, tables_find_behind_mutex);
}

static size_t swapped_step_timed(void *state)
{
    struct reader *reader = state;
    if (reader->next % LOOKUPS_A_STEP == 0) {
        mg_rcu_quiescent();
    }
    num_found = num_found + writers_find_swapped(next_draw(reader));
    return 1;
}

/* ---- the same while another thread writes ---- */

static void *beside_setup(unsigned thread, unsigned num_threads, unsigned long parameter, enum writer_task task)
{
    struct reader *reader = reader_setup(thread, num_threads, parameter);
    if (reader->is_first) {
        writers_start(task, num_entries);
    }
    return reader;
}

static void *inserts_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    return beside_setup(thread, num_threads, parameter, WRITER_INSERTS);
}

static void *churns_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    return beside_setup(thread, num_threads, parameter, WRITER_CHURNS);
}

static void *swaps_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    return beside_setup(thread, num_threads, parameter, WRITER_SWAPS);
}

static void beside_teardown(void *state)
{
    const struct reader *reader = state;
    if (reader->is_first) {
        writers_stop();
    }
    reader_teardown(state);
}

#define READER(probe_name, probe_step)                                                                                 \
    .name = (probe_name), .setup = reader_setup, .step = (probe_step), .teardown = reader_teardown
#define BESIDE(probe_name, probe_setup, probe_step)                                                                    \
    .name = (probe_name), .setup = (probe_setup), .step = (probe_step), .teardown = beside_teardown

static const struct probe probes[] = {
    {READER("lfht", lfht_step)},
    {READER("cache", cache_step)},
    {READER("mutex", mutex_step)},
    {BESIDE("cache-inserts", inserts_setup, cache_step)},
    {BESIDE("lfht-churns", churns_setup, lfht_step)},
    {BESIDE("cache-swaps", swaps_setup, swapped_step)},
    {READER("clock-timed", no_step_timed), .times_steps = true},
    {READER("lfht-timed", lfht_step_timed), .times_steps = true},
    {READER("cache-timed", cache_step_timed), .times_steps = true},
    {READER("mutex-timed", mutex_step_timed), .times_steps = true},
    {BESIDE("cache-inserts-timed", inserts_setup, cache_step_timed), .times_steps = true},
    {BESIDE("cache-swaps-timed", swaps_setup, swapped_step_timed), .times_steps = true},
};

int main(int argc, char **argv)
{
    if (argc != 2 || sscanf(argv[1], "%zu", &num_entries) != 1 || num_entries == 0 || num_entries > MAX_ENTRIES) {
        fprintf(stderr, "usage: mintgate-bench-cache ENTRIES\nA helper of mintgate-bench, which starts it.\n");
        return 2;
    }
    if (mg_rcu_thread_start() != MG_OK) {
        die("cannot begin");
    }
    zipf_init(&popularity, num_entries, 1);
    tables_fill(num_entries, SLACK);
    mg_rcu_offline();
    int status = probe_serve(&(struct probe_helper){.probes = probes, .num_probes = MG_ARRAY_LEN(probes)});
    mg_rcu_online();
    tables_free();
    mg_rcu_thread_stop();
    return status;
}
