/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pool.h>

#include "base/unix_socket.h"
#include "cache/rcu.h"
#include "certs.h"
#include "minting/mint_client.h"
#include "minting/validity.h"

/*
 * A signer played by the test, step by step, in the test's own thread and at the test's own time: the client never
 * blocks, so that neither has to wait for the other.
 */
struct signer {
    char path[64];
    int listen_fd;
    int fd;
    uint8_t packet[WIRE_SIGNER_MAX_PACKET];
    struct wire_sign_request requests[WIRE_SIGNER_MAX_BATCH]; /* of the packet received last */
    size_t num_requests;
};

static void signer_start(struct signer *signer)
{
    assert_int_equal(mg_unix_listen(signer->path, SOCK_SEQPACKET, 0600, &signer->listen_fd, NULL), MG_OK);
}

static void signer_init(struct signer *signer)
{
    static unsigned serial;
    *signer = (struct signer){.fd = -1};
    snprintf(signer->path, sizeof(signer->path), "/tmp/mint_client.%d.%u", (int)getpid(), serial++);
}

static void signer_hang_up(struct signer *signer)
{
    if (signer->fd >= 0) {
        close(signer->fd);
        signer->fd = -1;
    }
}

static void signer_stop(struct signer *signer)
{
    signer_hang_up(signer);
    close(signer->listen_fd);
    unlink(signer->path);
}

static void signer_accept(struct signer *signer)
{
    assert_int_equal(mg_unix_accept(signer->listen_fd, &signer->fd, NULL), MG_OK);
    ssize_t len = recv(signer->fd, signer->packet, sizeof(signer->packet), 0);
    uint16_t version;
    assert_true(len > 0);
    assert_int_equal(wire_signer_decode_hello(mg_slice_of(signer->packet, (size_t)len), &version, NULL), MG_OK);
    assert_int_equal(version, WIRE_SIGNER_VERSION);
}

static void signer_send(struct signer *signer, struct mg_slice packet)
{
    assert_int_equal(send(signer->fd, packet.data, packet.len, MSG_NOSIGNAL), packet.len);
}

static void signer_send_issuers(struct signer *signer, const struct wire_issuer *issuer)
{
    static struct wire_issuers issuers;
    issuers.issuers[0] = *issuer;
    issuers.num_issuers = 1;
    struct mg_buffer out;
    mg_buffer_init(&out, WIRE_SIGNER_MAX_PACKET);
    wire_signer_encode_issuers(&out, &issuers);
    signer_send(signer, mg_buffer_slice(&out));
    mg_buffer_free(&out);
}

/* Receives one SIGN packet, or returns false if there is none. */
static bool signer_receive(struct signer *signer)
{
    ssize_t len = recv(signer->fd, signer->packet, sizeof(signer->packet), MSG_DONTWAIT);
    if (len <= 0) {
        return false;
    }
    assert_int_equal(wire_signer_decode_sign(mg_slice_of(signer->packet, (size_t)len), signer->requests,
                                             &signer->num_requests, NULL),
                     MG_OK);
    return true;
}

static void signer_reply(struct signer *signer, uint64_t id, enum wire_sign_status status, struct mg_slice signature)
{
    struct mg_buffer out;
    mg_buffer_init(&out, WIRE_SIGNER_MAX_PACKET);
    wire_signer_begin_signed(&out);
    assert_true(
        wire_signer_add_signed(&out, &(struct wire_sign_result){.id = id, .status = status, .signature = signature}));
    assert_int_equal(wire_signer_end_batch(&out), 1);
    signer_send(signer, mg_buffer_slice(&out));
    mg_buffer_free(&out);
}

/* Signs request |i| of the packet received last. */
static void signer_sign(struct signer *signer, EVP_PKEY *key, size_t i)
{
    struct mg_buffer signature;
    mg_buffer_init(&signature, WIRE_SIGNER_MAX_SIGNATURE);
    certs_sign(&signature, key, signer->requests[i].tbs);
    signer_reply(signer, signer->requests[i].id, WIRE_SIGN_OK, mg_buffer_slice(&signature));
    mg_buffer_free(&signature);
}

/* What all tests share: issuer, leaf keys, and names to mint for. */
static struct certs_pki pki;
static struct issuer *issuer;
static struct leaf_keys *leaf_keys;
static struct mimic *mimic, *large_mimic, *expired_mimic;
static struct leaf_names names, large_names, expired_names;

static const struct certs_name www[] = {CERTS_DNS("www.example.com")};

