/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ca_builder.h"
#include "control/issuer_use.h"
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

static void expect_default(int64_t id, int64_t previous_id, int64_t epoch)
{
    struct default_issuer now = fixture_default();
    assert_int_equal(now.id, id);
    assert_int_equal(now.previous_id, previous_id);
    assert_int_equal(now.epoch, epoch);
}

static void expect_status(int64_t id, enum intermediate_status expected)
{
    struct intermediate record = fixture_load(id);
    assert_int_equal(record.status, expected);
    intermediate_free(&record);
}

static void commit(int64_t id)
{
    struct default_issuer now;
    assert_int_equal(lifecycle_commit_default(&call, id, &now, NULL, &error), MG_OK);
    assert_int_equal(now.id, id);
}

static bool note_revoked(int64_t id, bool is_revoked)
{
    struct store_tx *tx;
    bool changed;
    assert_int_equal(store_begin(lifecycle.store, STORE_WRITE, &tx, &error), MG_OK);
    enum mg_status status = issuer_use_set(tx, id, is_revoked, "", &changed, &error);
    assert_int_equal(store_end(tx, status, &error), MG_OK);
    return changed;
}

static void test_a_revoked_one_cannot_be_the_default_nor_be_enabled(void **state)
{
    (void)state;
    struct default_issuer now;
    int64_t id = fixture_ready("One", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    struct lifecycle_draft enable = LIFECYCLE_EMPTY_DRAFT;
    enable.status = INTERMEDIATE_ENABLED;
    assert_false(note_revoked(id, false)); /* that is what a new one is */
    assert_true(note_revoked(id, true));
    assert_false(note_revoked(id, true));
    struct intermediate record = fixture_load(id);
    assert_true(record.is_revoked);
    intermediate_free(&record);
    expect_refusal(lifecycle_check_default(&call, id, NULL, &error), MG_DENIED, "INVALID_OPERATION", "revoked");
    expect_refusal(lifecycle_commit_default(&call, id, &now, NULL, &error), MG_DENIED, "INVALID_OPERATION", "revoked");
    expect_refusal(lifecycle_update(&call, id, &enable, NULL, &error), MG_DENIED, "INVALID_OPERATION", "revoked");
    assert_true(note_revoked(id, false));
    assert_int_equal(lifecycle_update(&call, id, &enable, NULL, &error), MG_OK);
    commit(id);
    assert_true(note_revoked(id, true));
    commit(INTERMEDIATE_BUILTIN_ID);
    assert_int_equal(lifecycle_delete(&call, id, &error), MG_OK); /* what was noted goes with it */
    assert_int_equal(fixture_count("SELECT count(*) FROM issuer_use"), 0);
}

static void test_the_builtin_is_the_first_default(void **state)
{
    (void)state;
    struct intermediate record = fixture_load(INTERMEDIATE_BUILTIN_ID);
    expect_default(INTERMEDIATE_BUILTIN_ID, 0, 1);
    assert_true(record.is_default);
    assert_int_equal(record.type, INTERMEDIATE_BUILTIN);
    assert_int_equal(record.state, INTERMEDIATE_CERT_READY);
    assert_int_equal(record.status, INTERMEDIATE_ENABLED);
    assert_int_equal(record.region, INTERMEDIATE_GLOBAL);
    assert_int_equal(record.not_after, CA_NOW + 365 * CA_DAY);
    intermediate_free(&record);
    fixture_reopen();
    expect_default(INTERMEDIATE_BUILTIN_ID, 0, 1);
}

static enum mg_status install(const struct intermediate *record, const char *name, int64_t not_after)
{
    struct mg_buffer certificate;
    mg_buffer_init(&certificate, 1 << 16);
    if (not_after != 0) {
        fixture_certificate(&certificate, not_after);
    } else {
        mg_buffer_append_text(&certificate, record->certificate);
    }
    const struct lifecycle_builtin builtin = {
        .name = name,
        .key_id = record->key_id,
        .key_type = record->key_type,
        .public_key = mg_buffer_slice(&public_key),
        .certificate = mg_buffer_slice(&certificate),
    };
    enum mg_status status = lifecycle_install_builtin(&call, &builtin, &error);
    mg_buffer_free(&certificate);
    return status;
}

static void test_a_renewed_builtin_is_taken_over_and_published_if_it_is_the_default(void **state)
{
    (void)state;
    struct intermediate record = fixture_load(INTERMEDIATE_BUILTIN_ID);
    int64_t num_audited = fixture_count(NUM_AUDITED);
    assert_int_equal(install(&record, record.name, 0), MG_OK); /* the same */
    expect_default(INTERMEDIATE_BUILTIN_ID, 0, 1);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited);
    assert_int_equal(install(&record, record.name, CA_NOW + 9), MG_OK);
    expect_default(INTERMEDIATE_BUILTIN_ID, 0, 2);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited + 1);
    commit(fixture_ready("corp", INTERMEDIATE_SOFTWARE, 0));
    expect_default(2, INTERMEDIATE_BUILTIN_ID, 3);
    assert_int_equal(install(&record, record.name, CA_NOW - 9), MG_OK); /* expired: the program starts all the same */
    expect_default(2, INTERMEDIATE_BUILTIN_ID, 3);
    intermediate_free(&record);
    record = fixture_load(INTERMEDIATE_BUILTIN_ID);
    assert_int_equal(record.not_after, CA_NOW - 9);
    intermediate_free(&record);
}

