/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/pca_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <time.h>

#include "control/service/pem.h"
#include "ossl/der_writer.h"
#include "ossl/openssl_error.h"

#define KEY_IDENTIFIER_LEN 20
/* An entry has a serial of up to 20 octets and a time: less than 48 octets. */
#define MAX_ENTRIES ((size_t)PCA_MAX_REVOKED * 48)

/* ---- parts ---- */

/* write_der appends what an i2d function gave, and frees it; false where that failed. */
static bool write_der(struct mg_buffer *out, uint8_t *der, int len)
{
    bool ok = len > 0;
    if (ok) {
        mg_buffer_append(out, der, (size_t)len);
    }
    OPENSSL_free(der);
    return ok && mg_buffer_ok(out);
}

/* write_algorithm writes the signature algorithm: ecdsa-with-SHA2 has no parameters (RFC 5758 section 3.2), and
 * sha256WithRSAEncryption NULL (RFC 4055 section 5). */
static bool write_algorithm(struct mg_buffer *out, enum wire_key_type type)
{
    int nid = type == WIRE_KEY_EC_P256   ? NID_ecdsa_with_SHA256
              : type == WIRE_KEY_EC_P384 ? NID_ecdsa_with_SHA384
              : type == WIRE_KEY_EC_P521 ? NID_ecdsa_with_SHA512
                                         : NID_sha256WithRSAEncryption;
    bool is_rsa = nid == NID_sha256WithRSAEncryption;
    uint8_t *der = NULL;
    X509_ALGOR *algorithm = X509_ALGOR_new();
    bool ok = algorithm != NULL &&
              X509_ALGOR_set0(algorithm, OBJ_nid2obj(nid), is_rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) == 1;
    int len = ok ? i2d_X509_ALGOR(algorithm, &der) : -1;
    X509_ALGOR_free(algorithm);
    return write_der(out, der, len);
}

static bool write_name(struct mg_buffer *out, const X509_NAME *name)
{
    uint8_t *der = NULL;
    int len = i2d_X509_NAME(name, &der);
    return write_der(out, der, len);
}

/* write_extension writes |value|, of the type that |nid| has in OpenSSL. */
static bool write_extension(struct mg_buffer *out, int nid, bool is_critical, void *value)
{
    uint8_t *der = NULL;
    X509_EXTENSION *extension = value == NULL ? NULL : X509V3_EXT_i2d(nid, is_critical, value);
    int len = extension == NULL ? -1 : i2d_X509_EXTENSION(extension, &der);
    X509_EXTENSION_free(extension);
    return write_der(out, der, len);
}

/* compute_identifier is RFC 7093 section 2 method 1: the left-most 160 bits of the SHA-256 hash of the key's bits. */
static bool compute_identifier(const X509_PUBKEY *key, uint8_t out[KEY_IDENTIFIER_LEN])
{
    const uint8_t *bits;
    int len;
    uint8_t hash[32];
    if (X509_PUBKEY_get0_param(NULL, &bits, &len, NULL, key) != 1 ||
        EVP_Digest(bits, (size_t)len, hash, NULL, EVP_sha256(), NULL) != 1) {
        return false;
    }
    memcpy(out, hash, KEY_IDENTIFIER_LEN);
    return true;
}

static bool write_subject_identifier(struct mg_buffer *out, const X509_PUBKEY *key)
{
    uint8_t identifier[KEY_IDENTIFIER_LEN];
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    bool ok = octets != NULL && compute_identifier(key, identifier) &&
              ASN1_OCTET_STRING_set(octets, identifier, sizeof(identifier)) == 1 &&
              write_extension(out, NID_subject_key_identifier, false, octets);
    ASN1_OCTET_STRING_free(octets);
    return ok;
}

/* write_authority names the key of |issuer| as its own certificate does. */
static bool write_authority(struct mg_buffer *out, X509 *issuer)
{
    uint8_t computed[KEY_IDENTIFIER_LEN];
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(issuer);
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    bool ok = authority != NULL;
    if (ok && own != NULL) {
        authority->keyid = ASN1_OCTET_STRING_dup(own);
        ok = authority->keyid != NULL;
    } else if (ok) {
        authority->keyid = ASN1_OCTET_STRING_new();
        ok = authority->keyid != NULL && compute_identifier(X509_get_X509_PUBKEY(issuer), computed) &&
             ASN1_OCTET_STRING_set(authority->keyid, computed, sizeof(computed)) == 1;
    }
    ok = ok && write_extension(out, NID_authority_key_identifier, false, authority);
    AUTHORITY_KEYID_free(authority);
    return ok;
}