/* A certificate with |num_names| names: some 30 bytes of TBSCertificate each. */
static struct mimic *mimic_of_many(size_t num_names)
{
    static char texts[MIMIC_MAX_NAMES][32];
    static struct certs_name many[MIMIC_MAX_NAMES];
    for (size_t i = 0; i < num_names; i++) {
        int len = snprintf(texts[i], sizeof(texts[i]), "name-%zu.with.padding.example", i);
        many[i] = (struct certs_name){2, mg_slice_of(texts[i], (size_t)len)};
    }
    return certs_mimic(&(struct certs_spec){.names = many, .num_names = num_names});
}

static int setup_group(void **state)
{
    (void)state;
    if (mg_rcu_thread_start() != MG_OK) {
        return -1;
    }
    certs_pki_init(&pki, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    issuer = certs_issuer(&pki, 1);
    mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    large_mimic = mimic_of_many(500);
    expired_mimic = certs_mimic(
        &(struct certs_spec){.names = www, .num_names = 1, .not_before = CERTS_NOW - 10, .not_after = CERTS_NOW - 5});
    const struct mg_slice none = {NULL, 0};
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, none, NULL, NULL);
    leaf_names_decide(&large_names, large_mimic, MIMIC_NAME_DNS, none, NULL, NULL);
    leaf_names_decide(&expired_names, expired_mimic, MIMIC_NAME_DNS, none, NULL, NULL);
    const struct leaf_keys_config config = {.num_keys = {2, 1}, .lifetime_seconds = 1000};
    return leaf_keys_new(&leaf_keys, &config, 0, NULL) == MG_OK ? 0 : -1;
}

static int teardown_group(void **state)
{
    (void)state;
    leaf_keys_free(leaf_keys);
    mimic_unref(mimic);
    mimic_unref(large_mimic);
    mimic_unref(expired_mimic);
    issuer_unref(issuer);
    certs_pki_free(&pki);
    mg_rcu_thread_stop();
    return 0;
}

/* struct fixture is one client and its signer, at a time of their own. */
struct fixture {
    struct signer signer;
    struct mint_client *client;
    uint64_t now_ns;
    size_t num_issuers_calls;
    struct wire_key_id last_key_id;
    struct mint_outcome outcomes[128]; /* in the order in which jobs ended; |leaf| owned */
    size_t num_outcomes;
    bool submits_again; /* when a job ends */
};

#define TIMEOUT_NS (10 * MG_NS_PER_SECOND)
#define MAX_JOBS 100

static void on_issuers(void *arg, const struct wire_issuers *issuers)
{
    struct fixture *fixture = arg;
    fixture->num_issuers_calls++;
    assert_int_equal(issuers->num_issuers, 1);
    fixture->last_key_id = issuers->issuers[0].key_id;
}

static enum mg_status submit(struct fixture *fixture, const struct leaf_names *what);

static void on_done(void *arg, const struct mint_outcome *outcome)
{
    struct fixture *fixture = arg;
    assert_true((outcome->result == MINT_OK) == (outcome->leaf != NULL));
    fixture->outcomes[fixture->num_outcomes++] = *outcome;
    if (fixture->submits_again) {
        fixture->submits_again = false;
        assert_int_equal(submit(fixture, &names), MG_OK);
    }
}

static enum mg_status submit(struct fixture *fixture, const struct leaf_names *what)
{
    const struct mint_job job = {
        .issuer = issuer,
        .names = what,
        .key_type = LEAF_KEY_EC_P256,
        .now = CERTS_NOW,
        .done = on_done,
        .done_arg = fixture,
    };
    return mint_client_submit(fixture->client, &job, fixture->now_ns, NULL);
}

static void submit_and_flush(struct fixture *fixture, size_t num_jobs)
{
    for (size_t i = 0; i < num_jobs; i++) {
        assert_int_equal(submit(fixture, &names), MG_OK);
    }
    mint_client_flush(fixture->client, fixture->now_ns);
}

static void process(struct fixture *fixture)
{
    mint_client_process(fixture->client, fixture->now_ns);
}

static struct mint_client_options options_for(const struct signer *signer)
{
    return (struct mint_client_options){
        .socket_path = signer->path,
        .leaf_keys = leaf_keys,
        .max_jobs = MAX_JOBS,
        .timeout_ns = TIMEOUT_NS,
        .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS,
    };
}

