/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/subcommands.h"

/* As in bench/probes/packets.c. */
enum packet_set { SET_NONE, SET_UDP, SET_NO_RULE, SET_DECIDED, SET_DECIDED_MANY, SET_NEW };

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

static struct bench_row packets(struct helper *helper, enum packet_set set, bool bare, const char *name)
{
    return (struct bench_row){.name = name,
                              .role = bare ? BENCH_LIMIT : BENCH_OURS,
                              .helper = helper,
                              .probe = bare ? "bare" : "worker",
                              .num_threads = 1,
                              .parameter = set};
}

#define BARE "received at one port, sent at the other"

static enum mg_status measure_null(struct bench *bench, struct helper *helper, struct mg_error *error)
{
    const struct bench_row rows[] = {
        packets(helper, SET_NONE, true, BARE),
        packets(helper, SET_NONE, false, "empty frames"),
    };
    return bench_measure(bench, "packets through a worker, between ports of net_null", rows, MG_ARRAY_LEN(rows), error);
}

static enum mg_status measure_ring(struct bench *bench, struct helper *helper, struct mg_error *error)
{
    const struct bench_row few[] = {
        packets(helper, SET_DECIDED, true, BARE),
        packets(helper, SET_UDP, false, "UDP, 1,024 flows"),
        packets(helper, SET_NO_RULE, false, "TCP to a port that no rule is about"),
        packets(helper, SET_DECIDED, false, "TCP/443, 1,024 flows decided by name"),
    };
    const struct bench_row many[] = {
        packets(helper, SET_DECIDED_MANY, true, BARE),
        packets(helper, SET_DECIDED_MANY, false, "TCP/443, 32,768 flows decided by name"),
    };
    const struct bench_row new[] = {
        packets(helper, SET_NEW, true, BARE),
        packets(helper, SET_NEW, false, "SYN, SYN-ACK, ClientHello, acknowledgement"),
    };
    enum mg_status status =
        bench_measure(bench, "packets through a worker, between ports of net_ring", few, MG_ARRAY_LEN(few), error);
    if (status == MG_OK) {
        status = bench_measure(bench, "the same with many flows", many, MG_ARRAY_LEN(many), error);
    }
    if (status == MG_OK) {
        status = bench_measure(bench, "the same with new connections to port 443", new, MG_ARRAY_LEN(new), error);
    }
    return status;
}

/* measure_packets: the worker's main loop without what ports cost, |driver| being "null" or "ring". */
static enum mg_status measure_packets(struct bench *bench, const char *driver,
                                      enum mg_status (*measure)(struct bench *bench, struct helper *helper,
                                                                struct mg_error *error),
                                      struct mg_error *error)
{
    struct helper helper;
    const char *const arguments[] = {driver, CORPUS "curl", NULL};
    enum mg_status status = helper_start(&helper, "mintgate-bench-packets", arguments, error);
    if (status == MG_OK) {
        status = measure(bench, &helper, error);
    }
    helper_stop(&helper);
    return status;
}

static enum mg_status measure_hellos(struct bench *bench, struct mg_error *error)
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

enum mg_status subcommand_hello(struct bench *bench, struct mg_error *error)
{
    enum mg_status status = measure_hellos(bench, error);
    if (status == MG_OK) {
        status = measure_packets(bench, "null", measure_null, error);
    }
    if (status == MG_OK) {
        status = measure_packets(bench, "ring", measure_ring, error);
    }
    return status;
}
