/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/subcommands.h"

#include "bench/minter_helper.h"

/* Enough under way that no session waits for the engine. */
#define IN_FLIGHT 256

struct key {
    const char *probe, *type, *title;
    const char *rate_key; /* of the rate's ratio; NULL: none */
};

/* struct plan is what to measure with a token. */
struct plan {
    const char *subcommand;
    unsigned num_sessions;
    bool has_keys; /* its ratios are the ones with keys */
    bool has_batches;
};

static const struct key keys[] = {
    {"ec", "EC_P256", "EC P-256", "hsm_vs_raw"},
    {"rsa", "RSA_2K", "RSA-2048", "hsm_rsa_vs_raw"},
};

/* measure_key has the rate of the whole path with plenty to do. */
static enum mg_status measure_key(struct bench *bench, struct helper *token, struct helper *minter,
                                  const struct key *key, const struct plan *plan, struct mg_error *error)
{
    unsigned num_sessions = plan->num_sessions;
    char title[BENCH_MAX_TITLE + 1];
    const struct bench_row rate[] = {
        {.name = "C_Sign alone, a thread a session",
         .role = BENCH_LIMIT,
         .value = BENCH_PER_SECOND,
         .helper = token,
         .probe = key->probe,
         .num_threads = num_sessions},
        {.name = "minted, engine to token, 256 in flight",
         .key = plan->has_keys ? key->rate_key : NULL,
         .cpu = BENCH_CPU_WATCHED,
         .value = BENCH_PER_SECOND,
         .role = BENCH_OURS,
         .helper = minter,
         .probe = "mint",
         .num_threads = 1,
         .parameter = IN_FLIGHT,
         .aim = 0.9},
    };
    snprintf(title, sizeof(title), "%s: %s on a token, %u session%s: rate", plan->subcommand, key->title, num_sessions,
             num_sessions == 1 ? "" : "s");
    return bench_measure(bench, title, rate, MG_ARRAY_LEN(rate), error);
}

/* measure_batches has what a signature takes, and how many are made, with ever more asked for at one time. */
static enum mg_status measure_batches(struct bench *bench, struct helper *token, struct helper *minter,
                                      const struct key *key, unsigned num_sessions, struct mg_error *error)
{
    static const struct {
        const char *name;
        unsigned long size;
    } batches[] = {{"batches of 1", 1},   {"batches of 2", 2},   {"batches of 4", 4},  {"batches of 8", 8},
                   {"batches of 16", 16}, {"batches of 32", 32}, {"batches of 64", 64}};
    char title[BENCH_MAX_TITLE + 1];
    struct bench_row rows[1 + MG_ARRAY_LEN(batches)] = {{.name = "C_Sign alone, one thread",
                                                         .role = BENCH_LIMIT,
                                                         .value = BENCH_PER_SECOND,
                                                         .helper = token,
                                                         .probe = key->probe,
                                                         .num_threads = 1}};
    for (size_t i = 0; i < MG_ARRAY_LEN(batches); i++) {
        rows[i + 1] = (struct bench_row){.name = batches[i].name,
                                         .role = BENCH_OURS,
                                         .cpu = BENCH_CPU_WATCHED,
                                         .value = BENCH_PER_SECOND,
                                         .helper = minter,
                                         .probe = "batch",
                                         .num_threads = 1,
                                         .parameter = batches[i].size};
    }
    snprintf(title, sizeof(title), "hsm: %s, %u session%s: one batch at a time", key->title, num_sessions,
             num_sessions == 1 ? "" : "s");
    return bench_measure(bench, title, rows, MG_ARRAY_LEN(rows), error);
}

static enum mg_status measure_plan(struct bench *bench, const struct plan *plan, struct mg_error *error)
{
    char word[16];
    struct helper token;
    snprintf(word, sizeof(word), "%u", plan->num_sessions);
    enum mg_status status = helper_start(&token, "mintgate-bench-token", (const char *[]){word, NULL}, error);
    if (status != MG_OK) {
        return status;
    }
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(keys); i++) {
        struct helper minter;
        status = minter_helper_start(&minter, &token, keys[i].type, true, error);
        if (status == MG_OK) {
            status = measure_key(bench, &token, &minter, &keys[i], plan, error);
        }
        if (status == MG_OK && plan->has_batches) {
            status = measure_batches(bench, &token, &minter, &keys[i], plan->num_sessions, error);
        }
        helper_stop(&minter);
    }
    helper_stop(&token);
    return status;
}

enum mg_status subcommand_hsm(struct bench *bench, unsigned max_sessions, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (unsigned i = 1; status == MG_OK && i <= max_sessions; i++) {
        const struct plan plan = {
            .subcommand = "hsm", .num_sessions = i, .has_keys = i == max_sessions, .has_batches = true};
        status = measure_plan(bench, &plan, error);
    }
    return status;
}

enum mg_status bench_mint_on_token(struct bench *bench, unsigned num_sessions, struct mg_error *error)
{
    const struct plan plan = {.subcommand = "mint", .num_sessions = num_sessions};
    return measure_plan(bench, &plan, error);
}
