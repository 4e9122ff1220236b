/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/signer.h"

/* Each test writes one packet into this buffer. */
static int new_packet(void **state)
{
    static struct mg_buffer packet;
    mg_buffer_init(&packet, WIRE_SIGNER_MAX_PACKET);
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

static void assert_type(struct mg_slice packet, enum wire_signer_type expected)
{
    enum wire_signer_type type;
    assert_int_equal(wire_signer_type_of(packet, &type), MG_OK);
    assert_int_equal(type, expected);
}

/* decode_any says whether a packet of whatever type is accepted. */
static enum mg_status decode_any(struct mg_slice packet)
{
    static struct wire_issuers issuers;
    static struct wire_sign_request requests[WIRE_SIGNER_MAX_BATCH];
    static struct wire_sign_result results[WIRE_SIGNER_MAX_BATCH];
    struct wire_sign_cancel cancel;
    struct wire_client_sign client_sign;
    struct mg_error error = {""};
    enum wire_signer_type type;
    uint16_t version;
    size_t count;
    enum mg_status status = wire_signer_type_of(packet, &type);
    if (status != MG_OK) {
        return status;
    }
    switch (type) {
    case WIRE_SIGNER_HELLO:
        status = wire_signer_decode_hello(packet, &version, &error);
        break;
    case WIRE_SIGNER_ISSUERS:
        status = wire_signer_decode_issuers(packet, &issuers, &error);
        break;
    case WIRE_SIGNER_SIGN:
        status = wire_signer_decode_sign(packet, requests, &count, &error);
        break;
    case WIRE_SIGNER_SIGNED:
        status = wire_signer_decode_signed(packet, results, &count, &error);
        break;
    case WIRE_SIGNER_CANCEL:
        status = wire_signer_decode_cancel(packet, &cancel, &error);
        break;
    case WIRE_SIGNER_CLIENT_SIGN:
        status = wire_signer_decode_client_sign(packet, &client_sign, &error);
        break;
    }
    assert_true(status == MG_OK || error.text[0] != '\0'); /* every refusal says why */
    return status;
}

/* assert_only_whole_packets_decode cuts |packet| at every length and adds a byte. */
static void assert_only_whole_packets_decode(const struct mg_buffer *packet)
{
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_OK);
    for (size_t len = 0; len < packet->len; len++) {
        assert_int_equal(decode_any(mg_slice_of(packet->data, len)), MG_INVALID);
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

static void test_hello_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    wire_signer_encode_hello(packet);
    assert_true(mg_buffer_ok(packet));
    assert_type(mg_buffer_slice(packet), WIRE_SIGNER_HELLO);
    uint16_t version = 0;
    assert_int_equal(wire_signer_decode_hello(mg_buffer_slice(packet), &version, NULL), MG_OK);
    assert_int_equal(version, WIRE_SIGNER_VERSION);
    assert_only_whole_packets_decode(packet);
}

static void test_unknown_types_are_refused(void **state)
{
    struct mg_buffer *packet = *state;
    enum wire_signer_type type;
    assert_int_equal(wire_signer_type_of(mg_buffer_slice(packet), &type), MG_INVALID);
    for (unsigned byte = 0; byte <= 255; byte++) {
        uint8_t value = (uint8_t)byte;
        bool known = byte >= WIRE_SIGNER_HELLO && byte <= WIRE_SIGNER_CLIENT_SIGN;
        assert_int_equal(wire_signer_type_of(mg_slice_of(&value, 1), &type), known ? MG_OK : MG_INVALID);
    }
}

static void test_a_packet_of_another_type_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    wire_signer_encode_hello(packet);
    struct wire_issuers issuers;
    assert_int_equal(wire_signer_decode_issuers(mg_buffer_slice(packet), &issuers, NULL), MG_INVALID);
}

