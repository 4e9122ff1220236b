/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/issuer.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/pool.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "minting/cert.h"

struct issuer_block {
    struct issuer issuer;
    _Atomic uint32_t references;
    uint8_t *extensions; /* owned; issuer.extensions is a view */
};

/* What an issuer's key type says about its certificate and its signatures. */
struct key_profile {
    enum wire_key_type type;
    enum cert_key_type cert_type;
    unsigned bits;
    const EVP_MD *(*digest)(void);
    struct mg_slice signature_algorithm;
};

/* AlgorithmIdentifiers: ecdsa-with-SHA2 without parameters, sha256WithRSAEncryption with NULL. */
static const uint8_t ecdsa_with_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t ecdsa_with_sha384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
static const uint8_t sha256_with_rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                          0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};
#define SLICE(bytes)                                                                                                   \
    {                                                                                                                  \
        bytes, sizeof(bytes)                                                                                           \
    }

static const struct key_profile key_profiles[] = {
    {WIRE_KEY_EC_P256, CERT_KEY_EC_P256, 256, EVP_sha256, SLICE(ecdsa_with_sha256)},
    {WIRE_KEY_EC_P384, CERT_KEY_EC_P384, 384, EVP_sha384, SLICE(ecdsa_with_sha384)},
    {WIRE_KEY_RSA_2048, CERT_KEY_RSA, 2048, EVP_sha256, SLICE(sha256_with_rsa)},
    {WIRE_KEY_RSA_3072, CERT_KEY_RSA, 3072, EVP_sha256, SLICE(sha256_with_rsa)},
    {WIRE_KEY_RSA_4096, CERT_KEY_RSA, 4096, EVP_sha256, SLICE(sha256_with_rsa)},
};

static const struct key_profile *profile_of(enum wire_key_type type)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(key_profiles); i++) {
        if (key_profiles[i].type == type) {
            return &key_profiles[i];
        }
    }
    return NULL;
}

/* struct chain is the parsed chain that an issuer is made from. */
struct chain {
    struct cert certs[WIRE_SIGNER_MAX_CHAIN];
    struct mg_slice ders[WIRE_SIGNER_MAX_CHAIN];
    size_t num_certs;
};

static enum mg_status check_validity(const struct cert *cert, size_t i, int64_t now, struct mg_error *error)
{
    if (now >= cert->not_before) {
        return MG_OK;
    }
    char when[MG_CLOCK_TEXT_LEN];
    mg_clock_format_us(when, cert->not_before * 1000000);
    return mg_error_set(error, MG_INVALID, "issuer: certificate %zu of the chain is not valid before %s", i, when);
}

/* last_use_of: see issuer_is_spent. */
static int64_t last_use_of(const struct chain *chain)
{
    const struct cert *own = &chain->certs[0];
    int64_t spare = (own->not_after - own->not_before) / 20;
    int64_t end = own->not_after;
    for (size_t i = 1; i < chain->num_certs; i++) {
        end = chain->certs[i].not_after < end ? chain->certs[i].not_after : end;
    }
    return end - (spare < ISSUER_SPARE_SECONDS ? spare : ISSUER_SPARE_SECONDS);
}

/* A certificate above the issuer's own must allow as many CA certificates below it as there are (RFC 5280 section
 * 4.2.1.9). */
static enum mg_status check_ca(const struct cert *cert, size_t i, struct mg_error *error)
{
    if (!cert->is_ca) {
        return mg_error_set(error, MG_INVALID, "issuer: certificate %zu of the chain is not a CA's (basicConstraints)",
                            i);
    }
    if (i > 0 && cert->path_len >= 0 && (size_t)cert->path_len < i) {
        return mg_error_set(error, MG_INVALID,
                            "issuer: certificate %zu of the chain allows %d CAs below it (pathLenConstraint), not %zu",
                            i, cert->path_len, i);
    }
    return MG_OK;
}

static enum mg_status parse_chain(struct chain *out, const struct wire_issuer *wire, int64_t now,
                                  struct mg_error *error)
{
    if (wire->num_chain == 0 || wire->num_chain > WIRE_SIGNER_MAX_CHAIN) {
        return mg_error_set(error, MG_INVALID, "issuer: a chain has 1 to %d certificates, not %zu",
                            WIRE_SIGNER_MAX_CHAIN, wire->num_chain);
    }
    for (size_t i = 0; i < wire->num_chain; i++) {
        struct mg_error reason;
        out->ders[i] = wire->chain[i];
        if (cert_parse(&out->certs[i], cert_cbs_of(wire->chain[i].data, wire->chain[i].len), &reason) != MG_OK) {
            return mg_error_set(error, MG_INVALID, "issuer: certificate %zu of the chain: %s", i, reason.text);
        }
        enum mg_status status = check_ca(&out->certs[i], i, error);
        if (status == MG_OK) {
            status = check_validity(&out->certs[i], i, now, error);
        }
        if (status != MG_OK) {
            return status;
        }
    }
    out->num_certs = wire->num_chain;
    return MG_OK;
}

