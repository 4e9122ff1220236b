/* SPDX-License-Identifier: Apache-2.0 */
/* A signing thread, as an engine sees it over its socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "hsm/connection_set.h"
#include "hsm/signer_metrics.h"
#include "hsm/signing_loop.h"
#include "signer_fixture.h"
#include "temp_dir.h"

struct fixture {
    struct issuers_fixture issuers;
    const struct issuer *issuer;
    struct journal *journal;
    struct signing_loop *loop;
    const struct signing_counters *counters;
    struct client client;
    struct wire_issuers hello;
    struct mg_buffer tbs;
};

static struct fixture *f;

/* connect_client opens a connection to the loop, without HELLO. */
static void connect_client(struct client *client)
{
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    signing_loop_add(f->loop, sockets[0]);
    client_open(client, sockets[1]);
}

static void open_with(enum wire_key_type type, size_t queue)
{
    temp_dir_make(NULL);
    f = calloc(1, sizeof(*f));
    issuers_open(&f->issuers, type, true);
    f->issuer = issuers_with_role(&f->issuers, WIRE_ISSUER_DEFAULT);
    struct journal_config journal_config = {.directory = temp_path("journal"), .rotate_bytes = 1 << 30};
    assert_int_equal(journal_open(&f->journal, &journal_config, mg_clock_wall_us(), NULL), MG_OK);
    struct signing_loop_config config = {
        .signer = {.backends = {f->issuers.backend},
                   .num_backends = 1,
                   .journal = f->journal,
                   .max_validity_seconds = LEAF_POLICY_DEFAULT_MAX_VALIDITY},
        .issuers = f->issuers.issuers,
        .client_keys = f->issuers.client_keys,
        .queue = queue,
    };
    assert_int_equal(signing_loop_start(&f->loop, &config, NULL), MG_OK);
    assert_int_equal(issuer_publisher_add_loop(f->issuers.publisher, f->loop, NULL), MG_OK);
    f->counters = signing_loop_counters(f->loop);
    mg_buffer_init(&f->tbs, 4096);
    fixture_write_leaf(&f->tbs, &f->issuer->facts, "www.example.com", 1);
    connect_client(&f->client);
    client_hello(&f->client, &f->hello);
}

static int open_default(void **state)
{
    (void)state;
    open_with(WIRE_KEY_EC_P256, 1000);
    return 0;
}

static void stop_loop(void)
{
    if (f->loop != NULL) {
        signing_loop_drain(f->loop);
        signing_loop_join(f->loop);
        f->loop = NULL;
    }
}

static int close_default(void **state)
{
    (void)state;
    client_close(&f->client);
    stop_loop();
    journal_close(f->journal);
    issuers_close(&f->issuers);
    mg_buffer_free(&f->tbs);
    free(f);
    temp_dir_remove(NULL);
    return 0;
}

static struct mg_slice tbs(void)
{
    return mg_buffer_slice(&f->tbs);
}

static bool is_good(const struct wire_sign_result *result)
{
    struct mg_slice certificate = keystore_find0_origin(f->issuers.store, KEY_ORIGIN_BUILTIN_ISSUING)->chain[0];
    return result->status == WIRE_SIGN_OK && fixture_verify(certificate, tbs(), result->signature);
}

static uint64_t result_count(enum wire_sign_status status)
{
    return mg_counter_get(&f->counters->results[status]);
}

/* await waits until a counter has reached |expected|, since the loop counts in a thread of its own. */
static void await(const struct mg_counter *counter, uint64_t expected)
{
    for (int tries = 0; tries < 20000 && mg_counter_get(counter) != expected; tries++) {
        usleep(1000);
    }
    assert_int_equal(mg_counter_get(counter), expected);
}

static void test_a_greeting_is_answered_with_the_issuers(void **state)
{
    (void)state;
    assert_int_equal(f->hello.num_issuers, 2);
    struct wire_sign_result result = client_ask(&f->client, 42, &f->issuer->key_id, tbs(), 1000);
    assert_true(is_good(&result));
    await(&f->counters->results[WIRE_SIGN_OK], 1);
}

static void test_an_engine_of_the_first_version_is_greeted(void **state)
{
    (void)state;
    static struct client client;
    static struct wire_issuers issuers;
    connect_client(&client);
    client_send_bytes(&client, mg_slice_of("\x01\x00\x01", 3));
    client_issuers(&client, &issuers);
    assert_int_equal(issuers.num_issuers, 2);
    client_close(&client);
}

