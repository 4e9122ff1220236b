/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/secret.h"
#include "hsm/sealed_key.h"

static const struct kek kek = {"a key-encryption key of 32 bytes"};
static const struct kek other_kek = {"A key-encryption key of 32 bytes"};
static const struct key_info info = {
    .id = {"0123456789abcde"},
    .purpose = KEY_MINTING,
    .role = WIRE_ISSUER_UNTRUST,
    .origin = KEY_ORIGIN_BUILTIN_UNTRUST,
    .type = WIRE_KEY_RSA_3072,
    .created = 1795254060,
    .label = "Mintgate Untrusted Issuer",
};

static struct mg_buffer file, secret;

static int seal(void **state)
{
    (void)state;
    mg_buffer_init(&file, SEALED_KEY_MAX_FILE);
    if (!mg_secret_buffer_init(&secret, SEALED_KEY_MAX_SECRET)) {
        return -1;
    }
    return sealed_key_seal(&kek, &info, mg_slice_of_text("the private key"), &file, NULL);
}

static int release(void **state)
{
    (void)state;
    mg_buffer_free(&file);
    mg_secret_free(&secret);
    return 0;
}

static enum mg_status open_bytes(struct mg_slice bytes)
{
    struct key_info got;
    struct mg_error error = {""};
    enum mg_status status = sealed_key_open(&kek, bytes, &got, &secret, &error);
    assert_true((status == MG_OK) == (error.text[0] == '\0'));
    return status;
}

static void test_what_was_sealed_opens(void **state)
{
    (void)state;
    struct key_info got;
    assert_int_equal(sealed_key_open(&kek, mg_buffer_slice(&file), &got, &secret, NULL), MG_OK);
    assert_true(mg_slice_equal(mg_buffer_slice(&secret), mg_slice_of_text("the private key")));
    assert_memory_equal(got.id.bytes, info.id.bytes, sizeof(info.id.bytes));
    assert_int_equal(got.purpose, info.purpose);
    assert_int_equal(got.role, info.role);
    assert_int_equal(got.origin, info.origin);
    assert_int_equal(got.type, info.type);
    assert_int_equal(got.created, info.created);
    assert_string_equal(got.label, info.label);
}

static void test_the_key_is_not_readable_in_the_file(void **state)
{
    (void)state;
    assert_null(memmem(file.data, file.len, "private", 7));
    assert_non_null(memmem(file.data, file.len, "Untrusted", 9)); /* the header is */
}

static void test_any_changed_byte_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < file.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            file.data[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(open_bytes(mg_buffer_slice(&file)), MG_OK);
            assert_int_equal(secret.len, 0);
            file.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(open_bytes(mg_buffer_slice(&file)), MG_OK);
}

static void test_a_changed_purpose_is_noticed(void **state)
{
    (void)state;
    const size_t purpose_offset = 8 + 1 + 16, role_offset = purpose_offset + 1;
    assert_int_equal(file.data[purpose_offset], KEY_MINTING);
    file.data[purpose_offset] = KEY_PRIVATE_CA;
    file.data[role_offset] = 0;
    assert_int_equal(open_bytes(mg_buffer_slice(&file)), MG_DENIED);
}

static void test_a_file_cut_or_lengthened_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < file.len; len++) {
        assert_int_equal(open_bytes(mg_slice_of(file.data, len)), MG_INVALID);
    }
    mg_buffer_append_u8(&file, 0);
    assert_int_equal(open_bytes(mg_buffer_slice(&file)), MG_INVALID);
}

static void test_another_key_encryption_key_does_not_open_it(void **state)
{
    (void)state;
    struct key_info got;
    assert_int_equal(sealed_key_open(&other_kek, mg_buffer_slice(&file), &got, &secret, NULL), MG_DENIED);
    assert_int_equal(secret.len, 0);
}

static void test_the_same_key_is_sealed_differently_each_time(void **state)
{
    (void)state;
    struct mg_buffer again;
    mg_buffer_init(&again, SEALED_KEY_MAX_FILE);
    assert_int_equal(sealed_key_seal(&kek, &info, mg_slice_of_text("the private key"), &again, NULL), MG_OK);
    assert_int_equal(again.len, file.len);
    assert_false(mg_slice_equal(mg_buffer_slice(&again), mg_buffer_slice(&file)));
    mg_buffer_free(&again);
}

static void test_labels_and_secrets_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static const uint8_t large[SEALED_KEY_MAX_SECRET + 1];
    struct key_info odd = info;
    memcpy(odd.label, "line\nbreak", 11);
    assert_int_equal(sealed_key_seal(&kek, &odd, mg_slice_of_text("k"), &file, NULL), MG_INVALID);
    assert_int_equal(sealed_key_seal(&kek, &info, mg_slice_of(large, sizeof(large)), &file, NULL), MG_INVALID);
    assert_int_equal(sealed_key_seal(&kek, &info, mg_slice_of(large, 0), &file, NULL), MG_INVALID);
    assert_int_equal(sealed_key_seal(&kek, &info, mg_slice_of(large, SEALED_KEY_MAX_SECRET), &file, NULL), MG_OK);
    assert_int_equal(open_bytes(mg_buffer_slice(&file)), MG_OK);
    assert_int_equal(secret.len, SEALED_KEY_MAX_SECRET);
}

#define SEALED_TEST(name) cmocka_unit_test_setup_teardown(name, seal, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEALED_TEST(test_what_was_sealed_opens),
        SEALED_TEST(test_the_key_is_not_readable_in_the_file),
        SEALED_TEST(test_any_changed_byte_is_noticed),
        SEALED_TEST(test_a_changed_purpose_is_noticed),
        SEALED_TEST(test_a_file_cut_or_lengthened_is_refused),
        SEALED_TEST(test_another_key_encryption_key_does_not_open_it),
        SEALED_TEST(test_the_same_key_is_sealed_differently_each_time),
        SEALED_TEST(test_labels_and_secrets_out_of_bounds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
