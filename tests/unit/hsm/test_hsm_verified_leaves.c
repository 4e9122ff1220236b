/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the signer signs, judged by somebody else: leaves of every backend and key type, each asked for over the
 * signer's own socket as an engine asks, put together as certificates and verified by GnuTLS (gnutls_verifier.h): the
 * chain, the issuer, and that they say what was asked and no more. No libcrypto is linked.
 *
 * The backends: one after the other by OpenSSL, eight lanes wide by crypto_mb where the CPU can, a PKCS#11 token
 * (SoftHSM2). With MINTGATE_TEST_LONG each of them signs 10,000 leaves with a key of each type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unix_socket.h"
#include "gnutls_verifier.h"
#include "hsm/der.h"
#include "leaf_builder.h"
#include "signer_process.h"
#include "temp_dir.h"
#include "token_fixture.h"
#include "wire/signer_control.h"

#define NUM_LONG 10000
#define BATCH WIRE_SIGNER_MAX_BATCH
#define NUM_LEAF_KEYS 4 /* the last one RSA */
#define PATIENCE_SECONDS 120
#define TOKEN "steady"
#define DAY INT64_C(86400)

/* The key types, with their signature algorithms written down anew, and how many leaves an ordinary run has signed. */
static const struct row {
    struct key_type type;
    size_t num_leaves;
} rows[] = {
    {{.type = WIRE_KEY_EC_P256,
      .name = "EC_P256",
      .signature_algorithm = {(const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", 12}},
     320},
    {{.type = WIRE_KEY_EC_P384,
      .name = "EC_P384",
      .signature_algorithm = {(const uint8_t *)"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12}},
     96},
    {{.type = WIRE_KEY_RSA_2048,
      .name = "RSA_2K",
      .signature_algorithm = {(const uint8_t *)"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15}},
     96},
    {{.type = WIRE_KEY_RSA_3072,
      .name = "RSA_3K",
      .signature_algorithm = {(const uint8_t *)"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15}},
     32},
    {{.type = WIRE_KEY_RSA_4096,
      .name = "RSA_4K",
      .signature_algorithm = {(const uint8_t *)"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15}},
     16},
};

static struct verifier *verifier;
static struct mg_buffer leaf_keys[NUM_LEAF_KEYS];

/* Packets */

/* exchange sends |packet| unless it is empty and receives one into |in|. */
static struct mg_slice exchange(int fd, struct mg_slice packet, uint8_t *in, size_t size)
{
    assert_true(packet.len == 0 || send(fd, packet.data, packet.len, MSG_NOSIGNAL) == (ssize_t)packet.len);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poller, 1, PATIENCE_SECONDS * 1000), 1);
    ssize_t len = recv(fd, in, size, 0);
    assert_true(len > 0);
    return mg_slice_of(in, (size_t)len);
}

/* ask makes one call of control; *reply borrows from a buffer that the next call takes. */
static enum wire_control_status ask(const struct wire_control_request *request, struct wire_control_reply *reply)
{
    static uint8_t in[WIRE_CONTROL_MAX_PACKET];
    struct mg_buffer packet;
    int fd;
    mg_buffer_init(&packet, WIRE_CONTROL_MAX_PACKET);
    wire_control_encode_request(&packet, request);
    assert_int_equal(mg_unix_connect(temp_path("control.sock"), SOCK_SEQPACKET, &fd, NULL), MG_OK);
    struct mg_slice answer = exchange(fd, mg_buffer_slice(&packet), in, sizeof(in));
    assert_int_equal(wire_control_decode_reply(answer, reply, NULL), MG_OK);
    close(fd);
    mg_buffer_free(&packet);
    return reply->status;
}

/* ask_until_well asks until the answer is good: a token may not be up yet. */
static void ask_until_well(const struct wire_control_request *request, struct wire_control_reply *reply)
{
    for (time_t end = time(NULL) + PATIENCE_SECONDS; ask(request, reply) != WIRE_CONTROL_OK; usleep(20000)) {
        if (time(NULL) >= end) {
            fail_msg("%s: %.*s", wire_control_call_name(request->call), (int)reply->text.len,
                     (const char *)reply->text.data);
        }
    }
}

/* An issuer: a key that the signer makes, certified by the verifier's root. */

static struct wire_key_id make_issuer(const char *holder, const struct row *row)
{
    struct wire_control_reply reply;
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_KEY, .id = 1};
    request.make_key = (struct wire_control_make_key){.purpose = WIRE_PURPOSE_MINTING,
                                                      .type = row->type.type,
                                                      .label = mg_slice_of_text(row->type.name),
                                                      .holder = mg_slice_of_text(holder)};
    assert_int_equal(getrandom(&request.make_key.token, sizeof(request.make_key.token), 0),
                     sizeof(request.make_key.token));
    ask_until_well(&request, &reply);
    struct wire_key_id id = reply.made;
    request = (struct wire_control_request){.call = WIRE_CONTROL_PUBLIC_KEY, .id = 1, .key_id = id};
    ask_until_well(&request, &reply);
    verifier_certify(verifier, reply.der);
    request = (struct wire_control_request){.call = WIRE_CONTROL_INSTALL, .id = 1, .key_id = id};
    request.install.certificates[0] = verifier_issuer(verifier);
    request.install.certificates[1] = verifier_root(verifier);
    request.install.num_certificates = 2;
    ask_until_well(&request, &reply);
    return id;
}

/* Leaves, no two alike */

static uint64_t random_below(uint64_t bound)
{
    uint64_t number;
    assert_int_equal(getrandom(&number, sizeof(number), 0), sizeof(number));
    return number % bound;
}

static void draw_wish(struct leaf_wish *wish)
{
    static uint64_t number;
    assert_int_equal(getrandom(wish->serial, sizeof(wish->serial), 0), sizeof(wish->serial));
    wish->serial[0] = (uint8_t)(wish->serial[0] % 0x7f + 1);
    wish->not_before = time(NULL) - (int64_t)random_below(3000);
    wish->not_after = wish->not_before + DAY + (int64_t)random_below(180 * DAY);
    wish->num_names = 1 + random_below(WISH_MAX_NAMES);
    for (size_t i = 0; i < wish->num_names; i++) {
        snprintf(wish->names[i], sizeof(wish->names[i]), "n%llu-%zu.%llx.example.com", (unsigned long long)number, i,
                 (unsigned long long)random_below(UINT64_MAX));
    }
    wish->has_address = random_below(4) == 0;
    memcpy(wish->address, "\xc0\x00\x02", 3);
    wish->address[3] = (uint8_t)random_below(256);
    wish->has_subject = random_below(2) == 0;
    wish->spki = mg_buffer_slice(&leaf_keys[number++ % NUM_LEAF_KEYS]);
}

/* write_tbs appends the TBSCertificate of |wish|. */
static void write_tbs(struct mg_buffer *out, const struct leaf_wish *wish, const struct leaf_issuer *issuer)
{
    static struct leaf leaf;
    struct mg_buffer names;
    leaf_init(&leaf, issuer, wish->spki, wish->names[0], wish->not_before);
    leaf.serial = mg_slice_of(wish->serial, sizeof(wish->serial));
    leaf.not_before = wish->not_before;
    leaf.not_after = wish->not_after;
    mg_buffer_init(&names, WIRE_SIGNER_MAX_TBS);
    for (size_t i = 0; i < wish->num_names; i++) {
        der_write(&names, DER_CONTEXT(2), mg_slice_of_text(wish->names[i]));
    }
    if (wish->has_address) {
        der_write(&names, DER_CONTEXT(7), mg_slice_of(wish->address, sizeof(wish->address)));
    }
    leaf_set_names(&leaf, mg_buffer_slice(&names));
    if (wish->has_subject) {
        leaf.subject = leaf_name(&leaf, wish->names[0]);
        leaf_extension(&leaf, OID_SUBJECT_ALT_NAME)->critical = false;
    }
    leaf_write(&leaf, out);
    mg_buffer_free(&names);
}

/* write_certificate puts a Certificate together (RFC 5280 section 4.1). */
static void write_certificate(struct mg_buffer *out, struct mg_slice tbs, struct mg_slice algorithm,
                              struct mg_slice signature)
{
    struct mg_buffer content, bits;
    mg_buffer_init(&content, UINT16_MAX);
    mg_buffer_init(&bits, UINT16_MAX);
    mg_buffer_append_u8(&bits, 0);
    mg_buffer_append_slice(&bits, signature);
    mg_buffer_append_slice(&content, tbs);
    mg_buffer_append_slice(&content, algorithm);
    der_write(&content, DER_BIT_STRING, mg_buffer_slice(&bits));
    mg_buffer_clear(out);
    der_write(out, DER_SEQUENCE, mg_buffer_slice(&content));
    mg_buffer_free(&content);
    mg_buffer_free(&bits);
}

/* The engine's side */

/* What is under way with one issuer. */
struct asked {
    const struct row *row;
    const char *backend;
    struct wire_key_id key_id;
    struct leaf_issuer facts;
    int fd;
    struct leaf_wish wishes[BATCH];
    struct mg_buffer tbs[BATCH], packet, certificate;
    bool is_answered[BATCH];
};

static void send_hello(struct asked *asked)
{
    static uint8_t in[WIRE_SIGNER_MAX_PACKET];
    mg_buffer_clear(&asked->packet);
    wire_signer_encode_hello(&asked->packet);
    struct wire_issuers issuers;
    struct mg_slice answer = exchange(asked->fd, mg_buffer_slice(&asked->packet), in, sizeof(in));
    assert_int_equal(wire_signer_decode_issuers(answer, &issuers, NULL), MG_OK);
}

static void check_result(struct asked *asked, const struct wire_sign_result *result)
{
    assert_true(result->id < BATCH && !asked->is_answered[result->id]);
    asked->is_answered[result->id] = true;
    if (result->status != WIRE_SIGN_OK) {
        fail_msg("%s, %s: %s", asked->backend, asked->row->type.name, wire_sign_status_name(result->status));
    }
    write_certificate(&asked->certificate, mg_buffer_slice(&asked->tbs[result->id]),
                      asked->row->type.signature_algorithm, result->signature);
    const char *wrong = verifier_check(verifier, mg_buffer_slice(&asked->certificate), asked->row->type.type,
                                       &asked->wishes[result->id]);
    if (wrong != NULL) {
        fail_msg("%s, %s: %s", asked->backend, asked->row->type.name, wrong);
    }
}

/* sign_batch has |count| leaves signed and verifies each. */
static void sign_batch(struct asked *asked, size_t count)
{
    static uint8_t in[WIRE_SIGNER_MAX_PACKET];
    struct wire_sign_result results[WIRE_SIGNER_MAX_BATCH];
    size_t num_results;
    mg_buffer_clear(&asked->packet);
    wire_signer_begin_sign(&asked->packet);
    for (size_t i = 0; i < count; i++) {
        draw_wish(&asked->wishes[i]);
        mg_buffer_clear(&asked->tbs[i]);
        write_tbs(&asked->tbs[i], &asked->wishes[i], &asked->facts);
        asked->is_answered[i] = false;
        struct wire_sign_request request = {.id = i, .key_id = asked->key_id, .tbs = mg_buffer_slice(&asked->tbs[i])};
        assert_true(wire_signer_add_sign(&asked->packet, &request));
    }
    assert_int_equal(wire_signer_end_batch(&asked->packet), count);
    struct mg_slice packet = mg_buffer_slice(&asked->packet);
    for (size_t answered = 0; answered < count; answered += num_results) {
        struct mg_slice answer = exchange(asked->fd, packet, in, sizeof(in));
        packet = mg_slice_of(NULL, 0);
        assert_int_equal(wire_signer_decode_signed(answer, results, &num_results, NULL), MG_OK);
        for (size_t i = 0; i < num_results; i++) {
            check_result(asked, &results[i]);
        }
    }
}

static struct asked *asked_new(const char *backend, const char *holder, const struct row *row)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    assert_non_null(asked);
    asked->row = row;
    asked->backend = backend;
    asked->key_id = make_issuer(holder, row);
    asked->facts = (struct leaf_issuer){.role = WIRE_ISSUER_OFFERED,
                                        .key_type = &row->type,
                                        .subject = verifier_issuer_name(verifier),
                                        .ski = verifier_issuer_key_id(verifier)};
    for (size_t i = 0; i < BATCH; i++) {
        mg_buffer_init(&asked->tbs[i], WIRE_SIGNER_MAX_TBS);
    }
    mg_buffer_init(&asked->packet, WIRE_SIGNER_MAX_PACKET);
    mg_buffer_init(&asked->certificate, UINT16_MAX);
    asked->fd = signer_connect_engine();
    send_hello(asked);
    return asked;
}

static void asked_free(struct asked *asked)
{
    for (size_t i = 0; i < BATCH; i++) {
        mg_buffer_free(&asked->tbs[i]);
    }
    mg_buffer_free(&asked->packet);
    mg_buffer_free(&asked->certificate);
    close(asked->fd);
    free(asked);
}

/* assert_verified has leaves of every key type signed by one backend; in an ordinary run up to |last|, since longer
 * keys take seconds to make. */
static void assert_verified(const char *backend, const char *holder, enum wire_key_type last)
{
    bool is_long = getenv("MINTGATE_TEST_LONG") != NULL;
    for (size_t i = 0; i < MG_ARRAY_LEN(rows) && (is_long || rows[i].type.type <= last); i++) {
        size_t wanted = is_long ? NUM_LONG : rows[i].num_leaves, done = 0;
        struct asked *asked = asked_new(backend, holder, &rows[i]);
        while (done < wanted) {
            size_t count = wanted - done < BATCH ? wanted - done : BATCH;
            sign_batch(asked, count);
            done += count;
        }
        print_message("%s, %s: %zu verified\n", backend, rows[i].type.name, done);
        asked_free(asked);
    }
}

/* signs_in_lanes tells what the signer says of itself, which may listen before it has said it. */
static bool signs_in_lanes(void)
{
    for (time_t end = time(NULL) + PATIENCE_SECONDS; strstr(signer_output(), "batches ") == NULL; usleep(10000)) {
        assert_true(time(NULL) < end);
    }
    return strstr(signer_output(), "batches eight lanes wide") != NULL;
}

/* Tests */

static int begin(void **state)
{
    if (softhsm_begin(state) != 0) {
        return -1;
    }
    verifier = verifier_new();
    for (size_t i = 0; i < NUM_LEAF_KEYS; i++) {
        mg_buffer_init(&leaf_keys[i], 1024);
        verifier_new_spki(i == NUM_LEAF_KEYS - 1, &leaf_keys[i]);
    }
    return 0;
}

static int end(void **state)
{
    signer_process.crypto_mb = "auto";
    verifier_free(verifier);
    for (size_t i = 0; i < NUM_LEAF_KEYS; i++) {
        mg_buffer_free(&leaf_keys[i]);
    }
    return signer_end(state);
}

static void test_what_openssl_signs_one_after_the_other_is_verified(void **state)
{
    (void)state;
    signer_process.crypto_mb = "off";
    signer_write_config("");
    signer_start();
    assert_verified("one after the other", "", WIRE_KEY_RSA_3072);
    signer_assert_stopped_well();
}

static void test_what_crypto_mb_signs_in_lanes_is_verified(void **state)
{
    (void)state;
    signer_write_config("");
    signer_start();
    if (!signs_in_lanes()) {
        print_message("in lanes: not on this CPU, which lacks AVX-512 IFMA, or crypto_mb is not built in\n");
        skip();
    }
    assert_verified("in lanes", "", WIRE_KEY_RSA_4096);
    signer_assert_stopped_well();
}

static void test_what_a_token_signs_is_verified(void **state)
{
    char text[2048];
    (void)state;
    softhsm_new_token("one");
    assert_int_equal(mg_file_write_atomic(temp_path("pin"), mg_slice_of_text(TOKEN_PIN), 0600, NULL), MG_OK);
    snprintf(text, sizeof(text),
             "  tokens:\n    - {name: " TOKEN ", module: %s, token: one, pin_file: %s, sessions: 2, deadline: 60s}\n",
             softhsm_module(), temp_path("pin"));
    signer_write_config(text);
    signer_start();
    assert_verified("on a token", TOKEN, WIRE_KEY_RSA_2048);
    signer_assert_stopped_well();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_openssl_signs_one_after_the_other_is_verified),
        TEST(test_what_crypto_mb_signs_in_lanes_is_verified),
        TEST(test_what_a_token_signs_is_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
