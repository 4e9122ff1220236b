/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_wish.h"

#include "control/http/json_body.h"
#include "control/http/scan.h"

#define MAX_TEXT 255
#define MAX_CSR ((int64_t)32 * 1024)
#define MAX_PAYLOAD ((int64_t)(WIRE_CONTROL_MAX_PAYLOAD / 3 + 1) * 4)
#define MAX_META ((int64_t)4096)
#define MAX_PASSWORD 256

static const char *const operations[] = {
    NULL,   "CERTIFICATE_REQUEST",   "SELF_SIGN_CERTIFICATE", "SIGN_CERTIFICATE",
    "SIGN", "MINTGATE_MAKE_DEFAULT", "MINTGATE_GENERATE_CSR", "MINTGATE_SIGN_SUB_CA"};
const struct words ska_operation_words = WORDS_OF(operations);

bool ska_operation_is_gate(enum ska_operation operation)
{
    return operation >= SKA_GATE_DEFAULT;
}

/* ---- usages ---- */

static const char *const key_usages[SKA_NUM_KEY_USAGES + 1] = {NULL,
                                                               "DIGITAL_SIGNATURE",
                                                               "CONTENT_COMMITMENT",
                                                               "KEY_ENCIPHERMENT",
                                                               "DATA_ENCIPHERMENT",
                                                               "KEY_AGREEMENT",
                                                               "KEY_CERT_SIGN",
                                                               "CRL_SIGN",
                                                               "ENCIPHER_ONLY",
                                                               "DECIPHER_ONLY"};
static const char *const extended_usages[SKA_NUM_EXTENDED_USAGES + 1] = {
    NULL,           "ANY_EXTENDED_KEY_USAGE", "SERVER_AUTH",   "CLIENT_AUTH",
    "CODE_SIGNING", "EMAIL_PROTECTION",       "TIME_STAMPING", "OCSP_SIGNING"};
static const struct words key_usage_words = WORDS_OF(key_usages);
static const struct words extended_usage_words = WORDS_OF(extended_usages);

/* add_usages takes one text of the list, which may hold several names (contracts.md section 4.2): "A,B", "A, B", "". */
static bool add_usages(const struct words *words, struct mg_slice text, unsigned *bits)
{
    while (text.len > 0) {
        struct mg_slice name = scan_trim(scan_until(&text, ','));
        unsigned value = words_value(words, name);
        if (value == 0 && name.len > 0) {
            return false;
        }
        *bits |= value == 0 ? 0 : 1U << (value - 1);
    }
    return true;
}

static enum mg_status read_usages(const json_t *list, const char *field, const struct words *words, unsigned *bits,
                                  struct ska_error *error)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item) || !add_usages(words, mg_slice_of_text(json_string_value(item)), bits)) {
            return ska_fail(error, SKA_INVALID_ENUM, "%s: item %zu has a name that is none", field, i + 1);
        }
    }
    return MG_OK;
}

/* ---- bodies ---- */

/* What the bodies of all operations may have; which they have says the table of each. */
struct body {
    struct ska_wish wish;
    struct http_json_integer days;
    struct http_json_flag is_ca;
    const json_t *key_usage, *extended_key_usage, *subject;
    const char *signature_type; /* of a payload */
};

#define TEXT(name, required, member, max)                                                                              \
    {                                                                                                                  \
        name, HTTP_FIELD_TEXT, required, offsetof(struct body, member), required ? 1 : 0, max                          \
    }
#define COMMON                                                                                                         \
    TEXT("signKeyName", true, wish.key_label, MAX_TEXT),                                                               \
        {"keyPassword", HTTP_FIELD_ARRAY, false, offsetof(struct body, wish.password), 0, MAX_PASSWORD},               \
        TEXT("signatureAlgorithm", false, wish.signature_algorithm, MAX_TEXT),                                         \
        TEXT("metaData", false, wish.meta_data, MAX_META),                                                             \
        TEXT("metaDataSignature", false, wish.meta_data_signature, MAX_META)
#define USAGES                                                                                                         \
    {"keyUsage", HTTP_FIELD_ARRAY, false, offsetof(struct body, key_usage), 0, 16},                                    \
        {"extendedKeyUsage", HTTP_FIELD_ARRAY, false, offsetof(struct body, extended_key_usage), 0, 16},               \
    {                                                                                                                  \
        "validity", HTTP_FIELD_INTEGER, false, offsetof(struct body, days), 1, SKA_MAX_DAYS                            \
    }
