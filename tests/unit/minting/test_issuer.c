/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pool.h>
#include <openssl/x509v3.h>

#include "certs.h"

static const struct issuer_options no_options;

/* struct fixture is an issuer of one certificate under a root, to be changed before it is made. */
struct fixture {
    struct mg_buffer root_name, name, root, certificate;
    struct certs_spec root_spec, spec;
    struct wire_issuer wire;
};

static void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    mg_buffer_init(&fixture->root_name, 1024);
    mg_buffer_init(&fixture->name, 1024);
    mg_buffer_init(&fixture->root, 1 << 16);
    mg_buffer_init(&fixture->certificate, 1 << 16);
    certs_subject(&fixture->root_name, "DE", "Example", "Root");
    certs_subject(&fixture->name, "DE", "Example", "Intermediate");
    fixture->root_spec = (struct certs_spec){
        .subject = mg_buffer_slice(&fixture->root_name),
        .subject_key_id = mg_slice_of_text("root's"),
        .is_ca = true,
        .path_len = -1,
        .key_usage = CERTS_KEY_USAGE_CA,
        .key = certs_key(WIRE_KEY_EC_P256, 1),
    };
    fixture->spec = (struct certs_spec){
        .subject = mg_buffer_slice(&fixture->name),
        .issuer = mg_buffer_slice(&fixture->root_name),
        .subject_key_id = mg_slice_of_text("stored"),
        .is_ca = true,
        .path_len = 0,
        .key_usage = CERTS_KEY_USAGE_CA,
        .key = certs_key(WIRE_KEY_EC_P256, 2),
        .signer = certs_key(WIRE_KEY_EC_P256, 1),
    };
    fixture->wire = (struct wire_issuer){.role = WIRE_ISSUER_DEFAULT, .key_type = WIRE_KEY_EC_P256};
}

static enum mg_status make(struct fixture *fixture, struct issuer **out, struct mg_error *error)
{
    mg_buffer_clear(&fixture->root);
    mg_buffer_clear(&fixture->certificate);
    certs_make(&fixture->root, &fixture->root_spec);
    certs_make(&fixture->certificate, &fixture->spec);
    fixture->wire.chain[0] = mg_buffer_slice(&fixture->certificate);
    fixture->wire.chain[1] = mg_buffer_slice(&fixture->root);
    fixture->wire.num_chain = 2;
    return issuer_new(out, &fixture->wire, 1, &no_options, CERTS_NOW, error);
}

static void fixture_free(struct fixture *fixture)
{
    mg_buffer_free(&fixture->root_name);
    mg_buffer_free(&fixture->name);
    mg_buffer_free(&fixture->root);
    mg_buffer_free(&fixture->certificate);
}

