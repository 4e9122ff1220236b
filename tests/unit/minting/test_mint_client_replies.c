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

static void be_busy(struct fixture *fixture, size_t i)
{
    signer_reply(&fixture->signer, fixture->signer.requests[i].id, WIRE_SIGN_BUSY, mg_slice_of(NULL, 0));
}

/* A token that is full is no reason to wait for keys in software. */
static void test_a_busy_key_does_not_hold_up_another(void **state)
{
    (void)state;
    struct fixture fixture;
    struct certs_pki other;
    fixture_init(&fixture);
    certs_pki_init(&other, WIRE_KEY_EC_P256, WIRE_ISSUER_UNTRUST);
    submit_and_flush(&fixture, 2);
    assert_true(signer_receive(&fixture.signer));
    uint64_t first = fixture.signer.requests[0].id;
    be_busy(&fixture, 0);
    be_busy(&fixture, 1);
    process(&fixture);

    submit_and_flush(&fixture, 1); /* has to wait too */
    fixture.issuer = certs_issuer(&other, 2);
    submit_and_flush(&fixture, 1);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 1);
    assert_memory_equal(&fixture.signer.requests[0].key_id, &other.wire.key_id, sizeof(other.wire.key_id));
    signer_sign(&fixture.signer, other.key, 0);
    process(&fixture);
    take_outcome(&fixture, 0, MINT_OK);

    fixture.now_ns += MINT_CLIENT_BUSY_PAUSE_NS;
    process(&fixture);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 3);
    assert_int_equal(fixture.signer.requests[0].id, first);
    fixture_free(&fixture);
    issuer_unref(fixture.issuer);
    certs_pki_free(&other);
}

/* What is held is still ended by its deadline, by its owner, and by a lost connection, which begins anew. */
static void test_what_is_held_ends_and_is_sent_again_like_any_other(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    assert_int_equal(submit_cancellable(&fixture), MG_OK);
    submit_and_flush(&fixture, 1);
    assert_true(signer_receive(&fixture.signer));
    uint64_t second = fixture.signer.requests[1].id;
    be_busy(&fixture, 0);
    be_busy(&fixture, 1);
    fixture.now_ns += MINT_CLIENT_SWEEP_NS - MINT_CLIENT_BUSY_PAUSE_NS / 2;
    process(&fixture);
    fixture.is_unwanted = true;
    fixture.now_ns += MINT_CLIENT_BUSY_PAUSE_NS / 2; /* the sweep is due, and the pause is not over */
    process(&fixture);
    take_outcome(&fixture, 0, MINT_CANCELLED);
    assert_false(signer_receive(&fixture.signer));

    signer_hang_up(&fixture.signer);
    process(&fixture);
    fixture.now_ns += MINT_CLIENT_FIRST_BACKOFF_NS;
    process(&fixture);
    greet(&fixture);
    assert_true(signer_receive(&fixture.signer));
    assert_int_equal(fixture.signer.num_requests, 1);
    assert_int_equal(fixture.signer.requests[0].id, second);
    be_busy(&fixture, 0);
    process(&fixture);
    fixture.now_ns += TIMEOUT_NS;
    process(&fixture);
    take_outcome(&fixture, 1, MINT_TIMED_OUT);
    assert_mints(&fixture);
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
        cmocka_unit_test(test_a_busy_key_does_not_hold_up_another),
        cmocka_unit_test(test_what_is_held_ends_and_is_sent_again_like_any_other),
        cmocka_unit_test(test_repeated_and_unknown_replies_are_dropped),
        cmocka_unit_test(test_a_late_reply_does_not_touch_the_next_job_of_its_slot),
        cmocka_unit_test(test_the_first_signature_of_each_connection_is_verified),
        cmocka_unit_test(test_every_signature_is_verified_where_the_job_says_so),
    };
    return cmocka_run_group_tests_name("mint_client_replies", tests, setup_group, teardown_group);
}
