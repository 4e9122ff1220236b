/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/signer_control.h"

/* Offsets that tests change bytes at. */
#define VERSION 0
#define CALL 1
#define REQUEST_FIELDS 10 /* behind version, call and id */
#define REPLY_STATUS 10
#define REPLY_FIELDS 11

/* Each test writes one packet into this buffer. */
static int new_packet(void **state)
{
    static struct mg_buffer packet;
    mg_buffer_init(&packet, WIRE_CONTROL_MAX_PACKET);
    *state = &packet;
    return 0;
}

static int free_packet(void **state)
{
    mg_buffer_free(*state);
    return 0;
}

static struct wire_key_id key_id_of(uint8_t seed)
{
    struct wire_key_id id;
    memset(id.bytes, seed, sizeof(id.bytes));
    return id;
}

static void assert_slice(struct mg_slice got, const char *expected)
{
    assert_true(mg_slice_equal(got, mg_slice_of_text(expected)));
}

/* A packet is a request or a reply, never both. */
static enum mg_status decode_any(struct mg_slice packet)
{
    struct wire_control_request request;
    struct wire_control_reply reply;
    struct mg_error why_no_request = {""}, why_no_reply = {""};
    enum mg_status as_request = wire_control_decode_request(packet, &request, &why_no_request);
    enum mg_status as_reply = wire_control_decode_reply(packet, &reply, &why_no_reply);
    assert_true(as_request == MG_OK || (as_request == MG_INVALID && why_no_request.text[0] != '\0'));
    assert_true(as_reply == MG_OK || (as_reply == MG_INVALID && why_no_reply.text[0] != '\0'));
    assert_false(as_request == MG_OK && as_reply == MG_OK);
    return as_request == MG_OK || as_reply == MG_OK ? MG_OK : MG_INVALID;
}

/* assert_only_whole_packets_decode cuts |packet| at every length and adds a byte. */
static void assert_only_whole_packets_decode(const struct mg_buffer *packet)
{
    assert_true(mg_buffer_ok(packet));
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_OK);
    for (size_t len = 0; len < packet->len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that a sanitizer sees a read beyond */
        memcpy(exact, packet->data, len);
        assert_int_equal(decode_any(mg_slice_of(exact, len)), MG_INVALID);
        free(exact);
    }
    struct mg_buffer longer;
    mg_buffer_init(&longer, packet->len + 1);
    mg_buffer_append_slice(&longer, mg_buffer_slice(packet));
    mg_buffer_append_u8(&longer, 0);
    assert_int_equal(decode_any(mg_buffer_slice(&longer)), MG_INVALID);
    mg_buffer_free(&longer);
}

/* assert_refused_with_byte changes one byte of a good packet and expects a refusal. */
static void assert_refused_with_byte(struct mg_buffer *packet, size_t offset, uint8_t value)
{
    assert_true(offset < packet->len);
    uint8_t good = packet->data[offset];
    packet->data[offset] = value;
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID);
    packet->data[offset] = good;
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_OK);
}

/* assert_not_accepted encodes what an honest peer would not send. */
static void assert_not_accepted(struct mg_buffer *packet, const struct wire_control_request *request)
{
    mg_buffer_clear(packet);
    wire_control_encode_request(packet, request);
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID);
    mg_buffer_clear(packet);
}