/* is_signed_by tells whether |child| names |parent| as its issuer and is signed with |parent|'s key. */
static bool is_signed_by(const struct chain *chain, size_t child, size_t parent)
{
    if (!cert_cbs_equal(chain->certs[child].issuer, chain->certs[parent].subject)) {
        return false;
    }
    const uint8_t *der = chain->ders[child].data;
    CBS spki = chain->certs[parent].spki;
    X509 *certificate = d2i_X509(NULL, &der, (long)chain->ders[child].len);
    EVP_PKEY *key = EVP_parse_public_key(&spki);
    bool ok = certificate != NULL && key != NULL && X509_verify(certificate, key) == 1;
    EVP_PKEY_free(key);
    X509_free(certificate);
    ERR_clear_error();
    return ok;
}

static enum mg_status check_links(const struct chain *chain, struct mg_error *error)
{
    for (size_t i = 0; i + 1 < chain->num_certs; i++) {
        if (!is_signed_by(chain, i, i + 1)) {
            return mg_error_set(error, MG_INVALID, "issuer: certificate %zu of the chain is not signed by the next", i);
        }
    }
    return MG_OK;
}

static enum mg_status check_issuer(const struct cert *cert, const struct key_profile *profile, struct mg_error *error)
{
    if (profile == NULL || cert->key_type != profile->cert_type || cert->key_bits != profile->bits) {
        return mg_error_set(error, MG_INVALID, "issuer: its certificate has another type of key than the signer says");
    }
    if (!cert_key_usage_has(cert, CERT_KEY_USAGE_CERT_SIGN)) {
        return mg_error_set(error, MG_INVALID, "issuer: keyUsage lacks keyCertSign (RFC 5280 section 4.2.1.3)");
    }
    if (!cert->allows_server_auth) {
        return mg_error_set(error, MG_INVALID, "issuer: extKeyUsage does not allow serverAuth");
    }
    CBS subject = cert->subject, rdns;
    if (!CBS_get_asn1(&subject, &rdns, CBS_ASN1_SEQUENCE) || CBS_len(&rdns) == 0) {
        return mg_error_set(error, MG_INVALID, "issuer: its subject is empty (RFC 5280 section 4.1.2.6)");
    }
    return MG_OK;
}

static enum mg_status check_url(const char *name, const char *url, struct mg_error *error)
{
    if (url == NULL) {
        return MG_OK;
    }
    size_t len = strlen(url);
    bool ok = len > 0 && len <= ISSUER_MAX_URL_LEN;
    for (size_t i = 0; ok && i < len; i++) {
        ok = url[i] > 0x20 && url[i] < 0x7f;
    }
    return ok ? MG_OK
              : mg_error_set(error, MG_INVALID,
                             "issuer: %s has 1 to %d ASCII characters without spaces (RFC 5280 section 4.2.1.6)", name,
                             ISSUER_MAX_URL_LEN);
}

static enum mg_status check_options(const struct issuer_options *options, struct mg_error *error)
{
    enum mg_status status = check_url("ca_issuers_url", options->ca_issuers_url, error);
    if (status == MG_OK) {
        status = check_url("ocsp_url", options->ocsp_url, error);
    }
    if (status == MG_OK) {
        status = check_url("crl_url", options->crl_url, error);
    }
    return status;
}

/* basicConstraints, critical: an empty sequence, since cA FALSE is the default (RFC 5280 section 4.2.1.9).
 * extKeyUsage: serverAuth alone (section 4.2.1.12). */
static const uint8_t fixed_extensions[] = {
    0x30, 0x0c, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x02, 0x30, 0x00,             /* */
    0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, /* */
    0x05, 0x05, 0x07, 0x03, 0x01,
};

static const uint8_t oid_authority_key_id[] = {0x55, 0x1d, 0x23};
static const uint8_t oid_crl_distribution_points[] = {0x55, 0x1d, 0x1f};
static const uint8_t oid_authority_info_access[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01};
static const uint8_t oid_ocsp[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01};
static const uint8_t oid_ca_issuers[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02};

#define CONTEXT(tag) (CBS_ASN1_CONTEXT_SPECIFIC | (tag))
#define CONTEXT_CONSTRUCTED(tag) (CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | (tag))
#define TAG_URI CONTEXT(6) /* of GeneralName */