static void encode_two_issuers(struct mg_buffer *packet)
{
    struct wire_issuers issuers = {.num_issuers = 2};
    issuers.issuers[0] = (struct wire_issuer){
        .key_id = key_id_of(0xa1), .role = WIRE_ISSUER_DEFAULT, .key_type = WIRE_KEY_RSA_4096, .num_chain = 2};
    issuers.issuers[0].chain[0] = mg_slice_of_text("own");
    issuers.issuers[0].chain[1] = mg_slice_of_text("root certificate");
    issuers.issuers[1] = (struct wire_issuer){
        .key_id = key_id_of(0xb2), .role = WIRE_ISSUER_UNTRUST, .key_type = WIRE_KEY_EC_P256, .num_chain = 1};
    issuers.issuers[1].chain[0] = mg_slice_of_text("untrust");
    wire_signer_encode_issuers(packet, &issuers);
    assert_true(mg_buffer_ok(packet));
}

static void test_issuers_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    encode_two_issuers(packet);
    assert_type(mg_buffer_slice(packet), WIRE_SIGNER_ISSUERS);
    struct wire_issuers got;
    assert_int_equal(wire_signer_decode_issuers(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_int_equal(got.num_issuers, 2);
    assert_int_equal(got.issuers[0].key_id.bytes[15], 0xa1);
    assert_int_equal(got.issuers[0].role, WIRE_ISSUER_DEFAULT);
    assert_int_equal(got.issuers[0].key_type, WIRE_KEY_RSA_4096);
    assert_int_equal(got.issuers[0].num_chain, 2);
    assert_slice(got.issuers[0].chain[0], "own");
    assert_slice(got.issuers[0].chain[1], "root certificate");
    assert_int_equal(got.issuers[1].role, WIRE_ISSUER_UNTRUST);
    assert_int_equal(got.issuers[1].num_chain, 1);
    assert_slice(got.issuers[1].chain[0], "untrust");
    assert_only_whole_packets_decode(packet);
}

static void test_issuers_out_of_range_are_refused(void **state)
{
    struct mg_buffer *packet = *state;
    encode_two_issuers(packet);
    enum { COUNT = 1, ROLE = 18, KEY_TYPE = 19, NUM_CHAIN = 20, CERTIFICATE_LEN = 22 };
    assert_refused_with_byte(packet, COUNT, WIRE_SIGNER_MAX_ISSUERS + 1);
    assert_refused_with_byte(packet, ROLE, 0);
    assert_refused_with_byte(packet, ROLE, WIRE_ISSUER_OFFERED + 1);
    assert_refused_with_byte(packet, KEY_TYPE, 0);
    assert_refused_with_byte(packet, KEY_TYPE, WIRE_KEY_RSA_4096 + 1);
    assert_refused_with_byte(packet, NUM_CHAIN, 0);
    assert_refused_with_byte(packet, NUM_CHAIN, WIRE_SIGNER_MAX_CHAIN + 1);
    assert_refused_with_byte(packet, CERTIFICATE_LEN, 0);
}

static void test_no_issuers_is_a_valid_answer(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_issuers issuers = {.num_issuers = 0}, got = {.num_issuers = 9};
    wire_signer_encode_issuers(packet, &issuers);
    assert_int_equal(wire_signer_decode_issuers(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_int_equal(got.num_issuers, 0);
}

static void add_request(struct mg_buffer *packet, uint64_t id, struct mg_slice tbs)
{
    struct wire_sign_request request = {.id = id, .key_id = key_id_of((uint8_t)id), .timeout_ms = 250, .tbs = tbs};
    assert_true(wire_signer_add_sign(packet, &request));
}

static void test_sign_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    wire_signer_begin_sign(packet);
    add_request(packet, UINT64_C(0x1122334455667788), mg_slice_of_text("first tbs"));
    add_request(packet, 2, mg_slice_of_text("2"));
    assert_int_equal(wire_signer_end_batch(packet), 2);
    assert_type(mg_buffer_slice(packet), WIRE_SIGNER_SIGN);
    struct wire_sign_request got[WIRE_SIGNER_MAX_BATCH];
    size_t count;
    assert_int_equal(wire_signer_decode_sign(mg_buffer_slice(packet), got, &count, NULL), MG_OK);
    assert_int_equal(count, 2);
    assert_true(got[0].id == UINT64_C(0x1122334455667788));
    assert_int_equal(got[0].key_id.bytes[0], 0x88);
    assert_int_equal(got[0].timeout_ms, 250);
    assert_slice(got[0].tbs, "first tbs");
    assert_slice(got[1].tbs, "2");
    assert_only_whole_packets_decode(packet);
}

static void test_an_empty_batch_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    wire_signer_begin_sign(packet);
    assert_int_equal(wire_signer_end_batch(packet), 0);
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID);
    mg_buffer_clear(packet);
    wire_signer_begin_signed(packet);
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID);
}

