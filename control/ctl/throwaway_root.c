/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/throwaway_root.h"

#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#include "ossl/x509_builder.h"

#define ORGANISATION "Mintgate lab"
#define COMMON_NAME "Throw-away lab root"
#define ROOT_SECONDS (INT64_C(1830) * 86400)
#define BACKDATE_SECONDS INT64_C(3600)
/* NIST SP 800-57 part 1: RSA of 2048 bits, curves of 224. */
#define MIN_SECURITY_BITS 112

/* fail says that OpenSSL failed for no reason that lies in the input. */
static enum mg_status fail(struct mg_error *error, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return mg_error_set(error, MG_INTERNAL, "%s: %s", what, why == NULL ? "OpenSSL does not say why" : why);
}

/* refuse says what is wrong with the input, in our words instead of OpenSSL's. */
static enum mg_status refuse(struct mg_error *error, const char *what)
{
    ERR_clear_error();
    return mg_error_set(error, MG_INVALID, "%s", what);
}

void throwaway_root_free(struct throwaway_root *root)
{
    EVP_PKEY_free(root->key);
    X509_free(root->certificate);
    *root = (struct throwaway_root){.key = NULL};
}

/* ---- making ---- */

enum mg_status throwaway_root_make_key(struct throwaway_root *root, struct mg_error *error)
{
    root->key = EVP_EC_gen("P-256");
    return root->key != NULL ? MG_OK : fail(error, "cannot make the root's key");
}

static bool set_root_name(X509 *x509)
{
    X509_NAME *name = X509_get_subject_name(x509);
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)ORGANISATION, -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)COMMON_NAME, -1, -1, 0) == 1;
}

struct validity {
    int64_t not_before, not_after;
};

/* finish makes a CA certificate of |x509|, which has a subject and a public key, and signs it as |issuer|, which is
 * |x509| itself for the root. */
static bool finish(X509 *x509, X509 *issuer, EVP_PKEY *key, struct validity validity, const char *basic_constraints)
{
    return X509_set_version(x509, X509_VERSION_3) == 1 && x509_builder_set_serial(x509) &&
           x509_builder_set_validity(x509, validity.not_before, validity.not_after) &&
           X509_set_issuer_name(x509, X509_get_subject_name(issuer)) == 1 &&
           x509_builder_add_extension(x509, issuer, NID_basic_constraints, basic_constraints) &&
           x509_builder_add_extension(x509, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           x509_builder_add_extension(x509, issuer, NID_subject_key_identifier, "hash") &&
           (issuer == x509 || x509_builder_add_extension(x509, issuer, NID_authority_key_identifier, "keyid:always")) &&
           X509_sign(x509, key, EVP_sha256()) > 0;
}

enum mg_status throwaway_root_certify(struct throwaway_root *root, int64_t now, struct mg_error *error)
{
    const struct validity validity = {now - BACKDATE_SECONDS, now + ROOT_SECONDS};
    X509 *x509 = X509_new();
    if (x509 == NULL || X509_set_pubkey(x509, root->key) != 1 || !set_root_name(x509) ||
        !finish(x509, x509, root->key, validity, "critical,CA:TRUE")) {
        X509_free(x509);
        return fail(error, "cannot make the root's certificate");
    }
    root->certificate = x509;
    return MG_OK;
}

/* ---- reading and writing ---- */

/* no_passphrase stands where OpenSSL would ask on the terminal. */
static int no_passphrase(char *buffer, int size, int for_writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)for_writing;
    (void)arg;
    return -1;
}

/* bio_of returns |pem| to be read from, or NULL. */
static BIO *bio_of(struct mg_slice pem)
{
    return pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
}

enum mg_status throwaway_root_read_key(struct throwaway_root *root, struct mg_slice pem, struct mg_error *error)
{
    BIO *bio = bio_of(pem);
    root->key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return root->key != NULL ? MG_OK : refuse(error, "must be a private key in PEM, without a passphrase");
}

/* seconds_of returns |time| in seconds since 1970. False: it is none. */
static bool seconds_of(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&tm);
    return true;
}

static bool validity_of(const X509 *x509, struct validity *out)
{
    return seconds_of(X509_get0_notBefore(x509), &out->not_before) &&
           seconds_of(X509_get0_notAfter(x509), &out->not_after);
}