static void test_a_batch_is_answered_whole(void **state)
{
    (void)state;
    client_begin(&f->client);
    for (uint64_t id = 100; id < 164; id++) {
        client_add(&f->client, id, &f->issuer->key_id, tbs(), 0);
    }
    client_send(&f->client);
    bool seen[64] = {false};
    for (size_t num_seen = 0; num_seen < 64; num_seen += f->client.num_results) {
        client_receive(&f->client);
        for (size_t i = 0; i < f->client.num_results; i++) {
            const struct wire_sign_result *result = &f->client.results[i];
            assert_true(result->id >= 100 && result->id < 164 && !seen[result->id - 100]);
            assert_true(is_good(result));
            seen[result->id - 100] = true;
        }
    }
    await(&f->counters->results[WIRE_SIGN_OK], 64);
    assert_int_equal(mg_counter_get(&f->counters->batch_sizes.sum), 64);
}

/* Issue: each of these is refused, and counted as what it is. */
static void test_refusals_are_answered_and_counted(void **state)
{
    (void)state;
    static struct leaf leaf;
    static const struct {
        const char *oid, *value;
        size_t len;
        enum wire_sign_status expected;
    } bad[] = {
        {OID_BASIC_CONSTRAINTS, "\x30\x03\x01\x01\xff", 5, WIRE_SIGN_BAD_CONSTRAINTS},
        {OID_EXT_KEY_USAGE, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03", 12, WIRE_SIGN_BAD_EKU},
        {OID_SUBJECT_ALT_NAME, "\x30\x00", 2, WIRE_SIGN_BAD_NAME},
        {OID_SUBJECT_KEY_ID, "\x04\x00", 2, WIRE_SIGN_BAD_EXTENSION},
        {OID_AUTHORITY_KEY_ID, "\x30\x03\x80\x01x", 5, WIRE_SIGN_BAD_ISSUER},
    };
    struct tbs good;
    assert_int_equal(tbs_parse(tbs(), &good, NULL), MG_OK);
    uint64_t id = 0;
    struct mg_buffer der;
    mg_buffer_init(&der, 8192);
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++, id++) {
        leaf_init(&leaf, &f->issuer->facts, good.spki, "a.example", mg_clock_wall_seconds());
        leaf_extension(&leaf, bad[i].oid)->value = mg_slice_of(bad[i].value, bad[i].len);
        mg_buffer_clear(&der);
        leaf_write(&leaf, &der);
        struct wire_sign_result result = client_ask(&f->client, id, &f->issuer->key_id, mg_buffer_slice(&der), 0);
        assert_int_equal(result.status, bad[i].expected);
        assert_int_equal(result_count(bad[i].expected), 1);
    }
    leaf_init(&leaf, &f->issuer->facts, good.spki, "a.example", mg_clock_wall_seconds());
    leaf.not_after = leaf.not_before + INT64_C(3650) * 86400; /* a ten-year validity */
    mg_buffer_clear(&der);
    leaf_write(&leaf, &der);
    assert_int_equal(client_ask(&f->client, id++, &f->issuer->key_id, mg_buffer_slice(&der), 0).status,
                     WIRE_SIGN_BAD_VALIDITY);
    assert_int_equal(client_ask(&f->client, id++, &f->issuer->key_id, mg_slice_of_text("?"), 0).status,
                     WIRE_SIGN_BAD_TBS);
    assert_int_equal(result_count(WIRE_SIGN_BAD_VALIDITY), 1);
    assert_int_equal(result_count(WIRE_SIGN_BAD_TBS), 1);
    assert_int_equal(result_count(WIRE_SIGN_OK), 0);
    assert_int_equal(mg_counter_get(&journal_counters(f->journal)->records), 0);
    mg_buffer_free(&der);
}

static void test_keys_of_other_purposes_and_unknown_keys_are_refused(void **state)
{
    (void)state;
    const struct keystore_key *root = keystore_find0_origin(f->issuers.store, KEY_ORIGIN_BUILTIN_ROOT);
    struct wire_key_id unknown = {{0}};
    assert_int_equal(client_ask(&f->client, 1, &root->info.id, tbs(), 0).status, WIRE_SIGN_UNKNOWN_KEY);
    assert_int_equal(client_ask(&f->client, 2, &unknown, tbs(), 0).status, WIRE_SIGN_UNKNOWN_KEY);
}

