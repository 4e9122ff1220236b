/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/subcommands.h"

#include <string.h>

#include "bench/machine.h"

/* The parameter of bench/probes/cache.c: percent found, by a Zipf distribution or evenly. */
#define ZIPF(percent) (1000 + (percent))
#define EVEN(percent) (percent)

#define KEYED_SIZE 100000 /* the one whose ratios have aims */
#define MAX_READERS 8

static const struct {
    unsigned long entries;
    const char *words, *title;
    bool is_quick; /* measured by --quick too */
} sizes[] = {
    {1000, "1000", "1,000 entries", true},
    {10000, "10000", "10,000 entries", false},
    {KEYED_SIZE, "100000", "100,000 entries", true},
    {1000000, "1000000", "1,000,000 entries", true},
};

static const struct {
    unsigned long parameter;
    const char *title;
    bool is_quick;
} mixes[] = {
    {ZIPF(100), "Zipf, all found", true},  {ZIPF(90), "Zipf, 90 % found", false}, {ZIPF(75), "Zipf, 75 % found", false},
    {ZIPF(50), "Zipf, half found", true},  {EVEN(100), "even, all found", true},  {EVEN(90), "even, 90 % found", false},
    {EVEN(75), "even, 75 % found", false}, {EVEN(50), "even, half found", true},
};

