/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/digest.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "certs.h"

/* Parses what |spec| describes. The views live until the next call. */
static enum mg_status parse(struct cert *out, const struct certs_spec *spec, struct mg_error *error)
{
    static uint8_t storage[64 * 1024];
    struct mg_buffer der;
    mg_buffer_wrap(&der, storage, sizeof(storage));
    certs_make(&der, spec);
    return cert_parse(out, cert_cbs_of(der.data, der.len), error);
}

static void assert_cbs_is_text(CBS cbs, const char *text)
{
    assert_int_equal(CBS_len(&cbs), strlen(text));
    assert_memory_equal(CBS_data(&cbs), text, strlen(text));
}

static void test_fields_are_where_they_belong(void **state)
{
    (void)state;
    struct mg_buffer subject;
    mg_buffer_init(&subject, 1024);
    certs_subject(&subject, "DE", "Example", "www.example.com");
    const struct certs_name names[] = {CERTS_DNS("www.example.com")};
    struct cert cert;
    assert_int_equal(parse(&cert,
                           &(struct certs_spec){
                               .subject = mg_buffer_slice(&subject),
                               .not_before = CERTS_NOW - 5,
                               .not_after = CERTS_NOW + 5,
                               .names = names,
                               .num_names = 1,
                               .subject_key_id = mg_slice_of_text("own"),
                               .authority_key_id = mg_slice_of_text("issuer's"),
                               .key_usage = CERTS_KEY_USAGE_END_ENTITY,
                               .eku = "1.3.6.1.5.5.7.3.1",
                           },
                           NULL),
                     MG_OK);
    assert_int_equal(cert.version, 3);
    assert_cbs_is_text(cert.serial, "\x11\x22\x33\x44\x55\x66\x77\x88");
    assert_int_equal(cert.not_before, CERTS_NOW - 5);
    assert_int_equal(cert.not_after, CERTS_NOW + 5);
    assert_true(cert_cbs_equal(cert.subject, cert_cbs_of(subject.data, subject.len)));
    assert_true(cert_cbs_equal(cert.issuer, cert.subject));
    assert_int_equal(cert.key_type, CERT_KEY_EC_P256);
    assert_int_equal(cert.key_bits, 256);
    assert_int_equal(CBS_len(&cert.public_key), 65);
    assert_int_equal(cert.digest, CERT_DIGEST_SHA256);
    assert_cbs_is_text(cert.subject_key_id, "own");
    assert_cbs_is_text(cert.authority_key_id, "issuer's");
    assert_cbs_is_text(cert.alt_names, "\x82\x0fwww.example.com");
    assert_false(cert.is_ca);
    assert_int_equal(cert.path_len, -1);
    assert_true(cert_key_usage_has(&cert, 0));
    assert_false(cert_key_usage_has(&cert, CERT_KEY_USAGE_CERT_SIGN));
    assert_true(cert.allows_server_auth);
    mg_buffer_free(&subject);
}

static void test_absent_extensions_are_empty(void **state)
{
    (void)state;
    struct cert cert;
    assert_int_equal(parse(&cert, &(struct certs_spec){.version_1 = true}, NULL), MG_OK);
    assert_int_equal(cert.version, 1);
    assert_int_equal(CBS_len(&cert.subject_key_id), 0);
    assert_int_equal(CBS_len(&cert.authority_key_id), 0);
    assert_int_equal(CBS_len(&cert.alt_names), 0);
    assert_false(cert.has_key_usage);
    assert_false(cert_key_usage_has(&cert, 0));
    assert_false(cert.is_ca);
    assert_true(cert.allows_server_auth);
}

