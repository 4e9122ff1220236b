/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/pem.h>

#include "control/sap/pem_bundle.h"
#include "tests/unit/control_sap/sap_pki.h"

#define MAX_FILE ((size_t)256 * 1024)

static struct material material;
static struct mg_buffer file;
static struct mg_error error;

static int begin(void **state)
{
    (void)state;
    mg_buffer_init(&file, MAX_FILE);
    return 0;
}

static int end(void **state)
{
    (void)state;
    material_free(&material);
    mg_buffer_free(&file);
    return 0;
}

static enum mg_status read_with(struct pem_bundle_rules rules, const char *password)
{
    struct passphrase passphrase = {.budget = {.left = KEY_DERIVATION_BUDGET}};
    if (password != NULL) {
        passphrase.text = mg_slice_of_text(password);
    }
    material_free(&material);
    error.text[0] = '\0';
    return pem_bundle_read(&material, mg_buffer_slice(&file), &rules, &passphrase, &error);
}

static enum mg_status read_certificates(void)
{
    return read_with((struct pem_bundle_rules){.parts = PEM_BUNDLE_CERTIFICATES}, NULL);
}

static enum mg_status read_both(const char *password)
{
    return read_with((struct pem_bundle_rules){.parts = PEM_BUNDLE_BOTH}, password);
}

static void expect_refusal(enum mg_status status, const char *words)
{
    assert_int_equal(status, MG_INVALID);
    assert_non_null(strstr(error.text, words));
}

/* without takes each |c| out of the file. */
static void without(char c)
{
    size_t len = 0;
    for (size_t i = 0; i < file.len; i++) {
        file.data[len] = file.data[i];
        len += file.data[i] != (uint8_t)c;
    }
    file.len = len;
}

static void test_certificates_and_a_key_in_one_file(void **state)
{
    (void)state;
    mg_buffer_append_text(&file, "Bag Attributes\n    friendlyName: mine\n");
    mg_buffer_append_slice(&file, pki_chain_pem());
    mg_buffer_append_text(&file, "# and its key\r\n");
    mg_buffer_append_slice(&file, pki_key_pem(pki.leaf_key));
    assert_int_equal(read_both(NULL), MG_OK);
    assert_int_equal(material.num_certificates, 3);
    assert_int_equal(X509_cmp(material.certificates[0], pki.leaf), 0);
    assert_int_equal(X509_cmp(material.certificates[2], pki.root), 0);
    assert_int_equal(EVP_PKEY_eq(material.key, pki.leaf_key), 1);
}

/* contracts.md section 3.4: ignoreNewlineValidation is true unless said. */
static void test_blocks_on_one_line_are_read_unless_lines_are_asked_for(void **state)
{
    (void)state;
    mg_buffer_append_slice(&file, pki_chain_pem());
    const struct pem_bundle_rules strict = {.parts = PEM_BUNDLE_CERTIFICATES, .wants_lines = true};
    assert_int_equal(read_with(strict, NULL), MG_OK);
    without('\n');
    assert_int_equal(read_certificates(), MG_OK);
    assert_int_equal(material.num_certificates, 3);
    expect_refusal(read_with(strict, NULL), "ignoreNewlineValidation");
}

/* As the vendor's document writes the ends of blocks. */
static void test_an_end_with_four_dashes_or_behind_a_space_is_read(void **state)
{
    (void)state;
    struct mg_slice pem = pki_pem(1, &pki.root);
    mg_buffer_append(&file, pem.data, pem.len - 2); /* a dash and the end of the line */
    mg_buffer_append_text(&file, "\n");
    assert_int_equal(read_certificates(), MG_OK);
    mg_buffer_clear(&file);
    mg_buffer_append(&file, pem.data, pem.len - strlen("-----END CERTIFICATE-----\n"));
    mg_buffer_append_text(&file, " -----END CERTIFICATE-----\n");
    assert_int_equal(read_certificates(), MG_OK);
}

static void test_an_encrypted_key_opens_by_its_password_alone(void **state)
{
    (void)state;
    mg_buffer_append_slice(&file, pki_chain_pem());
    mg_buffer_append_slice(&file, pki_encrypted_key_pem(pki.leaf_key, 2048));
    assert_int_equal(read_both(PKI_PASSWORD), MG_OK);
    assert_int_equal(EVP_PKEY_eq(material.key, pki.leaf_key), 1);
    expect_refusal(read_both("pass-ward"), "password: does not open");
    expect_refusal(read_both(NULL), "password: is needed");
}

