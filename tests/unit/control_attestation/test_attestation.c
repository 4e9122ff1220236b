/* SPDX-License-Identifier: Apache-2.0 */
/* Attestations as files of unknown origin: what is read, what is refused, and who may have signed. That those which the
 * signer makes are read and hold is shown with a token (tests/integration/test_custom_hsm.py). */
#include "control/attestation/attestation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define MAX_TEXT 8192
#define DIGITS "00112233445566778899aabbccddeeff"

static EVP_PKEY *key;
static struct mg_error error;

/* What a statement says, as text between its quotes. */
struct said {
    const char *nonce, *key_id, *kind, *attributes, *more;
};

#define GOOD_ATTRIBUTES                                                                                                \
    "\"local\":\"yes\",\"sensitive\":\"yes\",\"always_sensitive\":\"yes\",\"extractable\":\"no\","                     \
    "\"never_extractable\":\"yes\",\"modifiable\":\"no\",\"private\":\"yes\",\"sign\":\"yes\",\"decrypt\":\"no\","     \
    "\"unwrap\":\"no\",\"derive\":\"no\",\"readable\":\"no\",\"key_gen_mechanism\":\"0x1040\""
#define GOOD ((struct said){DIGITS DIGITS, DIGITS, "software", GOOD_ATTRIBUTES, ""})

static void encode_public_key(EVP_PKEY *of, char *base64, char *digest_hex)
{
    uint8_t *der = NULL, digest[32];
    int len = i2d_PUBKEY(of, &der);
    EVP_EncodeBlock((unsigned char *)base64, der, len);
    assert_int_equal(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(digest_hex + 2 * i, 3, "%02x", digest[i]);
    }
    OPENSSL_free(der);
}

static void write_statement(char out[MAX_TEXT], const struct said *said)
{
    char spki[2048], digest[65];
    encode_public_key(key, spki, digest);
    snprintf(out, MAX_TEXT,
             WIRE_ATTESTATION_FORMAT
             "\n{\"time\":\"2026-11-21T23:00:00.000000Z\",\"nonce\":\"%s\",\"appliance\":\"" DIGITS DIGITS
             "\",\"keyId\":\"%s\",\"holder\":\"basel\",\"publicKey\":\"%s\",\"publicKeySha256\":\"%s\","
             "\"tokenKind\":\"%s\",\"token\":{\"label\":\"l\",\"manufacturer\":\"m\",\"model\":\"o\",\"serial\":\"1\","
             "\"hardwareVersion\":\"1.0\",\"firmwareVersion\":\"1.0\",\"hardwareSlot\":false},\"module\":{\"path\":"
             "\"/m.so\",\"sha256\":\"unknown\",\"description\":\"d\",\"manufacturer\":\"m\",\"version\":\"2.6\"},"
             "\"attributes\":{%s}%s}\n",
             said->nonce, said->key_id, spki, digest, said->kind, said->attributes, said->more);
}

/* append_signature signs what |text| is with |by|. */
static void append_signature(char text[MAX_TEXT], EVP_PKEY *by)
{
    uint8_t signature[1024];
    size_t len = sizeof(signature), at = strlen(text);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, by), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &len, (uint8_t *)text, at), 1);
    EVP_MD_CTX_free(context);
    EVP_EncodeBlock((unsigned char *)text + at, signature, (int)len);
    strcat(text, "\n");
}

/* result_of reads what was said, verifies and judges it. */
static enum mg_status result_of(const struct said *said)
{
    char text[MAX_TEXT];
    struct attestation attestation;
    write_statement(text, said);
    append_signature(text, key);
    enum mg_status status = attestation_read(mg_slice_of_text(text), &attestation, &error);
    if (status != MG_OK) {
        return status;
    }
    status = attestation_verify(&attestation, key, &error);
    if (status == MG_OK) {
        status = attestation_judge(&attestation, &error);
    }
    attestation_free(&attestation);
    return status;
}

/* replaced is |text| with the first |from| made |to|; static. */
static const char *replaced(const char *text, const char *from, const char *to)
{
    static char out[MAX_TEXT];
    const char *at = strstr(text, from);
    assert_non_null(at);
    snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}