static void fixture_init_with(struct fixture *fixture, bool verify_all)
{
    *fixture = (struct fixture){.now_ns = 1000 * MG_NS_PER_SECOND};
    signer_init(&fixture->signer);
    struct mint_client_options options = options_for(&fixture->signer);
    options.verify_all = verify_all;
    const struct mint_client_callbacks callbacks = {.issuers = on_issuers, .arg = fixture};
    assert_int_equal(mint_client_new(&fixture->client, &options, &callbacks, NULL), MG_OK);
}

/* The signer says its issuers to a client that has connected. */
static void greet(struct fixture *fixture)
{
    signer_accept(&fixture->signer);
    signer_send_issuers(&fixture->signer, &pki.wire);
    process(fixture);
    assert_true(mint_client_is_ready(fixture->client));
}

static void fixture_init(struct fixture *fixture)
{
    fixture_init_with(fixture, false);
    signer_start(&fixture->signer);
    process(fixture);
    greet(fixture);
}

/* Ends the next outcome, which must be |result|; a leaf is given back. */
static void take_outcome(struct fixture *fixture, size_t i, enum mint_result result)
{
    assert_true(i < fixture->num_outcomes);
    assert_int_equal(fixture->outcomes[i].result, result);
    if (fixture->outcomes[i].leaf != NULL) {
        cache_value_unref(&fixture->outcomes[i].leaf->value);
    }
}

static void fixture_free(struct fixture *fixture)
{
    mint_client_free(fixture->client);
    signer_stop(&fixture->signer);
}

#define COUNT(fixture, counter) mg_counter_get(&mint_client_counters((fixture)->client)->counter)

/* One good round trip, to see that a client is sound. */
static void assert_mints(struct fixture *fixture)
{
    size_t before = fixture->num_outcomes;
    submit_and_flush(fixture, 1);
    assert_true(signer_receive(&fixture->signer));
    signer_sign(&fixture->signer, pki.key, 0);
    process(fixture);
    assert_int_equal(fixture->num_outcomes, before + 1);
    take_outcome(fixture, before, MINT_OK);
}

/* Connecting */

static void test_a_signer_that_starts_later_is_found_with_growing_patience(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, false);
    uint64_t backoff_ns = MINT_CLIENT_FIRST_BACKOFF_NS;
    for (int i = 0; i < 8; i++) {
        process(&fixture);
        assert_false(mint_client_is_ready(fixture.client));
        assert_int_equal(mint_client_next_timeout_ns(fixture.client), fixture.now_ns + backoff_ns);
        fixture.now_ns += backoff_ns;
        backoff_ns = backoff_ns * 2 < MINT_CLIENT_LAST_BACKOFF_NS ? backoff_ns * 2 : MINT_CLIENT_LAST_BACKOFF_NS;
    }
    signer_start(&fixture.signer);
    fixture.now_ns--; /* not before it is due */
    process(&fixture);
    int fd;
    assert_int_equal(mg_unix_accept(fixture.signer.listen_fd, &fd, NULL), MG_AGAIN);
    fixture.now_ns++;
    process(&fixture);
    greet(&fixture);
    assert_int_equal(fixture.num_issuers_calls, 1);
    assert_memory_equal(&fixture.last_key_id, &pki.wire.key_id, sizeof(fixture.last_key_id));
    assert_mints(&fixture);
    fixture_free(&fixture);
}

static void test_issuers_may_come_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    signer_send_issuers(&fixture.signer, &pki.wire);
    process(&fixture);
    assert_int_equal(fixture.num_issuers_calls, 2);
    assert_int_equal(COUNT(&fixture, connections), 1);
    assert_mints(&fixture);
    fixture_free(&fixture);
}

static void test_a_signer_that_does_not_greet_is_given_up(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, false);
    signer_start(&fixture.signer);
    process(&fixture);
    signer_accept(&fixture.signer);
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), fixture.now_ns + MINT_CLIENT_GREETING_TIMEOUT_NS);
    fixture.now_ns += MINT_CLIENT_GREETING_TIMEOUT_NS;
    process(&fixture);
    assert_int_equal(COUNT(&fixture, lost), 1);
    assert_int_equal(COUNT(&fixture, connections), 0);
    signer_hang_up(&fixture.signer);
    fixture.now_ns += MINT_CLIENT_FIRST_BACKOFF_NS;
    process(&fixture);
    greet(&fixture);
    fixture_free(&fixture);
}