static bool add_element(CBB *out, unsigned tag, const void *content, size_t len)
{
    CBB child;
    return CBB_add_asn1(out, &child, tag) && CBB_add_bytes(&child, content, len) && CBB_flush(out);
}

/* begin_extension starts a non-critical Extension whose value is a SEQUENCE. CBB_flush(out) ends it. |parents| is
 * space that lasts until then. */
static bool begin_extension(CBB *out, CBB parents[2], CBB *out_sequence, const uint8_t *oid, size_t oid_len)
{
    return CBB_add_asn1(out, &parents[0], CBS_ASN1_SEQUENCE) &&
           add_element(&parents[0], CBS_ASN1_OBJECT, oid, oid_len) &&
           CBB_add_asn1(&parents[0], &parents[1], CBS_ASN1_OCTETSTRING) &&
           CBB_add_asn1(&parents[1], out_sequence, CBS_ASN1_SEQUENCE);
}

/* RFC 5280 section 4.2.1.1. An issuer that stores no subjectKeyIdentifier is named by the computed one, which tells its
 * leaves from those of another issuer with its name. */
static bool add_authority_key_id(CBB *out, const struct cert *cert)
{
    CBB parents[2], sequence;
    uint8_t computed[CERT_KEY_ID_LEN];
    CBS key_id = cert->subject_key_id;
    if (CBS_len(&key_id) == 0) {
        cert_compute_key_id(computed, cert->public_key);
        CBS_init(&key_id, computed, sizeof(computed));
    }
    return begin_extension(out, parents, &sequence, oid_authority_key_id, sizeof(oid_authority_key_id)) &&
           add_element(&sequence, CONTEXT(0), CBS_data(&key_id), CBS_len(&key_id)) && CBB_flush(out);
}

static bool add_access(CBB *out, const uint8_t *method, size_t method_len, const char *url)
{
    CBB access;
    return url == NULL || (CBB_add_asn1(out, &access, CBS_ASN1_SEQUENCE) &&
                           add_element(&access, CBS_ASN1_OBJECT, method, method_len) &&
                           add_element(&access, TAG_URI, url, strlen(url)) && CBB_flush(out));
}

/* RFC 5280 section 4.2.2.1 */
static bool add_authority_info_access(CBB *out, const struct issuer_options *options)
{
    if (options->ca_issuers_url == NULL && options->ocsp_url == NULL) {
        return true;
    }
    CBB parents[2], sequence;
    return begin_extension(out, parents, &sequence, oid_authority_info_access, sizeof(oid_authority_info_access)) &&
           add_access(&sequence, oid_ocsp, sizeof(oid_ocsp), options->ocsp_url) &&
           add_access(&sequence, oid_ca_issuers, sizeof(oid_ca_issuers), options->ca_issuers_url) && CBB_flush(out);
}

/* RFC 5280 section 4.2.1.13: one DistributionPoint with a fullName. */
static bool add_crl_distribution_points(CBB *out, const struct issuer_options *options)
{
    if (options->crl_url == NULL) {
        return true;
    }
    CBB parents[2], sequence, point, name, full_name;
    return begin_extension(out, parents, &sequence, oid_crl_distribution_points, sizeof(oid_crl_distribution_points)) &&
           CBB_add_asn1(&sequence, &point, CBS_ASN1_SEQUENCE) && CBB_add_asn1(&point, &name, CONTEXT_CONSTRUCTED(0)) &&
           CBB_add_asn1(&name, &full_name, CONTEXT_CONSTRUCTED(0)) &&
           add_element(&full_name, TAG_URI, options->crl_url, strlen(options->crl_url)) && CBB_flush(out);
}

static bool encode_extensions(struct issuer_block *block, const struct cert *cert, const struct issuer_options *options)
{
    CBB out;
    size_t len;
    if (!CBB_init(&out, 256)) {
        return false;
    }
    if (!CBB_add_bytes(&out, fixed_extensions, sizeof(fixed_extensions)) || !add_authority_key_id(&out, cert) ||
        !add_authority_info_access(&out, options) || !add_crl_distribution_points(&out, options) ||
        !CBB_finish(&out, &block->extensions, &len)) {
        CBB_cleanup(&out);
        return false;
    }
    block->issuer.extensions = mg_slice_of(block->extensions, len);
    return true;
}

