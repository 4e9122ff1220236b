/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of private CAs through the calls of the control socket: what they sign, and everything that they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "hsm/control_service.h"
#include "hsm/der.h"
#include "ossl/x509_builder.h"
#include "signer_fixture.h"
#include "temp_dir.h"

#define NOW INT64_C(1795254060)
#define DAY INT64_C(86400)

static struct issuers_fixture *f;
static struct control_service service;
static struct journal *journal;
static struct mg_buffer request_packet, reply_packet, der;

static int open_service(void **state)
{
    temp_dir_make(state);
    f = calloc(1, sizeof(*f));
    issuers_open(f, WIRE_KEY_EC_P256, false);
    const struct journal_config config = {.directory = temp_path("journal"), .rotate_bytes = 1 << 20};
    assert_int_equal(journal_open(&journal, &config, NOW * 1000000, NULL), MG_OK);
    service = (struct control_service){
        .store = f->store, .backends = &f->backends, .issuers = f->publisher, .client_keys = f->client_keys};
    assert_int_equal(ca_signer_init(&service.ca, &service.tokens, journal, NULL), MG_OK);
    mg_buffer_init(&request_packet, WIRE_CONTROL_MAX_PACKET);
    mg_buffer_init(&reply_packet, WIRE_CONTROL_MAX_PACKET);
    mg_buffer_init(&der, 1 << 16);
    return 0;
}

static int close_service(void **state)
{
    mg_buffer_free(&der);
    mg_buffer_free(&request_packet);
    mg_buffer_free(&reply_packet);
    ca_signer_free(&service.ca);
    journal_close(journal);
    issuers_close(f);
    free(f);
    return temp_dir_remove(state);
}

/* ask makes a call; the reply borrows from a buffer until the next. */
static struct wire_control_reply ask(const struct wire_control_request *request)
{
    struct wire_control_reply reply;
    mg_buffer_clear(&request_packet);
    wire_control_encode_request(&request_packet, request);
    assert_int_equal(control_service_handle(&service, mg_buffer_slice(&request_packet), NOW, &reply_packet, NULL),
                     MG_OK);
    assert_int_equal(wire_control_decode_reply(mg_buffer_slice(&reply_packet), &reply, NULL), MG_OK);
    return reply;
}

static const struct keystore_key *make_key(enum wire_key_purpose purpose, uint8_t token)
{
    struct wire_control_request request = {
        .call = WIRE_CONTROL_MAKE_KEY, .make_key = {.purpose = purpose, .type = WIRE_KEY_EC_P256, .token = {{token}}}};
    struct wire_control_reply reply = ask(&request);
    assert_int_equal(reply.status, WIRE_CONTROL_OK);
    return keystore_find0(f->store, &reply.made);
}

/* ---- what is to be signed ---- */

/* What differs from a good certificate of an end-entity. Texts are in OpenSSL's configuration syntax; "" leaves the
 * extension out. */
struct spec {
    const char *subject, *issuer; /* common names; NULL: "Subject", the CA's */
    EVP_PKEY *key;                /* NULL: some other key */
    EVP_PKEY *aki_of;             /* NULL: the CA's */
    const char *basic_constraints, *key_usage, *aki, *ski;
    int extra_nid;
    const char *extra;
    int64_t not_before, not_after;
    bool zero_serial, negative_serial, short_serial, version_1;
    const EVP_MD *digest;
};

static EVP_PKEY *subject_key;

static void set_name(X509_NAME *name, const char *common_name)
{
    if (common_name[0] != '\0') {
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0),
                         1);
    }
}

static void add(X509 *x509, X509 *issuer, int nid, const char *value)
{
    if (value[0] != '\0') {
        assert_true(x509_builder_add_extension(x509, issuer, nid, value));
    }
}

static const char * or (const char *text, const char *otherwise)
{
    return text == NULL ? otherwise : text;
}

static void set_serial(X509 *x509, const struct spec *spec)
{
    assert_true(x509_builder_set_serial(x509));
    if (spec->zero_serial || spec->short_serial) {
        assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), spec->short_serial ? 77 : 0), 1);
    }
    if (spec->negative_serial) {
        X509_get_serialNumber(x509)->type = V_ASN1_NEG_INTEGER;
    }
}

