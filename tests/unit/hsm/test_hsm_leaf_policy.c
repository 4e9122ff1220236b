/* SPDX-License-Identifier: Apache-2.0 */
/* Each test takes a good leaf and breaks one rule of hsm/leaf_policy.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "hsm/der.h"
#include "leaf_builder.h"

#define DAY INT64_C(86400)
#define NOW INT64_C(1800000000)

static struct leaf leaf;
static struct leaf_issuer issuer;
static struct mg_buffer der;
static struct mg_slice names; /* borrows from |der| */
static int64_t max_validity;

static const char p256[] = "\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
static const char p384[] = "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
static const char secp256k1[] = "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x0a";
static const char rsa[] = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
#define ALGORITHM(array) mg_slice_of(array, sizeof(array) - 1)

/* make_spki makes a SubjectPublicKeyInfo. */
static struct mg_slice make_spki(struct mg_slice algorithm, struct mg_slice key)
{
    struct mg_slice bits = leaf_element(&leaf, DER_BIT_STRING, leaf_join(&leaf, mg_slice_of("\0", 1), key));
    return leaf_element(&leaf, DER_SEQUENCE, leaf_join(&leaf, algorithm, bits));
}

static struct mg_slice make_point(uint8_t form, size_t field_len, uint8_t seed)
{
    uint8_t point[1 + 2 * 66];
    memset(point, seed, sizeof(point));
    point[0] = form;
    return leaf_join(&leaf, mg_slice_of(point, 1 + 2 * field_len), mg_slice_of(NULL, 0));
}

/* make_rsa_key returns an RSAPublicKey whose modulus has |len| octets and begins and ends as said. */
static struct mg_slice make_rsa_key(size_t len, uint8_t first, uint8_t last, const char *exponent_element)
{
    static uint8_t modulus[1024];
    memset(modulus, 0x5a, sizeof(modulus));
    modulus[0] = first;
    modulus[len - 1] = last;
    struct mg_slice content = mg_slice_of(modulus, len);
    if (first >= 0x80) {
        content = leaf_join(&leaf, mg_slice_of("\0", 1), content);
    }
    struct mg_slice n = leaf_element(&leaf, DER_INTEGER, content);
    struct mg_slice e = mg_slice_of(exponent_element, 2 + (size_t)exponent_element[1]);
    return leaf_element(&leaf, DER_SEQUENCE, leaf_join(&leaf, n, e));
}

static void set_rsa_key(size_t len, uint8_t first, uint8_t last, const char *exponent_element)
{
    leaf.spki = make_spki(ALGORITHM(rsa), make_rsa_key(len, first, last, exponent_element));
}

#define F4 "\x02\x03\x01\x00\x01"

static int make_leaf(void **state)
{
    (void)state;
    static uint8_t subject[] = {0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x02, 'C', 'A'};
    issuer = (struct leaf_issuer){
        .role = WIRE_ISSUER_DEFAULT,
        .key_type = key_type_get0(WIRE_KEY_EC_P256),
        .subject = mg_slice_of(subject, sizeof(subject)),
        .ski = mg_slice_of_text("issuer's stored SKI"),
        .not_before = NOW - 30 * DAY,
        .not_after = NOW + 1000 * DAY,
    };
    max_validity = LEAF_POLICY_DEFAULT_MAX_VALIDITY;
    leaf_init(&leaf, &issuer, mg_slice_of(NULL, 0), "www.example.com", NOW);
    issuer.spki = make_spki(ALGORITHM(p256), make_point(0x04, 32, 0xca));
    leaf.spki = make_spki(ALGORITHM(p256), make_point(0x04, 32, 0x1e));
    return 0;
}

static enum wire_sign_status judge(void)
{
    struct tbs tbs;
    struct mg_error error = {""};
    mg_buffer_clear(&der);
    leaf_write(&leaf, &der);
    assert_true(mg_buffer_ok(&leaf.values));
    assert_int_equal(tbs_parse(mg_buffer_slice(&der), &tbs, &error), MG_OK);
    enum wire_sign_status status = leaf_policy_check(&tbs, &issuer, max_validity, NOW, &names, &error);
    assert_true((status == WIRE_SIGN_OK) == (error.text[0] == '\0'));
    return status;
}

