/* SPDX-License-Identifier: Apache-2.0 */
/* Files held against the rules of the store that they are for (contracts.md section 3.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/sap/sap_file.h"
#include "tests/unit/control_sap/sap_pki.h"

static struct material material;
static struct mg_error error;
static struct material_terms terms;

static int begin(void **state)
{
    (void)state;
    terms = (struct material_terms){.now = CA_NOW};
    return 0;
}

static int end(void **state)
{
    (void)state;
    material_free(&material);
    return 0;
}

static enum mg_status read_as(enum sap_kind kind, struct sap_file file)
{
    material_free(&material);
    error.text[0] = '\0';
    return sap_file_read(&file, &terms, &kind, &material, &error);
}

static struct sap_file pem(struct mg_slice content, struct mg_slice key)
{
    return (struct sap_file){.format = SAP_FORMAT_PEM, .content = content, .key = key};
}

static void expect_refusal(enum mg_status status, const char *words)
{
    assert_int_equal(status, MG_INVALID);
    if (strstr(error.text, words) == NULL) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(material.num_certificates, 0);
}

static void test_a_chain_in_order_with_the_key_of_its_first(void **state)
{
    (void)state;
    struct mg_slice key = pki_key_pem(pki.leaf_key);
    assert_int_equal(read_as(SAP_KEYSTORE, pem(pki_chain_pem(), key)), MG_OK);
    assert_int_equal(material.num_certificates, 3);
    X509 *const without_root[] = {pki.leaf, pki.intermediate};
    assert_int_equal(read_as(SAP_KEYSTORE, pem(pki_pem(2, without_root), key)), MG_OK);
    assert_int_equal(read_as(SAP_KEYSTORE, pem(pki_pem(1, &pki.leaf), key)), MG_OK);
    struct sap_file der = {.format = SAP_FORMAT_DER, .content = pki_der(pki.leaf), .key = key};
    assert_int_equal(read_as(SAP_KEYSTORE, der), MG_OK);
}

static void test_a_chain_out_of_order_is_refused(void **state)
{
    (void)state;
    struct mg_slice key = pki_key_pem(pki.leaf_key);
    X509 *const swapped[] = {pki.leaf, pki.root, pki.intermediate}, *const gap[] = {pki.leaf, pki.root};
    expect_refusal(read_as(SAP_KEYSTORE, pem(pki_pem(3, swapped), key)), "certificate 2: has not issued");
    expect_refusal(read_as(SAP_KEYSTORE, pem(pki_pem(2, gap), key)), "certificate 2: has not issued");
    X509 *const reversed[] = {pki.root, pki.intermediate, pki.leaf};
    expect_refusal(read_as(SAP_KEYSTORE, pem(pki_pem(3, reversed), key)), "is not the first certificate's");
}

/* Names alone do not make an issuer. */
static void test_an_issuer_by_name_without_its_signature_is_refused(void **state)
{
    (void)state;
    X509 *impostor = ca_make(&(struct ca_spec){.common_name = "Intermediate", .key = pki.other_key, .no_ski = true});
    X509 *const chain[] = {pki.leaf, impostor};
    expect_refusal(read_as(SAP_KEYSTORE, pem(pki_pem(2, chain), pki_key_pem(pki.leaf_key))), "has not issued");
    X509_free(impostor);
}

static void test_another_key_is_refused(void **state)
{
    (void)state;
    expect_refusal(read_as(SAP_KEYSTORE, pem(pki_chain_pem(), pki_key_pem(pki.other_key))), "private key: is not");
    expect_refusal(read_as(SAP_KEYSTORE, pem(pki_chain_pem(), mg_slice_of(NULL, 0))), "no private key");
}

static void test_an_expired_certificate_is_refused_unless_that_is_ignored(void **state)
{
    (void)state;
    struct sap_file file = pem(pki_pem(1, &pki.expired), pki_key_pem(pki.leaf_key));
    expect_refusal(read_as(SAP_KEYSTORE, file), "certificate 1: has expired");
    file.key = mg_slice_of(NULL, 0);
    expect_refusal(read_as(SAP_TRUSTSTORE, file), "certificate 1: has expired");
    terms.ignores_expiry = true;
    assert_int_equal(read_as(SAP_TRUSTSTORE, file), MG_OK);
    terms = (struct material_terms){.now = CA_NOW - CA_DAY};
    assert_int_equal(read_as(SAP_TRUSTSTORE, file), MG_OK);
}