static void test_a_full_queue_says_busy(void **state)
{
    (void)state;
    close_default(NULL);
    open_with(WIRE_KEY_EC_P256, 8);
    client_begin(&f->client);
    for (uint64_t id = 0; id < 64; id++) {
        client_add(&f->client, id, &f->issuer->key_id, tbs(), 0);
    }
    client_send(&f->client); /* one packet is admitted in one go: eight get in */
    size_t num_good = 0, num_busy = 0;
    while (num_good + num_busy < 64) {
        client_receive(&f->client);
        for (size_t i = 0; i < f->client.num_results; i++) {
            num_good += is_good(&f->client.results[i]);
            num_busy += f->client.results[i].status == WIRE_SIGN_BUSY;
        }
    }
    assert_int_equal(num_good, 8);
    assert_int_equal(num_busy, 56);
    assert_int_equal(mg_counter_get(&f->counters->busy_full), 56);
    struct wire_sign_result result =
        client_ask(&f->client, 99, &f->issuer->key_id, tbs(), 0); /* and it is free again */
    assert_true(is_good(&result));
}

static void test_a_request_past_its_deadline_is_not_signed(void **state)
{
    (void)state;
    close_default(NULL);
    open_with(WIRE_KEY_RSA_4096, 1000); /* a turn of eight takes some milliseconds */
    client_begin(&f->client);
    for (uint64_t id = 0; id < 64; id++) {
        client_add(&f->client, id, &f->issuer->key_id, tbs(), id < 32 ? 1 : 0);
    }
    client_send(&f->client);
    size_t num_answered = 0, num_busy = 0;
    while (num_answered < 64) {
        client_receive(&f->client);
        for (size_t i = 0; i < f->client.num_results; i++, num_answered++) {
            const struct wire_sign_result *result = &f->client.results[i];
            num_busy += result->status == WIRE_SIGN_BUSY;
            assert_true(is_good(result) || (result->status == WIRE_SIGN_BUSY && result->id < 32));
        }
    }
    assert_true(num_busy >= 8);
    assert_int_equal(mg_counter_get(&f->counters->busy_expired), num_busy);
    assert_int_equal(mg_counter_get(&journal_counters(f->journal)->records), 64 - num_busy);
}

static void send_cancel(struct client *client, uint64_t first, uint64_t last)
{
    struct wire_sign_cancel cancel = {.num_ids = 0};
    for (uint64_t id = first; id <= last; id++) {
        cancel.ids[cancel.num_ids++] = id;
    }
    mg_buffer_clear(&client->out);
    wire_signer_encode_cancel(&client->out, &cancel);
    client_send_bytes(client, mg_buffer_slice(&client->out));
}

static void test_a_cancelled_request_is_neither_signed_nor_answered(void **state)
{
    (void)state;
    close_default(NULL);
    open_with(WIRE_KEY_RSA_4096, 1000); /* the turns before it take some milliseconds each */
    static struct client other;
    static struct wire_issuers issuers;
    connect_client(&other);
    client_hello(&other, &issuers);
    for (int i = 0; i < 2; i++) { /* the same ids: each engine cancels its own */
        struct client *client = i == 0 ? &other : &f->client;
        client_begin(client);
        for (uint64_t id = 0; id < 64; id++) {
            client_add(client, id, &f->issuer->key_id, tbs(), 0);
        }
        client_send(client);
    }
    send_cancel(&f->client, 32, 63);
    await(&f->counters->cancelled, 32);
    send_cancel(&f->client, 32, 63); /* again: nothing is meant any more */
    size_t num_mine = 0, num_others = 0;
    while (num_mine < 32 || num_others < 64) {
        struct client *client = num_others < 64 ? &other : &f->client;
        client_receive(client);
        for (size_t i = 0; i < client->num_results; i++) {
            assert_true(is_good(&client->results[i]) && (client == &other || client->results[i].id < 32));
        }
        *(client == &other ? &num_others : &num_mine) += client->num_results;
    }
    struct wire_sign_result result = client_ask(&f->client, 99, &f->issuer->key_id, tbs(), 0);
    assert_true(is_good(&result)); /* the next thing that is answered */
    assert_int_equal(mg_counter_get(&f->counters->cancelled), 32);
    assert_int_equal(mg_counter_get(&journal_counters(f->journal)->records), 97);
    client_close(&other);
}

/* assert_breaks sends |packet| on a connection of its own, after HELLO if |greeted|, and expects that to be the end
 * of it. */
