/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "ca_builder.h"
#include "control/certificate_check.h"

/* Name constraints in DER: excluded are DNS "" and the directory names below C=CH. */
#define NO_SWISS "critical,DER:30:15:A1:13:30:11:A4:0F:30:0D:31:0B:30:09:06:03:55:04:06:13:02:43:48"
#define NO_DNS "critical,DER:30:06:A1:04:30:02:82:00"

static EVP_PKEY *root_key, *upper_key, *key, *other_key;
static X509 *root, *upper;
static struct mg_buffer file, public_key;
static struct certificate_facts facts;
static struct mg_error error;
static char *pem;

static int make_keys(void **state)
{
    (void)state;
    root_key = ca_key("RSA", 2048);
    upper_key = ca_key("P-384", 0);
    key = ca_key("P-256", 0);
    other_key = ca_key("P-256", 0);
    root = ca_make(&(struct ca_spec){.common_name = "Corp Root", .key = root_key, .key_usage = ""});
    upper = ca_make(
        &(struct ca_spec){.common_name = "Corp Upper", .key = upper_key, .issuer = root, .issuer_key = root_key});
    mg_buffer_init(&file, 1 << 20);
    mg_buffer_init(&public_key, 4096);
    ca_append_public_key(&public_key, key);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(root_key);
    EVP_PKEY_free(upper_key);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    X509_free(root);
    X509_free(upper);
    mg_buffer_free(&file);
    mg_buffer_free(&public_key);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    mg_buffer_clear(&file);
    free(pem);
    pem = NULL;
    return 0;
}

/* A certificate for |key| by the upper CA, with what |spec| says else. */
static X509 *make(struct ca_spec spec)
{
    spec.common_name = spec.common_name != NULL ? spec.common_name : "Corp Inspection CA";
    spec.key = spec.key != NULL ? spec.key : key;
    spec.issuer = spec.issuer != NULL ? spec.issuer : upper;
    spec.issuer_key = spec.issuer_key != NULL ? spec.issuer_key : upper_key;
    return ca_make(&spec);
}

static void put(X509 *x509)
{
    ca_append_pem(&file, x509);
    X509_free(x509);
}

static enum mg_status check_file(void)
{
    error.text[0] = '\0';
    free(pem);
    pem = NULL;
    enum mg_status status = certificate_check_intermediate(mg_buffer_slice(&file), mg_buffer_slice(&public_key), CA_NOW,
                                                           &facts, &pem, &error);
    assert_true((status == MG_OK) == (pem != NULL));
    assert_true((status == MG_OK) == (error.text[0] == '\0'));
    return status;
}

static void expect_error(enum mg_status status, const char *text)
{
    if (status != MG_INVALID || strstr(error.text, text) == NULL) {
        print_message("status %d, error: %s; expected: %s\n", status, error.text, text);
    }
    assert_int_equal(status, MG_INVALID);
    assert_non_null(strstr(error.text, text));
    mg_buffer_clear(&file);
}

static void refused(struct ca_spec spec, const char *text)
{
    put(make(spec));
    expect_error(check_file(), text);
}

static void accepted(struct ca_spec spec)
{
    put(make(spec));
    enum mg_status status = check_file();
    if (status != MG_OK) {
        print_message("error: %s\n", error.text);
    }
    assert_int_equal(status, MG_OK);
    mg_buffer_clear(&file);
}

static void test_a_good_certificate_is_taken_with_its_facts(void **state)
{
    (void)state;
    X509 *x509 = make((struct ca_spec){.extended_key_usage = "serverAuth,clientAuth"});
    put(x509);
    assert_int_equal(check_file(), MG_OK);
    assert_string_equal(facts.subject.common_name, "Corp Inspection CA");
    assert_string_equal(facts.subject.organization, "Corp");
    assert_string_equal(facts.subject.unit, "Security");
    assert_string_equal(facts.subject.locality, "Uster");
    assert_string_equal(facts.subject.state, "Zürich");
    assert_string_equal(facts.subject.country, "CH");
    assert_int_equal(facts.not_before, CA_NOW - CA_DAY);
    assert_int_equal(facts.not_after, CA_NOW + 365 * CA_DAY);
    assert_int_equal(facts.ski_len, 20);
    assert_false(facts.ski_computed);
    assert_true(mg_slice_equal(mg_slice_of_text(pem), mg_buffer_slice(&file)));
    struct certificate_facts again;
    assert_int_equal(certificate_describe(mg_slice_of_text(pem), &again, &error), MG_OK);
    assert_memory_equal(&again, &facts, sizeof(facts));
}

