/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/credentials.h"

#include <limits.h>
#include <stdio.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pool.h>

static BIO *open_file(const char *dir, const char *name, const char *suffix, struct mg_error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix);
    BIO *bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        (void)mg_error_errno(error, "cannot open %s", path);
    }
    return bio;
}

static enum mg_status load_chain(struct credentials *out, BIO *bio)
{
    char *label, *header;
    uint8_t *der;
    long der_len;
    while (PEM_read_bio(bio, &label, &header, &der, &der_len)) {
        if (out->num_chain < CREDENTIALS_MAX_CHAIN) {
            out->chain[out->num_chain++] = CRYPTO_BUFFER_new(der, (size_t)der_len, NULL);
        }
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    ERR_clear_error(); /* of the read behind the last one */
    return out->num_chain > 0 ? MG_OK : MG_INVALID;
}

static enum mg_status load_key(struct credentials *out, BIO *bio)
{
    out->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    return out->key != NULL ? MG_OK : MG_INVALID;
}

enum mg_status credentials_load(struct credentials *out, const char *dir, const char *name, struct mg_error *error)
{
    *out = (struct credentials){.num_chain = 0};
    enum mg_status status = MG_IO;
    BIO *chain = open_file(dir, name, "pem", error);
    BIO *key = chain == NULL ? NULL : open_file(dir, name, "key", error);
    if (key != NULL) {
        status = load_chain(out, chain);
        if (status == MG_OK) {
            status = load_key(out, key);
        }
        if (status != MG_OK) {
            (void)mg_error_set(error, status, "%s/%s.pem or .key is not a PEM chain or key", dir, name);
            credentials_free(out);
        }
    }
    BIO_free(chain);
    BIO_free(key);
    return status;
}

void credentials_free(struct credentials *credentials)
{
    for (size_t i = 0; i < credentials->num_chain; i++) {
        CRYPTO_BUFFER_free(credentials->chain[i]);
    }
    EVP_PKEY_free(credentials->key);
    *credentials = (struct credentials){.num_chain = 0};
}
