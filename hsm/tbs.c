/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/tbs.h"

#include "hsm/der.h"

/* Each field of the TBSCertificate has a parser that takes it off |in|; parse_fields calls them in order. */

/* version [0] EXPLICIT INTEGER DEFAULT v1: a default value is not encoded in DER. */
static bool parse_version(struct mg_slice *in, struct tbs *out)
{
    out->version = 1;
    if (!der_next_is(*in, DER_CONTEXT_CONSTRUCTED(0))) {
        return true;
    }
    struct mg_slice outer, number;
    uint8_t value;
    if (!der_get(in, DER_CONTEXT_CONSTRUCTED(0), &outer) || !der_unsigned(&outer, &number) || outer.len > 0 ||
        !mg_slice_u8(&number, &value) || number.len > 0 || value > 2) {
        return false;
    }
    out->version = value + 1u;
    return true;
}

static bool parse_serial(struct mg_slice *in, struct tbs *out)
{
    return der_integer(in, &out->serial);
}

/* AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL } */
static bool parse_algorithm(struct mg_slice *in, struct mg_slice *whole)
{
    struct mg_slice content, oid, parameters;
    uint8_t tag;
    if (!der_get_whole(in, DER_SEQUENCE, &content, whole) || !der_get(&content, DER_OID, &oid) || oid.len == 0) {
        return false;
    }
    if (content.len > 0 && !der_any(&content, &tag, &parameters, NULL)) {
        return false;
    }
    return content.len == 0;
}

static bool parse_signature_algorithm(struct mg_slice *in, struct tbs *out)
{
    return parse_algorithm(in, &out->signature_algorithm);
}

/* AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY } */
static bool parse_attribute(struct mg_slice *in)
{
    struct mg_slice content, oid, value;
    uint8_t tag;
    return der_get(in, DER_SEQUENCE, &content) && der_get(&content, DER_OID, &oid) && oid.len > 0 &&
           der_any(&content, &tag, &value, NULL) && content.len == 0;
}

/* Name ::= SEQUENCE OF SET SIZE (1..MAX) OF AttributeTypeAndValue */
static bool parse_name(struct mg_slice *in, struct mg_slice *whole)
{
    struct mg_slice names, attributes;
    if (!der_get_whole(in, DER_SEQUENCE, &names, whole)) {
        return false;
    }
    while (names.len > 0) {
        if (!der_get(&names, DER_SET, &attributes) || attributes.len == 0) {
            return false;
        }
        while (attributes.len > 0) {
            if (!parse_attribute(&attributes)) {
                return false;
            }
        }
    }
    return true;
}

static bool parse_issuer(struct mg_slice *in, struct tbs *out)
{
    return parse_name(in, &out->issuer);
}

static bool parse_validity(struct mg_slice *in, struct tbs *out)
{
    struct mg_slice content;
    return der_get(in, DER_SEQUENCE, &content) && der_time(&content, &out->not_before) &&
           der_time(&content, &out->not_after) && content.len == 0;
}

static bool parse_subject(struct mg_slice *in, struct tbs *out)
{
    return parse_name(in, &out->subject);
}

/* SubjectPublicKeyInfo ::= SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING } */
static bool parse_spki(struct mg_slice *in, struct tbs *out)
{
    struct mg_slice content;
    return der_get_whole(in, DER_SEQUENCE, &content, &out->spki) && parse_algorithm(&content, &out->key_algorithm) &&
           der_bit_string(&content, &out->public_key) && content.len == 0;
}

/* issuerUniqueID [1] and subjectUniqueID [2], IMPLICIT BIT STRING, both OPTIONAL: no leaf has them, so that only
 * their presence is noted. */
static bool parse_unique_ids(struct mg_slice *in, struct tbs *out)
{
    out->has_unique_ids = false;
    for (uint8_t number = 1; number <= 2; number++) {
        struct mg_slice ignored;
        if (der_next_is(*in, DER_CONTEXT(number))) {
            out->has_unique_ids = true;
            if (!der_get(in, DER_CONTEXT(number), &ignored)) {
                return false;
            }
        }
    }
    return true;
}

/* Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
bool tbs_take_extension(struct mg_slice *in, struct tbs_extension *out)
{
    struct mg_slice content;
    out->critical = false;
    if (!der_get(in, DER_SEQUENCE, &content) || !der_get(&content, DER_OID, &out->oid) || out->oid.len == 0) {
        return false;
    }
    if (der_next_is(content, DER_BOOLEAN) && (!der_boolean(&content, &out->critical) || !out->critical)) {
        return false;
    }
    return der_get(&content, DER_OCTET_STRING, &out->value) && content.len == 0;
}

/* extensions [3] EXPLICIT SEQUENCE SIZE (1..MAX) OF Extension OPTIONAL */
static bool parse_extensions(struct mg_slice *in, struct tbs *out)
{
    struct mg_slice outer, list;
    out->num_extensions = 0;
    if (in->len == 0) {
        return true;
    }
    if (!der_get(in, DER_CONTEXT_CONSTRUCTED(3), &outer) || !der_get(&outer, DER_SEQUENCE, &list) || outer.len > 0 ||
        list.len == 0) {
        return false;
    }
    while (list.len > 0) {
        if (out->num_extensions == TBS_MAX_EXTENSIONS ||
            !tbs_take_extension(&list, &out->extensions[out->num_extensions])) {
            return false;
        }
        out->num_extensions++;
    }
    return true;
}

/* parse_fields reads the content of the TBSCertificate's SEQUENCE. */
static enum mg_status parse_fields(struct mg_slice in, struct tbs *out, struct mg_error *error)
{
    static const struct {
        const char *name;
        bool (*parse)(struct mg_slice *in, struct tbs *out);
    } fields[] = {
        {"version", parse_version},
        {"serialNumber", parse_serial},
        {"signature", parse_signature_algorithm},
        {"issuer", parse_issuer},
        {"validity", parse_validity},
        {"subject", parse_subject},
        {"subjectPublicKeyInfo", parse_spki},
        {"unique identifiers", parse_unique_ids},
        {"extensions", parse_extensions},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(fields); i++) {
        if (!fields[i].parse(&in, out)) {
            return mg_error_set(error, MG_INVALID, "TBSCertificate: %s is not as RFC 5280 section 4.1 has it",
                                fields[i].name);
        }
    }
    if (in.len > 0) {
        return mg_error_set(error, MG_INVALID, "TBSCertificate: %zu bytes left over behind the extensions", in.len);
    }
    return MG_OK;
}

enum mg_status tbs_parse(struct mg_slice der, struct tbs *out, struct mg_error *error)
{
    struct mg_slice content;
    if (!der_get(&der, DER_SEQUENCE, &content) || der.len > 0) {
        return mg_error_set(error, MG_INVALID, "TBSCertificate: not one DER SEQUENCE");
    }
    return parse_fields(content, out, error);
}

/* Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm AlgorithmIdentifier, signatureValue BIT STRING } */
enum mg_status tbs_parse_certificate(struct mg_slice der, struct tbs *out, struct mg_error *error)
{
    struct mg_slice certificate, fields, algorithm, signature;
    if (!der_get(&der, DER_SEQUENCE, &certificate) || der.len > 0 || !der_get(&certificate, DER_SEQUENCE, &fields) ||
        !parse_algorithm(&certificate, &algorithm) || !der_bit_string(&certificate, &signature) ||
        certificate.len > 0) {
        return mg_error_set(error, MG_INVALID, "not one X.509 certificate in DER");
    }
    enum mg_status status = parse_fields(fields, out, error);
    if (status == MG_OK && !mg_slice_equal(algorithm, out->signature_algorithm)) {
        return mg_error_set(error, MG_INVALID, "certificate: its two signature algorithms differ");
    }
    return status;
}

bool tbs_name_is_empty(struct mg_slice name)
{
    struct mg_slice content;
    return der_get(&name, DER_SEQUENCE, &content) && content.len == 0;
}
