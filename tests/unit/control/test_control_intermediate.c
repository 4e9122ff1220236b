/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/doomed_key.h"
#include "control/key_wish.h"
#include "lifecycle_fixture.h"

static struct store_tx *tx;

static int begin(void **state)
{
    return fixture_open(state) == 0 && store_begin(lifecycle.store, STORE_WRITE, &tx, &error) == MG_OK ? 0 : -1;
}

static int end(void **state)
{
    assert_int_equal(store_end(tx, MG_AGAIN, &error), MG_AGAIN);
    return fixture_close(state);
}

static char *copy(const char *text)
{
    char *copied = strdup(text);
    assert_non_null(copied);
    return copied;
}

static struct intermediate full_record(void)
{
    return (struct intermediate){
        .type = INTERMEDIATE_HSM,
        .region = INTERMEDIATE_US,
        .status = INTERMEDIATE_DISABLED,
        .state = INTERMEDIATE_CHAIN_UPLOAD_DONE,
        .key_type = WIRE_KEY_RSA_4096,
        .fallback_id = 1,
        .name = "Zürich",
        .description = "text",
        .key_id = {"0123456789abcde"},
        .public_key = copy("public"),
        .key_time = 11,
        .attestation_time = 12,
        .csr = {"file", "cn", "o", "ou", "l", "st", "CH", "SHA384", 4096, 3},
        .csr_pem = copy("csr"),
        .csr_time = 13,
        .certificate = copy("certificate"),
        .certificate_file = "signed.pem",
        .not_before = 14,
        .not_after = 15,
        .chain = copy("chain"),
        .created_us = 16,
        .updated_us = 17,
    };
}

static void expect_same_text(const char *a, const char *b)
{
    assert_true((a == NULL) == (b == NULL));
    if (a != NULL) {
        assert_string_equal(a, b);
    }
}

static void expect_same(const struct intermediate *a, const struct intermediate *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->region, b->region);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->key_type, b->key_type);
    assert_int_equal(a->fallback_id, b->fallback_id);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->description, b->description);
    assert_memory_equal(&a->key_id, &b->key_id, sizeof(a->key_id));
    expect_same_text(a->public_key, b->public_key);
    assert_int_equal(a->key_time, b->key_time);
    assert_int_equal(a->attestation_time, b->attestation_time);
    assert_string_equal(a->csr.file_name, b->csr.file_name);
    assert_string_equal(a->csr.common_name, b->csr.common_name);
    assert_string_equal(a->csr.organization, b->csr.organization);
    assert_string_equal(a->csr.unit, b->csr.unit);
    assert_string_equal(a->csr.city, b->csr.city);
    assert_string_equal(a->csr.state, b->csr.state);
    assert_string_equal(a->csr.country, b->csr.country);
    assert_string_equal(a->csr.digest, b->csr.digest);
    assert_int_equal(a->csr.key_size, b->csr.key_size);
    assert_int_equal(a->csr.path_len, b->csr.path_len);
    expect_same_text(a->csr_pem, b->csr_pem);
    assert_int_equal(a->csr_time, b->csr_time);
    expect_same_text(a->certificate, b->certificate);
    assert_string_equal(a->certificate_file, b->certificate_file);
    assert_int_equal(a->not_before, b->not_before);
    assert_int_equal(a->not_after, b->not_after);
    expect_same_text(a->chain, b->chain);
    assert_int_equal(a->created_us, b->created_us);
    assert_int_equal(a->updated_us, b->updated_us);
}

