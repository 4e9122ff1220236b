/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/asn1.h>
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pool.h>
#include <openssl/x509v3.h>

#include "certs.h"
#include "minting/validity.h"

/* struct fixture is an issuer and a key for each type of leaf. */
struct fixture {
    struct certs_pki pki;
    struct issuer *issuer;
    struct leaf_key *keys[LEAF_KEY_NUM_TYPES];
};

static struct fixture trust, untrust;

static int fixture_init(struct fixture *fixture, enum wire_issuer_role role)
{
    certs_pki_init(&fixture->pki, WIRE_KEY_EC_P256, role);
    fixture->issuer = certs_issuer(&fixture->pki, role);
    bool ok = leaf_key_new(&fixture->keys[LEAF_KEY_EC_P256], LEAF_KEY_EC_P256) == MG_OK &&
              leaf_key_new(&fixture->keys[LEAF_KEY_RSA_2048], LEAF_KEY_RSA_2048) == MG_OK;
    return ok ? 0 : -1;
}

static void fixture_free(struct fixture *fixture)
{
    certs_pki_free(&fixture->pki);
    issuer_unref(fixture->issuer);
    leaf_key_unref(fixture->keys[LEAF_KEY_EC_P256]);
    leaf_key_unref(fixture->keys[LEAF_KEY_RSA_2048]);
}

static int setup(void **state)
{
    (void)state;
    return fixture_init(&trust, WIRE_ISSUER_DEFAULT) | fixture_init(&untrust, WIRE_ISSUER_UNTRUST);
}

static int teardown(void **state)
{
    (void)state;
    fixture_free(&trust);
    fixture_free(&untrust);
    return 0;
}

static const struct certs_name www[] = {CERTS_DNS("www.example.com")};
static const struct mg_slice no_name;

/* Mints for what |spec| describes, as it is, from |fixture|'s EC key. */
static struct leaf *mint_as_is(struct fixture *fixture, const struct certs_spec *spec)
{
    struct mimic *mimic = certs_mimic(spec);
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    struct leaf *leaf = certs_mint(&fixture->pki, fixture->issuer, fixture->keys[LEAF_KEY_EC_P256], &names, CERTS_NOW);
    mimic_unref(mimic);
    return leaf;
}

static void leaf_free(struct leaf *leaf)
{
    cache_value_unref(&leaf->value);
}

/* The extension |nid|, which must be there with the right criticality. */
static void *get_extension(const X509 *certificate, int nid, bool is_critical)
{
    int critical;
    void *value = X509_get_ext_d2i(certificate, nid, &critical, NULL);
    assert_non_null(value);
    assert_int_equal(critical, is_critical);
    return value;
}

/* The leaf's alternative names as "DNS:..." and "IP:hex" lines, in their order. */
static char *alt_names_of(const struct leaf *leaf, bool is_critical)
{
    X509 *certificate = certs_parse_leaf(leaf);
    GENERAL_NAMES *names = get_extension(certificate, NID_subject_alt_name, is_critical);
    struct mg_buffer text;
    mg_buffer_init(&text, 1 << 20);
    for (size_t i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        assert_true(name->type == GEN_DNS || name->type == GEN_IPADD);
        mg_buffer_append_text(&text, name->type == GEN_DNS ? "DNS:" : "IP:");
        const ASN1_STRING *value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
        for (int j = 0; j < ASN1_STRING_length(value); j++) {
            mg_buffer_append_format(&text, name->type == GEN_DNS ? "%c" : "%02x", ASN1_STRING_get0_data(value)[j]);
        }
        mg_buffer_append_text(&text, "\n");
    }
    mg_buffer_append_u8(&text, 0);
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    return (char *)text.data;
}

static void assert_alt_names(const struct leaf *leaf, bool is_critical, const char *expected)
{
    char *names = alt_names_of(leaf, is_critical);
    assert_string_equal(names, expected);
    free(names);
}

