/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/tls_files.h"

#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "ossl/openssl_error.h"
#include "ossl/x509_builder.h"

/* Nobody renews a certificate that clients were told to trust by hand; an administrator who wants a shorter one has a
 * CA for it. */
#define VALIDITY_SECONDS (10L * 365 * 86400)
#define BACKDATE_SECONDS 3600L

/* is_dns_name: what may stand in OpenSSL's one-line form of an extension without being taken for more of it. */
static bool is_dns_name(const char *name)
{
    return name[0] != '\0' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] == '\0';
}

static bool set_names(X509 *x509)
{
    char host[HOST_NAME_MAX + 1], names[HOST_NAME_MAX + 80];
    if (gethostname(host, sizeof(host)) != 0 || !is_dns_name(host)) {
        snprintf(host, sizeof(host), "%s", "localhost");
    }
    snprintf(names, sizeof(names), "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", host);
    X509_NAME *subject = X509_get_subject_name(x509);
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)"mintgate-control", -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(x509, subject) == 1 &&
           x509_builder_add_extension(x509, x509, NID_subject_alt_name, names);
}

/* make_certificate returns a certificate of |key| signed by itself, or NULL. */
static X509 *make_certificate(EVP_PKEY *key)
{
    static const struct {
        int nid;
        const char *value;
    } extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_subject_key_identifier, "hash"},
    };
    int64_t now = mg_clock_wall_seconds();
    X509 *x509 = X509_new();
    bool ok = x509 != NULL && X509_set_version(x509, X509_VERSION_3) == 1 && x509_builder_set_serial(x509) &&
              x509_builder_set_validity(x509, now - BACKDATE_SECONDS, now + VALIDITY_SECONDS) &&
              X509_set_pubkey(x509, key) == 1 && set_names(x509);
    for (size_t i = 0; ok && i < MG_ARRAY_LEN(extensions); i++) {
        ok = x509_builder_add_extension(x509, x509, extensions[i].nid, extensions[i].value);
    }
    if (!ok || X509_sign(x509, key, EVP_sha256()) <= 0) {
        X509_free(x509);
        return NULL;
    }
    return x509;
}

static enum mg_status write_bio(BIO *bio, const char *path, struct mg_error *error)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    mg_file_remove_unfinished(path);
    return mg_file_write_atomic(path, mg_slice_of(text, (size_t)len), 0600, error);
}

static enum mg_status write_key(const char *path, struct mg_error *error)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_secmem());
    bool made = key != NULL && bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    enum mg_status status =
        made ? write_bio(bio, path, error) : openssl_error_set(error, "cannot make a key for the REST server");
    BIO_free(bio);
    EVP_PKEY_free(key);
    return status;
}

static enum mg_status write_certificate(EVP_PKEY *key, const char *path, struct mg_error *error)
{
    X509 *x509 = make_certificate(key);
    BIO *bio = BIO_new(BIO_s_mem());
    bool made = x509 != NULL && bio != NULL && PEM_write_bio_X509(bio, x509) == 1;
    enum mg_status status =
        made ? write_bio(bio, path, error) : openssl_error_set(error, "cannot make a certificate for the REST server");
    BIO_free(bio);
    X509_free(x509);
    if (status == MG_OK) {
        mg_log_info("made a certificate for the REST server: %s", path);
    }
    return status;
}

/* load_key reads the key, and makes it first where there is neither key nor certificate. */
static enum mg_status load_key(const char *certificate_path, const char *path, struct mg_buffer *pem, EVP_PKEY **out,
                               struct mg_error *error)
{
    enum mg_status status = mg_file_read_secret(path, pem, error);
    if (status == MG_NOT_FOUND && access(certificate_path, F_OK) == 0) {
        return mg_error_set(error, MG_INVALID, "%s: there is no key for the certificate %s", path, certificate_path);
    }
    if (status == MG_NOT_FOUND) {
        status = write_key(path, error);
        status = status == MG_OK ? mg_file_read_secret(path, pem, error) : status;
    }
    if (status != MG_OK) {
        return status;
    }
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    *out = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ERR_clear_error();
    return *out != NULL ? MG_OK : mg_error_set(error, MG_INVALID, "%s: must be a private key in PEM", path);
}

/* load_certificate reads the certificate of |key|; one that is missing is made: a first start may have been cut short
 * between the two files. */
static enum mg_status load_certificate(EVP_PKEY *key, const char *path, struct mg_buffer *pem, struct mg_error *error)
{
    enum mg_status status = mg_file_read(path, pem, error);
    if (status == MG_NOT_FOUND) {
        status = write_certificate(key, path, error);
        status = status == MG_OK ? mg_file_read(path, pem, error) : status;
    }
    if (status != MG_OK) {
        return status;
    }
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    X509 *x509 = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (x509 == NULL || X509_check_private_key(x509, key) != 1) {
        status = mg_error_set(error, MG_INVALID, "%s: must be a certificate, in PEM, of the server's key", path);
    }
    BIO_free(bio);
    X509_free(x509);
    ERR_clear_error();
    return status;
}

static enum mg_status terminate(struct mg_buffer *buffer, const char *path, struct mg_error *error)
{
    mg_buffer_append_u8(buffer, '\0');
    if (!mg_buffer_ok(buffer)) {
        return mg_error_set(error, MG_LIMIT, "%s: is too large", path);
    }
    buffer->len--;
    return MG_OK;
}

enum mg_status tls_files_load(const char *certificate_path, const char *key_path, struct mg_buffer *certificate,
                              struct mg_buffer *key, struct mg_error *error)
{
    EVP_PKEY *pkey = NULL;
    mg_buffer_init(certificate, TLS_FILES_MAX);
    if (!mg_secret_buffer_init(key, TLS_FILES_MAX)) {
        return mg_error_set(error, MG_MEMORY, "no memory for a key");
    }
    enum mg_status status = load_key(certificate_path, key_path, key, &pkey, error);
    if (status == MG_OK) {
        status = load_certificate(pkey, certificate_path, certificate, error);
    }
    if (status == MG_OK) {
        status = terminate(certificate, certificate_path, error);
    }
    if (status == MG_OK) {
        status = terminate(key, key_path, error);
    }
    EVP_PKEY_free(pkey);
    if (status != MG_OK) {
        mg_buffer_free(certificate);
        mg_secret_free(key);
    }
    return status;
}