static void test_every_field_comes_back(void **state)
{
    (void)state;
    struct intermediate record = full_record(), again;
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    assert_true(record.id > INTERMEDIATE_BUILTIN_ID);
    assert_int_equal(intermediate_load(tx, record.id, &again, &error), MG_OK);
    expect_same(&record, &again);
    assert_false(again.is_default);
    assert_true(intermediate_has_key(&again));
    intermediate_free(&again);

    struct intermediate bare = {.id = record.id, .type = INTERMEDIATE_SOFTWARE, .region = INTERMEDIATE_GLOBAL};
    bare.status = INTERMEDIATE_ENABLED;
    bare.state = INTERMEDIATE_GENERAL_DONE;
    bare.key_type = WIRE_KEY_EC_P256;
    bare.key_id = record.key_id; /* which the database keeps anyway */
    assert_int_equal(intermediate_update(tx, &bare, &error), MG_OK);
    assert_int_equal(intermediate_load(tx, record.id, &again, &error), MG_OK);
    expect_same(&bare, &again);
    intermediate_free(&again);
    intermediate_free(&record);
}

static void test_a_name_is_taken_whatever_its_case(void **state)
{
    (void)state;
    struct intermediate record = full_record();
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    record.id = 0;
    record.key_id.bytes[0]++;
    snprintf(record.name, sizeof(record.name), "zÜRICH"); /* another: only ASCII is folded */
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    record.id = 0;
    record.key_id.bytes[0]++;
    snprintf(record.name, sizeof(record.name), "zürich");
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_EXISTS);
    intermediate_free(&record);
}

static void test_ids_are_never_used_again(void **state)
{
    (void)state;
    struct intermediate record = full_record();
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    int64_t first = record.id;
    assert_int_equal(intermediate_delete(tx, first, &error), MG_OK);
    assert_int_equal(intermediate_delete(tx, first, &error), MG_NOT_FOUND);
    assert_int_equal(intermediate_update(tx, &record, &error), MG_NOT_FOUND);
    record.id = 0;
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    assert_int_equal(record.id, first + 1);
    intermediate_free(&record);
    assert_int_equal(intermediate_load(tx, first, &record, &error), MG_NOT_FOUND);
    assert_non_null(strstr(error.text, "there is no intermediate"));
}

static void test_a_deleted_certificate_succeeds_nobody(void **state)
{
    (void)state;
    struct intermediate record = full_record(), other = full_record();
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    other.fallback_id = record.id;
    other.key_id.bytes[0]++;
    snprintf(other.name, sizeof(other.name), "other");
    assert_int_equal(intermediate_insert(tx, &other, &error), MG_OK);
    assert_int_equal(intermediate_delete(tx, record.id, &error), MG_OK);
    int64_t id = other.id;
    intermediate_free(&other);
    assert_int_equal(intermediate_load(tx, id, &other, &error), MG_OK);
    assert_int_equal(other.fallback_id, 0);
    intermediate_free(&other);
    intermediate_free(&record);
}

/* What lifecycle.c refuses with a text, the tables refuse too. */
static void test_two_certificates_never_have_one_key(void **state)
{
    (void)state;
    struct intermediate record = full_record(), other = full_record();
    other.key_id = (struct wire_key_id){"\0"};
    snprintf(other.name, sizeof(other.name), "other");
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    assert_int_equal(intermediate_insert(tx, &other, &error), MG_OK);
    other.key_id = record.key_id;
    assert_int_equal(intermediate_update(tx, &other, &error), MG_INTERNAL);
    assert_non_null(strstr(error.text, "key is of another intermediate"));
    intermediate_free(&record);
    intermediate_free(&other);
}

static void test_the_tables_keep_keys_and_the_default(void **state)
{
    (void)state;
    struct intermediate record = full_record();
    struct store_statement statement;
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    record.key_id.bytes[0]++;
    assert_int_equal(intermediate_update(tx, &record, &error), MG_INTERNAL);
    assert_non_null(strstr(error.text, "key of an intermediate cannot be replaced"));
    assert_int_equal(intermediate_delete(tx, INTERMEDIATE_BUILTIN_ID, &error), MG_INTERNAL); /* the default */
    store_prepare(&statement, tx, "DELETE FROM default_issuer");
    assert_int_equal(store_run(&statement, &error), MG_INTERNAL);
    store_prepare(&statement, tx, "UPDATE default_issuer SET epoch = epoch");
    assert_int_equal(store_run(&statement, &error), MG_INTERNAL);
    assert_non_null(strstr(error.text, "epoch"));
    intermediate_free(&record);
}

