/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/utf8.h"
#include "control/securosys/ska_public_key.h"
#include "ossl/base64.h"
#include "ossl/openssl_error.h"
#include "ossl/x509_builder.h"

#define DAY_SECONDS INT64_C(86400)
#define CA_USAGES "critical,keyCertSign,cRLSign"

/* ---- OpenSSL's objects ---- */

static EVP_PKEY *parse_key(struct mg_slice spki)
{
    const uint8_t *at = spki.data;
    return d2i_PUBKEY(NULL, &at, (long)spki.len);
}

static X509 *parse_certificate(struct mg_slice der)
{
    const uint8_t *at = der.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.len);
    if (x509 != NULL && at != der.data + der.len) {
        X509_free(x509);
        x509 = NULL;
    }
    return x509;
}

static enum mg_status failed(struct ska_error *error, const char *what)
{
    return openssl_error_set(&error->why, "cannot make %s", what);
}

static const EVP_MD *md_of(enum wire_ska_digest digest)
{
    switch (digest) {
    case WIRE_SKA_SHA224:
        return EVP_sha224();
    case WIRE_SKA_SHA384:
        return EVP_sha384();
    case WIRE_SKA_SHA512:
        return EVP_sha512();
    default:
        return EVP_sha256();
    }
}

/* ---- names ---- */

static const int attribute_nids[SKA_NUM_ATTRIBUTES] = {
    [SKA_COUNTRY] = NID_countryName,
    [SKA_STATE_OR_PROVINCE] = NID_stateOrProvinceName,
    [SKA_LOCALITY] = NID_localityName,
    [SKA_ORGANIZATION] = NID_organizationName,
    [SKA_ORGANIZATION_IDENTIFIER] = NID_organizationIdentifier,
    [SKA_ORGANIZATION_UNIT] = NID_organizationalUnitName,
    [SKA_COMMON_NAME] = NID_commonName,
    [SKA_EMAIL] = NID_pkcs9_emailAddress,
    [SKA_TITLE] = NID_title,
    [SKA_SURNAME] = NID_surname,
    [SKA_GIVEN_NAME] = NID_givenName,
    [SKA_INITIALS] = NID_initials,
    [SKA_PSEUDONYM] = NID_pseudonym,
    [SKA_GENERATION_QUALIFIER] = NID_generationQualifier,
};

/* add_attribute: OpenSSL's table knows the upper bounds of RFC 5280 appendix A.1. */
static enum mg_status add_attribute(X509_NAME *name, int nid, const char *value, struct ska_error *error)
{
    if (!mg_utf8_is_label(mg_slice_of_text(value)) ||
        X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const uint8_t *)value, -1, -1, 0) != 1) {
        ERR_clear_error();
        return ska_fail(error, SKA_INPUT, "%s: is too long or too short, or no text for a name", OBJ_nid2ln(nid));
    }
    return MG_OK;
}

static enum mg_status set_subject(X509_NAME *name, const struct ska_wish *wish, struct ska_error *error)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < SKA_NUM_ATTRIBUTES && status == MG_OK; i++) {
        if (wish->subject[i] != NULL && wish->subject[i][0] != '\0') {
            status = add_attribute(name, attribute_nids[i], wish->subject[i], error);
        }
    }
    if (status == MG_OK && X509_NAME_entry_count(name) == 0) {
        status = ska_fail(error, SKA_INPUT, "subject: must have at least one attribute");
    }
    return status;
}

/* ---- extensions ---- */

static const char *const key_usage_names[SKA_NUM_KEY_USAGES] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                                                "dataEncipherment", "keyAgreement",   "keyCertSign",
                                                                "cRLSign",          "encipherOnly",   "decipherOnly"};
static const char *const extended_usage_names[SKA_NUM_EXTENDED_USAGES] = {
    "anyExtendedKeyUsage", "serverAuth", "clientAuth", "codeSigning", "emailProtection", "timeStamping", "OCSPSigning"};

/* list_usages writes the names of |bits| in OpenSSL's configuration syntax. */
static void list_usages(char *out, size_t size, const char *begin, const char *const *names, size_t num_names,
                        unsigned bits)
{
    struct mg_buffer text;
    mg_buffer_wrap(&text, out, size);
    mg_buffer_append_text(&text, begin);
    for (size_t i = 0; i < num_names; i++) {
        if ((bits & 1U << i) != 0) {
            mg_buffer_append_text(&text, text.len > 0 ? "," : "");
            mg_buffer_append_text(&text, names[i]);
        }
    }
    mg_buffer_append_u8(&text, '\0');
}

struct usages {
    char key[160], extended[160]; /* "": none */
};