/* Whole profile of a leaf: RFC 5280 section 4, design of the leaf. */
static void test_profile_of_a_leaf(void **state)
{
    (void)state;
    struct mg_buffer subject;
    mg_buffer_init(&subject, 1024);
    certs_subject(&subject, "DE", "Example", "www.example.com");
    struct leaf *leaf =
        mint_as_is(&trust, &(struct certs_spec){.subject = mg_buffer_slice(&subject), .names = www, .num_names = 1});
    X509 *certificate = certs_parse_leaf(leaf);
    assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
    assert_int_equal(X509_get_signature_nid(certificate), NID_ecdsa_with_SHA256);
    assert_int_equal(X509_get_ext_count(certificate), 6);

    BASIC_CONSTRAINTS *constraints = get_extension(certificate, NID_basic_constraints, true);
    assert_false(constraints->ca);
    assert_null(constraints->pathlen);
    BASIC_CONSTRAINTS_free(constraints);
    assert_int_equal(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
    ASN1_BIT_STRING_free(get_extension(certificate, NID_key_usage, true));
    EXTENDED_KEY_USAGE *eku = get_extension(certificate, NID_ext_key_usage, false);
    assert_int_equal(sk_ASN1_OBJECT_num(eku), 1);
    assert_int_equal(OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, 0)), NID_server_auth);
    EXTENDED_KEY_USAGE_free(eku);
    assert_alt_names(leaf, false, "DNS:www.example.com\n");

    uint8_t *der = NULL;
    int len = i2d_X509_NAME(X509_get_subject_name(certificate), &der);
    assert_true(mg_slice_equal(mg_slice_of(der, (size_t)len), mg_buffer_slice(&subject)));
    OPENSSL_free(der);
    der = NULL;
    len = i2d_X509_NAME(X509_get_issuer_name(certificate), &der);
    assert_true(mg_slice_equal(mg_slice_of(der, (size_t)len), trust.issuer->issuer_name));
    OPENSSL_free(der);

    X509_free(certificate);
    leaf_free(leaf);
    mg_buffer_free(&subject);
}

/* Scars: CA and leaf sharing one SKI breaks Schannel; AKI must equal the issuer's *stored* SKI. */
static void test_scar_key_ids_are_the_keys_own_and_the_issuers_stored(void **state)
{
    (void)state;
    struct leaf *leaf = mint_as_is(&trust, &(struct certs_spec){.names = www, .num_names = 1});
    X509 *certificate = certs_parse_leaf(leaf);
    CBS der;
    struct cert issuer;
    CRYPTO_BUFFER_init_CBS(trust.issuer->certificate, &der);
    assert_int_equal(cert_parse(&issuer, der, NULL), MG_OK);
    ASN1_OCTET_STRING *own = get_extension(certificate, NID_subject_key_identifier, false);
    AUTHORITY_KEYID *authority = get_extension(certificate, NID_authority_key_identifier, false);
    assert_memory_equal(ASN1_STRING_get0_data(own), leaf->key->key_id, CERT_KEY_ID_LEN);
    assert_int_equal(ASN1_STRING_length(own), CERT_KEY_ID_LEN);
    assert_true(CBS_mem_equal(&issuer.subject_key_id, ASN1_STRING_get0_data(authority->keyid),
                              (size_t)ASN1_STRING_length(authority->keyid)));
    assert_null(authority->issuer);
    assert_null(authority->serial);
    assert_int_not_equal(ASN1_OCTET_STRING_cmp(own, authority->keyid), 0);
    ASN1_OCTET_STRING_free(own);
    AUTHORITY_KEYID_free(authority);
    X509_free(certificate);
    leaf_free(leaf);
}

static enum mg_status build(struct leaf_tbs *out, void *storage, size_t storage_len, const struct fixture *fixture,
                            const struct leaf_names *names, const struct leaf_key *key, int64_t now,
                            struct mg_error *error)
{
    const struct leaf_params params = {
        .issuer = fixture->issuer,
        .names = names,
        .key = key,
        .now = now,
        .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS,
    };
    return leaf_tbs_build(out, storage, storage_len, &params, error);
}

static uint8_t storage[LEAF_TBS_MAX_LEN];

/* Scar: the leaf shared the CA's own public key. */
static void test_scar_a_leaf_with_the_issuers_own_key_is_refused(void **state)
{
    (void)state;
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    const struct leaf_key key = {.spki = trust.issuer->spki};
    struct leaf_tbs tbs;
    struct mg_error error;
    assert_int_equal(build(&tbs, storage, sizeof(storage), &trust, &names, &key, CERTS_NOW, &error), MG_INVALID);
    assert_non_null(strstr(error.text, "issuer's own"));
    mimic_unref(mimic);
}

/* Scar: an SNI over 64 bytes made an invalid CN. The subject is left empty, and SAN is critical. */
static void test_scar_a_long_sni_makes_no_common_name(void **state)
{
    (void)state;
    char host[101];
    memset(host, 'a', 100);
    host[50] = '.';
    host[100] = '\0';
    struct mimic *mimic = certs_mimic(&(struct certs_spec){0});
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, mg_slice_of_text(host), NULL, NULL);
    struct leaf *leaf = certs_mint(&trust.pki, trust.issuer, trust.keys[LEAF_KEY_EC_P256], &names, CERTS_NOW);
    X509 *certificate = certs_parse_leaf(leaf);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(certificate)), 0);
    char expected[128];
    snprintf(expected, sizeof(expected), "DNS:%s\n", host);
    assert_alt_names(leaf, true, expected);
    X509_free(certificate);
    leaf_free(leaf);
    mimic_unref(mimic);
}

