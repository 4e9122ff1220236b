/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/secret.h"
#include "control/ctl/throwaway_root.h"

#define NOW INT64_C(1800000000)
#define DAY INT64_C(86400)

/* ---- requests ---- */

/* request_of returns a request in PEM, signed by |signer|; |common_name| NULL: no subject. The caller frees it. */
static struct mg_buffer request_of(EVP_PKEY *key, EVP_PKEY *signer, const char *common_name)
{
    X509_REQ *request = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    struct mg_buffer pem;
    char *text;
    if (common_name != NULL) {
        assert_int_equal(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_UTF8,
                                                    (const uint8_t *)common_name, -1, -1, 0),
                         1);
    }
    assert_int_equal(X509_REQ_set_pubkey(request, key), 1);
    assert_true(X509_REQ_sign(request, signer, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509_REQ(bio, request), 1);
    long len = BIO_get_mem_data(bio, &text);
    mg_buffer_init(&pem, THROWAWAY_MAX_FILE);
    mg_buffer_append(&pem, text, (size_t)len);
    BIO_free(bio);
    X509_REQ_free(request);
    return pem;
}

/* refusal returns what is said of a request by |key|, which is refused; "" where it is not. */
static const char *refusal(EVP_PKEY *key, EVP_PKEY *signer, const char *common_name)
{
    static struct mg_error error;
    X509_REQ *request = NULL;
    struct mg_buffer pem = request_of(key, signer, common_name);
    enum mg_status status = throwaway_request_read(mg_buffer_slice(&pem), &request, &error);
    mg_buffer_free(&pem);
    if (status == MG_OK) {
        X509_REQ_free(request);
        return "";
    }
    assert_int_equal(status, MG_INVALID);
    assert_null(request);
    return error.text;
}

static void test_a_request_is_refused_by_the_rule_that_it_breaks(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256"), *weak = EVP_RSA_gen(1024);
    assert_string_equal(refusal(key, key, "Good"), "");
    assert_non_null(strstr(refusal(key, key, NULL), "subject: "));
    assert_non_null(strstr(refusal(key, other, "Stolen"), "signature: "));
    assert_non_null(strstr(refusal(weak, weak, "Weak"), "public key: "));
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(weak);
}

static void test_what_is_no_request_is_refused(void **state)
{
    (void)state;
    const char *const texts[] = {"", "no PEM", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n",
                                 "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"};
    for (size_t i = 0; i < MG_ARRAY_LEN(texts); i++) {
        struct mg_error error;
        X509_REQ *request = NULL;
        assert_int_equal(throwaway_request_read(mg_slice_of_text(texts[i]), &request, &error), MG_INVALID);
        assert_non_null(strstr(error.text, "PKCS#10"));
    }
}

/* ---- the root ---- */

static struct throwaway_root make_root(void)
{
    struct throwaway_root root = {.key = NULL};
    struct mg_error error;
    assert_int_equal(throwaway_root_make_key(&root, &error), MG_OK);
    assert_int_equal(throwaway_root_certify(&root, NOW, &error), MG_OK);
    return root;
}

/* issue returns a certificate for a new key; the caller frees it. */
static X509 *issue(const struct throwaway_root *root, int64_t now, uint64_t seconds)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct mg_buffer pem = request_of(key, key, "Lab Intermediate");
    struct mg_error error;
    X509_REQ *request;
    X509 *x509;
    assert_int_equal(throwaway_request_read(mg_buffer_slice(&pem), &request, &error), MG_OK);
    assert_int_equal(throwaway_root_sign(root, request, now, seconds, &x509, &error), MG_OK);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x509), key), 1);
    X509_REQ_free(request);
    mg_buffer_free(&pem);
    EVP_PKEY_free(key);
    return x509;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm;
    assert_int_equal(ASN1_TIME_to_tm(time, &tm), 1);
    return (int64_t)timegm(&tm);
}

/* RFC 5280 section 4.2.1: what a CA's certificate has, and which of it is critical. */
static void test_an_intermediate_has_the_extensions_of_one(void **state)
{
    (void)state;
    struct throwaway_root root = make_root();
    X509 *x509 = issue(&root, NOW, (uint64_t)DAY);
    assert_int_equal(X509_check_issued(root.certificate, x509), X509_V_OK); /* names, and AKI against SKI */
    assert_int_equal(X509_verify(x509, root.key), 1);
    assert_int_equal(X509_check_ca(x509), 1);
    assert_int_equal(X509_get_pathlen(x509), 0);
    assert_int_equal(X509_get_key_usage(x509), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_non_null(X509_get0_subject_key_id(x509));
    assert_non_null(X509_get0_authority_key_id(x509));
    for (int i = 0; i < X509_get_ext_count(x509); i++) {
        X509_EXTENSION *extension = X509_get_ext(x509, i);
        int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

        assert_int_equal(X509_EXTENSION_get_critical(extension), nid == NID_basic_constraints || nid == NID_key_usage);
    }
    X509_free(x509);
    throwaway_root_free(&root);
}

static void test_validity_lies_within_the_roots_own(void **state)
{
    (void)state;
    struct throwaway_root root = make_root();
    int64_t end = seconds_of(X509_get0_notAfter(root.certificate));
    X509 *early = issue(&root, NOW, (uint64_t)DAY), *late = issue(&root, end - 60, (uint64_t)DAY);
    assert_int_equal(seconds_of(X509_get0_notBefore(early)), NOW - 3600);
    assert_int_equal(seconds_of(X509_get0_notAfter(early)), NOW + DAY);
    assert_int_equal(seconds_of(X509_get0_notAfter(late)), end);
    X509 *at_once = issue(&root, NOW - 1800, (uint64_t)DAY);
    assert_int_equal(seconds_of(X509_get0_notBefore(at_once)), NOW - 3600);
    X509_free(early);
    X509_free(late);
    X509_free(at_once);
    throwaway_root_free(&root);
}

static void test_serial_numbers_differ_and_are_positive(void **state)
{
    (void)state;
    struct throwaway_root root = make_root();
    X509 *one = issue(&root, NOW, 60), *two = issue(&root, NOW, 60);
    assert_int_equal(X509_get0_serialNumber(one)->length, 16);
    assert_int_not_equal(X509_get0_serialNumber(one)->type & V_ASN1_NEG, V_ASN1_NEG);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(one), X509_get0_serialNumber(two)), 0);
    X509_free(one);
    X509_free(two);
    throwaway_root_free(&root);
}