static struct wire_control_request round_trip(struct mg_buffer *packet, const struct wire_control_request *request)
{
    struct wire_control_request got;
    mg_buffer_clear(packet);
    wire_control_encode_request(packet, request);
    assert_int_equal(wire_control_decode_request(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_int_equal(got.call, request->call);
    assert_int_equal(got.id, request->id);
    assert_memory_equal(&got.key_id, &request->key_id, sizeof(got.key_id));
    assert_only_whole_packets_decode(packet);
    assert_refused_with_byte(packet, VERSION, WIRE_CONTROL_VERSION + 1);
    assert_refused_with_byte(packet, CALL, 0);
    assert_refused_with_byte(packet, CALL, WIRE_CONTROL_LAST_CALL + 1);
    return got;
}

static struct wire_control_reply reply_round_trip(struct mg_buffer *packet, const struct wire_control_reply *reply)
{
    struct wire_control_reply got;
    mg_buffer_clear(packet);
    wire_control_encode_reply(packet, reply);
    assert_int_equal(wire_control_decode_reply(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_int_equal(got.call, reply->call);
    assert_int_equal(got.id, reply->id);
    assert_int_equal(got.status, reply->status);
    assert_only_whole_packets_decode(packet);
    assert_refused_with_byte(packet, VERSION, 0);
    assert_refused_with_byte(packet, CALL, 0x80);
    assert_refused_with_byte(packet, CALL, 0x80 | (WIRE_CONTROL_LAST_CALL + 1));
    assert_refused_with_byte(packet, REPLY_STATUS, WIRE_CONTROL_NUM_STATUSES);
    return got;
}

static void test_calls_on_a_key_name_it_and_nothing_else(void **state)
{
    static const enum wire_control_call calls[] = {WIRE_CONTROL_LIST, WIRE_CONTROL_PUBLIC_KEY, WIRE_CONTROL_REMOVE,
                                                   WIRE_CONTROL_DESTROY};
    for (size_t i = 0; i < MG_ARRAY_LEN(calls); i++) {
        struct wire_control_request request = {.call = calls[i], .id = UINT64_MAX - i, .key_id = key_id_of(0xa1)};
        (void)round_trip(*state, &request);
    }
}

static void test_attest_round_trip(void **state)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_ATTEST, .id = 8, .key_id = key_id_of(0xa1)};
    memset(request.attest.nonce, 0x5a, sizeof(request.attest.nonce));
    struct wire_control_request got = round_trip(*state, &request);
    assert_memory_equal(got.attest.nonce, request.attest.nonce, sizeof(got.attest.nonce));
}

static void test_make_key_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_KEY,
                                           .id = 7,
                                           .make_key = {.purpose = WIRE_PURPOSE_MINTING,
                                                        .type = WIRE_KEY_RSA_3072,
                                                        .token = {{1}},
                                                        .label = mg_slice_of_text("Z\xc3\xbcrich"),
                                                        .holder = mg_slice_of_text("hsm-a")}};
    struct wire_control_request got = round_trip(packet, &request);
    assert_int_equal(got.make_key.purpose, WIRE_PURPOSE_MINTING);
    assert_int_equal(got.make_key.type, WIRE_KEY_RSA_3072);
    assert_memory_equal(&got.make_key.token, &request.make_key.token, sizeof(got.make_key.token));
    assert_slice(got.make_key.label, "Z\xc3\xbcrich");
    assert_slice(got.make_key.holder, "hsm-a");
    assert_refused_with_byte(packet, REQUEST_FIELDS, 0);
    assert_refused_with_byte(packet, REQUEST_FIELDS, WIRE_PURPOSE_SERVER_TLS + 1);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 1, 0);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 1, WIRE_KEY_EC_P521 + 1);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 2, 0);          /* a token of zero */
    assert_refused_with_byte(packet, REQUEST_FIELDS + 2 + 16 + 1, 9); /* a tab in the label */
}

static void test_import_key_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    static uint8_t secret[WIRE_CONTROL_MAX_SECRET + 1] = {0x30};
    struct wire_control_request request = {.call = WIRE_CONTROL_IMPORT_KEY,
                                           .id = 7,
                                           .import_key = {.purpose = WIRE_PURPOSE_TLS_CLIENT,
                                                          .token = {{1}},
                                                          .label = mg_slice_of_text("Z\xc3\xbcrich"),
                                                          .secret = mg_slice_of_text("PKCS#8")}};
    struct wire_control_request got = round_trip(packet, &request);
    assert_int_equal(got.import_key.purpose, WIRE_PURPOSE_TLS_CLIENT);
    assert_memory_equal(&got.import_key.token, &request.import_key.token, sizeof(got.import_key.token));
    assert_slice(got.import_key.label, "Z\xc3\xbcrich");
    assert_slice(got.import_key.secret, "PKCS#8");
    assert_refused_with_byte(packet, REQUEST_FIELDS, 0);
    assert_refused_with_byte(packet, REQUEST_FIELDS, WIRE_PURPOSE_SERVER_TLS + 1);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 1, 0);          /* a token of zero */
    assert_refused_with_byte(packet, REQUEST_FIELDS + 1 + 16 + 1, 9); /* a tab in the label */
    request.import_key.secret = mg_slice_of(secret, WIRE_CONTROL_MAX_SECRET);
    (void)round_trip(packet, &request);
    request.import_key.secret = mg_slice_of(secret, sizeof(secret));
    assert_not_accepted(packet, &request);
    request.import_key.secret = mg_slice_of(secret, 0);
    assert_not_accepted(packet, &request);
}