#define assert_judged(expected) assert_string_equal(wire_sign_status_name(judge()), wire_sign_status_name(expected))

static void replace(const char *oid, const char *value, size_t len)
{
    leaf_extension(&leaf, oid)->value = mg_slice_of(value, len);
}
#define REPLACE(oid, literal) replace(oid, "" literal, sizeof(literal) - 1)

static void test_a_good_leaf_is_accepted(void **state)
{
    (void)state;
    assert_judged(WIRE_SIGN_OK);
    assert_true(mg_slice_equal(names, mg_slice_of_text("\x82\x0fwww.example.com")));
}

static void test_a_ca_certificate_is_refused(void **state)
{
    (void)state;
    REPLACE(OID_BASIC_CONSTRAINTS, "\x30\x03\x01\x01\xff");
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    REPLACE(OID_BASIC_CONSTRAINTS, "\x30\x06\x01\x01\xff\x02\x01\x00");
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    REPLACE(OID_BASIC_CONSTRAINTS, "\x30\x03\x02\x01\x00"); /* a path length without CA */
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    REPLACE(OID_BASIC_CONSTRAINTS, "\x30\x03\x01\x01\x00"); /* FALSE encoded is not DER */
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    REPLACE(OID_BASIC_CONSTRAINTS, "\x30\x00\x05\x00");
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    leaf_remove(&leaf, OID_BASIC_CONSTRAINTS);
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
}

static void test_basic_constraints_may_be_critical_or_not(void **state)
{
    (void)state;
    leaf_extension(&leaf, OID_BASIC_CONSTRAINTS)->critical = false;
    assert_judged(WIRE_SIGN_OK);
}

static void test_another_issuers_name_is_refused(void **state)
{
    (void)state;
    leaf.issuer = leaf_name(&leaf, "CB");
    assert_judged(WIRE_SIGN_BAD_ISSUER);
    leaf.issuer = mg_slice_of("\x30\x00", 2);
    assert_judged(WIRE_SIGN_BAD_ISSUER);
}

/* The scar: AKI must equal the issuer's stored SKI. */
static void test_another_issuers_key_identifier_is_refused(void **state)
{
    (void)state;
    REPLACE(OID_AUTHORITY_KEY_ID, "\x30\x03\x80\x01x");
    assert_judged(WIRE_SIGN_BAD_ISSUER);
    REPLACE(OID_AUTHORITY_KEY_ID, "\x30\x00");
    assert_judged(WIRE_SIGN_BAD_ISSUER);
    leaf_remove(&leaf, OID_AUTHORITY_KEY_ID);
    assert_judged(WIRE_SIGN_BAD_ISSUER);
}

static void test_an_authority_key_identifier_with_more_than_the_key_is_refused(void **state)
{
    (void)state;
    struct mg_slice id = leaf_element(&leaf, DER_CONTEXT(0), issuer.ski);
    struct mg_slice both = leaf_join(&leaf, id, mg_slice_of_text("\x82\x01\x05"));
    leaf_extension(&leaf, OID_AUTHORITY_KEY_ID)->value = leaf_element(&leaf, DER_SEQUENCE, both);
    assert_judged(WIRE_SIGN_BAD_ISSUER);
}

/* The scar: RSA-only minting copied the server's algorithm. */
static void test_another_signature_algorithm_than_the_issuers_is_refused(void **state)
{
    (void)state;
    for (int type = WIRE_KEY_EC_P256; type <= WIRE_KEY_RSA_4096; type++) {
        leaf.signature_algorithm = key_type_get0((enum wire_key_type)type)->signature_algorithm;
        assert_judged(type == WIRE_KEY_EC_P256 ? WIRE_SIGN_OK : WIRE_SIGN_BAD_ISSUER);
    }
    leaf.signature_algorithm = mg_slice_of("\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00", 14); /* NULL */
    assert_judged(WIRE_SIGN_BAD_ISSUER);
}

