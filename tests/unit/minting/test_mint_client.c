/* SPDX-License-Identifier: Apache-2.0 */
/* The signer found, leaves made, and what is told at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pool.h>
#include <string.h>

#include "base/unix_socket.h"
#include "mint_client_fixture.h"

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
        cmocka_unit_test(test_freeing_the_client_ends_its_jobs),
        cmocka_unit_test(test_options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests_name("mint_client", tests, setup_group, teardown_group);
}