static void test_a_good_one_is_read_and_holds(void **state)
{
    (void)state;
    char text[MAX_TEXT];
    struct attestation got;
    struct said said = GOOD;
    assert_int_equal(result_of(&said), MG_OK);
    write_statement(text, &said);
    append_signature(text, key);
    assert_int_equal(attestation_read(mg_slice_of_text(text), &got, &error), MG_OK);
    assert_int_equal(got.nonce[1], 0x11);
    assert_int_equal(got.key_id.bytes[15], 0xff);
    assert_int_equal(got.attributes.type, WIRE_KEY_EC_P256);
    assert_int_equal(got.attributes.mechanism, 0x1040);
    assert_int_equal(attestation_verify(&got, NULL, &error), MG_OK);
    attestation_free(&got);
}

static void test_each_attribute_that_is_not_as_it_must_be_is_named(void **state)
{
    (void)state;
    static const char *const changes[][3] = {
        {"\"local\":\"yes\"", "\"local\":\"no\"", "local: the token says no"},
        {"\"sensitive\":\"yes\"", "\"sensitive\":\"unknown\"", "sensitive: the token says unknown"},
        {"\"extractable\":\"no\"", "\"extractable\":\"yes\"", "extractable: the token says yes"},
        {"\"never_extractable\":\"yes\"", "\"never_extractable\":\"no\"", "never_extractable: "},
        {"\"readable\":\"no\"", "\"readable\":\"yes\"", "readable: "},
        {"0x1040", "0x0", "key_gen_mechanism: the token says 0x0"},
        {"0x1040", "0xfffffffffffffffe", "key_gen_mechanism: "},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(changes); i++) {
        struct said said = GOOD;
        said.attributes = replaced(said.attributes, changes[i][0], changes[i][1]);
        assert_int_equal(result_of(&said), MG_DENIED);
        assert_ptr_equal(strstr(error.text, changes[i][2]), error.text);
    }
    struct said silent = GOOD;
    silent.attributes = replaced(silent.attributes, "0x1040", "unknown");
    assert_int_equal(result_of(&silent), MG_OK); /* not every token knows the mechanism */
}

static void test_what_is_no_statement_is_refused_by_its_member(void **state)
{
    (void)state;
    const struct {
        struct said said;
        const char *complaint;
    } bad[] = {
        {{"00", DIGITS, "software", GOOD_ATTRIBUTES, ""}, "nonce: "},
        {{DIGITS "0011223344556677889900AABBCCDDEEFF", DIGITS, "software", GOOD_ATTRIBUTES, ""}, "nonce: "},
        {{DIGITS DIGITS, DIGITS "00", "software", GOOD_ATTRIBUTES, ""}, "keyId: "},
        {{DIGITS DIGITS, DIGITS, "steel", GOOD_ATTRIBUTES, ""}, "tokenKind: "},
        {{DIGITS DIGITS, DIGITS, "software", GOOD_ATTRIBUTES ",\"more\":\"yes\"", ""}, "attributes: has members"},
        {{DIGITS DIGITS, DIGITS, "software", GOOD_ATTRIBUTES ",\"local\":\"yes\"", ""}, "statement: duplicate"},
        {{DIGITS DIGITS, DIGITS, "software", "\"local\":\"perhaps\"", ""}, "attributes: local: "},
        {{DIGITS DIGITS, DIGITS, "software", GOOD_ATTRIBUTES, ",\"more\":1"}, "statement: "},
        {{DIGITS DIGITS, DIGITS, "software", GOOD_ATTRIBUTES, "]"}, "statement: "},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(result_of(&bad[i].said), MG_INVALID);
        assert_ptr_equal(strstr(error.text, bad[i].complaint), error.text);
    }
    for (const char *const *mechanism =
             (const char *const[]){"0x", "0x01", "1040", "0X1040", "0x11112222333344445", NULL};
         *mechanism != NULL; mechanism++) {
        struct said said = GOOD;
        said.attributes = replaced(said.attributes, "0x1040", *mechanism);
        assert_int_equal(result_of(&said), MG_INVALID);
    }
}

