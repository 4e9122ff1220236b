/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/subcommands.h"

#include <string.h>

#include "bench/machine.h"
#include "bench/minter_helper.h"

#define IN_FLIGHT 256
#define MAX_THREADS 8 /* of the signer */

struct issuer_kind {
    const char *type;   /* as in the configuration */
    const char *title;  /* for people */
    unsigned long turn; /* how many the signer signs in one turn (hsm/key_type.c) */
    bool is_quick;      /* measured by --quick too, with crypto_mb alone where there is some */
    bool is_by_threads; /* with 1 to n threads too */
    /* of the ratios; NULL: none */
    const char *inside_key, *end_to_end_key, *x509_key;
};

/* Aims: issue 4's, and for X509_sign per certificate issue 5's. */
static const struct issuer_kind kinds[] = {
    {"EC_P256", "EC P-256", 64, true, true, "mint_in_signer_vs_limit", "mint_end_to_end_vs_limit", "mint_vs_x509_sign"},
    {"RSA_2K", "RSA-2048", 16, true, true, NULL, NULL, NULL},
    {"RSA_3K", "RSA-3072", 8, false, false, NULL, NULL, NULL},
};

static enum mg_status measure_rates(struct bench *bench, struct helper *signer, struct helper *minter,
                                    const struct issuer_kind *kind, bool uses_lanes, struct mg_error *error)
{
    char title[BENCH_MAX_TITLE + 1];
    const struct bench_row rows[] = {
        {.name = uses_lanes ? "crypto_mb's signatures alone, fresh nonces" : "OpenSSL's signatures alone",
         .role = BENCH_LIMIT,
         .helper = signer,
         .probe = uses_lanes ? "lanes" : "single",
         .num_threads = 1},
        {.name = "inside the signer, TBSCertificate to signature",
         .key = uses_lanes ? kind->inside_key : NULL,
         .role = BENCH_OURS,
         .helper = signer,
         .probe = "inside",
         .num_threads = 1,
         .parameter = kind->turn,
         .aim = uses_lanes ? 0.75 : 0.8},
        {.name = "end to end, the signer process's CPU",
         .key = uses_lanes ? kind->end_to_end_key : NULL,
         .role = BENCH_OURS,
         .cpu = BENCH_CPU_WATCHED,
         .helper = minter,
         .probe = "mint",
         .num_threads = 1,
         .parameter = IN_FLIGHT,
         .aim = uses_lanes ? 0.6 : 0.8},
        {.name = "inside the signer, leaves with an RSA-2048 key",
         .role = BENCH_OURS,
         .helper = signer,
         .probe = "inside-rsa-leaves",
         .num_threads = 1,
         .parameter = kind->turn},
        {.name = "end to end, leaves with an RSA-2048 key",
         .role = BENCH_OURS,
         .cpu = BENCH_CPU_WATCHED,
         .helper = minter,
         .probe = "mint-rsa-leaves",
         .num_threads = 1,
         .parameter = IN_FLIGHT},
        {.name = "OpenSSL, one X509_sign a certificate",
         .role = BENCH_BASELINE,
         .helper = signer,
         .probe = "x509",
         .num_threads = 1},
    };
    snprintf(title, sizeof(title), "mint: %s issuer, %s", kind->title, uses_lanes ? "crypto_mb" : "OpenSSL alone");
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

/* measure_by_hand compares with what one writes without Mintgate: the engine's work counts too. */
static enum mg_status measure_by_hand(struct bench *bench, struct helper *signer, struct helper *minter,
                                      const struct issuer_kind *kind, bool uses_lanes, struct mg_error *error)
{
    char title[BENCH_MAX_TITLE + 1];
    const struct bench_row rows[] = {
        {.name = "OpenSSL, one X509_sign a certificate",
         .role = BENCH_BASELINE,
         .helper = signer,
         .probe = "x509",
         .num_threads = 1},
        {.name = "end to end, the signer process's CPU",
         .key = uses_lanes ? kind->x509_key : NULL,
         .role = BENCH_OURS,
         .cpu = BENCH_CPU_WATCHED,
         .helper = minter,
         .probe = "mint",
         .num_threads = 1,
         .parameter = IN_FLIGHT,
         .aim = kind->x509_key == NULL ? 0
                : uses_lanes           ? 4
                                       : 1.8},
        {.name = "end to end, CPU of engine's half and signer",
         .role = BENCH_OURS,
         .cpu = BENCH_CPU_ALL,
         .helper = minter,
         .probe = "mint",
         .num_threads = 1,
         .parameter = IN_FLIGHT},
    };
    snprintf(title, sizeof(title), "mint: %s issuer, %s, by X509_sign", kind->title,
             uses_lanes ? "crypto_mb" : "OpenSSL alone");
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

static enum mg_status measure_lone(struct bench *bench, struct helper *single, struct helper *lanes,
                                   const struct issuer_kind *kind, struct mg_error *error)
{
    char title[BENCH_MAX_TITLE + 1];
    const struct bench_row rows[] = {
        {.name = "signer that signs one by one",
         .role = BENCH_LIMIT,
         .cpu = BENCH_CPU_WATCHED,
         .value = BENCH_LATENCY,
         .helper = single,
         .probe = "batch",
         .num_threads = 1,
         .parameter = 1},
        {.name = "signer that signs in batches",
         .role = BENCH_OURS,
         .cpu = BENCH_CPU_WATCHED,
         .value = BENCH_LATENCY,
         .helper = lanes,
         .probe = "batch",
         .num_threads = 1,
         .parameter = 1,
         .aim = 1.1},
    };
    snprintf(title, sizeof(title), "mint: %s issuer, a lone request", kind->title);
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

/* struct side is a signer of one kind and its engine. */
struct side {
    struct helper signer, minter;
};

static enum mg_status start_side(struct side *out, const char *type, bool uses_lanes, unsigned num_threads,
                                 struct mg_error *error)
{
    char threads[16];
    const char *arguments[] = {type, uses_lanes ? "auto" : "off", threads, NULL};
    snprintf(threads, sizeof(threads), "%u", num_threads);
    enum mg_status status = helper_start(&out->signer, "mintgate-bench-software", arguments, error);
    if (status == MG_OK) {
        status = minter_helper_start(&out->minter, &out->signer, type, false, error);
    }
    return status;
}

static const struct side no_side = {.signer = {.commands = -1}, .minter = {.commands = -1}};

static void stop_side(struct side *side)
{
    helper_stop(&side->minter);
    helper_stop(&side->signer);
}

static enum mg_status measure_side(struct bench *bench, struct side *side, const struct issuer_kind *kind,
                                   bool uses_lanes, struct mg_error *error)
{
    enum mg_status status = start_side(side, kind->type, uses_lanes, 1, error);
    if (status == MG_OK) {
        status = measure_rates(bench, &side->signer, &side->minter, kind, uses_lanes, error);
    }
    if (status == MG_OK) {
        status = measure_by_hand(bench, &side->signer, &side->minter, kind, uses_lanes, error);
    }
    return status;
}

static enum mg_status measure_kind(struct bench *bench, const struct issuer_kind *kind, bool has_lanes,
                                   struct mg_error *error)
{
    struct side single = no_side, lanes = no_side;
    enum mg_status status = MG_OK;
    bool has_single = !has_lanes || !bench->options.is_quick;
    if (has_single) {
        status = measure_side(bench, &single, kind, false, error);
    }
    if (status == MG_OK && has_lanes) {
        status = measure_side(bench, &lanes, kind, true, error);
    }
    if (status == MG_OK && has_lanes && has_single) {
        status = measure_lone(bench, &single.minter, &lanes.minter, kind, error);
    }
    stop_side(&lanes);
    stop_side(&single);
    return status;
}

/* ---- by threads ---- */

static const struct {
    const char *name;
    bool is_raw, is_inside;
    enum bench_role role;
} threaded[] = {
    {"signatures alone", true, false, BENCH_LIMIT},
    {"inside the signer", false, true, BENCH_OURS},
    {"end to end, a connection a thread", false, false, BENCH_OURS},
};

/* row_with_threads is one of |threaded| with so many: threads of the signing helper, or connections of engines to a
 * signer with as many threads. */
static struct bench_row row_with_threads(size_t which, const struct issuer_kind *kind, struct side *side,
                                         bool uses_lanes, unsigned num_threads)
{
    bool is_end_to_end = !threaded[which].is_raw && !threaded[which].is_inside;
    return (struct bench_row){.role = threaded[which].role,
                              .cpu = is_end_to_end ? BENCH_CPU_WATCHED : BENCH_CPU_OWN,
                              .value = BENCH_PER_SECOND,
                              .helper = is_end_to_end ? &side->minter : &side->signer,
                              .probe = is_end_to_end               ? "mint"
                                       : threaded[which].is_inside ? "inside"
                                       : uses_lanes                ? "lanes"
                                                                   : "single",
                              .num_threads = num_threads,
                              .parameter = is_end_to_end ? IN_FLIGHT : kind->turn};
}

/* measure_threads has each beside itself with one thread. */
static enum mg_status measure_threads(struct bench *bench, struct side *sides, unsigned max_threads,
                                      const struct issuer_kind *kind, bool uses_lanes, struct mg_error *error)
{
    static char names[MG_ARRAY_LEN(threaded)][MAX_THREADS][48]; /* rows borrow them until the report */
    struct bench_row rows[MG_ARRAY_LEN(threaded) * MAX_THREADS];
    char title[BENCH_MAX_TITLE + 1];
    size_t num_rows = 0;
    for (size_t i = 0; i < MG_ARRAY_LEN(threaded); i++) {
        size_t first = num_rows;
        for (unsigned threads = 1; threads <= max_threads; threads++) {
            char *name = names[i][threads - 1];
            snprintf(name, sizeof(names[0][0]), "%s, %u", threaded[i].name, threads);
            rows[num_rows] = row_with_threads(i, kind, &sides[threads - 1], uses_lanes, threads);
            rows[num_rows].name = name;
            rows[num_rows++].against = first;
        }
    }
    snprintf(title, sizeof(title), "mint: %s issuer, %s, by threads", kind->title,
             uses_lanes ? "crypto_mb" : "OpenSSL alone");
    return bench_measure(bench, title, rows, num_rows, error);
}

static enum mg_status measure_by_threads(struct bench *bench, const struct issuer_kind *kind, bool uses_lanes,
                                         unsigned max_threads, struct mg_error *error)
{
    struct side sides[MAX_THREADS];
    enum mg_status status = MG_OK;
    for (unsigned i = 0; i < max_threads; i++) {
        sides[i] = no_side;
    }
    for (unsigned i = 0; status == MG_OK && i < max_threads; i++) {
        status = start_side(&sides[i], kind->type, uses_lanes, i + 1, error);
    }
    if (status == MG_OK) {
        status = measure_threads(bench, sides, max_threads, kind, uses_lanes, error);
    }
    for (unsigned i = 0; i < max_threads; i++) {
        stop_side(&sides[i]);
    }
    return status;
}

/* signs_in_lanes tells whether a signer of this build uses crypto_mb on this machine. */
static bool signs_in_lanes(void)
{
#ifdef BENCH_WITH_CRYPTO_MB
    struct bench_machine machine;
    bench_machine_look(&machine);
    return machine.has_ifma;
#else
    return false;
#endif
}

static unsigned max_threads(void)
{
    struct bench_machine machine;
    bench_machine_look(&machine);
    return machine.num_cpus > MAX_THREADS ? MAX_THREADS : (unsigned)machine.num_cpus;
}

enum mg_status subcommand_mint(struct bench *bench, const char *only, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    bool has_lanes = signs_in_lanes(), is_quick = bench->options.is_quick;
    unsigned num_threads = max_threads();
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(kinds); i++) {
        if (only != NULL ? strcmp(only, kinds[i].type) == 0 : kinds[i].is_quick || !is_quick) {
            status = measure_kind(bench, &kinds[i], has_lanes, error);
        }
    }
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(kinds); i++) {
        if (only != NULL ? strcmp(only, kinds[i].type) == 0 : kinds[i].is_by_threads && (i == 0 || !is_quick)) {
            status = measure_by_threads(bench, &kinds[i], has_lanes, num_threads, error);
        }
    }
    if (status == MG_OK && bench->num_groups == 0) {
        return mg_error_set(error, MG_INVALID, "--issuer: EC_P256, RSA_2K or RSA_3K, not %s", only);
    }
    for (unsigned i = 1; status == MG_OK && only == NULL && i <= (is_quick ? 1 : num_threads); i++) {
        status = bench_mint_on_token(bench, i, error);
    }
    return status;
}