static void test_a_batch_is_full_at_its_count(void **state)
{
    struct mg_buffer *packet = *state;
    wire_signer_begin_sign(packet);
    for (uint64_t id = 0; id < WIRE_SIGNER_MAX_BATCH; id++) {
        add_request(packet, id, mg_slice_of_text("x"));
    }
    size_t len = packet->len;
    struct wire_sign_request one_more = {.id = 64, .tbs = mg_slice_of_text("x")};
    assert_false(wire_signer_add_sign(packet, &one_more));
    assert_int_equal(packet->len, len);
    assert_true(mg_buffer_ok(packet));
    assert_int_equal(wire_signer_end_batch(packet), WIRE_SIGNER_MAX_BATCH);
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_OK);
    assert_refused_with_byte(packet, 2, WIRE_SIGNER_MAX_BATCH + 1);
}

static void test_a_batch_is_full_at_its_bytes(void **state)
{
    static const uint8_t large[WIRE_SIGNER_MAX_TBS];
    struct mg_buffer *packet = *state;
    wire_signer_begin_sign(packet);
    add_request(packet, 1, mg_slice_of(large, sizeof(large)));
    add_request(packet, 2, mg_slice_of(large, sizeof(large)));
    size_t len = packet->len;
    struct wire_sign_request third = {.id = 3, .tbs = mg_slice_of(large, sizeof(large))};
    assert_false(wire_signer_add_sign(packet, &third));
    assert_int_equal(packet->len, len);
    assert_int_equal(wire_signer_end_batch(packet), 2);
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_OK);
}

static void test_a_tbs_that_no_packet_takes_is_not_added(void **state)
{
    static const uint8_t too_large[WIRE_SIGNER_MAX_TBS + 1];
    struct mg_buffer *packet = *state;
    wire_signer_begin_sign(packet);
    struct wire_sign_request request = {.id = 1, .tbs = mg_slice_of(too_large, sizeof(too_large))};
    assert_false(wire_signer_add_sign(packet, &request));
    request.tbs.len = 0;
    assert_false(wire_signer_add_sign(packet, &request));
    assert_int_equal(wire_signer_end_batch(packet), 0);
}

static void test_a_tbs_of_forbidden_length_is_refused(void **state)
{
    static const uint8_t too_large[WIRE_SIGNER_MAX_TBS + 1];
    struct mg_buffer *packet = *state;
    for (int empty = 0; empty <= 1; empty++) {
        mg_buffer_clear(packet);
        mg_buffer_append_u8(packet, WIRE_SIGNER_SIGN);
        mg_buffer_append_u16(packet, 1);
        mg_buffer_append_u64(packet, 7);
        mg_buffer_append(packet, key_id_of(1).bytes, sizeof(struct wire_key_id));
        mg_buffer_append_u32(packet, 0);
        mg_buffer_append_prefixed_u16(packet, mg_slice_of(too_large, empty ? 0 : sizeof(too_large)));
        assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID);
    }
}