static void test_each_issuer_key_type_has_its_algorithm(void **state)
{
    (void)state;
    for (int type = WIRE_KEY_EC_P256; type <= WIRE_KEY_RSA_4096; type++) {
        issuer.key_type = key_type_get0((enum wire_key_type)type);
        leaf.signature_algorithm = issuer.key_type->signature_algorithm;
        assert_judged(WIRE_SIGN_OK);
    }
}

static void test_versions_other_than_v3_are_refused(void **state)
{
    (void)state;
    leaf.version = mg_slice_of("\xa0\x03\x02\x01\x01", 5);
    assert_judged(WIRE_SIGN_BAD_TBS);
    leaf.version = mg_slice_of(NULL, 0);
    assert_judged(WIRE_SIGN_BAD_TBS);
}

static void test_unique_ids_are_refused(void **state)
{
    (void)state;
    leaf.unique_ids = mg_slice_of("\x81\x02\x00\x01", 4);
    assert_judged(WIRE_SIGN_BAD_TBS);
}

static void test_a_serial_is_positive_and_of_8_to_20_octets(void **state)
{
    (void)state;
    static const uint8_t octets[21] = {0x01, 0x02, 0x03, 0x04, 0x05};
    for (size_t len = 1; len <= sizeof(octets); len++) {
        leaf.serial = mg_slice_of(octets, len);
        assert_judged(len >= 8 && len <= 20 ? WIRE_SIGN_OK : WIRE_SIGN_BAD_SERIAL);
    }
    leaf.serial = mg_slice_of_text("\x80\x01\x02\x03\x04\x05\x06\x07");
    assert_judged(WIRE_SIGN_BAD_SERIAL);
}

static void test_a_ten_year_validity_is_refused(void **state)
{
    (void)state;
    issuer.not_after = NOW + 9000 * DAY;
    leaf.not_after = leaf.not_before + 3650 * DAY;
    assert_judged(WIRE_SIGN_BAD_VALIDITY);
}

/* The scar: backdating counts towards the limit. */
static void test_the_longest_validity_counts_from_not_before(void **state)
{
    (void)state;
    leaf.not_before = NOW - 10 * DAY;
    leaf.not_after = NOW + 190 * DAY;
    assert_judged(WIRE_SIGN_OK);
    leaf.not_after += 1;
    assert_judged(WIRE_SIGN_BAD_VALIDITY);
    leaf.not_before += 1;
    assert_judged(WIRE_SIGN_OK);
    max_validity = 47 * DAY;
    assert_judged(WIRE_SIGN_BAD_VALIDITY);
}

static void test_a_validity_that_ends_before_it_begins_is_refused(void **state)
{
    (void)state;
    issuer.role = WIRE_ISSUER_UNTRUST;
    leaf.not_after = leaf.not_before;
    assert_judged(WIRE_SIGN_OK);
    leaf.not_after = leaf.not_before - 1;
    assert_judged(WIRE_SIGN_BAD_VALIDITY);
}

static void test_a_validity_outside_the_issuers_is_refused(void **state)
{
    (void)state;
    leaf.not_before = issuer.not_before;
    assert_judged(WIRE_SIGN_OK);
    leaf.not_before = issuer.not_before - 1;
    assert_judged(WIRE_SIGN_BAD_VALIDITY);
    leaf.not_before = NOW - DAY;
    leaf.not_after = issuer.not_after = NOW + DAY;
    assert_judged(WIRE_SIGN_OK);
    leaf.not_after += 1;
    assert_judged(WIRE_SIGN_BAD_VALIDITY);
}

