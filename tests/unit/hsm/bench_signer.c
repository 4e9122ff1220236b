/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of the raw rate of crypto_mb is left: inside the signer (parsing, policy, hash, journal, encoding), and over
 * its socket; and the same without the lanes, against OpenSSL alone. All rates are taken in turn in one run, several
 * times over; the median of each counts. Run it by hand on a quiet machine: meson test --benchmark.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/rand.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef MINTGATE_HAVE_CRYPTO_MB
#include <crypto_mb/ec_nistp256.h>
#endif

#include "base/clock.h"
#include "base/log.h"
#include "hsm/backend_software.h"
#include "hsm/ecdsa.h"
#include "hsm/lanes.h"
#include "hsm/signing_loop.h"
#include "signer_fixture.h"
#include "temp_dir.h"

#define NUM_ROUNDS 15
#define NUM_TBS 64
#define BATCHES_IN_FLIGHT 8

static struct mg_buffer tbs[NUM_TBS];

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values)
{
    qsort(values, NUM_ROUNDS, sizeof(*values), compare);
    return values[NUM_ROUNDS / 2];
}

/* The raw rates */

#ifdef MINTGATE_HAVE_CRYPTO_MB
/* raw_lanes is crypto_mb's own call and fresh nonces, and nothing else: signatures a second. */
static double raw_lanes(void)
{
    static uint8_t order[32], key[32], digests[8][32], random[8][32], nonces[8][32], r[8][32], s[8][32];
    static int64u key_words[4], nonce_words[8][4];
    const int8u *digest_pointers[8];
    const int64u *key_pointers[8], *nonce_pointers[8];
    int8u *r_pointers[8], *s_pointers[8];
    EVP_MD_CTX *sha512 = EVP_MD_CTX_new();
    EVP_DigestInit_ex2(sha512, EVP_sha512(), NULL);
    memset(order, 0xff, sizeof(order));
    order[4] = 0;
    RAND_bytes(key, sizeof(key));
    RAND_bytes(digests[0], sizeof(digests)); /* crypto_mb refuses a digest of zero */
    RAND_bytes((uint8_t *)key_words, sizeof(key_words));
    key_words[3] >>= 1;
    for (int i = 0; i < 8; i++) {
        digest_pointers[i] = digests[i];
        key_pointers[i] = key_words;
        nonce_pointers[i] = nonce_words[i];
        r_pointers[i] = r[i];
        s_pointers[i] = s[i];
    }
    const int batches = 400;
    double start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int batch = 0; batch < batches; batch++) {
        RAND_priv_bytes(random[0], sizeof(random));
        for (int i = 0; i < 8; i++) {
            if (!ecdsa_nonce(sha512, order, key, 32, mg_slice_of(digests[i], 32), random[i], nonces[i])) {
                i--;
                continue;
            }
            memcpy(nonce_words[i], nonces[i], 32);
            nonce_words[i][3] >>= 1;
        }
        assert_int_equal(
            mbx_nistp256_ecdsa_sign_mb8(r_pointers, s_pointers, digest_pointers, nonce_pointers, key_pointers, NULL),
            0);
    }
    double rate = batches * 8 / (seconds(CLOCK_THREAD_CPUTIME_ID) - start);
    EVP_MD_CTX_free(sha512);
    return rate;
}
#else
static double raw_lanes(void)
{
    return 0;
}
#endif

/* raw_single is OpenSSL's EVP_PKEY_sign with a context that is kept. */
static double raw_single(const struct issuers_fixture *fixture)
{
    EVP_PKEY *key = keystore_find0_origin(fixture->store, KEY_ORIGIN_BUILTIN_ISSUING)->pkey;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    uint8_t digest[32] = {1}, signature[128];
    EVP_PKEY_sign_init(context);
    const int count = 1000;
    double start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < count; i++) {
        size_t len = sizeof(signature);
        EVP_PKEY_sign(context, signature, &len, digest, sizeof(digest));
    }
    double rate = count / (seconds(CLOCK_THREAD_CPUTIME_ID) - start);
    EVP_PKEY_CTX_free(context);
    return rate;
}

