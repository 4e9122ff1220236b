/* SPDX-License-Identifier: Apache-2.0 */
#include "jwt_maker.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HALF 32

static size_t encode(const void *data, size_t len, char *out)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *bytes = data;
    size_t written = 0;
    unsigned bits = 0, num_bits = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (num_bits += 8; num_bits >= 6; num_bits -= 6) {
            out[written++] = alphabet[bits >> (num_bits - 6) & 63];
        }
    }
    if (num_bits > 0) {
        out[written++] = alphabet[bits << (6 - num_bits) & 63];
    }
    out[written] = '\0';
    return written;
}

/* flatten turns the DER of an ECDSA signature into r and s side by side (RFC 7518 section 3.4). */
static size_t flatten(unsigned char *signature, size_t len)
{
    const unsigned char *der = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    if (pair == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, HALF) != HALF ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + HALF, HALF) != HALF) {
        abort();
    }
    ECDSA_SIG_free(pair);
    return 2 * HALF;
}

const char *jwt_make(EVP_PKEY *key, const char *header, const char *claims)
{
    static char texts[4][8192];
    static unsigned next;
    char *text = texts[next++ % 4];
    unsigned char signature[1024];
    size_t signature_len = sizeof(signature);
    size_t len = encode(header, strlen(header), text);
    text[len++] = '.';
    len += encode(claims, strlen(claims), text + len);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, signature, &signature_len, (const unsigned char *)text, len) != 1) {
        abort();
    }
    EVP_MD_CTX_free(context);
    if (strstr(header, "ES256") != NULL && EVP_PKEY_is_a(key, "EC")) {
        signature_len = flatten(signature, signature_len);
    }
    text[len++] = '.';
    encode(signature, signature_len, text + len);
    return text;
}

const char *jwt_public_pem(EVP_PKEY *key)
{
    static char texts[4][2048];
    static unsigned next;
    char *text = texts[next++ % 4];
    BIO *bio = BIO_new(BIO_s_mem());
    if (PEM_write_bio_PUBKEY(bio, key) != 1) {
        abort();
    }
    int len = BIO_read(bio, text, 2047);
    text[len < 0 ? 0 : len] = '\0';
    BIO_free(bio);
    return text;
}