static void test_labels_have_at_most_64_bytes(void **state)
{
    static const char text[WIRE_CONTROL_MAX_LABEL + 2] =
        "12345678901234567890123456789012345678901234567890123456789012345";
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_KEY,
                                           .make_key = {.purpose = WIRE_PURPOSE_MINTING,
                                                        .type = WIRE_KEY_EC_P256,
                                                        .token = {{1}},
                                                        .label = mg_slice_of(text, WIRE_CONTROL_MAX_LABEL)}};
    (void)round_trip(*state, &request);
    request.make_key.label.len++;
    assert_not_accepted(*state, &request);
    request.make_key.label.len = 0;
    (void)round_trip(*state, &request);
}

static void test_make_csr_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_CSR,
                                           .id = 8,
                                           .key_id = key_id_of(0xb2),
                                           .make_csr = {.digest = WIRE_CSR_SHA512, .path_len = 0}};
    for (int i = 0; i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        request.make_csr.subject[i] = mg_slice_of_text(wire_subject_attribute_name((enum wire_subject_attribute)i));
    }
    struct wire_control_request got = round_trip(packet, &request);
    assert_int_equal(got.make_csr.digest, WIRE_CSR_SHA512);
    assert_int_equal(got.make_csr.path_len, 0);
    assert_slice(got.make_csr.subject[WIRE_SUBJECT_C], "C");
    assert_slice(got.make_csr.subject[WIRE_SUBJECT_ST], "ST");
    assert_slice(got.make_csr.subject[WIRE_SUBJECT_L], "L");
    assert_slice(got.make_csr.subject[WIRE_SUBJECT_O], "O");
    assert_slice(got.make_csr.subject[WIRE_SUBJECT_OU], "OU");
    assert_slice(got.make_csr.subject[WIRE_SUBJECT_CN], "CN");
    assert_refused_with_byte(packet, REQUEST_FIELDS + 16, 0);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 16, WIRE_CSR_SHA512 + 1);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 17, WIRE_CONTROL_MAX_PATH_LEN + 2);
}

static void test_path_lens_from_none_to_15_survive(void **state)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_CSR, .make_csr = {.digest = WIRE_CSR_SHA256}};
    for (int path_len = WIRE_CONTROL_NO_PATH_LEN; path_len <= WIRE_CONTROL_MAX_PATH_LEN; path_len++) {
        request.make_csr.path_len = path_len;
        assert_int_equal(round_trip(*state, &request).make_csr.path_len, path_len);
    }
}

static void test_attributes_are_bounded_and_utf8(void **state)
{
    static char text[WIRE_CONTROL_MAX_ATTRIBUTE + 1];
    memset(text, 'x', sizeof(text));
    struct wire_control_request request = {.call = WIRE_CONTROL_MAKE_CSR, .make_csr = {.digest = WIRE_CSR_SHA256}};
    for (size_t i = 0; i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        struct mg_slice *attribute = &request.make_csr.subject[i];
        *attribute = mg_slice_of(text, WIRE_CONTROL_MAX_ATTRIBUTE);
        assert_int_equal(round_trip(*state, &request).make_csr.subject[i].len, WIRE_CONTROL_MAX_ATTRIBUTE);
        *attribute = mg_slice_of(text, sizeof(text));
        assert_not_accepted(*state, &request);
        *attribute = mg_slice_of_text("\xff");
        assert_not_accepted(*state, &request);
        *attribute = mg_slice_of("a\0b", 3);
        assert_not_accepted(*state, &request);
        *attribute = mg_slice_of_text("");
    }
}

