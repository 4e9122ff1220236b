/* SPDX-License-Identifier: Apache-2.0 */
#include "control/certificate_check.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define MIN_RSA_BITS 2048
#define MAX_RSA_BITS 8192 /* beyond it a verification takes too long */
#define KEY_IDENTIFIER_LEN 20

struct certificates {
    X509 *items[CERTIFICATE_MAX_CHAIN]; /* owned */
    size_t num_items;
};

static void release(struct certificates *certificates)
{
    for (size_t i = 0; i < certificates->num_items; i++) {
        X509_free(certificates->items[i]);
    }
    *certificates = (struct certificates){.num_items = 0};
    ERR_clear_error();
}

/* Reading. |what| is what errors call the file. */

static enum mg_status add_der(struct certificates *out, struct mg_slice *der, const char *what, struct mg_error *error)
{
    const uint8_t *at = der->data;
    if (out->num_items == CERTIFICATE_MAX_CHAIN) {
        return mg_error_set(error, MG_INVALID, "%s: has more than %d certificates", what, CERTIFICATE_MAX_CHAIN);
    }
    X509 *x509 = d2i_X509(NULL, &at, (long)der->len);
    struct mg_slice used;
    if (x509 == NULL || !mg_slice_take(der, &used, (size_t)(at - der->data))) {
        X509_free(x509);
        return mg_error_set(error, MG_INVALID, "%s: certificate %zu cannot be read: not an X.509 certificate in DER",
                            what, out->num_items + 1);
    }
    out->items[out->num_items++] = x509;
    return MG_OK;
}

static enum mg_status add_block(struct certificates *out, const char *name, const char *header, struct mg_slice der,
                                const char *what, struct mg_error *error)
{
    if (strstr(name, "PRIVATE KEY") != NULL) {
        return mg_error_set(error, MG_INVALID, "%s: has a private key in it, which must never leave its owner", what);
    }
    if ((strcmp(name, PEM_STRING_X509) != 0 && strcmp(name, PEM_STRING_X509_OLD) != 0) || header[0] != '\0') {
        return mg_error_set(error, MG_INVALID, "%s: must hold nothing but certificates, and has %.64s", what, name);
    }
    enum mg_status status = add_der(out, &der, what, error);
    if (status == MG_OK && der.len > 0) {
        status = mg_error_set(error, MG_INVALID, "%s: bytes follow the certificate in its PEM block", what);
    }
    return status;
}

static enum mg_status read_pem(struct certificates *out, struct mg_slice file, const char *what, struct mg_error *error)
{
    BIO *bio = BIO_new_mem_buf(file.data, (int)file.len);
    if (bio == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a certificate");
    }
    enum mg_status status = MG_OK;
    while (status == MG_OK) {
        char *name = NULL, *header = NULL;
        uint8_t *data = NULL;
        long len = 0;
        ERR_clear_error();
        if (PEM_read_bio(bio, &name, &header, &data, &len) != 1) {
            if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
                status = mg_error_set(error, MG_INVALID, "%s: block %zu is not PEM", what, out->num_items + 1);
            }
            break;
        }
        status = add_block(out, name, header, mg_slice_of(data, (size_t)len), what, error);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t)len); /* somebody may have sent a key */
    }
    BIO_free(bio);
    return status;
}

static enum mg_status read_der(struct certificates *out, struct mg_slice file, const char *what, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    while (status == MG_OK && file.len > 0) {
        status = add_der(out, &file, what, error);
    }
    return status;
}

/* read_file reads all certificates of |file|, at least one; |out| is the caller's to release, whatever comes of it. */
static enum mg_status read_file(struct certificates *out, struct mg_slice file, size_t max_len, const char *what,
                                struct mg_error *error)
{
    static const char begin[] = "-----BEGIN ";
    *out = (struct certificates){.num_items = 0};
    if (file.len > max_len) {
        return mg_error_set(error, MG_INVALID, "%s: must have at most %zu bytes", what, max_len);
    }
    bool is_pem = file.len > 0 && memmem(file.data, file.len, begin, sizeof(begin) - 1) != NULL;
    enum mg_status status = is_pem ? read_pem(out, file, what, error) : read_der(out, file, what, error);
    if (status == MG_OK && out->num_items == 0) {
        status = mg_error_set(error, MG_INVALID, "%s: there is no certificate in it", what);
    }
    return status;
}