static bool write_basic_constraints(struct mg_buffer *out, const struct pca_profile *profile)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    bool ok = constraints != NULL;
    if (ok) {
        constraints->ca = profile->is_ca ? 0xff : 0;
    }
    if (ok && profile->is_ca && profile->path_len != PCA_NO_PATH_LEN) {
        constraints->pathlen = ASN1_INTEGER_new();
        ok = constraints->pathlen != NULL && ASN1_INTEGER_set(constraints->pathlen, profile->path_len) == 1;
    }
    ok = ok && write_extension(out, NID_basic_constraints, true, constraints);
    BASIC_CONSTRAINTS_free(constraints);
    return ok;
}

/* KU_ flags have the bit numbers of KeyUsage from the highest down. */
static bool write_key_usage(struct mg_buffer *out, const struct pca_profile *profile)
{
    unsigned usage = profile->key_usage | (profile->is_ca ? KU_KEY_CERT_SIGN | KU_CRL_SIGN : 0);
    ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
    bool ok = bits != NULL;
    for (int i = 0; ok && i < 8; i++) {
        ok = (usage & 0x80U >> i) == 0 || ASN1_BIT_STRING_set_bit(bits, i, 1) == 1;
    }
    ok = ok && (usage == 0 || write_extension(out, NID_key_usage, true, bits));
    ASN1_BIT_STRING_free(bits);
    return ok;
}

/* new_uri makes a GeneralName of |url|. */
static GENERAL_NAME *new_uri(const char *url)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    if (name == NULL || text == NULL || ASN1_STRING_set(text, url, -1) != 1) {
        GENERAL_NAME_free(name);
        ASN1_IA5STRING_free(text);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    return name;
}

static bool write_crl_url(struct mg_buffer *out, const char *url)
{
    CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
    DIST_POINT *point = DIST_POINT_new();
    DIST_POINT_NAME *place = DIST_POINT_NAME_new();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *uri = new_uri(url);
    bool ok = points != NULL && point != NULL && place != NULL && names != NULL && uri != NULL &&
              sk_GENERAL_NAME_push(names, uri) > 0 && sk_DIST_POINT_push(points, point) > 0;
    if (ok) {
        place->type = 0; /* fullName */
        place->name.fullname = names;
        point->distpoint = place;
        ok = write_extension(out, NID_crl_distribution_points, false, points);
        CRL_DIST_POINTS_free(points);
        return ok;
    }
    sk_DIST_POINT_free(points);
    DIST_POINT_free(point);
    DIST_POINT_NAME_free(place);
    sk_GENERAL_NAME_free(names);
    GENERAL_NAME_free(uri);
    return false;
}

static bool write_ocsp_url(struct mg_buffer *out, const char *url)
{
    AUTHORITY_INFO_ACCESS *access = sk_ACCESS_DESCRIPTION_new_null();
    ACCESS_DESCRIPTION *description = ACCESS_DESCRIPTION_new();
    GENERAL_NAME *uri = new_uri(url);
    bool ok =
        access != NULL && description != NULL && uri != NULL && sk_ACCESS_DESCRIPTION_push(access, description) > 0;
    if (!ok) {
        sk_ACCESS_DESCRIPTION_free(access);
        ACCESS_DESCRIPTION_free(description);
        GENERAL_NAME_free(uri);
        return false;
    }
    description->method = OBJ_nid2obj(NID_ad_OCSP);
    GENERAL_NAME_free(description->location);
    description->location = uri;
    ok = write_extension(out, NID_info_access, false, access);
    AUTHORITY_INFO_ACCESS_free(access);
    return ok;
}

/* A SAN is critical where the subject is empty (RFC 5280 section 4.2.1.6). */
static bool write_optional(struct mg_buffer *out, const struct pca_profile *profile)
{
    bool is_nameless = X509_NAME_entry_count(profile->subject) == 0;
    return (profile->usages == NULL || write_extension(out, NID_ext_key_usage, false, profile->usages)) &&
           (profile->names == NULL || write_extension(out, NID_subject_alt_name, is_nameless, profile->names)) &&
           (profile->crl_url[0] == '\0' || write_crl_url(out, profile->crl_url)) &&
           (profile->ocsp_url[0] == '\0' || write_ocsp_url(out, profile->ocsp_url));
}

static bool write_extensions(struct mg_buffer *out, const struct pca_profile *profile)
{
    size_t outer = der_writer_begin(out), list = der_writer_begin(out);
    bool ok = write_basic_constraints(out, profile) && write_key_usage(out, profile) &&
              write_subject_identifier(out, profile->key) &&
              (profile->issuer == NULL || write_authority(out, profile->issuer)) && write_optional(out, profile);
    der_writer_end(out, list, DER_WRITER_SEQUENCE);
    der_writer_end(out, outer, DER_WRITER_EXPLICIT(3));
    return ok;
}