static void test_ca_extensions(void **state)
{
    (void)state;
    struct cert cert;
    assert_int_equal(
        parse(&cert, &(struct certs_spec){.is_ca = true, .path_len = 3, .key_usage = CERTS_KEY_USAGE_CA}, NULL), MG_OK);
    assert_true(cert.is_ca);
    assert_int_equal(cert.path_len, 3);
    assert_true(cert_key_usage_has(&cert, CERT_KEY_USAGE_CERT_SIGN));
    assert_int_equal(parse(&cert, &(struct certs_spec){.is_ca = true, .path_len = 100000}, NULL), MG_OK);
    assert_int_equal(cert.path_len, CERT_MAX_PATH_LEN);
    assert_int_equal(parse(&cert, &(struct certs_spec){.is_ca = true, .path_len = -1}, NULL), MG_OK);
    assert_int_equal(cert.path_len, -1);
}

static void test_extended_key_usage(void **state)
{
    (void)state;
    struct cert cert;
    assert_int_equal(parse(&cert, &(struct certs_spec){.eku = "1.3.6.1.5.5.7.3.3"}, NULL), MG_OK);
    assert_true(!cert.allows_server_auth && !cert.allows_client_auth);
    assert_int_equal(parse(&cert, &(struct certs_spec){.eku = "1.3.6.1.5.5.7.3.1"}, NULL), MG_OK);
    assert_true(cert.allows_server_auth && !cert.allows_client_auth);
    assert_int_equal(parse(&cert, &(struct certs_spec){.eku = "1.3.6.1.5.5.7.3.2"}, NULL), MG_OK);
    assert_true(!cert.allows_server_auth && cert.allows_client_auth);
    assert_int_equal(parse(&cert, &(struct certs_spec){.eku = "2.5.29.37.0"}, NULL), MG_OK);
    assert_true(cert.allows_server_auth && cert.allows_client_auth);
}

static void test_keys_and_digests_are_recognised(void **state)
{
    (void)state;
    const struct {
        enum wire_key_type key;
        const EVP_MD *digest;
        enum cert_key_type type;
        unsigned bits;
        enum cert_digest expected;
    } cases[] = {
        {WIRE_KEY_EC_P256, EVP_sha1(), CERT_KEY_EC_P256, 256, CERT_DIGEST_SHA1},
        {WIRE_KEY_EC_P384, EVP_sha384(), CERT_KEY_EC_P384, 384, CERT_DIGEST_SHA384},
        {WIRE_KEY_EC_P384, EVP_sha512(), CERT_KEY_EC_P384, 384, CERT_DIGEST_SHA512},
        {WIRE_KEY_RSA_2048, EVP_md5(), CERT_KEY_RSA, 2048, CERT_DIGEST_MD5},
        {WIRE_KEY_RSA_2048, EVP_sha1(), CERT_KEY_RSA, 2048, CERT_DIGEST_SHA1},
        {WIRE_KEY_RSA_2048, EVP_sha256(), CERT_KEY_RSA, 2048, CERT_DIGEST_SHA256},
        {WIRE_KEY_RSA_2048, EVP_sha384(), CERT_KEY_RSA, 2048, CERT_DIGEST_SHA384},
        {WIRE_KEY_RSA_2048, EVP_sha512(), CERT_KEY_RSA, 2048, CERT_DIGEST_SHA512},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        struct cert cert;
        assert_int_equal(
            parse(&cert, &(struct certs_spec){.key = certs_key(cases[i].key, 0), .digest = cases[i].digest}, NULL),
            MG_OK);
        assert_int_equal(cert.key_type, cases[i].type);
        assert_int_equal(cert.key_bits, cases[i].bits);
        assert_int_equal(cert.digest, cases[i].expected);
    }
    assert_string_equal(cert_digest_name(CERT_DIGEST_MD5), "md5");
    assert_string_equal(cert_digest_name((enum cert_digest)99), "unknown");
}

