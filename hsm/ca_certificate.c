/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/ca_certificate.h"

#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "hsm/ca_extensions.h"
#include "hsm/tbs.h"
#include "ossl/openssl_error.h"

#define SERIAL_LEN 16
#define ORGANISATION "Mintgate"

/* Each step of building a certificate returns false when OpenSSL does; build calls them one after the other. */

/* RFC 5280 section 4.1.2.2: positive, and here always of 16 octets. */
static bool set_serial(X509 *x509)
{
    uint8_t bytes[SERIAL_LEN];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return false;
    }
    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
    BN_free(number);
    return ok;
}

static bool set_validity(X509 *x509, int64_t not_before, int64_t not_after)
{
    return ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)not_after) != NULL;
}

static bool set_subject(X509 *x509, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(x509);
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)ORGANISATION, -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)common_name, -1, -1, 0) == 1;
}

/* add takes over |extension|, which may be NULL. */
static bool add(X509 *x509, X509_EXTENSION *extension)
{
    bool ok = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static X509_EXTENSION *make(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    return X509V3_EXT_conf_nid(NULL, &context, nid, value);
}

/* add_extensions adds them for a certificate by |issuer|, which is |x509| itself when it signs itself. */
static bool add_extensions(X509 *x509, X509 *issuer, const struct ca_profile *profile)
{
    return add(x509, ca_extensions_basic_constraints(profile->path_len)) && add(x509, ca_extensions_key_usage()) &&
           add(x509, ca_extensions_key_identifier(X509_get_X509_PUBKEY(x509))) &&
           (issuer == x509 || add(x509, make(x509, issuer, NID_authority_key_identifier, "keyid:always"))) &&
           (!profile->for_servers || add(x509, make(x509, issuer, NID_ext_key_usage, "serverAuth")));
}

/* build makes and signs a certificate; |issuer| NULL: for the subject's own key. */
static X509 *build(X509 *issuer, const struct keystore_key *issuer_key, const struct keystore_key *subject,
                   const struct ca_profile *profile)
{
    X509 *x509 = X509_new();
    if (x509 == NULL) {
        return NULL;
    }
    X509 *by = issuer != NULL ? issuer : x509;
    const EVP_MD *digest = EVP_get_digestbyname(issuer_key->type->digest_name);
    bool ok = X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509) &&
              set_validity(x509, profile->not_before, profile->not_after) && set_subject(x509, profile->common_name) &&
              X509_set_issuer_name(x509, X509_get_subject_name(by)) == 1 && X509_set_pubkey(x509, subject->pkey) == 1 &&
              add_extensions(x509, by, profile) && X509_sign(x509, issuer_key->pkey, digest) > 0;
    if (!ok) {
        X509_free(x509);
        return NULL;
    }
    return x509;
}

/* append_and_free appends the DER of |x509|, which may be NULL. */
static enum mg_status append_and_free(X509 *x509, struct mg_buffer *out, struct mg_error *error)
{
    uint8_t *der = NULL;
    int len = x509 != NULL ? i2d_X509(x509, &der) : -1;
    X509_free(x509);
    if (len <= 0) {
        return openssl_error_set(error, "cannot make a certificate");
    }
    mg_buffer_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a certificate");
}

enum mg_status ca_certificate_self_sign(const struct keystore_key *key, const struct ca_profile *profile,
                                        struct mg_buffer *out, struct mg_error *error)
{
    return append_and_free(build(NULL, key, key, profile), out, error);
}

static X509 *parse(struct mg_slice der)
{
    const uint8_t *in = der.data;
    return d2i_X509(NULL, &in, (long)der.len);
}

enum mg_status ca_certificate_issue(const struct keystore_key *issuer, const struct keystore_key *subject,
                                    const struct ca_profile *profile, struct mg_buffer *out, struct mg_error *error)
{
    struct tbs facts;
    if (!key_purpose_allows(issuer->info.purpose, KEY_CALL_SIGN_CA)) {
        return mg_error_set(error, MG_DENIED, "a key for %s does not certify issuers",
                            key_purpose_name(issuer->info.purpose));
    }
    if (issuer->num_chain == 0) {
        return mg_error_set(error, MG_NOT_FOUND, "the certifying key has no certificate itself");
    }
    enum mg_status status = tbs_parse_certificate(issuer->chain[0], &facts, error);
    if (status != MG_OK) {
        return status;
    }
    struct ca_profile within = *profile;
    within.not_before = within.not_before < facts.not_before ? facts.not_before : within.not_before;
    within.not_after = within.not_after > facts.not_after ? facts.not_after : within.not_after;
    X509 *by = parse(issuer->chain[0]);
    X509 *x509 = by != NULL ? build(by, issuer, subject, &within) : NULL;
    X509_free(by);
    return append_and_free(x509, out, error);
}

enum mg_status ca_certificate_check_issued(struct mg_slice certificate, struct mg_slice issuer, struct mg_error *error)
{
    X509 *x509 = parse(certificate), *by = parse(issuer);
    bool ok = x509 != NULL && by != NULL && X509_check_issued(by, x509) == X509_V_OK &&
              X509_verify(x509, X509_get0_pubkey(by)) == 1;
    X509_free(x509);
    X509_free(by);
    if (!ok) {
        (void)openssl_error_set(error, "a certificate is not by its issuer");
        return MG_INVALID;
    }
    return MG_OK;
}