/* ---- certificates ---- */

static void write_version_3(struct mg_buffer *out)
{
    size_t begin = der_writer_begin(out);
    der_writer_number(out, 2);
    der_writer_end(out, begin, DER_WRITER_EXPLICIT(0));
}

static void write_validity(struct mg_buffer *out, const struct pca_profile *profile)
{
    size_t begin = der_writer_begin(out);
    der_writer_time(out, profile->not_before);
    der_writer_time(out, profile->not_after);
    der_writer_end(out, begin, DER_WRITER_SEQUENCE);
}

static bool write_key(struct mg_buffer *out, const X509_PUBKEY *key)
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(key, &der);
    return write_der(out, der, len);
}

void pca_format_serial(char out[PCA_SERIAL_SIZE], const uint8_t *octets, size_t len)
{
    out[0] = '\0';
    for (size_t i = 0; i < len && i < PCA_SERIAL_OCTETS; i++) {
        snprintf(out + 3 * i - (i > 0), 4, "%s%02x", i > 0 ? ":" : "", octets[i]);
    }
}

enum mg_status pca_certificate_tbs(const struct pca_profile *profile, enum wire_key_type signer_type,
                                   struct mg_buffer *out, char serial[PCA_SERIAL_SIZE], struct mg_error *error)
{
    uint8_t octets[PCA_SERIAL_OCTETS];
    if (RAND_bytes(octets, sizeof(octets)) != 1) {
        return openssl_error_set(error, "cannot make a serial number");
    }
    octets[0] = (uint8_t)((octets[0] & 0x3f) | 0x40); /* positive, and always of as many octets */
    pca_format_serial(serial, octets, sizeof(octets));
    const X509_NAME *issuer = profile->issuer == NULL ? profile->subject : X509_get_subject_name(profile->issuer);
    size_t begin = der_writer_begin(out);
    write_version_3(out);
    der_writer_unsigned(out, mg_slice_of(octets, sizeof(octets)));
    bool ok = write_algorithm(out, signer_type) && write_name(out, issuer);
    write_validity(out, profile);
    ok = ok && write_name(out, profile->subject) && write_key(out, profile->key) && write_extensions(out, profile);
    der_writer_end(out, begin, DER_WRITER_SEQUENCE);
    return ok && mg_buffer_ok(out) ? MG_OK : openssl_error_set(error, "cannot put a certificate together");
}

/* ---- CRLs ---- */

void pca_crl_begin(struct pca_crl *crl)
{
    mg_buffer_init(&crl->entries, MAX_ENTRIES);
    crl->num_entries = 0;
}

void pca_crl_free(struct pca_crl *crl)
{
    mg_buffer_free(&crl->entries);
}

static size_t parse_serial(const char *serial, uint8_t octets[PCA_SERIAL_OCTETS])
{
    size_t len = 0;
    unsigned value;
    while (len < PCA_SERIAL_OCTETS && sscanf(serial, "%2x", &value) == 1) {
        octets[len++] = (uint8_t)value;
        serial += strlen(serial) > 2 ? 3 : 2;
        if (serial[-1] != ':') {
            break;
        }
    }
    return len;
}

void pca_crl_add(struct pca_crl *crl, const char *serial, int64_t revoked_seconds)
{
    uint8_t octets[PCA_SERIAL_OCTETS];
    size_t len = parse_serial(serial, octets), begin = der_writer_begin(&crl->entries);
    der_writer_unsigned(&crl->entries, mg_slice_of(octets, len));
    der_writer_time(&crl->entries, revoked_seconds);
    der_writer_end(&crl->entries, begin, DER_WRITER_SEQUENCE);
    crl->num_entries++;
}

/* write_number writes cRLNumber (RFC 5280 section 5.2.3). */
static bool write_number(struct mg_buffer *out, uint64_t number)
{
    ASN1_INTEGER *integer = ASN1_INTEGER_new();
    bool ok = integer != NULL && ASN1_INTEGER_set_uint64(integer, number) == 1 &&
              write_extension(out, NID_crl_number, false, integer);
    ASN1_INTEGER_free(integer);
    return ok;
}

static bool write_crl_extensions(struct mg_buffer *out, X509 *issuer, uint64_t number)
{
    size_t outer = der_writer_begin(out), list = der_writer_begin(out);
    bool ok = write_authority(out, issuer) && write_number(out, number);
    der_writer_end(out, list, DER_WRITER_SEQUENCE);
    der_writer_end(out, outer, DER_WRITER_EXPLICIT(0));
    return ok;
}