static void test_a_leaf_of_the_default_issuer_is_for_use_now(void **state)
{
    (void)state;
    leaf.not_before = NOW - 10 * DAY;
    leaf.not_after = NOW;
    assert_judged(WIRE_SIGN_OK);
    leaf.not_after = NOW - 1;
    assert_judged(WIRE_SIGN_BAD_VALIDITY);
    leaf.not_before = NOW + LEAF_POLICY_CLOCK_SKEW;
    leaf.not_after = NOW + 10 * DAY;
    assert_judged(WIRE_SIGN_OK);
    leaf.not_before += 1;
    assert_judged(WIRE_SIGN_BAD_VALIDITY);
}

static void test_a_forward_untrust_leaf_may_mimic_an_expired_or_future_certificate(void **state)
{
    (void)state;
    issuer.role = WIRE_ISSUER_UNTRUST;
    leaf.not_before = NOW - 20 * DAY;
    leaf.not_after = NOW - 10 * DAY;
    assert_judged(WIRE_SIGN_OK);
    leaf.not_before = NOW + 10 * DAY;
    leaf.not_after = NOW + 20 * DAY;
    assert_judged(WIRE_SIGN_OK);
}

static void test_the_issuers_own_name_as_subject_is_refused(void **state)
{
    (void)state;
    leaf.subject = issuer.subject;
    leaf_extension(&leaf, OID_SUBJECT_ALT_NAME)->critical = false;
    assert_judged(WIRE_SIGN_BAD_NAME);
}

/* The scar: the leaf shared the CA's own public key. */
static void test_the_issuers_own_key_is_refused(void **state)
{
    (void)state;
    leaf.spki = issuer.spki;
    assert_judged(WIRE_SIGN_BAD_KEY);
}

static void test_elliptic_curve_keys_are_whole_points_on_two_curves(void **state)
{
    (void)state;
    leaf.spki = make_spki(ALGORITHM(p384), make_point(0x04, 48, 0x1e));
    assert_judged(WIRE_SIGN_OK);
    leaf.spki = make_spki(ALGORITHM(p384), make_point(0x04, 32, 0x1e));
    assert_judged(WIRE_SIGN_BAD_KEY);
    leaf.spki = make_spki(ALGORITHM(p256), make_point(0x04, 48, 0x1e));
    assert_judged(WIRE_SIGN_BAD_KEY);
    leaf.spki = make_spki(ALGORITHM(p256), make_point(0x04, 31, 0x1e));
    assert_judged(WIRE_SIGN_BAD_KEY);
    leaf.spki = make_spki(ALGORITHM(p256), make_point(0x02, 32, 0x1e));
    assert_judged(WIRE_SIGN_BAD_KEY);
    leaf.spki = make_spki(ALGORITHM(p256), mg_slice_of(NULL, 0));
    assert_judged(WIRE_SIGN_BAD_KEY);
    leaf.spki = make_spki(ALGORITHM(secp256k1), make_point(0x04, 32, 0x1e));
    assert_judged(WIRE_SIGN_BAD_KEY);
}

static void test_rsa_keys_are_of_2048_to_4096_bits(void **state)
{
    (void)state;
    set_rsa_key(256, 0x80, 0x01, F4);
    assert_judged(WIRE_SIGN_OK);
    set_rsa_key(256, 0x7f, 0x01, F4); /* 2047 bits */
    assert_judged(WIRE_SIGN_BAD_KEY);
    set_rsa_key(128, 0xff, 0x01, F4);
    assert_judged(WIRE_SIGN_BAD_KEY);
    set_rsa_key(512, 0xff, 0x01, F4);
    assert_judged(WIRE_SIGN_OK);
    set_rsa_key(513, 0x01, 0x01, F4); /* 4097 bits */
    assert_judged(WIRE_SIGN_BAD_KEY);
}

