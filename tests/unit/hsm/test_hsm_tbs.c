/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "hsm/der.h"
#include "leaf_builder.h"

static const uint8_t spki[] = {0x30, 0x0c, 0x30, 0x05, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x03, 0x03, 0x00, 0xaa, 0xbb};

static struct leaf leaf;
static struct mg_buffer der;
static struct tbs tbs;

static int make_leaf(void **state)
{
    (void)state;
    static const uint8_t name[] = {0x30, 0x00};
    static struct leaf_issuer issuer;
    issuer.key_type = key_type_get0(WIRE_KEY_EC_P256);
    issuer.subject = mg_slice_of(name, sizeof(name));
    issuer.ski = mg_slice_of_text("issuer's key id");
    leaf_init(&leaf, &issuer, mg_slice_of(spki, sizeof(spki)), "www.example.com", 1800000000);
    mg_buffer_free(&der);
    mg_buffer_init(&der, UINT16_MAX);
    return 0;
}

static int free_leaf(void **state)
{
    (void)state;
    mg_buffer_free(&der);
    return 0;
}

static enum mg_status parse_leaf(void)
{
    struct mg_error error = {""};
    mg_buffer_clear(&der);
    leaf_write(&leaf, &der);
    enum mg_status status = tbs_parse(mg_buffer_slice(&der), &tbs, &error);
    assert_true(status == MG_OK || error.text[0] != '\0');
    return status;
}

static void test_every_field_is_found(void **state)
{
    (void)state;
    leaf.subject = leaf_name(&leaf, "www.example.com");
    assert_int_equal(parse_leaf(), MG_OK);
    assert_int_equal(tbs.version, 3);
    assert_true(mg_slice_equal(tbs.serial, leaf.serial));
    assert_true(mg_slice_equal(tbs.signature_algorithm, leaf.signature_algorithm));
    assert_true(mg_slice_equal(tbs.issuer, leaf.issuer));
    assert_int_equal(tbs.not_before, leaf.not_before);
    assert_int_equal(tbs.not_after, leaf.not_after);
    assert_true(mg_slice_equal(tbs.subject, leaf.subject));
    assert_true(mg_slice_equal(tbs.spki, mg_slice_of(spki, sizeof(spki))));
    assert_true(mg_slice_equal(tbs.key_algorithm, mg_slice_of(spki + 2, 7)));
    assert_true(mg_slice_equal(tbs.public_key, mg_slice_of("\xaa\xbb", 2)));
    assert_false(tbs.has_unique_ids);
    assert_int_equal(tbs.num_extensions, 6);
    assert_true(mg_slice_equal(tbs.extensions[0].oid, mg_slice_of_text(OID_BASIC_CONSTRAINTS)));
    assert_true(tbs.extensions[0].critical);
    assert_true(mg_slice_equal(tbs.extensions[0].value, mg_slice_of("\x30\x00", 2)));
    assert_false(tbs.extensions[2].critical);
    assert_true(tbs_name_is_empty(tbs.issuer));
    assert_false(tbs_name_is_empty(tbs.subject));
}

static void test_versions(void **state)
{
    (void)state;
    leaf.version = mg_slice_of(NULL, 0);
    assert_int_equal(parse_leaf(), MG_OK);
    assert_int_equal(tbs.version, 1);
    leaf.version = mg_slice_of("\xa0\x03\x02\x01\x01", 5);
    assert_int_equal(parse_leaf(), MG_OK);
    assert_int_equal(tbs.version, 2);
    leaf.version = mg_slice_of("\xa0\x03\x02\x01\x03", 5);
    assert_int_equal(parse_leaf(), MG_INVALID);
    leaf.version = mg_slice_of("\xa0\x03\x02\x01\x00", 5); /* a default value is not encoded */
    assert_int_equal(parse_leaf(), MG_INVALID);
    leaf.version = mg_slice_of("\xa0\x05\x02\x01\x02\x05\x00", 7);
    assert_int_equal(parse_leaf(), MG_INVALID);
}

static void test_unique_ids_are_noticed(void **state)
{
    (void)state;
    leaf.unique_ids = mg_slice_of("\x81\x02\x00\x01\x82\x02\x00\x02", 8);
    assert_int_equal(parse_leaf(), MG_OK);
    assert_true(tbs.has_unique_ids);
    leaf.unique_ids = mg_slice_of("\x82\x02\x00\x02\x81\x02\x00\x01", 8); /* in the wrong order */
    assert_int_equal(parse_leaf(), MG_INVALID);
}

static void test_no_extensions_is_well_formed_but_an_empty_list_is_not(void **state)
{
    (void)state;
    leaf.num_extensions = 0;
    assert_int_equal(parse_leaf(), MG_OK);
    assert_int_equal(tbs.num_extensions, 0);
    leaf.behind = mg_slice_of("\xa3\x02\x30\x00", 4);
    assert_int_equal(parse_leaf(), MG_INVALID);
}

static void test_more_extensions_than_the_bound_are_refused(void **state)
{
    (void)state;
    while (leaf.num_extensions < TBS_MAX_EXTENSIONS) {
        leaf_add(&leaf, "\x2a\x03", false, mg_slice_of(NULL, 0));
    }
    assert_int_equal(parse_leaf(), MG_OK);
    assert_int_equal(tbs.num_extensions, TBS_MAX_EXTENSIONS);
    leaf_add(&leaf, "\x2a\x03", false, mg_slice_of(NULL, 0));
    assert_int_equal(parse_leaf(), MG_INVALID);
}

