/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of a token's raw rate is left: C_Sign called by N threads in one process, against mintgate-token with N
 * sessions over its socket, against the whole signer (engine's socket, parsing, policy, hash, journal, mintgate-token).
 * The three are taken in turn in one run, several times over; the median of each counts. SoftHSM2 is the token. Run it
 * by hand on a quiet machine: meson test --benchmark bench_tokens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "hsm/backend_pkcs11.h"
#include "hsm/token/signature.h"
#include "hsm/token_launch.h"
#include "signer_fixture.h"
#include "signer_process.h"
#include "temp_dir.h"
#include "token_fixture.h"
#include "token_minter.h"

#define NUM_THREADS 2
#define NUM_ROUNDS 7
#define ROUND_NS (UINT64_C(600) * 1000000)
#define BATCH 64
#define BATCHES_IN_FLIGHT 4

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

static double rate_of(uint64_t count, uint64_t start_ns)
{
    return (double)count * 1e9 / (double)(mg_clock_monotonic_ns() - start_ns);
}

/* Raw: the module's own function in this process. */

static struct token raw_token;
static _Atomic bool raw_is_over;
static _Atomic uint64_t raw_count;

struct raw_thread {
    pthread_t thread;
    struct object_session session;
    CK_OBJECT_HANDLE key;
    const struct key_type *type;
};

static void *raw_run(void *arg)
{
    struct raw_thread *raw = arg;
    uint8_t digest[48] = {1}, out[WIRE_TOKEN_MAX_SIGNATURE];
    struct token_error error;
    size_t len;
    while (!atomic_load_explicit(&raw_is_over, memory_order_relaxed)) {
        assert_int_equal(token_sign(&raw->session, raw->key, raw->type, WIRE_TOKEN_SHA256, mg_slice_of(digest, 32), out,
                                    &len, &error),
                         WIRE_TOKEN_OK);
        atomic_fetch_add_explicit(&raw_count, 1, memory_order_relaxed);
    }
    return NULL;
}

static double raw_rate(const struct minter *minter, const struct key_type *type)
{
    static struct raw_thread threads[NUM_THREADS];
    struct token_error error;
    if (raw_token.functions == NULL) {
        assert_int_equal(token_open(&raw_token, softhsm_module(), "one", TOKEN_PIN, &error), WIRE_TOKEN_OK);
        for (size_t i = 0; i < NUM_THREADS; i++) {
            threads[i].session.functions = raw_token.functions;
            assert_int_equal(token_new_session(&raw_token, &threads[i].session.session, &error), WIRE_TOKEN_OK);
        }
    }
    raw_is_over = false;
    raw_count = 0;
    uint64_t start_ns = mg_clock_monotonic_ns();
    for (size_t i = 0; i < NUM_THREADS; i++) {
        threads[i].type = type;
        assert_int_equal(objects_find_private(&threads[i].session, &minter->id, &threads[i].key, &error),
                         WIRE_TOKEN_OK);
        assert_int_equal(pthread_create(&threads[i].thread, NULL, raw_run, &threads[i]), 0);
    }
    (void)poll(NULL, 0, (int)(ROUND_NS / 1000000));
    double rate = rate_of(raw_count, start_ns);
    raw_is_over = true;
    for (size_t i = 0; i < NUM_THREADS; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    return rate;
}

/* Over a socket, from here to mintgate-token, or to the signer: packets made once, several in flight. */

struct pipe {
    int fd;
    struct mg_buffer packet; /* a batch */
    size_t (*count)(struct mg_slice packet);
};

static size_t count_results(struct mg_slice packet)
{
    static struct wire_token_result results[WIRE_TOKEN_MAX_BATCH];
    size_t count;
    assert_int_equal(wire_token_decode_signed(packet, results, &count, NULL), MG_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(results[i].status, WIRE_TOKEN_OK);
    }
    return count;
}

static size_t count_signed(struct mg_slice packet)
{
    static struct wire_sign_result results[WIRE_SIGNER_MAX_BATCH];
    size_t count;
    assert_int_equal(wire_signer_decode_signed(packet, results, &count, NULL), MG_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(results[i].status, WIRE_SIGN_OK);
    }
    return count;
}

static void send_packet(const struct pipe *pipe)
{
    struct pollfd fd = {.fd = pipe->fd, .events = POLLOUT};
    assert_int_equal(poll(&fd, 1, 60000), 1);
    assert_int_equal(send(pipe->fd, pipe->packet.data, pipe->packet.len, MSG_NOSIGNAL), (ssize_t)pipe->packet.len);
}

static size_t receive_packet(const struct pipe *pipe)
{
    static uint8_t packet[WIRE_SIGNER_MAX_PACKET];
    struct pollfd fd = {.fd = pipe->fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 60000), 1);
    ssize_t len = recv(pipe->fd, packet, sizeof(packet), 0);
    assert_true(len > 0);
    return pipe->count(mg_slice_of(packet, (size_t)len));
}

static double pipe_rate(const struct pipe *pipe)
{
    uint64_t start_ns = mg_clock_monotonic_ns(), num_sent = 0, num_done = 0;
    do {
        while (num_sent - num_done < BATCHES_IN_FLIGHT * BATCH && mg_clock_monotonic_ns() - start_ns < ROUND_NS) {
            send_packet(pipe);
            num_sent += BATCH;
        }
        num_done += receive_packet(pipe);
    } while (num_done < num_sent);
    return rate_of(num_done, start_ns);
}

/* Setting up */

static struct token_ends ends;

static void start_token(void)
{
    static struct token_config config = {.name = "bench", .token = "one"};
    uint8_t digest[TOKEN_PIN_DIGEST_LEN], packet[4096];
    struct mg_error error = {""};
    int launcher;
    snprintf(config.module, sizeof(config.module), "%s", softhsm_module());
    snprintf(config.pin_file, sizeof(config.pin_file), "%s", temp_path("pin"));
    if (token_launcher_start(TOKEN_PROGRAM, &launcher, &error) != MG_OK ||
        token_launch(launcher, &config, 0, 1, NUM_THREADS, &ends, digest, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    struct pollfd fd = {.fd = ends.control, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 60000), 1);
    ssize_t len = recv(ends.control, packet, sizeof(packet), 0);
    struct wire_token_ready ready;
    assert_int_equal(wire_token_decode_ready(mg_slice_of(packet, (size_t)len), &ready, &error), MG_OK);
    assert_int_equal(ready.status, WIRE_TOKEN_OK);
}

static void open_token_pipe(struct pipe *pipe, const struct minter *minter)
{
    static uint8_t digests[BATCH][32];
    static struct wire_token_sign sign;
    struct wire_control_request request = {.call = WIRE_CONTROL_PUBLIC_KEY, .key_id = minter->id};
    ask_well(&request);
    const uint8_t *der = control.reply.der.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &der, (long)control.reply.der.len);
    sign.digest = WIRE_TOKEN_SHA256;
    sign.num_jobs = BATCH;
    assert_int_equal(backend_pkcs11_key_ref(&minter->id, key, &sign.key, NULL), MG_OK);
    for (size_t i = 0; i < BATCH; i++) {
        digests[i][0] = (uint8_t)i;
        sign.jobs[i].id = i;
        sign.jobs[i].octets = mg_slice_of(digests[i], 32);
    }
    *pipe = (struct pipe){.fd = ends.lanes[0], .count = count_results};
    mg_buffer_init(&pipe->packet, WIRE_TOKEN_MAX_PACKET);
    wire_token_encode_sign(&pipe->packet, &sign);
    EVP_PKEY_free(key);
}

static void open_signer_pipe(struct pipe *pipe, const struct minter *minter)
{
    static struct client client;
    struct wire_issuers issuers;
    client_open(&client, signer_connect_engine());
    client_hello(&client, &issuers);
    client_begin(&client);
    for (size_t i = 0; i < BATCH; i++) {
        struct mg_buffer tbs;
        mg_buffer_init(&tbs, 4096);
        fixture_write_leaf(&tbs, &minter->facts, "www.example.com", i + 1);
        client_add(&client, i, &minter->id, mg_buffer_slice(&tbs), 0);
        mg_buffer_free(&tbs);
    }
    *pipe = (struct pipe){.fd = client.fd, .packet = client.out, .count = count_signed};
}

static void measure(const struct minter *minter, enum wire_key_type type)
{
    const struct key_type *key_type = key_type_get0(type);
    double raw[NUM_ROUNDS], token[NUM_ROUNDS], signer[NUM_ROUNDS];
    struct pipe to_token, to_signer;
    open_token_pipe(&to_token, minter);
    open_signer_pipe(&to_signer, minter);
    for (size_t i = 0; i < NUM_ROUNDS; i++) {
        raw[i] = raw_rate(minter, key_type);
        token[i] = pipe_rate(&to_token);
        signer[i] = pipe_rate(&to_signer);
    }
    double reference = median(raw), through_token = median(token), through_signer = median(signer);
    printf("%s, %d threads: raw C_Sign %.0f/s, mintgate-token %.0f/s (%.2f), signer %.0f/s (%.2f)\n", key_type->name,
           NUM_THREADS, reference, through_token, through_token / reference, through_signer,
           through_signer / reference);
    close(to_signer.fd);
    mg_buffer_free(&to_token.packet);
    mg_buffer_free(&to_signer.packet);
}

static void measure_both_types(void **state)
{
    char text[4096];
    (void)state;
    softhsm_new_token("one");
    assert_int_equal(mg_file_write_atomic(temp_path("pin"), mg_slice_of_text(TOKEN_PIN), 0600, NULL), MG_OK);
    snprintf(text, sizeof(text), "  tokens:\n    - {name: bench, module: %s, token: one, pin_file: %s, sessions: %d}\n",
             softhsm_module(), temp_path("pin"), NUM_THREADS);
    signer_write_config(text);
    signer_start();
    wait_until_up("bench");
    struct minter *ec = make_minter("bench", WIRE_KEY_EC_P256, 1), *rsa = make_minter("bench", WIRE_KEY_RSA_2048, 2);
    start_token();
    measure(ec, WIRE_KEY_EC_P256);
    measure(rsa, WIRE_KEY_RSA_2048);
    free(ec);
    free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(measure_both_types, softhsm_begin, signer_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