/* append_encrypted_with makes the structure of an encrypted key whose PBKDF2 says |iterations|, with nothing useful in
 * it: what is derived would be wrong, after all the time that it takes. */
static void append_encrypted_with(int iterations)
{
    X509_ALGOR *algorithm = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), iterations, NULL, 0, NULL, NID_hmacWithSHA256);
    X509_SIG *encrypted = X509_SIG_new();
    X509_ALGOR *place;
    ASN1_OCTET_STRING *digest;
    X509_SIG_getm(encrypted, &place, &digest);
    X509_ALGOR_copy(place, algorithm);
    ASN1_OCTET_STRING_set(digest, (const unsigned char *)"0123456789abcdef", 16);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PKCS8(bio, encrypted), 1);
    long len = BIO_get_mem_data(bio, &text);
    mg_buffer_append(&file, text, (size_t)len);
    BIO_free(bio);
    X509_ALGOR_free(algorithm);
    X509_SIG_free(encrypted);
}

static void test_a_key_that_wants_too_many_iterations_is_refused_before_the_first(void **state)
{
    (void)state;
    append_encrypted_with(2000000000);
    expect_refusal(read_with((struct pem_bundle_rules){.parts = PEM_BUNDLE_KEY}, PKI_PASSWORD), "iterations");
    mg_buffer_clear(&file);
    append_encrypted_with(2000);
    expect_refusal(read_with((struct pem_bundle_rules){.parts = PEM_BUNDLE_KEY}, PKI_PASSWORD), "does not open");
}

static void test_what_is_not_asked_for_is_refused(void **state)
{
    (void)state;
    mg_buffer_append_slice(&file, pki_pem(1, &pki.leaf));
    expect_refusal(read_both(NULL), "no private key");
    expect_refusal(read_with((struct pem_bundle_rules){.parts = PEM_BUNDLE_KEY}, NULL), "a private key alone");
    mg_buffer_append_slice(&file, pki_key_pem(pki.leaf_key));
    expect_refusal(read_certificates(), "certificates alone");
    mg_buffer_append_slice(&file, pki_key_pem(pki.leaf_key));
    expect_refusal(read_both(NULL), "more than one private key");
}

static void test_blocks_that_are_broken_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"", "no certificate"},
        {"nothing at all", "no certificate"},
        {"-----BEGIN CERTIFICATE", "no label"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n", "no end"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERT", "another label"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE---\n", "another label"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n", "another label"},
        {"-----BEGIN CERTIFICATE-----\nA*AA\n-----END CERTIFICATE-----\n", "not Base64"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not an X.509 certificate"},
        {"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "not an X.509 certificate"},
        {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "another PEM block"},
        {"-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END CERTIFICATE-----\n", "Proc-Type"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        mg_buffer_clear(&file);
        mg_buffer_append_text(&file, bad[i].text);
        expect_refusal(read_certificates(), bad[i].words);
    }
}

static void test_more_than_32_certificates_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < MATERIAL_MAX_CERTIFICATES; i++) {
        mg_buffer_append_slice(&file, pki_pem(1, &pki.root));
    }
    assert_int_equal(read_certificates(), MG_OK);
    mg_buffer_append_slice(&file, pki_pem(1, &pki.root));
    expect_refusal(read_certificates(), "more than 32");
}

#define PEM_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEM_TEST(test_certificates_and_a_key_in_one_file),
        PEM_TEST(test_blocks_on_one_line_are_read_unless_lines_are_asked_for),
        PEM_TEST(test_an_end_with_four_dashes_or_behind_a_space_is_read),
        PEM_TEST(test_an_encrypted_key_opens_by_its_password_alone),
        PEM_TEST(test_a_key_that_wants_too_many_iterations_is_refused_before_the_first),
        PEM_TEST(test_what_is_not_asked_for_is_refused),
        PEM_TEST(test_blocks_that_are_broken_are_refused),
        PEM_TEST(test_more_than_32_certificates_are_refused),
    };
    return cmocka_run_group_tests(tests, pki_open, pki_close);
}