/* make_tbs puts the TBSCertificate of |spec| below the CA whose certificate has |ca_key| and |ca_name|. */
static struct mg_slice make_tbs(EVP_PKEY *ca_key, const char *ca_name, const struct spec *spec)
{
    X509 *x509 = X509_new(), *issuer = X509_new();
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    set_name(X509_get_subject_name(issuer), ca_name);
    assert_int_equal(X509_set_pubkey(issuer, spec->aki_of != NULL ? spec->aki_of : ca_key), 1);
    add(issuer, issuer, NID_subject_key_identifier, "hash");
    assert_int_equal(X509_set_version(x509, spec->version_1 ? X509_VERSION_1 : X509_VERSION_3), 1);
    set_serial(x509, spec);
    assert_true(x509_builder_set_validity(x509, spec->not_before != 0 ? spec->not_before : NOW,
                                          spec->not_after != 0 ? spec->not_after : NOW + DAY));
    set_name(X509_get_subject_name(x509), or (spec->subject, "Subject"));
    set_name(X509_get_issuer_name(x509), or (spec->issuer, ca_name));
    assert_int_equal(X509_set_pubkey(x509, spec->key != NULL ? spec->key : subject_key), 1);
    if (!spec->version_1) {
        add(x509, issuer, NID_basic_constraints, or (spec->basic_constraints, "CA:FALSE"));
        add(x509, issuer, NID_key_usage, or (spec->key_usage, "critical,digitalSignature"));
        add(x509, issuer, NID_subject_key_identifier, or (spec->ski, "hash"));
        add(x509, issuer, NID_authority_key_identifier, or (spec->aki, "keyid:always"));
        add(x509, issuer, spec->extra_nid, or (spec->extra, ""));
    }
    assert_true(X509_sign(x509, signer, spec->digest != NULL ? spec->digest : EVP_sha256()) > 0);
    uint8_t *bytes = NULL;
    int len = i2d_re_X509_tbs(x509, &bytes);
    mg_buffer_clear(&der);
    mg_buffer_append(&der, bytes, (size_t)len);
    OPENSSL_free(bytes);
    EVP_PKEY_free(signer);
    X509_free(issuer);
    X509_free(x509);
    return mg_buffer_slice(&der);
}

/* ---- CAs ---- */

#define CA_USAGE "critical,keyCertSign,cRLSign"

/* A certificate by |signer|, whole, to be installed. */
static struct mg_slice make_certificate(EVP_PKEY *key, const char *name, const char *constraints, EVP_PKEY *signer,
                                        const char *issuer_name)
{
    X509 *x509 = X509_new(), *issuer = X509_new();
    set_name(X509_get_subject_name(issuer), issuer_name);
    assert_int_equal(X509_set_pubkey(issuer, signer), 1);
    add(issuer, issuer, NID_subject_key_identifier, "hash");
    set_name(X509_get_subject_name(x509), name);
    set_name(X509_get_issuer_name(x509), issuer_name);
    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_true(x509_builder_set_serial(x509));
    assert_true(x509_builder_set_validity(x509, NOW - DAY, NOW + 9 * DAY));
    assert_int_equal(X509_set_pubkey(x509, key), 1);
    add(x509, issuer, NID_basic_constraints, constraints);
    add(x509, issuer, NID_key_usage, CA_USAGE);
    add(x509, issuer, NID_subject_key_identifier, "hash");
    assert_true(X509_sign(x509, signer, EVP_sha256()) > 0);
    uint8_t *bytes = NULL;
    int len = i2d_X509(x509, &bytes);
    mg_buffer_clear(&der);
    mg_buffer_append(&der, bytes, (size_t)len);
    OPENSSL_free(bytes);
    X509_free(issuer);
    X509_free(x509);
    return mg_buffer_slice(&der);
}

static enum wire_control_status install(const struct keystore_key *key, struct mg_slice certificate)
{
    struct wire_control_request request = {.call = WIRE_CONTROL_INSTALL,
                                           .key_id = key->info.id,
                                           .install = {.certificates = {certificate}, .num_certificates = 1}};
    return ask(&request).status;
}

/* A CA with a certificate as |constraints| have it. */
static const struct keystore_key *make_ca(const char *constraints)
{
    const struct keystore_key *key = make_key(WIRE_PURPOSE_PRIVATE_CA, 1);
    struct mg_slice certificate = make_certificate(key->pkey, "CA", constraints, key->pkey, "CA");
    assert_int_equal(install(key, certificate), WIRE_CONTROL_OK);
    return key;
}