static void test_a_new_default_takes_the_next_epoch_and_remembers_the_old(void **state)
{
    (void)state;
    struct intermediate record;
    struct default_issuer now;
    int64_t a = fixture_ready("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    int64_t b = fixture_ready("b", INTERMEDIATE_HSM, INTERMEDIATE_ENABLED);
    int64_t num_audited = fixture_count(NUM_AUDITED);
    call.actor.role = CONTROL_OPERATOR;
    assert_int_equal(lifecycle_commit_default(&call, a, &now, &record, &error), MG_OK);
    assert_true(record.is_default);
    intermediate_free(&record);
    assert_int_equal(now.epoch, 2);
    expect_default(a, INTERMEDIATE_BUILTIN_ID, 2);
    commit(b);
    expect_default(b, a, 3);
    assert_int_equal(fixture_count("SELECT count(*) FROM default_issuer"), 1);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited + 2);
    commit(b); /* it is already */
    expect_default(b, a, 3);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited + 2);
    record = fixture_load(a);
    assert_false(record.is_default);
    assert_int_equal(record.status, INTERMEDIATE_ENABLED);
    intermediate_free(&record);
}

static void test_checking_changes_nothing(void **state)
{
    (void)state;
    struct intermediate record;
    int64_t id = fixture_ready("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    int64_t num_audited = fixture_count(NUM_AUDITED);
    assert_int_equal(lifecycle_check_default(&call, id, &record, &error), MG_OK);
    assert_int_equal(record.id, id);
    assert_int_equal(record.status, INTERMEDIATE_DISABLED);
    assert_non_null(record.certificate);
    intermediate_free(&record);
    expect_default(INTERMEDIATE_BUILTIN_ID, 0, 1);
    expect_status(id, INTERMEDIATE_DISABLED);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited);
}

static void default_refused(int64_t id, enum mg_status expected, const char *code, const char *text)
{
    struct default_issuer before = fixture_default(), now;
    expect_refusal(lifecycle_check_default(&call, id, NULL, &error), expected, code, text);
    expect_refusal(lifecycle_commit_default(&call, id, &now, NULL, &error), expected, code, text);
    expect_default(before.id, before.previous_id, before.epoch);
}

