/* SPDX-License-Identifier: Apache-2.0 */
/* What a certification request says, read with OpenSSL; and what is refused for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "hsm/certificate_request.h"

static struct keystore_key key;
static struct mg_buffer der;

static int make_key(void **state)
{
    (void)state;
    key = (struct keystore_key){.info = {.purpose = KEY_MINTING}, .type = key_type_get0(WIRE_KEY_EC_P256)};
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    return key_type_generate(key.type, &key.pkey, NULL) == MG_OK ? 0 : -1;
}

static int free_key(void **state)
{
    (void)state;
    EVP_PKEY_free(key.pkey);
    mg_buffer_free(&der);
    return 0;
}

static struct wire_control_make_csr good(void)
{
    struct wire_control_make_csr wanted = {.digest = WIRE_CSR_SHA256, .path_len = 0};
    wanted.subject[WIRE_SUBJECT_C] = mg_slice_of_text("CH");
    wanted.subject[WIRE_SUBJECT_CN] = mg_slice_of_text("Z\xc3\xbcrich");
    return wanted;
}

static X509_REQ *make(const struct wire_control_make_csr *wanted)
{
    struct mg_error error = {""};
    mg_buffer_clear(&der);
    if (certificate_request_make(&key, wanted, NULL, &der, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    const uint8_t *in = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &in, (long)der.len);
    assert_non_null(request);
    assert_ptr_equal(in, der.data + der.len);
    assert_int_equal(X509_REQ_verify(request, key.pkey), 1);
    return request;
}

static void assert_refused(const struct wire_control_make_csr *wanted, enum mg_status expected, const char *field)
{
    struct mg_error error = {""};
    mg_buffer_clear(&der);
    assert_int_equal(certificate_request_make(&key, wanted, NULL, &der, &error), expected);
    assert_non_null(strstr(error.text, field));
    assert_int_equal(der.len, 0);
}

/* The extensions, each exactly once: RFC 5280 sections 4.2.1.9, 4.2.1.3, 4.2.1.2. */
static void test_the_extensions_of_a_ca_are_asked_for(void **state)
{
    (void)state;
    for (int path_len = WIRE_CONTROL_NO_PATH_LEN; path_len <= 2; path_len++) {
        struct wire_control_make_csr wanted = good();
        wanted.path_len = path_len;
        X509_REQ *request = make(&wanted);
        STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
        int critical;
        assert_int_equal(sk_X509_EXTENSION_num(extensions), 3);
        BASIC_CONSTRAINTS *constraints = X509V3_get_d2i(extensions, NID_basic_constraints, &critical, NULL);
        assert_non_null(constraints);
        assert_int_equal(critical, 1);
        assert_true(constraints->ca != 0);
        assert_int_equal(constraints->pathlen == NULL, path_len == WIRE_CONTROL_NO_PATH_LEN);
        assert_true(constraints->pathlen == NULL || ASN1_INTEGER_get(constraints->pathlen) == path_len);
        ASN1_BIT_STRING *usage = X509V3_get_d2i(extensions, NID_key_usage, &critical, NULL);
        assert_non_null(usage);
        assert_int_equal(critical, 1);
        assert_int_equal(ASN1_STRING_length(usage), 1);
        assert_int_equal(ASN1_STRING_get0_data(usage)[0], 0x06); /* keyCertSign, cRLSign */
        ASN1_OCTET_STRING *identifier = X509V3_get_d2i(extensions, NID_subject_key_identifier, &critical, NULL);
        assert_non_null(identifier);
        assert_int_equal(critical, 0);
        const uint8_t *bits;
        int len;
        uint8_t hash[SHA256_DIGEST_LENGTH];
        X509_PUBKEY_get0_param(NULL, &bits, &len, NULL, X509_REQ_get_X509_PUBKEY(request));
        SHA256(bits, (size_t)len, hash);
        assert_int_equal(ASN1_STRING_length(identifier), 20);
        assert_memory_equal(ASN1_STRING_get0_data(identifier), hash, 20); /* as in the certificates made here */
        BASIC_CONSTRAINTS_free(constraints);
        ASN1_BIT_STRING_free(usage);
        ASN1_OCTET_STRING_free(identifier);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        X509_REQ_free(request);
    }
}

