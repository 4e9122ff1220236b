/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "ca_builder.h"
#include "control/doomed_key.h"
#include "control/key_wish.h"
#include "lifecycle_fixture.h"

#define NUM_AUDITED "SELECT count(*) FROM audit"

static void expect_refusal(enum mg_status status, enum mg_status expected, const char *code, const char *text)
{
    if (status != expected || strstr(error.text, text) == NULL) {
        print_message("status %s, error: %s\n", mg_status_name(status), error.text);
    }
    assert_int_equal(status, expected);
    assert_string_equal(call.code, code);
    assert_non_null(strstr(error.text, text));
}

static void expect_state(int64_t id, enum intermediate_state expected)
{
    struct intermediate record = fixture_load(id);
    assert_int_equal(record.state, expected);
    intermediate_free(&record);
}

static void test_the_workflow_from_creation_to_ready(void **state)
{
    (void)state;
    int64_t before = fixture_count(NUM_AUDITED);
    int64_t id = fixture_create("corp-mitm", INTERMEDIATE_HSM, INTERMEDIATE_ENABLED);
    struct intermediate record = fixture_load(id);
    assert_string_equal(record.name, "corp-mitm");
    assert_int_equal(record.region, INTERMEDIATE_EUROPE);
    assert_int_equal(record.key_type, WIRE_KEY_RSA_2048);
    assert_int_equal(record.created_us, CA_NOW * 1000000);
    assert_false(intermediate_has_key(&record));
    intermediate_free(&record);
    for (enum intermediate_state next = INTERMEDIATE_GENERAL_DONE; next < INTERMEDIATE_NUM_STATES; next++) {
        call.now_us++;
        fixture_bring(id, next);
        expect_state(id, next);
    }
    record = fixture_load(id);
    assert_true(mg_slice_equal(mg_slice_of_text(record.public_key), mg_buffer_slice(&public_key)));
    assert_int_equal(record.key_time, CA_NOW);
    assert_int_equal(record.attestation_time, CA_NOW);
    assert_int_equal(record.csr_time, CA_NOW);
    assert_string_equal(record.csr_pem, "a CSR");
    assert_string_equal(record.csr.file_name, "corp-mitm-csr");
    assert_string_equal(record.certificate_file, "signed.pem");
    assert_int_equal(record.not_after, CA_NOW + 365 * CA_DAY);
    assert_non_null(strstr(record.certificate, "BEGIN CERTIFICATE"));
    assert_non_null(strstr(record.chain, "BEGIN CERTIFICATE"));
    assert_true(record.updated_us > record.created_us);
    intermediate_free(&record);
    assert_int_equal(fixture_count(NUM_AUDITED), before + 9); /* each of the nine states, once */
}

static enum mg_status audited(void *context, const struct audit_entry *entry, struct mg_error *why)
{
    (void)why;
    *(int64_t *)context = entry->time_us;
    assert_string_equal(entry->actor.name, "alice");
    assert_int_equal(entry->actor.role, CONTROL_ADMIN);
    assert_string_equal(entry->actor.source, "unix:0");
    assert_string_equal(entry->operation, "finalizeCert");
    assert_string_equal(entry->object, "intermediate/2");
    assert_int_equal(entry->outcome, AUDIT_DONE);
    assert_string_equal(entry->detail, "{\"name\":\"corp\",\"from\":\"CERTCHAIN_UPLOAD_DONE\",\"to\":\"CERT_READY\"}");
    return MG_OK;
}

static void test_an_audit_record_says_who_what_and_from_where(void **state)
{
    (void)state;
    int64_t time_us = 0;
    struct store_tx *tx;
    assert_int_equal(fixture_ready("corp", INTERMEDIATE_SOFTWARE, 0), 2);
    assert_int_equal(store_begin(lifecycle.store, STORE_READ, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, audit_list(tx, 0, 1, audited, &time_us, &error), &error), MG_OK);
    assert_int_equal(time_us, CA_NOW * 1000000);
}

static void create_refused(const struct lifecycle_draft *draft, enum mg_status expected, const char *code,
                           const char *text)
{
    int64_t num_records = fixture_count("SELECT count(*) FROM intermediate"), num_audited = fixture_count(NUM_AUDITED);
    expect_refusal(lifecycle_create(&call, draft, NULL, &error), expected, code, text);
    assert_int_equal(fixture_count("SELECT count(*) FROM intermediate"), num_records);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited);
}