static void test_der_and_text_around_pem_are_read_and_left_out(void **state)
{
    (void)state;
    X509 *x509 = make((struct ca_spec){.no_ski = false});
    ca_append_pem(&file, x509);
    struct mg_buffer plain = file;
    mg_buffer_init(&file, 1 << 20);
    mg_buffer_append_text(&file, "Bag Attributes\r\n    friendlyName: x\r\nsubject=CN = x\r\n\r\n");
    mg_buffer_append_slice(&file, mg_buffer_slice(&plain));
    mg_buffer_append_text(&file, "\nthe end, without a newline");
    assert_int_equal(check_file(), MG_OK);
    assert_true(mg_slice_equal(mg_slice_of_text(pem), mg_buffer_slice(&plain)));
    mg_buffer_clear(&file);
    ca_append_der(&file, x509);
    assert_int_equal(check_file(), MG_OK);
    assert_true(mg_slice_equal(mg_slice_of_text(pem), mg_buffer_slice(&plain)));
    mg_buffer_append_u8(&file, 0);
    expect_error(check_file(), "certificate 2 cannot be read");
    mg_buffer_free(&plain);
    X509_free(x509);
}

static void test_what_is_no_single_certificate_is_refused(void **state)
{
    (void)state;
    expect_error(check_file(), "there is no certificate in it");
    mg_buffer_append_text(&file, "hello");
    expect_error(check_file(), "certificate 1 cannot be read");
    mg_buffer_append_text(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect_error(check_file(), "certificate 1 cannot be read");
    mg_buffer_append_text(&file, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    expect_error(check_file(), "block 1 is not PEM");
    mg_buffer_append_text(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n");
    expect_error(check_file(), "block 1 is not PEM");
    mg_buffer_append_text(&file, "-----BEGIN CERTIFICATE\n");
    expect_error(check_file(), "there is no certificate in it");
    put(make((struct ca_spec){.no_ski = false}));
    put(make((struct ca_spec){.no_ski = false}));
    expect_error(check_file(), "must be exactly one, and is 2");
    ca_append_public_key(&file, key);
    expect_error(check_file(), "nothing but certificates, and has PUBLIC KEY");
    put(make((struct ca_spec){.no_ski = false}));
    ca_append_private_key(&file, key);
    expect_error(check_file(), "has a private key in it");
    for (size_t i = 0; i < CERTIFICATE_MAX_FILE / 16 + 1; i++) {
        mg_buffer_append_text(&file, "0123456789abcde\n");
    }
    expect_error(check_file(), "must have at most 65536 bytes");
}

static void test_a_block_with_bytes_behind_the_certificate_is_refused(void **state)
{
    (void)state;
    X509 *x509 = make((struct ca_spec){.no_ski = false});
    struct mg_buffer der;
    mg_buffer_init(&der, 4096);
    ca_append_der(&der, x509);
    mg_buffer_append_u8(&der, 0);
    uint8_t base64[8192];
    int len = EVP_EncodeBlock(base64, der.data, (int)der.len);
    mg_buffer_append_text(&file, "-----BEGIN CERTIFICATE-----\n");
    for (int at = 0; at < len; at += 64) {
        mg_buffer_append(&file, base64 + at, (size_t)(len - at < 64 ? len - at : 64));
        mg_buffer_append_text(&file, "\n");
    }
    mg_buffer_append_text(&file, "-----END CERTIFICATE-----\n");
    expect_error(check_file(), "bytes follow the certificate");
    mg_buffer_free(&der);
    X509_free(x509);
}

static void test_what_is_no_ca_for_servers_is_refused(void **state)
{
    (void)state;
    refused((struct ca_spec){.version_1 = true}, "version: must be 3");
    refused((struct ca_spec){.basic_constraints = "CA:FALSE"}, "basicConstraints: must say CA:TRUE");
    refused((struct ca_spec){.basic_constraints = ""}, "basicConstraints: must say CA:TRUE");
    refused((struct ca_spec){.key_usage = "critical,cRLSign,digitalSignature"}, "keyUsage: must have keyCertSign");
    refused((struct ca_spec){.key_usage = ""}, "keyUsage: must be there");
    refused((struct ca_spec){.extended_key_usage = "clientAuth,emailProtection"}, "must have serverAuth");
    refused((struct ca_spec){.unknown_critical = true}, "a critical one is unknown");
    refused((struct ca_spec){.name_constraints = "DER:05:00"}, "extensions: one is malformed");
    accepted((struct ca_spec){.extended_key_usage = "anyExtendedKeyUsage"});
    accepted((struct ca_spec){.basic_constraints = "critical,CA:TRUE,pathlen:0"});
    put(ca_make(&(struct ca_spec){.key = key, .issuer = upper, .issuer_key = upper_key}));
    expect_error(check_file(), "subject: must not be empty");
}

static void test_name_constraints_must_leave_servers(void **state)
{
    (void)state;
    /* excludedSubtrees with an empty dNSName, and with "."; permittedSubtrees with an empty directoryName */
    refused((struct ca_spec){.name_constraints = NO_DNS}, "exclude every DNS name");
    refused((struct ca_spec){.name_constraints = "critical,DER:30:07:A1:05:30:03:82:01:2E"}, "exclude every DNS name");
    refused((struct ca_spec){.name_constraints = "critical,DER:30:08:A0:06:30:04:A4:02:30:00"}, "permit only some dir");
    accepted((struct ca_spec){.name_constraints = "critical,permitted;DNS:corp.test,excluded;IP:0.0.0.0/0.0.0.0"});
    accepted((struct ca_spec){.name_constraints = "critical,excluded;DNS:bank.test"});
}

static void test_validity_is_checked_at_the_given_second(void **state)
{
    (void)state;
    accepted((struct ca_spec){.not_before = CA_NOW, .not_after = CA_NOW});
    refused((struct ca_spec){.not_before = CA_NOW + 1, .not_after = CA_NOW + 9}, "has not begun");
    refused((struct ca_spec){.not_before = CA_NOW - 9, .not_after = CA_NOW - 1}, "has ended");
}

static void test_the_key_must_be_the_generated_one(void **state)
{
    (void)state;
    refused((struct ca_spec){.key = other_key}, "public key: is not the one generated for it");
}

static void test_weak_keys_and_signatures_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *weak_rsa = ca_key("RSA", 1024), *strong_rsa = ca_key("RSA", 2048);
    EVP_PKEY *odd_curve = ca_key("secp256k1", 0), *small_curve = ca_key("P-224", 0);
    refused((struct ca_spec){.key = weak_rsa}, "RSA must have 2048 to 8192 bits");
    refused((struct ca_spec){.key = odd_curve}, "its curve must be");
    refused((struct ca_spec){.key = small_curve}, "its curve must be");
    refused((struct ca_spec){.digest = EVP_sha1()}, "signature: must be with SHA-256");
    refused((struct ca_spec){.issuer = root, .issuer_key = root_key, .digest = EVP_md5()}, "signature: must be with");
    refused((struct ca_spec){.issuer = root, .issuer_key = weak_rsa}, "RSA key of fewer than 2048 bits");
    accepted((struct ca_spec){.issuer = root, .issuer_key = strong_rsa});
    accepted((struct ca_spec){.digest = EVP_sha512()});
    EVP_PKEY_free(weak_rsa);
    EVP_PKEY_free(strong_rsa);
    EVP_PKEY_free(odd_curve);
    EVP_PKEY_free(small_curve);
}

/* RFC 7093 section 2 method 1: the left-most 160 bits of SHA-256 of the subjectPublicKey. */
static void test_a_missing_key_identifier_is_computed(void **state)
{
    (void)state;
    X509 *x509 = make((struct ca_spec){.no_ski = true});
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x509);
    uint8_t hash[32];
    assert_int_equal(
        EVP_Digest(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), hash, NULL, EVP_sha256(), NULL), 1);
    put(x509);
    assert_int_equal(check_file(), MG_OK);
    assert_true(facts.ski_computed);
    assert_int_equal(facts.ski_len, 20);
    assert_memory_equal(facts.ski, hash, 20);
}