/* The rules of a CA certificate. Each returns NULL where it is kept, else what is wrong. */

typedef const char *(*rule)(X509 *x509, int64_t now);

static bool is_root(X509 *x509)
{
    return (X509_get_extension_flags(x509) & EXFLAG_SI) != 0 && X509_verify(x509, X509_get0_pubkey(x509)) == 1;
}

/* X509_get_extension_flags reads all extensions that OpenSSL knows, and finds the malformed and the repeated. */
static const char *rule_form(X509 *x509, int64_t now)
{
    (void)now;
    if (X509_get_version(x509) != X509_VERSION_3) {
        return "version: must be 3, since older ones cannot say that they are a CA";
    }
    if ((X509_get_extension_flags(x509) & EXFLAG_INVALID) != 0) {
        return "extensions: one is malformed or given twice";
    }
    if ((X509_get_extension_flags(x509) & EXFLAG_CRITICAL) != 0) {
        return "extensions: a critical one is unknown, so that clients would refuse it";
    }
    if (X509_NAME_entry_count(X509_get_subject_name(x509)) == 0) {
        return "subject: must not be empty for a CA (section 4.1.2.6)";
    }
    return NULL;
}

static const char *rule_ca(X509 *x509, int64_t now)
{
    (void)now;
    const uint32_t wanted = EXFLAG_BCONS | EXFLAG_CA;
    if ((X509_get_extension_flags(x509) & wanted) != wanted) {
        return "basicConstraints: must say CA:TRUE (section 4.2.1.9)";
    }
    return NULL;
}

/* Some roots have no keyUsage; RFC 5280 asks it of all other CAs. */
static const char *rule_key_usage(X509 *x509, int64_t now)
{
    (void)now;
    if ((X509_get_extension_flags(x509) & EXFLAG_KUSAGE) == 0) {
        return is_root(x509) ? NULL : "keyUsage: must be there, with keyCertSign (section 4.2.1.3)";
    }
    if ((X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) == 0) {
        return "keyUsage: must have keyCertSign (section 4.2.1.3)";
    }
    return NULL;
}

/* Absent means everything; present, clients take it as a bound of what may be issued. */
static const char *rule_extended_key_usage(X509 *x509, int64_t now)
{
    (void)now;
    if ((X509_get_extension_flags(x509) & EXFLAG_XKUSAGE) != 0 &&
        (X509_get_extended_key_usage(x509) & (XKU_SSL_SERVER | XKU_ANYEKU)) == 0) {
        return "extendedKeyUsage: must have serverAuth, or not be there (section 4.2.1.12)";
    }
    return NULL;
}

static bool is_whole_dns(const GENERAL_SUBTREE *subtree)
{
    if (subtree->base->type != GEN_DNS) {
        return false;
    }
    int len = ASN1_STRING_length(subtree->base->d.dNSName);
    return len == 0 || (len == 1 && ASN1_STRING_get0_data(subtree->base->d.dNSName)[0] == '.');
}

/* Subtrees of some DNS names or addresses are the CA's choice: servers outside them then fail verification. What is
 * refused lets no server's leaf through: leaves carry the server's subject and DNS names. */
static const char *broken_constraint(const NAME_CONSTRAINTS *constraints)
{
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees); i++) {
        if (sk_GENERAL_SUBTREE_value(constraints->permittedSubtrees, i)->base->type == GEN_DIRNAME) {
            return "nameConstraints: permit only some directory names, which servers' leaves do not have";
        }
    }
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(constraints->excludedSubtrees); i++) {
        if (is_whole_dns(sk_GENERAL_SUBTREE_value(constraints->excludedSubtrees, i))) {
            return "nameConstraints: exclude every DNS name, and so every server's leaf";
        }
    }
    return NULL;
}

static const char *rule_name_constraints(X509 *x509, int64_t now)
{
    (void)now;
    int critical;
    NAME_CONSTRAINTS *constraints = X509_get_ext_d2i(x509, NID_name_constraints, &critical, NULL);
    if (constraints == NULL) {
        return critical == -1 ? NULL : "nameConstraints: are malformed";
    }
    const char *broken = broken_constraint(constraints);
    NAME_CONSTRAINTS_free(constraints);
    return broken;
}

static bool time_of(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&tm);
    return true;
}