static void test_rsa_modulus_and_exponent_are_odd(void **state)
{
    (void)state;
    set_rsa_key(256, 0x80, 0x02, F4);
    assert_judged(WIRE_SIGN_BAD_KEY);
    set_rsa_key(256, 0x80, 0x01, "\x02\x03\x01\x00\x02");
    assert_judged(WIRE_SIGN_BAD_KEY);
    set_rsa_key(256, 0x80, 0x01, "\x02\x01\x01"); /* exponent 1 signs anything */
    assert_judged(WIRE_SIGN_BAD_KEY);
    set_rsa_key(256, 0x80, 0x01, "\x02\x01\x00");
    assert_judged(WIRE_SIGN_BAD_KEY);
    set_rsa_key(256, 0x80, 0x01, "\x02\x01\x03");
    assert_judged(WIRE_SIGN_OK);
    leaf.spki = make_spki(ALGORITHM(rsa), leaf_join(&leaf, make_rsa_key(256, 0x80, 1, F4), mg_slice_of("\5\0", 2)));
    assert_judged(WIRE_SIGN_BAD_KEY);
}

static void test_key_usage_is_digital_signature(void **state)
{
    (void)state;
    REPLACE(OID_KEY_USAGE, "\x03\x02\x02\x04"); /* keyCertSign */
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    REPLACE(OID_KEY_USAGE, "\x03\x02\x02\x84"); /* and digitalSignature */
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    REPLACE(OID_KEY_USAGE, "\x03\x02\x06\xc0"); /* nonRepudiation */
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    REPLACE(OID_KEY_USAGE, "\x03\x01\x00");
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    REPLACE(OID_KEY_USAGE, "\x03\x02\x07\x80\x05\x00");
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    leaf_remove(&leaf, OID_KEY_USAGE);
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
}

static void test_key_encipherment_is_for_rsa_keys_alone(void **state)
{
    (void)state;
    REPLACE(OID_KEY_USAGE, "\x03\x02\x05\xa0");
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
    set_rsa_key(256, 0x80, 0x01, F4);
    assert_judged(WIRE_SIGN_OK);
    REPLACE(OID_KEY_USAGE, "\x03\x02\x05\x20"); /* without digitalSignature */
    assert_judged(WIRE_SIGN_BAD_CONSTRAINTS);
}