static struct wire_control_reply sign(enum wire_control_call call, const struct keystore_key *key, struct mg_slice tbs)
{
    struct wire_control_request request = {.call = call, .key_id = key->info.id, .tbs = tbs};
    return ask(&request);
}

static bool verifies(EVP_PKEY *key, struct mg_slice tbs, struct mg_slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(context, signature.data, signature.len, tbs.data, tbs.len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static void assert_signs(const struct keystore_key *key, const struct spec *spec)
{
    struct mg_slice tbs = make_tbs(key->pkey, "CA", spec);
    struct wire_control_reply reply = sign(WIRE_CONTROL_SIGN_CERTIFICATE, key, tbs);
    if (reply.status != WIRE_CONTROL_OK) {
        fail_msg("refused: %.*s", (int)reply.text.len, (const char *)reply.text.data);
    }
    assert_true(verifies(key->pkey, tbs, reply.der));
}

static void assert_refuses(const struct keystore_key *key, const struct spec *spec, const char *field)
{
    struct wire_control_reply reply = sign(WIRE_CONTROL_SIGN_CERTIFICATE, key, make_tbs(key->pkey, "CA", spec));
    if (reply.status != WIRE_CONTROL_INVALID || memmem(reply.text.data, reply.text.len, field, strlen(field)) == NULL) {
        fail_msg("%s: status %d, %.*s", field, (int)reply.status, (int)reply.text.len, (const char *)reply.text.data);
    }
}

/* ---- certificates ---- */

static void test_a_key_without_certificate_certifies_itself_and_nobody_else(void **state)
{
    (void)state;
    const struct keystore_key *key = make_key(WIRE_PURPOSE_PRIVATE_CA, 1);
    const struct spec self = {
        .subject = "CA", .key = key->pkey, .basic_constraints = "critical,CA:TRUE", .key_usage = CA_USAGE, .aki = ""};
    assert_signs(key, &self);
    struct spec other = self, leaf = self, named = self, aki = self;
    other.key = NULL;
    assert_refuses(key, &other, "subjectPublicKeyInfo");
    leaf.basic_constraints = "CA:FALSE";
    leaf.key_usage = "digitalSignature";
    assert_refuses(key, &leaf, "basicConstraints");
    named.issuer = "Another";
    assert_refuses(key, &named, "issuer");
    aki.aki = "keyid:always";
    assert_refuses(key, &aki, "authorityKeyIdentifier");
}

static void test_a_ca_with_certificate_certifies_others_and_not_itself(void **state)
{
    (void)state;
    const struct keystore_key *key = make_ca("critical,CA:TRUE");
    assert_signs(key, &(struct spec){.subject = NULL});
    assert_signs(key, &(struct spec){.basic_constraints = "critical,CA:TRUE", .key_usage = CA_USAGE});
    assert_signs(key,
                 &(struct spec){.extra_nid = NID_subject_alt_name, .extra = "DNS:a.example,URI:https://b.example"});
    assert_refuses(key, &(struct spec){.key = key->pkey}, "subjectPublicKeyInfo");
    assert_refuses(key, &(struct spec){.subject = "CA"}, "subject");
}

static void test_what_breaks_a_rule_is_not_signed(void **state)
{
    (void)state;
    const struct keystore_key *key = make_ca("critical,CA:TRUE");
    EVP_PKEY *weak = EVP_RSA_gen(1024), *stranger = EVP_EC_gen("P-256");
    const struct {
        const char *field;
        struct spec spec;
    } cases[] = {
        {"issuer", {.issuer = "Another"}},
        {"authorityKeyIdentifier", {.aki_of = stranger}},
        {"authorityKeyIdentifier", {.aki = ""}},
        {"subjectKeyIdentifier", {.ski = ""}},
        {"validity", {.not_before = NOW - 2 * DAY}},
        {"validity", {.not_after = NOW + 10 * DAY}},
        {"validity", {.not_before = NOW + DAY, .not_after = NOW}},
        {"serialNumber", {.zero_serial = true}},
        {"serialNumber", {.negative_serial = true}},
        {"serialNumber", {.short_serial = true}},
        {"version", {.version_1 = true}},
        {"signature", {.digest = EVP_sha384()}},
        {"subjectPublicKeyInfo", {.key = weak}},
        {"keyUsage", {.key_usage = "critical,keyCertSign"}},
        {"keyUsage", {.key_usage = "critical,digitalSignature,cRLSign"}},
        {"basicConstraints", {.basic_constraints = "CA:TRUE", .key_usage = CA_USAGE}},
        {"keyCertSign", {.basic_constraints = "critical,CA:TRUE", .key_usage = "digitalSignature"}},
        {"keyCertSign", {.basic_constraints = "critical,CA:TRUE", .key_usage = ""}},
        {"subject", {.subject = "", .basic_constraints = "critical,CA:TRUE", .key_usage = CA_USAGE}},
        {"extensions", {.extra_nid = NID_name_constraints, .extra = "permitted;DNS:example"}},
        {"extensions", {.extra_nid = NID_policy_constraints, .extra = "requireExplicitPolicy:0"}},
        {"extKeyUsage", {.extra_nid = NID_ext_key_usage, .extra = "serverAuth", .key_usage = "", .subject = "S"}},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(cases) - 1; i++) {
        assert_refuses(key, &cases[i].spec, cases[i].field);
    }
    assert_signs(key, &cases[MG_ARRAY_LEN(cases) - 1].spec); /* the last is good, and shows that the others are bad */
    EVP_PKEY_free(weak);
    EVP_PKEY_free(stranger);
}

/* RFC 5280 section 4.2.1.9. */
static void test_path_lengths_go_down(void **state)
{
    (void)state;
    const struct keystore_key *key = make_ca("critical,CA:TRUE,pathlen:1");
    assert_signs(key, &(struct spec){.basic_constraints = "critical,CA:TRUE,pathlen:0", .key_usage = CA_USAGE});
    assert_refuses(key, &(struct spec){.basic_constraints = "critical,CA:TRUE,pathlen:1", .key_usage = CA_USAGE},
                   "pathLenConstraint");
    assert_refuses(key, &(struct spec){.basic_constraints = "critical,CA:TRUE", .key_usage = CA_USAGE},
                   "pathLenConstraint");
}

static void test_a_ca_with_path_length_0_certifies_end_entities_alone(void **state)
{
    (void)state;
    const struct keystore_key *key = make_ca("critical,CA:TRUE,pathlen:0");
    assert_signs(key, &(struct spec){.subject = NULL});
    assert_refuses(key, &(struct spec){.basic_constraints = "critical,CA:TRUE,pathlen:0", .key_usage = CA_USAGE},
                   "pathLenConstraint");
}

static void test_what_is_no_tbs_certificate_is_not_signed(void **state)
{
    (void)state;
    const struct keystore_key *key = make_ca("critical,CA:TRUE");
    struct mg_slice whole = make_tbs(key->pkey, "CA", &(struct spec){.subject = NULL});
    for (size_t len = 1; len < whole.len; len += 7) {
        assert_int_equal(sign(WIRE_CONTROL_SIGN_CERTIFICATE, key, mg_slice_of(whole.data, len)).status,
                         WIRE_CONTROL_INVALID);
    }
    assert_int_equal(sign(WIRE_CONTROL_SIGN_CRL, key, whole).status, WIRE_CONTROL_INVALID);
}

/* ---- CRLs ---- */

struct crl_spec {
    const char *issuer; /* NULL: the CA's */
    const char *aki;
    bool no_number, version_1, no_next_update, backwards, delta;
    bool with_reason;
};

static void add_to_crl(X509_CRL *crl, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, NULL, NULL, crl, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_CRL_add_ext(crl, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void revoke(X509_CRL *crl, bool with_reason)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *serial = ASN1_INTEGER_new();
    ASN1_TIME *date = ASN1_TIME_set(NULL, NOW);
    ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
    assert_true(ASN1_INTEGER_set(serial, 4711) == 1 && X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
                X509_REVOKED_set_revocationDate(entry, date) == 1 && ASN1_ENUMERATED_set(reason, 1) == 1);
    if (with_reason) {
        assert_int_equal(X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0), 1);
    }
    assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_free(date);
    ASN1_ENUMERATED_free(reason);
}

/* make_crl puts the TBSCertList of |spec|: the first element of the signed CRL's SEQUENCE. */
static struct mg_slice make_crl(EVP_PKEY *ca_key, const struct crl_spec *spec)
{
    X509_CRL *crl = X509_CRL_new();
    X509 *issuer = X509_new();
    EVP_PKEY *signer = EVP_EC_gen("P-256");
    X509_NAME *name = X509_NAME_new();
    ASN1_TIME *this_update = ASN1_TIME_set(NULL, NOW), *next = ASN1_TIME_set(NULL, NOW + (spec->backwards ? -1 : DAY));
    set_name(name, or (spec->issuer, "CA"));
    assert_int_equal(X509_set_pubkey(issuer, ca_key), 1);
    add(issuer, issuer, NID_subject_key_identifier, "hash");
    assert_true(X509_CRL_set_version(crl, spec->version_1 ? 0 : 1) == 1 && X509_CRL_set_issuer_name(crl, name) == 1 &&
                X509_CRL_set1_lastUpdate(crl, this_update) == 1);
    if (!spec->no_next_update) {
        assert_int_equal(X509_CRL_set1_nextUpdate(crl, next), 1);
    }
    revoke(crl, spec->with_reason);
    if (or (spec->aki, "keyid:always")[0] != '\0') {
        add_to_crl(crl, issuer, NID_authority_key_identifier, or (spec->aki, "keyid:always"));
    }
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    assert_int_equal(ASN1_INTEGER_set(number, 5), 1);
    if (!spec->no_number) {
        assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0), 1);
    }
    if (spec->delta) {
        assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, number, 1, 0), 1);
    }
    assert_true(X509_CRL_sign(crl, signer, EVP_sha256()) > 0);
    uint8_t *bytes = NULL;
    int len = i2d_X509_CRL(crl, &bytes);
    struct mg_slice whole = mg_slice_of(bytes, (size_t)len), content, ignored, tbs = mg_slice_of(NULL, 0);
    assert_true(der_get(&whole, DER_SEQUENCE, &content) && der_get_whole(&content, DER_SEQUENCE, &ignored, &tbs));
    mg_buffer_clear(&der);
    mg_buffer_append_slice(&der, tbs);
    OPENSSL_free(bytes);
    ASN1_INTEGER_free(number);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next);
    X509_NAME_free(name);
    EVP_PKEY_free(signer);
    X509_free(issuer);
    X509_CRL_free(crl);
    return mg_buffer_slice(&der);
}

