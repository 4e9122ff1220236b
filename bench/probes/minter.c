/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-minter: the engine's half of minting, for mintgate-bench. It assembles leaves, has a signer sign them
 * over its socket, by the engine's own client, and wraps the signatures into certificates.
 *
 * --issuers FILE --tbs FILE: reads an ISSUERS packet, and writes TBSCertificates of leaves of its issuer, each behind
 * its length, for what is measured inside the signer: NUM_TBS of leaves with an EC P-256 key, as many with an RSA one.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/rand.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/options.h"
#include "bench/probe.h"
#include "cache/rcu.h"
#include "minting/mint_client.h"
#include "minting/validity.h"
#include "tests/unit/minting/certs.h"

#define NUM_TBS 64
#define MAX_IN_FLIGHT 4096
#define PATIENCE_NS (60 * MG_NS_PER_SECOND)

static struct leaf_keys *leaf_keys;
static struct leaf_names names;
static const char *socket_path;
static enum wire_issuer_role role = WIRE_ISSUER_DEFAULT;
static enum wire_key_type key_type;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-minter: %s\n", what);
    exit(1);
}

static const struct {
    const char *word;
    enum wire_key_type type;
} key_types[] = {
    {"EC_P256", WIRE_KEY_EC_P256}, {"EC_P384", WIRE_KEY_EC_P384}, {"RSA_2K", WIRE_KEY_RSA_2048},
    {"RSA_3K", WIRE_KEY_RSA_3072}, {"RSA_4K", WIRE_KEY_RSA_4096},
};

static bool key_type_of(const char *word, enum wire_key_type *out)
{
    for (size_t i = 0; word != NULL && i < MG_ARRAY_LEN(key_types); i++) {
        if (strcmp(key_types[i].word, word) == 0) {
            *out = key_types[i].type;
            return true;
        }
    }
    return false;
}

/* find_issuer returns the issuer that is to mint, for the caller to unref. */
static struct issuer *find_issuer(const struct wire_issuers *issuers)
{
    static const struct issuer_options no_pointers;
    struct mg_error error;
    struct issuer *issuer;
    for (size_t i = 0; i < issuers->num_issuers; i++) {
        const struct wire_issuer *wire = &issuers->issuers[i];
        if (wire->role == role && wire->key_type == key_type) {
            if (issuer_new(&issuer, wire, 1, &no_pointers, mg_clock_wall_seconds(), &error) != MG_OK) {
                die(error.text);
            }
            return issuer;
        }
    }
    die("the signer has no such issuer");
}

/* ---- TBSCertificates for others ---- */

static void append_tbs(struct mg_buffer *out, const struct issuer *issuer, enum leaf_key_type type, size_t turn)
{
    static uint8_t storage[LEAF_TBS_MAX_LEN];
    struct mg_error error;
    struct leaf_tbs tbs;
    struct leaf_params params = {.issuer = issuer,
                                 .names = &names,
                                 .key = leaf_keys_pick(leaf_keys, type, turn),
                                 .now = mg_clock_wall_seconds(),
                                 .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS};
    RAND_bytes(params.random_serial, sizeof(params.random_serial));
    if (leaf_tbs_build(&tbs, storage, sizeof(storage), &params, &error) != MG_OK) {
        die(error.text);
    }
    mg_buffer_append_prefixed_u32(out, tbs.der);
}

static void write_tbs(const char *issuers_path, const char *tbs_path)
{
    static struct wire_issuers issuers;
    struct mg_buffer packet, out;
    struct mg_error error;
    mg_buffer_init(&packet, WIRE_SIGNER_MAX_PACKET);
    mg_buffer_init(&out, LEAF_KEY_NUM_TYPES * NUM_TBS * LEAF_TBS_MAX_LEN);
    if (mg_file_read(issuers_path, &packet, &error) != MG_OK ||
        wire_signer_decode_issuers(mg_buffer_slice(&packet), &issuers, &error) != MG_OK) {
        die(error.text);
    }
    struct issuer *issuer = find_issuer(&issuers);
    for (enum leaf_key_type type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        for (size_t i = 0; i < NUM_TBS; i++) {
            append_tbs(&out, issuer, type, i);
        }
    }
    if (mg_file_write_atomic(tbs_path, mg_buffer_slice(&out), 0600, &error) != MG_OK) {
        die(error.text);
    }
    issuer_unref(issuer);
    mg_buffer_free(&packet);
    mg_buffer_free(&out);
}

