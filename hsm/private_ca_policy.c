/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/private_ca_policy.h"

#include <openssl/x509.h>

#include "hsm/ca_certificate.h"
#include "hsm/der.h"
#include "ossl/openssl_error.h"

/* NIST SP 800-57 part 1: RSA of 2048 bits, curves of 224. */
#define MIN_SECURITY_BITS 112
#define MAX_RSA_BITS 8192 /* beyond it a verification takes too long */
/* KeyUsage (RFC 5280 section 4.2.1.3), bit 0 is the highest. */
#define USAGE_KEY_CERT_SIGN 0x04
#define USAGE_CRL_SIGN 0x02
#define MAX_KEY_IDENTIFIER 64
#define MAX_CRL_NUMBER 20 /* octets: section 5.2.3 */

#define ID_CE(arc) "\x55\x1d" arc, 3
#define ID_PE(arc) "\x2b\x06\x01\x05\x05\x07\x01" arc, 8

/* What is judged, and what was found out on the way. */
struct judgement {
    const struct private_ca *ca;
    const struct tbs *tbs; /* NULL for a CRL */
    bool is_ca;
    bool constraints_are_critical;
    int path_len;
    uint8_t key_usage; /* 0: none */
    struct mg_slice key_identifier;
    struct mg_slice names;
    struct mg_error *error;
};

static enum mg_status refuse(const struct judgement *j, const char *rule)
{
    return mg_error_set(j->error, MG_INVALID, "%s", rule);
}

/* ---- extensions: each has a reader that takes note of its value, and is false where that is malformed ---- */

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL } */
static bool read_basic_constraints(struct judgement *j, const struct tbs_extension *extension)
{
    struct mg_slice value = extension->value, content, number;
    uint8_t octet;
    j->constraints_are_critical = extension->critical;
    if (!der_get(&value, DER_SEQUENCE, &content) || value.len > 0) {
        return false;
    }
    if (content.len == 0) {
        return true;
    }
    if (!der_boolean(&content, &j->is_ca) || !j->is_ca) {
        return false; /* FALSE is the default, which DER leaves out */
    }
    if (content.len > 0) {
        if (!der_unsigned(&content, &number) || content.len > 0 || number.len > 1) {
            return false;
        }
        j->path_len = mg_slice_u8(&number, &octet) ? octet : 0;
    }
    return true;
}

static bool read_key_usage(struct judgement *j, const struct tbs_extension *extension)
{
    struct mg_slice value = extension->value;
    return der_named_bits(&value, &j->key_usage) && value.len == 0 && j->key_usage != 0;
}

/* SEQUENCE SIZE (1..MAX) OF something: what it says binds whoever relies on the certificate, not us. */
static bool is_list(struct mg_slice value)
{
    struct mg_slice content, item;
    uint8_t tag;
    if (!der_get(&value, DER_SEQUENCE, &content) || value.len > 0 || content.len == 0) {
        return false;
    }
    while (content.len > 0) {
        if (!der_any(&content, &tag, &item, NULL)) {
            return false;
        }
    }
    return true;
}

static bool read_list(struct judgement *j, const struct tbs_extension *extension)
{
    (void)j;
    return is_list(extension->value);
}

static bool read_names(struct judgement *j, const struct tbs_extension *extension)
{
    struct mg_slice value = extension->value;
    return is_list(value) && der_get(&value, DER_SEQUENCE, &j->names);
}

static bool read_key_identifier(struct judgement *j, const struct tbs_extension *extension)
{
    struct mg_slice value = extension->value;
    return der_get(&value, DER_OCTET_STRING, &j->key_identifier) && value.len == 0 && j->key_identifier.len > 0 &&
           j->key_identifier.len <= MAX_KEY_IDENTIFIER;
}

/* AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] IMPLICIT OCTET STRING OPTIONAL, ... }: the first alone. */
static bool read_authority(struct judgement *j, const struct tbs_extension *extension)
{
    struct mg_slice value = extension->value, content, identifier;
    return j->ca->has_certificate && der_get(&value, DER_SEQUENCE, &content) && value.len == 0 &&
           der_get(&content, DER_CONTEXT(0), &identifier) && content.len == 0 &&
           mg_slice_equal(identifier, leaf_issuer_key_identifier(&j->ca->facts));
}

