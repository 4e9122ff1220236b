/* SPDX-License-Identifier: Apache-2.0 */
/* Losing the signer, and leaving one that is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "mint_client_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unanswered_jobs_are_sent_again_byte_for_byte),
        cmocka_unit_test(test_a_packet_that_waited_is_sent_again_after_a_lost_connection),
        cmocka_unit_test(test_a_broken_signer_is_left),
        cmocka_unit_test(test_an_oversized_packet_is_a_protocol_error),
        cmocka_unit_test(test_results_before_the_greeting_are_a_protocol_error),
    };
    return cmocka_run_group_tests_name("mint_client_losses", tests, setup_group, teardown_group);
}
