/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mintgate-bench-software KEY_TYPE auto|off THREADS: for mintgate-bench, a mintgate-signer with an issuer of that type,
 * crypto_mb allowed or not, and so many signing threads; the signer's own work in this process, without its socket;
 * what the libraries make of signatures alone; and certificates as one writes them with OpenSSL, one X509_sign each.
 *
 * It writes issuers.bin, the packet that an engine would get, and reads tbs.bin, TBSCertificates for that issuer
 * (bench/probes/minter.c), when they are first needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "bench/probe.h"
#include "bench/probes/by_hand.h"
#include "bench/probes/raw_lanes.h"
#include "hsm/leaf_signer.h"
#include "tests/unit/hsm/signer_fixture.h"
#include "tests/unit/hsm/signer_process.h"
#include "tests/unit/hsm/temp_dir.h"

#define NUM_TBS 64
#define MAX_TBS_FILE (4 << 20)

static struct issuers_fixture fixture;
static struct journal *journal;
static const struct issuer *issuer;
static EVP_PKEY *issuing_key; /* the fixture's */

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mintgate-bench-software: %s\n", what);
    exit(1);
}

/* ---- signatures alone ---- */

static void *raw_lanes_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    struct raw_lanes *lanes = raw_lanes_new(issuing_key);
    (void)thread;
    (void)num_threads;
    (void)parameter;
    if (lanes == NULL) {
        die("crypto_mb cannot be used here");
    }
    return lanes;
}

static size_t raw_lanes_step(void *state)
{
    size_t num_made = raw_lanes_sign(state);
    if (num_made == 0) {
        die("crypto_mb does not sign");
    }
    return num_made;
}

static void raw_lanes_teardown(void *state)
{
    raw_lanes_free(state);
}

static void *raw_single_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(issuing_key, NULL);
    (void)thread;
    (void)num_threads;
    (void)parameter;
    if (context == NULL || EVP_PKEY_sign_init(context) != 1 ||
        EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) < 1) {
        die("OpenSSL cannot sign");
    }
    return context;
}

static size_t raw_single_step(void *state)
{
    static const uint8_t digest[32] = {1};
    uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE];
    size_t len = sizeof(signature);
    if (EVP_PKEY_sign(state, signature, &len, digest, sizeof(digest)) != 1) {
        die("OpenSSL does not sign");
    }
    return 1;
}

static void raw_single_teardown(void *state)
{
    EVP_PKEY_CTX_free(state);
}

/* ---- inside the signer: parsing, policy, hash, journal, signature ---- */

struct inside {
    struct leaf_signer *signer;
    struct mg_buffer file; /* what |tbs| borrows from */
    struct mg_slice tbs[NUM_TBS];
    struct leaf_request requests[NUM_TBS];
    size_t num_done, batch;
};

/* read_tbs reads those of leaves whose key is of the |kind|th type. */
static void read_tbs(struct inside *inside, size_t kind)
{
    struct mg_error error;
    mg_buffer_init(&inside->file, MAX_TBS_FILE);
    if (mg_file_read(temp_path("tbs.bin"), &inside->file, &error) != MG_OK) {
        die(error.text);
    }
    struct mg_slice rest = mg_buffer_slice(&inside->file);
    for (size_t i = 0; i < (kind + 1) * NUM_TBS; i++) {
        if (!mg_slice_prefixed_u32(&rest, &inside->tbs[i % NUM_TBS])) {
            die("tbs.bin is cut short");
        }
    }
}

static struct inside *inside_new(size_t kind, unsigned long batch)
{
    struct inside *inside = calloc(1, sizeof(*inside));
    struct leaf_signer_config config = {.backends = {fixture.backend},
                                        .num_backends = 1,
                                        .journal = journal,
                                        .max_validity_seconds = LEAF_POLICY_DEFAULT_MAX_VALIDITY};
    struct mg_error error;
    if (inside == NULL || batch == 0 || batch > NUM_TBS || leaf_signer_new(&inside->signer, &config, &error) != MG_OK) {
        die("cannot begin");
    }
    inside->batch = batch;
    read_tbs(inside, kind);
    return inside;
}

static void *inside_setup(unsigned thread, unsigned num_threads, unsigned long batch)
{
    (void)thread;
    (void)num_threads;
    return inside_new(0, batch);
}

static void *inside_setup_rsa_leaves(unsigned thread, unsigned num_threads, unsigned long batch)
{
    (void)thread;
    (void)num_threads;
    return inside_new(1, batch);
}

static void inside_done(struct backend_job *job)
{
    if (job->signature_len == 0) {
        die("the signer does not sign");
    }
}