static bool is_readable(const struct fixture *fixture)
{
    struct pollfd fd = {.fd = mint_client_fd(fixture->client), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static void test_one_descriptor_serves_all_connections(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    int fd = mint_client_fd(fixture.client);
    assert_false(is_readable(&fixture));
    signer_hang_up(&fixture.signer);
    assert_true(is_readable(&fixture));
    process(&fixture);
    assert_false(is_readable(&fixture));
    fixture.now_ns += MINT_CLIENT_FIRST_BACKOFF_NS;
    process(&fixture);
    signer_accept(&fixture.signer);
    signer_send_issuers(&fixture.signer, &pki.wire);
    assert_true(is_readable(&fixture));
    process(&fixture);
    assert_false(is_readable(&fixture));
    assert_int_equal(mint_client_fd(fixture.client), fd);
    assert_int_equal(COUNT(&fixture, connections), 2);
    fixture_free(&fixture);
}

/* Minting */

static void test_a_signed_leaf_is_the_certificate_that_was_asked_for(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, 1);
    assert_true(signer_receive(&fixture.signer));
    assert_memory_equal(&fixture.signer.requests[0].key_id, &issuer->key_id, sizeof(issuer->key_id));
    assert_int_equal(fixture.signer.requests[0].timeout_ms, TIMEOUT_NS / MG_NS_PER_MS);
    signer_sign(&fixture.signer, pki.key, 0);
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 1);
    struct leaf *leaf = fixture.outcomes[0].leaf;
    assert_non_null(leaf);
    struct cert cert;
    CBS der;
    CRYPTO_BUFFER_init_CBS(leaf->certificate, &der);
    assert_int_equal(cert_parse(&cert, der, NULL), MG_OK);
    assert_true(CBS_mem_equal(&cert.tbs, fixture.signer.requests[0].tbs.data, fixture.signer.requests[0].tbs.len));
    assert_true(issuer_signed(issuer, mg_slice_of(CBS_data(&cert.tbs), CBS_len(&cert.tbs)),
                              mg_slice_of(CBS_data(&cert.signature), CBS_len(&cert.signature))));
    assert_ptr_equal(leaf->issuer, issuer);
    assert_int_equal(leaf->not_after, mimic->not_after);
    take_outcome(&fixture, 0, MINT_OK);
    assert_int_equal(COUNT(&fixture, requested), 1);
    assert_int_equal(COUNT(&fixture, minted), 1);
    fixture_free(&fixture);
}

static void test_what_is_submitted_before_a_flush_goes_out_as_one_packet(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(submit(&fixture, &names), MG_OK);
    }
    assert_false(signer_receive(&fixture.signer));
    mint_client_flush(fixture.client, fixture.now_ns);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 3);
    for (size_t i = 3; i-- > 0;) { /* answered in another order, in packets of one */
        signer_sign(&fixture.signer, pki.key, i);
    }
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 3);
    for (size_t i = 0; i < 3; i++) {
        take_outcome(&fixture, i, MINT_OK);
    }
    assert_int_equal(COUNT(&fixture, packets), 1);
    fixture_free(&fixture);
}

static void test_several_packets_are_in_flight(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, WIRE_SIGNER_MAX_BATCH + 1);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, WIRE_SIGNER_MAX_BATCH);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 1);
    submit_and_flush(&fixture, 2);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 2);
    fixture_free(&fixture);
}

static void test_a_packet_is_as_large_as_packets_may_be(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    for (int i = 0; i < 9; i++) { /* some 15 KB each */
        assert_int_equal(submit(&fixture, &large_names), MG_OK);
    }
    mint_client_flush(fixture.client, fixture.now_ns);
    size_t num_requests = 0, num_packets = 0;
    while (signer_receive(&fixture.signer)) {
        num_requests += fixture.signer.num_requests;
        num_packets++;
    }
    assert_int_equal(num_requests, 9);
    assert_int_equal(num_packets, 2);
    fixture_free(&fixture);
}

static void test_jobs_wait_for_the_signer(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, false);
    submit_and_flush(&fixture, 2);
    process(&fixture);
    signer_start(&fixture.signer);
    fixture.now_ns += MINT_CLIENT_FIRST_BACKOFF_NS;
    process(&fixture);
    greet(&fixture);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 2);
    fixture_free(&fixture);
}

static void test_what_cannot_be_minted_is_told_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(submit(&fixture, &expired_names), MG_DENIED);
    assert_int_equal(fixture.num_outcomes, 0);
    assert_int_equal(COUNT(&fixture, requested), 0);
    assert_mints(&fixture);
    fixture_free(&fixture);
}