/* A certificate whose two AlgorithmIdentifiers are |algorithm|, otherwise a good one. */
static enum cert_digest digest_with_algorithm(const uint8_t *algorithm, size_t len)
{
    struct mg_buffer der;
    mg_buffer_init(&der, 1 << 16);
    certs_make(&der, &(struct certs_spec){0});
    CBS in = cert_cbs_of(der.data, der.len), certificate, tbs, element, signature;
    CBB cbb, out, out_tbs;
    assert_true(CBS_get_asn1(&in, &certificate, CBS_ASN1_SEQUENCE) &&
                CBS_get_asn1(&certificate, &tbs, CBS_ASN1_SEQUENCE) &&
                CBS_get_asn1(&certificate, NULL, CBS_ASN1_SEQUENCE) &&
                CBS_get_asn1_element(&certificate, &signature, CBS_ASN1_BITSTRING));
    assert_true(CBB_init(&cbb, 1024) && CBB_add_asn1(&cbb, &out, CBS_ASN1_SEQUENCE) &&
                CBB_add_asn1(&out, &out_tbs, CBS_ASN1_SEQUENCE));
    for (unsigned field = 0; CBS_len(&tbs) > 0; field++) {
        assert_true(CBS_get_any_asn1_element(&tbs, &element, NULL, NULL));
        assert_true(field == 2 ? CBB_add_bytes(&out_tbs, algorithm, len)
                               : CBB_add_bytes(&out_tbs, CBS_data(&element), CBS_len(&element)));
    }
    assert_true(CBB_add_bytes(&out, algorithm, len) && CBB_add_bytes(&out, CBS_data(&signature), CBS_len(&signature)) &&
                CBB_flush(&cbb));
    struct cert cert;
    assert_int_equal(cert_parse(&cert, cert_cbs_of(CBB_data(&cbb), CBB_len(&cbb)), NULL), MG_OK);
    CBB_cleanup(&cbb);
    mg_buffer_free(&der);
    return cert.digest;
}

/* RFC 4055 section 3.1: the hash is a parameter, and SHA-1 where none is given. */
static void test_rsa_pss_is_judged_by_its_hash(void **state)
{
    (void)state;
    static const uint8_t sha256[] = {0x30, 0x1c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                     0x01, 0x01, 0x0a, 0x30, 0x0f, 0xa0, 0x0d, 0x30, 0x0b, 0x06,
                                     0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
    static const uint8_t by_default[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x00};
    static const uint8_t no_parameters[] = {0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48,
                                            0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};
    static const uint8_t unknown[] = {0x30, 0x05, 0x06, 0x03, 0x2a, 0x03, 0x04};
    static const uint8_t ed25519[] = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};
    assert_int_equal(digest_with_algorithm(sha256, sizeof(sha256)), CERT_DIGEST_SHA256);
    assert_int_equal(digest_with_algorithm(by_default, sizeof(by_default)), CERT_DIGEST_SHA1);
    assert_int_equal(digest_with_algorithm(no_parameters, sizeof(no_parameters)), CERT_DIGEST_OTHER);
    assert_int_equal(digest_with_algorithm(unknown, sizeof(unknown)), CERT_DIGEST_OTHER);
    assert_int_equal(digest_with_algorithm(ed25519, sizeof(ed25519)), CERT_DIGEST_SHA512);
    static const uint8_t sha1_spelt_out[] = {0x30, 0x18, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                             0x0d, 0x01, 0x01, 0x0a, 0x30, 0x0b, 0xa0, 0x09, 0x30,
                                             0x07, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a};
    assert_int_equal(digest_with_algorithm(sha1_spelt_out, sizeof(sha1_spelt_out)), CERT_DIGEST_SHA1);
}

static void assert_digest(const char *dotted, enum cert_digest expected)
{
    uint8_t algorithm[32];
    CBB cbb, sequence, oid;
    assert_true(CBB_init_fixed(&cbb, algorithm, sizeof(algorithm)) &&
                CBB_add_asn1(&cbb, &sequence, CBS_ASN1_SEQUENCE) && CBB_add_asn1(&sequence, &oid, CBS_ASN1_OBJECT) &&
                CBB_add_asn1_oid_from_text(&oid, dotted, strlen(dotted)) && CBB_flush(&cbb));
    assert_int_equal(digest_with_algorithm(algorithm, CBB_len(&cbb)), expected);
    CBB_cleanup(&cbb);
}