/* Well-formed in all else: three certificates that are each allowed, and together are not. */
static void test_a_packet_over_the_limit_is_refused(void **state)
{
    static const uint8_t certificate[WIRE_SIGNER_MAX_PACKET / 3];
    struct mg_buffer *packet = *state;
    struct wire_issuers issuers = {.num_issuers = 1};
    issuers.issuers[0] =
        (struct wire_issuer){.role = WIRE_ISSUER_DEFAULT, .key_type = WIRE_KEY_EC_P256, .num_chain = 3};
    for (size_t i = 0; i < 3; i++) {
        issuers.issuers[0].chain[i] = mg_slice_of(certificate, sizeof(certificate) - 10);
    }
    mg_buffer_init(packet, 2 * WIRE_SIGNER_MAX_PACKET);
    wire_signer_encode_issuers(packet, &issuers);
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_OK);
    mg_buffer_clear(packet);
    issuers.issuers[0].chain[0].len = sizeof(certificate);
    issuers.issuers[0].chain[1].len = sizeof(certificate);
    wire_signer_encode_issuers(packet, &issuers);
    assert_true(mg_buffer_ok(packet) && packet->len > WIRE_SIGNER_MAX_PACKET);
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID);
}

static void add_result(struct mg_buffer *packet, uint64_t id, enum wire_sign_status status, struct mg_slice signature)
{
    struct wire_sign_result result = {.id = id, .status = status, .signature = signature};
    assert_true(wire_signer_add_signed(packet, &result));
}

static void test_signed_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    wire_signer_begin_signed(packet);
    add_result(packet, 10, WIRE_SIGN_OK, mg_slice_of_text("signature"));
    add_result(packet, 11, WIRE_SIGN_BAD_EKU, mg_slice_of(NULL, 0));
    assert_int_equal(wire_signer_end_batch(packet), 2);
    assert_type(mg_buffer_slice(packet), WIRE_SIGNER_SIGNED);
    struct wire_sign_result got[WIRE_SIGNER_MAX_BATCH];
    size_t count;
    assert_int_equal(wire_signer_decode_signed(mg_buffer_slice(packet), got, &count, NULL), MG_OK);
    assert_int_equal(count, 2);
    assert_true(got[0].id == 10 && got[0].status == WIRE_SIGN_OK);
    assert_slice(got[0].signature, "signature");
    assert_true(got[1].id == 11 && got[1].status == WIRE_SIGN_BAD_EKU && got[1].signature.len == 0);
    assert_only_whole_packets_decode(packet);
}

static void test_a_full_batch_of_the_largest_signatures_fits(void **state)
{
    static const uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE + 1];
    struct mg_buffer *packet = *state;
    wire_signer_begin_signed(packet);
    for (uint64_t id = 0; id < WIRE_SIGNER_MAX_BATCH; id++) {
        add_result(packet, id, WIRE_SIGN_OK, mg_slice_of(signature, WIRE_SIGNER_MAX_SIGNATURE));
    }
    struct wire_sign_result one_more = {.id = 64, .status = WIRE_SIGN_BUSY};
    assert_false(wire_signer_add_signed(packet, &one_more));
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_OK);

    mg_buffer_clear(packet);
    wire_signer_begin_signed(packet);
    struct wire_sign_result too_long = {.status = WIRE_SIGN_OK, .signature = mg_slice_of(signature, sizeof(signature))};
    assert_false(wire_signer_add_signed(packet, &too_long));
}

static void test_a_signature_comes_with_ok_and_only_with_ok(void **state)
{
    struct mg_buffer *packet = *state;
    enum { STATUS = 11 };
    wire_signer_begin_signed(packet);
    add_result(packet, 1, WIRE_SIGN_OK, mg_slice_of_text("s"));
    assert_refused_with_byte(packet, STATUS, WIRE_SIGN_BUSY);
    assert_refused_with_byte(packet, STATUS, WIRE_SIGN_NUM_STATUSES);

    mg_buffer_clear(packet);
    wire_signer_begin_signed(packet);
    add_result(packet, 1, WIRE_SIGN_FAILED, mg_slice_of(NULL, 0));
    assert_refused_with_byte(packet, STATUS, WIRE_SIGN_OK);
}