static bool read_crl_number(struct judgement *j, const struct tbs_extension *extension)
{
    (void)j;
    struct mg_slice value = extension->value, number;
    return der_unsigned(&value, &number) && value.len == 0 && number.len <= MAX_CRL_NUMBER;
}

/* CRLReason, ENUMERATED (section 5.3.1). */
static bool read_reason(struct judgement *j, const struct tbs_extension *extension)
{
    (void)j;
    struct mg_slice value = extension->value, reason;
    return der_get(&value, 0x0a, &reason) && value.len == 0 && reason.len == 1;
}

struct extension_rule {
    const char *name;
    const char *oid; /* content octets */
    size_t oid_len;
    bool may_be_critical;
    bool is_required; /* but for AKI in a certificate that signs itself */
    bool (*read)(struct judgement *j, const struct tbs_extension *extension);
};

static const struct extension_rule certificate_rules[] = {
    {"basicConstraints", ID_CE("\x13"), true, false, read_basic_constraints},
    {"keyUsage", ID_CE("\x0f"), true, false, read_key_usage},
    {"extKeyUsage", ID_CE("\x25"), true, false, read_list},
    {"authorityKeyIdentifier", ID_CE("\x23"), false, false, read_authority},
    {"subjectKeyIdentifier", ID_CE("\x0e"), false, true, read_key_identifier},
    {"subjectAltName", ID_CE("\x11"), true, false, read_names},
    {"authorityInfoAccess", ID_PE("\x01"), false, false, read_list},
    {"cRLDistributionPoints", ID_CE("\x1f"), false, false, read_list},
    {"certificatePolicies", ID_CE("\x20"), true, false, read_list},
};
#define AUTHORITY_RULE 3

static const struct extension_rule crl_rules[] = {
    {"authorityKeyIdentifier", ID_CE("\x23"), false, true, read_authority},
    {"cRLNumber", ID_CE("\x14"), false, true, read_crl_number},
};

static const struct extension_rule entry_rules[] = {
    {"reasonCode", ID_CE("\x15"), false, false, read_reason},
};

static enum mg_status read_extension(struct judgement *j, const struct tbs_extension *extension,
                                     const struct extension_rule *rules, size_t num_rules, unsigned *seen)
{
    size_t i = 0;
    while (i < num_rules && !mg_slice_equal(extension->oid, mg_slice_of(rules[i].oid, rules[i].oid_len))) {
        i++;
    }
    if (i == num_rules) {
        return refuse(j, "extensions: one that is not for a private CA to sign");
    }
    if ((*seen & 1U << i) != 0 || (extension->critical && !rules[i].may_be_critical) || !rules[i].read(j, extension)) {
        return mg_error_set(j->error, MG_INVALID, "%s: malformed, given twice, critical, or not this CA's",
                            rules[i].name);
    }
    *seen |= 1U << i;
    return MG_OK;
}

static enum mg_status require(const struct judgement *j, const struct extension_rule *rules, size_t num_rules,
                              unsigned seen)
{
    for (size_t i = 0; i < num_rules; i++) {
        if (rules[i].is_required && (seen & 1U << i) == 0) {
            return mg_error_set(j->error, MG_INVALID, "%s: missing", rules[i].name);
        }
    }
    return MG_OK;
}

/* ---- certificates ---- */

/* RFC 5280 section 4.1.2.2: positive, at most 20 octets; at least 8 so that nobody can foresee it. */
static enum mg_status check_form(struct judgement *j)
{
    struct mg_slice rest = j->tbs->serial;
    uint8_t first;
    if (j->tbs->version != 3 || j->tbs->has_unique_ids) {
        return refuse(j, "version: must be v3, without unique identifiers");
    }
    if (rest.len < 8 || rest.len > 20 || !mg_slice_u8(&rest, &first) || first >= 0x80) {
        return refuse(j, "serialNumber: must be positive and of 8 to 20 octets");
    }
    return MG_OK;
}