#define ISSUING                                                                                                        \
    TEXT("commonName", true, wish.subject[SKA_COMMON_NAME], MAX_TEXT),                                                 \
    {                                                                                                                  \
        "certificateAuthority", HTTP_FIELD_FLAG, false, offsetof(struct body, is_ca), 0, 0                             \
    }

static const struct http_field request_fields[] = {
    COMMON, USAGES, {"standardCertificateAttributes", HTTP_FIELD_OBJECT, true, offsetof(struct body, subject), 0, 0}};
/* One of the vendor's clients gives the name among the attributes. */
static const struct http_field self_sign_fields[] = {
    COMMON,
    USAGES,
    TEXT("commonName", false, wish.subject[SKA_COMMON_NAME], MAX_TEXT),
    {"certificateAuthority", HTTP_FIELD_FLAG, false, offsetof(struct body, is_ca), 0, 0},
    {"standardCertificateAttributes", HTTP_FIELD_OBJECT, false, offsetof(struct body, subject), 0, 0},
};
static const struct http_field certify_fields[] = {COMMON, USAGES, ISSUING,
                                                   TEXT("certificateSigningRequest", true, wish.csr, MAX_CSR)};
static const struct http_field sign_fields[] = {COMMON, TEXT("payload", true, wish.payload, MAX_PAYLOAD),
                                                TEXT("signatureType", false, signature_type, MAX_TEXT)};

static const struct {
    const struct http_field *fields;
    size_t num_fields;
} bodies[] = {
    [SKA_MAKE_REQUEST] = {request_fields, MG_ARRAY_LEN(request_fields)},
    [SKA_SELF_SIGN] = {self_sign_fields, MG_ARRAY_LEN(self_sign_fields)},
    [SKA_CERTIFY] = {certify_fields, MG_ARRAY_LEN(certify_fields)},
    [SKA_SIGN] = {sign_fields, MG_ARRAY_LEN(sign_fields)},
};

#define ATTRIBUTE(name, place)                                                                                         \
    {                                                                                                                  \
        name, HTTP_FIELD_TEXT, false, (place) * sizeof(const char *), 0, MAX_TEXT                                      \
    }

static const struct http_field attribute_fields[] = {
    ATTRIBUTE("country", SKA_COUNTRY),
    ATTRIBUTE("stateOrProvinceName", SKA_STATE_OR_PROVINCE),
    ATTRIBUTE("locality", SKA_LOCALITY),
    ATTRIBUTE("organizationName", SKA_ORGANIZATION),
    ATTRIBUTE("organizationIdentifier", SKA_ORGANIZATION_IDENTIFIER),
    ATTRIBUTE("organizationUnitName", SKA_ORGANIZATION_UNIT),
    ATTRIBUTE("commonName", SKA_COMMON_NAME),
    ATTRIBUTE("email", SKA_EMAIL),
    ATTRIBUTE("title", SKA_TITLE),
    ATTRIBUTE("surname", SKA_SURNAME),
    ATTRIBUTE("givenName", SKA_GIVEN_NAME),
    ATTRIBUTE("initials", SKA_INITIALS),
    ATTRIBUTE("pseudonym", SKA_PSEUDONYM),
    ATTRIBUTE("generationQualifier", SKA_GENERATION_QUALIFIER),
};
_Static_assert(MG_ARRAY_LEN(attribute_fields) == SKA_NUM_ATTRIBUTES, "each attribute is read");

/* check_usages: RFC 5280 section 4.2.1.9, who is no CA signs no certificates. */
static enum mg_status check_usages(const struct ska_wish *wish, struct ska_error *error)
{
    bool makes_certificate = wish->operation == SKA_SELF_SIGN || wish->operation == SKA_CERTIFY;
    if (makes_certificate && !wish->is_ca && (wish->key_usage & SKA_USAGE_KEY_CERT_SIGN) != 0) {
        return ska_fail(error, SKA_INPUT, "keyUsage: KEY_CERT_SIGN needs certificateAuthority");
    }
    return MG_OK;
}

enum mg_status ska_password_check(const json_t *password, struct ska_error *error)
{
    for (size_t i = 0; i < json_array_size(password); i++) {
        if (!json_is_string(json_array_get(password, i))) {
            return ska_fail(error, SKA_INPUT, "password: must be an array of characters");
        }
    }
    return MG_OK;
}

