/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "hsm/key_type.h"

static void test_each_type_makes_keys_that_are_known_as_it(void **state)
{
    (void)state;
    for (int number = WIRE_KEY_EC_P256; number <= WIRE_KEY_EC_P521; number++) {
        const struct key_type *type = key_type_get0((enum wire_key_type)number);
        assert_non_null(type);
        EVP_PKEY *key = NULL;
        assert_int_equal(key_type_generate(type, &key, NULL), MG_OK);
        assert_ptr_equal(key_type_of_ca_key(key), type);
        assert_ptr_equal(key_type_of_key(key), number == WIRE_KEY_EC_P521 ? NULL : type); /* of private CAs alone */
        assert_true(type->digest_len <= KEY_TYPE_MAX_DIGEST);
        assert_true((size_t)EVP_PKEY_get_size(key) <= type->max_signature_len);
        assert_true(type->max_signature_len <= WIRE_SIGNER_MAX_SIGNATURE);
        EVP_PKEY_free(key);
    }
    assert_null(key_type_get0((enum wire_key_type)0));
    assert_null(key_type_get0((enum wire_key_type)7));
}

static void test_other_keys_are_of_no_type(void **state)
{
    (void)state;
    EVP_PKEY *others[] = {EVP_EC_gen("P-224"), EVP_RSA_gen(1024), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    for (size_t i = 0; i < MG_ARRAY_LEN(others); i++) {
        assert_non_null(others[i]);
        assert_null(key_type_of_key(others[i]));
        assert_null(key_type_of_ca_key(others[i]));
        EVP_PKEY_free(others[i]);
    }
}

/* The AlgorithmIdentifiers are what OpenSSL writes for a signature with such a key and digest. */
static void test_signature_algorithms_are_openssls(void **state)
{
    (void)state;
    static const int nids[] = {
        [WIRE_KEY_EC_P256] = NID_ecdsa_with_SHA256,        [WIRE_KEY_EC_P384] = NID_ecdsa_with_SHA384,
        [WIRE_KEY_RSA_2048] = NID_sha256WithRSAEncryption, [WIRE_KEY_RSA_3072] = NID_sha256WithRSAEncryption,
        [WIRE_KEY_RSA_4096] = NID_sha256WithRSAEncryption, [WIRE_KEY_EC_P521] = NID_ecdsa_with_SHA512};
    for (int number = WIRE_KEY_EC_P256; number <= WIRE_KEY_EC_P521; number++) {
        const struct key_type *type = key_type_get0((enum wire_key_type)number);
        X509_ALGOR *algorithm = X509_ALGOR_new();
        X509_ALGOR_set0(algorithm, OBJ_nid2obj(nids[number]), type->curve != NULL ? V_ASN1_UNDEF : V_ASN1_NULL, NULL);
        uint8_t *der = NULL;
        int len = i2d_X509_ALGOR(algorithm, &der);
        assert_true(mg_slice_equal(type->signature_algorithm, mg_slice_of(der, (size_t)len)));
        OPENSSL_free(der);
        X509_ALGOR_free(algorithm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type_makes_keys_that_are_known_as_it),
        cmocka_unit_test(test_other_keys_are_of_no_type),
        cmocka_unit_test(test_signature_algorithms_are_openssls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
