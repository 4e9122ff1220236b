/* SPDX-License-Identifier: Apache-2.0 */
/* Replies that are not what was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mint_client_fixture.h"

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

static void test_every_signature_is_verified_where_the_job_says_so(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refusal_is_final_and_counted_by_reason),
        cmocka_unit_test(test_a_busy_signer_is_asked_again_after_a_pause),
        cmocka_unit_test(test_repeated_and_unknown_replies_are_dropped),
        cmocka_unit_test(test_a_late_reply_does_not_touch_the_next_job_of_its_slot),
        cmocka_unit_test(test_the_first_signature_of_each_connection_is_verified),
        cmocka_unit_test(test_every_signature_is_verified_where_the_job_says_so),
    };
    return cmocka_run_group_tests_name("mint_client_replies", tests, setup_group, teardown_group);
}
