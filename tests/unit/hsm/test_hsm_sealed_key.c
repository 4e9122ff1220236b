/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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
    .label = "Mintgate Untrusted Issuer, Z\xc3\xbcrich",
    .token = {"a token of 16 b"},
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
    assert_memory_equal(got.token.bytes, info.token.bytes, sizeof(info.token.bytes));
}

static void test_a_record_of_a_key_that_a_token_holds_opens(void **state)
{
    (void)state;
    struct key_info held = info, got;
    snprintf(held.holder, sizeof(held.holder), "hsm-a");
    assert_int_equal(sealed_key_seal(&kek, &held, mg_slice_of_text("public"), &file, NULL), MG_OK);
    assert_int_equal(sealed_key_open(&kek, mg_buffer_slice(&file), &got, &secret, NULL), MG_OK);
    assert_string_equal(got.holder, "hsm-a");
    assert_memory_equal(got.token.bytes, info.token.bytes, sizeof(info.token.bytes));
    for (size_t i = 0; i < file.len; i++) { /* the holder too cannot be changed */
        file.data[i] ^= 1;
        assert_int_not_equal(open_bytes(mg_buffer_slice(&file)), MG_OK);
        file.data[i] ^= 1;
    }
    for (size_t len = 0; len < file.len; len++) {
        assert_int_not_equal(open_bytes(mg_slice_of(file.data, len)), MG_OK);
    }
}

/* Written by the signer before keys had tokens. */
static void test_a_file_of_version_1_opens(void **state)
{
    (void)state;
    static const uint8_t old[] = {0x4d, 0x47, 0x53, 0x45, 0x41, 0x4c, 0x45, 0x44, 0x01, 0x30, 0x31, 0x32, 0x33, 0x34,
                                  0x35, 0x36, 0x37, 0x38, 0x39, 0x61, 0x62, 0x63, 0x64, 0x65, 0x00, 0x01, 0x02, 0x03,
                                  0x04, 0x00, 0x00, 0x00, 0x00, 0x6b, 0x01, 0x67, 0x2c, 0x0c, 0x6f, 0x66, 0x20, 0x76,
                                  0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x20, 0x31, 0x68, 0x2a, 0x80, 0x36, 0xae, 0xf5,
                                  0xac, 0x6a, 0xf9, 0x2a, 0x66, 0x76, 0x00, 0x1f, 0x4c, 0x68, 0xf0, 0x66, 0x4c, 0xc2,
                                  0x46, 0x2b, 0x9b, 0xef, 0x33, 0xea, 0xed, 0xdc, 0x0f, 0xe3, 0xd8, 0xc0, 0x9a, 0x13,
                                  0xce, 0x53, 0xb0, 0x8b, 0x09, 0x53, 0x73, 0x68, 0xa5, 0x8c, 0x9d};
    static const struct wire_control_token none = {{0}};
    struct key_info got;
    assert_int_equal(sealed_key_open(&kek, mg_slice_of(old, sizeof(old)), &got, &secret, NULL), MG_OK);
    assert_true(mg_slice_equal(mg_buffer_slice(&secret), mg_slice_of_text("the private key")));
    assert_string_equal(got.label, "of version 1");
    assert_int_equal(got.created, info.created);
    assert_memory_equal(&got.token, &none, sizeof(none));
    for (size_t len = 0; len < sizeof(old); len++) {
        assert_int_equal(open_bytes(mg_slice_of(old, len)), MG_INVALID);
    }
    uint8_t renumbered[sizeof(old)];
    memcpy(renumbered, old, sizeof(old));
    renumbered[8] = 2; /* the version is sealed with the rest */
    assert_int_not_equal(open_bytes(mg_slice_of(renumbered, sizeof(renumbered))), MG_OK);
}

/* Minting keys have a role, others none. */
static void test_roles_belong_to_minting_keys(void **state)
{
    (void)state;
    for (int role = 0; role <= WIRE_ISSUER_OFFERED + 1; role++) {
        struct key_info odd = info;
        odd.role = (enum wire_issuer_role)role;
        assert_int_equal(sealed_key_seal(&kek, &odd, mg_slice_of_text("k"), &file, NULL), MG_OK);
        bool is_role = role >= WIRE_ISSUER_DEFAULT && role <= WIRE_ISSUER_OFFERED;
        assert_int_equal(open_bytes(mg_buffer_slice(&file)), is_role ? MG_OK : MG_INVALID);
        odd.purpose = KEY_PRIVATE_CA;
        assert_int_equal(sealed_key_seal(&kek, &odd, mg_slice_of_text("k"), &file, NULL), MG_OK);
        assert_int_equal(open_bytes(mg_buffer_slice(&file)), role == 0 ? MG_OK : MG_INVALID);
    }
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
    memcpy(odd.label, "no UTF-8 \xff", 11);
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
        SEALED_TEST(test_a_record_of_a_key_that_a_token_holds_opens),
        SEALED_TEST(test_a_file_of_version_1_opens),
        SEALED_TEST(test_roles_belong_to_minting_keys),
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
