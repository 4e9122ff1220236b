/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/subcommands.h"

#include <string.h>

#include "bench/machine.h"
#include "bench/minter_helper.h"

#define IN_FLIGHT 256

struct issuer_kind {
    const char *type;   /* as in the configuration */
    const char *title;  /* for people */
    unsigned long turn; /* how many the signer signs in one turn (hsm/key_type.c) */
    /* of the ratios; NULL: none */
    const char *inside_key, *end_to_end_key, *x509_key;
};

/* Aims: issue 4's, and for X509_sign per certificate issue 5's. */
static const struct issuer_kind kinds[] = {
    {"EC_P256", "EC P-256", 64, "mint_in_signer_vs_limit", "mint_end_to_end_vs_limit", "mint_vs_x509_sign"},
    {"RSA_2K", "RSA-2048", 16, NULL, NULL, NULL},
    {"RSA_3K", "RSA-3072", 8, NULL, NULL, NULL},
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

static enum mg_status start_side(struct side *out, const char *type, bool uses_lanes, struct mg_error *error)
{
    const char *arguments[] = {type, uses_lanes ? "auto" : "off", NULL};
    enum mg_status status = helper_start(&out->signer, "mintgate-bench-software", arguments, error);
    if (status == MG_OK) {
        status = minter_helper_start(&out->minter, &out->signer, type, false, error);
    }
    return status;
}

static void stop_side(struct side *side)
{
    helper_stop(&side->minter);
    helper_stop(&side->signer);
}

static enum mg_status measure_side(struct bench *bench, struct side *side, const struct issuer_kind *kind,
                                   bool uses_lanes, struct mg_error *error)
{
    enum mg_status status = start_side(side, kind->type, uses_lanes, error);
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
    struct side single = {.signer = {.commands = -1}, .minter = {.commands = -1}}, lanes = single;
    enum mg_status status = measure_side(bench, &single, kind, false, error);
    if (status == MG_OK && has_lanes) {
        status = measure_side(bench, &lanes, kind, true, error);
    }
    if (status == MG_OK && has_lanes) {
        status = measure_lone(bench, &single.minter, &lanes.minter, kind, error);
    }
    stop_side(&lanes);
    stop_side(&single);
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

enum mg_status subcommand_mint(struct bench *bench, const char *only, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    bool has_lanes = signs_in_lanes();
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(kinds); i++) {
        if (only == NULL || strcmp(only, kinds[i].type) == 0) {
            status = measure_kind(bench, &kinds[i], has_lanes, error);
        }
    }
    if (status == MG_OK && bench->num_groups == 0) {
        return mg_error_set(error, MG_INVALID, "--issuer: EC_P256, RSA_2K or RSA_3K, not %s", only);
    }
    return status;
}