static const char *rule_validity(X509 *x509, int64_t now)
{
    int64_t not_before, not_after;
    if (!time_of(X509_get0_notBefore(x509), &not_before) || !time_of(X509_get0_notAfter(x509), &not_after)) {
        return "validity: is malformed";
    }
    if (now < not_before) {
        return "validity: has not begun (notBefore)";
    }
    if (now > not_after) {
        return "validity: has ended (notAfter)";
    }
    return NULL;
}

static bool is_known_curve(const EVP_PKEY *key)
{
    static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
    char name[64];
    if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1) {
        return false;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(curves); i++) {
        if (strcmp(name, curves[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *rule_key(X509 *x509, int64_t now)
{
    (void)now;
    const EVP_PKEY *key = X509_get0_pubkey(x509);
    if (key != NULL && (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))) {
        int bits = EVP_PKEY_get_bits(key);
        return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS ? NULL : "public key: RSA must have 2048 to 8192 bits";
    }
    if (key != NULL && EVP_PKEY_is_a(key, "EC")) {
        return is_known_curve(key) ? NULL : "public key: its curve must be P-256, P-384 or P-521 (RFC 8422)";
    }
    return "public key: must be RSA or EC";
}

/* is_weak_rsa tells of a signature of |algorithm| whether its key was too short, which is not at hand: a signature by
 * RSA is as long as the modulus (RFC 8017 sections 8.1.1 and 8.2.1). */
static bool is_weak_rsa(const X509 *x509, int algorithm)
{
    const ASN1_BIT_STRING *signature = NULL;
    X509_get0_signature(&signature, NULL, x509);
    return (algorithm == NID_rsaEncryption || algorithm == NID_rsassaPss) && signature->length < MIN_RSA_BITS / 8;
}

/* Nobody relies on the signature of a root on itself. */
static const char *rule_signature(X509 *x509, int64_t now)
{
    (void)now;
    int digest = NID_undef, algorithm = NID_undef;
    if (is_root(x509)) {
        return NULL;
    }
    if (X509_get_signature_info(x509, &digest, &algorithm, NULL, NULL) != 1 ||
        (digest != NID_sha256 && digest != NID_sha384 && digest != NID_sha512)) {
        return "signature: must be with SHA-256, SHA-384 or SHA-512 (MD5 and SHA-1 are broken)";
    }
    return is_weak_rsa(x509, algorithm) ? "signature: is of an RSA key of fewer than 2048 bits" : NULL;
}

/* The key first, since whether a certificate is a root is asked of its key. */
static const rule ca_rules[] = {
    rule_form,     rule_key,       rule_ca, rule_key_usage, rule_extended_key_usage, rule_name_constraints,
    rule_validity, rule_signature,
};

static const char *broken_rule(X509 *x509, int64_t now)
{
    const char *broken = NULL;
    for (size_t i = 0; i < MG_ARRAY_LEN(ca_rules) && broken == NULL; i++) {
        broken = ca_rules[i](x509, now);
    }
    return broken;
}

/* Facts. */

static enum mg_status attribute(const X509_NAME *name, int nid, const char *field, char *out, struct mg_error *error)
{
    const struct text_rule bounds = {field, 0, CERTIFICATE_MAX_ATTRIBUTE, NULL};
    int index = X509_NAME_get_index_by_NID(name, nid, -1);
    if (index < 0) {
        out[0] = '\0';
        return MG_OK;
    }
    uint8_t *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
    if (len < 0) {
        return mg_error_set(error, MG_INVALID, "%s: is not text", field);
    }
    enum mg_status status = text_set(out, mg_slice_of(text, (size_t)len), &bounds, error);
    OPENSSL_free(text);
    return status;
}

static enum mg_status describe_subject(X509 *x509, struct certificate_subject *out, struct mg_error *error)
{
    const X509_NAME *name = X509_get_subject_name(x509);
    const struct {
        int nid;
        const char *field;
        char *out;
    } attributes[] = {
        {NID_commonName, "subject commonName", out->common_name},
        {NID_organizationName, "subject organizationName", out->organization},
        {NID_organizationalUnitName, "subject organizationalUnitName", out->unit},
        {NID_localityName, "subject localityName", out->locality},
        {NID_stateOrProvinceName, "subject stateOrProvinceName", out->state},
        {NID_countryName, "subject countryName", out->country},
    };
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < MG_ARRAY_LEN(attributes) && status == MG_OK; i++) {
        status = attribute(name, attributes[i].nid, attributes[i].field, attributes[i].out, error);
    }
    return status;
}

static enum mg_status describe_key_identifier(X509 *x509, struct certificate_facts *out, struct mg_error *error)
{
    const ASN1_OCTET_STRING *given = X509_get0_subject_key_id(x509);
    if (given != NULL) {
        out->ski_len = (size_t)ASN1_STRING_length(given);
        if (out->ski_len == 0 || out->ski_len > sizeof(out->ski)) {
            return mg_error_set(error, MG_INVALID, "subjectKeyIdentifier: must have 1 to %zu bytes", sizeof(out->ski));
        }
        memcpy(out->ski, ASN1_STRING_get0_data(given), out->ski_len);
        return MG_OK;
    }
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(x509);
    uint8_t hash[32];
    if (key == NULL ||
        EVP_Digest(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key), hash, NULL, EVP_sha256(), NULL) != 1) {
        return mg_error_set(error, MG_INTERNAL, "subjectKeyIdentifier: cannot be computed");
    }
    memcpy(out->ski, hash, KEY_IDENTIFIER_LEN);
    out->ski_len = KEY_IDENTIFIER_LEN;
    out->ski_computed = true;
    return MG_OK;
}

static enum mg_status describe(X509 *x509, struct certificate_facts *out, struct mg_error *error)
{
    *out = (struct certificate_facts){.ski_len = 0};
    if (!time_of(X509_get0_notBefore(x509), &out->not_before) || !time_of(X509_get0_notAfter(x509), &out->not_after)) {
        return mg_error_set(error, MG_INVALID, "validity: is malformed");
    }
    if (X509_digest(x509, EVP_sha256(), out->sha256, NULL) != 1) {
        return mg_error_set(error, MG_INTERNAL, "a certificate cannot be hashed");
    }
    enum mg_status status = describe_subject(x509, &out->subject, error);
    return status == MG_OK ? describe_key_identifier(x509, out, error) : status;
}

/* write_pem writes |num| certificates, as text that the caller frees. */
static enum mg_status write_pem(X509 *const *certificates, size_t num, char **out, struct mg_error *error)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL;
    for (size_t i = 0; i < num && ok; i++) {
        ok = PEM_write_bio_X509(bio, certificates[i]) == 1;
    }
    char *text = NULL;
    long len = ok ? BIO_get_mem_data(bio, &text) : 0;
    char *copy = len > 0 ? mg_slice_dup_text(mg_slice_of(text, (size_t)len)) : NULL;
    BIO_free(bio);
    if (copy == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a certificate");
    }
    *out = copy;
    return MG_OK;
}