/* RFC 3279, RFC 5758, and the OIW's names. */
static void test_rare_signature_algorithms_are_recognised(void **state)
{
    (void)state;
    assert_digest("1.2.840.113549.1.1.2", CERT_DIGEST_MD5);
    assert_digest("1.2.840.113549.1.1.3", CERT_DIGEST_MD5);
    assert_digest("1.3.14.3.2.3", CERT_DIGEST_MD5);
    assert_digest("1.3.14.3.2.29", CERT_DIGEST_SHA1);
    assert_digest("1.2.840.10040.4.3", CERT_DIGEST_SHA1);
    assert_digest("1.2.840.113549.1.1.14", CERT_DIGEST_SHA224);
    assert_digest("1.2.840.10045.4.3.1", CERT_DIGEST_SHA224);
}

static void test_rare_curves_are_recognised(void **state)
{
    (void)state;
    static const struct {
        int nid;
        enum cert_key_type type;
        unsigned bits;
    } cases[] = {{NID_secp224r1, CERT_KEY_EC_P224, 224}, {NID_secp521r1, CERT_KEY_EC_P521, 521}};
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        EVP_PKEY *key = EVP_PKEY_new();
        EC_KEY *ec = EC_KEY_new_by_curve_name(cases[i].nid);
        struct cert cert;
        assert_true(EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
        assert_int_equal(parse(&cert, &(struct certs_spec){.key = key, .signer = certs_key(WIRE_KEY_EC_P256, 0)}, NULL),
                         MG_OK);
        assert_int_equal(cert.key_type, cases[i].type);
        assert_int_equal(cert.key_bits, cases[i].bits);
        EVP_PKEY_free(key);
    }
}

/* RFC 5280 section 4.1.1.2 */
static void test_two_different_signature_algorithms_are_refused(void **state)
{
    (void)state;
    struct mg_buffer der;
    mg_buffer_init(&der, 1 << 16);
    certs_make(&der, &(struct certs_spec){0});
    /* The outer one is the last ecdsa-with-SHA256 in the certificate: make it ecdsa-with-SHA384. */
    static const uint8_t oid[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    size_t last = 0;
    for (size_t i = 0; i + sizeof(oid) <= der.len; i++) {
        last = memcmp(der.data + i, oid, sizeof(oid)) == 0 ? i : last;
    }
    der.data[last + 7] = 0x03;
    struct cert cert;
    struct mg_error error;
    assert_int_equal(cert_parse(&cert, cert_cbs_of(der.data, der.len), &error), MG_INVALID);
    assert_non_null(strstr(error.text, "4.1.1.2"));
    mg_buffer_free(&der);
}

static void test_bytes_left_over_are_refused(void **state)
{
    (void)state;
    struct mg_buffer der;
    mg_buffer_init(&der, 1 << 16);
    certs_make(&der, &(struct certs_spec){0});
    mg_buffer_append_u8(&der, 0);
    struct cert cert;
    assert_int_equal(cert_parse(&cert, cert_cbs_of(der.data, der.len), NULL), MG_INVALID);
    mg_buffer_free(&der);
}

/* Every prefix, each in memory of its own size: a sanitizer sees the first byte read past the end. */
static void test_a_certificate_cut_short_is_refused(void **state)
{
    (void)state;
    const struct certs_name names[] = {CERTS_DNS("www.example.com")};
    struct mg_buffer der;
    mg_buffer_init(&der, 1 << 16);
    certs_make(&der, &(struct certs_spec){.names = names, .num_names = 1, .is_ca = true, .key_usage = 0x80});
    for (size_t len = 0; len < der.len; len++) {
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, der.data, len);
        struct cert cert;
        assert_int_equal(cert_parse(&cert, cert_cbs_of(copy, len), NULL), MG_INVALID);
        free(copy);
    }
    mg_buffer_free(&der);
}

