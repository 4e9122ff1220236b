/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/token.h"

/* Each test writes one packet into this buffer. */
static int new_packet(void **state)
{
    static struct mg_buffer packet;
    mg_buffer_init(&packet, WIRE_TOKEN_MAX_PACKET);
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

/* count_types returns as how many types |packet| decodes; each refusal must say why. */
static size_t count_types(struct mg_slice packet)
{
    struct wire_token_launch launch;
    struct wire_token_exited exited;
    struct wire_token_ready ready;
    struct wire_token_request request;
    static struct wire_token_reply reply;
    static struct wire_token_sign sign;
    static struct wire_token_result results[WIRE_TOKEN_MAX_BATCH];
    uint8_t place;
    size_t num_results, count = 0;
    struct mg_error errors[8] = {{""}};
    const enum mg_status statuses[] = {
        wire_token_decode_launch(packet, &launch, &errors[0]),
        wire_token_decode_kill(packet, &place, &errors[1]),
        wire_token_decode_exited(packet, &exited, &errors[2]),
        wire_token_decode_ready(packet, &ready, &errors[3]),
        wire_token_decode_request(packet, &request, &errors[4]),
        wire_token_decode_reply(packet, &reply, &errors[5]),
        wire_token_decode_sign(packet, &sign, &errors[6]),
        wire_token_decode_signed(packet, results, &num_results, &errors[7]),
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(statuses); i++) {
        assert_true(statuses[i] == MG_OK || (statuses[i] == MG_INVALID && errors[i].text[0] != '\0'));
        count += statuses[i] == MG_OK;
    }
    return count;
}

/* assert_only_whole_packets_decode cuts |packet| at every length and adds a byte. */
static void assert_only_whole_packets_decode(const struct mg_buffer *packet)
{
    uint8_t longer[8192] = {0};
    assert_true(mg_buffer_ok(packet) && packet->len < sizeof(longer));
    assert_int_equal(count_types(mg_buffer_slice(packet)), 1);
    for (size_t len = 0; len < packet->len; len++) {
        assert_int_equal(count_types(mg_slice_of(packet->data, len)), 0);
    }
    memcpy(longer, packet->data, packet->len);
    assert_int_equal(count_types(mg_slice_of(longer, packet->len + 1)), 0);
}

/* MG_WRITE_CORPUS=DIR makes these packets the fuzzer's first inputs. */
static void keep_for_the_fuzzer(const struct mg_buffer *packet, const char *name)
{
    const char *directory = getenv("MG_WRITE_CORPUS");
    char path[512];
    if (directory != NULL) {
        snprintf(path, sizeof(path), "%s/%s", directory, name);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(packet->data, 1, packet->len, file), packet->len);
        fclose(file);
    }
}

static void check(const struct mg_buffer *packet, const char *name)
{
    assert_only_whole_packets_decode(packet);
    keep_for_the_fuzzer(packet, name);
}

/* The launcher */

static struct wire_token_launch launch_of(const char *module, const char *token)
{
    return (struct wire_token_launch){.place = 3,
                                      .num_lanes = 2,
                                      .num_sessions = 4,
                                      .module = mg_slice_of_text(module),
                                      .token = mg_slice_of_text(token)};
}

static void test_launch_comes_back_as_it_was(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_token_launch launch = launch_of("/usr/lib/module.so", "pkcs11:token=one"), got;
    wire_token_encode_launch(packet, &launch);
    assert_int_equal(wire_token_decode_launch(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_true(got.place == 3 && got.num_lanes == 2 && got.num_sessions == 4);
    assert_slice(got.module, "/usr/lib/module.so");
    assert_slice(got.token, "pkcs11:token=one");
    check(packet, "launch");
}

static void test_launch_without_a_module_or_with_a_nul_in_it_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_token_launch launch = launch_of("", "one"), got;
    wire_token_encode_launch(packet, &launch);
    assert_int_equal(wire_token_decode_launch(mg_buffer_slice(packet), &got, NULL), MG_INVALID);
    launch = launch_of("/m", "one");
    launch.module.len = 3; /* with the NUL at its end */
    mg_buffer_clear(packet);
    wire_token_encode_launch(packet, &launch);
    assert_int_equal(wire_token_decode_launch(mg_buffer_slice(packet), &got, NULL), MG_INVALID);
}

static void test_launch_of_another_version_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_token_launch launch = launch_of("/m", "one"), got;
    wire_token_encode_launch(packet, &launch);
    packet->data[1]++;
    assert_int_equal(wire_token_decode_launch(mg_buffer_slice(packet), &got, NULL), MG_INVALID);
}