/* RFC 5280 section 3.2: such a certificate would pass as self-issued. */
static void test_a_server_that_bears_the_issuers_name_loses_it(void **state)
{
    (void)state;
    struct leaf *leaf =
        mint_as_is(&trust, &(struct certs_spec){.subject = trust.issuer->issuer_name, .names = www, .num_names = 1});
    assert_alt_names(leaf, true, "DNS:www.example.com\n");
    leaf_free(leaf);
}

/* Scar: RSA-only minting mirrored MD5 and SHA-1 from the upstream certificate. */
static void test_scar_weak_signatures_are_not_mirrored(void **state)
{
    (void)state;
    struct leaf *leaf = mint_as_is(&untrust, &(struct certs_spec){
                                                 .names = www,
                                                 .num_names = 1,
                                                 .key = certs_key(WIRE_KEY_RSA_2048, 0),
                                                 .digest = EVP_md5(),
                                             });
    X509 *certificate = certs_parse_leaf(leaf);
    assert_int_equal(X509_get_signature_nid(certificate), NID_ecdsa_with_SHA256);
    X509_free(certificate);
    leaf_free(leaf);
}

/* Scar: one bad upstream certificate gathered the SNI of every client into its SAN. */
static void test_scar_names_asked_for_leave_no_trace_in_other_leaves(void **state)
{
    (void)state;
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    static const char *const asked[] = {"a.example.org", "b.example.org"};
    for (size_t i = 0; i < MG_ARRAY_LEN(asked); i++) {
        struct leaf_names names;
        leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, mg_slice_of_text(asked[i]), NULL, NULL);
        struct leaf *leaf = certs_mint(&untrust.pki, untrust.issuer, untrust.keys[LEAF_KEY_EC_P256], &names, CERTS_NOW);
        char expected[128];
        snprintf(expected, sizeof(expected), "DNS:www.example.com\nDNS:%s\n", asked[i]);
        assert_alt_names(leaf, true, expected);
        leaf_free(leaf);
    }
    /* Nor does a leaf that must not carry it. */
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    struct leaf *leaf = certs_mint(&untrust.pki, untrust.issuer, untrust.keys[LEAF_KEY_EC_P256], &names, CERTS_NOW);
    assert_alt_names(leaf, true, "DNS:www.example.com\n");
    leaf_free(leaf);
    mimic_unref(mimic);
}

/* RFC 5280 section 4.1.2.2: positive, at most 20 bytes, and no leading zero, whatever was drawn. */
static void test_serials_are_positive_and_of_16_bytes(void **state)
{
    (void)state;
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    static const uint8_t drawn[] = {0x00, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < sizeof(drawn); i++) {
        struct leaf_params params = {
            .issuer = trust.issuer,
            .names = &names,
            .key = trust.keys[LEAF_KEY_EC_P256],
            .now = CERTS_NOW,
            .max_validity_seconds = VALIDITY_DEFAULT_MAX_SECONDS,
        };
        memset(params.random_serial, drawn[i], sizeof(params.random_serial));
        struct leaf_tbs tbs;
        assert_int_equal(leaf_tbs_build(&tbs, storage, sizeof(storage), &params, NULL), MG_OK);
        CBS der = cert_cbs_of(tbs.der.data, tbs.der.len), sequence, serial;
        assert_true(CBS_get_asn1(&der, &sequence, CBS_ASN1_SEQUENCE) && CBS_get_any_asn1(&sequence, &serial, NULL) &&
                    CBS_get_asn1(&sequence, &serial, CBS_ASN1_INTEGER));
        assert_true(CBS_is_unsigned_asn1_integer(&serial));
        assert_true(CBS_mem_equal(&serial, tbs.serial, LEAF_SERIAL_LEN));
        assert_memory_equal(tbs.serial + 1, params.random_serial + 1, LEAF_SERIAL_LEN - 1);
        assert_int_equal(tbs.serial[0] & 0x3f, drawn[i] & 0x3f);
    }
    mimic_unref(mimic);
}