/* usages_of: a CA of which nothing is asked may sign certificates and revocation lists. */
static void usages_of(const struct ska_wish *wish, struct usages *out)
{
    *out = (struct usages){.key = ""};
    if (wish->key_usage != 0) {
        list_usages(out->key, sizeof(out->key), "critical", key_usage_names, SKA_NUM_KEY_USAGES, wish->key_usage);
    } else if (wish->is_ca) {
        list_usages(out->key, sizeof(out->key), CA_USAGES, NULL, 0, 0);
    }
    if (wish->extended_key_usage != 0) {
        list_usages(out->extended, sizeof(out->extended), "", extended_usage_names, SKA_NUM_EXTENDED_USAGES,
                    wish->extended_key_usage);
    }
}

static bool add_usages(X509 *x509, const struct ska_wish *wish)
{
    struct usages usages;
    usages_of(wish, &usages);
    return (!wish->is_ca || x509_builder_add_extension(x509, x509, NID_basic_constraints, "critical,CA:TRUE")) &&
           (usages.key[0] == '\0' || x509_builder_add_extension(x509, x509, NID_key_usage, usages.key)) &&
           (usages.extended[0] == '\0' || x509_builder_add_extension(x509, x509, NID_ext_key_usage, usages.extended));
}

/* add_authority names the issuer's key: by its subjectKeyIdentifier, or where it has none by the SHA-1 of its key
 * (RFC 5280 section 4.2.1.2, method 1). */
static bool add_authority(X509 *x509, X509 *issuer)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const ASN1_OCTET_STRING *known = X509_get0_subject_key_id(issuer);
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    bool ok = authority != NULL;
    if (ok && known != NULL) {
        authority->keyid = ASN1_OCTET_STRING_dup(known);
        ok = authority->keyid != NULL;
    } else if (ok) {
        authority->keyid = ASN1_OCTET_STRING_new();
        ok = authority->keyid != NULL && X509_pubkey_digest(issuer, EVP_sha1(), digest, &len) == 1 &&
             ASN1_OCTET_STRING_set(authority->keyid, digest, (int)len) == 1;
    }
    ok = ok && X509_add1_ext_i2d(x509, NID_authority_key_identifier, authority, 0, X509V3_ADD_DEFAULT) == 1;
    AUTHORITY_KEYID_free(authority);
    return ok;
}

/* ---- certificates ---- */

static bool set_serial(X509 *x509, const uint8_t serial[SKA_SERIAL_LEN])
{
    uint8_t bytes[SKA_SERIAL_LEN];
    memcpy(bytes, serial, sizeof(bytes));
    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40); /* positive, and always of as many octets */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
    BN_free(number);
    return ok;
}

/* set_algorithm writes the algorithm into the TBSCertificate, which nobody signs here: OpenSSL 3.0 sets it when it
 * signs, and gives only a view of it otherwise. RFC 5758 section 3.2, RFC 4055 section 5. */
static bool set_algorithm(X509 *x509, const EVP_PKEY *signer, enum wire_ska_digest digest)
{
    int nid;
    bool is_rsa = EVP_PKEY_is_a(signer, "RSA");
    X509_ALGOR *algorithm = MG_UNCONST(X509_get0_tbs_sigalg(x509));
    return OBJ_find_sigid_by_algs(&nid, EVP_MD_get_type(md_of(digest)), is_rsa ? EVP_PKEY_RSA : EVP_PKEY_EC) == 1 &&
           X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), is_rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) == 1;
}

static enum mg_status append_tbs(X509 *x509, struct mg_buffer *out, struct ska_error *error)
{
    uint8_t *der = NULL;
    int len = i2d_re_X509_tbs(x509, &der);
    if (len <= 0) {
        return failed(error, "a certificate");
    }
    mg_buffer_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return mg_buffer_ok(out) ? MG_OK : ska_fail(error, SKA_INPUT, "the certificate would be too long");
}

/* What a certificate is of, once it is known: all borrowed. */
struct parts {
    EVP_PKEY *signer, *subject_key;
    X509 *issuer; /* NULL: the certificate signs itself */
    int64_t not_after;
};

/* fill writes all but the subject, which is there already. */
static bool fill(X509 *x509, const struct ska_certificate_plan *plan, const struct parts *parts)
{
    X509 *issuer = parts->issuer == NULL ? x509 : parts->issuer;
    return X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509, plan->serial) &&
           x509_builder_set_validity(x509, plan->now, parts->not_after) &&
           X509_set_issuer_name(x509, X509_get_subject_name(issuer)) == 1 &&
           X509_set_pubkey(x509, parts->subject_key) == 1 && add_usages(x509, plan->wish) &&
           (parts->issuer == NULL || add_authority(x509, parts->issuer)) &&
           x509_builder_add_extension(x509, x509, NID_subject_key_identifier, "hash") &&
           set_algorithm(x509, parts->signer, plan->digest);
}