static void assert_breaks(struct mg_slice packet, bool greeted)
{
    struct client *client = malloc(sizeof(*client));
    struct wire_issuers *issuers = malloc(sizeof(*issuers));
    uint64_t before = mg_counter_get(&f->counters->invalid_packets);
    connect_client(client);
    if (greeted) {
        client_hello(client, issuers);
    }
    client_send_bytes(client, packet);
    assert_true(client_is_closed(client));
    await(&f->counters->invalid_packets, before + 1);
    client_close(client);
    free(issuers);
    free(client);
}

static void test_a_packet_that_breaks_the_protocol_ends_its_connection_alone(void **state)
{
    (void)state;
    struct mg_buffer packet;
    mg_buffer_init(&packet, WIRE_SIGNER_MAX_PACKET);
    wire_signer_begin_sign(&packet);
    struct wire_sign_request request = {.id = 1, .key_id = f->issuer->key_id, .tbs = tbs()};
    assert_true(wire_signer_add_sign(&packet, &request));
    assert_breaks(mg_buffer_slice(&packet), false); /* before HELLO */
    assert_breaks(mg_slice_of(packet.data, packet.len - 1), true);
    mg_buffer_append_u8(&packet, 0);
    assert_breaks(mg_buffer_slice(&packet), true);
    assert_breaks(mg_slice_of_text("\x09"), true);        /* unknown type */
    assert_breaks(mg_slice_of("\x02\x00", 2), true);      /* the signer's own ISSUERS */
    assert_breaks(mg_slice_of("\x01\x00\x01", 3), true);  /* HELLO twice */
    assert_breaks(mg_slice_of("\x01\x00\x00", 3), false); /* versions that it does not speak */
    assert_breaks(mg_slice_of("\x01\x00\x04", 3), false);
    assert_breaks(mg_slice_of("\x05\x00\x00", 3), true); /* CANCEL of nothing */
    assert_breaks(mg_slice_of("\x06\x00", 2), true);     /* CLIENT_SIGN cut short */
    assert_breaks(mg_slice_of("\x01\x00", 2), false);
    static const uint8_t large[WIRE_SIGNER_MAX_PACKET + 1] = {WIRE_SIGNER_SIGN};
    assert_breaks(mg_slice_of(large, sizeof(large)), true);
    mg_buffer_free(&packet);
    struct wire_sign_result result = client_ask(&f->client, 1, &f->issuer->key_id, tbs(), 0);
    assert_true(is_good(&result)); /* the first connection never noticed */
}

static void test_a_peer_that_does_not_read_is_closed_and_delays_nobody(void **state)
{
    (void)state;
    struct client *deaf = malloc(sizeof(*deaf));
    struct wire_issuers *issuers = malloc(sizeof(*issuers));
    struct wire_key_id unknown = {{0}};
    connect_client(deaf);
    client_hello(deaf, issuers);
    client_begin(deaf);
    for (uint64_t id = 0; id < 64; id++) {
        client_add(deaf, id, &unknown, mg_slice_of_text("x"), 0); /* answered without work */
    }
    struct mg_slice packet = mg_buffer_slice(&deaf->out);
    size_t num_sent = 0;
    while (mg_counter_get(&f->counters->slow_peers) == 0) {
        assert_true(num_sent++ < 100000);
        if (send(deaf->fd, packet.data, packet.len, MSG_NOSIGNAL) < 0) {
            break;
        }
        if (num_sent % 500 == 0) {
            struct wire_sign_result result = client_ask(&f->client, num_sent, &f->issuer->key_id, tbs(), 0);
            assert_true(is_good(&result));
        }
    }
    await(&f->counters->slow_peers, 1);
    assert_true(num_sent * 707 > CONNECTION_MAX_BACKLOG); /* and not before the bound: a reply of 64 is 707 bytes */
    struct wire_sign_result result = client_ask(&f->client, 7, &f->issuer->key_id, tbs(), 0);
    assert_true(is_good(&result));
    client_close(deaf);
    free(issuers);
    free(deaf);
}