static size_t inside_step(void *state)
{
    struct inside *inside = state;
    struct leaf_request *pointers[NUM_TBS];
    struct mg_error error;
    int64_t now_us = mg_clock_wall_us();
    for (size_t i = 0; i < inside->batch; i++) {
        pointers[i] = &inside->requests[i];
        pointers[i]->job.done = inside_done;
        if (leaf_signer_admit(inside->signer, issuer, inside->tbs[i], now_us / 1000000, pointers[i], &error) !=
            WIRE_SIGN_OK) {
            die(error.text);
        }
    }
    if (leaf_signer_sign(inside->signer, pointers, inside->batch, now_us, &error) != MG_OK) {
        die(error.text);
    }
    return inside->batch;
}

static void inside_teardown(void *state)
{
    struct inside *inside = state;
    leaf_signer_free(inside->signer);
    mg_buffer_free(&inside->file);
    free(inside);
}

/* ---- as one writes it with OpenSSL ---- */

static void *x509_setup(unsigned thread, unsigned num_threads, unsigned long parameter)
{
    struct mg_slice certificate = keystore_find0_origin(fixture.store, KEY_ORIGIN_BUILTIN_ISSUING)->chain[0];
    struct by_hand *by_hand = by_hand_new(certificate, issuing_key);
    (void)thread;
    (void)num_threads;
    (void)parameter;
    if (by_hand == NULL) {
        die("OpenSSL cannot begin");
    }
    return by_hand;
}

static size_t x509_step(void *state)
{
    if (!by_hand_make(state)) {
        die("OpenSSL makes no certificate");
    }
    return 1;
}

static void x509_teardown(void *state)
{
    by_hand_free(state);
}

static const struct probe probes[] = {
    {.name = "lanes", .setup = raw_lanes_setup, .step = raw_lanes_step, .teardown = raw_lanes_teardown},
    {.name = "single", .setup = raw_single_setup, .step = raw_single_step, .teardown = raw_single_teardown},
    {.name = "inside", .setup = inside_setup, .step = inside_step, .teardown = inside_teardown},
    {.name = "inside-rsa-leaves", .setup = inside_setup_rsa_leaves, .step = inside_step, .teardown = inside_teardown},
    {.name = "x509", .setup = x509_setup, .step = x509_step, .teardown = x509_teardown},
};

/* ---- the issuer, the signer ---- */

static const struct key_type *key_type_called(const char *word)
{
    for (enum wire_key_type type = WIRE_KEY_EC_P256; type <= WIRE_KEY_RSA_4096; type++) {
        if (strcmp(key_type_get0(type)->name, word) == 0) {
            return key_type_get0(type);
        }
    }
    return NULL;
}

static void begin(const struct key_type *type, const char *crypto_mb, unsigned num_threads)
{
    struct mg_error error = {""};
    if (temp_dir_make(NULL) != 0) {
        die("cannot make a directory");
    }
    issuers_open(&fixture, type->type, strcmp(crypto_mb, "off") != 0);
    issuer = issuers_with_role(&fixture, WIRE_ISSUER_DEFAULT);
    issuing_key = keystore_find0_origin(fixture.store, KEY_ORIGIN_BUILTIN_ISSUING)->pkey;
    struct journal_config config = {.directory = temp_path("journal"), .rotate_bytes = 64 << 20};
    if (journal_open(&journal, &config, mg_clock_wall_us(), &error) != MG_OK ||
        mg_file_write_atomic(temp_path("issuers.bin"), mg_buffer_slice(&fixture.issuers->packet), 0600, &error) !=
            MG_OK) {
        die(error.text);
    }
    signer_process.key_type = type->name;
    signer_process.crypto_mb = crypto_mb;
    signer_process.num_threads = num_threads;
    signer_write_config("");
    signer_start();
}

int main(int argc, char **argv)
{
    const struct key_type *type = argc == 4 ? key_type_called(argv[1]) : NULL;
    unsigned num_threads = 0;
    if (type == NULL || sscanf(argv[3], "%u", &num_threads) != 1 || num_threads == 0) {
        fprintf(
            stderr,
            "usage: mintgate-bench-software KEY_TYPE auto|off THREADS\nA helper of mintgate-bench, which starts it.\n");
        return 2;
    }
    mg_log_init("mintgate-bench-software", MG_LOG_WARNING);
    begin(type, argv[2], num_threads);
    int status = probe_serve(&(struct probe_helper){
        .probes = probes, .num_probes = MG_ARRAY_LEN(probes), .server = signer_process.pid, .directory = temp_dir});
    journal_close(journal);
    issuers_close(&fixture);
    (void)signer_end(NULL);
    return status;
}