static void test_a_subject_that_is_no_clean_text_is_refused(void **state)
{
    (void)state;
    refused((struct ca_spec){.common_name = "line\nbreak"}, "subject commonName: has a control character");
}

/* Chains. */

static char *own_pem;

static int make_own(void **state)
{
    (void)state;
    put(make((struct ca_spec){.no_ski = false}));
    assert_int_equal(check_file(), MG_OK);
    own_pem = pem;
    pem = NULL;
    mg_buffer_clear(&file);
    return 0;
}

static int free_own(void **state)
{
    free(own_pem);
    own_pem = NULL;
    return clear(state);
}

static enum mg_status check_chain(void)
{
    error.text[0] = '\0';
    free(pem);
    pem = NULL;
    return certificate_check_chain(mg_buffer_slice(&file), mg_slice_of_text(own_pem), CA_NOW, &pem, &error);
}

static void chain_accepted(void)
{
    enum mg_status status = check_chain();
    if (status != MG_OK) {
        print_message("error: %s\n", error.text);
    }
    assert_int_equal(status, MG_OK);
}

static void test_a_chain_is_taken_with_or_without_root_and_itself(void **state)
{
    (void)state;
    for (unsigned form = 0; form < 8; form++) {
        struct mg_buffer above;
        mg_buffer_init(&above, 1 << 16);
        mg_buffer_clear(&file);
        ca_append_pem(&above, upper);
        if (form & 1) {
            ca_append_pem(&above, root);
        }
        if (form & 2) {
            mg_buffer_append_text(&file, own_pem);
        }
        if (form & 4) {
            mg_buffer_append_text(&file, "subject: with text\n");
        }
        mg_buffer_append_slice(&file, mg_buffer_slice(&above));
        chain_accepted();
        assert_true(mg_slice_equal(mg_slice_of_text(pem), mg_buffer_slice(&above)));
        mg_buffer_free(&above);
    }
    mg_buffer_clear(&file);
    ca_append_der(&file, upper);
    ca_append_der(&file, root);
    chain_accepted();
}