static void test_requests_of_a_peer_that_went_are_abandoned(void **state)
{
    (void)state;
    close_default(NULL);
    open_with(WIRE_KEY_RSA_4096, 1000);
    struct client *gone = malloc(sizeof(*gone));
    struct wire_issuers *issuers = malloc(sizeof(*issuers));
    connect_client(gone);
    client_hello(gone, issuers);
    client_begin(gone);
    for (uint64_t id = 0; id < 64; id++) {
        client_add(gone, id, &f->issuer->key_id, tbs(), 0);
    }
    client_send(gone);
    client_close(gone); /* while at most the first turn is being signed */
    struct wire_sign_result result = client_ask(&f->client, 1, &f->issuer->key_id, tbs(), 0);
    assert_true(is_good(&result));
    for (int tries = 0; tries < 20000 && mg_counter_get(&f->counters->waiting_now) > 0; tries++) {
        usleep(1000);
    }
    assert_true(mg_counter_get(&f->counters->abandoned) >= 48);
    assert_true(mg_counter_get(&journal_counters(f->journal)->records) < 64);
    free(issuers);
    free(gone);
}

static void test_connections_are_bounded(void **state)
{
    (void)state;
    struct client *clients = calloc(CONNECTION_SET_MAX, sizeof(*clients));
    for (size_t i = 0; i < CONNECTION_SET_MAX; i++) {
        connect_client(&clients[i]); /* one more than the bound, with the test's own */
    }
    await(&f->counters->refused_connections, 1);
    assert_true(client_is_closed(&clients[CONNECTION_SET_MAX - 1]));
    for (size_t i = 0; i < CONNECTION_SET_MAX; i++) {
        client_close(&clients[i]);
    }
    await(&f->counters->connections_now, 1);
    free(clients);
    struct wire_sign_result result = client_ask(&f->client, 1, &f->issuer->key_id, tbs(), 0);
    assert_true(is_good(&result));
}

static void test_draining_answers_what_was_taken(void **state)
{
    (void)state;
    close_default(NULL);
    open_with(WIRE_KEY_RSA_2048, 1000);
    client_begin(&f->client);
    for (uint64_t id = 0; id < 64; id++) {
        client_add(&f->client, id, &f->issuer->key_id, tbs(), 0);
    }
    client_send(&f->client);
    await(&f->counters->packets, 2);
    signing_loop_drain(f->loop);
    size_t num_good = 0;
    while (num_good < 64) {
        client_receive(&f->client);
        for (size_t i = 0; i < f->client.num_results; i++) {
            num_good += is_good(&f->client.results[i]);
        }
    }
    assert_true(client_is_closed(&f->client));
    signing_loop_join(f->loop);
    f->loop = NULL;
}

static void test_draining_does_not_wait_for_a_peer_that_does_not_read(void **state)
{
    (void)state;
    struct wire_key_id unknown = {{0}};
    client_begin(&f->client);
    for (uint64_t id = 0; id < 64; id++) {
        client_add(&f->client, id, &unknown, mg_slice_of_text("x"), 0);
    }
    for (int i = 0; i < 600; i++) { /* past what the socket takes, below the bound of the backlog */
        client_send(&f->client);
    }
    await(&f->counters->packets, 601);
    stop_loop(); /* returns at all */
    assert_int_equal(mg_counter_get(&journal_counters(f->journal)->records), 0);
}

/* publish_with and publish_without change the loop's issuers by one. */
static void publish_with(struct issuer *issuer)
{
    struct issuer_set *old = issuer_publisher_get(f->issuers.publisher), *set;
    assert_int_equal(issuer_set_with(&set, old, issuer, NULL), MG_OK);
    issuer_set_free(old);
    issuer_publisher_publish(f->issuers.publisher, set);
}

static void publish_without(const struct wire_key_id *key_id)
{
    struct issuer_set *old = issuer_publisher_get(f->issuers.publisher), *set;
    assert_int_equal(issuer_set_without(&set, old, key_id, NULL), MG_OK);
    issuer_set_free(old);
    issuer_publisher_publish(f->issuers.publisher, set);
}

/* ask_leaf asks for a leaf of |issuer|. */
static enum wire_sign_status ask_leaf(const struct issuer *issuer, uint64_t id)
{
    struct mg_buffer der;
    mg_buffer_init(&der, 4096);
    fixture_write_leaf(&der, &issuer->facts, "offered.example.com", id);
    struct wire_sign_result result = client_ask(&f->client, id, &issuer->key_id, mg_buffer_slice(&der), 0);
    assert_true(result.status != WIRE_SIGN_OK ||
                fixture_verify(issuer->chain[0], mg_buffer_slice(&der), result.signature));
    mg_buffer_free(&der);
    return result.status;
}

