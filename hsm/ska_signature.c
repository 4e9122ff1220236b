/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/ska_signature.h"

#include <openssl/asn1.h>
#include <openssl/x509.h>

#include "hsm/der.h"
#include "hsm/tbs.h"
#include "ossl/openssl_error.h"

#define MAX_SERIAL 20

static const EVP_MD *digest_of(enum wire_ska_digest digest)
{
    switch (digest) {
    case WIRE_SKA_SHA224:
        return EVP_sha224();
    case WIRE_SKA_SHA256:
        return EVP_sha256();
    case WIRE_SKA_SHA384:
        return EVP_sha384();
    case WIRE_SKA_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

static enum mg_status check_key(const struct keystore_key *key, struct mg_error *error)
{
    if (!key_purpose_allows(key->info.purpose, KEY_CALL_SKA_SIGN)) {
        return mg_error_set(error, MG_DENIED, "a key for %s does not sign for others",
                            key_purpose_name(key->info.purpose));
    }
    if (key->info.holder[0] != '\0') {
        return mg_error_set(error, MG_DENIED, "a key on a token does not sign for others");
    }
    return MG_OK;
}

/* ---- what is signed ---- */

/* append_algorithm appends the AlgorithmIdentifier: RFC 5758 section 3.2 for ECDSA, RFC 4055 section 5 for RSA. */
static enum mg_status append_algorithm(struct mg_buffer *out, const struct key_type *type, const EVP_MD *digest,
                                       struct mg_error *error)
{
    int nid, len = -1;
    uint8_t *der = NULL;
    bool is_rsa = type->curve == NULL;
    X509_ALGOR *algorithm = X509_ALGOR_new();
    if (algorithm != NULL &&
        OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(digest), is_rsa ? EVP_PKEY_RSA : EVP_PKEY_EC) == 1 &&
        X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), is_rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) == 1) {
        len = i2d_X509_ALGOR(algorithm, &der);
    }
    X509_ALGOR_free(algorithm);
    if (len <= 0) {
        return openssl_error_set(error, "cannot name a signature algorithm");
    }
    mg_buffer_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for an algorithm");
}

/* is_positive: the content of an INTEGER that is above zero. */
static bool is_positive(struct mg_slice integer)
{
    return integer.len > 0 && (integer.data[0] & 0x80) == 0 && (integer.len > 1 || integer.data[0] != 0);
}

static enum mg_status check_certificate(const struct tbs *tbs, struct mg_slice algorithm, struct mg_error *error)
{
    if (tbs->version != 3 || tbs->has_unique_ids) {
        return mg_error_set(error, MG_INVALID, "version: must be 3, without unique identifiers");
    }
    if (!is_positive(tbs->serial) || tbs->serial.len > MAX_SERIAL) {
        return mg_error_set(error, MG_INVALID, "serialNumber: must be positive, of at most %d octets", MAX_SERIAL);
    }
    if (!mg_slice_equal(tbs->signature_algorithm, algorithm)) {
        return mg_error_set(error, MG_INVALID, "signature: is not the algorithm of this key and digest");
    }
    if (tbs_name_is_empty(tbs->issuer)) {
        return mg_error_set(error, MG_INVALID, "issuer: must have an attribute");
    }
    return tbs->not_before <= tbs->not_after ? MG_OK
                                             : mg_error_set(error, MG_INVALID, "validity: ends before it begins");
}

/* read_names takes the content of the GeneralNames, which the journal is to have; empty where there are none. */
static enum mg_status read_names(const struct tbs *tbs, struct mg_slice *out, struct mg_error *error)
{
    static const uint8_t subject_alt_name[] = {0x55, 0x1d, 0x11}; /* id-ce-subjectAltName, RFC 5280 section 4.2.1.6 */
    bool found = false;
    *out = mg_slice_of(NULL, 0);
    for (size_t i = 0; i < tbs->num_extensions; i++) {
        struct mg_slice value = tbs->extensions[i].value;
        if (!mg_slice_equal(tbs->extensions[i].oid, mg_slice_of(subject_alt_name, sizeof(subject_alt_name)))) {
            continue;
        }
        if (found || !der_get(&value, DER_SEQUENCE, out) || value.len > 0) {
            return mg_error_set(error, MG_INVALID, "subjectAltName: is not one GeneralNames");
        }
        found = true;
    }
    return MG_OK;
}

/* admit_certificate looks at a TBSCertificate, and has it written into the journal. */
static enum mg_status admit_certificate(const struct keystore_key *key, struct mg_slice der, struct mg_slice algorithm,
                                        const struct ska_signature_journal *journal, struct mg_error *error)
{
    struct tbs tbs;
    struct mg_slice names;
    enum mg_status status = tbs_parse(der, &tbs, error);
    if (status == MG_OK) {
        status = check_certificate(&tbs, algorithm, error);
    }
    if (status == MG_OK) {
        status = read_names(&tbs, &names, error);
    }
    return status == MG_OK ? journal->record(journal->arg, key, &tbs, names, error) : status;
}

/* CertificationRequestInfo ::= SEQUENCE { version INTEGER (0), subject Name, subjectPKInfo SubjectPublicKeyInfo,
 * attributes [0] IMPLICIT SET OF Attribute } */
static enum mg_status check_request(struct mg_slice der, const struct keystore_key *key, struct mg_error *error)
{
    struct mg_slice content, version, name, spki, whole, attributes;
    if (!der_get(&der, DER_SEQUENCE, &content) || der.len > 0 || !der_unsigned(&content, &version) ||
        version.len != 0 || !der_get(&content, DER_SEQUENCE, &name) ||
        !der_get_whole(&content, DER_SEQUENCE, &spki, &whole) ||
        !der_get(&content, DER_CONTEXT_CONSTRUCTED(0), &attributes) || content.len > 0) {
        return mg_error_set(error, MG_INVALID, "not one CertificationRequestInfo in DER");
    }
    uint8_t *own = NULL;
    int len = i2d_PUBKEY(key->pkey, &own);
    bool is_own = len > 0 && mg_slice_equal(whole, mg_slice_of(own, (size_t)len));
    OPENSSL_free(own);
    return is_own ? MG_OK : mg_error_set(error, MG_INVALID, "subjectPKInfo: is not this key's public key");
}