static enum mg_status check_issuer(struct judgement *j)
{
    const struct leaf_issuer *facts = &j->ca->facts;
    if (!mg_slice_equal(j->tbs->signature_algorithm, facts->key_type->signature_algorithm)) {
        return refuse(j, "signature: not the algorithm of the CA's key");
    }
    if (!mg_slice_equal(j->tbs->issuer, j->ca->has_certificate ? facts->subject : j->tbs->subject)) {
        return refuse(j, "issuer: not the subject of the CA's certificate");
    }
    return MG_OK;
}

static enum mg_status check_validity(struct judgement *j)
{
    const struct leaf_issuer *facts = &j->ca->facts;
    if (j->tbs->not_after < j->tbs->not_before) {
        return refuse(j, "validity: ends before it begins");
    }
    if (j->ca->has_certificate && (j->tbs->not_before < facts->not_before || j->tbs->not_after > facts->not_after)) {
        return refuse(j, "validity: exceeds the CA's own");
    }
    return MG_OK;
}

static bool is_strong_key(struct mg_slice spki)
{
    const uint8_t *at = spki.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.len);
    bool ok = key != NULL && at == spki.data + spki.len && EVP_PKEY_get_security_bits(key) >= MIN_SECURITY_BITS &&
              EVP_PKEY_get_bits(key) <= MAX_RSA_BITS;
    EVP_PKEY_free(key);
    return ok;
}

static enum mg_status check_key(struct judgement *j)
{
    bool is_own = mg_slice_equal(j->tbs->spki, j->ca->facts.spki);
    if (is_own == j->ca->has_certificate) {
        return refuse(j, is_own ? "subjectPublicKeyInfo: is the CA's own key"
                                : "subjectPublicKeyInfo: a CA without certificate certifies its own key alone");
    }
    return is_strong_key(j->tbs->spki)
               ? MG_OK
               : refuse(j, "subjectPublicKeyInfo: must be a key of at least 112 bits of security");
}

static enum mg_status check_extensions(struct judgement *j)
{
    unsigned seen = 0;
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < j->tbs->num_extensions && status == MG_OK; i++) {
        status = read_extension(j, &j->tbs->extensions[i], certificate_rules, MG_ARRAY_LEN(certificate_rules), &seen);
    }
    if (status == MG_OK && j->ca->has_certificate && (seen & 1U << AUTHORITY_RULE) == 0) {
        status = refuse(j, "authorityKeyIdentifier: missing");
    }
    return status == MG_OK ? require(j, certificate_rules, MG_ARRAY_LEN(certificate_rules), seen) : status;
}

/* RFC 5280 section 6.1.4: each CA of a chain uses up one of what the one above allows. */
static bool path_len_is_within(const struct judgement *j)
{
    int above = j->ca->path_len;
    return !j->ca->has_certificate || above == PRIVATE_CA_NO_PATH_LEN ||
           (above > 0 && j->path_len != PRIVATE_CA_NO_PATH_LEN && j->path_len < above);
}

static enum mg_status check_ca(const struct judgement *j)
{
    if (!j->constraints_are_critical || (j->key_usage & USAGE_KEY_CERT_SIGN) == 0) {
        return refuse(j, "basicConstraints, keyUsage: a CA's must be critical, and have keyCertSign");
    }
    if (tbs_name_is_empty(j->tbs->subject)) {
        return refuse(j, "subject: a CA's must not be empty (RFC 5280 section 4.1.2.6)");
    }
    if (!path_len_is_within(j)) {
        return refuse(j, "pathLenConstraint: not below the CA's own");
    }
    return MG_OK;
}

static enum mg_status check_role(struct judgement *j)
{
    if (j->ca->has_certificate && mg_slice_equal(j->tbs->subject, j->ca->facts.subject)) {
        return refuse(j, "subject: is the CA's own name");
    }
    if (j->is_ca) {
        return check_ca(j);
    }
    if (!j->ca->has_certificate) {
        return refuse(j, "basicConstraints: a CA certifies itself as one");
    }
    if ((j->key_usage & (USAGE_KEY_CERT_SIGN | USAGE_CRL_SIGN)) != 0) {
        return refuse(j, "keyUsage: an end-entity's must have neither keyCertSign nor cRLSign");
    }
    return MG_OK;
}