/* ---- minting: a connection to the signer for each thread, with so many leaves under way as the parameter says ---- */

struct minter {
    struct mint_client *client;
    struct issuer *issuer;
    enum leaf_key_type leaf_type;
    size_t max_in_flight, in_flight, num_done;
};

static void on_issuers(void *arg, const struct wire_issuers *issuers)
{
    struct minter *minter = arg;
    if (minter->issuer == NULL) {
        minter->issuer = find_issuer(issuers);
    }
}

static void on_done(void *arg, const struct mint_outcome *outcome)
{
    struct minter *minter = arg;
    if (outcome->result != MINT_OK) {
        die(mint_result_name(outcome->result));
    }
    cache_value_unref(&outcome->leaf->value);
    minter->in_flight--;
    minter->num_done++;
}

/* wait_for_signer sleeps until the signer has said something, and takes it in. */
static void wait_for_signer(struct minter *minter)
{
    struct pollfd fd = {.fd = mint_client_fd(minter->client), .events = POLLIN};
    mg_rcu_offline();
    if (poll(&fd, 1, (int)(PATIENCE_NS / MG_NS_PER_MS)) < 0) {
        die("cannot wait for the signer");
    }
    mg_rcu_online();
    mint_client_process(minter->client, mg_clock_monotonic_ns());
}

static void *minter_setup(unsigned thread, unsigned num_threads, unsigned long in_flight)
{
    struct minter *minter = calloc(1, sizeof(*minter));
    struct mint_client_options options = {.socket_path = socket_path,
                                          .leaf_keys = leaf_keys,
                                          .max_jobs = MAX_IN_FLIGHT,
                                          .timeout_ns = PATIENCE_NS,
                                          .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS};
    struct mint_client_callbacks callbacks = {.issuers = on_issuers, .arg = minter};
    struct mg_error error;
    (void)thread;
    (void)num_threads;
    if (minter == NULL || in_flight == 0 || in_flight > MAX_IN_FLIGHT || mg_rcu_thread_start() != MG_OK) {
        die("cannot begin");
    }
    if (mint_client_new(&minter->client, &options, &callbacks, &error) != MG_OK) {
        die(error.text);
    }
    minter->max_in_flight = in_flight;
    mint_client_process(minter->client, mg_clock_monotonic_ns());
    while (!mint_client_is_ready(minter->client)) {
        wait_for_signer(minter);
    }
    return minter;
}

static void *minter_setup_rsa_leaves(unsigned thread, unsigned num_threads, unsigned long in_flight)
{
    struct minter *minter = minter_setup(thread, num_threads, in_flight);
    minter->leaf_type = LEAF_KEY_RSA_2048;
    return minter;
}

static void submit(struct minter *minter, uint64_t now_ns)
{
    struct mg_error error;
    struct mint_job job = {.issuer = minter->issuer,
                           .names = &names,
                           .key_type = minter->leaf_type,
                           .now = mg_clock_wall_seconds(),
                           .done = on_done,
                           .arg = minter};
    if (mint_client_submit(minter->client, &job, now_ns, &error) != MG_OK) {
        die(error.text);
    }
    minter->in_flight++;
}

/* take_done waits for leaves, and returns how many came. */
static size_t take_done(struct minter *minter)
{
    while (minter->num_done == 0) {
        wait_for_signer(minter);
    }
    size_t num_done = minter->num_done;
    minter->num_done = 0;
    return num_done;
}