static enum mg_status make(const struct ska_certificate_plan *plan, const struct parts *parts, struct mg_buffer *out,
                           struct ska_error *error)
{
    X509 *x509 = X509_new();
    if (x509 == NULL) {
        return failed(error, "a certificate");
    }
    enum mg_status status = set_subject(X509_get_subject_name(x509), plan->wish, error);
    if (status == MG_OK) {
        status = fill(x509, plan, parts) ? append_tbs(x509, out, error) : failed(error, "a certificate");
    }
    X509_free(x509);
    return status;
}

enum mg_status ska_certificate_self_tbs(const struct ska_certificate_plan *plan, struct mg_buffer *out,
                                        struct ska_error *error)
{
    EVP_PKEY *key = parse_key(plan->public_key);
    const struct parts parts = {
        .signer = key, .subject_key = key, .not_after = plan->now + plan->wish->days * DAY_SECONDS};
    enum mg_status status = key == NULL ? failed(error, "a certificate") : make(plan, &parts, out, error);
    EVP_PKEY_free(key);
    return status;
}

/* ---- issuing ---- */

static bool seconds_of(const ASN1_TIME *time, int64_t *out)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&parts);
    return true;
}

/* check_issuer: who signs must be allowed to, and *not_after is where its own time ends. */
static enum mg_status check_issuer(X509 *issuer, const struct ska_certificate_plan *plan, int64_t *not_after,
                                   struct ska_error *error)
{
    int64_t not_before;
    if (!seconds_of(X509_get0_notBefore(issuer), &not_before) || !seconds_of(X509_get0_notAfter(issuer), not_after) ||
        plan->now < not_before || plan->now >= *not_after) {
        return ska_fail(error, SKA_INVALID_CERTIFICATE, "signKeyName: the key's certificate is not valid now");
    }
    uint32_t flags = X509_get_extension_flags(issuer);
    if ((flags & EXFLAG_INVALID) != 0 || (flags & EXFLAG_CA) == 0 ||
        (X509_get_key_usage(issuer) & KU_KEY_CERT_SIGN) == 0) {
        return ska_fail(error, SKA_FORBIDDEN_FOR_KEY, "signKeyName: the key's certificate is not a CA's");
    }
    if (plan->wish->is_ca && X509_get_pathlen(issuer) == 0) {
        return ska_fail(error, SKA_FORBIDDEN_FOR_KEY, "certificateAuthority: the issuer allows no CA below it");
    }
    return MG_OK;
}

/* skip_armour takes lines that begin with "-----" off both ends: PEM with either label, or bare base64. */
static struct mg_slice skip_armour(const char *text)
{
    const char *begin = strstr(text, "-----BEGIN "), *end;
    if (begin == NULL || (begin = strstr(begin + 11, "-----")) == NULL) {
        return mg_slice_of_text(text);
    }
    begin += 5;
    end = strstr(begin, "-----END ");
    return end == NULL ? mg_slice_of_text(begin) : mg_slice_of(begin, (size_t)(end - begin));
}

static X509_REQ *parse_request(const char *text)
{
    struct mg_buffer der;
    X509_REQ *request = NULL;
    mg_buffer_init(&der, WIRE_CONTROL_MAX_DER);
    if (base64_decode(&der, skip_armour(text))) {
        const uint8_t *at = der.data;
        request = d2i_X509_REQ(NULL, &at, (long)der.len);
        if (request != NULL && at != der.data + der.len) {
            X509_REQ_free(request);
            request = NULL;
        }
    }
    mg_buffer_free(&der);
    return request;
}

/* read_request reads the CSR, which proves that its sender has the key (RFC 2986 section 3). */
static enum mg_status read_request(const struct ska_wish *wish, X509_REQ **out, struct ska_error *error)
{
    struct ska_public_key ignored;
    *out = parse_request(wish->csr);
    if (*out == NULL) {
        ERR_clear_error();
        return ska_fail(error, SKA_CSR_FORMAT, "certificateSigningRequest: must be PKCS#10, as PEM or base64");
    }
    EVP_PKEY *key = X509_REQ_get0_pubkey(*out);
    enum mg_status status = ska_public_key_set(&ignored, key, error);
    if (status == MG_OK && X509_REQ_verify(*out, key) != 1) {
        status = ska_fail(error, SKA_INVALID_REQUEST, "certificateSigningRequest: is not signed with its own key");
    }
    ERR_clear_error();
    return status;
}

