/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures as a TLS client, among the leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mint_client_fixture.h"

#define SCHEME 0x0403
static const struct wire_key_id key_id = {{7, 7, 7}};

/* What became of a proof. */
struct ending {
    size_t num_calls;
    bool is_unwanted; /* from now on */
    enum mint_result result;
    enum wire_sign_status refusal;
    char signature[16];
};

static void on_end(void *arg, const struct mint_outcome *outcome)
{
    struct ending *ending = arg;
    ending->num_calls++;
    ending->result = outcome->result;
    ending->refusal = outcome->refusal;
    assert_null(outcome->leaf);
    assert_true((outcome->result == MINT_OK) == (outcome->signature.len > 0));
    assert_true(outcome->signature.len < sizeof(ending->signature));
    memset(ending->signature, 0, sizeof(ending->signature));
    if (outcome->signature.len > 0) {
        memcpy(ending->signature, outcome->signature.data, outcome->signature.len);
    }
}

static bool still_wanted(void *arg)
{
    const struct ending *ending = arg;
    return !ending->is_unwanted;
}

static enum mg_status prove(struct fixture *fixture, struct mg_slice content, struct ending *ending)
{
    const struct mint_proof proof = {
        .key_id = key_id,
        .scheme = SCHEME,
        .content = content,
        .done = on_end,
        .is_wanted = still_wanted,
        .arg = ending,
    };
    return mint_client_submit_proof(fixture->client, &proof, fixture->now_ns, NULL);
}

static void ask(struct fixture *fixture, const char *content, struct ending *ending)
{
    assert_int_equal(prove(fixture, mg_slice_of_text(content), ending), MG_OK);
    mint_client_flush(fixture->client, fixture->now_ns);
}

/* receive has the signer receive a proof over |content|, and returns its id. */
static uint64_t receive(struct fixture *fixture, const char *content)
{
    struct wire_client_sign request;
    assert_true(signer_receive_client_sign(&fixture->signer, &request));
    assert_memory_equal(&request.key_id, &key_id, sizeof(key_id));
    assert_int_equal(request.scheme, SCHEME);
    assert_true(mg_slice_equal(request.content, mg_slice_of_text(content)));
    return request.id;
}

static void reply(struct fixture *fixture, uint64_t id, enum wire_sign_status status, const char *signature)
{
    signer_reply(&fixture->signer, id, status, mg_slice_of_text(signature));
    process(fixture);
}

static void test_a_proof_is_signed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ending ending = {0};
    char content[] = "content";
    fixture_init(&fixture);
    assert_int_equal(prove(&fixture, mg_slice_of_text(content), &ending), MG_OK);
    memset(content, 'x', sizeof(content) - 1); /* it is the caller's again */
    mint_client_flush(fixture.client, fixture.now_ns);
    reply(&fixture, receive(&fixture, "content"), WIRE_SIGN_OK, "signature");
    assert_true(ending.num_calls == 1 && ending.result == MINT_OK);
    assert_string_equal(ending.signature, "signature");
    assert_true(COUNT(&fixture, proofs_requested) == 1 && COUNT(&fixture, proofs_signed) == 1);
    assert_true(COUNT(&fixture, requested) == 0 && COUNT(&fixture, minted) == 0);
    fixture_free(&fixture);
}

static void test_proofs_and_leaves_go_out_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ending first = {0}, second = {0};
    fixture_init(&fixture);
    assert_int_equal(submit(&fixture, &names), MG_OK);
    assert_int_equal(submit(&fixture, &names), MG_OK);
    assert_int_equal(prove(&fixture, mg_slice_of_text("one"), &first), MG_OK);
    assert_int_equal(prove(&fixture, mg_slice_of_text("two"), &second), MG_OK);
    assert_int_equal(submit(&fixture, &names), MG_OK);
    mint_client_flush(fixture.client, fixture.now_ns);
    assert_true(signer_receive(&fixture.signer) && fixture.signer.num_requests == 2);
    uint64_t one = receive(&fixture, "one"), two = receive(&fixture, "two");
    assert_true(signer_receive(&fixture.signer) && fixture.signer.num_requests == 1);
    assert_int_equal(COUNT(&fixture, packets), 4);
    signer_sign(&fixture.signer, pki.key, 0);
    reply(&fixture, two, WIRE_SIGN_OK, "2");
    reply(&fixture, one, WIRE_SIGN_OK, "1"); /* in any order */
    assert_string_equal(first.signature, "1");
    assert_string_equal(second.signature, "2");
    assert_int_equal(fixture.num_outcomes, 1);
    take_outcome(&fixture, 0, MINT_OK);
    fixture_free(&fixture);
    assert_int_equal(fixture.num_outcomes, 3); /* the others were shut down */
}