static void test_an_rsa_leaf_may_encipher_keys(void **state)
{
    (void)state;
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    struct leaf *leaf = certs_mint(&trust.pki, trust.issuer, trust.keys[LEAF_KEY_RSA_2048], &names, CERTS_NOW);
    X509 *certificate = certs_parse_leaf(leaf);
    assert_int_equal(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
    EVP_PKEY *key = X509_get_pubkey(certificate);
    assert_int_equal(EVP_PKEY_id(key), EVP_PKEY_RSA);
    EVP_PKEY_free(key);
    X509_free(certificate);
    leaf_free(leaf);
    mimic_unref(mimic);
}

/* Verifies the leaf as a client that trusts the root does, for the name www.example.com. */
static int verify(const struct certs_pki *pki, const struct leaf *leaf)
{
    const uint8_t *der = pki->root.data;
    X509 *root = d2i_X509(NULL, &der, (long)pki->root.len), *certificate = certs_parse_leaf(leaf);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (size_t i = 0; i < leaf->issuer->num_chain; i++) {
        assert_true(sk_X509_push(chain, X509_parse_from_buffer(leaf->issuer->chain[i])));
    }
    assert_true(X509_STORE_add_cert(store, root) && X509_STORE_CTX_init(ctx, store, certificate, chain) &&
                X509_STORE_CTX_set_default(ctx, "ssl_server"));
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, CERTS_NOW);
    assert_true(X509_VERIFY_PARAM_set1_host(param, "www.example.com", 15));
    int result = X509_verify_cert(ctx) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(ctx);
    sk_X509_pop_free(chain, X509_free);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(certificate);
    X509_free(root);
    return result;
}

static void test_clients_accept_leaves_of_every_kind_of_issuer(void **state)
{
    (void)state;
    static const enum wire_key_type types[] = {WIRE_KEY_EC_P256, WIRE_KEY_EC_P384, WIRE_KEY_RSA_2048};
    for (size_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        struct fixture fixture;
        certs_pki_init(&fixture.pki, types[i], WIRE_ISSUER_DEFAULT);
        fixture.issuer = certs_issuer(&fixture.pki, 1);
        fixture.keys[LEAF_KEY_EC_P256] = leaf_key_up_ref(trust.keys[LEAF_KEY_EC_P256]);
        fixture.keys[LEAF_KEY_RSA_2048] = NULL;
        struct leaf *leaf = mint_as_is(&fixture, &(struct certs_spec){.names = www, .num_names = 1});
        assert_int_equal(verify(&fixture.pki, leaf), X509_V_OK);
        /* Another issuer of the same name and key identifier, but with another key, did not sign it. */
        if (types[i] != WIRE_KEY_EC_P256) {
            struct issuer *other = leaf->issuer;
            leaf->issuer = trust.issuer;
            assert_int_not_equal(verify(&fixture.pki, leaf), X509_V_OK);
            leaf->issuer = other;
        }
        leaf_free(leaf);
        fixture_free(&fixture);
    }
}

static bool keep_unless_bank(void *arg, enum mimic_name_kind kind, struct mg_slice name)
{
    (*(size_t *)arg)++;
    assert_true(name.len > 0);
    return kind == MIMIC_NAME_IP || memmem(name.data, name.len, "bank", 4) == NULL;
}

/* A browser reuses an HTTP/2 connection for any name of its leaf: RFC 9113 section 9.1.1. */
static void test_names_with_another_verdict_are_left_out(void **state)
{
    (void)state;
    struct mg_buffer subject;
    mg_buffer_init(&subject, 1024);
    certs_subject(&subject, NULL, NULL, "www.bank.example");
    const struct certs_name server[] = {
        CERTS_DNS("www.bank.example"), CERTS_DNS("www.example.com"), {7, {(const uint8_t *)"\xc0\x00\x02\x01", 4}},
        CERTS_DNS("*.bank.example"),   CERTS_DNS("example.com"),
    };
    struct mimic *mimic = certs_mimic(
        &(struct certs_spec){.subject = mg_buffer_slice(&subject), .names = server, .num_names = MG_ARRAY_LEN(server)});
    struct leaf_names names;
    size_t num_asked = 0;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, mg_slice_of_text("www.example.com"), keep_unless_bank, &num_asked);
    assert_int_equal(num_asked, 6); /* the common name too */
    assert_int_equal(names.num_dropped, 2);
    struct leaf *leaf = certs_mint(&trust.pki, trust.issuer, trust.keys[LEAF_KEY_EC_P256], &names, CERTS_NOW);
    assert_alt_names(leaf, true, "DNS:www.example.com\nIP:c0000201\nDNS:example.com\n");
    leaf_free(leaf);
    mimic_unref(mimic);
    mg_buffer_free(&subject);
}