static void test_what_ska_keys_sign_round_trips(void **state)
{
    struct mg_buffer *packet = *state;
    static uint8_t octets[WIRE_CONTROL_MAX_PAYLOAD + 1];
    struct wire_control_request request = {.call = WIRE_CONTROL_SKA_SIGN_TBS,
                                           .id = 5,
                                           .key_id = key_id_of(0x17),
                                           .ska_sign = {.digest = WIRE_SKA_SHA384,
                                                        .structure = WIRE_SKA_CERTIFICATION_REQUEST,
                                                        .octets = mg_slice_of_text("structure")}};
    struct wire_control_request got = round_trip(packet, &request);
    assert_int_equal(got.ska_sign.digest, WIRE_SKA_SHA384);
    assert_int_equal(got.ska_sign.structure, WIRE_SKA_CERTIFICATION_REQUEST);
    assert_slice(got.ska_sign.octets, "structure");
    assert_refused_with_byte(packet, REQUEST_FIELDS + 16, 0);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 16, WIRE_SKA_SHA512 + 1);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 17, 0);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 17, WIRE_SKA_CERTIFICATION_REQUEST + 1);
    request.ska_sign.octets = mg_slice_of(octets, WIRE_CONTROL_MAX_DER + 1);
    assert_not_accepted(packet, &request);
    request.ska_sign.octets = mg_slice_of_text("");
    assert_not_accepted(packet, &request);
    request.call = WIRE_CONTROL_SKA_SIGN_PAYLOAD;
    assert_not_accepted(packet, &request);
    request.ska_sign.octets = mg_slice_of(octets, sizeof(octets));
    assert_not_accepted(packet, &request);
    request.ska_sign.octets = mg_slice_of_text("payload");
    got = round_trip(packet, &request);
    assert_slice(got.ska_sign.octets, "payload");
    assert_refused_with_byte(packet, REQUEST_FIELDS + 16, WIRE_SKA_SHA512 + 1);
}

static void test_install_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_control_request request = {
        .call = WIRE_CONTROL_INSTALL,
        .id = 9,
        .key_id = key_id_of(0xc3),
        .install = {.certificates = {mg_slice_of_text("own"), mg_slice_of_text("above")}, .num_certificates = 2}};
    struct wire_control_request got = round_trip(packet, &request);
    assert_int_equal(got.install.num_certificates, 2);
    assert_slice(got.install.certificates[0], "own");
    assert_slice(got.install.certificates[1], "above");
    assert_refused_with_byte(packet, REQUEST_FIELDS + 16, 0);
    assert_refused_with_byte(packet, REQUEST_FIELDS + 16, 1); /* the second is left over */
    assert_refused_with_byte(packet, REQUEST_FIELDS + 16, WIRE_SIGNER_MAX_CHAIN + 1);
    request.install.certificates[1].len = 0;
    assert_not_accepted(packet, &request);
    request.install.num_certificates = 0;
    assert_not_accepted(packet, &request);
}

static void test_a_chain_has_at_most_64_kib(void **state)
{
    static uint8_t bytes[WIRE_CONTROL_MAX_CHAIN_BYTES];
    struct mg_buffer *packet = *state;
    struct wire_control_request request = {.call = WIRE_CONTROL_INSTALL, .install = {.num_certificates = 2}}, got;
    request.install.certificates[0] = mg_slice_of(bytes, 1);
    request.install.certificates[1] = mg_slice_of(bytes, sizeof(bytes) - 1);
    wire_control_encode_request(packet, &request);
    assert_true(mg_buffer_ok(packet));
    assert_int_equal(wire_control_decode_request(mg_buffer_slice(packet), &got, NULL), MG_OK);
    request.install.certificates[0].len++;
    assert_not_accepted(packet, &request);
}

static void test_what_is_to_be_signed_round_trips_within_its_bound(void **state)
{
    static uint8_t bytes[WIRE_CONTROL_MAX_TBS + 1];
    static const enum wire_control_call calls[] = {WIRE_CONTROL_SIGN_CERTIFICATE, WIRE_CONTROL_SIGN_CRL};
    for (size_t i = 0; i < MG_ARRAY_LEN(calls); i++) {
        struct wire_control_request request = {
            .call = calls[i], .id = 15, .key_id = key_id_of(0xf6), .tbs = mg_slice_of_text("tbs")};
        assert_slice(round_trip(*state, &request).tbs, "tbs");
        const size_t lengths[] = {0, sizeof(bytes)};
        for (size_t j = 0; j < MG_ARRAY_LEN(lengths); j++) {
            request.tbs = mg_slice_of(bytes, lengths[j]);
            assert_not_accepted(*state, &request);
        }
    }
}