/* The intermediate. */

static enum mg_status check_public_key(X509 *x509, struct mg_slice public_key, struct mg_error *error)
{
    BIO *bio = BIO_new_mem_buf(public_key.data, (int)public_key.len);
    EVP_PKEY *expected = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (expected == NULL) {
        return mg_error_set(error, MG_INTERNAL, "the intermediate's public key cannot be read");
    }
    bool same = EVP_PKEY_eq(X509_get0_pubkey(x509), expected) == 1;
    EVP_PKEY_free(expected);
    if (!same) {
        return mg_error_set(error, MG_INVALID, "certificate: public key: is not the one generated for it");
    }
    return MG_OK;
}

static enum mg_status check_intermediate(const struct certificates *read, struct mg_slice public_key, int64_t now,
                                         struct mg_error *error)
{
    if (read->num_items != 1) {
        return mg_error_set(error, MG_INVALID, "certificate: must be exactly one, and is %zu; others are its chain",
                            read->num_items);
    }
    const char *broken = broken_rule(read->items[0], now);
    if (broken != NULL) {
        return mg_error_set(error, MG_INVALID, "certificate: %s", broken);
    }
    return check_public_key(read->items[0], public_key, error);
}

enum mg_status certificate_check_intermediate(struct mg_slice file, struct mg_slice public_key, int64_t now,
                                              struct certificate_facts *facts, char **out_pem, struct mg_error *error)
{
    struct certificates read;
    enum mg_status status = read_file(&read, file, CERTIFICATE_MAX_FILE, "certificate", error);
    if (status == MG_OK) {
        status = check_intermediate(&read, public_key, now, error);
    }
    if (status == MG_OK) {
        status = describe(read.items[0], facts, error);
    }
    if (status == MG_OK) {
        status = write_pem(read.items, 1, out_pem, error);
    }
    release(&read);
    return status;
}