static void test_an_owner_may_submit_when_a_job_ends(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, 1);
    assert_true(signer_receive(&fixture.signer));
    signer_sign(&fixture.signer, pki.key, 0);
    fixture.submits_again = true;
    process(&fixture);
    take_outcome(&fixture, 0, MINT_OK);
    assert_true(signer_receive(&fixture.signer));
    /* Also when it ended because its time was up. */
    fixture.now_ns += TIMEOUT_NS;
    fixture.submits_again = true;
    process(&fixture);
    take_outcome(&fixture, 1, MINT_TIMED_OUT);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), fixture.now_ns + TIMEOUT_NS);
    fixture_free(&fixture);
}

/* Replies that are not what was asked for */

static void test_a_refusal_is_final_and_counted_by_reason(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    for (unsigned status = WIRE_SIGN_UNKNOWN_KEY; status < WIRE_SIGN_NUM_STATUSES; status++) {
        size_t i = fixture.num_outcomes;
        submit_and_flush(&fixture, 1);
        assert_true(signer_receive(&fixture.signer));
        signer_reply(&fixture.signer, fixture.signer.requests[0].id, (enum wire_sign_status)status,
                     mg_slice_of(NULL, 0));
        process(&fixture);
        take_outcome(&fixture, i, MINT_REFUSED);
        assert_int_equal(fixture.outcomes[i].refusal, status);
        assert_int_equal(COUNT(&fixture, refused[status]), 1);
    }
    fixture_free(&fixture);
}

static void test_a_busy_signer_is_asked_again_after_a_pause(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, 1);
    assert_true(signer_receive(&fixture.signer));
    uint64_t id = fixture.signer.requests[0].id;
    signer_reply(&fixture.signer, id, WIRE_SIGN_BUSY, mg_slice_of(NULL, 0));
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 0);
    submit_and_flush(&fixture, 1);
    assert_false(signer_receive(&fixture.signer));
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), fixture.now_ns + MINT_CLIENT_BUSY_PAUSE_NS);
    fixture.now_ns += MINT_CLIENT_BUSY_PAUSE_NS;
    process(&fixture);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 2);
    assert_int_equal(fixture.signer.requests[0].id, id);
    assert_int_equal(COUNT(&fixture, refused[WIRE_SIGN_BUSY]), 1);
    fixture_free(&fixture);
}

static void test_repeated_and_unknown_replies_are_dropped(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, 1);
    assert_true(signer_receive(&fixture.signer));
    uint64_t id = fixture.signer.requests[0].id;
    const uint64_t unknown[] = {id + 1, id + MAX_JOBS, id + (UINT64_C(1) << 32), UINT64_MAX};
    for (size_t i = 0; i < MG_ARRAY_LEN(unknown); i++) {
        signer_reply(&fixture.signer, unknown[i], WIRE_SIGN_FAILED, mg_slice_of(NULL, 0));
    }
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 0);
    assert_int_equal(COUNT(&fixture, dropped_replies), MG_ARRAY_LEN(unknown));

    signer_sign(&fixture.signer, pki.key, 0);
    signer_sign(&fixture.signer, pki.key, 0);
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 1);
    take_outcome(&fixture, 0, MINT_OK);
    assert_int_equal(COUNT(&fixture, dropped_replies), MG_ARRAY_LEN(unknown) + 1);
    fixture_free(&fixture);
}

/* A reply to a job that has ended must not end the job that has its slot now. */
static void test_a_late_reply_does_not_touch_the_next_job_of_its_slot(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, 1);
    assert_true(signer_receive(&fixture.signer));
    uint64_t late = fixture.signer.requests[0].id;
    fixture.now_ns += TIMEOUT_NS;
    process(&fixture);
    take_outcome(&fixture, 0, MINT_TIMED_OUT);
    submit_and_flush(&fixture, 1);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal((uint32_t)fixture.signer.requests[0].id, (uint32_t)late); /* the same slot */
    signer_reply(&fixture.signer, late, WIRE_SIGN_FAILED, mg_slice_of(NULL, 0));
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 1);
    assert_int_equal(COUNT(&fixture, dropped_replies), 1);
    signer_sign(&fixture.signer, pki.key, 0);
    process(&fixture);
    take_outcome(&fixture, 1, MINT_OK);
    fixture_free(&fixture);
}

static void reply_badly_signed(struct fixture *fixture)
{
    submit_and_flush(fixture, 1);
    assert_true(signer_receive(&fixture->signer));
    signer_sign(&fixture->signer, certs_key(WIRE_KEY_EC_P256, 3), 0);
    process(fixture);
}

