/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/certificate_request.h"

#include <openssl/x509.h>

#include "base/utf8.h"
#include "hsm/ca_extensions.h"
#include "ossl/openssl_error.h"

_Static_assert(WIRE_CONTROL_NO_PATH_LEN == CA_EXTENSIONS_NO_PATH_LEN, "both say none alike");

/* RFC 5280 appendix A.1: the upper bounds, in characters. */
static const struct {
    int nid;
    size_t max_characters;
} attributes[WIRE_SUBJECT_NUM_ATTRIBUTES] = {
    [WIRE_SUBJECT_C] = {NID_countryName, 2},
    [WIRE_SUBJECT_ST] = {NID_stateOrProvinceName, 128},
    [WIRE_SUBJECT_L] = {NID_localityName, 128},
    [WIRE_SUBJECT_O] = {NID_organizationName, 64},
    [WIRE_SUBJECT_OU] = {NID_organizationalUnitName, 64},
    [WIRE_SUBJECT_CN] = {NID_commonName, 64},
};

/* Checks */

static size_t num_characters(struct mg_slice text)
{
    uint32_t character;
    size_t count = 0;
    while (mg_utf8_take(&text, &character)) {
        count++;
    }
    return count;
}

static bool is_country(struct mg_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < 'A' || value.data[i] > 'Z') {
            return false;
        }
    }
    return value.len == 2;
}

static enum mg_status check_attribute(enum wire_subject_attribute attribute, struct mg_slice value,
                                      struct mg_error *error)
{
    const char *name = wire_subject_attribute_name(attribute);
    if (!mg_utf8_is_label(value)) {
        return mg_error_set(error, MG_INVALID, "%s: must be UTF-8 without control characters", name);
    }
    if (num_characters(value) > attributes[attribute].max_characters) {
        return mg_error_set(error, MG_INVALID, "%s: at most %zu characters are allowed", name,
                            attributes[attribute].max_characters);
    }
    if (attribute == WIRE_SUBJECT_C && value.len > 0 && !is_country(value)) {
        return mg_error_set(error, MG_INVALID, "C: must be two capital letters (ISO 3166)");
    }
    return MG_OK;
}

static enum mg_status check_subject(const struct mg_slice *subject, struct mg_error *error)
{
    size_t total_len = 0;
    for (size_t i = 0; i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        enum mg_status status = check_attribute((enum wire_subject_attribute)i, subject[i], error);
        if (status != MG_OK) {
            return status;
        }
        total_len += subject[i].len;
    }
    return total_len > 0 ? MG_OK : mg_error_set(error, MG_INVALID, "subject: must have at least one attribute");
}

static const EVP_MD *digest_of(enum wire_csr_digest digest)
{
    switch (digest) {
    case WIRE_CSR_SHA256:
        return EVP_sha256();
    case WIRE_CSR_SHA384:
        return EVP_sha384();
    case WIRE_CSR_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

/* Building: each step returns false when OpenSSL does. */

/* X.520 and RFC 5280 section 4.1.2.4: UTF8String, but PrintableString for the country; OpenSSL's table knows. */
static bool set_subject(X509_REQ *request, const struct mg_slice *subject)
{
    X509_NAME *name = X509_REQ_get_subject_name(request);
    for (size_t i = 0; i < WIRE_SUBJECT_NUM_ATTRIBUTES; i++) {
        if (subject[i].len > 0 && X509_NAME_add_entry_by_NID(name, attributes[i].nid, MBSTRING_UTF8, subject[i].data,
                                                             (int)subject[i].len, -1, 0) != 1) {
            return false;
        }
    }
    return true;
}

/* push takes over |extension|, which may be NULL. */
static bool push(STACK_OF(X509_EXTENSION) * extensions, X509_EXTENSION *extension)
{
    if (extension == NULL || sk_X509_EXTENSION_push(extensions, extension) <= 0) {
        X509_EXTENSION_free(extension);
        return false;
    }
    return true;
}

static bool ask_for_extensions(X509_REQ *request, int path_len)
{
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    bool ok = extensions != NULL && push(extensions, ca_extensions_basic_constraints(path_len)) &&
              push(extensions, ca_extensions_key_usage()) &&
              push(extensions, ca_extensions_key_identifier(X509_REQ_get_X509_PUBKEY(request))) &&
              X509_REQ_add_extensions(request, extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return ok;
}

static X509_REQ *build(EVP_PKEY *key, const struct wire_control_make_csr *wanted)
{
    X509_REQ *request = X509_REQ_new();
    bool ok = request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
              set_subject(request, wanted->subject) && X509_REQ_set_pubkey(request, key) == 1 &&
              ask_for_extensions(request, wanted->path_len);
    if (!ok) {
        X509_REQ_free(request);
        return NULL;
    }
    return request;
}

/* Signing elsewhere */

/* set_algorithm writes the signature algorithm: ecdsa-with-SHA2 has no parameters (RFC 5758 section 3.2), and
 * sha2WithRSAEncryption NULL (RFC 4055 section 5). */
static bool set_algorithm(X509_REQ *request, const struct key_type *type, const EVP_MD *digest)
{
    int nid;
    bool is_rsa = type->curve == NULL;
    X509_ALGOR *algorithm = X509_ALGOR_new();
    bool ok = algorithm != NULL &&
              OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(digest), is_rsa ? EVP_PKEY_RSA : EVP_PKEY_EC) == 1 &&
              X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), is_rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) == 1 &&
              X509_REQ_set1_signature_algo(request, algorithm) == 1;
    X509_ALGOR_free(algorithm);
    return ok;
}