static void test_a_new_issuer_is_told_and_signs_at_once(void **state)
{
    (void)state;
    struct issuer *issuer = issuers_offer(&f->issuers, WIRE_KEY_RSA_2048, "Offered");
    struct client *stranger = malloc(sizeof(*stranger)); /* it has not greeted yet, and so is told nothing yet */
    connect_client(stranger);
    assert_int_equal(ask_leaf(issuer, 1), WIRE_SIGN_UNKNOWN_KEY);
    publish_with(issuer);
    client_issuers(&f->client, &f->hello);
    assert_int_equal(f->hello.num_issuers, 3);
    assert_int_equal(f->hello.issuers[2].role, WIRE_ISSUER_OFFERED);
    assert_int_equal(f->hello.issuers[2].key_type, WIRE_KEY_RSA_2048);
    assert_int_equal(ask_leaf(issuer, 2), WIRE_SIGN_OK);
    struct pollfd nothing = {.fd = stranger->fd, .events = POLLIN};
    assert_int_equal(poll(&nothing, 1, 0), 0);
    client_hello(stranger, &f->hello);
    assert_int_equal(f->hello.num_issuers, 3);
    struct wire_sign_result result = client_ask(&f->client, 3, &f->issuer->key_id, tbs(), 0);
    assert_true(is_good(&result)); /* and the others as before */
    client_close(stranger);
    free(stranger);
    issuer_free(issuer);
}

static void test_a_removed_issuer_signs_nothing_from_then_on(void **state)
{
    (void)state;
    struct issuer *issuer = issuers_offer(&f->issuers, WIRE_KEY_EC_P256, "Offered");
    publish_with(issuer);
    client_issuers(&f->client, &f->hello);
    assert_int_equal(ask_leaf(issuer, 1), WIRE_SIGN_OK);
    publish_without(&issuer->key_id);
    client_issuers(&f->client, &f->hello);
    assert_int_equal(f->hello.num_issuers, 2);
    assert_int_equal(ask_leaf(issuer, 2), WIRE_SIGN_UNKNOWN_KEY);
    struct wire_sign_result result = client_ask(&f->client, 3, &f->issuer->key_id, tbs(), 0);
    assert_true(is_good(&result));
    issuer_free(issuer);
}

/* A second's work and more of a slow key. */
#define NUM_QUEUED_PACKETS 12
#define NUM_QUEUED ((size_t)NUM_QUEUED_PACKETS * WIRE_SIGNER_MAX_BATCH)

/* queue_and_change puts NUM_QUEUED requests of a slow key into the queue, changes the issuers while they wait, and
 * returns how many were answered with |expected|; the others were signed before. */
static size_t queue_and_change(struct issuer *issuer, struct issuer *renewed, enum wire_sign_status expected)
{
    struct mg_buffer der;
    size_t num_refused = 0, num_answered = 0;
    bool told = false;
    mg_buffer_init(&der, 4096);
    fixture_write_leaf(&der, &issuer->facts, "offered.example.com", 7);
    client_begin(&f->client);
    for (uint64_t id = 0; id < WIRE_SIGNER_MAX_BATCH; id++) {
        client_add(&f->client, id, &issuer->key_id, mg_buffer_slice(&der), 0);
    }
    for (int i = 0; i < NUM_QUEUED_PACKETS; i++) {
        client_send(&f->client);
    }
    await(&f->counters->packets, 1 + NUM_QUEUED_PACKETS);
    if (renewed != NULL) {
        publish_with(renewed);
    } else {
        publish_without(&issuer->key_id);
    }
    while (num_answered < NUM_QUEUED) {
        enum wire_signer_type type;
        struct mg_slice packet = client_packet(&f->client);
        assert_int_equal(wire_signer_type_of(packet, &type), MG_OK);
        if (type == WIRE_SIGNER_ISSUERS) {
            told = true;
            continue;
        }
        assert_int_equal(wire_signer_decode_signed(packet, f->client.results, &f->client.num_results, NULL), MG_OK);
        for (size_t i = 0; i < f->client.num_results; i++, num_answered++) {
            enum wire_sign_status status = f->client.results[i].status;
            assert_true(status == WIRE_SIGN_OK || status == expected);
            num_refused += status == expected;
        }
    }
    assert_true(told);
    assert_int_equal(mg_counter_get(&journal_counters(f->journal)->records), NUM_QUEUED - num_refused);
    mg_buffer_free(&der);
    return num_refused;
}

