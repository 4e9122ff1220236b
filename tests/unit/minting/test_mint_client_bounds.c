/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds, and time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mint_client_fixture.h"

static void test_a_silent_signer_ends_jobs_at_their_deadline(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    uint64_t start_ns = fixture.now_ns;
    submit_and_flush(&fixture, 1);
    fixture.now_ns += MG_NS_PER_SECOND;
    submit_and_flush(&fixture, 1);
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), start_ns + TIMEOUT_NS);
    fixture.now_ns = start_ns + TIMEOUT_NS - 1;
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 0);
    fixture.now_ns++;
    process(&fixture);
    assert_int_equal(fixture.num_outcomes, 1);
    take_outcome(&fixture, 0, MINT_TIMED_OUT);
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), start_ns + MG_NS_PER_SECOND + TIMEOUT_NS);
    fixture.now_ns = start_ns + MG_NS_PER_SECOND + TIMEOUT_NS;
    process(&fixture);
    take_outcome(&fixture, 1, MINT_TIMED_OUT);
    assert_int_equal(mint_client_next_timeout_ns(fixture.client), UINT64_MAX);
    assert_int_equal(COUNT(&fixture, timed_out), 2);
    fixture_free(&fixture);
}

static void test_jobs_time_out_without_any_signer(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init_with(&fixture, false);
    signer_start(&fixture.signer);
    signer_stop(&fixture.signer);
    submit_and_flush(&fixture, 1);
    fixture.now_ns += TIMEOUT_NS;
    process(&fixture);
    take_outcome(&fixture, 0, MINT_TIMED_OUT);
    mint_client_free(fixture.client);
}

static void test_a_full_table_refuses_and_counts(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    submit_and_flush(&fixture, MAX_JOBS);
    assert_int_equal(submit(&fixture, &names), MG_LIMIT);
    assert_int_equal(submit(&fixture, &names), MG_LIMIT);
    assert_int_equal(COUNT(&fixture, full), 2);
    assert_int_equal(COUNT(&fixture, requested), MAX_JOBS);
    assert_true(signer_receive(&fixture.signer));
    signer_sign(&fixture.signer, pki.key, 0);
    process(&fixture);
    take_outcome(&fixture, 0, MINT_OK);
    assert_int_equal(submit(&fixture, &names), MG_OK);
    assert_int_equal(submit(&fixture, &names), MG_LIMIT);
    fixture_free(&fixture);
}

/* What a full socket does not take stays, and goes out once and whole when there is room. */
static void test_a_full_socket_keeps_what_it_does_not_take(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < MAX_JOBS; i++) { /* some 1.5 MB */
        assert_int_equal(submit(&fixture, &large_names), MG_OK);
    }
    mint_client_flush(fixture.client, fixture.now_ns);
    assert_true(COUNT(&fixture, packets) < MAX_JOBS * 15 / 128);
    assert_false(is_readable(&fixture)); /* not writable: nothing to do */
    bool seen[MAX_JOBS] = {false};
    size_t num_seen = 0;
    for (int turn = 0; turn < 100 && num_seen < MAX_JOBS; turn++) {
        while (signer_receive(&fixture.signer)) {
            for (size_t i = 0; i < fixture.signer.num_requests; i++) {
                size_t index = (uint32_t)fixture.signer.requests[i].id;
                assert_true(index < MAX_JOBS && !seen[index]);
                seen[index] = true;
                num_seen++;
            }
        }
        if (num_seen < MAX_JOBS) {
            assert_true(is_readable(&fixture));
        }
        process(&fixture);
    }
    assert_int_equal(num_seen, MAX_JOBS);
    assert_false(is_readable(&fixture));
    fixture_free(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_silent_signer_ends_jobs_at_their_deadline),
        cmocka_unit_test(test_jobs_time_out_without_any_signer),
        cmocka_unit_test(test_a_full_table_refuses_and_counts),
        cmocka_unit_test(test_a_full_socket_keeps_what_it_does_not_take),
    };
    return cmocka_run_group_tests_name("mint_client_bounds", tests, setup_group, teardown_group);
}