/* is_sequence tells whether |payload| is one SEQUENCE as a lenient reader of BER takes it: a length in any form. */
static bool is_sequence(struct mg_slice payload)
{
    uint8_t tag, first, octet;
    if (!mg_slice_u8(&payload, &tag) || tag != DER_SEQUENCE || !mg_slice_u8(&payload, &first)) {
        return false;
    }
    if (first < 0x80) {
        return first == payload.len;
    }
    uint64_t len = 0;
    for (unsigned i = 0; i < (first & 0x7fU); i++) {
        if (!mg_slice_u8(&payload, &octet) || len > UINT32_MAX) {
            return false;
        }
        len = len << 8 | octet;
    }
    return first == 0x80 || len == payload.len;
}

/* ---- signing ---- */

/* verifies: an RSA signature that went wrong could give the key away. */
static bool verifies(EVP_PKEY *key, const EVP_MD *digest, struct mg_slice octets, struct mg_slice signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
              EVP_DigestVerify(context, signature.data, signature.len, octets.data, octets.len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static enum mg_status sign(const struct keystore_key *key, const EVP_MD *digest, struct mg_slice octets,
                           uint8_t out[WIRE_SIGNER_MAX_SIGNATURE], size_t *out_len, struct mg_error *error)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    *out_len = WIRE_SIGNER_MAX_SIGNATURE;
    bool ok = context != NULL && EVP_DigestSignInit(context, NULL, digest, NULL, key->pkey) == 1 &&
              EVP_DigestSign(context, out, out_len, octets.data, octets.len) == 1 &&
              verifies(key->pkey, digest, octets, mg_slice_of(out, *out_len));
    EVP_MD_CTX_free(context);
    return ok ? MG_OK : openssl_error_set(error, "cannot sign");
}

/* append_header appends tag and length in DER. */
static void append_header(struct mg_buffer *out, uint8_t tag, size_t len)
{
    mg_buffer_append_u8(out, tag);
    if (len < 0x80) {
        mg_buffer_append_u8(out, (uint8_t)len);
    } else if (len <= UINT8_MAX) {
        mg_buffer_append_u8(out, 0x81);
        mg_buffer_append_u8(out, (uint8_t)len);
    } else {
        mg_buffer_append_u8(out, 0x82);
        mg_buffer_append_u16(out, (uint16_t)len);
    }
}

/* append_signed appends SEQUENCE { |tbs|, |algorithm|, BIT STRING |signature| }, the shape of both structures. All
 * lengths are below 64 KiB. */
static void append_signed(struct mg_buffer *out, struct mg_slice tbs, struct mg_slice algorithm,
                          struct mg_slice signature)
{
    uint8_t header[4];
    struct mg_buffer bits;
    mg_buffer_wrap(&bits, header, sizeof(header));
    append_header(&bits, DER_BIT_STRING, signature.len + 1);
    append_header(out, DER_SEQUENCE, tbs.len + algorithm.len + bits.len + 1 + signature.len);
    mg_buffer_append_slice(out, tbs);
    mg_buffer_append_slice(out, algorithm);
    mg_buffer_append_slice(out, mg_buffer_slice(&bits));
    mg_buffer_append_u8(out, 0); /* no unused bits */
    mg_buffer_append_slice(out, signature);
}

enum mg_status ska_signature_of_structure(const struct keystore_key *key, const struct wire_control_ska_sign *wanted,
                                          const struct ska_signature_journal *journal, struct mg_buffer *out,
                                          struct mg_error *error)
{
    uint8_t algorithm_storage[32], signature[WIRE_SIGNER_MAX_SIGNATURE];
    size_t signature_len = 0;
    struct mg_buffer algorithm;
    const EVP_MD *digest = digest_of(wanted->digest);
    mg_buffer_wrap(&algorithm, algorithm_storage, sizeof(algorithm_storage));
    enum mg_status status = check_key(key, error);
    if (status == MG_OK) {
        status = append_algorithm(&algorithm, key->type, digest, error);
    }
    if (status == MG_OK) {
        status = wanted->structure == WIRE_SKA_CERTIFICATE
                     ? admit_certificate(key, wanted->octets, mg_buffer_slice(&algorithm), journal, error)
                     : check_request(wanted->octets, key, error);
    }
    if (status == MG_OK) {
        status = sign(key, digest, wanted->octets, signature, &signature_len, error);
    }
    if (status != MG_OK) {
        return status;
    }
    append_signed(out, wanted->octets, mg_buffer_slice(&algorithm), mg_slice_of(signature, signature_len));
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_LIMIT, "the signed structure is too long for a reply");
}

enum mg_status ska_signature_of_payload(const struct keystore_key *key, const struct wire_control_ska_sign *wanted,
                                        struct mg_buffer *out, struct mg_error *error)
{
    uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE];
    size_t signature_len = 0;
    enum mg_status status = check_key(key, error);
    if (status == MG_OK && is_sequence(wanted->octets)) {
        status = mg_error_set(error, MG_DENIED, "payload: is one SEQUENCE, as certificates are");
    }
    if (status == MG_OK) {
        status = sign(key, digest_of(wanted->digest), wanted->octets, signature, &signature_len, error);
    }
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_append(out, signature, signature_len);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory for a signature");
}