static void test_a_whole_crl_of_the_ca_is_signed(void **state)
{
    (void)state;
    const struct keystore_key *key = make_ca("critical,CA:TRUE");
    struct mg_slice tbs = make_crl(key->pkey, &(struct crl_spec){.with_reason = true});
    struct wire_control_reply reply = sign(WIRE_CONTROL_SIGN_CRL, key, tbs);
    assert_int_equal(reply.status, WIRE_CONTROL_OK);
    assert_true(verifies(key->pkey, tbs, reply.der));
    assert_int_equal(sign(WIRE_CONTROL_SIGN_CERTIFICATE, key, tbs).status, WIRE_CONTROL_INVALID);
}

static void test_crls_that_break_a_rule_are_not_signed(void **state)
{
    (void)state;
    const struct keystore_key *key = make_ca("critical,CA:TRUE");
    const struct crl_spec bad[] = {
        {.issuer = "Another"},    {.aki = ""},         {.no_number = true}, {.version_1 = true},
        {.no_next_update = true}, {.backwards = true}, {.delta = true},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(sign(WIRE_CONTROL_SIGN_CRL, key, make_crl(key->pkey, &bad[i])).status, WIRE_CONTROL_INVALID);
    }
    struct mg_slice whole = make_crl(key->pkey, &(struct crl_spec){.with_reason = true});
    for (size_t len = 1; len < whole.len; len++) {
        assert_int_equal(sign(WIRE_CONTROL_SIGN_CRL, key, mg_slice_of(whole.data, len)).status, WIRE_CONTROL_INVALID);
    }
    const struct keystore_key *bare = make_key(WIRE_PURPOSE_PRIVATE_CA, 2);
    assert_int_equal(sign(WIRE_CONTROL_SIGN_CRL, bare, make_crl(bare->pkey, &(struct crl_spec){.issuer = NULL})).status,
                     WIRE_CONTROL_INVALID);
}