/* read_subject reads the attributes; a common name beside them counts before theirs. */
static enum mg_status read_subject(const struct body *body, struct ska_wish *out, struct ska_error *error)
{
    const char *beside = out->subject[SKA_COMMON_NAME];
    bool needs_name = out->operation == SKA_SELF_SIGN;
    if (body->subject != NULL) {
        enum mg_status status =
            ska_fail_unless(error,
                            http_json_fields(body->subject, attribute_fields, MG_ARRAY_LEN(attribute_fields),
                                             out->subject, &error->why),
                            SKA_INPUT);
        if (status != MG_OK) {
            return status;
        }
    }
    const char **name = &out->subject[SKA_COMMON_NAME];
    *name = beside != NULL && beside[0] != '\0' ? beside : *name;
    return needs_name && (*name == NULL || (*name)[0] == '\0') ? ska_fail(error, SKA_INPUT, "commonName: is required")
                                                               : MG_OK;
}

static enum mg_status read_parts(const struct body *body, struct ska_wish *out, struct ska_error *error)
{
    enum mg_status status = ska_password_check(out->password, error);
    if (status == MG_OK) {
        status = read_usages(body->key_usage, "keyUsage", &key_usage_words, &out->key_usage, error);
    }
    if (status == MG_OK) {
        status = read_usages(body->extended_key_usage, "extendedKeyUsage", &extended_usage_words,
                             &out->extended_key_usage, error);
    }
    if (status == MG_OK) {
        status = read_subject(body, out, error);
    }
    return status == MG_OK ? check_usages(out, error) : status;
}

enum mg_status ska_wish_read(const json_t *body, enum ska_operation operation, struct ska_wish *out,
                             struct ska_error *error)
{
    struct body read = {.days = {false, 0}};
    enum mg_status status = ska_fail_unless(
        error, http_json_fields(body, bodies[operation].fields, bodies[operation].num_fields, &read, &error->why),
        SKA_INPUT);
    if (status != MG_OK) {
        return status;
    }
    if (read.signature_type != NULL && read.signature_type[0] != '\0' && strcmp(read.signature_type, "DER") != 0) {
        return ska_fail(error, SKA_UNSUPPORTED, "signatureType: must be DER");
    }
    *out = read.wish;
    out->operation = operation;
    out->days = read.days.is_set ? read.days.value : SKA_DEFAULT_DAYS;
    out->is_ca = read.is_ca.value;
    return read_parts(&read, out, error);
}

/* ---- algorithms ---- */

static const struct {
    const char *name;
    enum wire_ska_digest digest;
    bool is_rsa;
} algorithms[] = {
    {"SHA256_WITH_RSA", WIRE_SKA_SHA256, true},    {"SHA224_WITH_RSA", WIRE_SKA_SHA224, true},
    {"SHA384_WITH_RSA", WIRE_SKA_SHA384, true},    {"SHA512_WITH_RSA", WIRE_SKA_SHA512, true},
    {"SHA256_WITH_ECDSA", WIRE_SKA_SHA256, false}, {"SHA224_WITH_ECDSA", WIRE_SKA_SHA224, false},
    {"SHA384_WITH_ECDSA", WIRE_SKA_SHA384, false}, {"SHA512_WITH_ECDSA", WIRE_SKA_SHA512, false},
};

enum mg_status ska_wish_digest(const struct ska_wish *wish, enum wire_key_type type, enum wire_ska_digest *out,
                               struct ska_error *error)
{
    bool is_rsa = type != WIRE_KEY_EC_P256 && type != WIRE_KEY_EC_P384;
    *out = WIRE_SKA_SHA256;
    if (wish->signature_algorithm == NULL || wish->signature_algorithm[0] == '\0') {
        return MG_OK;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(algorithms); i++) {
        if (strcmp(algorithms[i].name, wish->signature_algorithm) == 0) {
            *out = algorithms[i].digest;
            return algorithms[i].is_rsa == is_rsa
                       ? MG_OK
                       : ska_fail(error, SKA_ALGORITHM_OF_KEY, "signatureAlgorithm: is not for such a key");
        }
    }
    return ska_fail(error, SKA_INVALID_ENUM, "signatureAlgorithm: must be SHA256, 384, 512 or 224 _WITH_RSA or _ECDSA");
}