enum mg_status certificate_describe(struct mg_slice certificate, struct certificate_facts *facts,
                                    struct mg_error *error)
{
    struct certificates read;
    enum mg_status status = read_file(&read, certificate, CERTIFICATE_MAX_FILE, "certificate", error);
    if (status == MG_OK) {
        status = describe(read.items[0], facts, error);
    }
    release(&read);
    return status;
}

/* The chain. */

/* allows_names tells whether the name constraints of |upper| allow the names of |lower|. */
static bool allows_names(X509 *upper, X509 *lower)
{
    NAME_CONSTRAINTS *constraints = X509_get_ext_d2i(upper, NID_name_constraints, NULL, NULL);
    bool ok = constraints == NULL || NAME_CONSTRAINTS_check(lower, constraints) == X509_V_OK;
    NAME_CONSTRAINTS_free(constraints);
    return ok;
}

/* broken_link tells what is wrong with |path|[index] as the issuer of what is below it, down to |path|[0]. */
static const char *broken_link(X509 *const *path, size_t index, int64_t now)
{
    X509 *upper = path[index], *lower = path[index - 1];
    if (X509_check_issued(upper, lower) != X509_V_OK) {
        return "is not the issuer of the certificate before it (names or key identifiers differ): the order is upwards";
    }
    const char *broken = broken_rule(upper, now);
    if (broken != NULL) {
        return broken;
    }
    if (X509_verify(lower, X509_get0_pubkey(upper)) != 1) {
        return "its key did not sign the certificate before it";
    }
    /* Self-issued certificates do not count (RFC 5280 section 4.2.1.9). */
    long num_below = 0, max_below = X509_get_pathlen(upper);
    for (size_t i = 0; i < index; i++) {
        num_below += (X509_get_extension_flags(path[i]) & EXFLAG_SI) == 0;
        if (!allows_names(upper, path[i])) {
            return "nameConstraints: forbid the subject of a certificate below it";
        }
    }
    return max_below >= 0 && num_below > max_below ? "pathLenConstraint: allows fewer CAs than there are below it"
                                                   : NULL;
}

/* check_links checks all of |path|; path[i] is certificate i + |skipped| of the file. */
static enum mg_status check_links(X509 *const *path, size_t num, size_t skipped, int64_t now, struct mg_error *error)
{
    for (size_t i = 1; i < num; i++) {
        if (i > 1 && is_root(path[i - 1])) {
            return mg_error_set(error, MG_INVALID, "chain: certificate %zu follows the root", i + skipped);
        }
        const char *broken = broken_link(path, i, now);
        if (broken != NULL) {
            return mg_error_set(error, MG_INVALID, "chain: certificate %zu: %s", i + skipped, broken);
        }
    }
    return MG_OK;
}

/* check_path checks |above|, which may begin with |own|, and writes the rest of it. */
static enum mg_status check_path(X509 *own, const struct certificates *above, int64_t now, char **out_pem,
                                 struct mg_error *error)
{
    X509 *path[1 + CERTIFICATE_MAX_CHAIN] = {own};
    size_t skipped = X509_cmp(above->items[0], own) == 0 ? 1 : 0;
    size_t num = 1 + above->num_items - skipped;
    if (num == 1) {
        return mg_error_set(error, MG_INVALID, "chain: has nothing above the certificate itself");
    }
    if (num > CERTIFICATE_MAX_CHAIN) {
        return mg_error_set(error, MG_INVALID, "chain: must have at most %d certificates, its own included",
                            CERTIFICATE_MAX_CHAIN);
    }
    memcpy(path + 1, above->items + skipped, (num - 1) * sizeof(path[0]));
    enum mg_status status = check_links(path, num, skipped, now, error);
    return status == MG_OK ? write_pem(path + 1, num - 1, out_pem, error) : status;
}

enum mg_status certificate_check_chain(struct mg_slice file, struct mg_slice certificate, int64_t now, char **out_pem,
                                       struct mg_error *error)
{
    struct certificates own, above = {.num_items = 0};
    enum mg_status status = read_file(&own, certificate, CERTIFICATE_MAX_FILE, "certificate", error);
    if (status == MG_OK) {
        status = read_file(&above, file, CERTIFICATE_MAX_CHAIN_FILE, "chain", error);
    }
    if (status == MG_OK) {
        status = check_path(own.items[0], &above, now, out_pem, error);
    }
    release(&own);
    release(&above);
    return status;
}
