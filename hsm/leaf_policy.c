/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/leaf_policy.h"

#include "hsm/der.h"
#include "hsm/leaf_names.h"

/* Keys of leaves are made by the engine: no stronger RSA than it can make is needed, no weaker allowed. */
#define RSA_LEAF_MIN_BITS 2048
#define RSA_LEAF_MAX_BITS 4096
/* KeyUsage (RFC 5280 section 4.2.1.3), bit 0 is the highest. */
#define USAGE_DIGITAL_SIGNATURE 0x80
#define USAGE_KEY_ENCIPHERMENT 0x20
/* A key identifier is a hash of a key (section 4.2.1.2). */
#define KEY_IDENTIFIER_MAX_LEN 64
#define URI_TAG DER_CONTEXT(6)

/* What is judged, and what the rules found out on the way. */
struct judgement {
    const struct tbs *tbs;
    const struct leaf_issuer *issuer;
    int64_t max_validity_seconds;
    int64_t now;
    bool key_is_rsa;
    struct mg_slice names;
    struct mg_error *error;
};

static enum wire_sign_status refuse(const struct judgement *j, enum wire_sign_status status, const char *rule)
{
    (void)mg_error_set(j->error, MG_INVALID, "%s", rule);
    return status;
}

/* Fields */

static enum wire_sign_status check_version(struct judgement *j)
{
    if (j->tbs->version != 3 || j->tbs->has_unique_ids) {
        return refuse(j, WIRE_SIGN_BAD_TBS, "version: must be v3, without unique identifiers");
    }
    return WIRE_SIGN_OK;
}

/* RFC 5280 section 4.1.2.2: positive, at most 20 octets; at least 8 so that nobody can foresee it. */
static enum wire_sign_status check_serial(struct judgement *j)
{
    struct mg_slice rest = j->tbs->serial;
    uint8_t first;
    if (rest.len < 8 || rest.len > 20 || !mg_slice_u8(&rest, &first) || first >= 0x80) {
        return refuse(j, WIRE_SIGN_BAD_SERIAL, "serialNumber: must be positive and of 8 to 20 octets");
    }
    return WIRE_SIGN_OK;
}

static enum wire_sign_status check_issuer(struct judgement *j)
{
    if (!mg_slice_equal(j->tbs->signature_algorithm, j->issuer->key_type->signature_algorithm)) {
        return refuse(j, WIRE_SIGN_BAD_ISSUER, "signature: not the algorithm of the issuer's key");
    }
    if (!mg_slice_equal(j->tbs->issuer, j->issuer->subject)) {
        return refuse(j, WIRE_SIGN_BAD_ISSUER, "issuer: not the subject of the issuer's certificate");
    }
    return WIRE_SIGN_OK;
}

/* A forward-untrust leaf may mimic a certificate that has expired or is not valid yet; any other is for use now. */
static enum wire_sign_status check_validity(struct judgement *j)
{
    const struct tbs *tbs = j->tbs;
    if (tbs->not_after < tbs->not_before || tbs->not_after - tbs->not_before > j->max_validity_seconds) {
        return refuse(j, WIRE_SIGN_BAD_VALIDITY, "validity: negative or longer than allowed");
    }
    if (tbs->not_before < j->issuer->not_before || tbs->not_after > j->issuer->not_after) {
        return refuse(j, WIRE_SIGN_BAD_VALIDITY, "validity: exceeds the issuer's own");
    }
    if (j->issuer->role != WIRE_ISSUER_UNTRUST &&
        (tbs->not_after < j->now || tbs->not_before > j->now + LEAF_POLICY_CLOCK_SKEW)) {
        return refuse(j, WIRE_SIGN_BAD_VALIDITY, "validity: in the past or in the future");
    }
    return WIRE_SIGN_OK;
}

/* A leaf with its issuer's name would pass as self-issued (RFC 5280 section 3.2). */
static enum wire_sign_status check_subject(struct judgement *j)
{
    if (mg_slice_equal(j->tbs->subject, j->issuer->subject)) {
        return refuse(j, WIRE_SIGN_BAD_NAME, "subject: is the issuer's own name");
    }
    return WIRE_SIGN_OK;
}

/* Subject key */

/* ECPoint, uncompressed (RFC 5480 section 2.2): 0x04 and two field elements. */
static bool is_uncompressed_point(struct mg_slice point, size_t field_len)
{
    uint8_t form;
    return point.len == 1 + 2 * field_len && mg_slice_u8(&point, &form) && form == 0x04;
}

static size_t num_bits(struct mg_slice magnitude)
{
    uint8_t first;
    if (!mg_slice_u8(&magnitude, &first)) {
        return 0;
    }
    size_t bits = 8 * magnitude.len;
    for (; first != 0; first >>= 1) {
        bits++;
    }
    return bits;
}