static void test_what_a_certificate_may_not_be_created_with(void **state)
{
    (void)state;
    struct lifecycle_draft draft = fixture_draft("corp", 0, 0);
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "Certificate type is required.");
    draft.type = INTERMEDIATE_BUILTIN;
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "type: must be");
    draft.type = INTERMEDIATE_HSM;
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "region: is required");
    draft.region = INTERMEDIATE_ASIA;
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "region: no token keeps keys in ASIA");
    draft.type = INTERMEDIATE_SOFTWARE;
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "region: must be GLOBAL");
    draft.region = INTERMEDIATE_GLOBAL;
    draft.name = mg_slice_of(NULL, 0);
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "name: must have 1 to 128");
    draft.name = mg_slice_of_text("a\nb");
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "name: has a control character");
    draft.name = mg_slice_of_text("a\"b");
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "name: may not have");
    draft.name = mg_slice_of_text("Mintgate issuing CA");
    create_refused(&draft, MG_EXISTS, "DUPLICATE_ITEM", "another certificate of this name");
    draft.name = mg_slice_of_text("corp");
    draft.fallback_id = 77;
    create_refused(&draft, MG_INVALID, "INVALID_INPUT_ARGUMENT", "fallbackCertId: there is no certificate 77");
    draft.fallback_id = 1;
    assert_int_equal(lifecycle_create(&call, &draft, NULL, &error), MG_OK);
}

