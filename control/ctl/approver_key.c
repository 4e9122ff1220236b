/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ctl/approver_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "base/secret.h"
#include "ossl/base64.h"

#define MAX_FILE 16384
#define MAX_SIGNATURE 1024
#define MAX_TEXT 4096

/* no_passphrase keeps OpenSSL from asking on the terminal. */
static int no_passphrase(char *buffer, int size, int for_writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)for_writing;
    (void)arg;
    return -1;
}

static bool is_plain(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519");
}

enum mg_status approver_key_load(const char *path, EVP_PKEY **out, struct mg_error *error)
{
    struct mg_buffer pem;
    if (!mg_secret_buffer_init(&pem, MAX_FILE)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    enum mg_status status = mg_file_read_secret(path, &pem, error);
    if (status == MG_OK) {
        BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
        *out = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
        ERR_clear_error();
        status = *out != NULL
                     ? MG_OK
                     : mg_error_set(error, MG_DENIED, "%s: must be a private key in PEM, without a passphrase", path);
    }
    mg_secret_free(&pem);
    return status;
}

static json_t *base64_json(struct mg_slice bytes)
{
    char storage[MAX_TEXT];
    struct mg_buffer text;
    mg_buffer_wrap(&text, storage, sizeof(storage));
    base64_encode(&text, bytes);
    return mg_buffer_ok(&text) ? json_stringn(storage, text.len) : NULL;
}

json_t *approver_key_name(EVP_PKEY *key)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    json_t *json = len > 0 ? base64_json(mg_slice_of(der, (size_t)len)) : NULL;
    OPENSSL_free(der);
    return json;
}

json_t *approver_key_sign(EVP_PKEY *key, struct mg_slice message)
{
    uint8_t signature[MAX_SIGNATURE];
    size_t len = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL &&
              EVP_DigestSignInit(context, NULL, is_plain(key) ? NULL : EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(context, signature, &len, message.data, message.len) == 1;
    EVP_MD_CTX_free(context);
    return ok ? base64_json(mg_slice_of(signature, len)) : NULL;
}

const char *approver_key_digest(const EVP_PKEY *key)
{
    return is_plain(key) ? "EdDSA" : "SHA-256";
}