static bool is_odd(struct mg_slice magnitude)
{
    return magnitude.len > 0 && (magnitude.data[magnitude.len - 1] & 1) != 0;
}

/* RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 appendix A.1.1) */
static bool is_strong_rsa_key(struct mg_slice key)
{
    struct mg_slice content, modulus, exponent;
    if (!der_get(&key, DER_SEQUENCE, &content) || key.len > 0 || !der_unsigned(&content, &modulus) ||
        !der_unsigned(&content, &exponent) || content.len > 0) {
        return false;
    }
    size_t modulus_bits = num_bits(modulus);
    bool exponent_is_above_one = num_bits(exponent) > 1;
    return modulus_bits >= RSA_LEAF_MIN_BITS && modulus_bits <= RSA_LEAF_MAX_BITS && is_odd(modulus) &&
           exponent_is_above_one && is_odd(exponent) && exponent.len <= modulus.len;
}

static bool is_strong_key(struct judgement *j)
{
    static const uint8_t p256[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                   0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const uint8_t p384[] = {0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                   0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    static const uint8_t rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                  0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
    struct mg_slice algorithm = j->tbs->key_algorithm, key = j->tbs->public_key;
    if (mg_slice_equal(algorithm, mg_slice_of(p256, sizeof(p256)))) {
        return is_uncompressed_point(key, 32);
    }
    if (mg_slice_equal(algorithm, mg_slice_of(p384, sizeof(p384)))) {
        return is_uncompressed_point(key, 48);
    }
    j->key_is_rsa = mg_slice_equal(algorithm, mg_slice_of(rsa, sizeof(rsa)));
    return j->key_is_rsa && is_strong_rsa_key(key);
}

/* Only one encoding of each key gets past is_strong_key, so that comparing bytes compares keys. */
static enum wire_sign_status check_key(struct judgement *j)
{
    if (!is_strong_key(j)) {
        return refuse(j, WIRE_SIGN_BAD_KEY,
                      "subjectPublicKeyInfo: must be a P-256 or P-384 point or RSA of 2048 to 4096 bits");
    }
    if (mg_slice_equal(j->tbs->spki, j->issuer->spki)) {
        return refuse(j, WIRE_SIGN_BAD_KEY, "subjectPublicKeyInfo: is the issuer's own key");
    }
    return WIRE_SIGN_OK;
}

/* Extensions: each has a function that judges its value. */

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }: empty for CA:FALSE.
 */
static bool is_end_entity(struct judgement *j, struct mg_slice value)
{
    (void)j;
    struct mg_slice content;
    return der_get(&value, DER_SEQUENCE, &content) && content.len == 0 && value.len == 0;
}

static bool is_server_key_usage(struct judgement *j, struct mg_slice value)
{
    uint8_t bits;
    if (!der_named_bits(&value, &bits) || value.len > 0) {
        return false;
    }
    return bits == USAGE_DIGITAL_SIGNATURE ||
           (j->key_is_rsa && bits == (USAGE_DIGITAL_SIGNATURE | USAGE_KEY_ENCIPHERMENT));
}

static bool is_server_auth_alone(struct judgement *j, struct mg_slice value)
{
    (void)j;
    static const uint8_t server_auth[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
    return mg_slice_equal(value, mg_slice_of(server_auth, sizeof(server_auth)));
}

/* A leaf with its issuer's key identifier confuses chain builders, Schannel's among them. */
static bool is_own_key_identifier(struct judgement *j, struct mg_slice value)
{
    struct mg_slice identifier;
    return der_get(&value, DER_OCTET_STRING, &identifier) && value.len == 0 && identifier.len > 0 &&
           identifier.len <= KEY_IDENTIFIER_MAX_LEN &&
           !mg_slice_equal(identifier, leaf_issuer_key_identifier(j->issuer));
}

/* AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] IMPLICIT OCTET STRING OPTIONAL, ... }: the first alone. */
static bool is_issuers_key_identifier(struct judgement *j, struct mg_slice value)
{
    struct mg_slice content, identifier;
    return der_get(&value, DER_SEQUENCE, &content) && value.len == 0 &&
           der_get(&content, DER_CONTEXT(0), &identifier) && content.len == 0 &&
           mg_slice_equal(identifier, leaf_issuer_key_identifier(j->issuer));
}

static bool are_server_names(struct judgement *j, struct mg_slice value)
{
    return leaf_names_read(value, &j->names) && leaf_names_are_allowed(j->names);
}

/* A URI as these extensions carry it: IA5 without spaces or control characters. */
static bool take_uri(struct mg_slice *in)
{
    struct mg_slice uri;
    uint8_t octet;
    if (!der_get(in, URI_TAG, &uri) || uri.len == 0) {
        return false;
    }
    while (mg_slice_u8(&uri, &octet)) {
        if (octet <= 0x20 || octet >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* AuthorityInfoAccessSyntax ::= SEQUENCE SIZE (1..MAX) OF SEQUENCE { accessMethod OID, accessLocation GeneralName } */
static bool are_access_descriptions(struct judgement *j, struct mg_slice value)
{
    (void)j;
    struct mg_slice list, description, method;
    if (!der_get(&value, DER_SEQUENCE, &list) || value.len > 0 || list.len == 0) {
        return false;
    }
    while (list.len > 0) {
        if (!der_get(&list, DER_SEQUENCE, &description) || !der_get(&description, DER_OID, &method) ||
            method.len == 0 || !take_uri(&description) || description.len > 0) {
            return false;
        }
    }
    return true;
}

/* DistributionPoint ::= SEQUENCE { distributionPoint [0] { fullName [0] GeneralNames } }: nothing else (RFC 5280
 * section 4.2.1.13). */
static bool take_distribution_point(struct mg_slice *in)
{
    struct mg_slice point, name, uris;
    if (!der_get(in, DER_SEQUENCE, &point) || !der_get(&point, DER_CONTEXT_CONSTRUCTED(0), &name) || point.len > 0 ||
        !der_get(&name, DER_CONTEXT_CONSTRUCTED(0), &uris) || name.len > 0 || uris.len == 0) {
        return false;
    }
    while (uris.len > 0) {
        if (!take_uri(&uris)) {
            return false;
        }
    }
    return true;
}

static bool are_distribution_points(struct judgement *j, struct mg_slice value)
{
    (void)j;
    struct mg_slice points;
    if (!der_get(&value, DER_SEQUENCE, &points) || value.len > 0 || points.len == 0) {
        return false;
    }
    while (points.len > 0) {
        if (!take_distribution_point(&points)) {
            return false;
        }
    }
    return true;
}

/* certificatePolicies: identifiers alone, as RFC 5280 section 4.2.1.4 recommends. */
static bool are_policy_identifiers(struct judgement *j, struct mg_slice value)
{
    (void)j;
    struct mg_slice policies, policy, identifier;
    if (!der_get(&value, DER_SEQUENCE, &policies) || value.len > 0 || policies.len == 0) {
        return false;
    }
    while (policies.len > 0) {
        if (!der_get(&policies, DER_SEQUENCE, &policy) || !der_get(&policy, DER_OID, &identifier) ||
            identifier.len == 0 || policy.len > 0) {
            return false;
        }
    }
    return true;
}

enum criticality { NEVER_CRITICAL, MAY_BE_CRITICAL, CRITICAL_IF_SUBJECT_EMPTY };

/* The extensions that a leaf may carry, each at most once. Criticality: RFC 5280 sections 4.2.1.1 to 4.2.2.1. */
static const struct extension_rule {
    const char *name;
    const char *oid; /* content octets */
    size_t oid_len;
    enum criticality criticality;
    bool is_required;
    enum wire_sign_status refusal;
    bool (*is_allowed)(struct judgement *j, struct mg_slice value);
} rules[] = {
#define ID_CE(arc) "\x55\x1d" arc, 3
#define ID_PE(arc) "\x2b\x06\x01\x05\x05\x07\x01" arc, 8
    {"basicConstraints", ID_CE("\x13"), MAY_BE_CRITICAL, true, WIRE_SIGN_BAD_CONSTRAINTS, is_end_entity},
    {"keyUsage", ID_CE("\x0f"), MAY_BE_CRITICAL, true, WIRE_SIGN_BAD_CONSTRAINTS, is_server_key_usage},
    {"extKeyUsage", ID_CE("\x25"), MAY_BE_CRITICAL, true, WIRE_SIGN_BAD_EKU, is_server_auth_alone},
    {"authorityKeyIdentifier", ID_CE("\x23"), NEVER_CRITICAL, true, WIRE_SIGN_BAD_ISSUER, is_issuers_key_identifier},
    {"subjectKeyIdentifier", ID_CE("\x0e"), NEVER_CRITICAL, false, WIRE_SIGN_BAD_EXTENSION, is_own_key_identifier},
    {"subjectAltName", ID_CE("\x11"), CRITICAL_IF_SUBJECT_EMPTY, true, WIRE_SIGN_BAD_NAME, are_server_names},
    {"authorityInfoAccess", ID_PE("\x01"), NEVER_CRITICAL, false, WIRE_SIGN_BAD_EXTENSION, are_access_descriptions},
    {"cRLDistributionPoints", ID_CE("\x1f"), NEVER_CRITICAL, false, WIRE_SIGN_BAD_EXTENSION, are_distribution_points},
    {"certificatePolicies", ID_CE("\x20"), MAY_BE_CRITICAL, false, WIRE_SIGN_BAD_EXTENSION, are_policy_identifiers},
#undef ID_CE
#undef ID_PE
};

static const struct extension_rule *rule_of(struct mg_slice oid)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(rules); i++) {
        if (mg_slice_equal(oid, mg_slice_of(rules[i].oid, rules[i].oid_len))) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool criticality_is_right(const struct judgement *j, enum criticality rule, bool critical)
{
    switch (rule) {
    case NEVER_CRITICAL:
        return !critical;
    case MAY_BE_CRITICAL:
        return true;
    case CRITICAL_IF_SUBJECT_EMPTY:
        return critical == tbs_name_is_empty(j->tbs->subject);
    }
    return false;
}

static enum wire_sign_status refuse_extension(const struct judgement *j, const struct extension_rule *rule,
                                              const char *why)
{
    (void)mg_error_set(j->error, MG_INVALID, "%s: %s", rule->name, why);
    return rule->refusal;
}

static enum wire_sign_status check_extension(struct judgement *j, const struct tbs_extension *extension, unsigned *seen)
{
    const struct extension_rule *rule = rule_of(extension->oid);
    if (rule == NULL) {
        return refuse(j, WIRE_SIGN_BAD_EXTENSION, "extensions: one that leaves do not carry");
    }
    unsigned bit = 1u << (rule - rules);
    if ((*seen & bit) != 0) {
        return refuse(j, WIRE_SIGN_BAD_EXTENSION, "extensions: one appears twice");
    }
    *seen |= bit;
    if (!criticality_is_right(j, rule->criticality, extension->critical)) {
        return refuse_extension(j, rule, "critical where it must not be, or not where it must");
    }
    if (!rule->is_allowed(j, extension->value)) {
        return refuse_extension(j, rule, "says more or other than a leaf of this issuer may");
    }
    return WIRE_SIGN_OK;
}

static enum wire_sign_status check_extensions(struct judgement *j)
{
    unsigned seen = 0;
    for (size_t i = 0; i < j->tbs->num_extensions; i++) {
        enum wire_sign_status status = check_extension(j, &j->tbs->extensions[i], &seen);
        if (status != WIRE_SIGN_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(rules); i++) {
        if (rules[i].is_required && (seen & 1u << i) == 0) {
            return refuse_extension(j, &rules[i], "missing");
        }
    }
    return WIRE_SIGN_OK;
}

enum wire_sign_status leaf_policy_check(const struct tbs *tbs, const struct leaf_issuer *issuer,
                                        int64_t max_validity_seconds, int64_t now, struct mg_slice *names,
                                        struct mg_error *error)
{
    /* The key comes before the extensions: key usage depends on it. */
    static enum wire_sign_status (*const checks[])(struct judgement * j) = {
        check_version, check_serial, check_issuer, check_validity, check_subject, check_key, check_extensions,
    };
    struct judgement j = {
        .tbs = tbs, .issuer = issuer, .max_validity_seconds = max_validity_seconds, .now = now, .error = error};
    for (size_t i = 0; i < MG_ARRAY_LEN(checks); i++) {
        enum wire_sign_status status = checks[i](&j);
        if (status != WIRE_SIGN_OK) {
            return status;
        }
    }
    *names = j.names;
    return WIRE_SIGN_OK;
}

struct mg_slice leaf_issuer_key_identifier(const struct leaf_issuer *issuer)
{
    return issuer->ski.len > 0 ? issuer->ski : mg_slice_of(issuer->computed_ski, sizeof(issuer->computed_ski));
}

enum mg_status leaf_issuer_from_certificate(struct mg_slice certificate, enum wire_issuer_role role,
                                            const struct key_type *key_type, struct leaf_issuer *out,
                                            struct mg_error *error)
{
    struct tbs tbs;
    enum mg_status status = tbs_parse_certificate(certificate, &tbs, error);
    if (status != MG_OK) {
        return status;
    }
    *out = (struct leaf_issuer){.role = role,
                                .key_type = key_type,
                                .subject = tbs.subject,
                                .spki = tbs.spki,
                                .not_before = tbs.not_before,
                                .not_after = tbs.not_after};
    for (size_t i = 0; i < tbs.num_extensions; i++) {
        struct mg_slice value = tbs.extensions[i].value;
        if (mg_slice_equal(tbs.extensions[i].oid, mg_slice_of_text("\x55\x1d\x0e"))) {
            if (!der_get(&value, DER_OCTET_STRING, &out->ski) || value.len > 0 || out->ski.len == 0) {
                return mg_error_set(error, MG_INVALID, "subjectKeyIdentifier of the issuer's certificate: malformed");
            }
        }
    }
    if (out->ski.len == 0 && !ca_compute_key_identifier(tbs.public_key, out->computed_ski)) {
        return mg_error_set(error, MG_INTERNAL, "the issuer's key identifier cannot be computed");
    }
    return MG_OK;
}