static void test_lists_begin_with_the_builtin_and_can_be_of_the_ready(void **state)
{
    (void)state;
    struct intermediate record = full_record();
    struct intermediate_list list;
    struct intermediate_counts counts;
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    record.id = 0;
    record.key_id.bytes[0]++;
    snprintf(record.name, sizeof(record.name), "aaa");
    record.state = INTERMEDIATE_CERT_READY;
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);
    record.id = 0;
    record.key_id.bytes[0]++;
    snprintf(record.name, sizeof(record.name), "bbb");
    record.status = INTERMEDIATE_ENABLED;
    assert_int_equal(intermediate_insert(tx, &record, &error), MG_OK);

    assert_int_equal(intermediate_list_load(tx, INTERMEDIATE_ALL, &list, &error), MG_OK);
    assert_int_equal(list.num_items, 4);
    assert_int_equal(list.items[0].id, INTERMEDIATE_BUILTIN_ID);
    assert_true(list.items[0].is_default);
    assert_string_equal(list.items[1].name, "Zürich");
    assert_string_equal(list.items[1].chain, "chain");
    intermediate_list_free(&list);
    assert_int_equal(intermediate_list_load(tx, INTERMEDIATE_READY_TO_USE, &list, &error), MG_OK);
    assert_int_equal(list.num_items, 2);
    assert_string_equal(list.items[1].name, "bbb");
    intermediate_list_free(&list);
    assert_int_equal(intermediate_count(tx, &counts, &error), MG_OK);
    assert_int_equal(counts.num_custom, 3);
    assert_int_equal(counts.num_enabled, 1);
    intermediate_free(&record);
}

static void test_a_record_changed_by_hand_is_refused(void **state)
{
    (void)state;
    struct intermediate record;
    struct intermediate_list list;
    struct store_statement statement;
    store_prepare(&statement, tx, "UPDATE intermediate SET state = 'ODD'");
    assert_int_equal(store_run(&statement, &error), MG_OK);
    assert_int_equal(intermediate_load(tx, 1, &record, &error), MG_INTERNAL);
    assert_string_equal(error.text, "database: intermediate 1: state cannot be read");
    assert_int_equal(intermediate_list_load(tx, INTERMEDIATE_ALL, &list, &error), MG_INTERNAL);
    store_prepare(&statement, tx, "UPDATE intermediate SET state = 'CERT_READY', name = printf('%600s', 'x')");
    assert_int_equal(store_run(&statement, &error), MG_OK);
    assert_int_equal(intermediate_load(tx, 1, &record, &error), MG_INTERNAL);
    assert_string_equal(error.text, "database: intermediate 1: name cannot be read");
}

static void test_doomed_keys_wait_until_they_are_forgotten(void **state)
{
    (void)state;
    struct wire_key_id keys[2] = {{"the other of two"}, {"a key to destroy"}}, next;
    assert_int_equal(doomed_key_next(tx, 0, &next, &error), MG_NOT_FOUND);
    assert_int_equal(doomed_key_add(tx, &keys[0], 5, &error), MG_OK);
    assert_int_equal(doomed_key_add(tx, &keys[1], 4, &error), MG_OK);
    assert_int_equal(doomed_key_next(tx, 0, &next, &error), MG_OK);
    assert_memory_equal(&next, &keys[1], sizeof(next)); /* the older */
    assert_int_equal(doomed_key_forget(tx, &next, &error), MG_OK);
    assert_int_equal(doomed_key_next(tx, 0, &next, &error), MG_OK);
    assert_memory_equal(&next, &keys[0], sizeof(next));
    assert_int_equal(doomed_key_forget(tx, &next, &error), MG_OK);
    assert_int_equal(doomed_key_next(tx, 0, &next, &error), MG_NOT_FOUND);
}