static void test_the_first_signature_of_each_connection_is_verified(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    reply_badly_signed(&fixture);
    take_outcome(&fixture, 0, MINT_BAD_SIGNATURE);
    reply_badly_signed(&fixture); /* until one was good */
    take_outcome(&fixture, 1, MINT_BAD_SIGNATURE);
    assert_mints(&fixture);
    reply_badly_signed(&fixture); /* not looked at any more */
    take_outcome(&fixture, 3, MINT_OK);

    signer_hang_up(&fixture.signer);
    process(&fixture);
    fixture.now_ns += MINT_CLIENT_FIRST_BACKOFF_NS;
    process(&fixture);
    greet(&fixture);
    reply_badly_signed(&fixture);
    take_outcome(&fixture, 4, MINT_BAD_SIGNATURE);
    assert_int_equal(COUNT(&fixture, bad_signatures), 3);
    fixture_free(&fixture);
}

static void test_every_signature_is_verified_if_configured(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, true);
    signer_start(&fixture.signer);
    process(&fixture);
    greet(&fixture);
    assert_mints(&fixture);
    reply_badly_signed(&fixture);
    take_outcome(&fixture, 1, MINT_BAD_SIGNATURE);
    assert_mints(&fixture);
    fixture_free(&fixture);
}

/* Bounds and time */

static void test_a_silent_signer_ends_jobs_at_their_deadline(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    uint64_t start_ns = fixture.now_ns;
    submit_and_flush(&fixture, 1);
    fixture.now_ns += MG_NS_PER_SECOND;
    submit_and_flush(&fixture, 1);
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), start_ns + TIMEOUT_NS);
    fixture.now_ns = start_ns + TIMEOUT_NS - 1;
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 0);
    fixture.now_ns++;
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 1);
    take_outcome(&fixture, 0, MINT_TIMED_OUT);
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), start_ns + MG_NS_PER_SECOND + TIMEOUT_NS);
    fixture.now_ns = start_ns + MG_NS_PER_SECOND + TIMEOUT_NS;
    process(&fixture);
    take_outcome(&fixture, 1, MINT_TIMED_OUT);
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), UINT64_MAX);
    assert_int_equal(COUNT(&fixture, timed_out), 2);
    fixture_free(&fixture);
}

static void test_jobs_time_out_without_any_signer(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, false);
    signer_start(&fixture.signer);
    signer_stop(&fixture.signer);
    submit_and_flush(&fixture, 1);
    fixture.now_ns += TIMEOUT_NS;
    process(&fixture);
    take_outcome(&fixture, 0, MINT_TIMED_OUT);
    mint_client_free(fixture.client);
}

static void test_a_full_table_refuses_and_counts(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, MAX_JOBS);
    assert_int_equal(submit(&fixture, &names), MG_LIMIT);
    assert_int_equal(submit(&fixture, &names), MG_LIMIT);
    assert_int_equal(COUNT(&fixture, full), 2);
    assert_int_equal(COUNT(&fixture, requested), MAX_JOBS);
    assert_true(signer_receive(&fixture.signer));
    signer_sign(&fixture.signer, pki.key, 0);
    process(&fixture);
    take_outcome(&fixture, 0, MINT_OK);
    assert_int_equal(submit(&fixture, &names), MG_OK);
    assert_int_equal(submit(&fixture, &names), MG_LIMIT);
    fixture_free(&fixture);
}

/* What a full socket does not take stays, and goes out once and whole when there is room. */
static void test_a_full_socket_keeps_what_it_does_not_take(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < MAX_JOBS; i++) { /* some 1.5 MB */
        assert_int_equal(submit(&fixture, &large_names), MG_OK);
    }
    mint_client_flush(fixture.client, fixture.now_ns);
    assert_true(COUNT(&fixture, packets) < MAX_JOBS * 15 / 128);
    assert_false(is_readable(&fixture)); /* not writable: nothing to do */
    bool seen[MAX_JOBS] = {false};
    size_t num_seen = 0;
    for (int turn = 0; turn < 100 && num_seen < MAX_JOBS; turn++) {
        while (signer_receive(&fixture.signer)) {
            for (size_t i = 0; i < fixture.signer.num_requests; i++) {
                size_t index = (uint32_t)fixture.signer.requests[i].id;
                assert_true(index < MAX_JOBS && !seen[index]);
                seen[index] = true;
                num_seen++;
            }
        }
        if (num_seen < MAX_JOBS) {
            assert_true(is_readable(&fixture));
        }
        process(&fixture);
    }
    assert_int_equal(num_seen, MAX_JOBS);
    assert_false(is_readable(&fixture));
    fixture_free(&fixture);
}