static void test_a_trust_store_takes_certificates_alone(void **state)
{
    (void)state;
    X509 *const any_order[] = {pki.root, pki.leaf};
    assert_int_equal(read_as(SAP_TRUSTSTORE, pem(pki_pem(2, any_order), mg_slice_of(NULL, 0))), MG_OK);
    assert_int_equal(read_as(SAP_TRUSTSTORE, pem(pki_der(pki.root), mg_slice_of(NULL, 0))), MG_OK); /* a .cer */
    expect_refusal(read_as(SAP_TRUSTSTORE, pem(pki_chain_pem(), pki_key_pem(pki.leaf_key))), "certificates alone");
    struct sap_file file = {.format = SAP_FORMAT_PKCS12, .content = pki_der(pki.root)};
    expect_refusal(read_as(SAP_TRUSTSTORE, file), "certificates alone");
    file.format = SAP_FORMAT_JAR;
    expect_refusal(read_as(SAP_TRUSTSTORE, file), "certificates alone");
}

static void test_an_undecided_store_becomes_what_the_file_is_for(void **state)
{
    (void)state;
    enum sap_kind kind = SAP_UNDECIDED;
    struct sap_file file = pem(pki_chain_pem(), mg_slice_of(NULL, 0));
    assert_int_equal(sap_file_read(&file, &terms, &kind, &material, &error), MG_OK);
    assert_int_equal(kind, SAP_TRUSTSTORE);
    material_free(&material);
    kind = SAP_UNDECIDED;
    file.key = pki_key_pem(pki.other_key);
    assert_int_equal(sap_file_read(&file, &terms, &kind, &material, &error), MG_INVALID);
    assert_int_equal(kind, SAP_UNDECIDED);
    file.key = pki_key_pem(pki.leaf_key);
    assert_int_equal(sap_file_read(&file, &terms, &kind, &material, &error), MG_OK);
    assert_int_equal(kind, SAP_KEYSTORE);
}

static void test_files_have_a_bound(void **state)
{
    (void)state;
    static uint8_t large[MATERIAL_MAX_FILE + 1];
    struct sap_file file = pem(mg_slice_of(large, sizeof(large)), mg_slice_of(NULL, 0));
    expect_refusal(read_as(SAP_TRUSTSTORE, file), "at most 51200 bytes");
    file = pem(pki_chain_pem(), mg_slice_of(large, sizeof(large)));
    expect_refusal(read_as(SAP_KEYSTORE, file), "at most 51200 bytes");
}

static void test_only_a_ca_is_an_anchor(void **state)
{
    (void)state;
    assert_true(material_is_anchor(pki.root));
    assert_true(material_is_anchor(pki.intermediate));
    assert_false(material_is_anchor(pki.leaf));
    const struct ca_spec specs[] = {
        {.common_name = "No constraints", .key = pki.root_key, .basic_constraints = ""},
        {.common_name = "No keyCertSign", .key = pki.root_key, .key_usage = "critical,digitalSignature"},
        {.common_name = "Version 1", .key = pki.root_key, .version_1 = true},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(specs); i++) {
        X509 *x509 = ca_make(&specs[i]);
        assert_false(material_is_anchor(x509));
        X509_free(x509);
    }
    X509 *old = ca_make(&(struct ca_spec){.common_name = "No key usage", .key = pki.root_key, .key_usage = ""});
    assert_true(material_is_anchor(old));
    X509_free(old);
}

static void test_formats_follow_from_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum sap_format format;
    } names[] = {
        {"a.cer", SAP_FORMAT_PEM},
        {"a.b.PEM", SAP_FORMAT_PEM},
        {"a.der", SAP_FORMAT_DER},
        {"a.p12", SAP_FORMAT_PKCS12},
        {"a.pkcs", SAP_FORMAT_PKCS12},
        {"a.pfx", SAP_FORMAT_PKCS12},
        {"store.JAR", SAP_FORMAT_JAR},
        {"jar", 0},
        {"a.", 0},
        {"", 0},
        {"a.txt", 0},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        assert_int_equal(sap_format_of_name(mg_slice_of_text(names[i].name)), names[i].format);
    }
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_a_chain_in_order_with_the_key_of_its_first),
        FILE_TEST(test_a_chain_out_of_order_is_refused),
        FILE_TEST(test_an_issuer_by_name_without_its_signature_is_refused),
        FILE_TEST(test_another_key_is_refused),
        FILE_TEST(test_an_expired_certificate_is_refused_unless_that_is_ignored),
        FILE_TEST(test_a_trust_store_takes_certificates_alone),
        FILE_TEST(test_an_undecided_store_becomes_what_the_file_is_for),
        FILE_TEST(test_files_have_a_bound),
        FILE_TEST(test_only_a_ca_is_an_anchor),
        FILE_TEST(test_formats_follow_from_names),
    };
    return cmocka_run_group_tests(tests, pki_open, pki_close);
}