/* ---- keys ---- */

static void test_keys_for_anything_else_and_the_built_in_root_sign_nothing_here(void **state)
{
    (void)state;
    static const enum wire_control_call calls[] = {WIRE_CONTROL_SIGN_CERTIFICATE, WIRE_CONTROL_SIGN_CRL};
    const struct keystore_key *keys[KEY_PURPOSE_LAST + 1];
    size_t num = 0;
    keys[num++] = keystore_find0_origin(f->store, KEY_ORIGIN_BUILTIN_ROOT);
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        const struct key_info info = {.purpose = (enum key_purpose)purpose,
                                      .role = purpose == KEY_MINTING ? WIRE_ISSUER_OFFERED : 0,
                                      .origin = KEY_ORIGIN_CONTROL,
                                      .type = WIRE_KEY_EC_P256};
        if (purpose != KEY_PRIVATE_CA) {
            assert_int_equal(keystore_make(f->store, &info, &keys[num++], NULL), MG_OK);
        }
    }
    for (size_t i = 0; i < num; i++) {
        for (size_t j = 0; j < MG_ARRAY_LEN(calls); j++) {
            struct mg_slice tbs = make_tbs(keys[i]->pkey, "CA", &(struct spec){.subject = NULL});
            assert_int_equal(sign(calls[j], keys[i], tbs).status, WIRE_CONTROL_DENIED);
        }
    }
}