static void test_a_refusal_is_final_and_a_busy_signer_is_asked_again(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ending ending = {0};
    fixture_init(&fixture);
    ask(&fixture, "content", &ending);
    reply(&fixture, receive(&fixture, "content"), WIRE_SIGN_BUSY, "");
    assert_int_equal(ending.num_calls, 0);
    fixture.now_ns += MINT_CLIENT_BUSY_PAUSE_NS;
    process(&fixture);
    reply(&fixture, receive(&fixture, "content"), WIRE_SIGN_BAD_CONTENT, "");
    assert_true(ending.num_calls == 1 && ending.result == MINT_REFUSED && ending.refusal == WIRE_SIGN_BAD_CONTENT);
    assert_int_equal(COUNT(&fixture, refused[WIRE_SIGN_BAD_CONTENT]), 1);
    fixture_free(&fixture);
}

static void test_a_proof_is_asked_again_of_the_next_signer(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ending ending = {0};
    fixture_init(&fixture);
    ask(&fixture, "content", &ending);
    uint64_t id = receive(&fixture, "content");
    signer_hang_up(&fixture.signer);
    process(&fixture);
    fixture.now_ns += MINT_CLIENT_FIRST_BACKOFF_NS;
    process(&fixture);
    greet(&fixture);
    assert_int_equal(receive(&fixture, "content"), id);
    assert_int_equal(COUNT(&fixture, resent), 1);
    reply(&fixture, id, WIRE_SIGN_OK, "signature");
    assert_true(ending.num_calls == 1 && ending.result == MINT_OK);
    reply(&fixture, id, WIRE_SIGN_OK, "again");
    assert_true(ending.num_calls == 1 && COUNT(&fixture, dropped_replies) == 1);
    fixture_free(&fixture);
}

static void test_the_time_of_a_proof_runs_out(void **state)
{
    (void)state;
    struct fixture fixture;
    struct ending ending = {0};
    fixture_init(&fixture);
    ask(&fixture, "content", &ending);
    fixture.now_ns += TIMEOUT_NS - 1;
    process(&fixture);
    assert_int_equal(ending.num_calls, 0);
    assert_true(mint_client_next_timeout_ns(fixture.client) <= fixture.now_ns + 1);
    fixture.now_ns += 1;
    process(&fixture);
    assert_true(ending.num_calls == 1 && ending.result == MINT_TIMED_OUT && COUNT(&fixture, timed_out) == 1);
    fixture_free(&fixture);
}

static void test_a_proof_that_nobody_wants_any_more_ends(void **state)
{
    (void)state;
    struct fixture fixture;
    struct wire_sign_cancel cancel;
    struct ending ending = {0};
    fixture_init(&fixture);
    ask(&fixture, "content", &ending);
    uint64_t id = receive(&fixture, "content");
    ending.is_unwanted = true;
    fixture.now_ns += MINT_CLIENT_SWEEP_NS;
    process(&fixture);
    assert_true(ending.num_calls == 1 && ending.result == MINT_CANCELLED);
    signer_receive_cancel(&fixture.signer, &cancel);
    assert_true(cancel.num_ids == 1 && cancel.ids[0] == id);
    reply(&fixture, id, WIRE_SIGN_OK, "late");
    assert_true(ending.num_calls == 1 && COUNT(&fixture, dropped_replies) == 1);
    assert_mints(&fixture);
    fixture_free(&fixture);
}

static void test_proofs_have_the_bounds_of_leaves_and_of_their_content(void **state)
{
    (void)state;
    static uint8_t large[WIRE_SIGNER_MAX_CONTENT + 1];
    struct fixture fixture;
    struct ending ending = {0};
    fixture_init(&fixture);
    assert_int_equal(prove(&fixture, mg_slice_of(large, sizeof(large)), &ending), MG_INVALID);
    assert_int_equal(prove(&fixture, mg_slice_of(large, 0), &ending), MG_INVALID);
    assert_int_equal(prove(&fixture, mg_slice_of(large, WIRE_SIGNER_MAX_CONTENT), &ending), MG_OK);
    mint_client_flush(fixture.client, fixture.now_ns);
    struct wire_client_sign request;
    assert_true(signer_receive_client_sign(&fixture.signer, &request));
    assert_int_equal(request.content.len, WIRE_SIGNER_MAX_CONTENT);
    for (size_t i = 1; i < MAX_JOBS; i++) {
        assert_int_equal(prove(&fixture, mg_slice_of_text("content"), &ending), MG_OK);
    }
    assert_int_equal(prove(&fixture, mg_slice_of_text("content"), &ending), MG_LIMIT);
    assert_int_equal(submit(&fixture, &names), MG_LIMIT);
    assert_int_equal(COUNT(&fixture, full), 2);
    assert_int_equal(ending.num_calls, 0);
    mint_client_free(fixture.client);
    assert_true(ending.num_calls == MAX_JOBS && ending.result == MINT_SHUT_DOWN);
    signer_stop(&fixture.signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_proof_is_signed),
        cmocka_unit_test(test_proofs_and_leaves_go_out_in_the_order_in_which_they_came),
        cmocka_unit_test(test_a_refusal_is_final_and_a_busy_signer_is_asked_again),
        cmocka_unit_test(test_a_proof_is_asked_again_of_the_next_signer),
        cmocka_unit_test(test_the_time_of_a_proof_runs_out),
        cmocka_unit_test(test_a_proof_that_nobody_wants_any_more_ends),
        cmocka_unit_test(test_proofs_have_the_bounds_of_leaves_and_of_their_content),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
