/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/cert.h"

#include <string.h>

#include <openssl/sha.h>

#include "minting/der_time.h"

const char *cert_digest_name(enum cert_digest digest)
{
    static const char *const names[] = {
        [CERT_DIGEST_OTHER] = "other",   [CERT_DIGEST_MD5] = "md5",       [CERT_DIGEST_SHA1] = "sha1",
        [CERT_DIGEST_SHA224] = "sha224", [CERT_DIGEST_SHA256] = "sha256", [CERT_DIGEST_SHA384] = "sha384",
        [CERT_DIGEST_SHA512] = "sha512",
    };
    return (unsigned)digest < MG_ARRAY_LEN(names) ? names[digest] : "unknown";
}

/* struct oid is the content of an OBJECT IDENTIFIER and what it means in its table. */
struct oid {
    uint8_t len;
    uint8_t bytes[9];
    int value;
};

static int oid_find(const struct oid *table, size_t num_oids, const CBS *oid, int fallback)
{
    for (size_t i = 0; i < num_oids; i++) {
        if (CBS_mem_equal(oid, table[i].bytes, table[i].len)) {
            return table[i].value;
        }
    }
    return fallback;
}

/* Length and bytes below three arcs: 1.2.840.113549.1.1, 1.2.840.10045.4.3 and 2.16.840.1.101.3.4.2. */
#define OID_PKCS1(last)                                                                                                \
    9,                                                                                                                 \
    {                                                                                                                  \
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last                                                           \
    }
#define OID_ECDSA_SHA2(last)                                                                                           \
    8,                                                                                                                 \
    {                                                                                                                  \
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, last                                                                 \
    }
#define OID_NIST_HASH(last)                                                                                            \
    9,                                                                                                                 \
    {                                                                                                                  \
        0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last                                                           \
    }

/* RFC 3279, 4055, 5758 and 8410, and the OIW's names for RSA signatures, from old Microsoft tools. */
static const struct oid signature_digests[] = {
    {OID_ECDSA_SHA2(0x02), CERT_DIGEST_SHA256},
    {OID_PKCS1(0x0b), CERT_DIGEST_SHA256},
    {OID_ECDSA_SHA2(0x03), CERT_DIGEST_SHA384},
    {OID_PKCS1(0x0c), CERT_DIGEST_SHA384},
    {OID_ECDSA_SHA2(0x04), CERT_DIGEST_SHA512},
    {OID_PKCS1(0x0d), CERT_DIGEST_SHA512},
    {OID_ECDSA_SHA2(0x01), CERT_DIGEST_SHA224},
    {OID_PKCS1(0x0e), CERT_DIGEST_SHA224},
    {3, {0x2b, 0x65, 0x70}, CERT_DIGEST_SHA512}, /* Ed25519 */
    {OID_PKCS1(0x05), CERT_DIGEST_SHA1},
    {7, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01}, CERT_DIGEST_SHA1}, /* ecdsa-with-SHA1 */
    {7, {0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03}, CERT_DIGEST_SHA1}, /* dsa-with-sha1 */
    {5, {0x2b, 0x0e, 0x03, 0x02, 0x1d}, CERT_DIGEST_SHA1},             /* OIW sha1WithRSA */
    {OID_PKCS1(0x04), CERT_DIGEST_MD5},
    {OID_PKCS1(0x03), CERT_DIGEST_MD5},                   /* MD4 */
    {OID_PKCS1(0x02), CERT_DIGEST_MD5},                   /* MD2 */
    {5, {0x2b, 0x0e, 0x03, 0x02, 0x03}, CERT_DIGEST_MD5}, /* OIW md5WithRSA */
};

static const uint8_t oid_rsa_pss[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a};

static const struct oid hashes[] = {
    {OID_NIST_HASH(0x01), CERT_DIGEST_SHA256},
    {OID_NIST_HASH(0x02), CERT_DIGEST_SHA384},
    {OID_NIST_HASH(0x03), CERT_DIGEST_SHA512},
    {OID_NIST_HASH(0x04), CERT_DIGEST_SHA224},
    {5, {0x2b, 0x0e, 0x03, 0x02, 0x1a}, CERT_DIGEST_SHA1},
};

/* The parameters of RSASSA-PSS name its hash; the default is SHA-1 (RFC 4055 section 3.1). */
static enum cert_digest pss_digest(CBS algorithm)
{
    CBS parameters, wrapped, hash, oid;
    int present;
    if (!CBS_get_asn1(&algorithm, &parameters, CBS_ASN1_SEQUENCE) ||
        !CBS_get_optional_asn1(&parameters, &wrapped, &present, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0)) {
        return CERT_DIGEST_OTHER;
    }
    if (!present) {
        return CERT_DIGEST_SHA1;
    }
    if (!CBS_get_asn1(&wrapped, &hash, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&hash, &oid, CBS_ASN1_OBJECT)) {
        return CERT_DIGEST_OTHER;
    }
    return (enum cert_digest)oid_find(hashes, MG_ARRAY_LEN(hashes), &oid, CERT_DIGEST_OTHER);
}

