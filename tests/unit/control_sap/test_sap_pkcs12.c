/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/pkcs12.h>

#include "control/sap/pkcs12_file.h"
#include "tests/unit/control_sap/sap_pki.h"

static struct material material;
static struct mg_error error;
static uint8_t file[64 * 1024];
static size_t file_len;

static int end(void **state)
{
    (void)state;
    material_free(&material);
    return 0;
}

static void store(PKCS12 *pkcs12)
{
    uint8_t *at = file;
    assert_non_null(pkcs12);
    int len = i2d_PKCS12(pkcs12, NULL);
    assert_true(len > 0 && (size_t)len < sizeof(file));
    file_len = (size_t)i2d_PKCS12(pkcs12, &at);
    PKCS12_free(pkcs12);
}

/* What differs from a good file. */
struct spec {
    const char *password;     /* NULL: PKI_PASSWORD */
    int iterations, mac;      /* 0: 2048 */
    int cipher;               /* 0: AES-256-CBC */
    bool no_key, no_password; /* no password: NULL to PKCS#12 */
};

/* make writes a file with the leaf, and above it the root before the intermediate. */
static void make(struct spec spec)
{
    STACK_OF(X509) *above = sk_X509_new_null();
    sk_X509_push(above, pki.root);
    sk_X509_push(above, pki.intermediate);
    int cipher = spec.cipher != 0 ? spec.cipher : NID_aes_256_cbc;
    const char *password = spec.no_password ? NULL : spec.password != NULL ? spec.password : PKI_PASSWORD;
    store(PKCS12_create(password, "mine", spec.no_key ? NULL : pki.leaf_key, pki.leaf, above, cipher, cipher,
                        spec.iterations != 0 ? spec.iterations : 2048, spec.mac != 0 ? spec.mac : 2048, 0));
    sk_X509_free(above);
}

static enum mg_status read_with(const char *password)
{
    struct passphrase passphrase = {.budget = {.left = KEY_DERIVATION_BUDGET}};
    if (password != NULL) {
        passphrase.text = mg_slice_of_text(password);
    }
    material_free(&material);
    error.text[0] = '\0';
    return pkcs12_file_read(&material, mg_slice_of(file, file_len), &passphrase, &error);
}

static void expect_refusal(enum mg_status status, const char *words)
{
    assert_int_equal(status, MG_INVALID);
    if (strstr(error.text, words) == NULL) {
        fail_msg("%s", error.text);
    }
}

static void test_a_key_and_its_chain_come_out_in_order(void **state)
{
    (void)state;
    make((struct spec){.mac = 0});
    assert_int_equal(read_with(PKI_PASSWORD), MG_OK);
    assert_int_equal(material.num_certificates, 3);
    assert_int_equal(X509_cmp(material.certificates[0], pki.leaf), 0);
    assert_int_equal(X509_cmp(material.certificates[1], pki.intermediate), 0);
    assert_int_equal(X509_cmp(material.certificates[2], pki.root), 0);
    assert_int_equal(EVP_PKEY_eq(material.key, pki.leaf_key), 1);
}

static void test_older_encryption_is_read(void **state)
{
    (void)state;
    make((struct spec){.cipher = NID_pbe_WithSHA1And3_Key_TripleDES_CBC});
    assert_int_equal(read_with(PKI_PASSWORD), MG_OK);
}

static void test_no_password_and_an_empty_one_are_taken_for_each_other(void **state)
{
    (void)state;
    make((struct spec){.password = ""});
    assert_int_equal(read_with(NULL), MG_OK);
    assert_int_equal(read_with(""), MG_OK);
    make((struct spec){.no_password = true});
    assert_int_equal(read_with(NULL), MG_OK);
    assert_int_equal(read_with(""), MG_OK);
    expect_refusal(read_with("x"), "password: does not open");
}

static void test_a_wrong_password_is_refused(void **state)
{
    (void)state;
    make((struct spec){.mac = 0});
    expect_refusal(read_with("pass-ward"), "password: does not open");
    expect_refusal(read_with(NULL), "password: does not open");
}

/* contracts.md section 3.1: twenty characters, and the others are allowed. */
static void test_forbidden_characters_of_a_password_are_named(void **state)
{
    (void)state;
    static const char allowed[] = "aZ09-_.~\"<>\\|{}` ", forbidden[] = "!%^&#:/?[]@$'()*+,;=";
    char password[8], words[32];
    assert_int_equal(strlen(forbidden), 20);
    assert_int_equal(pkcs12_file_check_password(mg_slice_of_text(allowed), &error), MG_OK);
    assert_int_equal(pkcs12_file_check_password(mg_slice_of_text("p\xc3\xa4ss"), &error), MG_OK);
    for (size_t i = 0; i < strlen(forbidden); i++) {
        snprintf(password, sizeof(password), "ab%cc", forbidden[i]);
        snprintf(words, sizeof(words), "the character '%c'", forbidden[i]);
        expect_refusal(pkcs12_file_check_password(mg_slice_of_text(password), &error), words);
        make((struct spec){.password = password});
        expect_refusal(read_with(password), words);
    }
    expect_refusal(pkcs12_file_check_password(mg_slice_of("a\0b", 3), &error), "NUL");
}