/* Inside the signer: admission, journal, signatures. */

static void ignore_done(struct backend_job *job)
{
    (void)job;
}

static double inside(struct leaf_signer *signer, const struct issuer *issuer, int batches)
{
    static struct leaf_request requests[NUM_TBS];
    struct leaf_request *pointers[NUM_TBS];
    struct mg_error error;
    double start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int batch = 0; batch < batches; batch++) {
        for (int i = 0; i < NUM_TBS; i++) {
            pointers[i] = &requests[i];
            requests[i].job.done = ignore_done;
            assert_int_equal(
                leaf_signer_admit(signer, issuer, mg_buffer_slice(&tbs[i]), time(NULL), &requests[i], &error),
                WIRE_SIGN_OK);
        }
        assert_int_equal(leaf_signer_sign(signer, pointers, NUM_TBS, mg_clock_wall_us(), &error), MG_OK);
    }
    return batches * NUM_TBS / (seconds(CLOCK_THREAD_CPUTIME_ID) - start);
}

static double inside_admission_alone(struct leaf_signer *signer, const struct issuer *issuer)
{
    static struct leaf_request request;
    struct mg_error error;
    const int count = 20000;
    double start = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < count; i++) {
        assert_int_equal(
            leaf_signer_admit(signer, issuer, mg_buffer_slice(&tbs[i % NUM_TBS]), 1800000000, &request, &error),
            WIRE_SIGN_OK);
    }
    return (seconds(CLOCK_THREAD_CPUTIME_ID) - start) / count * 1e6;
}

/* Over the socket: a client that keeps several batches in flight. */

static void send_batch(struct client *client, const struct wire_key_id *key, uint64_t *id)
{
    client_begin(client);
    for (int i = 0; i < 32; i++) {
        client_add(client, *id, key, mg_buffer_slice(&tbs[*id % NUM_TBS]), 0);
        (*id)++;
    }
    client_send(client);
}

/* over_socket returns signatures per second of the signing thread's own CPU time; *wall_rate those per second. */
static double over_socket(struct client *client, const struct wire_key_id *key, clockid_t signer_clock, int batches,
                          double *wall_rate)
{
    uint64_t id = 0, num_done = 0;
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(signer_clock);
    for (int i = 0; i < BATCHES_IN_FLIGHT; i++) {
        send_batch(client, key, &id);
    }
    while (num_done < (uint64_t)batches * 32) {
        client_receive(client);
        for (size_t i = 0; i < client->num_results; i++) {
            assert_int_equal(client->results[i].status, WIRE_SIGN_OK);
        }
        num_done += client->num_results;
        while (id < (uint64_t)batches * 32 && id - num_done <= (BATCHES_IN_FLIGHT - 1) * 32) {
            send_batch(client, key, &id);
        }
    }
    cpu = seconds(signer_clock) - cpu;
    *wall_rate = (double)num_done / (seconds(CLOCK_MONOTONIC) - wall);
    return (double)num_done / cpu;
}

/* lone_latency is the median round trip of one request at a time, in microseconds. */
static double lone_latency(struct client *client, const struct wire_key_id *key)
{
    static double values[1001];
    for (size_t i = 0; i < MG_ARRAY_LEN(values); i++) {
        double start = seconds(CLOCK_MONOTONIC);
        assert_int_equal(client_ask(client, i, key, mg_buffer_slice(&tbs[0]), 0).status, WIRE_SIGN_OK);
        values[i] = (seconds(CLOCK_MONOTONIC) - start) * 1e6;
    }
    qsort(values, MG_ARRAY_LEN(values), sizeof(*values), compare);
    return values[MG_ARRAY_LEN(values) / 2];
}