/* keep_certificates copies the chain into buffers. */
static bool keep_certificates(struct issuer *issuer, const struct chain *chain)
{
    size_t last = chain->num_certs - 1;
    size_t num_sent = is_signed_by(chain, last, last) ? last : chain->num_certs;
    for (; issuer->num_chain < num_sent; issuer->num_chain++) {
        struct mg_slice der = chain->ders[issuer->num_chain];
        issuer->chain[issuer->num_chain] = CRYPTO_BUFFER_new(der.data, der.len, NULL);
        if (issuer->chain[issuer->num_chain] == NULL) {
            return false;
        }
    }
    if (num_sent == 0) {
        issuer->certificate = CRYPTO_BUFFER_new(chain->ders[0].data, chain->ders[0].len, NULL);
        return issuer->certificate != NULL;
    }
    CRYPTO_BUFFER_up_ref(issuer->chain[0]);
    issuer->certificate = issuer->chain[0];
    return true;
}

static enum mg_status fill(struct issuer_block *block, const struct chain *chain, const struct key_profile *profile,
                           const struct issuer_options *options, struct mg_error *error)
{
    struct issuer *issuer = &block->issuer;
    struct cert own; /* with views into issuer->certificate */
    CBS der;
    if (!keep_certificates(issuer, chain) || !encode_extensions(block, &chain->certs[0], options)) {
        return mg_error_set(error, MG_MEMORY, "issuer: no memory");
    }
    CRYPTO_BUFFER_init_CBS(issuer->certificate, &der);
    enum mg_status status = cert_parse(&own, der, error);
    if (status != MG_OK) {
        return status;
    }
    issuer->not_before = own.not_before;
    issuer->not_after = own.not_after;
    issuer->last_use = last_use_of(chain);
    issuer->spki = mg_slice_of(CBS_data(&own.spki), CBS_len(&own.spki));
    issuer->issuer_name = mg_slice_of(CBS_data(&own.subject), CBS_len(&own.subject));
    issuer->signature_algorithm = profile->signature_algorithm;
    CBS spki = own.spki;
    issuer->public_key = EVP_parse_public_key(&spki);
    if (issuer->public_key == NULL) {
        ERR_clear_error();
        return mg_error_set(error, MG_INVALID, "issuer: its public key does not parse");
    }
    return MG_OK;
}

enum mg_status issuer_new(struct issuer **out, const struct wire_issuer *wire, uint64_t generation,
                          const struct issuer_options *options, int64_t now, struct mg_error *error)
{
    struct chain chain;
    const struct key_profile *profile = profile_of(wire->key_type);
    enum mg_status status = parse_chain(&chain, wire, now, error);
    if (status == MG_OK) {
        status = check_issuer(&chain.certs[0], profile, error);
    }
    if (status == MG_OK) {
        status = check_links(&chain, error);
    }
    if (status == MG_OK) {
        status = check_options(options, error);
    }
    if (status != MG_OK) {
        return status;
    }
    struct issuer_block *block = calloc(1, sizeof(*block));
    if (block == NULL) {
        return mg_error_set(error, MG_MEMORY, "issuer: no memory");
    }
    atomic_init(&block->references, 1);
    block->issuer.generation = generation;
    block->issuer.key_id = wire->key_id;
    block->issuer.key_type = wire->key_type;
    block->issuer.role = wire->role;
    status = fill(block, &chain, profile, options, error);
    if (status != MG_OK) {
        issuer_unref(&block->issuer);
        return status;
    }
    *out = &block->issuer;
    return MG_OK;
}

struct issuer *issuer_up_ref(struct issuer *issuer)
{
    struct issuer_block *block = MG_CONTAINER_OF(issuer, struct issuer_block, issuer);
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
    return issuer;
}

void issuer_unref(struct issuer *issuer)
{
    if (issuer == NULL) {
        return;
    }
    struct issuer_block *block = MG_CONTAINER_OF(issuer, struct issuer_block, issuer);
    if (atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < issuer->num_chain; i++) {
        CRYPTO_BUFFER_free(issuer->chain[i]);
    }
    CRYPTO_BUFFER_free(issuer->certificate);
    EVP_PKEY_free(issuer->public_key);
    OPENSSL_free(block->extensions);
    free(block);
}

bool issuer_signed(const struct issuer *issuer, struct mg_slice tbs, struct mg_slice signature)
{
    EVP_MD_CTX ctx;
    EVP_MD_CTX_init(&ctx);
    bool ok = EVP_DigestVerifyInit(&ctx, NULL, profile_of(issuer->key_type)->digest(), NULL, issuer->public_key) &&
              EVP_DigestVerify(&ctx, signature.data, signature.len, tbs.data, tbs.len);
    EVP_MD_CTX_cleanup(&ctx);
    ERR_clear_error();
    return ok;
}