static void test_the_software_subscription_has_two_and_one_enabled(void **state)
{
    (void)state;
    struct lifecycle_draft hsm = fixture_draft("h", INTERMEDIATE_HSM, 0);
    create_refused(&hsm, MG_DENIED, "NOT_SUBSCRIBED", "CUSTOM_HSM");
    int64_t first = fixture_create("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    struct lifecycle_draft draft = fixture_draft("b", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    create_refused(&draft, MG_LIMIT, "INVALID_OPERATION", "allows 1 enabled");
    int64_t second = fixture_create("b", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    draft = fixture_draft("c", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    create_refused(&draft, MG_LIMIT, "INVALID_OPERATION", "allows 2 custom");
    struct lifecycle_draft change = LIFECYCLE_EMPTY_DRAFT;
    change.status = INTERMEDIATE_ENABLED;
    expect_refusal(lifecycle_update(&call, second, &change, NULL, &error), MG_LIMIT, "INVALID_OPERATION",
                   "allows 1 enabled");
    assert_int_equal(lifecycle_delete(&call, first, &error), MG_OK);
    assert_int_equal(lifecycle_update(&call, second, &change, NULL, &error), MG_OK);
    fixture_create("c", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
}

static void test_the_hsm_subscription_has_eight_and_four_enabled(void **state)
{
    (void)state;
    char name[2] = "a";
    for (int i = 0; i < 8; i++, name[0]++) {
        struct lifecycle_draft draft = fixture_draft(name, INTERMEDIATE_SOFTWARE + (unsigned)i % 2,
                                                     i < 4 ? INTERMEDIATE_ENABLED : INTERMEDIATE_DISABLED);
        assert_int_equal(lifecycle_create(&call, &draft, NULL, &error), MG_OK);
        draft = fixture_draft("one more", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
        if (i >= 3) {
            create_refused(&draft, MG_LIMIT, "INVALID_OPERATION", i < 7 ? "allows 4 enabled" : "allows 8 custom");
        }
    }
}

static void update_refused(int64_t id, struct lifecycle_draft change, enum mg_status expected, const char *code,
                           const char *text)
{
    struct intermediate before = fixture_load(id), after;
    int64_t num_audited = fixture_count(NUM_AUDITED);
    expect_refusal(lifecycle_update(&call, id, &change, NULL, &error), expected, code, text);
    after = fixture_load(id);
    assert_int_equal(after.updated_us, before.updated_us);
    assert_string_equal(after.name, before.name);
    assert_int_equal(after.status, before.status);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited);
    intermediate_free(&before);
    intermediate_free(&after);
}

static void test_a_draft_changes_but_for_type_region_and_key_type(void **state)
{
    (void)state;
    int64_t id = fixture_create("corp", INTERMEDIATE_HSM, 0);
    fixture_create("other", INTERMEDIATE_SOFTWARE, 0);
    struct lifecycle_draft change = LIFECYCLE_EMPTY_DRAFT;
    change.region = INTERMEDIATE_GLOBAL;
    update_refused(id, change, MG_INVALID, "INVALID_INPUT_ARGUMENT", "region: cannot be changed");
    change = LIFECYCLE_EMPTY_DRAFT;
    change.type = INTERMEDIATE_SOFTWARE;
    update_refused(id, change, MG_INVALID, "INVALID_INPUT_ARGUMENT", "type: cannot be changed");
    change = LIFECYCLE_EMPTY_DRAFT;
    change.key_type = WIRE_KEY_EC_P256;
    update_refused(id, change, MG_INVALID, "INVALID_INPUT_ARGUMENT", "keyType: cannot be changed");
    change = LIFECYCLE_EMPTY_DRAFT;
    change.name = mg_slice_of_text("OTHER");
    change.status = INTERMEDIATE_ENABLED;
    update_refused(id, change, MG_EXISTS, "DUPLICATE_ITEM", "another certificate of this name");
    change.fallback_id = id;
    change.name = mg_slice_of_text("new name");
    update_refused(id, change, MG_INVALID, "INVALID_INPUT_ARGUMENT", "its own successor");

    change.fallback_id = 1;
    change.description = mg_slice_of_text("what it is for");
    change.type = INTERMEDIATE_HSM; /* the same: no change */
    change.region = INTERMEDIATE_EUROPE;
    struct intermediate record;
    assert_int_equal(lifecycle_update(&call, id, &change, &record, &error), MG_OK);
    assert_string_equal(record.name, "new name");
    assert_string_equal(record.description, "what it is for");
    assert_int_equal(record.status, INTERMEDIATE_ENABLED);
    assert_int_equal(record.fallback_id, 1);
    intermediate_free(&record);
    change = LIFECYCLE_EMPTY_DRAFT;
    change.description = mg_slice_of_text(""); /* given, and empty */
    assert_int_equal(lifecycle_update(&call, id, &change, &record, &error), MG_OK);
    assert_string_equal(record.description, "");
    assert_string_equal(record.name, "new name");
    intermediate_free(&record);
}

static void test_an_update_without_a_difference_changes_nothing(void **state)
{
    (void)state;
    int64_t id = fixture_ready("corp", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    int64_t num_audited = fixture_count(NUM_AUDITED);
    struct lifecycle_draft same = fixture_draft("corp", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    struct intermediate record;
    call.now_us++;
    assert_int_equal(lifecycle_update(&call, id, &same, &record, &error), MG_OK);
    assert_int_equal(record.updated_us, CA_NOW * 1000000);
    intermediate_free(&record);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited);
}

static void test_a_finalized_certificate_changes_its_status_alone(void **state)
{
    (void)state;
    int64_t id = fixture_ready("corp", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    struct lifecycle_draft change = LIFECYCLE_EMPTY_DRAFT;
    change.status = INTERMEDIATE_ENABLED;
    change.name = mg_slice_of_text("other");
    update_refused(id, change, MG_DENIED, "INVALID_OPERATION", "is finalized");
    change.name = mg_slice_of_text("corp");
    change.fallback_id = 1;
    update_refused(id, change, MG_DENIED, "INVALID_OPERATION", "is finalized");
    change.fallback_id = -1;
    assert_int_equal(lifecycle_update(&call, id, &change, NULL, &error), MG_OK);
    struct intermediate record = fixture_load(id);
    assert_int_equal(record.status, INTERMEDIATE_ENABLED);
    intermediate_free(&record);
}

static void test_the_builtin_cannot_be_changed_or_deleted(void **state)
{
    (void)state;
    update_refused(1, LIFECYCLE_EMPTY_DRAFT, MG_DENIED, "INVALID_INPUT_ARGUMENT", "Zscaler root certificate");
    expect_refusal(lifecycle_delete(&call, 1, &error), MG_DENIED, "INVALID_INPUT_ARGUMENT", "Zscaler root");
    expect_refusal(lifecycle_finalize(&call, 1, NULL, &error), MG_DENIED, "INVALID_INPUT_ARGUMENT", "Zscaler root");
    assert_int_equal(lifecycle_read(&call, LIFECYCLE_READ_PUBLIC_KEY, 1, NULL, &error), MG_OK);
    assert_int_equal(lifecycle_set_successor(&call, 1, 0, NULL, &error), MG_OK);
}

static void test_ids_that_are_none_are_not_found(void **state)
{
    (void)state;
    const int64_t ids[] = {0, -1, 2, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < MG_ARRAY_LEN(ids); i++) {
        expect_refusal(lifecycle_delete(&call, ids[i], &error), MG_NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no");
        expect_refusal(lifecycle_check(&call, LIFECYCLE_SHOW, ids[i], NULL, &error), MG_NOT_FOUND, "RESOURCE_NOT_FOUND",
                       "There is no");
    }
}

static void test_the_key_is_made_once(void **state)
{
    (void)state;
    int64_t id = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0);
    const struct wire_key_id other = {"another key of.."};
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    struct intermediate before = fixture_load(id), after;
    expect_refusal(lifecycle_key_made(&call, id, &other, mg_slice_of_text("other"), NULL, &error), MG_DENIED,
                   "INVALID_OPERATION", "cannot be replaced");
    after = fixture_load(id);
    assert_memory_equal(&after.key_id, &before.key_id, sizeof(after.key_id));
    assert_string_equal(after.public_key, before.public_key);
    intermediate_free(&before);
    intermediate_free(&after);
}

static void test_a_wish_for_a_key_ends_with_the_step_that_has_it(void **state)
{
    (void)state;
    int64_t id = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0);
    struct key_wish wish = {.intermediate_id = id, .key_type = WIRE_KEY_RSA_2048};
    struct store_tx *tx;
    assert_int_equal(store_begin(lifecycle.store, STORE_WRITE, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, key_wish_add(tx, &wish, &error), &error), MG_OK);
    assert_int_equal(fixture_count("SELECT count(*) FROM key_wish"), 1);
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    assert_int_equal(fixture_count("SELECT count(*) FROM key_wish"), 0);
}

static void test_reading_the_public_key_moves_the_state_but_not_for_auditors(void **state)
{
    (void)state;
    int64_t id = fixture_create("corp", INTERMEDIATE_HSM, 0);
    struct intermediate record;
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    int64_t num_audited = fixture_count(NUM_AUDITED);
    call.actor.role = CONTROL_AUDITOR;
    assert_int_equal(lifecycle_read(&call, LIFECYCLE_READ_PUBLIC_KEY, id, &record, &error), MG_OK);
    assert_int_equal(record.state, INTERMEDIATE_KEYGEN_DONE);
    intermediate_free(&record);
    assert_int_equal(lifecycle_read(&call, LIFECYCLE_READ_ATTESTATION, id, NULL, &error), MG_OK);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited);
    call.actor.role = CONTROL_OPERATOR;
    assert_int_equal(lifecycle_check(&call, LIFECYCLE_READ_PUBLIC_KEY, id, NULL, &error), MG_OK);
    expect_state(id, INTERMEDIATE_KEYGEN_DONE);
    assert_int_equal(lifecycle_read(&call, LIFECYCLE_READ_PUBLIC_KEY, id, &record, &error), MG_OK);
    assert_int_equal(record.state, INTERMEDIATE_PUBKEY_DONE);
    intermediate_free(&record);
    expect_state(id, INTERMEDIATE_PUBKEY_DONE);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited + 1);
    assert_int_equal(lifecycle_read(&call, LIFECYCLE_READ_PUBLIC_KEY, id, NULL, &error), MG_OK);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited + 1);
}

static void test_an_auditor_changes_nothing(void **state)
{
    (void)state;
    int64_t id = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0);
    struct lifecycle_draft draft = fixture_draft("x", INTERMEDIATE_SOFTWARE, 0);
    call.actor.role = CONTROL_AUDITOR;
    create_refused(&draft, MG_DENIED, "SCOPE_LIMITED", "role");
    update_refused(id, draft, MG_DENIED, "SCOPE_LIMITED", "role");
    expect_refusal(lifecycle_delete(&call, id, &error), MG_DENIED, "SCOPE_LIMITED", "role");
    expect_refusal(lifecycle_check_default(&call, 1, NULL, &error), MG_DENIED, "SCOPE_LIMITED", "role");
    assert_int_equal(lifecycle_check(&call, LIFECYCLE_SHOW, id, NULL, &error), MG_OK);
}

/* CSRs. */

static enum mg_status check_csr(int64_t id, const struct lifecycle_csr_wish *wish, struct intermediate_csr *csr)
{
    return lifecycle_check_csr(&call, id, wish, csr, NULL, &error);
}

static void test_a_csr_without_wishes_has_defaults(void **state)
{
    (void)state;
    struct intermediate_csr csr;
    struct intermediate record;
    int64_t software = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0), hsm = fixture_create("h", INTERMEDIATE_HSM, 0);
    expect_refusal(check_csr(software, &LIFECYCLE_EMPTY_CSR_WISH, &csr), MG_DENIED, "INVALID_OPERATION",
                   "key pair must be generated first");
    fixture_bring(software, INTERMEDIATE_KEYGEN_DONE);
    fixture_bring(hsm, INTERMEDIATE_KEYGEN_DONE);
    assert_int_equal(lifecycle_check_csr(&call, software, &LIFECYCLE_EMPTY_CSR_WISH, &csr, &record, &error), MG_OK);
    assert_int_equal(record.id, software);
    intermediate_free(&record);
    assert_string_equal(csr.file_name, "corp-csr");
    assert_string_equal(csr.common_name, "corp");
    assert_string_equal(csr.organization, "");
    assert_string_equal(csr.country, "");
    assert_string_equal(csr.digest, "SHA256");
    assert_int_equal(csr.key_size, 2048);
    assert_int_equal(csr.path_len, 1);
    assert_int_equal(check_csr(hsm, &LIFECYCLE_EMPTY_CSR_WISH, &csr), MG_OK);
    assert_int_equal(csr.path_len, 0);
    expect_state(software, INTERMEDIATE_KEYGEN_DONE); /* only checked */
}