/* Makes it, expects a refusal that says |words|, and frees the fixture. */
static void assert_refused(struct fixture *fixture, const char *words)
{
    struct issuer *issuer = NULL;
    struct mg_error error = {""};
    assert_int_equal(make(fixture, &issuer, &error), MG_INVALID);
    if (strstr(error.text, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
    }
    fixture_free(fixture);
}

static void test_snapshot_of_a_good_issuer(void **state)
{
    (void)state;
    struct certs_pki pki;
    certs_pki_init(&pki, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    struct issuer *issuer;
    assert_int_equal(issuer_new(&issuer, &pki.wire, 42, &no_options, CERTS_NOW, NULL), MG_OK);
    assert_int_equal(issuer->generation, 42);
    assert_memory_equal(&issuer->key_id, &pki.wire.key_id, sizeof(issuer->key_id));
    assert_int_equal(issuer->role, WIRE_ISSUER_DEFAULT);
    assert_int_equal(issuer->not_before, CERTS_NOW - 400 * CERTS_DAY);
    assert_int_equal(issuer->not_after, CERTS_NOW + 800 * CERTS_DAY);
    assert_int_equal(CRYPTO_BUFFER_len(issuer->certificate), pki.intermediate.len);

    struct cert cert;
    assert_int_equal(cert_parse(&cert, cert_cbs_of(pki.intermediate.data, pki.intermediate.len), NULL), MG_OK);
    assert_true(cert_cbs_equal(cert.subject, cert_cbs_of(issuer->issuer_name.data, issuer->issuer_name.len)));
    assert_true(cert_cbs_equal(cert.spki, cert_cbs_of(issuer->spki.data, issuer->spki.len)));
    certs_pki_free(&pki); /* nothing is borrowed from it */
    assert_true(issuer->issuer_name.data[0] == 0x30);
    issuer_unref(issuer_up_ref(issuer));
    issuer_unref(issuer);
    issuer_unref(NULL);
}

static void test_a_self_signed_root_is_not_sent(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct issuer *issuer;
    assert_int_equal(make(&fixture, &issuer, NULL), MG_OK);
    assert_int_equal(issuer->num_chain, 1);
    assert_memory_equal(CRYPTO_BUFFER_data(issuer->chain[0]), fixture.certificate.data, fixture.certificate.len);
    issuer_unref(issuer);

    /* Without the root all of the chain is sent. */
    fixture.wire.num_chain = 1;
    assert_int_equal(issuer_new(&issuer, &fixture.wire, 1, &no_options, CERTS_NOW, NULL), MG_OK);
    assert_int_equal(issuer->num_chain, 1);
    issuer_unref(issuer);

    /* An issuer that is a root itself sends nothing but the leaf. */
    fixture.wire.chain[0] = fixture.wire.chain[1];
    assert_int_equal(issuer_new(&issuer, &fixture.wire, 1, &no_options, CERTS_NOW, NULL), MG_OK);
    assert_int_equal(issuer->num_chain, 0);
    assert_int_equal(CRYPTO_BUFFER_len(issuer->certificate), fixture.root.len);
    issuer_unref(issuer);
    fixture_free(&fixture);
}

/* Scar: RSA-only minting mirrored MD5 and SHA-1. RFC 5758 section 3.2, RFC 4055 section 5. */
static void test_scar_signature_algorithm_follows_the_issuers_key(void **state)
{
    (void)state;
    static const struct {
        enum wire_key_type type;
        const char *algorithm;
        size_t len;
    } cases[] = {
        {WIRE_KEY_EC_P256, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", 12},
        {WIRE_KEY_EC_P384, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12},
        {WIRE_KEY_RSA_2048, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        struct certs_pki pki;
        certs_pki_init(&pki, cases[i].type, WIRE_ISSUER_DEFAULT);
        struct issuer *issuer = certs_issuer(&pki, 1);
        assert_true(mg_slice_equal(issuer->signature_algorithm, mg_slice_of(cases[i].algorithm, cases[i].len)));
        issuer_unref(issuer);
        certs_pki_free(&pki);
    }
}

static void test_signatures_are_told_apart(void **state)
{
    (void)state;
    static const enum wire_key_type types[] = {WIRE_KEY_EC_P256, WIRE_KEY_EC_P384, WIRE_KEY_RSA_2048};
    for (size_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        struct certs_pki pki;
        certs_pki_init(&pki, types[i], WIRE_ISSUER_DEFAULT);
        struct issuer *issuer = certs_issuer(&pki, 1);
        struct mg_buffer signature;
        mg_buffer_init(&signature, 1024);
        certs_sign(&signature, pki.key, mg_slice_of_text("tbs"));
        assert_true(issuer_signed(issuer, mg_slice_of_text("tbs"), mg_buffer_slice(&signature)));
        assert_false(issuer_signed(issuer, mg_slice_of_text("tbS"), mg_buffer_slice(&signature)));
        signature.data[signature.len - 1] ^= 1;
        assert_false(issuer_signed(issuer, mg_slice_of_text("tbs"), mg_buffer_slice(&signature)));
        assert_false(issuer_signed(issuer, mg_slice_of_text("tbs"), mg_slice_of(NULL, 0)));
        mg_buffer_free(&signature);
        issuer_unref(issuer);
        certs_pki_free(&pki);
    }
}

static bool contains(struct mg_slice haystack, struct mg_slice needle)
{
    return memmem(haystack.data, haystack.len, needle.data, needle.len) != NULL;
}

/* Scar: AKI must equal the issuer's *stored* SKI. */
static void test_scar_authority_key_id_is_the_stored_one(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct issuer *issuer;
    assert_int_equal(make(&fixture, &issuer, NULL), MG_OK);
    assert_true(contains(issuer->extensions, mg_slice_of("\x55\x1d\x23\x04\x0a\x30\x08\x80\x06stored", 15)));
    issuer_unref(issuer);
    fixture_free(&fixture);
}

/* RFC 7093 section 2 method 1, as the signer and the control plane compute it too. */
static void test_leaves_of_an_issuer_without_key_id_name_the_computed_one(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.spec.subject_key_id = mg_slice_of(NULL, 0);
    struct issuer *issuer;
    assert_int_equal(make(&fixture, &issuer, NULL), MG_OK);
    struct cert cert;
    CBS der;
    CRYPTO_BUFFER_init_CBS(issuer->certificate, &der);
    assert_int_equal(cert_parse(&cert, der, NULL), MG_OK);
    uint8_t extension[9 + CERT_KEY_ID_LEN] = "\x55\x1d\x23\x04\x18\x30\x16\x80\x14";
    cert_compute_key_id(extension + 9, cert.public_key);
    assert_true(contains(issuer->extensions, mg_slice_of(extension, sizeof(extension))));
    issuer_unref(issuer);
    fixture_free(&fixture);
}

static void test_who_may_not_issue_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.spec.is_ca = false;
    assert_refused(&fixture, "certificate 0 of the chain is not a CA");
    fixture_init(&fixture);
    fixture.root_spec.is_ca = false;
    assert_refused(&fixture, "certificate 1 of the chain is not a CA");
    fixture_init(&fixture);
    fixture.spec.key_usage = CERTS_KEY_USAGE_END_ENTITY;
    assert_refused(&fixture, "keyCertSign");
    fixture_init(&fixture);
    fixture.spec.key_usage = CERTS_NO_KEY_USAGE;
    assert_refused(&fixture, "keyCertSign");
    fixture_init(&fixture);
    fixture.spec.eku = "1.3.6.1.5.5.7.3.3";
    assert_refused(&fixture, "serverAuth");
    fixture_init(&fixture);
    fixture.root_spec.path_len = 0;
    assert_refused(&fixture, "pathLenConstraint");
    fixture_init(&fixture);
    fixture.spec.subject = mg_slice_of(NULL, 0);
    assert_refused(&fixture, "subject is empty");
}

static void test_an_issuer_before_its_validity_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.spec.not_before = CERTS_NOW + 1;
    fixture.spec.not_after = CERTS_NOW + 10;
    assert_refused(&fixture, "certificate 0 of the chain is not valid before 2026-05-28T20:26:41");
    fixture_init(&fixture);
    fixture.root_spec.not_before = CERTS_NOW + 1;
    assert_refused(&fixture, "certificate 1 of the chain is not valid before");
}

/* assert_last_use makes the issuer of |fixture| and frees it. */
static void assert_last_use(struct fixture *fixture, int64_t last_use)
{
    struct issuer *issuer;
    assert_int_equal(make(fixture, &issuer, NULL), MG_OK);
    assert_true(issuer->last_use == last_use);
    assert_false(issuer_is_spent(issuer, last_use));
    assert_true(issuer_is_spent(issuer, last_use + 1));
    issuer_unref(issuer);
    fixture_free(fixture);
}

static void test_an_issuer_is_spent_a_little_before_its_chain_expires(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.spec.not_before = CERTS_NOW - CERTS_DAY;
    fixture.spec.not_after = CERTS_NOW + CERTS_DAY;
    assert_last_use(&fixture, CERTS_NOW + CERTS_DAY - ISSUER_SPARE_SECONDS);
    fixture_init(&fixture);
    fixture.spec.not_before = CERTS_NOW - 40;
    fixture.spec.not_after = CERTS_NOW + 60;
    assert_last_use(&fixture, CERTS_NOW + 55); /* a twentieth of a short life */
    fixture_init(&fixture);
    fixture.root_spec.not_after = CERTS_NOW + 1000;
    assert_last_use(&fixture, CERTS_NOW + 1000 - ISSUER_SPARE_SECONDS);
    fixture_init(&fixture);
    fixture.spec.not_before = CERTS_NOW - 1000;
    fixture.spec.not_after = CERTS_NOW - 1;
    assert_last_use(&fixture, CERTS_NOW - 1 - ISSUER_SPARE_SECONDS); /* an issuer all the same */
}

static void test_an_issuer_at_its_limits_is_accepted(void **state)
{
    (void)state;
    struct fixture fixture;
    struct issuer *issuer;
    fixture_init(&fixture);
    fixture.spec.not_before = CERTS_NOW;
    fixture.spec.not_after = CERTS_NOW;
    fixture.root_spec.path_len = 1;
    assert_int_equal(make(&fixture, &issuer, NULL), MG_OK);
    issuer_unref(issuer);
    const struct issuer_options odd = {.crl_url = "http://a/!~"};
    assert_int_equal(issuer_new(&issuer, &fixture.wire, 1, &odd, CERTS_NOW, NULL), MG_OK);
    issuer_unref(issuer);
    fixture_free(&fixture);
}

static void test_a_key_of_another_type_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.wire.key_type = WIRE_KEY_EC_P384;
    assert_refused(&fixture, "another type of key");
    fixture_init(&fixture);
    fixture.wire.key_type = WIRE_KEY_RSA_2048;
    assert_refused(&fixture, "another type of key");
    fixture_init(&fixture);
    fixture.wire.key_type = (enum wire_key_type)77;
    assert_refused(&fixture, "another type of key");
}

static void test_a_chain_that_does_not_link_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.spec.signer = certs_key(WIRE_KEY_EC_P256, 3); /* the right name, another key */
    assert_refused(&fixture, "not signed by the next");
    fixture_init(&fixture);
    fixture.spec.issuer = fixture.spec.subject; /* the right key, another name */
    assert_refused(&fixture, "not signed by the next");
}