static void measure(bool use_lanes)
{
    struct issuers_fixture fixture;
    struct journal *journal;
    struct leaf_signer *signer;
    struct signing_loop *loop;
    struct client *client = malloc(sizeof(*client));
    struct wire_issuers *issuers = malloc(sizeof(*issuers));
    int sockets[2];
    temp_dir_make(NULL);
    issuers_open(&fixture, WIRE_KEY_EC_P256, use_lanes);
    const struct issuer *issuer = issuers_with_role(&fixture, WIRE_ISSUER_DEFAULT);
    for (uint64_t i = 0; i < NUM_TBS; i++) {
        mg_buffer_init(&tbs[i], 4096);
        fixture_write_leaf(&tbs[i], &issuer->facts, "a-name-of-usual-length.example.com", i);
    }
    struct journal_config journal_config = {.directory = temp_path("journal"), .rotate_bytes = 64 << 20};
    assert_int_equal(journal_open(&journal, &journal_config, mg_clock_wall_us(), NULL), MG_OK);
    struct signing_loop_config config = {
        .signer = {.backends = {fixture.backend},
                   .num_backends = 1,
                   .journal = journal,
                   .max_validity_seconds = LEAF_POLICY_DEFAULT_MAX_VALIDITY},
        .issuers = fixture.issuers,
        .queue = 4096,
    };
    assert_int_equal(leaf_signer_new(&signer, &config.signer, NULL), MG_OK);
    assert_int_equal(signing_loop_start(&loop, &config, NULL), MG_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
    signing_loop_add(loop, sockets[0]);
    client_open(client, sockets[1]);
    client_hello(client, issuers);
    clockid_t signer_clock;
    assert_true(signing_loop_cpu_clock(loop, &signer_clock));

    double raw[NUM_ROUNDS], in[NUM_ROUNDS], out[NUM_ROUNDS], wall[NUM_ROUNDS], admission[NUM_ROUNDS];
    for (int i = 0; i < NUM_ROUNDS; i++) {
        raw[i] = use_lanes ? raw_lanes() : raw_single(&fixture);
        in[i] = inside(signer, issuer, use_lanes ? 60 : 15);
        out[i] = over_socket(client, &issuer->key_id, signer_clock, use_lanes ? 120 : 30, &wall[i]);
        admission[i] = inside_admission_alone(signer, issuer);
    }
    double raw_rate = median(raw), in_rate = median(in), out_rate = median(out), wall_rate = median(wall);
    printf("P-256, %s, leaf of %zu bytes\n", use_lanes ? "eight lanes (crypto_mb)" : "one by one (OpenSSL)",
           tbs[0].len);
    printf("  raw, fresh nonces            %8.0f /s\n", raw_rate);
    printf("  inside the signer            %8.0f /s   %.2f of raw\n", in_rate, in_rate / raw_rate);
    printf("    of which parse+policy+hash %8.2f us\n", median(admission));
    printf("  over the socket, signer CPU  %8.0f /s   %.2f of raw\n", out_rate, out_rate / raw_rate);
    printf("  over the socket, wall clock  %8.0f /s\n", wall_rate);
    printf("  a lone request's round trip  %8.1f us (a raw signature: %.1f us)\n",
           lone_latency(client, &issuer->key_id), 1e6 / raw_single(&fixture));

    client_close(client);
    signing_loop_drain(loop);
    signing_loop_join(loop);
    leaf_signer_free(signer);
    journal_close(journal);
    issuers_close(&fixture);
    for (size_t i = 0; i < NUM_TBS; i++) {
        mg_buffer_free(&tbs[i]);
    }
    free(issuers);
    free(client);
    temp_dir_remove(NULL);
}

int main(void)
{
    mg_log_init("bench", MG_LOG_WARNING);
    if (lanes_available()) {
        measure(true);
    }
    measure(false);
    return 0;
}