static void test_wishes_for_a_csr_are_kept_or_refused(void **state)
{
    (void)state;
    struct intermediate_csr csr;
    struct lifecycle_csr_wish wish = LIFECYCLE_EMPTY_CSR_WISH;
    int64_t id = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0);
    fixture_bring(id, INTERMEDIATE_KEYGEN_DONE);
    wish.common_name = mg_slice_of_text("Corp Inspection CA");
    wish.country = mg_slice_of_text("CH");
    wish.digest = mg_slice_of_text("SHA384");
    wish.key_size = 2048;
    wish.path_len = 0;
    assert_int_equal(check_csr(id, &wish, &csr), MG_OK);
    assert_string_equal(csr.common_name, "Corp Inspection CA");
    assert_string_equal(csr.country, "CH");
    assert_string_equal(csr.digest, "SHA384");
    assert_int_equal(csr.path_len, 0);
    wish.key_size = 4096;
    expect_refusal(check_csr(id, &wish, &csr), MG_INVALID, "INVALID_INPUT_ARGUMENT", "keySize: the key was made with");
    wish.key_size = -1;
    wish.path_len = 9;
    expect_refusal(check_csr(id, &wish, &csr), MG_INVALID, "INVALID_INPUT_ARGUMENT", "pathLengthConstraint");
    wish.path_len = -1;
    wish.digest = mg_slice_of_text("SHA1");
    expect_refusal(check_csr(id, &wish, &csr), MG_INVALID, "INVALID_INPUT_ARGUMENT", "signatureAlgorithm");
    wish.digest = mg_slice_of(NULL, 0);
    wish.country = mg_slice_of_text("C");
    expect_refusal(check_csr(id, &wish, &csr), MG_INVALID, "INVALID_INPUT_ARGUMENT", "country");
    wish.country = mg_slice_of_text("C1");
    expect_refusal(check_csr(id, &wish, &csr), MG_INVALID, "INVALID_INPUT_ARGUMENT", "country");
    wish.country = mg_slice_of(NULL, 0);
    wish.file_name = mg_slice_of_text("../etc");
    expect_refusal(check_csr(id, &wish, &csr), MG_INVALID, "INVALID_INPUT_ARGUMENT", "csrFileName");
    wish.file_name = mg_slice_of(NULL, 0);
    char long_name[66];
    memset(long_name, 'x', 65);
    wish.common_name = mg_slice_of(long_name, 65);
    expect_refusal(check_csr(id, &wish, &csr), MG_INVALID, "INVALID_INPUT_ARGUMENT", "commName: must have 1 to 64");
    wish.common_name = mg_slice_of(long_name, 64);
    assert_int_equal(check_csr(id, &wish, &csr), MG_OK);
}