static void test_bytes_left_over_are_refused_at_every_level(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *extension; /* content octets of an Extension, length first */
    } bad[] = {
        {"critical FALSE encoded", "\x0a\x06\x03\x55\x1d\x11\x01\x01\x00\x04\x00"},
        {"something behind the value", "\x09\x06\x03\x55\x1d\x11\x04\x00\x05\x00"},
        {"no value", "\x05\x06\x03\x55\x1d\x11"},
        {"no identifier", "\x04\x06\x00\x04\x00"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        leaf.num_extensions = 0;
        struct mg_slice content = mg_slice_of(bad[i].extension + 1, (uint8_t)bad[i].extension[0]);
        struct mg_slice list = leaf_element(&leaf, DER_SEQUENCE, leaf_element(&leaf, DER_SEQUENCE, content));
        leaf.behind = leaf_element(&leaf, DER_CONTEXT_CONSTRUCTED(3), list);
        assert_int_equal(parse_leaf(), MG_INVALID);
    }
    make_leaf(NULL);
    leaf.behind = mg_slice_of("\x05\x00", 2); /* behind the extensions */
    assert_int_equal(parse_leaf(), MG_INVALID);
    make_leaf(NULL);
    leaf.spki = mg_slice_of("\x30\x0e\x30\x05\x06\x03\x2a\x03\x04\x03\x03\x00\xaa\xbb\x05\x00", 16);
    assert_int_equal(parse_leaf(), MG_INVALID);
    make_leaf(NULL);
    leaf.signature_algorithm = mg_slice_of("\x30\x09\x06\x03\x2a\x03\x04\x05\x00\x05\x00", 11);
    assert_int_equal(parse_leaf(), MG_INVALID);
    make_leaf(NULL);
    assert_int_equal(parse_leaf(), MG_OK);
    mg_buffer_append_u8(&der, 0); /* behind the TBSCertificate */
    assert_int_equal(tbs_parse(mg_buffer_slice(&der), &tbs, NULL), MG_INVALID);
}

static void test_malformed_names_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\x31\x00", 2},                                                       /* not a SEQUENCE */
        {"\x30\x02\x31\x00", 4},                                               /* an empty set */
        {"\x30\x02\x30\x00", 4},                                               /* a SEQUENCE for a SET */
        {"\x30\x09\x31\x07\x30\x05\x06\x03\x55\x04\x03", 11},                  /* no value */
        {"\x30\x0b\x31\x09\x30\x07\x06\x00\x0c\x01x\x05\x00", 13},             /* no type */
        {"\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x01x\x05\x00", 16}, /* more than a value */
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        make_leaf(NULL);
        leaf.subject = mg_slice_of(bad[i].bytes, bad[i].len);
        assert_int_equal(parse_leaf(), MG_INVALID);
        make_leaf(NULL);
        leaf.issuer = mg_slice_of(bad[i].bytes, bad[i].len);
        assert_int_equal(parse_leaf(), MG_INVALID);
    }
}

static void test_a_tbs_cut_anywhere_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse_leaf(), MG_OK);
    for (size_t len = 0; len < der.len; len++) {
        assert_int_equal(tbs_parse(mg_slice_of(der.data, len), &tbs, NULL), MG_INVALID);
    }
}

/* A certificate that OpenSSL made, to be sure that the reading is not of our own builder alone. */
static void test_a_certificate_made_by_openssl_parses(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 77);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 1000);
    X509_set_pubkey(x509, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC, (const uint8_t *)"x", -1, -1, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(x509, extension, -1);
    assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
    uint8_t *bytes = NULL;
    int len = i2d_X509(x509, &bytes);
    assert_int_equal(tbs_parse_certificate(mg_slice_of(bytes, (size_t)len), &tbs, NULL), MG_OK);
    assert_int_equal(tbs.version, 3);
    assert_true(mg_slice_equal(tbs.serial, mg_slice_of("\x4d", 1)));
    assert_int_equal(tbs.not_after - tbs.not_before, 1000);
    assert_int_equal(tbs.num_extensions, 1);
    assert_int_equal(tbs.public_key.len, 65);
    assert_true(mg_slice_equal(tbs.signature_algorithm, key_type_get0(WIRE_KEY_EC_P256)->signature_algorithm));
    for (int cut = 0; cut < len; cut++) {
        assert_int_equal(tbs_parse_certificate(mg_slice_of(bytes, (size_t)cut), &tbs, NULL), MG_INVALID);
    }
    OPENSSL_free(bytes);
    X509_EXTENSION_free(extension);
    X509_free(x509);
    EVP_PKEY_free(key);
}

#define LEAF_TEST(name) cmocka_unit_test_setup_teardown(name, make_leaf, free_leaf)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAF_TEST(test_every_field_is_found),
        LEAF_TEST(test_versions),
        LEAF_TEST(test_unique_ids_are_noticed),
        LEAF_TEST(test_no_extensions_is_well_formed_but_an_empty_list_is_not),
        LEAF_TEST(test_more_extensions_than_the_bound_are_refused),
        LEAF_TEST(test_bytes_left_over_are_refused_at_every_level),
        LEAF_TEST(test_malformed_names_are_refused),
        LEAF_TEST(test_a_tbs_cut_anywhere_is_refused),
        LEAF_TEST(test_a_certificate_made_by_openssl_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