enum mg_status ska_certificate_issued_tbs(const struct ska_certificate_plan *plan, struct mg_buffer *out,
                                          struct ska_error *error)
{
    X509_REQ *request = NULL;
    int64_t issuer_ends = 0;
    struct parts parts = {.signer = parse_key(plan->public_key), .issuer = parse_certificate(plan->issuer)};
    enum mg_status status = parts.signer == NULL || parts.issuer == NULL
                                ? failed(error, "a certificate")
                                : check_issuer(parts.issuer, plan, &issuer_ends, error);
    if (status == MG_OK) {
        status = read_request(plan->wish, &request, error);
    }
    if (status == MG_OK) {
        int64_t wanted = plan->now + plan->wish->days * DAY_SECONDS;
        parts.not_after = wanted < issuer_ends ? wanted : issuer_ends;
        parts.subject_key = X509_REQ_get0_pubkey(request);
        status = make(plan, &parts, out, error);
    }
    X509_REQ_free(request);
    X509_free(parts.issuer);
    EVP_PKEY_free(parts.signer);
    ERR_clear_error();
    return status;
}

/* ---- requests ---- */

static bool push(STACK_OF(X509_EXTENSION) * extensions, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    if (extension == NULL || sk_X509_EXTENSION_push(extensions, extension) <= 0) {
        X509_EXTENSION_free(extension);
        return false;
    }
    return true;
}

/* ask_for_usages adds them as an extensionRequest (RFC 2985 section 5.4.2), where there are any. */
static bool ask_for_usages(X509_REQ *request, const struct ska_wish *wish)
{
    struct usages usages;
    usages_of(wish, &usages);
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    bool ok = extensions != NULL && (usages.key[0] == '\0' || push(extensions, NID_key_usage, usages.key)) &&
              (usages.extended[0] == '\0' || push(extensions, NID_ext_key_usage, usages.extended)) &&
              (sk_X509_EXTENSION_num(extensions) == 0 || X509_REQ_add_extensions(request, extensions) == 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return ok;
}

static enum mg_status append_request(X509_REQ *request, struct mg_buffer *out, struct ska_error *error)
{
    uint8_t *der = NULL;
    int len = i2d_re_X509_REQ_tbs(request, &der);
    if (len <= 0) {
        return failed(error, "a certification request");
    }
    mg_buffer_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return mg_buffer_ok(out) ? MG_OK : ska_fail(error, SKA_INPUT, "the certification request would be too long");
}

enum mg_status ska_certificate_request_tbs(const struct ska_certificate_plan *plan, struct mg_buffer *out,
                                           struct ska_error *error)
{
    EVP_PKEY *key = parse_key(plan->public_key);
    X509_REQ *request = X509_REQ_new();
    enum mg_status status = key == NULL || request == NULL
                                ? failed(error, "a certification request")
                                : set_subject(X509_REQ_get_subject_name(request), plan->wish, error);
    if (status == MG_OK && (X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
                            X509_REQ_set_pubkey(request, key) != 1 || !ask_for_usages(request, plan->wish))) {
        status = failed(error, "a certification request");
    }
    if (status == MG_OK) {
        status = append_request(request, out, error);
    }
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return status;
}

/* ---- certificates from outside ---- */

enum mg_status ska_certificate_parse(struct mg_slice text, struct mg_buffer *der, struct ska_error *error)
{
    char *copy = mg_slice_dup_text(text);
    if (copy == NULL) {
        return mg_error_set(&error->why, MG_MEMORY, "no memory for a certificate");
    }
    bool is_base64 = base64_decode(der, skip_armour(copy));
    X509 *x509 = is_base64 ? parse_certificate(mg_buffer_slice(der)) : NULL;
    bool is_good = x509 != NULL && X509_get0_pubkey(x509) != NULL;
    X509_free(x509);
    free(copy);
    ERR_clear_error();
    return is_good ? MG_OK : ska_fail(error, SKA_CERTIFICATE_ENCODING, "certificate: must be one in DER, in base64");
}

bool ska_certificate_matches(struct mg_slice der, struct mg_slice public_key)
{
    X509 *x509 = parse_certificate(der);
    EVP_PKEY *key = parse_key(public_key);
    bool matches =
        x509 != NULL && key != NULL && X509_get0_pubkey(x509) != NULL && EVP_PKEY_eq(X509_get0_pubkey(x509), key) == 1;
    EVP_PKEY_free(key);
    X509_free(x509);
    ERR_clear_error();
    return matches;
}