static void test_a_chain_out_of_order_or_of_others_is_refused(void **state)
{
    (void)state;
    mg_buffer_append_text(&file, own_pem);
    expect_error(check_chain(), "nothing above the certificate itself");
    mg_buffer_append_text(&file, own_pem);
    ca_append_pem(&file, root);
    expect_error(check_chain(), "chain: certificate 2: is not the issuer"); /* counted as in the file */
    ca_append_pem(&file, root);
    ca_append_pem(&file, upper);
    expect_error(check_chain(), "chain: certificate 1: is not the issuer");
    ca_append_pem(&file, upper);
    ca_append_pem(&file, upper);
    expect_error(check_chain(), "chain: certificate 2: is not the issuer");
    ca_append_pem(&file, upper);
    ca_append_pem(&file, root);
    ca_append_pem(&file, root);
    expect_error(check_chain(), "certificate 3 follows the root");
    ca_append_pem(&file, upper);
    mg_buffer_append_text(&file, "-----BEGIN X-----\nAAAA\n-----END X-----\n");
    expect_error(check_chain(), "nothing but certificates");
    for (int i = 0; i < 9; i++) {
        ca_append_pem(&file, upper);
    }
    expect_error(check_chain(), "more than 8 certificates");
}

/* The same names and key identifiers, another key: only the signature tells. */
static void test_a_link_that_was_not_signed_is_refused(void **state)
{
    (void)state;
    struct ca_spec spec = {.common_name = "Corp Upper", .issuer = root, .issuer_key = root_key, .no_ski = true};
    spec.key = other_key;
    X509 *forged = ca_make(&spec);
    ca_append_pem(&file, forged);
    expect_error(check_chain(), "its key did not sign the certificate before it");
    X509_free(forged);
}

static void upper_refused(struct ca_spec spec, const char *text)
{
    spec.common_name = "Corp Upper";
    spec.key = upper_key;
    spec.issuer = root;
    spec.issuer_key = root_key;
    put(ca_make(&spec));
    expect_error(check_chain(), text);
}

static void test_each_certificate_of_a_chain_is_checked(void **state)
{
    (void)state;
    upper_refused((struct ca_spec){.basic_constraints = "critical,CA:TRUE,pathlen:0"}, "pathLenConstraint");
    upper_refused((struct ca_spec){.key_usage = ""}, "chain: certificate 1: keyUsage: must be there");
    upper_refused((struct ca_spec){.extended_key_usage = "codeSigning"}, "must have serverAuth");
    upper_refused((struct ca_spec){.not_after = CA_NOW - 1, .not_before = 1}, "has ended");
    upper_refused((struct ca_spec){.digest = EVP_sha1()}, "signature: must be with SHA-256");
    upper_refused((struct ca_spec){.name_constraints = NO_DNS}, "exclude every DNS name");
    upper_refused((struct ca_spec){.name_constraints = NO_SWISS}, "forbid the subject of a certificate below it");
    put(ca_make(&(struct ca_spec){.common_name = "Corp Upper",
                                  .key = upper_key,
                                  .issuer = root,
                                  .issuer_key = root_key,
                                  .basic_constraints = "critical,CA:TRUE,pathlen:1"}));
    chain_accepted();
}