static void assert_extension_refused(const char *extension, size_t len)
{
    struct cert cert;
    struct mg_error error;
    assert_int_equal(parse(&cert,
                           &(struct certs_spec){.key_usage = CERTS_KEY_USAGE_END_ENTITY,
                                                .raw_extensions = mg_slice_of(extension, len)},
                           &error),
                     MG_INVALID);
    assert_non_null(strstr(error.text, "extensions"));
}
#define ASSERT_EXTENSION_REFUSED(literal) assert_extension_refused(literal, sizeof(literal) - 1)

/* RFC 5280 section 4.2: at most one of each. */
static void test_odd_extensions_are_refused(void **state)
{
    (void)state;
    /* keyUsage a second time */
    ASSERT_EXTENSION_REFUSED("\x30\x0b\x06\x03\x55\x1d\x0f\x04\x04\x03\x02\x07\x80");
    /* basicConstraints: bytes behind the sequence, a BOOLEAN that is not DER, a negative path length */
    ASSERT_EXTENSION_REFUSED("\x30\x0b\x06\x03\x55\x1d\x13\x04\x04\x30\x00\x05\x00");
    ASSERT_EXTENSION_REFUSED("\x30\x0c\x06\x03\x55\x1d\x13\x04\x05\x30\x03\x01\x01\x01");
    ASSERT_EXTENSION_REFUSED("\x30\x0f\x06\x03\x55\x1d\x13\x04\x08\x30\x06\x01\x01\xff\x02\x01\x80");
    /* extKeyUsage without a purpose */
    ASSERT_EXTENSION_REFUSED("\x30\x09\x06\x03\x55\x1d\x25\x04\x02\x30\x00");
    /* subjectKeyIdentifier that is no OCTET STRING */
    ASSERT_EXTENSION_REFUSED("\x30\x09\x06\x03\x55\x1d\x0e\x04\x02\x05\x00");
    /* an Extension with something behind its value */
    ASSERT_EXTENSION_REFUSED("\x30\x0b\x06\x03\x55\x1d\x63\x04\x02\x30\x00\x05\x00");
}

static void test_explicit_false_and_unknown_extensions_are_accepted(void **state)
{
    (void)state;
    static const char extensions[] =
        "\x30\x0f\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\x00" /* CA:FALSE */
        "\x30\x09\x06\x03\x2a\x03\x04\x04\x02\x05\x00";                        /* 1.2.3.4 */
    struct cert cert;
    assert_int_equal(
        parse(&cert, &(struct certs_spec){.raw_extensions = mg_slice_of(extensions, sizeof(extensions) - 1)}, NULL),
        MG_OK);
    assert_false(cert.is_ca);
}

/* RFC 7093 section 2, method 1 */
static void test_computed_key_id(void **state)
{
    (void)state;
    uint8_t id[CERT_KEY_ID_LEN], digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)"key", 3, digest);
    cert_compute_key_id(id, cert_cbs_of((const uint8_t *)"key", 3));
    assert_memory_equal(id, digest, CERT_KEY_ID_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_where_they_belong),
        cmocka_unit_test(test_absent_extensions_are_empty),
        cmocka_unit_test(test_ca_extensions),
        cmocka_unit_test(test_extended_key_usage),
        cmocka_unit_test(test_keys_and_digests_are_recognised),
        cmocka_unit_test(test_rsa_pss_is_judged_by_its_hash),
        cmocka_unit_test(test_rare_signature_algorithms_are_recognised),
        cmocka_unit_test(test_rare_curves_are_recognised),
        cmocka_unit_test(test_two_different_signature_algorithms_are_refused),
        cmocka_unit_test(test_bytes_left_over_are_refused),
        cmocka_unit_test(test_a_certificate_cut_short_is_refused),
        cmocka_unit_test(test_odd_extensions_are_refused),
        cmocka_unit_test(test_explicit_false_and_unknown_extensions_are_accepted),
        cmocka_unit_test(test_computed_key_id),
    };
    return cmocka_run_group_tests_name("cert", tests, NULL, NULL);
}