/* change_iterations writes |iterations| where a number of |old| stands in the file, as often as it does. */
static void change_iterations(uint32_t old, uint32_t iterations)
{
    uint8_t from[] = {0x02, 0x03, (uint8_t)(old >> 16), (uint8_t)(old >> 8), (uint8_t)old};
    uint8_t to[] = {0x02, 0x03, (uint8_t)(iterations >> 16), (uint8_t)(iterations >> 8), (uint8_t)iterations};
    size_t num_changed = 0;
    for (size_t i = 0; i + sizeof(from) <= file_len; i++) {
        if (memcmp(file + i, from, sizeof(from)) == 0) {
            memcpy(file + i, to, sizeof(to));
            num_changed++;
        }
    }
    assert_true(num_changed > 0);
}

static void test_absurd_iterations_of_the_mac_are_refused_before_the_first(void **state)
{
    (void)state;
    make((struct spec){.mac = 70001});
    assert_int_equal(read_with(PKI_PASSWORD), MG_OK);
    change_iterations(70001, 0x7fffff); /* a wrong password, if it were derived */
    expect_refusal(read_with(PKI_PASSWORD), "iterations");
}

static void test_iterations_count_together(void **state)
{
    (void)state;
    struct key_derivation budget = {.left = KEY_DERIVATION_BUDGET};
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ASN1_INTEGER_set_uint64(number, KEY_DERIVATION_BUDGET - 1);
    assert_int_equal(key_derivation_spend(&budget, number, &error), MG_OK);
    ASN1_INTEGER_set_uint64(number, 2);
    expect_refusal(key_derivation_spend(&budget, number, &error), "iterations");
    ASN1_INTEGER_set_uint64(number, 1);
    assert_int_equal(key_derivation_spend(&budget, number, &error), MG_OK);
    ASN1_INTEGER_set_uint64(number, 0);
    expect_refusal(key_derivation_spend(&budget, number, &error), "above 0");
    ASN1_INTEGER_set_int64(number, -1);
    expect_refusal(key_derivation_spend(&budget, number, &error), "above 0");
    ASN1_INTEGER_free(number);
}

/* A good MAC over what asks for too much: the file's maker knows the password. */
static void test_absurd_iterations_of_the_encryption_are_refused_before_the_first(void **state)
{
    (void)state;
    PKCS12 *pkcs12 = NULL;
    make((struct spec){.iterations = 70001});
    change_iterations(70001, 0x7fffff);
    const uint8_t *at = file;
    pkcs12 = d2i_PKCS12(NULL, &at, (long)file_len);
    assert_non_null(pkcs12);
    assert_int_equal(PKCS12_set_mac(pkcs12, PKI_PASSWORD, -1, NULL, 0, 2048, NULL), 1);
    store(pkcs12);
    expect_refusal(read_with(PKI_PASSWORD), "iterations");
}

static void test_what_is_no_key_store_is_refused(void **state)
{
    (void)state;
    make((struct spec){.no_key = true});
    expect_refusal(read_with(PKI_PASSWORD), "a private key and its certificate");
    make((struct spec){.mac = -1}); /* none */
    expect_refusal(read_with(PKI_PASSWORD), "no MAC");
    make((struct spec){.mac = 0});
    for (size_t len = file_len; len > 0; len = len * 2 / 3) {
        file_len = len - 1;
        assert_int_equal(read_with(PKI_PASSWORD), MG_INVALID);
    }
    make((struct spec){.mac = 0});
    file[file_len++] = 0;
    expect_refusal(read_with(PKI_PASSWORD), "not a PKCS#12 file");
    make((struct spec){.mac = 0});
    file[file_len / 2] ^= 1;
    assert_int_equal(read_with(PKI_PASSWORD), MG_INVALID);
}

#define PKCS12_TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PKCS12_TEST(test_a_key_and_its_chain_come_out_in_order),
        PKCS12_TEST(test_older_encryption_is_read),
        PKCS12_TEST(test_no_password_and_an_empty_one_are_taken_for_each_other),
        PKCS12_TEST(test_a_wrong_password_is_refused),
        PKCS12_TEST(test_forbidden_characters_of_a_password_are_named),
        PKCS12_TEST(test_absurd_iterations_of_the_mac_are_refused_before_the_first),
        PKCS12_TEST(test_iterations_count_together),
        PKCS12_TEST(test_absurd_iterations_of_the_encryption_are_refused_before_the_first),
        PKCS12_TEST(test_what_is_no_key_store_is_refused),
    };
    return cmocka_run_group_tests(tests, pki_open, pki_close);
}
