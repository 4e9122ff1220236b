/* SPDX-License-Identifier: Apache-2.0 */
#include "ca_builder.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static void need(bool condition)
{
    if (!condition) {
        abort();
    }
}

EVP_PKEY *ca_key(const char *kind, unsigned bits)
{
    EVP_PKEY *key = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(bits) : EVP_EC_gen(kind);
    need(key != NULL);
    return key;
}

static void add(X509 *x509, X509 *issuer, int nid, const char *given, const char *usual)
{
    const char *value = given != NULL ? given : usual;
    if (value == NULL || value[0] == '\0') {
        return;
    }
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    need(extension != NULL && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void add_unknown(X509 *x509)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    need(oid != NULL && value != NULL && ASN1_OCTET_STRING_set(value, (const uint8_t *)"\x05\0", 2) == 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    need(extension != NULL && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static void add_extensions(X509 *x509, X509 *issuer, const struct ca_spec *spec)
{
    add(x509, issuer, NID_basic_constraints, spec->basic_constraints, "critical,CA:TRUE");
    add(x509, issuer, NID_key_usage, spec->key_usage, "critical,keyCertSign,cRLSign");
    add(x509, issuer, NID_ext_key_usage, spec->extended_key_usage, NULL);
    add(x509, issuer, NID_name_constraints, spec->name_constraints, NULL);
    if (spec->unknown_critical) {
        add_unknown(x509);
    }
    if (!spec->no_ski) {
        add(x509, issuer, NID_subject_key_identifier, "hash", NULL);
    }
    if (issuer != x509 && X509_get0_subject_key_id(issuer) != NULL) {
        add(x509, issuer, NID_authority_key_identifier, "keyid:always", NULL);
    }
}

static void set_subject(X509 *x509, const char *common_name)
{
    static const struct {
        const char *type, *value;
    } others[] = {{"C", "CH"}, {"ST", "Zürich"}, {"L", "Uster"}, {"O", "Corp"}, {"OU", "Security"}};
    X509_NAME *name = X509_get_subject_name(x509);
    for (size_t i = 0; common_name != NULL && i < MG_ARRAY_LEN(others); i++) {
        const uint8_t *value = (const uint8_t *)others[i].value;
        need(X509_NAME_add_entry_by_txt(name, others[i].type, MBSTRING_UTF8, value, -1, -1, 0) == 1);
    }
    need(common_name == NULL ||
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) == 1);
}

X509 *ca_make(const struct ca_spec *spec)
{
    X509 *x509 = X509_new();
    need(x509 != NULL);
    X509 *issuer = spec->issuer != NULL ? spec->issuer : x509;
    uint64_t serial;
    need(RAND_bytes((uint8_t *)&serial, sizeof(serial)) == 1);
    need(X509_set_version(x509, spec->version_1 ? X509_VERSION_1 : X509_VERSION_3) == 1);
    need(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1) == 1);
    int64_t not_before = spec->not_before != 0 ? spec->not_before : CA_NOW - CA_DAY;
    int64_t not_after = spec->not_after != 0 ? spec->not_after : CA_NOW + 365 * CA_DAY;
    need(ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)not_before) != NULL);
    need(ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)not_after) != NULL);
    set_subject(x509, spec->common_name);
    need(X509_set_issuer_name(x509, X509_get_subject_name(issuer)) == 1 && X509_set_pubkey(x509, spec->key) == 1);
    if (!spec->version_1) {
        add_extensions(x509, issuer, spec);
    }
    EVP_PKEY *signing_key = spec->issuer_key != NULL ? spec->issuer_key : spec->key;
    need(X509_sign(x509, signing_key, spec->digest != NULL ? spec->digest : EVP_sha256()) > 0);
    return x509;
}

static void append_bio(struct mg_buffer *out, BIO *bio, int written)
{
    char *text;
    need(written == 1);
    long len = BIO_get_mem_data(bio, &text);
    mg_buffer_append(out, text, (size_t)len);
    need(mg_buffer_ok(out));
    BIO_free(bio);
}

void ca_append_pem(struct mg_buffer *out, X509 *x509)
{
    BIO *bio = BIO_new(BIO_s_mem());
    append_bio(out, bio, PEM_write_bio_X509(bio, x509));
}

void ca_append_der(struct mg_buffer *out, X509 *x509)
{
    BIO *bio = BIO_new(BIO_s_mem());
    append_bio(out, bio, i2d_X509_bio(bio, x509));
}

void ca_append_public_key(struct mg_buffer *out, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    append_bio(out, bio, PEM_write_bio_PUBKEY(bio, key));
}

void ca_append_private_key(struct mg_buffer *out, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    append_bio(out, bio, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
}