enum mg_status private_ca_check_certificate(const struct private_ca *ca, const struct tbs *tbs, struct mg_slice *names,
                                            struct mg_error *error)
{
    /* The role comes last: the extensions say what it is. */
    static enum mg_status (*const checks[])(struct judgement * j) = {
        check_form, check_issuer, check_validity, check_key, check_extensions, check_role,
    };
    struct judgement j = {.ca = ca, .tbs = tbs, .path_len = PRIVATE_CA_NO_PATH_LEN, .error = error};
    for (size_t i = 0; i < MG_ARRAY_LEN(checks); i++) {
        enum mg_status status = checks[i](&j);
        if (status != MG_OK) {
            return status;
        }
    }
    *names = j.names;
    return MG_OK;
}

/* ---- CRLs ---- */

/* read_extensions reads a whole Extensions off |in|. */
static enum mg_status read_extensions(struct judgement *j, struct mg_slice *in, const struct extension_rule *rules,
                                      size_t num_rules)
{
    struct mg_slice list;
    struct tbs_extension extension;
    unsigned seen = 0;
    enum mg_status status = der_get(in, DER_SEQUENCE, &list) && list.len > 0
                                ? MG_OK
                                : refuse(j, "TBSCertList: its extensions are not as RFC 5280 section 5.1 has them");
    while (status == MG_OK && list.len > 0) {
        status = tbs_take_extension(&list, &extension) ? read_extension(j, &extension, rules, num_rules, &seen)
                                                       : refuse(j, "TBSCertList: an extension is malformed");
    }
    return status == MG_OK ? require(j, rules, num_rules, seen) : status;
}

/* SEQUENCE { userCertificate INTEGER, revocationDate Time, crlEntryExtensions Extensions OPTIONAL } */
static enum mg_status read_entry(struct judgement *j, struct mg_slice *in)
{
    struct mg_slice entry, serial;
    int64_t date;
    if (!der_get(in, DER_SEQUENCE, &entry) || !der_unsigned(&entry, &serial) || serial.len == 0 ||
        !der_time(&entry, &date)) {
        return refuse(j, "revokedCertificates: an entry is malformed");
    }
    enum mg_status status = entry.len > 0 ? read_extensions(j, &entry, entry_rules, MG_ARRAY_LEN(entry_rules)) : MG_OK;
    return status == MG_OK && entry.len > 0 ? refuse(j, "revokedCertificates: bytes left over in an entry") : status;
}

static enum mg_status read_revoked(struct judgement *j, struct mg_slice *in)
{
    struct mg_slice entries;
    if (!der_next_is(*in, DER_SEQUENCE)) {
        return MG_OK;
    }
    if (!der_get(in, DER_SEQUENCE, &entries) || entries.len == 0) {
        return refuse(j, "revokedCertificates: must be left out where there are none (section 5.1.2.6)");
    }
    enum mg_status status = MG_OK;
    while (status == MG_OK && entries.len > 0) {
        status = read_entry(j, &entries);
    }
    return status;
}

/* version v2, signature, issuer, thisUpdate and nextUpdate. */
static enum mg_status read_crl_head(struct judgement *j, struct mg_slice *in)
{
    struct mg_slice version, content, algorithm, issuer;
    int64_t this_update, next_update;
    uint8_t number;
    if (!der_unsigned(in, &version) || !mg_slice_u8(&version, &number) || version.len > 0 || number != 1 ||
        !der_get_whole(in, DER_SEQUENCE, &content, &algorithm) || !der_get_whole(in, DER_SEQUENCE, &content, &issuer) ||
        !der_time(in, &this_update) || !der_time(in, &next_update)) {
        return refuse(j, "TBSCertList: not as RFC 5280 section 5.1 has it");
    }
    if (!mg_slice_equal(algorithm, j->ca->facts.key_type->signature_algorithm)) {
        return refuse(j, "signature: not the algorithm of the CA's key");
    }
    if (!mg_slice_equal(issuer, j->ca->facts.subject)) {
        return refuse(j, "issuer: not the subject of the CA's certificate");
    }
    return next_update > this_update ? MG_OK : refuse(j, "nextUpdate: must come after thisUpdate");
}