static void test_a_name_covered_by_a_dropped_wildcard_alone_is_added(void **state)
{
    (void)state;
    const struct certs_name server[] = {CERTS_DNS("*.bank.example")};
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.names = server, .num_names = 1});
    struct leaf_names names;
    size_t num_asked = 0;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, mg_slice_of_text("www.bank.example"), keep_unless_bank,
                      &num_asked);
    struct leaf *leaf = certs_mint(&trust.pki, trust.issuer, trust.keys[LEAF_KEY_EC_P256], &names, CERTS_NOW);
    assert_alt_names(leaf, true, "DNS:www.bank.example\n");
    leaf_free(leaf);
    mimic_unref(mimic);
}

static void test_a_covered_name_is_not_added(void **state)
{
    (void)state;
    const struct certs_name server[] = {CERTS_DNS("*.example.com")};
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.names = server, .num_names = 1});
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, mg_slice_of_text("www.example.com"), NULL, NULL);
    assert_int_equal(names.added.len, 0);
    mimic_unref(mimic);
}

static void test_an_address_is_added_last(void **state)
{
    (void)state;
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_IP, mg_slice_of("\xc0\x00\x02\x01", 4), NULL, NULL);
    struct leaf *leaf = certs_mint(&trust.pki, trust.issuer, trust.keys[LEAF_KEY_EC_P256], &names, CERTS_NOW);
    assert_alt_names(leaf, true, "DNS:www.example.com\nIP:c0000201\n");
    leaf_free(leaf);
    mimic_unref(mimic);
}

/* RFC 5280 section 4.2.1.6: at least one name. */
static void test_a_leaf_without_a_name_is_refused(void **state)
{
    (void)state;
    struct mimic *mimic = certs_mimic(&(struct certs_spec){0});
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    struct leaf_tbs tbs;
    struct mg_error error;
    assert_int_equal(
        build(&tbs, storage, sizeof(storage), &trust, &names, trust.keys[LEAF_KEY_EC_P256], CERTS_NOW, &error),
        MG_INVALID);
    assert_non_null(strstr(error.text, "no name"));
    mimic_unref(mimic);
}

static void test_storage_that_is_too_small_is_refused(void **state)
{
    (void)state;
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.names = www, .num_names = 1});
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    struct leaf_tbs tbs;
    const struct leaf_key *key = trust.keys[LEAF_KEY_EC_P256];
    assert_int_equal(build(&tbs, storage, sizeof(storage), &trust, &names, key, CERTS_NOW, NULL), MG_OK);
    size_t needed = tbs.der.len;
    uint8_t *exact = malloc(needed);
    assert_non_null(exact);
    assert_int_equal(build(&tbs, exact, needed, &trust, &names, key, CERTS_NOW, NULL), MG_OK);
    for (size_t len = 0; len < needed; len++) {
        assert_int_equal(build(&tbs, exact, len, &trust, &names, key, CERTS_NOW, NULL), MG_LIMIT);
    }
    free(exact);
    mimic_unref(mimic);
}

static void test_the_largest_certificate_fits(void **state)
{
    (void)state;
    static char texts[MIMIC_MAX_NAMES][32];
    static struct certs_name server[MIMIC_MAX_NAMES];
    for (size_t i = 0; i < MIMIC_MAX_NAMES; i++) {
        int len = snprintf(texts[i], sizeof(texts[i]), "name-%zu.with.padding.example", i);
        server[i] = (struct certs_name){2, mg_slice_of(texts[i], (size_t)len)};
    }
    struct leaf *leaf = mint_as_is(&trust, &(struct certs_spec){.names = server, .num_names = MIMIC_MAX_NAMES});
    X509 *certificate = certs_parse_leaf(leaf);
    GENERAL_NAMES *names = get_extension(certificate, NID_subject_alt_name, true);
    assert_int_equal(sk_GENERAL_NAME_num(names), MIMIC_MAX_NAMES);
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    leaf_free(leaf);
}

/* No leaf makes a server good that is not; one that clients will refuse anyway may show what is wrong. */
static void test_an_expired_server_gets_no_trusted_leaf(void **state)
{
    (void)state;
    const struct certs_spec expired = {
        .names = www, .num_names = 1, .not_before = CERTS_NOW - 90 * CERTS_DAY, .not_after = CERTS_NOW - 1};
    struct mimic *mimic = certs_mimic(&expired);
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    struct leaf_tbs tbs;
    const struct leaf_key *key = trust.keys[LEAF_KEY_EC_P256];
    assert_int_equal(build(&tbs, storage, sizeof(storage), &trust, &names, key, CERTS_NOW, NULL), MG_DENIED);
    assert_int_equal(build(&tbs, storage, sizeof(storage), &untrust, &names, key, CERTS_NOW, NULL), MG_OK);
    assert_int_equal(tbs.not_before, expired.not_before);
    assert_int_equal(tbs.not_after, expired.not_after);
    mimic_unref(mimic);
}

