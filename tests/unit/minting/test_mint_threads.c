/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads with a client each, one signer that is killed and restarted under them, answers late, twice or not at
 * all, and leaf keys that are replaced meanwhile: every job ends exactly once. For ThreadSanitizer above all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "cache/rcu.h"
#include "certs.h"
#include "minting/mint_client.h"
#include "minting/validity.h"

#define NUM_CLIENTS 3
#define JOBS_PER_CLIENT 600
#define JOBS_AT_A_TIME 40
#define MAX_CONNECTIONS 16

static struct certs_pki pki;
static struct issuer *issuer;
static struct leaf_keys *leaf_keys;
static struct mimic *mimic;
static struct leaf_names names;
static char path[64];
static atomic_bool stop;

/* The signer. */
struct signer {
    struct pollfd fds[1 + MAX_CONNECTIONS]; /* the first listens */
    nfds_t num_fds;
    unsigned num_requests; /* since it started */
};

static void signer_listen(struct signer *signer)
{
    *signer = (struct signer){.num_fds = 1};
    signer->fds[0].events = POLLIN;
    certs_must(mg_unix_listen(path, SOCK_SEQPACKET, 0600, &signer->fds[0].fd, NULL) == MG_OK);
}

static void signer_die(struct signer *signer)
{
    for (nfds_t i = 0; i < signer->num_fds; i++) {
        close(signer->fds[i].fd);
    }
    unlink(path);
}

static void signer_welcome(struct signer *signer)
{
    int fd;
    if (signer->num_fds > MAX_CONNECTIONS || mg_unix_accept(signer->fds[0].fd, &fd, NULL) != MG_OK) {
        return;
    }
    signer->fds[signer->num_fds++] = (struct pollfd){.fd = fd, .events = POLLIN};
    struct wire_issuers issuers = {.issuers = {pki.wire}, .num_issuers = 1};
    struct mg_buffer out;
    mg_buffer_init(&out, WIRE_SIGNER_MAX_PACKET);
    wire_signer_encode_issuers(&out, &issuers);
    (void)send(fd, out.data, out.len, MSG_NOSIGNAL);
    mg_buffer_free(&out);
}

/* Adds the answer to |request|: mostly one, now and then none, or two. */
static void signer_answer(struct signer *signer, struct mg_buffer *out, const struct wire_sign_request *request)
{
    struct mg_buffer signature;
    mg_buffer_init(&signature, WIRE_SIGNER_MAX_SIGNATURE);
    certs_sign(&signature, pki.key, request->tbs);
    const struct wire_sign_result result = {
        .id = request->id, .status = WIRE_SIGN_OK, .signature = mg_buffer_slice(&signature)};
    unsigned num_answers = signer->num_requests % 37 == 36 ? 0 : signer->num_requests % 11 == 10 ? 2 : 1;
    for (unsigned i = 0; i < num_answers; i++) {
        if (!wire_signer_add_signed(out, &result)) {
            break;
        }
    }
    mg_buffer_free(&signature);
}

static void signer_serve(struct signer *signer, nfds_t i)
{
    static uint8_t packet[WIRE_SIGNER_MAX_PACKET];
    struct wire_sign_request requests[WIRE_SIGNER_MAX_BATCH];
    size_t num_requests;
    ssize_t len = recv(signer->fds[i].fd, packet, sizeof(packet), MSG_DONTWAIT);
    if (len <= 0) {
        close(signer->fds[i].fd);
        signer->fds[i] = signer->fds[--signer->num_fds];
        return;
    }
    if (packet[0] == WIRE_SIGNER_HELLO) {
        return;
    }
    certs_must(wire_signer_decode_sign(mg_slice_of(packet, (size_t)len), requests, &num_requests, NULL) == MG_OK);
    struct mg_buffer out;
    mg_buffer_init(&out, WIRE_SIGNER_MAX_PACKET);
    wire_signer_begin_signed(&out);
    for (size_t j = 0; j < num_requests; j++) {
        signer->num_requests++;
        signer_answer(signer, &out, &requests[j]);
    }
    if (wire_signer_end_batch(&out) > 0) {
        (void)send(signer->fds[i].fd, out.data, out.len, MSG_NOSIGNAL);
    }
    mg_buffer_free(&out);
}

static void *run_signer(void *arg)
{
    (void)arg;
    struct signer signer;
    signer_listen(&signer);
    while (!atomic_load(&stop)) {
        certs_must(poll(signer.fds, signer.num_fds, 10) >= 0);
        signer_welcome(&signer);
        for (nfds_t i = signer.num_fds; i-- > 1;) {
            if (signer.fds[i].revents != 0) {
                signer_serve(&signer, i);
            }
        }
        if (signer.num_requests > 250) {
            signer_die(&signer);
            usleep(20000);
            signer_listen(&signer);
        }
    }
    signer_die(&signer);
    return NULL;
}

/* A client with its thread. */
struct worker {
    struct mint_client *client;
    size_t num_submitted, num_under_way, num_minted, num_failed;
    unsigned char ends[JOBS_PER_CLIENT]; /* how often each job ended */
    struct job_arg {
        struct worker *worker;
        size_t i;
    } args[JOBS_PER_CLIENT];
};

static void on_issuers(void *arg, const struct wire_issuers *issuers)
{
    (void)arg;
    certs_must(issuers->num_issuers == 1);
}

static void on_done(void *arg, const struct mint_outcome *outcome)
{
    struct job_arg *job = arg;
    struct worker *worker = job->worker;
    worker->ends[job->i]++;
    worker->num_under_way--;
    if (outcome->result == MINT_OK) {
        worker->num_minted++;
        cache_value_unref(&outcome->leaf->value);
    } else {
        certs_must(outcome->result == MINT_TIMED_OUT);
        worker->num_failed++;
    }
}

