/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/ecdsa.h"

#include <openssl/crypto.h>

#include "hsm/der.h"

#define SHA512_LEN 64

/* is_below tells whether a < b, both |len| bytes big-endian, in time that depends on |len| alone: the borrow that is
 * left when b is subtracted from a. */
static unsigned is_below(const uint8_t *a, const uint8_t *b, size_t len)
{
    unsigned borrow = 0;
    for (size_t i = len; i-- > 0;) {
        borrow = ((unsigned)a[i] - (unsigned)b[i] - borrow) >> 8 & 1;
    }
    return borrow;
}

static unsigned is_nonzero(const uint8_t *a, size_t len)
{
    unsigned any = 0;
    for (size_t i = 0; i < len; i++) {
        any |= a[i];
    }
    return (any + 0xff) >> 8 & 1;
}

bool ecdsa_nonce(EVP_MD_CTX *sha512, const uint8_t *order, const uint8_t *key, size_t scalar_len,
                 struct mg_slice digest, const uint8_t random[ECDSA_NONCE_RANDOM_LEN], uint8_t *out)
{
    uint8_t hash[SHA512_LEN];
    bool hashed = EVP_DigestInit_ex2(sha512, NULL, NULL) == 1 && EVP_DigestUpdate(sha512, key, scalar_len) == 1 &&
                  EVP_DigestUpdate(sha512, digest.data, digest.len) == 1 &&
                  EVP_DigestUpdate(sha512, random, ECDSA_NONCE_RANDOM_LEN) == 1 &&
                  EVP_DigestFinal_ex(sha512, hash, NULL) == 1;
    memcpy(out, hash, scalar_len);
    OPENSSL_cleanse(hash, sizeof(hash));
    return hashed && (is_nonzero(out, scalar_len) & is_below(out, order, scalar_len)) == 1;
}

/* write_integer writes an INTEGER that is not negative, in its shortest form, and returns its length. */
static size_t write_integer(uint8_t *out, struct mg_slice number)
{
    struct mg_slice zero;
    while (number.len > 1 && number.data[0] == 0) {
        if (!mg_slice_take(&number, &zero, 1)) {
            break;
        }
    }
    size_t pad = number.data[0] >= 0x80 ? 1 : 0;
    out[0] = DER_INTEGER;
    out[1] = (uint8_t)(pad + number.len);
    out[2] = 0;
    memcpy(out + 2 + pad, number.data, number.len);
    return 2 + pad + number.len;
}

size_t ecdsa_encode(const uint8_t *r, const uint8_t *s, size_t scalar_len, uint8_t *out)
{
    size_t len = write_integer(out + 2, mg_slice_of(r, scalar_len));
    len += write_integer(out + 2 + len, mg_slice_of(s, scalar_len));
    out[0] = DER_SEQUENCE;
    out[1] = (uint8_t)len; /* two INTEGERs of at most 51 bytes: the short form */
    return 2 + len;
}