/* RFC 5280 section 4.1.2.4: UTF8String; the country is a PrintableString. */
static void test_the_subject_has_what_was_given_in_order(void **state)
{
    (void)state;
    static const int nids[] = {NID_countryName, NID_commonName}, types[] = {V_ASN1_PRINTABLESTRING, V_ASN1_UTF8STRING};
    static const char *const values[] = {"CH", "Z\xc3\xbcrich"};
    struct wire_control_make_csr wanted = good();
    X509_REQ *request = make(&wanted);
    const X509_NAME *name = X509_REQ_get_subject_name(request);
    assert_int_equal(X509_NAME_entry_count(name), 2);
    for (int i = 0; i < 2; i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
        assert_int_equal(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)), nids[i]);
        assert_int_equal(ASN1_STRING_type(value), types[i]);
        assert_true(mg_slice_equal(mg_slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)),
                                   mg_slice_of_text(values[i])));
    }
    X509_REQ_free(request);
}

static void test_the_digest_is_the_one_asked_for(void **state)
{
    (void)state;
    static const struct {
        enum wire_csr_digest digest;
        int nid;
    } rows[] = {{WIRE_CSR_SHA256, NID_ecdsa_with_SHA256},
                {WIRE_CSR_SHA384, NID_ecdsa_with_SHA384},
                {WIRE_CSR_SHA512, NID_ecdsa_with_SHA512}};
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        struct wire_control_make_csr wanted = good();
        wanted.digest = rows[i].digest;
        X509_REQ *request = make(&wanted);
        assert_int_equal(X509_REQ_get_signature_nid(request), rows[i].nid);
        X509_REQ_free(request);
    }
}

/* RFC 5280 appendix A.1 bounds characters, not bytes. */
static void test_each_attribute_is_bounded_in_characters(void **state)
{
    (void)state;
    static const size_t bounds[] = {2, 128, 128, 64, 64, 64};
    for (size_t i = 1; i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        char text[3 * 129];
        for (size_t j = 0; j < 129; j++) {
            memcpy(text + 3 * j, "\xe2\x82\xac", 3);
        }
        struct wire_control_make_csr wanted = good();
        wanted.subject[i] = mg_slice_of(text, 3 * bounds[i]);
        X509_REQ_free(make(&wanted));
        wanted.subject[i].len += 3;
        assert_refused(&wanted, MG_INVALID, wire_subject_attribute_name((enum wire_subject_attribute)i));
        wanted.subject[i].len -= 1; /* half a character */
        assert_refused(&wanted, MG_INVALID, "UTF-8");
    }
}

static void test_a_country_is_two_capital_letters(void **state)
{
    (void)state;
    static const char *const bad[] = {"C", "ch", "C1", "CHE", "\xc3\x84"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct wire_control_make_csr wanted = good();
        wanted.subject[WIRE_SUBJECT_C] = mg_slice_of_text(bad[i]);
        assert_refused(&wanted, MG_INVALID, "C: ");
    }
}

/* RFC 5280 section 4.1.2.6: a CA's subject is not empty. */
static void test_an_empty_subject_is_refused(void **state)
{
    (void)state;
    struct wire_control_make_csr wanted = {.digest = WIRE_CSR_SHA256};
    assert_refused(&wanted, MG_INVALID, "subject");
}

static void test_keys_of_other_purposes_do_not_sign(void **state)
{
    (void)state;
    struct wire_control_make_csr wanted = good();
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        key.info.purpose = (enum key_purpose)purpose;
        if (purpose == KEY_MINTING) {
            X509_REQ_free(make(&wanted));
        } else {
            assert_refused(&wanted, MG_DENIED, key_purpose_name(key.info.purpose));
        }
    }
}

#define REQUEST_TEST(name) cmocka_unit_test_setup_teardown(name, make_key, free_key)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REQUEST_TEST(test_the_extensions_of_a_ca_are_asked_for),
        REQUEST_TEST(test_the_subject_has_what_was_given_in_order),
        REQUEST_TEST(test_the_digest_is_the_one_asked_for),
        REQUEST_TEST(test_each_attribute_is_bounded_in_characters),
        REQUEST_TEST(test_a_country_is_two_capital_letters),
        REQUEST_TEST(test_an_empty_subject_is_refused),
        REQUEST_TEST(test_keys_of_other_purposes_do_not_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