static void test_a_new_csr_drops_what_was_uploaded(void **state)
{
    (void)state;
    struct intermediate_csr csr;
    struct intermediate record;
    int64_t id = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0);
    fixture_bring(id, INTERMEDIATE_CHAIN_UPLOAD_DONE);
    assert_int_equal(check_csr(id, &LIFECYCLE_EMPTY_CSR_WISH, &csr), MG_OK);
    assert_int_equal(lifecycle_csr_made(&call, id, &csr, mg_slice_of_text("a second CSR"), &record, &error), MG_OK);
    assert_int_equal(record.state, INTERMEDIATE_CSRGEN_DONE);
    assert_string_equal(record.csr_pem, "a second CSR");
    assert_null(record.certificate);
    assert_null(record.chain);
    assert_int_equal(record.not_after, 0);
    assert_string_equal(record.certificate_file, "");
    intermediate_free(&record);
    fixture_bring(id, INTERMEDIATE_CERT_READY);
}

/* Uploads. */

static void test_a_certificate_uploaded_again_drops_the_chain(void **state)
{
    (void)state;
    struct intermediate record;
    struct mg_buffer file;
    int64_t id = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0);
    fixture_bring(id, INTERMEDIATE_CHAIN_UPLOAD_DONE);
    mg_buffer_init(&file, 1 << 16);
    fixture_certificate(&file, CA_NOW + 5);
    assert_int_equal(
        lifecycle_upload_certificate(&call, id, mg_buffer_slice(&file), mg_slice_of(NULL, 0), &record, &error), MG_OK);
    assert_int_equal(record.state, INTERMEDIATE_CERT_UPLOAD_DONE);
    assert_null(record.chain);
    assert_int_equal(record.not_after, CA_NOW + 5);
    assert_string_equal(record.certificate_file, "");
    intermediate_free(&record);
    mg_buffer_free(&file);
}

