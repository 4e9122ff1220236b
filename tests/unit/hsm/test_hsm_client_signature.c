/* SPDX-License-Identifier: Apache-2.0 */
/* What keys of TLS clients sign, and what they don't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/rsa.h>

#include "hsm/client_signature.h"
#include "signer_fixture.h"
#include "temp_dir.h"

static struct issuers_fixture *f;

static int open_keys(void **state)
{
    temp_dir_make(state);
    f = calloc(1, sizeof(*f));
    issuers_open(f, WIRE_KEY_EC_P256, false);
    return 0;
}

static int close_keys(void **state)
{
    issuers_close(f);
    free(f);
    return temp_dir_remove(state);
}

static const struct keystore_key *make_key(enum key_purpose purpose, enum wire_key_type type)
{
    const struct keystore_key *key;
    struct key_info info = {.purpose = purpose, .origin = KEY_ORIGIN_CONTROL, .type = type};
    assert_int_equal(keystore_make(f->store, &info, &key, NULL), MG_OK);
    client_keys_add(f->client_keys, key);
    return key;
}

/* A content under construction. */
static struct mg_buffer content;
static uint8_t content_storage[512];

static struct mg_slice tls13_content(const char *context, size_t num_spaces, size_t hash_len)
{
    mg_buffer_wrap(&content, content_storage, sizeof(content_storage));
    for (size_t i = 0; i < num_spaces; i++) {
        mg_buffer_append_u8(&content, ' ');
    }
    mg_buffer_append(&content, context, strlen(context) + 1);
    for (size_t i = 0; i < hash_len; i++) {
        mg_buffer_append_u8(&content, 0x5a);
    }
    return mg_buffer_slice(&content);
}

#define VERSION 0x0303
#define HELLO_LEN 38 /* of the shortest ServerHello */

/* append_message appends one with a body of |len| bytes, which begins with a version unless it is empty. */
static void append_message(uint8_t type, size_t len, uint16_t version)
{
    static const uint8_t rest[HELLO_LEN];
    mg_buffer_append_u32(&content, (uint32_t)type << 24 | (uint32_t)len);
    if (len >= sizeof(version)) {
        mg_buffer_append_u16(&content, version);
        mg_buffer_append(&content, rest, len - sizeof(version));
    }
}

/* tls12_content is a handshake of messages of these types: the shortest hellos, the others empty. */
static struct mg_slice tls12_content(const uint8_t *types, size_t num_types)
{
    mg_buffer_wrap(&content, content_storage, sizeof(content_storage));
    for (size_t i = 0; i < num_types; i++) {
        append_message(types[i], types[i] <= 2 ? HELLO_LEN : 0, VERSION);
    }
    return mg_buffer_slice(&content);
}

/* hellos_content is a handshake with hellos of these lengths and versions. */
static struct mg_slice hellos_content(const size_t lens[2], const uint16_t versions[2])
{
    mg_buffer_wrap(&content, content_storage, sizeof(content_storage));
    append_message(1, lens[0], versions[0]);
    append_message(2, lens[1], versions[1]);
    append_message(16, 0, VERSION);
    return mg_buffer_slice(&content);
}

static const char client_context[] = "TLS 1.3, client CertificateVerify";
static const uint8_t handshake[] = {1, 2, 11, 12, 13, 14, 11, 16};

static struct mg_slice good13(void)
{
    return tls13_content(client_context, 64, 32);
}

static struct mg_slice good12(void)
{
    return tls12_content(handshake, sizeof(handshake));
}

static uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE];
static size_t signature_len;

static enum wire_sign_status ask(const struct wire_key_id *id, uint16_t scheme, struct mg_slice what)
{
    const struct wire_client_sign request = {.id = 1, .key_id = *id, .scheme = scheme, .content = what};
    struct mg_error error;
    return client_signature_make(f->client_keys, &request, signature, &signature_len, &error);
}

