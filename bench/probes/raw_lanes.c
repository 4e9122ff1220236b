/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/probes/raw_lanes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef MINTGATE_HAVE_CRYPTO_MB

#include <crypto_mb/ec_nistp256.h>
#include <crypto_mb/rsa.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>

#include "hsm/ecdsa.h"
#include "hsm/lanes.h"

#define MAX_RSA_LEN 512
#define SCALAR_LEN 32

/* Numbers for crypto_mb are little-endian words, which on its one architecture are little-endian bytes. */
union number {
    int64u words[MAX_RSA_LEN / 8];
    uint8_t bytes[MAX_RSA_LEN];
};

struct raw_lanes {
    int bits; /* of an RSA key; 0: EC */
    union number d, p, q, dp, dq, q_inverse;
    uint8_t secret[SCALAR_LEN];
    uint8_t digests[LANES_WIDTH][MAX_RSA_LEN]; /* RSA: messages below the modulus */
    uint8_t out[2][LANES_WIDTH][MAX_RSA_LEN];
    EVP_MD_CTX *sha512;
};

static bool get(const EVP_PKEY *key, const char *name, union number *out, size_t len)
{
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, name, &number) == 1 && BN_bn2lebinpad(number, out->bytes, (int)len) >= 0;
    BN_clear_free(number);
    return ok;
}

static bool prepare_ec(struct raw_lanes *lanes, const EVP_PKEY *key)
{
    bool ok = get(key, OSSL_PKEY_PARAM_PRIV_KEY, &lanes->d, SCALAR_LEN);
    for (size_t i = 0; i < SCALAR_LEN; i++) {
        lanes->secret[i] = lanes->d.bytes[SCALAR_LEN - 1 - i];
    }
    return ok;
}

static bool prepare_rsa(struct raw_lanes *lanes, const EVP_PKEY *key)
{
    size_t half = (size_t)EVP_PKEY_get_bits(key) / 16;
    lanes->bits = EVP_PKEY_get_bits(key);
    return get(key, OSSL_PKEY_PARAM_RSA_FACTOR1, &lanes->p, half) &&
           get(key, OSSL_PKEY_PARAM_RSA_FACTOR2, &lanes->q, half) &&
           get(key, OSSL_PKEY_PARAM_RSA_EXPONENT1, &lanes->dp, half) &&
           get(key, OSSL_PKEY_PARAM_RSA_EXPONENT2, &lanes->dq, half) &&
           get(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &lanes->q_inverse, half);
}

struct raw_lanes *raw_lanes_new(const EVP_PKEY *key)
{
    struct raw_lanes *lanes = lanes_available() ? calloc(1, sizeof(*lanes)) : NULL;
    if (lanes == NULL) {
        return NULL;
    }
    memset(lanes->digests, 0x5a, sizeof(lanes->digests));
    lanes->sha512 = EVP_MD_CTX_new();
    bool ok = lanes->sha512 != NULL && EVP_DigestInit_ex2(lanes->sha512, EVP_sha512(), NULL) == 1 &&
              (EVP_PKEY_is_a(key, "RSA") ? prepare_rsa(lanes, key) : prepare_ec(lanes, key));
    if (!ok) {
        raw_lanes_free(lanes);
        return NULL;
    }
    return lanes;
}

void raw_lanes_free(struct raw_lanes *lanes)
{
    if (lanes != NULL) {
        EVP_MD_CTX_free(lanes->sha512);
        free(lanes);
    }
}

static mbx_status sign_ec(struct raw_lanes *lanes)
{
    static const uint8_t order[SCALAR_LEN] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                              0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                              0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    uint8_t random[LANES_WIDTH][ECDSA_NONCE_RANDOM_LEN], nonce[SCALAR_LEN];
    union number nonces[LANES_WIDTH];
    int8u *r[LANES_WIDTH], *s[LANES_WIDTH];
    const int8u *digests[LANES_WIDTH];
    const int64u *nonce_words[LANES_WIDTH], *keys[LANES_WIDTH];
    RAND_priv_bytes(random[0], sizeof(random));
    for (size_t i = 0; i < LANES_WIDTH; i++) {
        while (!ecdsa_nonce(lanes->sha512, order, lanes->secret, SCALAR_LEN, mg_slice_of(lanes->digests[i], SCALAR_LEN),
                            random[i], nonce)) {
            RAND_priv_bytes(random[i], sizeof(random[i]));
        }
        for (size_t j = 0; j < SCALAR_LEN; j++) {
            nonces[i].bytes[j] = nonce[SCALAR_LEN - 1 - j];
        }
        digests[i] = lanes->digests[i];
        nonce_words[i] = nonces[i].words;
        keys[i] = lanes->d.words;
        r[i] = lanes->out[0][i];
        s[i] = lanes->out[1][i];
    }
    return mbx_nistp256_ecdsa_sign_mb8(r, s, digests, nonce_words, keys, NULL);
}

static mbx_status sign_rsa(struct raw_lanes *lanes)
{
    const int8u *messages[LANES_WIDTH];
    int8u *signatures[LANES_WIDTH];
    const int64u *p[LANES_WIDTH], *q[LANES_WIDTH], *dp[LANES_WIDTH], *dq[LANES_WIDTH], *q_inverse[LANES_WIDTH];
    for (size_t i = 0; i < LANES_WIDTH; i++) {
        messages[i] = lanes->digests[i];
        signatures[i] = lanes->out[0][i];
        p[i] = lanes->p.words;
        q[i] = lanes->q.words;
        dp[i] = lanes->dp.words;
        dq[i] = lanes->dq.words;
        q_inverse[i] = lanes->q_inverse.words;
    }
    return mbx_rsa_private_crt_mb8(messages, signatures, p, q, dp, dq, q_inverse, lanes->bits,
                                   mbx_RSA_private_crt_Method(lanes->bits), NULL);
}

size_t raw_lanes_sign(struct raw_lanes *lanes)
{
    mbx_status status = lanes->bits > 0 ? sign_rsa(lanes) : sign_ec(lanes);
    size_t num_made = 0;
    for (int i = 0; i < LANES_WIDTH; i++) {
        num_made += MBX_GET_STS(status, i) == MBX_STATUS_OK;
    }
    return num_made;
}

#else /* no crypto_mb */

struct raw_lanes *raw_lanes_new(const EVP_PKEY *key)
{
    (void)key;
    return NULL;
}

void raw_lanes_free(struct raw_lanes *lanes)
{
    (void)lanes;
}

size_t raw_lanes_sign(struct raw_lanes *lanes)
{
    (void)lanes;
    return 0;
}

#endif