static void test_pointers_are_there_where_configured(void **state)
{
    (void)state;
    const struct issuer_options options = {
        .ca_issuers_url = "http://pki.example/issuer.cer",
        .ocsp_url = "http://ocsp.example/",
        .crl_url = "http://pki.example/issuer.crl",
    };
    struct fixture fixture = trust;
    assert_int_equal(issuer_new(&fixture.issuer, &trust.pki.wire, 1, &options, CERTS_NOW, NULL), MG_OK);
    struct leaf *leaf = mint_as_is(&fixture, &(struct certs_spec){.names = www, .num_names = 1});
    X509 *certificate = certs_parse_leaf(leaf);
    assert_int_equal(X509_get_ext_count(certificate), 8);
    AUTHORITY_INFO_ACCESS *access = get_extension(certificate, NID_info_access, false);
    assert_int_equal(sk_ACCESS_DESCRIPTION_num(access), 2);
    const ACCESS_DESCRIPTION *ocsp = sk_ACCESS_DESCRIPTION_value(access, 0);
    const ACCESS_DESCRIPTION *ca_issuers = sk_ACCESS_DESCRIPTION_value(access, 1);
    assert_int_equal(OBJ_obj2nid(ocsp->method), NID_ad_OCSP);
    assert_int_equal(OBJ_obj2nid(ca_issuers->method), NID_ad_ca_issuers);
    assert_memory_equal(ASN1_STRING_get0_data(ca_issuers->location->d.uniformResourceIdentifier),
                        options.ca_issuers_url, strlen(options.ca_issuers_url));
    AUTHORITY_INFO_ACCESS_free(access);
    CRL_DIST_POINTS *points = get_extension(certificate, NID_crl_distribution_points, false);
    assert_int_equal(sk_DIST_POINT_num(points), 1);
    const GENERAL_NAMES *full_name = sk_DIST_POINT_value(points, 0)->distpoint->name.fullname;
    assert_memory_equal(ASN1_STRING_get0_data(sk_GENERAL_NAME_value(full_name, 0)->d.uniformResourceIdentifier),
                        options.crl_url, strlen(options.crl_url));
    CRL_DIST_POINTS_free(points);
    assert_int_equal(verify(&trust.pki, leaf), X509_V_OK);
    X509_free(certificate);
    leaf_free(leaf);
    issuer_unref(fixture.issuer);
}

static void test_a_leaf_keeps_its_issuer_and_key_alive(void **state)
{
    (void)state;
    struct fixture fixture;
    assert_int_equal(fixture_init(&fixture, WIRE_ISSUER_DEFAULT), 0);
    struct leaf *leaf = mint_as_is(&fixture, &(struct certs_spec){.names = www, .num_names = 1});
    fixture_free(&fixture);
    assert_int_equal(leaf->issuer->num_chain, 1);
    assert_int_equal(EVP_PKEY_bits(leaf->key->pkey), 256);
    assert_true(leaf_memory(leaf) > CRYPTO_BUFFER_len(leaf->certificate) + sizeof(struct leaf));
    assert_ptr_equal(leaf_of_value(&leaf->value), leaf);
    cache_value_up_ref(&leaf->value);
    leaf_free(leaf);
    assert_true(CRYPTO_BUFFER_len(leaf->certificate) > 0);
    leaf_free(leaf);
}

/* struct expectation is one of twenty servers that differ, and what its leaf must say. */
struct expectation {
    struct certs_spec spec;
    const char *country, *organization, *common_name;
    bool subject_is_kept;
    const char *alt_names;
    int64_t not_before, not_after; /* days from CERTS_NOW; both 0: the server's own */
};

#define NAMES(...)                                                                                                     \
    .names = (const struct certs_name[]){__VA_ARGS__},                                                                 \
    .num_names = sizeof((const struct certs_name[]){__VA_ARGS__}) / sizeof(struct certs_name)
#define IP(bytes)                                                                                                      \
    {                                                                                                                  \
        7,                                                                                                             \
        {                                                                                                              \
            (const uint8_t *)(bytes), sizeof(bytes) - 1                                                                \
        }                                                                                                              \
    }
#define OTHER(tag, text)                                                                                               \
    {                                                                                                                  \
        tag,                                                                                                           \
        {                                                                                                              \
            (const uint8_t *)(text), sizeof(text) - 1                                                                  \
        }                                                                                                              \
    }