enum mg_status private_ca_check_crl(const struct private_ca *ca, struct mg_slice der, struct mg_error *error)
{
    struct judgement j = {.ca = ca, .error = error};
    struct mg_slice fields, extensions;
    if (!ca->has_certificate) {
        return refuse(&j, "TBSCertList: the CA has no certificate yet");
    }
    if (!der_get(&der, DER_SEQUENCE, &fields) || der.len > 0) {
        return refuse(&j, "TBSCertList: not one DER SEQUENCE");
    }
    enum mg_status status = read_crl_head(&j, &fields);
    if (status == MG_OK) {
        status = read_revoked(&j, &fields);
    }
    if (status != MG_OK) {
        return status;
    }
    if (!der_get(&fields, DER_CONTEXT_CONSTRUCTED(0), &extensions) || fields.len > 0) {
        return refuse(&j, "TBSCertList: crlExtensions are missing, or bytes are left over");
    }
    status = read_extensions(&j, &extensions, crl_rules, MG_ARRAY_LEN(crl_rules));
    return status == MG_OK && extensions.len > 0 ? refuse(&j, "crlExtensions: bytes are left over") : status;
}

/* ---- CAs ---- */

/* read_own_constraints reads what the CA's certificate allows it. */
static enum mg_status read_own_constraints(struct mg_slice certificate, int *path_len, struct mg_error *error)
{
    struct tbs tbs;
    struct judgement j = {.path_len = PRIVATE_CA_NO_PATH_LEN, .error = error};
    enum mg_status status = tbs_parse_certificate(certificate, &tbs, error);
    for (size_t i = 0; status == MG_OK && i < tbs.num_extensions; i++) {
        const struct tbs_extension *extension = &tbs.extensions[i];
        bool ok = true;
        if (mg_slice_equal(extension->oid, mg_slice_of(ID_CE("\x13")))) {
            ok = read_basic_constraints(&j, extension);
        } else if (mg_slice_equal(extension->oid, mg_slice_of(ID_CE("\x0f")))) {
            ok = read_key_usage(&j, extension);
        }
        status = ok ? MG_OK : refuse(&j, "basicConstraints or keyUsage: malformed in the CA's own certificate");
    }
    if (status == MG_OK && (!j.is_ca || (j.key_usage & USAGE_KEY_CERT_SIGN) == 0)) {
        status = refuse(&j, "certificate: must be of a CA with keyCertSign");
    }
    *path_len = j.path_len;
    return status;
}

enum mg_status private_ca_check_chain(const struct mg_slice *certificates, size_t num_certificates,
                                      struct mg_error *error)
{
    int path_len;
    enum mg_status status = read_own_constraints(certificates[0], &path_len, error);
    for (size_t i = 1; status == MG_OK && i < num_certificates; i++) {
        status = ca_certificate_check_issued(certificates[i - 1], certificates[i], error);
    }
    return status;
}

/* read_key fills in what a CA without certificate has. */
static enum mg_status read_key(struct private_ca *out, const struct keystore_key *key, struct mg_error *error)
{
    int len = i2d_PUBKEY(key->pkey, &out->public_key);
    if (len <= 0) {
        return openssl_error_set(error, "cannot encode a public key");
    }
    out->facts = (struct leaf_issuer){.key_type = key->type, .spki = mg_slice_of(out->public_key, (size_t)len)};
    return MG_OK;
}

enum mg_status private_ca_read(struct private_ca *out, const struct keystore_key *key, struct mg_error *error)
{
    *out = (struct private_ca){.has_certificate = key->num_chain > 0, .path_len = PRIVATE_CA_NO_PATH_LEN};
    if (!out->has_certificate) {
        return read_key(out, key, error);
    }
    enum mg_status status = leaf_issuer_from_certificate(key->chain[0], 0, key->type, &out->facts, error);
    return status == MG_OK ? read_own_constraints(key->chain[0], &out->path_len, error) : status;
}

void private_ca_free(struct private_ca *ca)
{
    OPENSSL_free(ca->public_key);
    ca->public_key = NULL;
}