/* set_signature writes |signature| as a BIT STRING of whole octets. */
static bool set_signature(X509_REQ *request, struct mg_slice signature)
{
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    if (bits == NULL || ASN1_BIT_STRING_set(bits, MG_UNCONST(signature.data), (int)signature.len) != 1) {
        ASN1_BIT_STRING_free(bits);
        return false;
    }
    bits->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07);
    bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
    X509_REQ_set0_signature(request, bits);
    return true;
}

static bool hash_request(X509_REQ *request, const EVP_MD *digest, uint8_t out[EVP_MAX_MD_SIZE])
{
    uint8_t *tbs = NULL;
    int len = i2d_re_X509_REQ_tbs(request, &tbs);
    bool ok = len > 0 && EVP_Digest(tbs, (size_t)len, out, NULL, digest, NULL) == 1;
    OPENSSL_free(tbs);
    return ok;
}

static enum mg_status sign_elsewhere(X509_REQ *request, const struct key_type *type, enum wire_csr_digest digest,
                                     const struct certificate_request_signer *elsewhere, struct mg_error *error)
{
    const EVP_MD *md = digest_of(digest);
    uint8_t octets[EVP_MAX_MD_SIZE], signature[WIRE_SIGNER_MAX_SIGNATURE];
    size_t len;
    if (!set_algorithm(request, type, md) || !hash_request(request, md, octets)) {
        return openssl_error_set(error, "cannot prepare a certification request");
    }
    enum mg_status status = elsewhere->sign(elsewhere->arg, digest, mg_slice_of(octets, (size_t)EVP_MD_get_size(md)),
                                            signature, &len, error);
    if (status == MG_OK && !set_signature(request, mg_slice_of(signature, len))) {
        status = openssl_error_set(error, "cannot finish a certification request");
    }
    return status;
}

static enum mg_status sign(X509_REQ *request, const struct keystore_key *key, enum wire_csr_digest digest,
                           const struct certificate_request_signer *elsewhere, struct mg_error *error)
{
    if (digest_of(digest) == NULL) {
        return mg_error_set(error, MG_INVALID, "digest: unknown");
    }
    if (elsewhere != NULL) {
        return sign_elsewhere(request, key->type, digest, elsewhere, error);
    }
    return X509_REQ_sign(request, key->pkey, digest_of(digest)) > 0
               ? MG_OK
               : openssl_error_set(error, "cannot sign a certification request");
}

static enum mg_status append(struct mg_buffer *out, const X509_REQ *request, struct mg_error *error)
{
    uint8_t *der = NULL;
    int len = i2d_X509_REQ(request, &der);
    if (len <= 0) {
        return openssl_error_set(error, "cannot encode a certification request");
    }
    mg_buffer_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a certification request");
}

enum mg_status certificate_request_make(const struct keystore_key *key, const struct wire_control_make_csr *wanted,
                                        const struct certificate_request_signer *elsewhere, struct mg_buffer *out,
                                        struct mg_error *error)
{
    if (!key_purpose_allows(key->info.purpose, KEY_CALL_SIGN_CSR)) {
        return mg_error_set(error, MG_DENIED, "a key for %s does not sign certification requests",
                            key_purpose_name(key->info.purpose));
    }
    enum mg_status status = check_subject(wanted->subject, error);
    if (status != MG_OK) {
        return status;
    }
    X509_REQ *request = build(key->pkey, wanted);
    if (request == NULL) {
        return openssl_error_set(error, "cannot make a certification request");
    }
    status = sign(request, key, wanted->digest, elsewhere, error);
    if (status == MG_OK) {
        status = append(out, request, error);
    }
    X509_REQ_free(request);
    return status;
}