static void test_what_is_unfinished_expired_or_gone_is_no_default(void **state)
{
    (void)state;
    int64_t id = fixture_create("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    fixture_bring(id, INTERMEDIATE_CHAIN_UPLOAD_DONE);
    default_refused(id, MG_DENIED, "INVALID_OPERATION", "must be finalized first");
    fixture_bring(id, INTERMEDIATE_CERT_READY);
    call.now_us = (CA_NOW + 365 * CA_DAY + 1) * 1000000;
    default_refused(id, MG_DENIED, "INVALID_OPERATION", "has expired");
    call.now_us -= 1000000;
    assert_int_equal(lifecycle_check_default(&call, id, NULL, &error), MG_OK);
    assert_int_equal(lifecycle_delete(&call, id, &error), MG_OK);
    default_refused(id, MG_NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no");
}

static void test_the_default_cannot_be_disabled_or_deleted(void **state)
{
    (void)state;
    struct lifecycle_draft change = LIFECYCLE_EMPTY_DRAFT;
    int64_t id = fixture_ready("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    commit(id);
    change.status = INTERMEDIATE_DISABLED;
    expect_refusal(lifecycle_update(&call, id, &change, NULL, &error), MG_DENIED, "INVALID_OPERATION",
                   "default certificate cannot be disabled");
    expect_refusal(lifecycle_delete(&call, id, &error), MG_DENIED, "INVALID_OPERATION",
                   "default certificate cannot be deleted");
    expect_status(id, INTERMEDIATE_ENABLED);
    commit(INTERMEDIATE_BUILTIN_ID);
    assert_int_equal(lifecycle_update(&call, id, &change, NULL, &error), MG_OK);
    assert_int_equal(lifecycle_delete(&call, id, &error), MG_OK);
}

static void test_a_disabled_certificate_is_enabled_by_being_the_default(void **state)
{
    (void)state;
    int64_t id = fixture_ready("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    commit(id);
    expect_status(id, INTERMEDIATE_ENABLED);
}

static void test_where_four_are_enabled_a_fifth_has_no_room(void **state)
{
    (void)state;
    int64_t id = fixture_ready("the fifth", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    char name[2] = "a";
    for (int i = 0; i < 4; i++, name[0]++) {
        fixture_create(name, INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    }
    default_refused(id, MG_LIMIT, "INVALID_OPERATION", "disable another first");
    expect_status(id, INTERMEDIATE_DISABLED);
}

static void test_where_one_may_be_enabled_the_others_are_disabled(void **state)
{
    (void)state;
    int64_t a = fixture_ready("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    int64_t b = fixture_ready("b", INTERMEDIATE_SOFTWARE, INTERMEDIATE_DISABLED);
    commit(a);
    int64_t num_audited = fixture_count(NUM_AUDITED);
    commit(b);
    expect_default(b, a, 3);
    expect_status(a, INTERMEDIATE_DISABLED);
    expect_status(b, INTERMEDIATE_ENABLED);
    expect_status(INTERMEDIATE_BUILTIN_ID, INTERMEDIATE_ENABLED);
    assert_int_equal(fixture_count(NUM_AUDITED), num_audited + 2); /* both changes */
    commit(INTERMEDIATE_BUILTIN_ID);
    expect_status(b, INTERMEDIATE_ENABLED); /* the built-in does not count */
}

static void test_the_previous_default_unless_it_is_gone(void **state)
{
    (void)state;
    struct intermediate record;
    expect_refusal(lifecycle_check_previous(&call, NULL, &error), MG_NOT_FOUND, "RESOURCE_NOT_FOUND", "no other");
    int64_t a = fixture_ready("a", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    int64_t b = fixture_ready("b", INTERMEDIATE_SOFTWARE, INTERMEDIATE_ENABLED);
    commit(a);
    commit(b);
    assert_int_equal(lifecycle_check_previous(&call, &record, &error), MG_OK);
    assert_int_equal(record.id, a);
    commit(record.id);
    intermediate_free(&record);
    expect_default(a, b, 4);
    call.now_us = (CA_NOW + 366 * CA_DAY) * 1000000;
    expect_refusal(lifecycle_check_previous(&call, NULL, &error), MG_DENIED, "INVALID_OPERATION", "has expired");
    assert_int_equal(lifecycle_delete(&call, b, &error), MG_OK);
    expect_refusal(lifecycle_check_previous(&call, NULL, &error), MG_NOT_FOUND, "RESOURCE_NOT_FOUND", "deleted");
}

#define DEFAULT_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEFAULT_TEST(test_the_builtin_is_the_first_default),
        DEFAULT_TEST(test_a_revoked_one_cannot_be_the_default_nor_be_enabled),
        DEFAULT_TEST(test_a_renewed_builtin_is_taken_over_and_published_if_it_is_the_default),
        DEFAULT_TEST(test_a_new_default_takes_the_next_epoch_and_remembers_the_old),
        DEFAULT_TEST(test_checking_changes_nothing),
        DEFAULT_TEST(test_what_is_unfinished_expired_or_gone_is_no_default),
        DEFAULT_TEST(test_the_default_cannot_be_disabled_or_deleted),
        DEFAULT_TEST(test_a_disabled_certificate_is_enabled_by_being_the_default),
        DEFAULT_TEST(test_where_four_are_enabled_a_fifth_has_no_room),
        cmocka_unit_test_setup_teardown(test_where_one_may_be_enabled_the_others_are_disabled, fixture_open_software,
                                        fixture_close),
        DEFAULT_TEST(test_the_previous_default_unless_it_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