/* Losing the signer */

static void test_unanswered_jobs_are_sent_again_byte_for_byte(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, 2);
    assert_true(signer_receive(&fixture.signer));
    uint8_t tbs[2][2048];
    struct wire_sign_request first[2];
    for (size_t i = 0; i < 2; i++) {
        first[i] = fixture.signer.requests[i];
        memcpy(tbs[i], first[i].tbs.data, first[i].tbs.len);
    }
    signer_stop(&fixture.signer);
    process(&fixture);
    assert_false(mint_client_is_ready(fixture.client));
    submit_and_flush(&fixture, 1);
    signer_start(&fixture.signer);
    fixture.now_ns += MG_NS_PER_SECOND;
    process(&fixture);
    greet(&fixture);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 3);
    for (size_t i = 0; i < 2; i++) {
        const struct wire_sign_request *again = &fixture.signer.requests[i];
        assert_int_equal(again->id, first[i].id);
        assert_int_equal(again->tbs.len, first[i].tbs.len);
        assert_memory_equal(again->tbs.data, tbs[i], again->tbs.len);
        assert_int_equal(again->timeout_ms, first[i].timeout_ms - 1000);
    }
    assert_int_equal(COUNT(&fixture, resent), 2);
    assert_int_equal(COUNT(&fixture, lost), 1);
    for (size_t i = 0; i < 3; i++) {
        signer_sign(&fixture.signer, pki.key, i);
    }
    process(&fixture);
    for (size_t i = 0; i < 3; i++) {
        take_outcome(&fixture, i, MINT_OK);
    }
    fixture_free(&fixture);
}

static void test_a_packet_that_waited_is_sent_again_after_a_lost_connection(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < MAX_JOBS; i++) {
        assert_int_equal(submit(&fixture, &large_names), MG_OK);
    }
    mint_client_flush(fixture.client, fixture.now_ns);
    signer_hang_up(&fixture.signer);
    process(&fixture);
    fixture.now_ns += MINT_CLIENT_FIRST_BACKOFF_NS;
    process(&fixture);
    greet(&fixture);
    size_t num_requests = 0;
    for (int turn = 0; turn < 100 && num_requests < MAX_JOBS; turn++) {
        while (signer_receive(&fixture.signer)) {
            num_requests += fixture.signer.num_requests;
        }
        process(&fixture);
    }
    assert_int_equal(num_requests, MAX_JOBS);
    fixture_free(&fixture);
}

/* A broken signer is left; what it was asked survives. */
static void assert_is_left(struct fixture *fixture, struct mg_slice packet, bool is_protocol_error)
{
    uint64_t num_errors = COUNT(fixture, protocol_errors);
    uint64_t num_lost = COUNT(fixture, lost);
    if (packet.len > 0) {
        signer_send(&fixture->signer, packet);
    }
    process(fixture);
    assert_false(mint_client_is_ready(fixture->client));
    assert_int_equal(COUNT(fixture, protocol_errors), num_errors + is_protocol_error);
    assert_int_equal(COUNT(fixture, lost), num_lost + 1);
    assert_int_equal(fixture->num_outcomes, 0);
    signer_hang_up(&fixture->signer);
    fixture->now_ns += MINT_CLIENT_LAST_BACKOFF_NS;
    process(fixture);
}

static void test_a_broken_signer_is_left(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "\x99 unknown type",
        "\x01\x01\x01",               /* HELLO is not for us */
        "\x03\x01\x01",               /* nor is SIGN */
        "\x02\x01 a chain cut short", /* ISSUERS */
        "\x04\x01\x01 cut short",     /* SIGNED */
    };
    struct fixture fixture;
    fixture_init_with(&fixture, false);
    signer_start(&fixture.signer);
    submit_and_flush(&fixture, 1);
    process(&fixture);
    for (size_t i = 0; i < MG_ARRAY_LEN(garbage); i++) {
        greet(&fixture);
        assert_true(signer_receive(&fixture.signer));
        assert_int_equal(fixture.signer.num_requests, 1);
        assert_is_left(&fixture, mg_slice_of_text(garbage[i]), true);
        fixture.now_ns -= MINT_CLIENT_LAST_BACKOFF_NS; /* the job's time shall not run out */
    }
    greet(&fixture);
    assert_true(signer_receive(&fixture.signer));
    signer_sign(&fixture.signer, pki.key, 0);
    process(&fixture);
    take_outcome(&fixture, 0, MINT_OK);
    fixture_free(&fixture);
}