static void test_a_bad_upload_changes_nothing(void **state)
{
    (void)state;
    struct mg_buffer file;
    int64_t id = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0);
    fixture_bring(id, INTERMEDIATE_CHAIN_UPLOAD_DONE);
    int64_t num_audited = fixture_count(NUM_AUDITED);
    mg_buffer_init(&file, 1 << 16);
    fixture_certificate(&file, CA_NOW - 5);
    expect_refusal(lifecycle_upload_certificate(&call, id, mg_buffer_slice(&file), mg_slice_of(NULL, 0), NULL, &error),
                   MG_INVALID, "INVALID_INPUT_ARGUMENT", "certificate: validity: has ended");
    expect_refusal(lifecycle_upload_chain(&call, id, mg_buffer_slice(&file), NULL, &error), MG_INVALID,
                   "INVALID_INPUT_ARGUMENT", "chain: certificate 1: is not the issuer");
    mg_buffer_clear(&file);
    fixture_certificate(&file, 0);
    expect_refusal(
        lifecycle_upload_certificate(&call, id, mg_buffer_slice(&file), mg_slice_of_text("a/b"), NULL, &error),
        MG_INVALID, "INVALID_INPUT_ARGUMENT", "filename");
    struct intermediate record = fixture_load(id);
    assert_int_equal(record.state, INTERMEDIATE_CHAIN_UPLOAD_DONE);
    assert_non_null(record.certificate);
    assert_non_null(record.chain);
    intermediate_free(&record);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited);
    mg_buffer_free(&file);
}