#define DAYS(before, after) .not_before = CERTS_NOW + (before)*CERTS_DAY, .not_after = CERTS_NOW + (after)*CERTS_DAY

/* BoringSSL's reading of a time, in seconds since 1970. */
static int64_t seconds_of(const ASN1_TIME *time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds;
    assert_true(ASN1_TIME_diff(&days, &seconds, epoch, time));
    ASN1_TIME_free(epoch);
    return days * CERTS_DAY + seconds;
}

static void check_leaf(const struct expectation *expected, const struct leaf *leaf, enum leaf_key_type key_type)
{
    assert_alt_names(leaf, !expected->subject_is_kept, expected->alt_names);
    X509 *certificate = certs_parse_leaf(leaf);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(certificate)) > 0, expected->subject_is_kept);
    int64_t not_before = seconds_of(X509_get0_notBefore(certificate));
    int64_t not_after = seconds_of(X509_get0_notAfter(certificate));
    assert_int_equal(not_before, leaf->not_before);
    assert_int_equal(not_after, leaf->not_after);
    bool own = expected->not_before == 0 && expected->not_after == 0;
    assert_int_equal(not_before, own ? expected->spec.not_before : CERTS_NOW + expected->not_before * CERTS_DAY);
    assert_int_equal(not_after, own ? expected->spec.not_after : CERTS_NOW + expected->not_after * CERTS_DAY - 1);
    EVP_PKEY *key = X509_get_pubkey(certificate);
    assert_int_equal(EVP_PKEY_id(key), key_type == LEAF_KEY_EC_P256 ? EVP_PKEY_EC : EVP_PKEY_RSA);
    EVP_PKEY_free(key);
    assert_int_equal(X509_verify(certificate, trust.issuer->public_key), 1);
    X509_free(certificate);
}

static void check_server(struct expectation *expected)
{
    struct mg_buffer subject;
    mg_buffer_init(&subject, 4096);
    if (expected->spec.subject.len == 0 && (expected->organization != NULL || expected->common_name != NULL)) {
        certs_subject(&subject, expected->country, expected->organization, expected->common_name);
        expected->spec.subject = mg_buffer_slice(&subject);
    }
    struct mimic *mimic = certs_mimic(&expected->spec);
    struct leaf_names names;
    leaf_names_decide(&names, mimic, MIMIC_NAME_DNS, no_name, NULL, NULL);
    for (unsigned type = 0; type < LEAF_KEY_NUM_TYPES; type++) {
        struct leaf *leaf = certs_mint(&trust.pki, trust.issuer, trust.keys[type], &names, CERTS_NOW);
        check_leaf(expected, leaf, (enum leaf_key_type)type);
        leaf_free(leaf);
    }
    mimic_unref(mimic);
    mg_buffer_free(&subject);
}

/* The twenty: each differs from an ordinary server's certificate in one thing. The default window of |spec| is written
 * out so that it can be compared. */