static enum mg_status read_text(const char *text)
{
    struct attestation attestation;
    enum mg_status status = attestation_read(mg_slice_of_text(text), &attestation, &error);
    attestation_free(&attestation);
    return status;
}

static void test_other_lines_than_three_are_refused(void **state)
{
    (void)state;
    char text[MAX_TEXT], bad[MAX_TEXT + 16];
    struct said said = GOOD;
    write_statement(text, &said);
    assert_int_equal(read_text(text), MG_INVALID); /* unsigned */
    append_signature(text, key);
    assert_int_equal(read_text(text), MG_OK);
    for (size_t len = strlen(text); len-- > 0;) {
        snprintf(bad, sizeof(bad), "%.*s", (int)len, text);
        assert_int_equal(read_text(bad), MG_INVALID);
    }
    snprintf(bad, sizeof(bad), "%s\n", text);
    assert_int_equal(read_text(bad), MG_INVALID);
    snprintf(bad, sizeof(bad), "\n%s", text);
    assert_int_equal(read_text(bad), MG_INVALID);
    snprintf(bad, sizeof(bad), "%.*s \n", (int)strlen(text) - 1, text);
    assert_int_equal(read_text(bad), MG_INVALID);
    static char large[ATTESTATION_MAX_FILE + 2];
    memset(large, 'a', sizeof(large) - 1);
    assert_int_equal(read_text(large), MG_INVALID);
}

static void test_only_the_key_itself_can_have_signed_and_only_these_bytes(void **state)
{
    (void)state;
    char text[MAX_TEXT], changed[MAX_TEXT];
    struct attestation got;
    struct said said = GOOD;
    EVP_PKEY *other = EVP_EC_gen("P-256");
    write_statement(text, &said);
    append_signature(text, other);
    assert_int_equal(attestation_read(mg_slice_of_text(text), &got, &error), MG_OK);
    assert_int_equal(attestation_verify(&got, NULL, &error), MG_DENIED);
    assert_int_equal(attestation_verify(&got, other, &error), MG_DENIED); /* it speaks of another key */
    assert_ptr_equal(strstr(error.text, "publicKey: "), error.text);
    attestation_free(&got);
    write_statement(text, &said);
    append_signature(text, key);
    strcpy(changed, replaced(text, "basel", "tokyo"));
    assert_int_equal(attestation_read(mg_slice_of_text(changed), &got, &error), MG_OK);
    assert_int_equal(attestation_verify(&got, key, &error), MG_DENIED);
    assert_ptr_equal(strstr(error.text, "signature: "), error.text);
    attestation_free(&got);
    EVP_PKEY_free(other);
}

static void test_keys_that_mintgate_does_not_make_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *good = key;
    EVP_PKEY *const keys[] = {EVP_EC_gen("P-521"), EVP_EC_gen("secp256k1"), EVP_RSA_gen(1024)};
    for (size_t i = 0; i < MG_ARRAY_LEN(keys); i++) {
        struct said said = GOOD;
        key = keys[i];
        assert_non_null(key);
        assert_int_equal(result_of(&said), MG_INVALID);
        assert_ptr_equal(strstr(error.text, "publicKey: "), error.text);
        EVP_PKEY_free(key);
    }
    key = good;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_one_is_read_and_holds),
        cmocka_unit_test(test_each_attribute_that_is_not_as_it_must_be_is_named),
        cmocka_unit_test(test_what_is_no_statement_is_refused_by_its_member),
        cmocka_unit_test(test_other_lines_than_three_are_refused),
        cmocka_unit_test(test_only_the_key_itself_can_have_signed_and_only_these_bytes),
        cmocka_unit_test(test_keys_that_mintgate_does_not_make_are_refused),
    };
    key = EVP_EC_gen("P-256");
    int num_failed = cmocka_run_group_tests(tests, NULL, NULL);
    EVP_PKEY_free(key);
    return num_failed;
}