static bool parse_signature_algorithm(CBS element, enum cert_digest *out)
{
    CBS algorithm, oid;
    if (!CBS_get_asn1(&element, &algorithm, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&algorithm, &oid, CBS_ASN1_OBJECT)) {
        return false;
    }
    *out =
        CBS_mem_equal(&oid, oid_rsa_pss, sizeof(oid_rsa_pss))
            ? pss_digest(algorithm)
            : (enum cert_digest)oid_find(signature_digests, MG_ARRAY_LEN(signature_digests), &oid, CERT_DIGEST_OTHER);
    return true;
}

/* get_whole_bytes reads a BIT STRING that holds whole bytes. */
static bool get_whole_bytes(CBS *in, CBS *out)
{
    uint8_t num_unused_bits;
    return CBS_get_asn1(in, out, CBS_ASN1_BITSTRING) && CBS_get_u8(out, &num_unused_bits) && num_unused_bits == 0;
}

/* rsa_modulus_bits returns 0 if |key| is no RSAPublicKey (RFC 8017 appendix A.1.1). */
static unsigned rsa_modulus_bits(CBS key)
{
    CBS sequence, modulus;
    if (!CBS_get_asn1(&key, &sequence, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&sequence, &modulus, CBS_ASN1_INTEGER) ||
        !CBS_is_unsigned_asn1_integer(&modulus)) {
        return 0;
    }
    uint8_t top = 0;
    while (top == 0 && CBS_get_u8(&modulus, &top)) {
    }
    unsigned num_bits = (unsigned)CBS_len(&modulus) * 8;
    for (; top != 0; top >>= 1) {
        num_bits++;
    }
    return num_bits;
}

static const struct oid key_algorithms[] = {
    {OID_PKCS1(0x01), CERT_KEY_RSA},
    {3, {0x2b, 0x65, 0x70}, CERT_KEY_ED25519},
};
static const uint8_t oid_ec_public_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};