enum mg_status pca_crl_tbs(const struct pca_crl *crl, X509 *issuer, enum wire_key_type signer_type, uint64_t number,
                           int64_t this_update, int64_t next_update, struct mg_buffer *out, struct mg_error *error)
{
    if (crl->num_entries > PCA_MAX_REVOKED || !mg_buffer_ok(&crl->entries)) {
        return mg_error_set(error, MG_LIMIT, "a CRL lists at most %d certificates", PCA_MAX_REVOKED);
    }
    size_t begin = der_writer_begin(out);
    der_writer_number(out, 1); /* v2 */
    bool ok = write_algorithm(out, signer_type) && write_name(out, X509_get_subject_name(issuer));
    der_writer_time(out, this_update);
    der_writer_time(out, next_update);
    if (crl->num_entries > 0) {
        size_t entries = der_writer_begin(out);
        mg_buffer_append_slice(out, mg_buffer_slice(&crl->entries));
        der_writer_end(out, entries, DER_WRITER_SEQUENCE);
    }
    ok = ok && write_crl_extensions(out, issuer, number);
    der_writer_end(out, begin, DER_WRITER_SEQUENCE);
    return ok && mg_buffer_ok(out) ? MG_OK : openssl_error_set(error, "cannot put a CRL together");
}

/* ---- what is signed ---- */

static enum mg_status to_pem(struct mg_slice der, const char *label, char **out_pem, struct mg_error *error)
{
    struct mg_buffer pem;
    mg_buffer_init(&pem, 2 * der.len + 256);
    enum mg_status status = pem_encode(&pem, label, der, error);
    *out_pem = status == MG_OK ? mg_slice_dup_text(mg_buffer_slice(&pem)) : NULL;
    mg_buffer_free(&pem);
    return status == MG_OK && *out_pem == NULL ? mg_error_set(error, MG_MEMORY, "out of memory") : status;
}

enum mg_status pca_assemble(struct mg_slice tbs, enum wire_key_type signer_type, struct mg_slice signature,
                            const char *label, char **out_pem, struct mg_error *error)
{
    struct mg_buffer der;
    mg_buffer_init(&der, tbs.len + signature.len + 64);
    mg_buffer_append_slice(&der, tbs);
    bool ok = write_algorithm(&der, signer_type);
    der_writer_bits(&der, signature);
    der_writer_end(&der, 0, DER_WRITER_SEQUENCE);
    enum mg_status status = ok && mg_buffer_ok(&der) ? to_pem(mg_buffer_slice(&der), label, out_pem, error)
                                                     : mg_error_set(error, MG_MEMORY, "out of memory");
    mg_buffer_free(&der);
    return status;
}

/* ---- reading ---- */

enum mg_status pca_read(const char *pem, X509 **out, struct mg_error *error)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    *out = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return *out != NULL ? MG_OK : openssl_error_set(error, "a certificate of the store cannot be read");
}

static bool seconds_of(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&tm);
    return true;
}

bool pca_validity_of(const X509 *x509, int64_t *not_before, int64_t *not_after)
{
    return seconds_of(X509_get0_notBefore(x509), not_before) && seconds_of(X509_get0_notAfter(x509), not_after);
}

int pca_path_len_of(X509 *x509)
{
    long path_len = X509_get_pathlen(x509);
    return path_len < 0 || path_len > 255 ? PCA_NO_PATH_LEN : (int)path_len;
}

enum mg_status pca_name_of(const struct pca_subject *subject, X509_NAME **out, struct mg_error *error)
{
    const struct {
        int nid;
        const char *field, *value;
    } attributes[] = {
        {NID_countryName, "country", subject->country},
        {NID_stateOrProvinceName, "stateProvince", subject->state},
        {NID_localityName, "locality", subject->locality},
        {NID_organizationName, "organization", subject->organization},
        {NID_organizationalUnitName, "organizationUnit", subject->unit},
        {NID_commonName, "commonName", subject->common_name},
    };
    *out = X509_NAME_new();
    for (size_t i = 0; i < MG_ARRAY_LEN(attributes); i++) {
        const char *value = attributes[i].value;
        if (value[0] != '\0' && X509_NAME_add_entry_by_NID(*out, attributes[i].nid, MBSTRING_UTF8,
                                                           (const uint8_t *)value, -1, -1, 0) != 1) {
            ERR_clear_error();
            X509_NAME_free(*out);
            *out = NULL;
            return mg_error_set(error, MG_INVALID, "%s: not as RFC 5280 appendix A.1 has it", attributes[i].field);
        }
    }
    return MG_OK;
}