static void submit_some(struct worker *worker, uint64_t now_ns)
{
    while (worker->num_under_way < JOBS_AT_A_TIME && worker->num_submitted < JOBS_PER_CLIENT) {
        struct job_arg *arg = &worker->args[worker->num_submitted];
        *arg = (struct job_arg){worker, worker->num_submitted++};
        const struct mint_job job = {
            .issuer = issuer,
            .names = &names,
            .key_type = LEAF_KEY_EC_P256,
            .now = CERTS_NOW,
            .done = on_done,
            .arg = arg,
            .verify = true,
        };
        certs_must(mint_client_submit(worker->client, &job, now_ns, NULL) == MG_OK);
        worker->num_under_way++;
    }
    mint_client_flush(worker->client, now_ns);
}

static void wait_for(struct mint_client *client, uint64_t now_ns)
{
    uint64_t next_ns = mint_client_next_timeout_ns(client);
    uint64_t wait_ms = next_ns <= now_ns ? 0 : (next_ns - now_ns) / MG_NS_PER_MS + 1;
    struct pollfd fd = {.fd = mint_client_fd(client), .events = POLLIN};
    mg_rcu_offline();
    (void)poll(&fd, 1, wait_ms > 100 ? 100 : (int)wait_ms);
    mg_rcu_online();
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    const struct mint_client_options options = {
        .socket_path = path,
        .leaf_keys = leaf_keys,
        .max_jobs = JOBS_AT_A_TIME,
        .timeout_ns = 500 * MG_NS_PER_MS,
        .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS,
    };
    const struct mint_client_callbacks callbacks = {.issuers = on_issuers};
    certs_must(mg_rcu_thread_start() == MG_OK);
    certs_must(mint_client_new(&worker->client, &options, &callbacks, NULL) == MG_OK);
    while (worker->num_submitted < JOBS_PER_CLIENT || worker->num_under_way > 0) {
        uint64_t now_ns = mg_clock_monotonic_ns();
        mint_client_process(worker->client, now_ns);
        submit_some(worker, now_ns);
        wait_for(worker->client, now_ns);
    }
    mg_rcu_thread_stop();
    return NULL;
}

static void check_worker(struct worker *worker)
{
    const struct mint_client_counters *counters = mint_client_counters(worker->client);
    for (size_t i = 0; i < JOBS_PER_CLIENT; i++) {
        assert_int_equal(worker->ends[i], 1);
    }
    assert_int_equal(worker->num_minted + worker->num_failed, JOBS_PER_CLIENT);
    assert_true(worker->num_minted > 0);
    assert_int_equal(mg_counter_get(&counters->requested), JOBS_PER_CLIENT);
    assert_int_equal(mg_counter_get(&counters->minted), worker->num_minted);
    assert_int_equal(mg_counter_get(&counters->timed_out), worker->num_failed);
    assert_int_equal(mg_counter_get(&counters->bad_signatures), 0);
    assert_int_equal(mg_counter_get(&counters->protocol_errors), 0);
}

static void test_every_job_ends_once_while_the_signer_comes_and_goes(void **state)
{
    (void)state;
    static struct worker workers[NUM_CLIENTS];
    pthread_t signer_thread, threads[NUM_CLIENTS];
    assert_int_equal(pthread_create(&signer_thread, NULL, run_signer, NULL), 0);
    for (size_t i = 0; i < NUM_CLIENTS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_worker, &workers[i]), 0);
    }
    for (int64_t i = 1; i < LEAF_KEYS_MAX; i++) {
        assert_int_equal(leaf_keys_rotate(leaf_keys, i), MG_OK);
        mg_rcu_offline();
        usleep(5000);
        mg_rcu_online();
    }
    mg_rcu_offline();
    for (size_t i = 0; i < NUM_CLIENTS; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&stop, true);
    pthread_join(signer_thread, NULL);
    mg_rcu_online();
    uint64_t num_lost = 0, num_resent = 0, num_dropped = 0;
    for (size_t i = 0; i < NUM_CLIENTS; i++) {
        check_worker(&workers[i]);
        const struct mint_client_counters *counters = mint_client_counters(workers[i].client);
        num_lost += mg_counter_get(&counters->lost);
        num_resent += mg_counter_get(&counters->resent);
        num_dropped += mg_counter_get(&counters->dropped_replies);
        mint_client_free(workers[i].client);
    }
    /* The test is worth nothing unless all of it happened. */
    assert_true(num_lost >= NUM_CLIENTS);
    assert_true(num_resent > 0);
    assert_true(num_dropped > 0);
}

static int setup(void **state)
{
    (void)state;
    if (mg_rcu_thread_start() != MG_OK) {
        return -1;
    }
    static const struct certs_name www[] = {CERTS_DNS("www.example.com")};
    snprintf(path, sizeof(path), "/tmp/mint_threads.%d", (int)getpid());
    certs_pki_init(&pki, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    issuer = certs_issuer(&pki, 1);
    mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, mg_slice_of(NULL, 0), NULL, NULL);
    /* An EC key is due each second, the RSA key, which takes long, not before the test is over. */
    const struct leaf_keys_config config = {.num_keys = {LEAF_KEYS_MAX, 1}, .lifetime_seconds = LEAF_KEYS_MAX};
    return leaf_keys_new(&leaf_keys, &config, 0, NULL) == MG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mg_rcu_barrier();
    leaf_keys_free(leaf_keys);
    mimic_unref(mimic);
    issuer_unref(issuer);
    certs_pki_free(&pki);
    mg_rcu_thread_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_job_ends_once_while_the_signer_comes_and_goes),
    };
    return cmocka_run_group_tests_name("mint_threads", tests, setup, teardown);
}