static void test_list_reply_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_control_reply reply = {
        .call = WIRE_CONTROL_LIST,
        .id = 10,
        .key = {.key_id = key_id_of(0xd4),
                .purpose = WIRE_PURPOSE_PRIVATE_CA,
                .origin = WIRE_ORIGIN_BUILTIN_ROOT,
                .type = WIRE_KEY_EC_P384,
                .created = 1795247636,
                .is_installed = true,
                .label = mg_slice_of_text("root"),
                .holder = mg_slice_of_text("hsm-b"),
                .chain = {.certificates = {mg_slice_of_text("certificate")}, .num_certificates = 1}}};
    struct wire_control_key got = reply_round_trip(packet, &reply).key;
    assert_memory_equal(&got.key_id, &reply.key.key_id, sizeof(got.key_id));
    assert_int_equal(got.purpose, WIRE_PURPOSE_PRIVATE_CA);
    assert_int_equal(got.origin, WIRE_ORIGIN_BUILTIN_ROOT);
    assert_int_equal(got.type, WIRE_KEY_EC_P384);
    assert_int_equal(got.created, 1795247636);
    assert_true(got.is_installed);
    assert_slice(got.label, "root");
    assert_slice(got.holder, "hsm-b");
    assert_int_equal(got.chain.num_certificates, 1);
    assert_slice(got.chain.certificates[0], "certificate");
    enum { PURPOSE = REPLY_FIELDS + 16, ORIGIN, TYPE, CREATED, INSTALLED = CREATED + 8 };
    assert_refused_with_byte(packet, PURPOSE, 0);
    assert_refused_with_byte(packet, PURPOSE, WIRE_PURPOSE_SERVER_TLS + 1);
    assert_refused_with_byte(packet, ORIGIN, WIRE_ORIGIN_BUILTIN_UNTRUST + 1);
    assert_refused_with_byte(packet, TYPE, 0);
    assert_refused_with_byte(packet, TYPE, WIRE_KEY_EC_P521 + 1);
    assert_refused_with_byte(packet, CREATED, 0x80);
    assert_refused_with_byte(packet, INSTALLED, 2);
    reply.key.chain.num_certificates = 0;
    reply.key.is_installed = false;
    got = reply_round_trip(packet, &reply).key;
    assert_int_equal(got.chain.num_certificates, 0);
    assert_false(got.is_installed);
}

static void test_results_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_control_reply made = {.call = WIRE_CONTROL_MAKE_KEY, .id = 11, .made = key_id_of(0xe5)};
    struct wire_key_id got = reply_round_trip(packet, &made).made;
    assert_memory_equal(&got, &made.made, sizeof(got));
    static const enum wire_control_call with_der[] = {
        WIRE_CONTROL_PUBLIC_KEY, WIRE_CONTROL_MAKE_CSR,     WIRE_CONTROL_ATTEST,          WIRE_CONTROL_SIGN_CERTIFICATE,
        WIRE_CONTROL_SIGN_CRL,   WIRE_CONTROL_SKA_SIGN_TBS, WIRE_CONTROL_SKA_SIGN_PAYLOAD};
    for (size_t i = 0; i < MG_ARRAY_LEN(with_der); i++) {
        struct wire_control_reply reply = {.call = with_der[i], .id = 12, .der = mg_slice_of_text("der")};
        assert_slice(reply_round_trip(packet, &reply).der, "der");
        static uint8_t large[WIRE_CONTROL_MAX_DER + 1];
        const size_t lengths[] = {0, sizeof(large)};
        for (size_t j = 0; j < MG_ARRAY_LEN(lengths); j++) {
            reply.der = mg_slice_of(large, lengths[j]);
            mg_buffer_clear(packet);
            wire_control_encode_reply(packet, &reply);
            assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID);
        }
    }
    static const enum wire_control_call with_nothing[] = {WIRE_CONTROL_INSTALL, WIRE_CONTROL_REMOVE,
                                                          WIRE_CONTROL_DESTROY};
    for (size_t i = 0; i < MG_ARRAY_LEN(with_nothing); i++) {
        (void)reply_round_trip(packet, &(struct wire_control_reply){.call = with_nothing[i], .id = 13});
    }
}