static void test_an_oversized_packet_is_a_protocol_error(void **state)
{
    (void)state;
    static uint8_t packet[WIRE_SIGNER_MAX_PACKET + 1] = {WIRE_SIGNER_SIGNED};
    struct fixture fixture;
    fixture_init(&fixture);
    assert_is_left(&fixture, mg_slice_of(packet, sizeof(packet)), true);
    greet(&fixture);
    fixture_free(&fixture);
}

static void test_results_before_the_greeting_are_a_protocol_error(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, false);
    signer_start(&fixture.signer);
    process(&fixture);
    signer_accept(&fixture.signer);
    signer_reply(&fixture.signer, 0, WIRE_SIGN_FAILED, mg_slice_of(NULL, 0));
    assert_is_left(&fixture, mg_slice_of(NULL, 0), true);
    fixture_free(&fixture);
}

static void test_freeing_the_client_ends_its_jobs(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, 2);
    assert_int_equal(submit(&fixture, &names), MG_OK);
    fixture_free(&fixture);
    assert_int_equal(fixture.num_outcomes, 3);
    for (size_t i = 0; i < 3; i++) {
        take_outcome(&fixture, i, MINT_SHUT_DOWN);
    }
    mint_client_free(NULL);
}

static void test_options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct signer signer;
    signer_init(&signer);
    const struct mint_client_callbacks callbacks = {.issuers = on_issuers};
    struct mint_client_options bad[4];
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        bad[i] = options_for(&signer);
    }
    bad[0].max_jobs = 0;
    bad[1].max_jobs = MINT_CLIENT_MAX_JOBS + 1;
    bad[2].timeout_ns = MG_NS_PER_MS - 1;
    bad[3].max_validity_seconds = 0;
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct mint_client *client;
        struct mg_error error;
        assert_int_equal(mint_client_new(&client, &bad[i], &callbacks, &error), MG_INVALID);
        assert_non_null(strstr(error.text, "mint client"));
    }
    assert_string_equal(mint_result_name(MINT_TIMED_OUT), "timed_out");
    assert_string_equal(mint_result_name((enum mint_result)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signer_that_starts_later_is_found_with_growing_patience),
        cmocka_unit_test(test_issuers_may_come_again),
        cmocka_unit_test(test_a_signer_that_does_not_greet_is_given_up),
        cmocka_unit_test(test_one_descriptor_serves_all_connections),
        cmocka_unit_test(test_a_signed_leaf_is_the_certificate_that_was_asked_for),
        cmocka_unit_test(test_what_is_submitted_before_a_flush_goes_out_as_one_packet),
        cmocka_unit_test(test_several_packets_are_in_flight),
        cmocka_unit_test(test_a_packet_is_as_large_as_packets_may_be),
        cmocka_unit_test(test_jobs_wait_for_the_signer),
        cmocka_unit_test(test_what_cannot_be_minted_is_told_at_once),
        cmocka_unit_test(test_an_owner_may_submit_when_a_job_ends),
        cmocka_unit_test(test_a_refusal_is_final_and_counted_by_reason),
        cmocka_unit_test(test_a_busy_signer_is_asked_again_after_a_pause),
        cmocka_unit_test(test_repeated_and_unknown_replies_are_dropped),
        cmocka_unit_test(test_a_late_reply_does_not_touch_the_next_job_of_its_slot),
        cmocka_unit_test(test_the_first_signature_of_each_connection_is_verified),
        cmocka_unit_test(test_every_signature_is_verified_if_configured),
        cmocka_unit_test(test_a_silent_signer_ends_jobs_at_their_deadline),
        cmocka_unit_test(test_jobs_time_out_without_any_signer),
        cmocka_unit_test(test_a_full_table_refuses_and_counts),
        cmocka_unit_test(test_a_full_socket_keeps_what_it_does_not_take),
        cmocka_unit_test(test_unanswered_jobs_are_sent_again_byte_for_byte),
        cmocka_unit_test(test_a_packet_that_waited_is_sent_again_after_a_lost_connection),
        cmocka_unit_test(test_a_broken_signer_is_left),
        cmocka_unit_test(test_an_oversized_packet_is_a_protocol_error),
        cmocka_unit_test(test_results_before_the_greeting_are_a_protocol_error),
        cmocka_unit_test(test_freeing_the_client_ends_its_jobs),
        cmocka_unit_test(test_options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests_name("mint_client", tests, setup_group, teardown_group);
}