static void test_a_chain_is_optional(void **state)
{
    (void)state;
    struct intermediate record;
    int64_t id = fixture_create("corp", INTERMEDIATE_SOFTWARE, 0);
    fixture_bring(id, INTERMEDIATE_CERT_UPLOAD_DONE);
    assert_int_equal(lifecycle_finalize(&call, id, &record, &error), MG_OK);
    assert_int_equal(record.state, INTERMEDIATE_CERT_READY);
    assert_null(record.chain);
    intermediate_free(&record);
}

static void test_a_deleted_certificate_dooms_its_key(void **state)
{
    (void)state;
    struct store_tx *tx;
    struct wire_key_id doomed;
    int64_t without = fixture_create("a", INTERMEDIATE_SOFTWARE, 0);
    int64_t with = fixture_create("b", INTERMEDIATE_SOFTWARE, 0);
    fixture_bring(with, INTERMEDIATE_KEYGEN_DONE);
    struct intermediate record = fixture_load(with);
    assert_int_equal(lifecycle_delete(&call, without, &error), MG_OK);
    assert_int_equal(lifecycle_delete(&call, with, &error), MG_OK);
    expect_refusal(lifecycle_delete(&call, with, &error), MG_NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no");
    assert_int_equal(store_begin(lifecycle.store, STORE_READ, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, doomed_key_next(tx, 0, &doomed, &error), &error), MG_OK);
    assert_memory_equal(&doomed, &record.key_id, sizeof(doomed));
    assert_int_equal(fixture_count("SELECT count(*) FROM doomed_key"), 1);
    intermediate_free(&record);
}

static void test_a_successor_can_be_set_in_any_state(void **state)
{
    (void)state;
    struct intermediate record;
    int64_t old = fixture_ready("old", INTERMEDIATE_SOFTWARE, 0), young = fixture_create("y", INTERMEDIATE_HSM, 0);
    assert_int_equal(lifecycle_set_successor(&call, old, young, &record, &error), MG_OK);
    assert_int_equal(record.fallback_id, young);
    assert_int_equal(record.state, INTERMEDIATE_CERT_READY);
    intermediate_free(&record);
    expect_refusal(lifecycle_set_successor(&call, old, old, NULL, &error), MG_INVALID, "INVALID_INPUT_ARGUMENT", "own");
    expect_refusal(lifecycle_set_successor(&call, old, 99, NULL, &error), MG_INVALID, "INVALID_INPUT_ARGUMENT", "99");
    expect_refusal(lifecycle_set_successor(&call, old, -5, NULL, &error), MG_INVALID, "INVALID_INPUT_ARGUMENT", "-5");
}

#define LIFE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(test_the_workflow_from_creation_to_ready),
        LIFE_TEST(test_an_audit_record_says_who_what_and_from_where),
        LIFE_TEST(test_what_a_certificate_may_not_be_created_with),
        cmocka_unit_test_setup_teardown(test_the_software_subscription_has_two_and_one_enabled, fixture_open_software,
                                        fixture_close),
        LIFE_TEST(test_the_hsm_subscription_has_eight_and_four_enabled),
        LIFE_TEST(test_a_draft_changes_but_for_type_region_and_key_type),
        LIFE_TEST(test_an_update_without_a_difference_changes_nothing),
        LIFE_TEST(test_a_finalized_certificate_changes_its_status_alone),
        LIFE_TEST(test_the_builtin_cannot_be_changed_or_deleted),
        LIFE_TEST(test_ids_that_are_none_are_not_found),
        LIFE_TEST(test_the_key_is_made_once),
        LIFE_TEST(test_a_wish_for_a_key_ends_with_the_step_that_has_it),
        LIFE_TEST(test_reading_the_public_key_moves_the_state_but_not_for_auditors),
        LIFE_TEST(test_an_auditor_changes_nothing),
        LIFE_TEST(test_a_csr_without_wishes_has_defaults),
        LIFE_TEST(test_wishes_for_a_csr_are_kept_or_refused),
        LIFE_TEST(test_a_new_csr_drops_what_was_uploaded),
        LIFE_TEST(test_a_certificate_uploaded_again_drops_the_chain),
        LIFE_TEST(test_a_bad_upload_changes_nothing),
        LIFE_TEST(test_a_chain_is_optional),
        LIFE_TEST(test_a_deleted_certificate_dooms_its_key),
        LIFE_TEST(test_a_successor_can_be_set_in_any_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