/* Whatever the call, a refusal carries its text and no result. */
static void test_refusals_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    for (unsigned call = WIRE_CONTROL_LIST; call <= WIRE_CONTROL_LAST_CALL; call++) {
        for (int status = WIRE_CONTROL_INVALID; wire_control_call_is_known(call) && status < WIRE_CONTROL_NUM_STATUSES;
             status++) {
            struct wire_control_reply reply = {.call = (enum wire_control_call)call,
                                               .id = 14,
                                               .status = (enum wire_control_status)status,
                                               .text = mg_slice_of_text("CN: too long")};
            assert_slice(reply_round_trip(packet, &reply).text, "CN: too long");
            assert_refused_with_byte(packet, REPLY_FIELDS + 2, '\n');
        }
    }
    static char text[WIRE_CONTROL_MAX_TEXT + 1];
    memset(text, 'x', sizeof(text));
    struct wire_control_reply reply = {
        .call = WIRE_CONTROL_LIST, .status = WIRE_CONTROL_FAILED, .text = mg_slice_of(text, sizeof(text))};
    mg_buffer_clear(packet);
    wire_control_encode_reply(packet, &reply);
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID);
}

static void test_a_packet_over_the_limit_is_refused(void **state)
{
    (void)state;
    static uint8_t packet[WIRE_CONTROL_MAX_PACKET + 1] = {WIRE_CONTROL_VERSION, WIRE_CONTROL_INSTALL};
    assert_int_equal(decode_any(mg_slice_of(packet, sizeof(packet))), MG_INVALID);
}

static void test_statuses_are_classes(void **state)
{
    (void)state;
    for (int status = WIRE_CONTROL_OK; status < WIRE_CONTROL_FAILED; status++) {
        enum mg_status class = wire_control_status_class((enum wire_control_status)status);
        assert_int_equal(wire_control_status_of(class), status);
    }
    assert_int_equal(wire_control_status_of(MG_IO), WIRE_CONTROL_FAILED);
    assert_int_equal(wire_control_status_of(MG_MEMORY), WIRE_CONTROL_FAILED);
    assert_int_equal(wire_control_status_class(WIRE_CONTROL_FAILED), MG_INTERNAL);
}

static void test_calls_have_names(void **state)
{
    (void)state;
    for (unsigned call = 0; call <= WIRE_CONTROL_LAST_CALL; call++) {
        const char *name = wire_control_call_name((enum wire_control_call)call);
        assert_int_equal(strcmp(name, "unknown") != 0, wire_control_call_is_known(call));
    }
    assert_true(wire_control_call_is_known(WIRE_CONTROL_LIST));
    assert_true(wire_control_call_is_known(WIRE_CONTROL_LAST_CALL));
    assert_string_equal(wire_control_call_name((enum wire_control_call)0), "unknown");
    assert_string_equal(wire_control_call_name((enum wire_control_call)(WIRE_CONTROL_LAST_CALL + 1)), "unknown");
    for (int status = 0; status < WIRE_CONTROL_NUM_STATUSES; status++) {
        assert_string_not_equal(wire_control_status_name((enum wire_control_status)status), "unknown");
    }
    assert_string_equal(wire_control_status_name((enum wire_control_status)WIRE_CONTROL_NUM_STATUSES), "unknown");
    assert_string_equal(wire_subject_attribute_name((enum wire_subject_attribute)WIRE_SUBJECT_NUM_ATTRIBUTES),
                        "unknown");
}

#define PACKET_TEST(name) cmocka_unit_test_setup_teardown(name, new_packet, free_packet)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PACKET_TEST(test_calls_on_a_key_name_it_and_nothing_else),
        PACKET_TEST(test_attest_round_trip),
        PACKET_TEST(test_make_key_round_trip),
        PACKET_TEST(test_import_key_round_trip),
        PACKET_TEST(test_labels_have_at_most_64_bytes),
        PACKET_TEST(test_make_csr_round_trip),
        PACKET_TEST(test_path_lens_from_none_to_15_survive),
        PACKET_TEST(test_attributes_are_bounded_and_utf8),
        PACKET_TEST(test_what_ska_keys_sign_round_trips),
        PACKET_TEST(test_install_round_trip),
        PACKET_TEST(test_a_chain_has_at_most_64_kib),
        PACKET_TEST(test_what_is_to_be_signed_round_trips_within_its_bound),
        PACKET_TEST(test_list_reply_round_trip),
        PACKET_TEST(test_results_round_trip),
        PACKET_TEST(test_refusals_round_trip),
        cmocka_unit_test(test_a_packet_over_the_limit_is_refused),
        cmocka_unit_test(test_statuses_are_classes),
        cmocka_unit_test(test_calls_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