static void test_a_private_ca_is_installed_once_and_issues_no_leaves(void **state)
{
    (void)state;
    const struct keystore_key *key = make_key(WIRE_PURPOSE_PRIVATE_CA, 1);
    EVP_PKEY *stranger = EVP_EC_gen("P-256");
    assert_int_equal(install(key, make_certificate(stranger, "CA", "critical,CA:TRUE", stranger, "CA")),
                     WIRE_CONTROL_INVALID);
    assert_int_equal(install(key, make_certificate(key->pkey, "CA", "CA:FALSE", stranger, "Root")),
                     WIRE_CONTROL_INVALID);
    struct mg_buffer first;
    mg_buffer_init(&first, 1 << 16);
    mg_buffer_append_slice(&first, make_certificate(key->pkey, "CA", "critical,CA:TRUE", stranger, "Root"));
    assert_int_equal(install(key, mg_buffer_slice(&first)), WIRE_CONTROL_OK);
    assert_int_equal(install(key, mg_buffer_slice(&first)), WIRE_CONTROL_OK);
    assert_int_equal(install(key, make_certificate(key->pkey, "CA", "critical,CA:TRUE", stranger, "Root")),
                     WIRE_CONTROL_EXISTS);
    struct issuer_set *set = issuer_publisher_get(f->publisher);
    assert_null(issuer_set_find0(set, &key->info.id));
    issuer_set_free(set);
    mg_buffer_free(&first);
    EVP_PKEY_free(stranger);
    struct wire_control_request request = {.call = WIRE_CONTROL_REMOVE, .key_id = key->info.id};
    assert_int_equal(ask(&request).status, WIRE_CONTROL_DENIED);
    struct wire_key_id id = key->info.id;
    request.call = WIRE_CONTROL_DESTROY;
    assert_int_equal(ask(&request).status, WIRE_CONTROL_OK);
    assert_null(keystore_find0(f->store, &id));
}

static void test_certificates_are_in_the_journal_before_they_are_signed(void **state)
{
    (void)state;
    const struct keystore_key *key = make_ca("critical,CA:TRUE");
    uint64_t before = mg_counter_get(&journal_counters(journal)->records);
    assert_signs(key, &(struct spec){.extra_nid = NID_subject_alt_name, .extra = "DNS:a.example"});
    assert_refuses(key, &(struct spec){.issuer = "Another"}, "issuer");
    assert_int_equal(mg_counter_get(&journal_counters(journal)->records), before + 1);
}

#define SERVICE_TEST(name) cmocka_unit_test_setup_teardown(name, open_service, close_service)

int main(void)
{
    mg_log_init("test", MG_LOG_ERROR);
    subject_key = EVP_EC_gen("P-256");
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(test_a_key_without_certificate_certifies_itself_and_nobody_else),
        SERVICE_TEST(test_a_ca_with_certificate_certifies_others_and_not_itself),
        SERVICE_TEST(test_what_breaks_a_rule_is_not_signed),
        SERVICE_TEST(test_path_lengths_go_down),
        SERVICE_TEST(test_a_ca_with_path_length_0_certifies_end_entities_alone),
        SERVICE_TEST(test_what_is_no_tbs_certificate_is_not_signed),
        SERVICE_TEST(test_a_whole_crl_of_the_ca_is_signed),
        SERVICE_TEST(test_crls_that_break_a_rule_are_not_signed),
        SERVICE_TEST(test_keys_for_anything_else_and_the_built_in_root_sign_nothing_here),
        SERVICE_TEST(test_a_private_ca_is_installed_once_and_issues_no_leaves),
        SERVICE_TEST(test_certificates_are_in_the_journal_before_they_are_signed),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    EVP_PKEY_free(subject_key);
    return failures;
}
