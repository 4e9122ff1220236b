/* SPDX-License-Identifier: Apache-2.0 */
/* In which order store, signer and engines are asked, and what is left when one of them fails in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "service_fixture.h"
#include "tests/unit/control/ca_builder.h"

static void expect(enum mg_status status, enum mg_status expected, const char *code)
{
    if (status != expected) {
        print_message("status %s, error: %s\n", mg_status_name(status), error.text);
    }
    assert_int_equal(status, expected);
    if (expected != MG_OK) {
        assert_string_equal(call.code, code);
    }
}

static enum intermediate_state state_of(int64_t id)
{
    struct intermediate record = fixture_load(id);
    enum intermediate_state state = record.state;
    intermediate_free(&record);
    return state;
}

static int64_t num_doomed(void)
{
    return fixture_count("SELECT count(*) FROM doomed_key");
}

/* ---- keys ---- */

static void test_a_key_whose_making_was_cut_off_is_asked_for_by_the_same_name(void **state)
{
    (void)state;
    int64_t id = fixture_create("cut off", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    int64_t other = fixture_create("another", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    struct intermediate first, second;
    failure = (struct fixture_failure){.call = "public_key", .status = MG_IO};
    expect(service_make_key(service, &call, id, NULL, &error), MG_IO, SERVICE_UNAVAILABLE);
    assert_asked("make_key public_key");
    assert_int_equal(state_of(id), INTERMEDIATE_GENERAL_DONE);
    struct wire_key_id cut_off = made_key;
    expect(service_make_key(service, &call, id, &first, &error), MG_OK, NULL);
    assert_asked("make_key public_key");
    assert_int_equal(first.state, INTERMEDIATE_KEYGEN_DONE);
    assert_memory_equal(&first.key_id, &cut_off, sizeof(cut_off));
    assert_memory_equal(first.public_key, public_key.data, public_key.len);
    expect(service_make_key(service, &call, other, &second, &error), MG_OK, NULL);
    assert_asked("make_key public_key");
    assert_memory_not_equal(&first.key_id, &second.key_id, sizeof(first.key_id));
    expect(service_make_key(service, &call, id, NULL, &error), MG_DENIED, "INVALID_OPERATION");
    assert_asked(""); /* the signer hears nothing of what is not allowed */
    intermediate_free(&first);
    intermediate_free(&second);
}

static void test_a_key_of_type_hsm_is_made_on_a_token_of_its_region_and_stays_there(void **state)
{
    (void)state;
    int64_t id = fixture_create("on a token", INTERMEDIATE_HSM, INTERMEDIATE_DISABLED);
    failure = (struct fixture_failure){.call = "make_key", .status = MG_AGAIN};
    expect(service_make_key(service, &call, id, NULL, &error), MG_AGAIN, SERVICE_UNAVAILABLE);
    assert_asked("list make_key");
    assert_string_equal(made_on, "zurich"); /* the fixture's signer has keys on the other */
    fixture_tokens.num_items = 1;
    failure = (struct fixture_failure){.call = "make_key", .status = MG_NOT_FOUND};
    expect(service_make_key(service, &call, id, NULL, &error), MG_AGAIN, SERVICE_UNAVAILABLE); /* not known yet */
    assert_string_equal(made_on, "zurich"); /* where the first wish may have made it */
    failure = (struct fixture_failure){.call = "make_key", .status = MG_DENIED};
    expect(service_make_key(service, &call, id, NULL, &error), MG_DENIED, "INVALID_OPERATION");
    assert_asked("list make_key list make_key");
    expect(service_make_key(service, &call, id, NULL, &error), MG_OK, NULL);
    assert_asked("list make_key public_key");
}

static void test_a_region_that_has_lost_its_tokens_is_named(void **state)
{
    (void)state;
    int64_t id = fixture_create("nowhere", INTERMEDIATE_HSM, INTERMEDIATE_DISABLED);
    fixture_tokens.num_items = 0;
    expect(service_make_key(service, &call, id, NULL, &error), MG_INVALID, "INVALID_INPUT_ARGUMENT");
    assert_string_equal(error.text, "region: no token keeps keys in EUROPE");
    assert_asked("list");
}

static void test_an_attestation_is_asked_for_only_where_it_may_be(void **state)
{
    (void)state;
    struct mg_buffer text;
    int64_t id = fixture_create("on a token", INTERMEDIATE_HSM, INTERMEDIATE_DISABLED);
    int64_t software = fixture_create("software", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    mg_buffer_init(&text, WIRE_CONTROL_MAX_DER);
    expect(service_read_attestation(service, &call, id, &text, NULL, &error), MG_DENIED, "INVALID_OPERATION");
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    fixture_bring(software, INTERMEDIATE_KEYGEN_DONE);
    expect(service_verify_attestation(service, &call, software, NULL, &error), MG_DENIED, "INVALID_OPERATION");
    assert_asked("");
    failure = (struct fixture_failure){.call = "attest", .status = MG_AGAIN};
    expect(service_read_attestation(service, &call, id, &text, NULL, &error), MG_AGAIN, SERVICE_UNAVAILABLE);
    failure = (struct fixture_failure){.call = "attest", .status = MG_DENIED};
    expect(service_verify_attestation(service, &call, id, NULL, &error), MG_DENIED, "INVALID_OPERATION");
    expect(service_verify_attestation(service, &call, id, NULL, &error), MG_INTERNAL, "UNEXPECTED_ERROR"); /* no text */
    assert_int_equal(state_of(id), INTERMEDIATE_KEYGEN_DONE);
    mg_buffer_free(&text);
    assert_asked("attest attest attest");
}

static int64_t to_be_deleted;

static void delete_it(void)
{
    struct lifecycle_call other = call;
    assert_int_equal(lifecycle_delete(&other, to_be_deleted, &error), MG_OK);
}

static void test_a_key_for_what_was_deleted_meanwhile_is_destroyed(void **state)
{
    (void)state;
    to_be_deleted = fixture_create("deleted", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    while_key_is_made = delete_it;
    expect(service_make_key(service, &call, to_be_deleted, NULL, &error), MG_NOT_FOUND, "RESOURCE_NOT_FOUND");
    assert_asked("make_key public_key make_key destroy"); /* only asking for it by name says which it is */
}

static void test_a_request_is_not_made_when_the_signer_is_away(void **state)
{
    (void)state;
    int64_t id = fixture_create("request", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    failure = (struct fixture_failure){.call = "make_csr", .status = MG_IO};
    expect(service_make_csr(service, &call, id, &LIFECYCLE_EMPTY_CSR_WISH, NULL, &error), MG_IO, SERVICE_UNAVAILABLE);
    assert_int_equal(state_of(id), INTERMEDIATE_KEYGEN_DONE);
    expect(service_make_csr(service, &call, id, &LIFECYCLE_EMPTY_CSR_WISH, NULL, &error), MG_OK, NULL);
    assert_int_equal(state_of(id), INTERMEDIATE_CSRGEN_DONE);
}

/* ---- issuers ---- */

static int64_t uploaded(const char *name, enum intermediate_status status)
{
    int64_t id = fixture_create(name, INTERMEDIATE_SOFTWARE, status);
    fixture_bring(id, INTERMEDIATE_CHAIN_UPLOAD_DONE);
    return id;
}

static void test_what_is_finalized_is_the_signers_before_it_is_ready(void **state)
{
    (void)state;
    int64_t id = uploaded("enabled", INTERMEDIATE_ENABLED), epoch = fixture_default().epoch;
    failure = (struct fixture_failure){.call = "install", .status = MG_IO};
    expect(service_finalize(service, &call, id, NULL, &error), MG_IO, SERVICE_UNAVAILABLE);
    assert_asked("install");
    assert_int_equal(state_of(id), INTERMEDIATE_CHAIN_UPLOAD_DONE);
    expect(service_finalize(service, &call, id, NULL, &error), MG_OK, NULL);
    assert_asked("install publish"); /* a rule may name it */
    assert_int_equal(told.epoch, epoch + 1);
    assert_int_equal(fixture_default().epoch, epoch + 1);
    assert_int_equal(told.premint_ms, 0);
    assert_true(told.force && told.num_issuers == 2);
    assert_string_equal(told.names[1], "enabled");
}

static void test_what_is_disabled_is_finalized_without_engines(void **state)
{
    (void)state;
    expect(service_finalize(service, &call, uploaded("disabled", INTERMEDIATE_DISABLED), NULL, &error), MG_OK, NULL);
    assert_asked("install");
}

static void test_engines_are_told_of_a_change_of_status_alone(void **state)
{
    (void)state;
    struct lifecycle_draft disable = LIFECYCLE_EMPTY_DRAFT, rename = LIFECYCLE_EMPTY_DRAFT;
    disable.status = INTERMEDIATE_DISABLED;
    rename.name = mg_slice_of_text("renamed");
    int64_t ready = fixture_ready("ready", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    int64_t begun = fixture_create("begun", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    expect(service_update(service, &call, begun, &rename, NULL, &error), MG_OK, NULL);
    expect(service_update(service, &call, begun, &disable, NULL, &error), MG_OK, NULL);
    assert_asked(""); /* nobody knows it yet */
    expect(service_update(service, &call, ready, &disable, NULL, &error), MG_OK, NULL);
    assert_asked("publish");
    assert_int_equal(told.num_issuers, 1);
}

static void test_engines_hear_of_a_deletion_before_the_key_is_gone(void **state)
{
    (void)state;
    int64_t id = fixture_ready("ready", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    expect(service_delete(service, &call, id, &error), MG_OK, NULL);
    assert_asked("publish destroy");
    assert_int_equal(told.num_issuers, 1);
    assert_int_equal(num_doomed(), 0);
}

static void test_a_key_that_could_not_be_destroyed_is_later(void **state)
{
    (void)state;
    int64_t id = fixture_create("with key", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    failure = (struct fixture_failure){.call = "destroy", .status = MG_IO};
    expect(service_delete(service, &call, id, &error), MG_OK, NULL);
    assert_asked("destroy");
    assert_int_equal(num_doomed(), 1);
    id = fixture_create("another", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    expect(service_delete(service, &call, id, &error), MG_OK, NULL);
    assert_asked("destroy destroy");
    assert_int_equal(num_doomed(), 0);
}

/* ---- the default ---- */

static void test_engines_are_told_the_epoch_that_the_database_gets(void **state)
{
    (void)state;
    struct intermediate record;
    int64_t id = fixture_ready("next", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED), epoch = fixture_default().epoch;
    expect(service_make_default(service, &call, id, false, &record, &error), MG_OK, NULL);
    assert_asked("publish");
    assert_true(told.epoch == (uint64_t)epoch + 1 && told.premint_ms == FIXTURE_PREPARE_MS && !told.force);
    assert_string_equal(told.names[0], "next");
    assert_int_equal(fixture_default().id, id);
    assert_int_equal(fixture_default().epoch, epoch + 1);
    assert_true(record.is_default && record.status == INTERMEDIATE_ENABLED);
    intermediate_free(&record);
    expect(service_make_default(service, &call, id, false, NULL, &error), MG_OK, NULL);
    assert_asked(""); /* it is already */
    service_set_prepare_ms(service, 77);
    expect(service_make_previous_default(service, &call, true, NULL, &error), MG_OK, NULL);
    assert_asked("publish");
    assert_true(fixture_default().id == 1 && told.premint_ms == 77 && told.force);
}

static void test_what_engines_refuse_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        enum mg_status status;
        const char *code;
    } rows[] = {
        {MG_DENIED, "ENGINE_NOT_READY"},
        {MG_EXISTS, "EDIT_LOCK_NOT_AVAILABLE"},
        {MG_LIMIT, "UNEXPECTED_ERROR"},
    };
    int64_t id = fixture_ready("next", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED), epoch = fixture_default().epoch;
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        failure = (struct fixture_failure){.call = "publish", .status = rows[i].status};
        expect(service_make_default(service, &call, id, false, NULL, &error), rows[i].status, rows[i].code);
        assert_true(fixture_default().id == 1 && fixture_default().epoch == epoch);
    }
}

static void test_an_engine_that_does_not_confirm_takes_nothing_back(void **state)
{
    (void)state;
    struct intermediate record = {.id = 0};
    int64_t id = fixture_ready("next", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    failure = (struct fixture_failure){.call = "publish", .status = MG_AGAIN, .after = true};
    expect(service_make_default(service, &call, id, false, &record, &error), MG_AGAIN, SERVICE_UNAVAILABLE);
    assert_true(fixture_default().id == id && record.id == id);
    intermediate_free(&record);
}

static void test_what_cannot_be_the_default_is_not_published(void **state)
{
    (void)state;
    int64_t id = fixture_create("begun", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    expect(service_make_default(service, &call, id, false, NULL, &error), MG_DENIED, "INVALID_OPERATION");
    expect(service_make_default(service, &call, 99, false, NULL, &error), MG_NOT_FOUND, "RESOURCE_NOT_FOUND");
    assert_asked("");
}

/* ---- what is published ---- */

static void test_the_default_is_first_and_only_what_is_usable_follows(void **state)
{
    (void)state;
    (void)fixture_ready("disabled", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    (void)fixture_ready("usable", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    (void)uploaded("unfinished", INTERMEDIATE_ENABLED);
    int64_t id = fixture_ready("default", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    expect(service_make_default(service, &call, id, false, NULL, &error), MG_OK, NULL);
    assert_int_equal(told.num_issuers, 3);
    assert_string_equal(told.names[0], "default");
    assert_string_equal(told.names[1], "Mintgate Issuing CA");
    assert_string_equal(told.names[2], "usable");
}

static void test_where_one_alone_may_be_enabled_the_others_are_not_published(void **state)
{
    (void)state;
    (void)fixture_ready("was enabled", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    int64_t id = fixture_ready("default", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    expect(service_make_default(service, &call, id, false, NULL, &error), MG_OK, NULL);
    assert_int_equal(told.num_issuers, 2);
    assert_string_equal(told.names[0], "default");
    assert_string_equal(told.names[1], "Mintgate Issuing CA");
}

/* ---- the start ---- */

static void test_a_start_brings_everybody_to_what_the_database_says(void **state)
{
    (void)state;
    int64_t epoch = fixture_default().epoch;
    (void)fixture_ready("one", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    (void)fixture_ready("two", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    (void)uploaded("unfinished", INTERMEDIATE_ENABLED);
    expect(service_start(service, CA_NOW * 1000000, &error), MG_OK, NULL);
    assert_asked("list public_key install install remove set_present");
    assert_true(told.epoch > (uint64_t)epoch && (uint64_t)fixture_default().epoch == told.epoch);
    assert_true(told.num_issuers == 3 && told.premint_ms == 0);
}

static void test_a_start_waits_for_the_signer_but_not_for_one_bad_certificate(void **state)
{
    (void)state;
    (void)fixture_ready("one", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    (void)fixture_ready("two", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    failure = (struct fixture_failure){.call = "list", .status = MG_IO};
    assert_int_equal(service_start(service, CA_NOW * 1000000, &error), MG_IO);
    assert_asked("list");
    failure = (struct fixture_failure){.call = "install", .status = MG_IO};
    assert_int_equal(service_start(service, CA_NOW * 1000000, &error), MG_IO);
    assert_asked("list public_key install");
    failure = (struct fixture_failure){.call = "install", .status = MG_INVALID};
    assert_int_equal(service_start(service, CA_NOW * 1000000, &error), MG_OK);
    assert_asked("list public_key install install set_present");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, service_fixture_open, service_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_key_whose_making_was_cut_off_is_asked_for_by_the_same_name),
        TEST(test_a_key_of_type_hsm_is_made_on_a_token_of_its_region_and_stays_there),
        TEST(test_a_region_that_has_lost_its_tokens_is_named),
        TEST(test_an_attestation_is_asked_for_only_where_it_may_be),
        TEST(test_a_key_for_what_was_deleted_meanwhile_is_destroyed),
        TEST(test_a_request_is_not_made_when_the_signer_is_away),
        TEST(test_what_is_finalized_is_the_signers_before_it_is_ready),
        TEST(test_what_is_disabled_is_finalized_without_engines),
        TEST(test_engines_are_told_of_a_change_of_status_alone),
        TEST(test_engines_hear_of_a_deletion_before_the_key_is_gone),
        TEST(test_a_key_that_could_not_be_destroyed_is_later),
        TEST(test_engines_are_told_the_epoch_that_the_database_gets),
        TEST(test_what_engines_refuse_changes_nothing),
        TEST(test_an_engine_that_does_not_confirm_takes_nothing_back),
        TEST(test_what_cannot_be_the_default_is_not_published),
        TEST(test_the_default_is_first_and_only_what_is_usable_follows),
        cmocka_unit_test_setup_teardown(test_where_one_alone_may_be_enabled_the_others_are_not_published,
                                        service_fixture_open_software, service_fixture_close),
        TEST(test_a_start_brings_everybody_to_what_the_database_says),
        TEST(test_a_start_waits_for_the_signer_but_not_for_one_bad_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