/* ---- its files ---- */

static struct mg_buffer certificate_pem(X509 *x509)
{
    struct mg_buffer pem;
    struct mg_error error;
    mg_buffer_init(&pem, THROWAWAY_MAX_FILE);
    assert_int_equal(throwaway_root_write_certificate(x509, &pem, &error), MG_OK);
    return pem;
}

static struct mg_buffer key_pem(const struct throwaway_root *root)
{
    struct mg_buffer pem;
    struct mg_error error;
    assert_true(mg_secret_buffer_init(&pem, THROWAWAY_MAX_FILE));
    assert_int_equal(throwaway_root_write_key(root, &pem, &error), MG_OK);
    return pem;
}

/* read_both reads |root|'s key and |certificate|; what it says of the latter, "" where it takes it. */
static const char *read_both(const struct throwaway_root *root, X509 *certificate, int64_t now)
{
    static struct mg_error error;
    struct throwaway_root again = {.key = NULL};
    struct mg_buffer key = key_pem(root), pem = certificate_pem(certificate);
    assert_int_equal(throwaway_root_read_key(&again, mg_buffer_slice(&key), &error), MG_OK);
    assert_int_equal(EVP_PKEY_eq(again.key, root->key), 1);
    enum mg_status status = throwaway_root_read_certificate(&again, mg_buffer_slice(&pem), now, &error);
    throwaway_root_free(&again);
    mg_secret_free(&key);
    mg_buffer_free(&pem);
    if (status == MG_OK) {
        return "";
    }
    assert_int_equal(status, MG_INVALID);
    return error.text;
}

static void test_a_root_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct throwaway_root root = make_root();
    assert_string_equal(read_both(&root, root.certificate, NOW), "");
    throwaway_root_free(&root);
}

/* refusal_with returns what is said of the root's certificate with the extension |nid| changed to |value|. */
static const char *refusal_with(const struct throwaway_root *root, int nid, const char *value)
{
    X509 *x509 = X509_dup(root->certificate);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    X509_EXTENSION_free(X509_delete_ext(x509, X509_get_ext_by_NID(x509, nid, -1)));
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    assert_true(X509_sign(x509, root->key, EVP_sha256()) > 0); /* encodes it anew */
    const char *text = read_both(root, x509, NOW);
    X509_EXTENSION_free(extension);
    X509_free(x509);
    return text;
}

static void test_a_certificate_that_cannot_be_the_roots_is_refused(void **state)
{
    (void)state;
    struct throwaway_root root = make_root(), other = make_root();
    assert_non_null(strstr(read_both(&root, other.certificate, NOW), "of the root's key"));
    assert_non_null(strstr(read_both(&root, root.certificate, NOW + 3000 * DAY), "validity: "));
    assert_non_null(strstr(read_both(&root, root.certificate, NOW - DAY), "validity: "));
    assert_non_null(strstr(refusal_with(&root, NID_basic_constraints, "CA:FALSE"), "basicConstraints: "));
    assert_non_null(strstr(refusal_with(&root, NID_basic_constraints, "CA:TRUE,pathlen:0"), "basicConstraints: "));
    assert_non_null(strstr(refusal_with(&root, NID_key_usage, "cRLSign"), "keyUsage: "));
    assert_string_equal(refusal_with(&root, NID_basic_constraints, "critical,CA:TRUE,pathlen:1"), "");
    throwaway_root_free(&root);
    throwaway_root_free(&other);
}

/* A key file that is locked must not make OpenSSL ask on the terminal. */
static void test_a_key_with_a_passphrase_is_refused(void **state)
{
    (void)state;
    struct throwaway_root root = make_root(), again = {.key = NULL};
    struct mg_error error;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, root.key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    assert_int_equal(throwaway_root_read_key(&again, mg_slice_of(text, (size_t)len), &error), MG_INVALID);
    assert_non_null(strstr(error.text, "without a passphrase"));
    BIO_free(bio);
    throwaway_root_free(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_is_refused_by_the_rule_that_it_breaks),
        cmocka_unit_test(test_what_is_no_request_is_refused),
        cmocka_unit_test(test_an_intermediate_has_the_extensions_of_one),
        cmocka_unit_test(test_validity_lies_within_the_roots_own),
        cmocka_unit_test(test_serial_numbers_differ_and_are_positive),
        cmocka_unit_test(test_a_root_is_read_as_it_was_written),
        cmocka_unit_test(test_a_certificate_that_cannot_be_the_roots_is_refused),
        cmocka_unit_test(test_a_key_with_a_passphrase_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