static void test_a_code_signing_eku_is_refused(void **state)
{
    (void)state;
    REPLACE(OID_EXT_KEY_USAGE, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03");
    assert_judged(WIRE_SIGN_BAD_EKU);
    REPLACE(OID_EXT_KEY_USAGE, "\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"
                               "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x03");
    assert_judged(WIRE_SIGN_BAD_EKU);
    REPLACE(OID_EXT_KEY_USAGE, "\x30\x06\x06\x04\x55\x1d\x25\x00"); /* anyExtendedKeyUsage */
    assert_judged(WIRE_SIGN_BAD_EKU);
    leaf_remove(&leaf, OID_EXT_KEY_USAGE);
    assert_judged(WIRE_SIGN_BAD_EKU);
}

/* The scar: CA and leaf sharing one SKI breaks Schannel. */
static void test_the_issuers_subject_key_identifier_is_refused(void **state)
{
    (void)state;
    leaf_extension(&leaf, OID_SUBJECT_KEY_ID)->value = leaf_element(&leaf, DER_OCTET_STRING, issuer.ski);
    assert_judged(WIRE_SIGN_BAD_EXTENSION);
    REPLACE(OID_SUBJECT_KEY_ID, "\x04\x00");
    assert_judged(WIRE_SIGN_BAD_EXTENSION);
    leaf_remove(&leaf, OID_SUBJECT_KEY_ID);
    assert_judged(WIRE_SIGN_OK);
}

static void test_extensions_that_leaves_do_not_carry_are_refused(void **state)
{
    (void)state;
    leaf_add(&leaf, OID_NAME_CONSTRAINTS, false, mg_slice_of("\x30\x00", 2));
    assert_judged(WIRE_SIGN_BAD_EXTENSION);
    leaf_remove(&leaf, OID_NAME_CONSTRAINTS);
    leaf_add(&leaf, "\x2a\x03\x04", true, mg_slice_of("\x05\x00", 2));
    assert_judged(WIRE_SIGN_BAD_EXTENSION);
}

static void test_an_extension_twice_is_refused(void **state)
{
    (void)state;
    size_t num_extensions = leaf.num_extensions;
    for (size_t i = 0; i < num_extensions; i++) {
        leaf.extensions[num_extensions] = leaf.extensions[i];
        leaf.num_extensions = num_extensions + 1;
        assert_judged(WIRE_SIGN_BAD_EXTENSION);
    }
}

static void test_criticality_is_as_rfc_5280_section_4_2_has_it(void **state)
{
    (void)state;
    leaf_extension(&leaf, OID_AUTHORITY_KEY_ID)->critical = true;
    assert_judged(WIRE_SIGN_BAD_ISSUER);
    make_leaf(NULL);
    leaf_extension(&leaf, OID_SUBJECT_KEY_ID)->critical = true;
    assert_judged(WIRE_SIGN_BAD_EXTENSION);
    make_leaf(NULL);
    leaf_extension(&leaf, OID_EXT_KEY_USAGE)->critical = true;
    assert_judged(WIRE_SIGN_OK);
}

/* The scar: an SNI over 64 octets made an invalid CN; without one the SAN is critical. */
static void test_the_san_is_critical_if_and_only_if_the_subject_is_empty(void **state)
{
    (void)state;
    leaf_extension(&leaf, OID_SUBJECT_ALT_NAME)->critical = false;
    assert_judged(WIRE_SIGN_BAD_NAME);
    leaf.subject = leaf_name(&leaf, "www.example.com");
    assert_judged(WIRE_SIGN_OK);
    leaf_extension(&leaf, OID_SUBJECT_ALT_NAME)->critical = true;
    assert_judged(WIRE_SIGN_BAD_NAME);
}

static void test_the_san_is_there_and_names_servers_alone(void **state)
{
    (void)state;
    leaf_set_names(&leaf, mg_slice_of_text("\x87\x04\xc0\x01\x02\x03"));
    assert_judged(WIRE_SIGN_OK);
    leaf_set_names(&leaf, mg_slice_of_text("\x81\x03"
                                           "a@b"));
    assert_judged(WIRE_SIGN_BAD_NAME);
    leaf_set_names(&leaf, mg_slice_of_text("\x82\x05"
                                           "a,b.c"));
    assert_judged(WIRE_SIGN_BAD_NAME);
    leaf_set_names(&leaf, mg_slice_of(NULL, 0));
    assert_judged(WIRE_SIGN_BAD_NAME);
    leaf_remove(&leaf, OID_SUBJECT_ALT_NAME);
    assert_judged(WIRE_SIGN_BAD_NAME);
}

/* assert_value_judged adds an extension and expects |good| values accepted and |bad| ones refused. */
static void assert_value_judged(const char *oid, const char *value, size_t len, bool good)
{
    make_leaf(NULL);
    leaf_add(&leaf, oid, false, mg_slice_of(value, len));
    assert_judged(good ? WIRE_SIGN_OK : WIRE_SIGN_BAD_EXTENSION);
    leaf_extension(&leaf, oid)->value = leaf_join(&leaf, mg_slice_of(value, len), mg_slice_of("\5\0", 2));
    assert_judged(WIRE_SIGN_BAD_EXTENSION); /* nothing left over behind it */
}
#define ACCEPTS(oid, literal) assert_value_judged(oid, "" literal, sizeof(literal) - 1, true)
#define REFUSES(oid, literal) assert_value_judged(oid, "" literal, sizeof(literal) - 1, false)

static void test_authority_information_access_is_uris(void **state)
{
    (void)state;
    ACCEPTS(OID_AUTHORITY_INFO_ACCESS, "\x30\x0d\x30\x0b\x06\x02\x2a\x03\x86\x05http:");
    REFUSES(OID_AUTHORITY_INFO_ACCESS, "\x30\x00");
    REFUSES(OID_AUTHORITY_INFO_ACCESS, "\x30\x0d\x30\x0b\x06\x02\x2a\x03\x82\x05http:");
    REFUSES(OID_AUTHORITY_INFO_ACCESS, "\x30\x0d\x30\x0b\x06\x02\x2a\x03\x86\x05htt\x0a:");
    REFUSES(OID_AUTHORITY_INFO_ACCESS, "\x30\x08\x30\x06\x06\x02\x2a\x03\x86\x00");
    REFUSES(OID_AUTHORITY_INFO_ACCESS, "\x30\x0b\x30\x09\x06\x00\x86\x05http:");
    make_leaf(NULL);
    leaf_add(&leaf, OID_AUTHORITY_INFO_ACCESS, true, mg_slice_of("\x30\x0d\x30\x0b\x06\x02\x2a\x03\x86\x05http:", 15));
    assert_judged(WIRE_SIGN_BAD_EXTENSION); /* never critical */
}

static void test_crl_distribution_points_are_uris(void **state)
{
    (void)state;
    ACCEPTS(OID_CRL_DISTRIBUTION_POINTS, "\x30\x0d\x30\x0b\xa0\x09\xa0\x07\x86\x05http:");
    REFUSES(OID_CRL_DISTRIBUTION_POINTS, "\x30\x00");
    REFUSES(OID_CRL_DISTRIBUTION_POINTS, "\x30\x02\x30\x00");
    REFUSES(OID_CRL_DISTRIBUTION_POINTS, "\x30\x06\x30\x04\xa0\x02\xa0\x00");
    REFUSES(OID_CRL_DISTRIBUTION_POINTS, "\x30\x0d\x30\x0b\xa0\x09\xa1\x07\x86\x05http:");
    REFUSES(OID_CRL_DISTRIBUTION_POINTS, "\x30\x10\x30\x0e\xa0\x09\xa0\x07\x86\x05http:\x81\x01\x00"); /* reasons */
}

static void test_certificate_policies_are_identifiers_alone(void **state)
{
    (void)state;
    ACCEPTS(OID_CERTIFICATE_POLICIES, "\x30\x06\x30\x04\x06\x02\x2a\x03");
    REFUSES(OID_CERTIFICATE_POLICIES, "\x30\x00");
    REFUSES(OID_CERTIFICATE_POLICIES, "\x30\x04\x30\x02\x06\x00");
    REFUSES(OID_CERTIFICATE_POLICIES, "\x30\x08\x30\x06\x06\x02\x2a\x03\x30\x00"); /* qualifiers */
}

static void test_facts_of_an_issuer_come_from_its_certificate(void **state)
{
    (void)state;
    struct mg_buffer certificate, content;
    mg_buffer_init(&certificate, UINT16_MAX);
    mg_buffer_init(&content, UINT16_MAX);
    leaf.subject = leaf_name(&leaf, "Some CA");
    leaf_write(&leaf, &content);
    mg_buffer_append_slice(&content, leaf.signature_algorithm);
    der_write(&content, DER_BIT_STRING, mg_slice_of("\0sig", 4));
    der_write(&certificate, DER_SEQUENCE, mg_buffer_slice(&content));
    struct leaf_issuer got;
    assert_int_equal(
        leaf_issuer_from_certificate(mg_buffer_slice(&certificate), WIRE_ISSUER_UNTRUST, issuer.key_type, &got, NULL),
        MG_OK);
    assert_int_equal(got.role, WIRE_ISSUER_UNTRUST);
    assert_true(mg_slice_equal(got.subject, leaf.subject));
    assert_true(mg_slice_equal(got.spki, leaf.spki));
    assert_true(mg_slice_equal(got.ski, mg_slice_of_text("leaf's own id")));
    assert_int_equal(got.not_before, leaf.not_before);
    assert_int_equal(got.not_after, leaf.not_after);

    mg_buffer_clear(&certificate);
    mg_buffer_clear(&content);
    leaf_remove(&leaf, OID_SUBJECT_KEY_ID);
    leaf_write(&leaf, &content);
    mg_buffer_append_slice(&content, leaf.signature_algorithm);
    der_write(&content, DER_BIT_STRING, mg_slice_of("\0sig", 4));
    der_write(&certificate, DER_SEQUENCE, mg_buffer_slice(&content));
    assert_int_equal(
        leaf_issuer_from_certificate(mg_buffer_slice(&certificate), WIRE_ISSUER_DEFAULT, issuer.key_type, &got, NULL),
        MG_OK);
    struct tbs tbs;
    assert_int_equal(tbs_parse_certificate(mg_buffer_slice(&certificate), &tbs, NULL), MG_OK);
    uint8_t computed[CA_KEY_IDENTIFIER_LEN];
    assert_true(ca_compute_key_identifier(tbs.public_key, computed));
    assert_true(mg_slice_equal(leaf_issuer_key_identifier(&got), mg_slice_of(computed, sizeof(computed))));
    mg_buffer_free(&certificate);
    mg_buffer_free(&content);
}

#define LEAF_TEST(name) cmocka_unit_test_setup(name, make_leaf)

static int new_buffer(void **state)
{
    (void)state;
    mg_buffer_init(&der, UINT16_MAX);
    return 0;
}

static int free_buffer(void **state)
{
    (void)state;
    mg_buffer_free(&der);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAF_TEST(test_a_good_leaf_is_accepted),
        LEAF_TEST(test_a_ca_certificate_is_refused),
        LEAF_TEST(test_basic_constraints_may_be_critical_or_not),
        LEAF_TEST(test_another_issuers_name_is_refused),
        LEAF_TEST(test_another_issuers_key_identifier_is_refused),
        LEAF_TEST(test_an_authority_key_identifier_with_more_than_the_key_is_refused),
        LEAF_TEST(test_another_signature_algorithm_than_the_issuers_is_refused),
        LEAF_TEST(test_each_issuer_key_type_has_its_algorithm),
        LEAF_TEST(test_versions_other_than_v3_are_refused),
        LEAF_TEST(test_unique_ids_are_refused),
        LEAF_TEST(test_a_serial_is_positive_and_of_8_to_20_octets),
        LEAF_TEST(test_a_ten_year_validity_is_refused),
        LEAF_TEST(test_the_longest_validity_counts_from_not_before),
        LEAF_TEST(test_a_validity_that_ends_before_it_begins_is_refused),
        LEAF_TEST(test_a_validity_outside_the_issuers_is_refused),
        LEAF_TEST(test_a_leaf_of_the_default_issuer_is_for_use_now),
        LEAF_TEST(test_a_forward_untrust_leaf_may_mimic_an_expired_or_future_certificate),
        LEAF_TEST(test_the_issuers_own_name_as_subject_is_refused),
        LEAF_TEST(test_the_issuers_own_key_is_refused),
        LEAF_TEST(test_elliptic_curve_keys_are_whole_points_on_two_curves),
        LEAF_TEST(test_rsa_keys_are_of_2048_to_4096_bits),
        LEAF_TEST(test_rsa_modulus_and_exponent_are_odd),
        LEAF_TEST(test_key_usage_is_digital_signature),
        LEAF_TEST(test_key_encipherment_is_for_rsa_keys_alone),
        LEAF_TEST(test_a_code_signing_eku_is_refused),
        LEAF_TEST(test_the_issuers_subject_key_identifier_is_refused),
        LEAF_TEST(test_extensions_that_leaves_do_not_carry_are_refused),
        LEAF_TEST(test_an_extension_twice_is_refused),
        LEAF_TEST(test_criticality_is_as_rfc_5280_section_4_2_has_it),
        LEAF_TEST(test_the_san_is_critical_if_and_only_if_the_subject_is_empty),
        LEAF_TEST(test_the_san_is_there_and_names_servers_alone),
        LEAF_TEST(test_authority_information_access_is_uris),
        LEAF_TEST(test_crl_distribution_points_are_uris),
        LEAF_TEST(test_certificate_policies_are_identifiers_alone),
        LEAF_TEST(test_facts_of_an_issuer_come_from_its_certificate),
    };
    return cmocka_run_group_tests(tests, new_buffer, free_buffer);
}