static void test_what_waits_for_a_removed_issuer_is_refused(void **state)
{
    (void)state;
    struct issuer *issuer = issuers_offer(&f->issuers, WIRE_KEY_RSA_4096, "Offered");
    publish_with(issuer);
    client_issuers(&f->client, &f->hello);
    assert_true(queue_and_change(issuer, NULL, WIRE_SIGN_UNKNOWN_KEY) > 0);
    issuer_free(issuer);
}

/* Its TBSCertificates were judged for another certificate: the engine is to look at the new one, and ask again. */
static void test_what_waits_for_a_renewed_issuer_is_answered_busy(void **state)
{
    (void)state;
    struct issuer *issuer = issuers_offer(&f->issuers, WIRE_KEY_RSA_4096, "Offered");
    struct issuer *renewed = issuers_certify(&f->issuers, keystore_find0(f->issuers.store, &issuer->key_id), "Renewed");
    publish_with(issuer);
    client_issuers(&f->client, &f->hello);
    size_t num_refused = queue_and_change(issuer, renewed, WIRE_SIGN_BUSY);
    assert_true(num_refused > 0);
    assert_int_equal(mg_counter_get(&f->counters->busy_replaced), num_refused);
    assert_int_equal(ask_leaf(issuer, 100), WIRE_SIGN_BAD_ISSUER);
    assert_int_equal(ask_leaf(renewed, 101), WIRE_SIGN_OK);
    issuer_free(issuer);
    issuer_free(renewed);
}

/* An engine at work while issuers come and go: with a thread sanitizer, and with an address sanitizer, the proof that
 * nothing of a set is used after its time. It counts what happens in its thread; the test judges. */
struct worker {
    struct client client;
    struct wire_issuers issuers;
    _Atomic bool stop;
    const struct issuer *offered; /* one that comes and goes */
    _Atomic size_t num_signed, num_unknown, num_busy, num_wrong;
};

static void count_result(struct worker *worker, const struct wire_sign_result *result)
{
    bool is_offered = result->id % 2 == 0;
    worker->num_signed += result->status == WIRE_SIGN_OK;
    worker->num_unknown += is_offered && result->status == WIRE_SIGN_UNKNOWN_KEY;
    worker->num_busy += is_offered && result->status == WIRE_SIGN_BUSY; /* gone and back while it waited */
}

static void work_once(struct worker *worker, uint64_t round)
{
    struct mg_buffer der;
    size_t num_answered = 0;
    mg_buffer_init(&der, 4096);
    fixture_write_leaf(&der, &worker->offered->facts, "offered.example.com", round);
    client_begin(&worker->client);
    for (uint64_t id = 0; id < 32; id++) {
        bool is_offered = id % 2 == 0;
        client_add(&worker->client, id, is_offered ? &worker->offered->key_id : &f->issuer->key_id,
                   is_offered ? mg_buffer_slice(&der) : tbs(), 0);
    }
    client_send(&worker->client);
    while (num_answered < 32) {
        struct mg_slice packet = client_packet(&worker->client);
        struct wire_sign_result *results = worker->client.results;
        size_t count = 0;
        if (wire_signer_decode_signed(packet, results, &count, NULL) != MG_OK &&
            wire_signer_decode_issuers(packet, &worker->issuers, NULL) != MG_OK) {
            worker->num_wrong++;
        }
        for (size_t i = 0; i < count; i++, num_answered++) {
            count_result(worker, &results[i]);
        }
    }
    mg_buffer_free(&der);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    for (uint64_t round = 0; !worker->stop; round++) {
        work_once(worker, round);
        worker->num_wrong += worker->num_signed + worker->num_unknown + worker->num_busy != 32 * (round + 1);
    }
    return NULL;
}

