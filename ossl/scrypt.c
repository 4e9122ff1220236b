/* SPDX-License-Identifier: Apache-2.0 */
#include "ossl/scrypt.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

/* OpenSSL's own bound is 32 MiB. */
#define MEMORY_OF(n) (2 * 128 * SCRYPT_R * (n))

static OSSL_PARAM octets(const char *name, struct mg_slice value)
{
    return OSSL_PARAM_construct_octet_string(name, MG_UNCONST(value.data), value.len);
}

bool scrypt_derive(struct mg_slice password, struct mg_slice salt, uint64_t n, uint8_t *out, size_t len)
{
    uint64_t memory = MEMORY_OF(n);
    uint32_t r = SCRYPT_R, p = SCRYPT_P;
    const OSSL_PARAM params[] = {
        octets(OSSL_KDF_PARAM_PASSWORD, password),
        octets(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    bool ok = context != NULL && EVP_KDF_derive(context, out, len, params) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return ok;
}
