/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs that nobody wants any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mint_client_fixture.h"

static void sweep(struct fixture *fixture)
{
    fixture->now_ns += MINT_CLIENT_SWEEP_NS;
    process(fixture);
}

static void test_an_unwanted_job_ends_and_the_signer_is_told(void **state)
{
    (void)state;
    struct fixture fixture;
    struct wire_sign_cancel cancel;
    fixture_init(&fixture);
    assert_int_equal(submit_cancellable(&fixture), MG_OK);
    submit_and_flush(&fixture, 1); /* which nobody asks about */
    assert_true(signer_receive(&fixture.signer));
    sweep(&fixture);
    assert_int_equal(fixture.num_outcomes, 0);

    fixture.is_unwanted = true;
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), fixture.now_ns + MINT_CLIENT_SWEEP_NS);
    sweep(&fixture);
    assert_int_equal(fixture.num_outcomes, 1);
    take_outcome(&fixture, 0, MINT_CANCELLED);
    assert_int_equal(COUNT(&fixture, cancelled), 1);
    signer_receive_cancel(&fixture.signer, &cancel);
    assert_int_equal(cancel.num_ids, 1);
    assert_int_equal(cancel.ids[0], fixture.signer.requests[0].id);

    signer_sign(&fixture.signer, pki.key, 0); /* it was signing just then */
    signer_sign(&fixture.signer, pki.key, 1);
    process(&fixture);
    assert_int_equal(COUNT(&fixture, dropped_replies), 1);
    take_outcome(&fixture, 1, MINT_OK);
    assert_int_equal(fixture.num_outcomes, 2);
    fixture_free(&fixture);
}

static void test_an_unwanted_job_that_was_not_sent_is_not_sent(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, false); /* no signer */
    process(&fixture);
    assert_int_equal(submit_cancellable(&fixture), MG_OK);
    fixture.is_unwanted = true;
    sweep(&fixture);
    take_outcome(&fixture, 0, MINT_CANCELLED);
    signer_start(&fixture.signer);
    fixture.now_ns += MINT_CLIENT_LAST_BACKOFF_NS;
    process(&fixture);
    greet(&fixture);
    assert_false(signer_receive(&fixture.signer));
    fixture_free(&fixture);
}

static void test_more_than_a_packet_of_unwanted_jobs_all_end(void **state)
{
    (void)state;
    struct fixture fixture;
    struct wire_sign_cancel cancel;
    fixture_init(&fixture);
    for (size_t i = 0; i < MAX_JOBS; i++) {
        assert_int_equal(submit_cancellable(&fixture), MG_OK);
    }
    mint_client_flush(fixture.client, fixture.now_ns);
    while (signer_receive(&fixture.signer)) {
    }
    fixture.is_unwanted = true;
    sweep(&fixture);
    assert_int_equal(fixture.num_outcomes, WIRE_SIGNER_MAX_BATCH);
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), fixture.now_ns); /* at once again */
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, MAX_JOBS);
    signer_receive_cancel(&fixture.signer, &cancel);
    assert_int_equal(cancel.num_ids, WIRE_SIGNER_MAX_BATCH);
    signer_receive_cancel(&fixture.signer, &cancel);
    assert_int_equal(cancel.num_ids, MAX_JOBS - WIRE_SIGNER_MAX_BATCH);
    assert_mints(&fixture);
    fixture_free(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unwanted_job_ends_and_the_signer_is_told),
        cmocka_unit_test(test_an_unwanted_job_that_was_not_sent_is_not_sent),
        cmocka_unit_test(test_more_than_a_packet_of_unwanted_jobs_all_end),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
