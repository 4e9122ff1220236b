/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/subcommands.h"

#define ZIPF 1000 /* bench/probes/cache.c */
#define NUM_SIZES 4

static const struct {
    const char *entries, *title;
    bool has_keys; /* its ratios are the ones with aims */
} sizes[NUM_SIZES] = {
    {"1000", "1,000 entries", false},
    {"10000", "10,000 entries", false},
    {"100000", "100,000 entries", true},
    {"1000000", "1,000,000 entries", false},
};

static const struct {
    unsigned long parameter;
    const char *title;
} mixes[] = {{ZIPF + 100, "Zipf, all found"}, {100, "even, all found"}, {ZIPF + 50, "Zipf, half found"}};

static enum mg_status measure_lookups(struct bench *bench, struct helper *helper, size_t size, size_t mix,
                                      struct mg_error *error)
{
    char title[BENCH_MAX_TITLE + 1];
    unsigned long parameter = mixes[mix].parameter;
    bool has_key = sizes[size].has_keys && mix == 0;
    const struct bench_row rows[] = {
        {.name = "liburcu's table alone, same hash and keys",
         .role = BENCH_LIMIT,
         .helper = helper,
         .probe = "table",
         .num_threads = 1,
         .parameter = parameter},
        {.name = "cache_lookup",
         .key = has_key ? "cache_vs_lfht" : NULL,
         .role = BENCH_OURS,
         .helper = helper,
         .probe = "cache",
         .num_threads = 1,
         .parameter = parameter,
         .aim = 0.8},
        {.name = "a table behind a mutex, one thread",
         .role = BENCH_BASELINE,
         .helper = helper,
         .probe = "mutex",
         .num_threads = 1,
         .parameter = parameter},
        {.name = "a table behind a mutex, two threads",
         .role = BENCH_BASELINE,
         .value = BENCH_PER_SECOND,
         .helper = helper,
         .probe = "mutex",
         .num_threads = 2,
         .parameter = parameter},
    };
    snprintf(title, sizeof(title), "cache: %s, %s", sizes[size].title, mixes[mix].title);
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

/* measure_company has what others cost a reader: a second one, and a thread that inserts and evicts. */
static enum mg_status measure_company(struct bench *bench, struct helper *helper, size_t size, struct mg_error *error)
{
    char title[BENCH_MAX_TITLE + 1];
    const struct bench_row rows[] = {
        {.name = "one reader alone",
         .role = BENCH_LIMIT,
         .helper = helper,
         .probe = "cache",
         .num_threads = 1,
         .parameter = mixes[0].parameter},
        {.name = "two readers",
         .key = sizes[size].has_keys ? "cache_two_threads_vs_one" : NULL,
         .role = BENCH_OURS,
         .value = BENCH_PER_SECOND,
         .helper = helper,
         .probe = "cache",
         .num_threads = 2,
         .parameter = mixes[0].parameter,
         .aim = 1.8},
        {.name = "one reader, and a writer that evicts",
         .key = sizes[size].has_keys ? "cache_reader_slowdown" : NULL,
         .role = BENCH_OURS,
         .helper = helper,
         .probe = "disturbed",
         .num_threads = 1,
         .parameter = mixes[0].parameter,
         .aim = 0.9},
    };
    snprintf(title, sizeof(title), "cache: %s, in company", sizes[size].title);
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

enum mg_status subcommand_cache(struct bench *bench, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < NUM_SIZES; i++) {
        struct helper helper;
        status = helper_start(&helper, "mintgate-bench-cache", (const char *[]){sizes[i].entries, NULL}, error);
        for (size_t mix = 0; status == MG_OK && mix < MG_ARRAY_LEN(mixes); mix++) {
            status = measure_lookups(bench, &helper, i, mix, error);
        }
        if (status == MG_OK) {
            status = measure_company(bench, &helper, i, error);
        }
        helper_stop(&helper);
    }
    return status;
}