static void test_issuers_come_and_go_while_a_thread_signs(void **state)
{
    (void)state;
    struct worker *worker = calloc(1, sizeof(*worker));
    struct issuer *issuer = issuers_offer(&f->issuers, WIRE_KEY_EC_P256, "Offered");
    struct wire_key_id key_id = issuer->key_id;
    pthread_t thread;
    connect_client(&worker->client);
    client_hello(&worker->client, &worker->issuers);
    worker->offered = issuer;
    assert_int_equal(pthread_create(&thread, NULL, work, worker), 0);
    for (int i = 0; i < 200 || (i < 100000 && (worker->num_signed == 0 || worker->num_unknown == 0)); i++) {
        /* Each time another object for the same key, as INSTALL makes it. */
        struct issuer *again;
        assert_int_equal(issuer_new(&again, keystore_find0(f->issuers.store, &key_id), issuer->chain, issuer->num_chain,
                                    &f->issuers.backends, NULL),
                         MG_OK);
        publish_with(again);
        issuer_free(again);
        client_issuers(&f->client, &f->hello);
        publish_without(&key_id);
        client_issuers(&f->client, &f->hello);
    }
    worker->stop = true;
    pthread_join(thread, NULL);
    assert_int_equal(worker->num_wrong, 0);
    assert_true(worker->num_signed > 0 && worker->num_unknown > 0);
    client_close(&worker->client);
    issuer_free(issuer);
    free(worker);
}

/* Every line of the page is a comment or a sample, and each sample belongs to the family named before it. */
static void test_metrics_are_prometheus_text(void **state)
{
    (void)state;
    client_ask(&f->client, 1, &f->issuer->key_id, tbs(), 0);
    await(&f->counters->results[WIRE_SIGN_OK], 1);
    struct mg_counter refused = {0};
    static const struct control_counters control;
    static const struct control_server_counters control_server;
    struct signer_metrics metrics = {.loops = &f->counters,
                                     .num_loops = 1,
                                     .refused_peers = &refused,
                                     .journal = f->journal,
                                     .issuers = f->issuers.publisher,
                                     .control = &control,
                                     .control_server = &control_server,
                                     .uses_lanes = true};
    struct mg_buffer out;
    mg_buffer_init(&out, 1 << 20);
    signer_metrics_render(&metrics, &out);
    mg_buffer_append_u8(&out, 0);
    assert_true(mg_buffer_ok(&out));
    char *text = (char *)out.data, family[128] = "";
    assert_non_null(strstr(text, "mintgate_hsm_results_total{status=\"ok\"} 1\n"));
    assert_non_null(strstr(text, "mintgate_hsm_journal_records_total 1\n"));
    assert_non_null(strstr(text, "mintgate_hsm_journal_writable 1\n"));
    assert_non_null(strstr(text, "mintgate_hsm_batch_requests_count 1\n"));
    assert_non_null(strstr(text, "role=\"untrust\",type=\"EC_P256\"} "));
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (sscanf(line, "# TYPE %127s", family) == 1 || strncmp(line, "# HELP ", 7) == 0) {
            continue;
        }
        assert_int_equal(strncmp(line, family, strlen(family)), 0);
        const char *value = strrchr(line, ' ');
        char *end;
        assert_non_null(value);
        (void)strtod(value + 1, &end);
        assert_true(end > value + 1 && *end == '\0');
    }
    mg_buffer_free(&out);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_default, close_default)

int main(void)
{
    mg_log_init("test", MG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        LOOP_TEST(test_a_greeting_is_answered_with_the_issuers),
        LOOP_TEST(test_an_engine_of_the_first_version_is_greeted),
        LOOP_TEST(test_a_batch_is_answered_whole),
        LOOP_TEST(test_refusals_are_answered_and_counted),
        LOOP_TEST(test_keys_of_other_purposes_and_unknown_keys_are_refused),
        LOOP_TEST(test_a_full_queue_says_busy),
        LOOP_TEST(test_a_cancelled_request_is_neither_signed_nor_answered),
        LOOP_TEST(test_a_request_past_its_deadline_is_not_signed),
        LOOP_TEST(test_a_packet_that_breaks_the_protocol_ends_its_connection_alone),
        LOOP_TEST(test_a_peer_that_does_not_read_is_closed_and_delays_nobody),
        LOOP_TEST(test_requests_of_a_peer_that_went_are_abandoned),
        LOOP_TEST(test_connections_are_bounded),
        LOOP_TEST(test_draining_answers_what_was_taken),
        LOOP_TEST(test_draining_does_not_wait_for_a_peer_that_does_not_read),
        LOOP_TEST(test_a_new_issuer_is_told_and_signs_at_once),
        LOOP_TEST(test_a_removed_issuer_signs_nothing_from_then_on),
        LOOP_TEST(test_what_waits_for_a_removed_issuer_is_refused),
        LOOP_TEST(test_what_waits_for_a_renewed_issuer_is_answered_busy),
        LOOP_TEST(test_issuers_come_and_go_while_a_thread_signs),
        LOOP_TEST(test_metrics_are_prometheus_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