static void test_client_sign_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    const struct wire_client_sign in = {
        .id = UINT64_MAX - 1, .key_id = {{1, 2, 3}}, .scheme = 0x0804, .content = mg_slice_of_text("content")};
    struct wire_client_sign out;
    wire_signer_encode_client_sign(packet, &in);
    assert_type(mg_buffer_slice(packet), WIRE_SIGNER_CLIENT_SIGN);
    assert_int_equal(wire_signer_decode_client_sign(mg_buffer_slice(packet), &out, NULL), MG_OK);
    assert_int_equal(out.id, in.id);
    assert_memory_equal(&out.key_id, &in.key_id, sizeof(in.key_id));
    assert_int_equal(out.scheme, in.scheme);
    assert_true(mg_slice_equal(out.content, in.content));
    assert_only_whole_packets_decode(packet);
    mg_buffer_clear(packet);
    wire_signer_encode_client_sign(packet, &(struct wire_client_sign){.id = 1});
    assert_int_equal(decode_any(mg_buffer_slice(packet)), MG_INVALID); /* no content */
}

static void test_cancel_round_trip(void **state)
{
    struct mg_buffer *packet = *state;
    static const struct wire_sign_cancel in = {.ids = {0, 7, UINT64_MAX}, .num_ids = 3};
    struct wire_sign_cancel out;
    wire_signer_encode_cancel(packet, &in);
    assert_true(mg_buffer_ok(packet));
    assert_type(mg_buffer_slice(packet), WIRE_SIGNER_CANCEL);
    assert_int_equal(wire_signer_decode_cancel(mg_buffer_slice(packet), &out, NULL), MG_OK);
    assert_int_equal(out.num_ids, in.num_ids);
    assert_memory_equal(out.ids, in.ids, in.num_ids * sizeof(in.ids[0]));
    assert_only_whole_packets_decode(packet);
}

static void test_every_status_has_its_own_name(void **state)
{
    (void)state;
    for (int a = 0; a < WIRE_SIGN_NUM_STATUSES; a++) {
        assert_string_not_equal(wire_sign_status_name((enum wire_sign_status)a), "unknown");
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(wire_sign_status_name((enum wire_sign_status)a),
                                    wire_sign_status_name((enum wire_sign_status)b));
        }
    }
    assert_string_equal(wire_sign_status_name((enum wire_sign_status)WIRE_SIGN_NUM_STATUSES), "unknown");
}

#define PACKET_TEST(name) cmocka_unit_test_setup_teardown(name, new_packet, free_packet)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PACKET_TEST(test_hello_round_trip),
        PACKET_TEST(test_unknown_types_are_refused),
        PACKET_TEST(test_a_packet_of_another_type_is_refused),
        PACKET_TEST(test_issuers_round_trip),
        PACKET_TEST(test_issuers_out_of_range_are_refused),
        PACKET_TEST(test_no_issuers_is_a_valid_answer),
        PACKET_TEST(test_sign_round_trip),
        PACKET_TEST(test_an_empty_batch_is_refused),
        PACKET_TEST(test_a_batch_is_full_at_its_count),
        PACKET_TEST(test_a_batch_is_full_at_its_bytes),
        PACKET_TEST(test_a_tbs_that_no_packet_takes_is_not_added),
        PACKET_TEST(test_a_tbs_of_forbidden_length_is_refused),
        PACKET_TEST(test_a_packet_over_the_limit_is_refused),
        PACKET_TEST(test_signed_round_trip),
        PACKET_TEST(test_a_full_batch_of_the_largest_signatures_fits),
        PACKET_TEST(test_a_signature_comes_with_ok_and_only_with_ok),
        PACKET_TEST(test_cancel_round_trip),
        PACKET_TEST(test_client_sign_round_trip),
        cmocka_unit_test(test_every_status_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