static const struct oid curves[] = {
    {8, {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, CERT_KEY_EC_P256},
    {5, {0x2b, 0x81, 0x04, 0x00, 0x22}, CERT_KEY_EC_P384},
    {5, {0x2b, 0x81, 0x04, 0x00, 0x23}, CERT_KEY_EC_P521},
    {5, {0x2b, 0x81, 0x04, 0x00, 0x21}, CERT_KEY_EC_P224},
};

/* key_type_of reads the algorithm of a public key; an EC key is told by its curve. */
static bool key_type_of(CBS algorithm, enum cert_key_type *out)
{
    CBS oid, curve;
    if (!CBS_get_asn1(&algorithm, &oid, CBS_ASN1_OBJECT)) {
        return false;
    }
    if (!CBS_mem_equal(&oid, oid_ec_public_key, sizeof(oid_ec_public_key))) {
        *out = (enum cert_key_type)oid_find(key_algorithms, MG_ARRAY_LEN(key_algorithms), &oid, CERT_KEY_OTHER);
        return true;
    }
    *out = CERT_KEY_OTHER;
    if (CBS_get_asn1(&algorithm, &curve, CBS_ASN1_OBJECT)) {
        *out = (enum cert_key_type)oid_find(curves, MG_ARRAY_LEN(curves), &curve, CERT_KEY_OTHER);
    }
    return true;
}

static bool parse_public_key(struct cert *cert)
{
    static const uint16_t curve_bits[] = {
        [CERT_KEY_EC_P224] = 224, [CERT_KEY_EC_P256] = 256, [CERT_KEY_EC_P384] = 384,
        [CERT_KEY_EC_P521] = 521, [CERT_KEY_ED25519] = 256,
    };
    CBS element = cert->spki, spki, algorithm;
    if (!CBS_get_asn1(&element, &spki, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&spki, &algorithm, CBS_ASN1_SEQUENCE) ||
        !key_type_of(algorithm, &cert->key_type) || !get_whole_bytes(&spki, &cert->public_key) || CBS_len(&spki) != 0) {
        return false;
    }
    cert->key_bits = cert->key_type == CERT_KEY_RSA ? rsa_modulus_bits(cert->public_key) : curve_bits[cert->key_type];
    if (cert->key_bits == 0) {
        cert->key_type = CERT_KEY_OTHER;
    }
    return true;
}

/* The extensions. Each parser gets the value and must use all of it. */

static bool parse_subject_key_id(struct cert *cert, CBS *value)
{
    return CBS_get_asn1(value, &cert->subject_key_id, CBS_ASN1_OCTETSTRING);
}

static bool parse_authority_key_id(struct cert *cert, CBS *value)
{
    CBS sequence;
    return CBS_get_asn1(value, &sequence, CBS_ASN1_SEQUENCE) &&
           CBS_get_optional_asn1(&sequence, &cert->authority_key_id, NULL, CBS_ASN1_CONTEXT_SPECIFIC | 0);
}

static bool parse_alt_names(struct cert *cert, CBS *value)
{
    return CBS_get_asn1(value, &cert->alt_names, CBS_ASN1_SEQUENCE);
}

static bool parse_key_usage(struct cert *cert, CBS *value)
{
    cert->has_key_usage = true;
    return CBS_get_asn1(value, &cert->key_usage, CBS_ASN1_BITSTRING) && CBS_is_valid_asn1_bitstring(&cert->key_usage);
}

/* Many certificates spell out the default "cA FALSE", which DER forbids: taken, as clients do. */
static bool parse_basic_constraints(struct cert *cert, CBS *value)
{
    CBS sequence;
    int is_ca = 0;
    if (!CBS_get_asn1(value, &sequence, CBS_ASN1_SEQUENCE) ||
        (CBS_peek_asn1_tag(&sequence, CBS_ASN1_BOOLEAN) && !CBS_get_asn1_bool(&sequence, &is_ca))) {
        return false;
    }
    cert->is_ca = is_ca != 0;
    if (CBS_len(&sequence) == 0) {
        return true;
    }
    uint64_t path_len;
    if (!CBS_get_asn1_uint64(&sequence, &path_len) || CBS_len(&sequence) != 0) {
        return false;
    }
    cert->path_len = path_len > CERT_MAX_PATH_LEN ? CERT_MAX_PATH_LEN : (int)path_len;
    return true;
}

static bool parse_ext_key_usage(struct cert *cert, CBS *value)
{
    static const uint8_t server_auth[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
    static const uint8_t client_auth[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
    static const uint8_t any[] = {0x55, 0x1d, 0x25, 0x00};
    CBS purposes, purpose;
    if (!CBS_get_asn1(value, &purposes, CBS_ASN1_SEQUENCE) || CBS_len(&purposes) == 0) {
        return false;
    }
    cert->allows_server_auth = cert->allows_client_auth = false;
    while (CBS_len(&purposes) > 0) {
        if (!CBS_get_asn1(&purposes, &purpose, CBS_ASN1_OBJECT)) {
            return false;
        }
        bool is_any = CBS_mem_equal(&purpose, any, sizeof(any)) != 0;
        cert->allows_server_auth |= is_any || CBS_mem_equal(&purpose, server_auth, sizeof(server_auth));
        cert->allows_client_auth |= is_any || CBS_mem_equal(&purpose, client_auth, sizeof(client_auth));
    }
    return true;
}

static const struct {
    uint8_t last; /* of the OID 2.5.29.last (id-ce) */
    bool (*parse)(struct cert *cert, CBS *value);
} extension_parsers[] = {
    {14, parse_subject_key_id},    {15, parse_key_usage},        {17, parse_alt_names},
    {19, parse_basic_constraints}, {35, parse_authority_key_id}, {37, parse_ext_key_usage},
};

/* parse_extension reads one Extension; |seen| has a bit for each of |extension_parsers|. */
static bool parse_extension(struct cert *cert, CBS *extensions, unsigned *seen)
{
    static const uint8_t id_ce[] = {0x55, 0x1d};
    CBS extension, oid, value, arc;
    int critical;
    uint8_t last;
    if (!CBS_get_asn1(extensions, &extension, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&extension, &oid, CBS_ASN1_OBJECT) ||
        (CBS_peek_asn1_tag(&extension, CBS_ASN1_BOOLEAN) && !CBS_get_asn1_bool(&extension, &critical)) ||
        !CBS_get_asn1(&extension, &value, CBS_ASN1_OCTETSTRING) || CBS_len(&extension) != 0) {
        return false;
    }
    if (CBS_len(&oid) != sizeof(id_ce) + 1 || !CBS_get_bytes(&oid, &arc, sizeof(id_ce)) ||
        !CBS_mem_equal(&arc, id_ce, sizeof(id_ce)) || !CBS_get_u8(&oid, &last)) {
        return true;
    }
    for (unsigned i = 0; i < MG_ARRAY_LEN(extension_parsers); i++) {
        if (extension_parsers[i].last == last) {
            bool again = (*seen >> i & 1) != 0;
            *seen |= 1u << i;
            return !again && extension_parsers[i].parse(cert, &value) && CBS_len(&value) == 0;
        }
    }
    return true;
}

/* parse_extensions reads the rest of a TBSCertificate behind its public key. */
static bool parse_extensions(struct cert *cert, CBS *tbs)
{
    CBS wrapped, extensions;
    int present;
    if (!CBS_get_optional_asn1(tbs, NULL, NULL, CBS_ASN1_CONTEXT_SPECIFIC | 1) || /* issuerUniqueID */
        !CBS_get_optional_asn1(tbs, NULL, NULL, CBS_ASN1_CONTEXT_SPECIFIC | 2) || /* subjectUniqueID */
        !CBS_get_optional_asn1(tbs, &wrapped, &present, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 3) ||
        CBS_len(tbs) != 0) {
        return false;
    }
    if (!present) {
        return true;
    }
    if (cert->version != 3 || !CBS_get_asn1(&wrapped, &extensions, CBS_ASN1_SEQUENCE) || CBS_len(&wrapped) != 0) {
        return false;
    }
    unsigned seen = 0;
    while (CBS_len(&extensions) > 0) {
        if (!parse_extension(cert, &extensions, &seen)) {
            return false;
        }
    }
    return true;
}

static bool parse_version(struct cert *cert, CBS *tbs)
{
    uint64_t version;
    if (!CBS_get_optional_asn1_uint64(tbs, &version, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0, 0) ||
        version > 2) {
        return false;
    }
    cert->version = (unsigned)version + 1;
    return true;
}

static bool parse_validity(struct cert *cert, CBS *tbs)
{
    CBS validity;
    return CBS_get_asn1(tbs, &validity, CBS_ASN1_SEQUENCE) && der_time_parse(&validity, &cert->not_before) &&
           der_time_parse(&validity, &cert->not_after) && CBS_len(&validity) == 0;
}

/* parse_tbs returns the name of the field that is wrong, or NULL. */
static const char *parse_tbs(struct cert *cert, CBS tbs_element)
{
    CBS tbs;
    if (!CBS_get_asn1(&tbs_element, &tbs, CBS_ASN1_SEQUENCE)) {
        return "tbsCertificate";
    }
    if (!parse_version(cert, &tbs)) {
        return "version";
    }
    if (!CBS_get_asn1(&tbs, &cert->serial, CBS_ASN1_INTEGER) || CBS_len(&cert->serial) == 0) {
        return "serialNumber";
    }
    if (!CBS_get_asn1_element(&tbs, &cert->signature_algorithm, CBS_ASN1_SEQUENCE) ||
        !parse_signature_algorithm(cert->signature_algorithm, &cert->digest)) {
        return "signature";
    }
    if (!CBS_get_asn1_element(&tbs, &cert->issuer, CBS_ASN1_SEQUENCE)) {
        return "issuer";
    }
    if (!parse_validity(cert, &tbs)) {
        return "validity";
    }
    if (!CBS_get_asn1_element(&tbs, &cert->subject, CBS_ASN1_SEQUENCE)) {
        return "subject";
    }
    if (!CBS_get_asn1_element(&tbs, &cert->spki, CBS_ASN1_SEQUENCE) || !parse_public_key(cert)) {
        return "subjectPublicKeyInfo";
    }
    return parse_extensions(cert, &tbs) ? NULL : "extensions";
}

enum mg_status cert_parse(struct cert *out, CBS der, struct mg_error *error)
{
    *out = (struct cert){.path_len = -1, .allows_server_auth = true, .allows_client_auth = true};
    CBS certificate, outer_algorithm;
    if (!CBS_get_asn1(&der, &certificate, CBS_ASN1_SEQUENCE) || CBS_len(&der) != 0 ||
        !CBS_get_asn1_element(&certificate, &out->tbs, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1_element(&certificate, &outer_algorithm, CBS_ASN1_SEQUENCE) ||
        !get_whole_bytes(&certificate, &out->signature) || CBS_len(&certificate) != 0) {
        return mg_error_set(error, MG_INVALID, "certificate: is not the DER of one Certificate");
    }
    const char *field = parse_tbs(out, out->tbs);
    if (field != NULL) {
        return mg_error_set(error, MG_INVALID, "certificate: %s does not parse (RFC 5280 section 4.1)", field);
    }
    if (!cert_cbs_equal(outer_algorithm, out->signature_algorithm)) {
        return mg_error_set(error, MG_INVALID,
                            "certificate: signature and signatureAlgorithm differ (RFC 5280 section 4.1.1.2)");
    }
    return MG_OK;
}

bool cert_key_usage_has(const struct cert *cert, unsigned bit)
{
    return cert->has_key_usage && CBS_asn1_bitstring_has_bit(&cert->key_usage, bit);
}

void cert_compute_key_id(uint8_t out[CERT_KEY_ID_LEN], CBS public_key)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(CBS_data(&public_key), CBS_len(&public_key), digest);
    memcpy(out, digest, CERT_KEY_ID_LEN);
}