/* check_root checks the rules for a certificate that is to sign intermediates. */
static enum mg_status check_root(const struct throwaway_root *root, int64_t now, struct mg_error *error)
{
    X509 *x509 = root->certificate;
    struct validity validity;
    if (X509_check_private_key(x509, root->key) != 1) {
        return refuse(error, "must be the certificate of the root's key");
    }
    if ((X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) == 0) {
        return refuse(error, "keyUsage: must allow keyCertSign");
    }
    if (X509_check_ca(x509) != 1 || X509_get_pathlen(x509) == 0) {
        return refuse(error, "basicConstraints: must be of a CA that may have CAs below it");
    }
    if (!validity_of(x509, &validity) || now < validity.not_before || now > validity.not_after) {
        return refuse(error, "validity: the root has expired, or is not valid yet");
    }
    return MG_OK;
}

enum mg_status throwaway_root_read_certificate(struct throwaway_root *root, struct mg_slice pem, int64_t now,
                                               struct mg_error *error)
{
    BIO *bio = bio_of(pem);
    root->certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return root->certificate != NULL ? check_root(root, now, error) : refuse(error, "must be a certificate in PEM");
}

/* append_and_free appends what was written to |bio|, which may be NULL; |written| tells whether it was. */
static enum mg_status append_and_free(BIO *bio, bool written, struct mg_buffer *out, struct mg_error *error)
{
    char *text = NULL;
    if (!written) {
        BIO_free(bio);
        return fail(error, "cannot write PEM");
    }
    long len = BIO_get_mem_data(bio, &text);
    mg_buffer_append(out, text, (size_t)len);
    BIO_free(bio);
    return mg_buffer_ok(out) ? MG_OK : mg_error_set(error, MG_MEMORY, "out of memory");
}

enum mg_status throwaway_root_write_key(const struct throwaway_root *root, struct mg_buffer *out,
                                        struct mg_error *error)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool written = bio != NULL && PEM_write_bio_PrivateKey(bio, root->key, NULL, NULL, 0, NULL, NULL) == 1;
    return append_and_free(bio, written, out, error);
}

enum mg_status throwaway_root_write_certificate(X509 *certificate, struct mg_buffer *out, struct mg_error *error)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool written = bio != NULL && PEM_write_bio_X509(bio, certificate) == 1;
    return append_and_free(bio, written, out, error);
}

/* ---- signing ---- */

static enum mg_status check_request(X509_REQ *request, struct mg_error *error)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    if (key == NULL) {
        return refuse(error, "public key: is none that OpenSSL knows");
    }
    if (X509_REQ_verify(request, key) != 1) {
        return refuse(error, "signature: must be by the request's own key (RFC 2986 section 4.2)");
    }
    if (EVP_PKEY_get_security_bits(key) < MIN_SECURITY_BITS) {
        return refuse(error, "public key: is too weak (RSA of 2048 bits and EC P-256 are not)");
    }
    if (X509_NAME_entry_count(X509_REQ_get_subject_name(request)) == 0) {
        return refuse(error, "subject: a CA's must not be empty (RFC 5280 section 4.1.2.6)");
    }
    return MG_OK;
}

enum mg_status throwaway_request_read(struct mg_slice pem, X509_REQ **out, struct mg_error *error)
{
    BIO *bio = bio_of(pem);
    X509_REQ *request = bio == NULL ? NULL : PEM_read_bio_X509_REQ(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (request == NULL) {
        return refuse(error, "must be a certification request (PKCS#10) in PEM");
    }
    enum mg_status status = check_request(request, error);
    if (status != MG_OK) {
        X509_REQ_free(request);
        return status;
    }
    *out = request;
    return MG_OK;
}

enum mg_status throwaway_root_sign(const struct throwaway_root *root, X509_REQ *request, int64_t now, uint64_t seconds,
                                   X509 **out, struct mg_error *error)
{
    struct validity own, validity = {now - BACKDATE_SECONDS, now + (int64_t)seconds};
    X509 *x509 = X509_new();
    bool ok = x509 != NULL && validity_of(root->certificate, &own) &&
              X509_set_subject_name(x509, X509_REQ_get_subject_name(request)) == 1 &&
              X509_set_pubkey(x509, X509_REQ_get0_pubkey(request)) == 1;
    if (ok) {
        validity.not_before = validity.not_before < own.not_before ? own.not_before : validity.not_before;
        validity.not_after = validity.not_after > own.not_after ? own.not_after : validity.not_after;
        ok = finish(x509, root->certificate, root->key, validity, "critical,CA:TRUE,pathlen:0");
    }
    if (!ok) {
        X509_free(x509);
        return fail(error, "cannot sign the intermediate's certificate");
    }
    *out = x509;
    return MG_OK;
}