static void test_a_path_length_counts_all_cas_below(void **state)
{
    (void)state;
    X509 *narrow = ca_make(&(struct ca_spec){
        .common_name = "Corp Root", .key = root_key, .basic_constraints = "critical,CA:TRUE,pathlen:1"});
    ca_append_pem(&file, upper);
    ca_append_pem(&file, narrow);
    expect_error(check_chain(), "chain: certificate 2: pathLenConstraint");
    X509_free(narrow);
}

/* RFC 5280 section 4.2.1.9: a CA's new key certified by its old one, under the same name. */
static void test_a_path_length_does_not_count_the_self_issued(void **state)
{
    (void)state;
    X509 *old = ca_make(&(struct ca_spec){.common_name = "Corp Upper",
                                          .key = other_key,
                                          .issuer = root,
                                          .issuer_key = root_key,
                                          .basic_constraints = "critical,CA:TRUE,pathlen:1"});
    X509 *rolled = ca_make(
        &(struct ca_spec){.common_name = "Corp Upper", .key = upper_key, .issuer = old, .issuer_key = other_key});
    ca_append_pem(&file, rolled);
    ca_append_pem(&file, old);
    ca_append_pem(&file, root);
    chain_accepted();
    X509_free(old);
    X509_free(rolled);
}

/* Clients do not look at it, and old roots have it. */
static void test_a_root_may_be_signed_with_sha1(void **state)
{
    (void)state;
    X509 *old = ca_make(&(struct ca_spec){.common_name = "Corp Root", .key = root_key, .digest = EVP_sha1()});
    ca_append_pem(&file, upper);
    ca_append_pem(&file, old);
    chain_accepted();
    X509_free(old);
}

static void test_a_chain_of_eight_is_the_longest(void **state)
{
    (void)state;
    X509 *path[9] = {root};
    for (int i = 1; i < 9; i++) { /* 8: the intermediate itself */
        char name[16] = "Level 0";
        name[6] = (char)('0' + i);
        path[i] = ca_make(&(struct ca_spec){.common_name = name,
                                            .key = i == 8 ? key : upper_key,
                                            .issuer = path[i - 1],
                                            .issuer_key = i == 1 ? root_key : upper_key});
    }
    char *kept = own_pem;
    ca_append_pem(&file, path[8]);
    own_pem = strndup((char *)file.data, file.len);
    mg_buffer_clear(&file);
    for (int i = 7; i >= 1; i--) {
        ca_append_pem(&file, path[i]);
    }
    chain_accepted();
    ca_append_pem(&file, root);
    expect_error(check_chain(), "at most 8 certificates, its own included");
    for (int i = 1; i < 9; i++) {
        X509_free(path[i]);
    }
    free(own_pem);
    own_pem = kept;
}

#define CHECK_TEST(name) cmocka_unit_test_teardown(name, clear)
#define CHAIN_TEST(name) cmocka_unit_test_setup_teardown(name, make_own, free_own)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(test_a_good_certificate_is_taken_with_its_facts),
        CHECK_TEST(test_der_and_text_around_pem_are_read_and_left_out),
        CHECK_TEST(test_what_is_no_single_certificate_is_refused),
        CHECK_TEST(test_a_block_with_bytes_behind_the_certificate_is_refused),
        CHECK_TEST(test_what_is_no_ca_for_servers_is_refused),
        CHECK_TEST(test_name_constraints_must_leave_servers),
        CHECK_TEST(test_validity_is_checked_at_the_given_second),
        CHECK_TEST(test_the_key_must_be_the_generated_one),
        CHECK_TEST(test_weak_keys_and_signatures_are_refused),
        CHECK_TEST(test_a_missing_key_identifier_is_computed),
        CHECK_TEST(test_a_subject_that_is_no_clean_text_is_refused),
        CHAIN_TEST(test_a_chain_is_taken_with_or_without_root_and_itself),
        CHAIN_TEST(test_a_chain_out_of_order_or_of_others_is_refused),
        CHAIN_TEST(test_a_link_that_was_not_signed_is_refused),
        CHAIN_TEST(test_each_certificate_of_a_chain_is_checked),
        CHAIN_TEST(test_a_path_length_counts_all_cas_below),
        CHAIN_TEST(test_a_path_length_does_not_count_the_self_issued),
        CHAIN_TEST(test_a_root_may_be_signed_with_sha1),
        CHAIN_TEST(test_a_chain_of_eight_is_the_longest),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