static void test_kill_and_exited_come_back_as_they_were(void **state)
{
    struct mg_buffer *packet = *state;
    uint8_t place;
    struct wire_token_exited exited = {.place = 7, .wait_status = 0x89}, got;
    wire_token_encode_kill(packet, 15);
    assert_int_equal(wire_token_decode_kill(mg_buffer_slice(packet), &place, NULL), MG_OK);
    assert_int_equal(place, 15);
    check(packet, "kill");
    mg_buffer_clear(packet);
    wire_token_encode_exited(packet, &exited);
    assert_int_equal(wire_token_decode_exited(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_true(got.place == 7 && got.wait_status == 0x89);
    check(packet, "exited");
}

static void test_place_beyond_the_last_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    uint8_t place;
    wire_token_encode_kill(packet, WIRE_TOKEN_MAX_PLACES);
    assert_int_equal(wire_token_decode_kill(mg_buffer_slice(packet), &place, NULL), MG_INVALID);
}

/* READY */

static void test_ready_tells_who_the_token_is(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_token_ready ready = {.status = WIRE_TOKEN_OK, .num_sessions = 2, .rate = 31000}, got;
    ready.identity = (struct wire_token_identity){.module = mg_slice_of_text("SoftHSM"),
                                                  .module_maker = mg_slice_of_text("maker"),
                                                  .label = mg_slice_of_text("one"),
                                                  .maker = mg_slice_of_text(""),
                                                  .model = mg_slice_of_text("v2"),
                                                  .serial = mg_slice_of_text("0123"),
                                                  .module_version = {2, 6},
                                                  .firmware_version = {1, 9},
                                                  .is_hardware_slot = true};
    wire_token_encode_ready(packet, &ready);
    assert_int_equal(wire_token_decode_ready(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_true(got.num_sessions == 2 && got.rate == 31000);
    assert_slice(got.identity.module, "SoftHSM");
    assert_slice(got.identity.serial, "0123");
    assert_int_equal(got.identity.firmware_version[1], 9);
    assert_true(got.identity.is_hardware_slot);
    check(packet, "ready");
}

static void test_ready_tells_why_a_token_did_not_open(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_token_ready ready = {.status = WIRE_TOKEN_PIN_WRONG, .rv = 0xa0, .text = mg_slice_of_text("no")}, got;
    wire_token_encode_ready(packet, &ready);
    assert_int_equal(wire_token_decode_ready(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_true(got.status == WIRE_TOKEN_PIN_WRONG && got.rv == 0xa0);
    assert_slice(got.text, "no");
    check(packet, "ready_pin_wrong");
}

static void test_ready_without_sessions_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_token_ready ready = {.status = WIRE_TOKEN_OK, .num_sessions = 0}, got;
    wire_token_encode_ready(packet, &ready);
    assert_int_equal(wire_token_decode_ready(mg_buffer_slice(packet), &got, NULL), MG_INVALID);
}

/* Calls */

static void test_each_request_comes_back_as_it_was(void **state)
{
    struct mg_buffer *packet = *state;
    static const uint8_t digest[48] = {1, 2, 3};
    for (int call = WIRE_TOKEN_PING; call <= WIRE_TOKEN_LAST_CALL; call++) {
        struct wire_token_request request = {.call = (enum wire_token_call)call, .id = 77}, got;
        if (call == WIRE_TOKEN_MAKE_KEY) {
            request.make_key.id = key_id_of(9);
            request.make_key.type = WIRE_KEY_RSA_3072;
            request.make_key.label = mg_slice_of_text("Corp CA");
        } else if (call == WIRE_TOKEN_SIGN_ONE) {
            request.sign_one = (struct wire_token_sign_one){
                .key = {.id = key_id_of(8)}, .digest = WIRE_TOKEN_SHA384, .octets = mg_slice_of(digest, 48)};
        } else {
            request.key_id = key_id_of(7);
        }
        mg_buffer_clear(packet);
        wire_token_encode_request(packet, &request);
        assert_int_equal(wire_token_decode_request(mg_buffer_slice(packet), &got, NULL), MG_OK);
        assert_true(got.call == request.call && got.id == 77);
        if (call == WIRE_TOKEN_MAKE_KEY) {
            assert_true(got.make_key.type == WIRE_KEY_RSA_3072 && got.make_key.id.bytes[5] == 9);
            assert_slice(got.make_key.label, "Corp CA");
        } else if (call == WIRE_TOKEN_SIGN_ONE) {
            assert_true(mg_slice_equal(got.sign_one.octets, mg_slice_of(digest, 48)));
        }
        check(packet, wire_token_call_name((enum wire_token_call)call));
    }
}

static void test_each_reply_comes_back_as_it_was(void **state)
{
    struct mg_buffer *packet = *state;
    static struct wire_token_reply got;
    for (int call = WIRE_TOKEN_PING; call <= WIRE_TOKEN_LAST_CALL; call++) {
        static struct wire_token_reply reply;
        char name[64];
        reply = (struct wire_token_reply){.call = (enum wire_token_call)call, .id = 78};
        if (call == WIRE_TOKEN_PING) {
            reply.health = (struct wire_token_health){.signatures = 5, .failures = 6};
        } else if (call == WIRE_TOKEN_LIST) {
            reply.list.num_keys = 2;
            reply.list.keys[0] = (struct wire_token_listed){key_id_of(1), WIRE_KEY_EC_P256, mg_slice_of_text("a")};
            reply.list.keys[1] = (struct wire_token_listed){key_id_of(2), WIRE_KEY_EC_P384, mg_slice_of_text("")};
        } else if (call == WIRE_TOKEN_ATTRIBUTES) {
            reply.attributes = (struct wire_token_attributes){
                .mechanism = 0x1040, .type = WIRE_KEY_EC_P256, .spki = mg_slice_of_text("spki")};
            reply.attributes.answers[WIRE_TOKEN_IS_LOCAL] = WIRE_TOKEN_YES;
            reply.attributes.answers[WIRE_TOKEN_IS_READABLE] = WIRE_TOKEN_UNKNOWN;
        } else {
            reply.spki = mg_slice_of_text("octets"); /* as a signature too */
        }
        mg_buffer_clear(packet);
        wire_token_encode_reply(packet, &reply);
        assert_int_equal(wire_token_decode_reply(mg_buffer_slice(packet), &got, NULL), MG_OK);
        assert_true(got.call == reply.call && got.id == 78 && got.status == WIRE_TOKEN_OK);
        if (call == WIRE_TOKEN_LIST) {
            assert_true(got.list.num_keys == 2 && got.list.keys[1].type == WIRE_KEY_EC_P384);
        } else if (call == WIRE_TOKEN_ATTRIBUTES) {
            assert_int_equal(got.attributes.answers[WIRE_TOKEN_IS_LOCAL], WIRE_TOKEN_YES);
            assert_int_equal(got.attributes.mechanism, 0x1040);
        }
        snprintf(name, sizeof(name), "reply_%s", wire_token_call_name((enum wire_token_call)call));
        check(packet, name);
    }
}

static void test_refusal_carries_its_text_and_return_value(void **state)
{
    struct mg_buffer *packet = *state;
    static struct wire_token_reply reply, got;
    reply = (struct wire_token_reply){
        .call = WIRE_TOKEN_MAKE_KEY, .status = WIRE_TOKEN_REFUSED, .rv = 0x70, .text = mg_slice_of_text("why")};
    wire_token_encode_reply(packet, &reply);
    assert_int_equal(wire_token_decode_reply(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_true(got.status == WIRE_TOKEN_REFUSED && got.rv == 0x70);
    assert_slice(got.text, "why");
    check(packet, "reply_refused");
}

static void test_answer_that_is_neither_yes_no_nor_unknown_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    static struct wire_token_reply reply, got;
    reply = (struct wire_token_reply){.call = WIRE_TOKEN_ATTRIBUTES};
    reply.attributes.type = WIRE_KEY_EC_P256;
    reply.attributes.spki = mg_slice_of_text("spki");
    reply.attributes.answers[0] = (enum wire_token_answer)3;
    wire_token_encode_reply(packet, &reply);
    assert_int_equal(wire_token_decode_reply(mg_buffer_slice(packet), &got, NULL), MG_INVALID);
}

static void test_label_with_a_control_character_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_token_request request = {.call = WIRE_TOKEN_MAKE_KEY}, got;
    request.make_key.type = WIRE_KEY_EC_P256;
    request.make_key.label = mg_slice_of_text("a\nb");
    wire_token_encode_request(packet, &request);
    assert_int_equal(wire_token_decode_request(mg_buffer_slice(packet), &got, NULL), MG_INVALID);
}

/* Signing */

static void test_batch_of_digests_comes_back_as_it_was(void **state)
{
    struct mg_buffer *packet = *state;
    static struct wire_token_sign sign, got;
    static uint8_t digests[WIRE_TOKEN_MAX_BATCH][32];
    sign = (struct wire_token_sign){.key = {.id = key_id_of(4)}, .digest = WIRE_TOKEN_SHA256, .num_jobs = 3};
    for (size_t i = 0; i < 3; i++) {
        digests[i][0] = (uint8_t)i;
        sign.jobs[i].id = 100 + i;
        sign.jobs[i].octets = mg_slice_of(digests[i], 32);
    }
    wire_token_encode_sign(packet, &sign);
    assert_int_equal(wire_token_decode_sign(mg_buffer_slice(packet), &got, NULL), MG_OK);
    assert_true(got.num_jobs == 3 && got.jobs[2].id == 102 && got.jobs[2].octets.data[0] == 2);
    assert_int_equal(memcmp(&got.key, &sign.key, sizeof(sign.key)), 0);
    check(packet, "sign");
}

static void test_batch_beyond_the_largest_is_refused(void **state)
{
    struct mg_buffer *packet = *state;
    static struct wire_token_sign got;
    static const uint8_t zeros[(8 + 32) * (WIRE_TOKEN_MAX_BATCH + 1)];
    struct wire_token_sign empty = {.digest = WIRE_TOKEN_SHA256, .num_jobs = 0};
    wire_token_encode_sign(packet, &empty);
    assert_int_equal(wire_token_decode_sign(mg_buffer_slice(packet), &got, NULL), MG_INVALID);
    packet->data[packet->len - 1] = WIRE_TOKEN_MAX_BATCH + 1;
    mg_buffer_append(packet, zeros, sizeof(zeros));
    assert_int_equal(wire_token_decode_sign(mg_buffer_slice(packet), &got, NULL), MG_INVALID);
}

static void test_results_fill_a_packet_and_come_back_as_they_were(void **state)
{
    struct mg_buffer *packet = *state;
    static struct wire_token_result got[WIRE_TOKEN_MAX_BATCH];
    static const uint8_t signature[WIRE_TOKEN_MAX_SIGNATURE] = {1};
    struct wire_token_result result = {.signature = mg_slice_of(signature, sizeof(signature))};
    size_t num_got;
    wire_token_begin_signed(packet);
    for (uint64_t i = 0; i < WIRE_TOKEN_MAX_BATCH; i++) {
        result.id = i;
        assert_true(wire_token_add_signed(packet, &result));
    }
    assert_false(wire_token_add_signed(packet, &result));
    assert_int_equal(wire_token_decode_signed(mg_buffer_slice(packet), got, &num_got, NULL), MG_OK);
    assert_true(num_got == WIRE_TOKEN_MAX_BATCH && got[63].id == 63 && got[63].signature.len == sizeof(signature));
}

static void test_signature_comes_with_status_ok_and_no_other(void **state)
{
    struct mg_buffer *packet = *state;
    struct wire_token_result results[WIRE_TOKEN_MAX_BATCH];
    struct wire_token_result good = {.id = 1, .signature = mg_slice_of_text("signature")};
    struct wire_token_result failed = {.id = 2, .status = WIRE_TOKEN_FAILED, .rv = 5};
    struct wire_token_result both = {.status = WIRE_TOKEN_FAILED, .signature = mg_slice_of_text("signature")};
    struct wire_token_result neither = {.status = WIRE_TOKEN_OK};
    size_t count;
    wire_token_begin_signed(packet);
    assert_true(wire_token_add_signed(packet, &good) && wire_token_add_signed(packet, &failed));
    check(packet, "signed");
    const struct wire_token_result *bad[] = {&both, &neither};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        mg_buffer_clear(packet);
        wire_token_begin_signed(packet);
        assert_true(wire_token_add_signed(packet, bad[i]));
        assert_int_equal(wire_token_decode_signed(mg_buffer_slice(packet), results, &count, NULL), MG_INVALID);
    }
}

static void test_unknown_types_are_refused(void **state)
{
    enum wire_token_type type;
    uint8_t byte = 0;
    (void)state;
    assert_int_equal(wire_token_type_of(mg_slice_of(NULL, 0), &type), MG_INVALID);
    assert_int_equal(wire_token_type_of(mg_slice_of(&byte, 1), &type), MG_INVALID);
    byte = WIRE_TOKEN_SIGNED + 1;
    assert_int_equal(wire_token_type_of(mg_slice_of(&byte, 1), &type), MG_INVALID);
    byte = WIRE_TOKEN_SIGNED;
    assert_int_equal(wire_token_type_of(mg_slice_of(&byte, 1), &type), MG_OK);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, new_packet, free_packet)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_launch_comes_back_as_it_was),
        TEST(test_launch_without_a_module_or_with_a_nul_in_it_is_refused),
        TEST(test_launch_of_another_version_is_refused),
        TEST(test_kill_and_exited_come_back_as_they_were),
        TEST(test_place_beyond_the_last_is_refused),
        TEST(test_ready_tells_who_the_token_is),
        TEST(test_ready_tells_why_a_token_did_not_open),
        TEST(test_ready_without_sessions_is_refused),
        TEST(test_each_request_comes_back_as_it_was),
        TEST(test_each_reply_comes_back_as_it_was),
        TEST(test_refusal_carries_its_text_and_return_value),
        TEST(test_answer_that_is_neither_yes_no_nor_unknown_is_refused),
        TEST(test_label_with_a_control_character_is_refused),
        TEST(test_batch_of_digests_comes_back_as_it_was),
        TEST(test_batch_beyond_the_largest_is_refused),
        TEST(test_results_fill_a_packet_and_come_back_as_they_were),
        TEST(test_signature_comes_with_status_ok_and_no_other),
        TEST(test_unknown_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