static bool verifies(EVP_PKEY *key, const EVP_MD *digest, bool is_pss, struct mg_slice what)
{
    EVP_PKEY_CTX *parameters;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, &parameters, digest, NULL, key), 1);
    if (is_pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST), 1);
    }
    bool ok = EVP_DigestVerify(context, signature, signature_len, what.data, what.len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

#define NUM_TYPES 3

/* The schemes by key, and in which version a key may sign by them. */
static void test_each_scheme_goes_with_its_keys_and_versions(void **state)
{
    (void)state;
    static const enum wire_key_type types[NUM_TYPES] = {WIRE_KEY_EC_P256, WIRE_KEY_EC_P384, WIRE_KEY_RSA_2048};
    static const struct {
        uint16_t scheme;
        const EVP_MD *(*digest)(void);
        bool is_pss;
        bool tls12[NUM_TYPES], tls13[NUM_TYPES];
    } rows[] = {
        {0x0403, EVP_sha256, false, {true, true, false}, {true, false, false}},
        {0x0503, EVP_sha384, false, {true, true, false}, {false, true, false}},
        {0x0401, EVP_sha256, false, {false, false, true}, {false, false, false}},
        {0x0501, EVP_sha384, false, {false, false, true}, {false, false, false}},
        {0x0601, EVP_sha512, false, {false, false, true}, {false, false, false}},
        {0x0804, EVP_sha256, true, {false, false, true}, {false, false, true}},
        {0x0805, EVP_sha384, true, {false, false, true}, {false, false, true}},
        {0x0806, EVP_sha512, true, {false, false, true}, {false, false, true}},
        {0x0201, EVP_sha1, false, {false, false, false}, {false, false, false}},
        {0x0807, EVP_sha256, false, {false, false, false}, {false, false, false}},
    };
    for (size_t type = 0; type < NUM_TYPES; type++) {
        const struct keystore_key *key = make_key(KEY_TLS_CLIENT, types[type]);
        for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
            for (int is_tls13 = 0; is_tls13 <= 1; is_tls13++) {
                struct mg_slice what = is_tls13 != 0 ? good13() : good12();
                bool is_good = is_tls13 != 0 ? rows[i].tls13[type] : rows[i].tls12[type];
                assert_int_equal(ask(&key->info.id, rows[i].scheme, what),
                                 is_good ? WIRE_SIGN_OK : WIRE_SIGN_BAD_CONTENT);
                assert_true(!is_good || verifies(key->pkey, rows[i].digest(), rows[i].is_pss, what));
            }
        }
    }
}

static void test_what_no_tls_client_signs_is_refused(void **state)
{
    (void)state;
    const struct wire_key_id *id = &make_key(KEY_TLS_CLIENT, WIRE_KEY_EC_P256)->info.id;
    static const uint8_t no_handshakes[][9] = {{2, 1, 16}, {1, 11, 16}, {1, 2, 11}, {1, 16}, {1, 2, 11, 16, 15}};
    static const size_t lens[] = {3, 3, 3, 2, 5};
    struct mg_buffer tbs;
    mg_buffer_init(&tbs, 4096);
    fixture_write_leaf(&tbs, &issuers_with_role(f, WIRE_ISSUER_DEFAULT)->facts, "www.example.com", 1);
    assert_int_equal(ask(id, 0x0403, mg_buffer_slice(&tbs)), WIRE_SIGN_BAD_CONTENT);
    mg_buffer_free(&tbs);
    assert_int_equal(ask(id, 0x0403, good13()), WIRE_SIGN_OK);
    assert_int_equal(ask(id, 0x0403, tls13_content(client_context, 64, 48)), WIRE_SIGN_OK);
    assert_int_equal(ask(id, 0x0403, tls13_content("TLS 1.3, server CertificateVerify", 64, 32)),
                     WIRE_SIGN_BAD_CONTENT);
    assert_int_equal(ask(id, 0x0403, tls13_content(client_context, 63, 32)), WIRE_SIGN_BAD_CONTENT);
    assert_int_equal(ask(id, 0x0403, tls13_content(client_context, 65, 32)), WIRE_SIGN_BAD_CONTENT);
    assert_int_equal(ask(id, 0x0403, tls13_content(client_context, 64, 33)), WIRE_SIGN_BAD_CONTENT);
    assert_int_equal(ask(id, 0x0403, mg_slice_of_text(client_context)), WIRE_SIGN_BAD_CONTENT);
    for (size_t i = 0; i < MG_ARRAY_LEN(lens); i++) {
        assert_int_equal(ask(id, 0x0403, tls12_content(no_handshakes[i], lens[i])), WIRE_SIGN_BAD_CONTENT);
    }
    struct mg_slice cut = good12();
    cut.len--;
    assert_int_equal(ask(id, 0x0403, cut), WIRE_SIGN_BAD_CONTENT);
}