static size_t minter_step(void *state)
{
    struct minter *minter = state;
    uint64_t now_ns = mg_clock_monotonic_ns();
    while (minter->in_flight < minter->max_in_flight) {
        submit(minter, now_ns);
    }
    mint_client_flush(minter->client, now_ns);
    mg_rcu_quiescent();
    return take_done(minter);
}

static size_t minter_drain(void *state)
{
    struct minter *minter = state;
    size_t num_done = 0;
    while (minter->in_flight > 0) {
        num_done += take_done(minter);
    }
    return num_done;
}

static void minter_teardown(void *state)
{
    struct minter *minter = state;
    mint_client_free(minter->client);
    issuer_unref(minter->issuer);
    free(minter);
    mg_rcu_thread_stop();
}

/* batch_step has a whole batch signed, and begins the next one when the last of it has come. */
static size_t batch_step(void *state)
{
    size_t num_done = minter_step(state);
    return num_done + minter_drain(state);
}

static const struct probe probes[] = {
    {.name = "mint", .setup = minter_setup, .step = minter_step, .drain = minter_drain, .teardown = minter_teardown},
    {.name = "mint-rsa-leaves",
     .setup = minter_setup_rsa_leaves,
     .step = minter_step,
     .drain = minter_drain,
     .teardown = minter_teardown},
    {.name = "batch", .setup = minter_setup, .step = batch_step, .teardown = minter_teardown, .times_steps = true},
};

static void init(struct mimic **mimic)
{
    static const struct certs_name server[] = {CERTS_DNS("a-name-of-usual-length.example.com")};
    const struct leaf_keys_config config = {.num_keys = {4, 1}, .lifetime_seconds = 86400};
    const int64_t now = mg_clock_wall_seconds();
    if (mg_rcu_thread_start() != MG_OK || leaf_keys_new(&leaf_keys, &config, now, NULL) != MG_OK) {
        die("cannot make keys");
    }
    *mimic = certs_mimic(&(struct certs_spec){
        .names = server, .num_names = 1, .not_before = now - 30 * CERTS_DAY, .not_after = now + 60 * CERTS_DAY});
    leaf_names_decide(&names, *mimic, MIMIC_NAME_DNS, mg_slice_of("", 0), NULL, NULL);
}

int main(int argc, char **argv)
{
    const char *issuers_path = NULL, *tbs_path = NULL, *type = NULL, *watched = "0";
    bool offered = false;
    const struct mg_option options[] = {
        {.name = "socket", .text = &socket_path},   {.name = "key-type", .text = &type},
        {.name = "offered", .given = &offered},     {.name = "watch", .text = &watched},
        {.name = "issuers", .text = &issuers_path}, {.name = "tbs", .text = &tbs_path},
    };
    const struct mg_program program = {
        .name = "mintgate-bench-minter",
        .usage = "usage: mintgate-bench-minter --socket PATH --key-type TYPE [--offered] [--watch PID]\n"
                 "                             [--issuers FILE --tbs FILE]\n"
                 "A helper of mintgate-bench, which starts it.\n",
        .options = options,
        .num_options = MG_ARRAY_LEN(options),
    };
    struct mimic *mimic;
    int done = mg_options_parse(&program, argc, argv);
    if (done >= 0) {
        return done;
    }
    if (socket_path == NULL || !key_type_of(type, &key_type)) {
        return mg_options_wrong(&program, "--socket and a --key-type are needed");
    }
    init(&mimic);
    if (issuers_path != NULL && tbs_path != NULL) {
        write_tbs(issuers_path, tbs_path);
    }
    role = offered ? WIRE_ISSUER_OFFERED : WIRE_ISSUER_DEFAULT;
    mg_rcu_offline();
    int status = probe_serve(
        &(struct probe_helper){.probes = probes, .num_probes = MG_ARRAY_LEN(probes), .watched = atoi(watched)});
    mg_rcu_online();
    leaf_keys_free(leaf_keys);
    mimic_unref(mimic);
    mg_rcu_thread_stop();
    return status;
}
