/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/subcommands.h"

#define CORPUS BENCH_SOURCE_ROOT "/tests/fuzz/corpus/client_hello/"

/* What clients send, in the order of the helper's files. */
static const struct {
    const char *path, *title;
    const char *ns_key; /* NULL: none */
} hellos[] = {
    {CORPUS "chromium", "hello: Chromium's, 1,986 bytes, with ML-KEM", "hello_ns"},
    {CORPUS "curl", "hello: curl's, 517 bytes", NULL},
    {CORPUS "gnutls-records-of-50", "hello: GnuTLS's, in records of 50 bytes", NULL},
};

static enum mg_status measure_hello(struct bench *bench, struct helper *helper, size_t file, struct mg_error *error)
{
    const struct bench_row rows[] = {
        {.name = "its lists walked over once with CBS",
         .role = BENCH_LIMIT,
         .helper = helper,
         .probe = "walk",
         .num_threads = 1,
         .parameter = file},
        {.name = "client_hello_parse",
         .ns_key = hellos[file].ns_key,
         .role = BENCH_OURS,
         .helper = helper,
         .probe = "parse",
         .num_threads = 1,
         .parameter = file},
        {.name = "as a worker does: records, parse, JA4",
         .role = BENCH_OURS,
         .helper = helper,
         .probe = "worker",
         .num_threads = 1,
         .parameter = file},
    };
    return bench_measure(bench, hellos[file].title, rows, MG_ARRAY_LEN(rows), error);
}

enum mg_status subcommand_hello(struct bench *bench, struct mg_error *error)
{
    const char *paths[MG_ARRAY_LEN(hellos) + 1] = {NULL};
    struct helper helper;
    for (size_t i = 0; i < MG_ARRAY_LEN(hellos); i++) {
        paths[i] = hellos[i].path;
    }
    enum mg_status status = helper_start(&helper, "mintgate-bench-hello", paths, error);
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(hellos); i++) {
        status = measure_hello(bench, &helper, i, error);
    }
    helper_stop(&helper);
    return status;
}