static void test_hellos_that_are_too_short_or_of_another_version_are_refused(void **state)
{
    (void)state;
    const struct wire_key_id *id = &make_key(KEY_TLS_CLIENT, WIRE_KEY_EC_P256)->info.id;
    static const struct {
        size_t lens[2];
        uint16_t versions[2];
        enum wire_sign_status expected;
    } rows[] = {
        {{HELLO_LEN, HELLO_LEN}, {VERSION, VERSION}, WIRE_SIGN_OK},
        {{HELLO_LEN - 1, HELLO_LEN}, {VERSION, VERSION}, WIRE_SIGN_BAD_CONTENT},
        {{HELLO_LEN, HELLO_LEN - 1}, {VERSION, VERSION}, WIRE_SIGN_BAD_CONTENT},
        {{0, 0}, {VERSION, VERSION}, WIRE_SIGN_BAD_CONTENT},
        {{HELLO_LEN, HELLO_LEN}, {0x0403, VERSION}, WIRE_SIGN_BAD_CONTENT},
        {{HELLO_LEN, HELLO_LEN}, {VERSION, 0x0302}, WIRE_SIGN_BAD_CONTENT},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        assert_int_equal(ask(id, 0x0403, hellos_content(rows[i].lens, rows[i].versions)), rows[i].expected);
    }
}

static void test_only_keys_of_tls_clients_sign_and_only_until_they_are_destroyed(void **state)
{
    (void)state;
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        const struct keystore_key *key = make_key((enum key_purpose)purpose, WIRE_KEY_EC_P256);
        assert_int_equal(ask(&key->info.id, 0x0403, good13()),
                         purpose == KEY_TLS_CLIENT ? WIRE_SIGN_OK : WIRE_SIGN_UNKNOWN_KEY);
        client_keys_remove(f->client_keys, &key->info.id);
        client_keys_remove(f->client_keys, &key->info.id); /* there may be none */
        assert_int_equal(ask(&key->info.id, 0x0403, good13()), WIRE_SIGN_UNKNOWN_KEY);
    }
}

static void test_keys_of_a_keystore_are_there_from_the_start(void **state)
{
    (void)state;
    struct client_keys *again;
    const struct keystore_key *key = make_key(KEY_TLS_CLIENT, WIRE_KEY_EC_P256);
    const struct key_type *type;
    assert_int_equal(client_keys_new(&again, f->store, NULL), MG_OK);
    EVP_PKEY *found = client_keys_get(again, &key->info.id, &type);
    assert_ptr_equal(found, key->pkey);
    EVP_PKEY_free(found);
    client_keys_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_scheme_goes_with_its_keys_and_versions, open_keys, close_keys),
        cmocka_unit_test_setup_teardown(test_what_no_tls_client_signs_is_refused, open_keys, close_keys),
        cmocka_unit_test_setup_teardown(test_hellos_that_are_too_short_or_of_another_version_are_refused, open_keys,
                                        close_keys),
        cmocka_unit_test_setup_teardown(test_only_keys_of_tls_clients_sign_and_only_until_they_are_destroyed, open_keys,
                                        close_keys),
        cmocka_unit_test_setup_teardown(test_keys_of_a_keystore_are_there_from_the_start, open_keys, close_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