static void test_twenty_differing_servers(void **state)
{
    (void)state;
    struct mg_buffer old_subject;
    mg_buffer_init(&old_subject, 1024);
    certs_subject_value(&old_subject, 3, CBS_ASN1_T61STRING, mg_slice_of_text("old.example.com"));
    char long_name[73];
    memset(long_name, 'a', sizeof(long_name));
    memcpy(long_name + 60, ".example.com", sizeof(".example.com"));
#define ORDINARY .common_name = "www.example.com", .subject_is_kept = true
#define WWW NAMES(CERTS_DNS("www.example.com")), DAYS(-30, 60)
#define WWW_TEXT .alt_names = "DNS:www.example.com\n"
    struct expectation servers[] = {
        {.spec = {WWW}, ORDINARY, WWW_TEXT},
        {.spec = {NAMES(CERTS_DNS("*.example.com"), CERTS_DNS("example.com")), DAYS(-30, 60)},
         ORDINARY,
         .alt_names = "DNS:*.example.com\nDNS:example.com\n"},
        {.spec = {NAMES(CERTS_DNS("WWW.Example.COM"), CERTS_DNS("www.example.com")), DAYS(-1, 1)}, ORDINARY, WWW_TEXT},
        {.spec = {NAMES(CERTS_DNS("xn--bcher-kva.example")), DAYS(-30, 60)},
         ORDINARY,
         .alt_names = "DNS:xn--bcher-kva.example\n"},
        {.spec = {NAMES(IP("\xc0\x00\x02\x01")), DAYS(-30, 60)}, ORDINARY, .alt_names = "IP:c0000201\n"},
        {.spec = {NAMES(IP("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")), DAYS(-30, 60)},
         ORDINARY,
         .alt_names = "IP:20010db8000000000000000000000001\n"},
        {.spec = {NAMES(CERTS_DNS("www.example.com"), OTHER(1, "root@example.com"), OTHER(6, "https://example.com/")),
                  DAYS(-30, 60)},
         ORDINARY,
         WWW_TEXT},
        {.spec = {NAMES(CERTS_DNS("www.example.com"), CERTS_DNS("a,DNS:bank.example"), CERTS_DNS("a b")),
                  DAYS(-30, 60)},
         ORDINARY,
         WWW_TEXT},
        {.spec = {NAMES(CERTS_DNS("my_host.example.com"), CERTS_DNS("intranet")), DAYS(-30, 60)},
         ORDINARY,
         .alt_names = "DNS:my_host.example.com\nDNS:intranet\n"},
        {.spec = {WWW}, WWW_TEXT},
        {.spec = {WWW, .subject = mg_buffer_slice(&old_subject)}, WWW_TEXT},
        {.spec = {WWW}, .common_name = long_name, WWW_TEXT},
        {.spec = {WWW},
         .country = "DE",
         .organization = "B\xc3\xa4r, Inc.",
         .common_name = "www.example.com",
         .subject_is_kept = true,
         WWW_TEXT},
        {.spec = {WWW, .key = certs_key(WIRE_KEY_RSA_2048, 0)}, ORDINARY, WWW_TEXT},
        {.spec = {WWW, .key = certs_key(WIRE_KEY_EC_P384, 0), .digest = EVP_sha384()}, ORDINARY, WWW_TEXT},
        {.spec = {WWW, .key = certs_key(WIRE_KEY_RSA_2048, 0), .digest = EVP_sha1()}, ORDINARY, WWW_TEXT},
        {.spec = {WWW, .is_ca = true, .path_len = -1, .key_usage = CERTS_KEY_USAGE_CA}, ORDINARY, WWW_TEXT},
        {.spec = {WWW, .eku = "1.3.6.1.5.5.7.3.2"}, ORDINARY, WWW_TEXT},
        /* longer than 200 days; longer than the issuer; before the issuer */
        {.spec = {NAMES(CERTS_DNS("www.example.com")), DAYS(-100, 298)},
         ORDINARY,
         WWW_TEXT,
         .not_before = -1,
         .not_after = 199},
        {.spec = {NAMES(CERTS_DNS("www.example.com")), DAYS(-5000, 9000)},
         ORDINARY,
         WWW_TEXT,
         .not_before = -1,
         .not_after = 199},
    };
    assert_int_equal(MG_ARRAY_LEN(servers), 20);
    for (size_t i = 0; i < MG_ARRAY_LEN(servers); i++) {
        check_server(&servers[i]);
    }
    mg_buffer_free(&old_subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_profile_of_a_leaf),
        cmocka_unit_test(test_scar_key_ids_are_the_keys_own_and_the_issuers_stored),
        cmocka_unit_test(test_scar_a_leaf_with_the_issuers_own_key_is_refused),
        cmocka_unit_test(test_scar_a_long_sni_makes_no_common_name),
        cmocka_unit_test(test_a_server_that_bears_the_issuers_name_loses_it),
        cmocka_unit_test(test_scar_weak_signatures_are_not_mirrored),
        cmocka_unit_test(test_scar_names_asked_for_leave_no_trace_in_other_leaves),
        cmocka_unit_test(test_serials_are_positive_and_of_16_bytes),
        cmocka_unit_test(test_an_rsa_leaf_may_encipher_keys),
        cmocka_unit_test(test_clients_accept_leaves_of_every_kind_of_issuer),
        cmocka_unit_test(test_names_with_another_verdict_are_left_out),
        cmocka_unit_test(test_a_name_covered_by_a_dropped_wildcard_alone_is_added),
        cmocka_unit_test(test_a_covered_name_is_not_added),
        cmocka_unit_test(test_an_address_is_added_last),
        cmocka_unit_test(test_a_leaf_without_a_name_is_refused),
        cmocka_unit_test(test_storage_that_is_too_small_is_refused),
        cmocka_unit_test(test_the_largest_certificate_fits),
        cmocka_unit_test(test_an_expired_server_gets_no_trusted_leaf),
        cmocka_unit_test(test_pointers_are_there_where_configured),
        cmocka_unit_test(test_a_leaf_keeps_its_issuer_and_key_alive),
        cmocka_unit_test(test_twenty_differing_servers),
    };
    return cmocka_run_group_tests_name("leaf", tests, setup, teardown);
}