static void test_chains_of_no_or_bad_certificates_are_refused(void **state)
{
    (void)state;
    struct issuer *issuer;
    struct mg_error error;
    struct wire_issuer wire = {.key_type = WIRE_KEY_EC_P256};
    assert_int_equal(issuer_new(&issuer, &wire, 1, &no_options, CERTS_NOW, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "1 to 8 certificates, not 0"));
    wire.num_chain = 1;
    wire.chain[0] = mg_slice_of_text("garbage");
    assert_int_equal(issuer_new(&issuer, &wire, 1, &no_options, CERTS_NOW, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "certificate 0 of the chain"));
    wire.num_chain = WIRE_SIGNER_MAX_CHAIN + 1;
    assert_int_equal(issuer_new(&issuer, &wire, 1, &no_options, CERTS_NOW, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "1 to 8 certificates, not 9"));
}

static void test_urls_that_are_no_ia5_uri_are_refused(void **state)
{
    (void)state;
    struct certs_pki pki;
    certs_pki_init(&pki, WIRE_KEY_EC_P256, WIRE_ISSUER_DEFAULT);
    char long_url[ISSUER_MAX_URL_LEN + 2];
    memset(long_url, 'a', sizeof(long_url) - 1);
    long_url[sizeof(long_url) - 1] = '\0';
    const struct issuer_options bad[] = {
        {.ca_issuers_url = ""},
        {.ocsp_url = "http://a b/"},
        {.crl_url = "http://b\xc3\xbc"
                    "cher/"},
        {.crl_url = "http://a/\n"},
        {.crl_url = long_url},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct issuer *issuer;
        assert_int_equal(issuer_new(&issuer, &pki.wire, 1, &bad[i], CERTS_NOW, NULL), MG_INVALID);
    }
    certs_pki_free(&pki);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshot_of_a_good_issuer),
        cmocka_unit_test(test_a_self_signed_root_is_not_sent),
        cmocka_unit_test(test_scar_signature_algorithm_follows_the_issuers_key),
        cmocka_unit_test(test_signatures_are_told_apart),
        cmocka_unit_test(test_scar_authority_key_id_is_the_stored_one),
        cmocka_unit_test(test_leaves_of_an_issuer_without_key_id_name_the_computed_one),
        cmocka_unit_test(test_who_may_not_issue_is_refused),
        cmocka_unit_test(test_an_issuer_before_its_validity_is_refused),
        cmocka_unit_test(test_an_issuer_is_spent_a_little_before_its_chain_expires),
        cmocka_unit_test(test_an_issuer_at_its_limits_is_accepted),
        cmocka_unit_test(test_a_key_of_another_type_is_refused),
        cmocka_unit_test(test_a_chain_that_does_not_link_is_refused),
        cmocka_unit_test(test_chains_of_no_or_bad_certificates_are_refused),
        cmocka_unit_test(test_urls_that_are_no_ia5_uri_are_refused),
    };
    return cmocka_run_group_tests_name("issuer", tests, NULL, NULL);
}