static void test_a_wish_for_a_key_is_unwanted_once_its_intermediate_is_gone(void **state)
{
    (void)state;
    struct key_wish next, of_the_builtin = {1, 10, WIRE_KEY_EC_P256, ""}, of_nobody = {2, 20, WIRE_KEY_RSA_4096, "one"};
    struct key_wish again = {2, 20, WIRE_KEY_RSA_4096, "two"};
    assert_int_equal(key_wish_next_unwanted(tx, 0, &next, &error), MG_NOT_FOUND);
    assert_int_equal(key_wish_add(tx, &of_the_builtin, &error), MG_OK);
    assert_int_equal(key_wish_next_unwanted(tx, 0, &next, &error), MG_NOT_FOUND);
    assert_int_equal(key_wish_add(tx, &of_nobody, &error), MG_OK);
    assert_int_equal(key_wish_add(tx, &again, &error), MG_OK);
    assert_string_equal(again.holder, "one"); /* where the key may be already */
    assert_int_equal(key_wish_next_unwanted(tx, 0, &next, &error), MG_OK);
    assert_int_equal(next.intermediate_id, 2);
    assert_int_equal(next.created_us, 20);
    assert_int_equal(next.key_type, WIRE_KEY_RSA_4096);
    assert_string_equal(next.holder, "one");
    assert_int_equal(key_wish_next_unwanted(tx, next.intermediate_id, &next, &error), MG_NOT_FOUND);
    assert_int_equal(key_wish_forget(tx, 2, &error), MG_OK);
    assert_int_equal(key_wish_next_unwanted(tx, 0, &next, &error), MG_NOT_FOUND);
}

static void test_words_are_those_of_the_api(void **state)
{
    (void)state;
    assert_string_equal(words_name(&intermediate_type_words, INTERMEDIATE_HSM), "CUSTOM_HSM");
    assert_string_equal(words_name(&intermediate_region_words, INTERMEDIATE_EUROPE), "EUROPE");
    assert_string_equal(words_name(&intermediate_state_words, INTERMEDIATE_CERT_UPLOAD_DONE), "INTCERT_UPLOAD_DONE");
    assert_string_equal(words_name(&intermediate_state_words, INTERMEDIATE_CERT_READY), "CERT_READY");
    assert_string_equal(words_name(&intermediate_key_type_words, WIRE_KEY_RSA_2048), "RSA_2K");
    assert_string_equal(words_name(&intermediate_key_type_words, 6), "none");
    assert_int_equal(words_value(&intermediate_region_words, mg_slice_of_text("US")), INTERMEDIATE_US);
    assert_int_equal(words_value(&intermediate_region_words, mg_slice_of_text("us")), 0);
    assert_int_equal(words_value(&intermediate_region_words, mg_slice_of(NULL, 0)), 0);
    assert_int_equal(words_value(&control_role_words, mg_slice_of_text("auditor")), CONTROL_AUDITOR);
}

#define RECORD_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORD_TEST(test_every_field_comes_back),
        RECORD_TEST(test_a_name_is_taken_whatever_its_case),
        RECORD_TEST(test_ids_are_never_used_again),
        RECORD_TEST(test_a_deleted_certificate_succeeds_nobody),
        RECORD_TEST(test_two_certificates_never_have_one_key),
        RECORD_TEST(test_the_tables_keep_keys_and_the_default),
        RECORD_TEST(test_lists_begin_with_the_builtin_and_can_be_of_the_ready),
        RECORD_TEST(test_a_record_changed_by_hand_is_refused),
        RECORD_TEST(test_doomed_keys_wait_until_they_are_forgotten),
        RECORD_TEST(test_a_wish_for_a_key_is_unwanted_once_its_intermediate_is_gone),
        cmocka_unit_test(test_words_are_those_of_the_api),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