static enum mg_status measure_lookups(struct bench *bench, struct helper *helper, size_t size, size_t mix,
                                      struct mg_error *error)
{
    char title[BENCH_MAX_TITLE + 1];
    unsigned long parameter = mixes[mix].parameter, entries = sizes[size].entries;
    bool has_key = entries == KEYED_SIZE && mix == 0;
    const struct bench_row rows[] = {
        {.name = "liburcu's table alone, same hash and keys",
         .role = BENCH_LIMIT,
         .helper = helper,
         .probe = "lfht",
         .num_threads = 1,
         .parameter = parameter,
         .size = entries},
        {.name = "cache_lookup",
         .key = has_key ? "cache_vs_lfht" : NULL,
         .role = BENCH_OURS,
         .helper = helper,
         .probe = "cache",
         .num_threads = 1,
         .parameter = parameter,
         .size = entries,
         .aim = 0.8},
        {.name = "a table behind a mutex",
         .role = BENCH_BASELINE,
         .helper = helper,
         .probe = "mutex",
         .num_threads = 1,
         .parameter = parameter,
         .size = entries},
    };
    snprintf(title, sizeof(title), "cache: %s, %s", sizes[size].title, mixes[mix].title);
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

/* What is looked up in by ever more threads. */
static const struct {
    const char *name, *probe;
    const char *two_key; /* of the ratio of two threads to one */
    enum bench_role role;
    double two_aim;
} shared[] = {
    {"cache_lookup", "cache", "cache_two_threads_vs_one", BENCH_OURS, 1.8},
    {"liburcu's table", "lfht", "lfht_two_threads_vs_one", BENCH_LIMIT, 0},
    {"a table behind a mutex", "mutex", NULL, BENCH_BASELINE, 0},
};

static unsigned num_readers(void)
{
    struct bench_machine machine;
    bench_machine_look(&machine);
    return machine.num_cpus < 2 ? 2 : machine.num_cpus > MAX_READERS ? MAX_READERS : (unsigned)machine.num_cpus;
}

/* measure_readers has how rates grow with the number of threads, each row beside one thread of its own kind: what
 * liburcu's table by itself does not gain either is the machine's. */
static enum mg_status measure_readers(struct bench *bench, struct helper *helper, size_t size, struct mg_error *error)
{
    static char names[MG_ARRAY_LEN(shared)][MAX_READERS][48]; /* rows borrow them until the report */
    struct bench_row rows[MG_ARRAY_LEN(shared) * MAX_READERS];
    const bool is_keyed = sizes[size].entries == KEYED_SIZE; /* a figure is told once */
    char title[BENCH_MAX_TITLE + 1];
    unsigned max_threads = num_readers();
    size_t num_rows = 0;
    for (size_t i = 0; i < MG_ARRAY_LEN(shared); i++) {
        size_t first = num_rows;
        for (unsigned threads = 1; threads <= max_threads; threads++) {
            char *name = names[i][threads - 1];
            snprintf(name, sizeof(names[0][0]), "%s, %u thread%s", shared[i].name, threads, threads == 1 ? "" : "s");
            rows[num_rows++] = (struct bench_row){.name = name,
                                                  .key = is_keyed && threads == 2 ? shared[i].two_key : NULL,
                                                  .role = shared[i].role,
                                                  .value = BENCH_PER_SECOND,
                                                  .helper = helper,
                                                  .probe = shared[i].probe,
                                                  .num_threads = threads,
                                                  .parameter = mixes[0].parameter,
                                                  .size = sizes[size].entries,
                                                  .against = first,
                                                  .aim = threads == 2 ? shared[i].two_aim : 0};
        }
    }
    snprintf(title, sizeof(title), "cache: %s, by threads", sizes[size].title);
    return bench_measure(bench, title, rows, num_rows, error);
}

/* measure_company has what a thread that writes costs a reader, beside what it costs a reader of liburcu's table. */
static enum mg_status measure_company(struct bench *bench, struct helper *helper, size_t size, struct mg_error *error)
{
    static const struct {
        const char *name, *probe, *key;
        enum bench_role role;
        size_t against;
        double aim;
    } company[] = {
        {"one reader alone", "cache", NULL, BENCH_OURS, 0, 0},
        {"beside a writer that inserts and evicts", "cache-inserts", "cache_reader_slowdown", BENCH_OURS, 0, 0.9},
        {"beside one swap after the other", "cache-swaps", "cache_reader_slowdown_by_swaps", BENCH_OURS, 0, 0},
        {"liburcu's table, one reader alone", "lfht", NULL, BENCH_LIMIT, 0, 0},
        {"liburcu's table, beside such a writer", "lfht-churns", "lfht_reader_slowdown", BENCH_LIMIT, 3, 0},
    };
    struct bench_row rows[MG_ARRAY_LEN(company)];
    char title[BENCH_MAX_TITLE + 1];
    for (size_t i = 0; i < MG_ARRAY_LEN(company); i++) {
        rows[i] = (struct bench_row){.name = company[i].name,
                                     .key = company[i].key,
                                     .role = company[i].role,
                                     .helper = helper,
                                     .probe = company[i].probe,
                                     .num_threads = 1,
                                     .parameter = mixes[0].parameter,
                                     .size = sizes[size].entries,
                                     .against = company[i].against,
                                     .aim = company[i].aim};
    }
    snprintf(title, sizeof(title), "cache: %s, in company", sizes[size].title);
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

/* measure_latency times each lookup by itself; the clock's own share is the first row. */
static enum mg_status measure_latency(struct bench *bench, struct helper *helper, size_t size, struct mg_error *error)
{
    static const struct {
        const char *name, *probe;
        enum bench_role role;
        unsigned num_threads;
    } timed[] = {
        {"nothing but the clock", "clock-timed", BENCH_LIMIT, 1},
        {"liburcu's table", "lfht-timed", BENCH_LIMIT, 1},
        {"cache_lookup", "cache-timed", BENCH_OURS, 1},
        {"cache_lookup, 2 threads", "cache-timed", BENCH_OURS, 2},
        {"beside a writer that inserts and evicts", "cache-inserts-timed", BENCH_OURS, 1},
        {"beside one swap after the other", "cache-swaps-timed", BENCH_OURS, 1},
        {"a table behind a mutex", "mutex-timed", BENCH_BASELINE, 1},
        {"a table behind a mutex, 2 threads", "mutex-timed", BENCH_BASELINE, 2},
    };
    struct bench_row rows[MG_ARRAY_LEN(timed)];
    char title[BENCH_MAX_TITLE + 1];
    for (size_t i = 0; i < MG_ARRAY_LEN(timed); i++) {
        rows[i] = (struct bench_row){.name = timed[i].name,
                                     .role = timed[i].role,
                                     .value = BENCH_LATENCY,
                                     .helper = helper,
                                     .probe = timed[i].probe,
                                     .num_threads = timed[i].num_threads,
                                     .parameter = mixes[0].parameter,
                                     .size = sizes[size].entries};
    }
    snprintf(title, sizeof(title), "cache: %s, each lookup timed, the clock included", sizes[size].title);
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

static enum mg_status measure_size(struct bench *bench, size_t size, struct mg_error *error)
{
    struct helper helper;
    bool is_keyed = sizes[size].entries == KEYED_SIZE;
    enum mg_status status =
        helper_start(&helper, "mintgate-bench-cache", (const char *[]){sizes[size].words, NULL}, error);
    for (size_t mix = 0; status == MG_OK && mix < MG_ARRAY_LEN(mixes); mix++) {
        if (!bench->options.is_quick || mix == 0 || (is_keyed && mixes[mix].is_quick)) {
            status = measure_lookups(bench, &helper, size, mix, error);
        }
    }
    if (status == MG_OK && (is_keyed || !bench->options.is_quick)) {
        status = measure_readers(bench, &helper, size, error);
    }
    if (status == MG_OK && is_keyed) {
        status = measure_company(bench, &helper, size, error);
    }
    if (status == MG_OK && is_keyed) {
        status = measure_latency(bench, &helper, size, error);
    }
    helper_stop(&helper);
    return status;
}

/* measure_memory has what a leaf in the cache holds, beside its certificate alone. */
static enum mg_status measure_memory(struct bench *bench, struct helper *helper, struct mg_error *error)
{
    static const struct {
        const char *title, *key;
        unsigned long kind; /* of bench/probes/leaves.c */
        double aim;         /* bytes */
    } kinds[] = {
        {"EC P-256 leaf, EC P-256 issuer", "cache_bytes_per_leaf", 0, 1200},
        {"EC P-256 leaf, RSA-2048 issuer", NULL, 1, 0},
        {"RSA-2048 leaf, EC P-256 issuer", NULL, 2, 0},
        {"RSA-2048 leaf, RSA-2048 issuer", NULL, 3, 0},
    };
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < (bench->options.is_quick ? 1 : MG_ARRAY_LEN(kinds)); i++) {
        char title[BENCH_MAX_TITLE + 1];
        const struct bench_row rows[] = {
            {.name = "the certificate's bytes alone",
             .role = BENCH_LIMIT,
             .value = BENCH_BYTES,
             .helper = helper,
             .probe = "certificates",
             .num_threads = 1,
             .parameter = kinds[i].kind},
            {.name = "a leaf in the cache, all included",
             .bytes_key = kinds[i].key,
             .role = BENCH_OURS,
             .value = BENCH_BYTES,
             .helper = helper,
             .probe = "leaves",
             .num_threads = 1,
             .parameter = kinds[i].kind,
             .max_bytes = kinds[i].aim},
        };
        snprintf(title, sizeof(title), "cache: memory, %s", kinds[i].title);
        status = bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
    }
    return status;
}

/* is_wanted tells whether to measure at this size: |only|, if that is said, or those that --quick leaves. */
static bool is_wanted(const struct bench *bench, size_t size, const char *only)
{
    if (only != NULL) {
        return strcmp(sizes[size].words, only) == 0;
    }
    return !bench->options.is_quick || sizes[size].is_quick;
}

enum mg_status subcommand_cache(struct bench *bench, const char *only, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(sizes); i++) {
        if (is_wanted(bench, i, only)) {
            status = measure_size(bench, i, error);
        }
    }
    if (status == MG_OK && bench->num_groups == 0) {
        return mg_error_set(error, MG_INVALID, "--entries: 1000, 10000, 100000 or 1000000, not %s", only);
    }
    if (status == MG_OK) {
        struct helper helper;
        status = helper_start(&helper, "mintgate-bench-leaves", (const char *[]){NULL}, error);
        if (status == MG_OK) {
            status = measure_memory(bench, &helper, error);
        }
        helper_stop(&helper);
    }
    return status;
}
