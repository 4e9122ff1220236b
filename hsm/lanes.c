/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/lanes.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "hsm/ecdsa.h"
#include "ossl/openssl_error.h"

/* Measured: a batch of eight costs as much as 1.8 P-256 signatures or 1.4 to 1.9 RSA signatures of OpenSSL's, and a
 * quarter of a P-384 one. */
size_t lanes_worthwhile(const struct key_type *type)
{
    switch (type->type) {
    case WIRE_KEY_EC_P256:
        return 3;
    case WIRE_KEY_EC_P384:
        return 1;
    case WIRE_KEY_RSA_2048:
    case WIRE_KEY_RSA_3072:
    case WIRE_KEY_RSA_4096:
        return 2;
    case WIRE_KEY_EC_P521:
        break; /* signs no leaves */
    }
    return LANES_WIDTH + 1;
}

#ifdef MINTGATE_HAVE_CRYPTO_MB

#include <crypto_mb/cpu_features.h>
#include <crypto_mb/ec_nistp256.h>
#include <crypto_mb/ec_nistp384.h>
#include <crypto_mb/rsa.h>

#define MAX_RSA_LEN 512
#define MAX_RSA_WORDS (MAX_RSA_LEN / 8)
#define MAX_SCALAR_WORDS (ECDSA_MAX_SCALAR / 8)
#define MAX_NONCE_DRAWS 16
#define RSA_PUBLIC_EXPONENT 65537 /* the one that crypto_mb's public operation has */

/* Numbers go to crypto_mb as 64-bit words, the lowest first; what it reads and writes as bytes is big-endian. */
struct ec_key {
    uint8_t secret[ECDSA_MAX_SCALAR];
    int64u secret_words[MAX_SCALAR_WORDS];
};

struct rsa_key {
    int64u n[MAX_RSA_WORDS];
    int64u p[MAX_RSA_WORDS / 2], q[MAX_RSA_WORDS / 2]; /* primes */
    int64u dp[MAX_RSA_WORDS / 2], dq[MAX_RSA_WORDS / 2], q_inverse[MAX_RSA_WORDS / 2];
};

struct lane_key {
    const struct key_type *type;
    union {
        struct ec_key ec;
        struct rsa_key rsa;
    };
};

struct ec_scratch {
    uint8_t random[LANES_WIDTH][ECDSA_NONCE_RANDOM_LEN];
    uint8_t nonce[ECDSA_MAX_SCALAR];
    int64u nonce_words[LANES_WIDTH][MAX_SCALAR_WORDS];
    uint8_t r[LANES_WIDTH][ECDSA_MAX_SCALAR], s[LANES_WIDTH][ECDSA_MAX_SCALAR];
};

struct rsa_scratch {
    uint8_t message[LANES_WIDTH][MAX_RSA_LEN];
    uint8_t signature[LANES_WIDTH][MAX_RSA_LEN];
    uint8_t checked[LANES_WIDTH][MAX_RSA_LEN];
};

struct lanes {
    EVP_MD_CTX *sha512;
    uint8_t *rsa_buffer; /* crypto_mb's own working memory, ours so that it can be wiped */
    size_t rsa_buffer_len;
    union {
        struct ec_scratch ec;
        struct rsa_scratch rsa;
    };
};

struct curve {
    size_t scalar_len;
    uint8_t order[ECDSA_MAX_SCALAR]; /* SEC 2 sections 2.4.2 and 2.5.1 */
    mbx_status (*sign)(int8u *r[8], int8u *s[8], const int8u *const digest[8], const int64u *const nonce[8],
                       const int64u *const key[8], int8u *buffer);
};

static const struct curve p256 = {
    32,
    {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51},
    mbx_nistp256_ecdsa_sign_mb8,
};

static const struct curve p384 = {
    48,
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
     0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73},
    mbx_nistp384_ecdsa_sign_mb8,
};

static const struct curve *curve_of(const struct key_type *type)
{
    return type->type == WIRE_KEY_EC_P256 ? &p256 : &p384;
}

bool lanes_available(void)
{
    return mbx_is_crypto_mb_applicable(0) != 0;
}

/* to_words turns |len| big-endian bytes, a multiple of eight, into words. */
static void to_words(const uint8_t *bytes, size_t len, int64u *words)
{
    struct mg_slice in = mg_slice_of(bytes, len);
    uint64_t word;
    for (size_t i = len / 8; i-- > 0 && mg_slice_u64(&in, &word);) {
        words[i] = word;
    }
}

/* Keys */

/* get_number reads a parameter of |key| as |len| big-endian bytes; |bytes| is the caller's to wipe. */
static bool get_number(const EVP_PKEY *key, const char *name, uint8_t *bytes, size_t len)
{
    BIGNUM *number = BN_secure_new();
    bool ok = number != NULL && EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
              BN_bn2binpad(number, bytes, (int)len) == (int)len;
    BN_clear_free(number);
    return ok;
}

static bool get_words(const EVP_PKEY *key, const char *name, size_t len, int64u *words)
{
    uint8_t bytes[MAX_RSA_LEN];
    bool ok = get_number(key, name, bytes, len);
    if (ok) {
        to_words(bytes, len, words);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return ok;
}

static bool fill_ec_key(struct ec_key *out, const EVP_PKEY *key, const struct key_type *type)
{
    size_t len = curve_of(type)->scalar_len;
    if (!get_number(key, OSSL_PKEY_PARAM_PRIV_KEY, out->secret, len)) {
        return false;
    }
    to_words(out->secret, len, out->secret_words);
    return true;
}

static bool fill_rsa_key(struct rsa_key *out, const EVP_PKEY *key, const struct key_type *type)
{
    size_t len = type->bits / 8, half = len / 2;
    return get_words(key, OSSL_PKEY_PARAM_RSA_N, len, out->n) &&
           get_words(key, OSSL_PKEY_PARAM_RSA_FACTOR1, half, out->p) &&
           get_words(key, OSSL_PKEY_PARAM_RSA_FACTOR2, half, out->q) &&
           get_words(key, OSSL_PKEY_PARAM_RSA_EXPONENT1, half, out->dp) &&
           get_words(key, OSSL_PKEY_PARAM_RSA_EXPONENT2, half, out->dq) &&
           get_words(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, half, out->q_inverse);
}

static bool has_supported_exponent(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_word(e, RSA_PUBLIC_EXPONENT);
    BN_free(e);
    return ok;
}

enum mg_status lane_key_new(struct lane_key **out, const EVP_PKEY *key, const struct key_type *type,
                            struct mg_error *error)
{
    *out = NULL;
    if (!lanes_available() || (type->curve == NULL && !has_supported_exponent(key))) {
        return MG_OK;
    }
    struct lane_key *made = OPENSSL_secure_zalloc(sizeof(*made));
    if (made == NULL) {
        return mg_error_set(error, MG_MEMORY, "no secure memory for a key");
    }
    made->type = type;
    bool ok = type->curve != NULL ? fill_ec_key(&made->ec, key, type) : fill_rsa_key(&made->rsa, key, type);
    if (!ok) {
        lane_key_free(made);
        return openssl_error_set(error, "cannot prepare a key of type %s", type->name);
    }
    *out = made;
    return MG_OK;
}

void lane_key_free(struct lane_key *key)
{
    OPENSSL_secure_clear_free(key, sizeof(*key));
}

/* Scratch */

enum mg_status lanes_new(struct lanes **out, struct mg_error *error)
{
    struct lanes *lanes = OPENSSL_secure_zalloc(sizeof(*lanes));
    if (lanes == NULL) {
        return mg_error_set(error, MG_MEMORY, "no secure memory for signing");
    }
    lanes->sha512 = EVP_MD_CTX_new();
    lanes->rsa_buffer_len = (size_t)mbx_RSA_Method_BufSize(mbx_RSA_private_crt_Method(MAX_RSA_LEN * 8));
    lanes->rsa_buffer = malloc(lanes->rsa_buffer_len);
    if (lanes->rsa_buffer == NULL || lanes->sha512 == NULL ||
        EVP_DigestInit_ex2(lanes->sha512, EVP_sha512(), NULL) != 1) {
        lanes_free(lanes);
        return openssl_error_set(error, "cannot prepare for signing");
    }
    *out = lanes;
    return MG_OK;
}

void lanes_free(struct lanes *lanes)
{
    if (lanes != NULL) {
        EVP_MD_CTX_free(lanes->sha512);
        free(lanes->rsa_buffer);
        OPENSSL_secure_clear_free(lanes, sizeof(*lanes));
    }
}

/* ECDSA */

/* make_nonce draws until the nonce is in range; that the first draw is not has odds of 2^-32 (P-256). The bound is for
 * a hash or generator that fails for good. */
static bool make_nonce(struct lanes *lanes, const struct curve *curve, const struct ec_key *key,
                       const struct backend_job *job, size_t lane)
{
    struct ec_scratch *scratch = &lanes->ec;
    struct mg_slice digest = mg_slice_of(job->digest, curve->scalar_len); /* the digest is as long as the order */
    for (int draws = 0; draws < MAX_NONCE_DRAWS; draws++) {
        if (draws > 0 && RAND_priv_bytes(scratch->random[lane], ECDSA_NONCE_RANDOM_LEN) != 1) {
            return false;
        }
        if (ecdsa_nonce(lanes->sha512, curve->order, key->secret, curve->scalar_len, digest, scratch->random[lane],
                        scratch->nonce)) {
            to_words(scratch->nonce, curve->scalar_len, scratch->nonce_words[lane]);
            return true;
        }
    }
    return false;
}

static void sign_ec(struct lanes *lanes, const struct lane_key *key, struct backend_job *const *jobs, size_t num_jobs)
{
    const struct curve *curve = curve_of(key->type);
    struct ec_scratch *scratch = &lanes->ec;
    const int8u *digests[LANES_WIDTH] = {NULL};
    const int64u *nonces[LANES_WIDTH] = {NULL}, *keys[LANES_WIDTH] = {NULL};
    int8u *r[LANES_WIDTH] = {NULL}, *s[LANES_WIDTH] = {NULL};
    if (RAND_priv_bytes(scratch->random[0], (int)(num_jobs * ECDSA_NONCE_RANDOM_LEN)) != 1) {
        return;
    }
    for (size_t i = 0; i < num_jobs; i++) {
        if (make_nonce(lanes, curve, &key->ec, jobs[i], i)) {
            digests[i] = jobs[i]->digest;
            nonces[i] = scratch->nonce_words[i];
            keys[i] = key->ec.secret_words;
            r[i] = scratch->r[i];
            s[i] = scratch->s[i];
        }
    }
    mbx_status status = curve->sign(r, s, digests, nonces, keys, NULL);
    for (size_t i = 0; i < num_jobs; i++) {
        /* A lane left out reports an error of its own. */
        if (MBX_GET_STS(status, (int)i) == MBX_STATUS_OK) {
            jobs[i]->signature_len = ecdsa_encode(scratch->r[i], scratch->s[i], curve->scalar_len, jobs[i]->signature);
        }
    }
    OPENSSL_cleanse(scratch, sizeof(*scratch));
}

/* RSA */

/* pad_sha256 is EMSA-PKCS1-v1_5 (RFC 8017 section 9.2): 00 01 FF... 00 DigestInfo. */
static void pad_sha256(uint8_t *out, size_t len, const uint8_t *digest)
{
    static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                          0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    const size_t digest_len = 32, tail_len = 1 + sizeof(digest_info) + digest_len;
    memset(out, 0xff, len);
    out[0] = 0x00;
    out[1] = 0x01;
    out[len - tail_len] = 0x00;
    memcpy(out + len - tail_len + 1, digest_info, sizeof(digest_info));
    memcpy(out + len - digest_len, digest, digest_len);
}

static void sign_rsa(struct lanes *lanes, const struct lane_key *key, struct backend_job *const *jobs, size_t num_jobs)
{
    struct rsa_scratch *scratch = &lanes->rsa;
    const struct rsa_key *k = &key->rsa;
    int bits = (int)key->type->bits;
    size_t len = key->type->bits / 8;
    const int8u *messages[LANES_WIDTH] = {NULL};
    int8u *signatures[LANES_WIDTH] = {NULL}, *checked[LANES_WIDTH] = {NULL};
    const int64u *n[LANES_WIDTH] = {NULL}, *p[LANES_WIDTH] = {NULL}, *q[LANES_WIDTH] = {NULL};
    const int64u *dp[LANES_WIDTH] = {NULL}, *dq[LANES_WIDTH] = {NULL}, *q_inverse[LANES_WIDTH] = {NULL};
    for (size_t i = 0; i < num_jobs; i++) {
        pad_sha256(scratch->message[i], len, jobs[i]->digest);
        messages[i] = scratch->message[i];
        signatures[i] = scratch->signature[i];
        checked[i] = scratch->checked[i];
        n[i] = k->n;
        p[i] = k->p;
        q[i] = k->q;
        dp[i] = k->dp;
        dq[i] = k->dq;
        q_inverse[i] = k->q_inverse;
    }
    mbx_status signed_status = mbx_rsa_private_crt_mb8(messages, signatures, p, q, dp, dq, q_inverse, bits,
                                                       mbx_RSA_private_crt_Method(bits), lanes->rsa_buffer);
    OPENSSL_cleanse(lanes->rsa_buffer, lanes->rsa_buffer_len);
    mbx_status checked_status = mbx_rsa_public_mb8((const int8u *const *)signatures, checked, n, bits,
                                                   mbx_RSA_pub65537_Method(bits), lanes->rsa_buffer);
    for (size_t i = 0; i < num_jobs; i++) {
        if (MBX_GET_STS(signed_status, (int)i) == MBX_STATUS_OK &&
            MBX_GET_STS(checked_status, (int)i) == MBX_STATUS_OK &&
            memcmp(scratch->message[i], scratch->checked[i], len) == 0) {
            memcpy(jobs[i]->signature, scratch->signature[i], len);
            jobs[i]->signature_len = len;
        }
    }
    OPENSSL_cleanse(scratch, sizeof(*scratch)); /* a signature that failed its check would give the key away */
}

void lanes_sign(struct lanes *lanes, const struct lane_key *key, struct backend_job *const *jobs, size_t num_jobs)
{
    for (size_t i = 0; i < num_jobs; i++) {
        jobs[i]->signature_len = 0;
    }
    if (key->type->curve != NULL) {
        sign_ec(lanes, key, jobs, num_jobs);
    } else {
        sign_rsa(lanes, key, jobs, num_jobs);
    }
}

#else /* no crypto_mb */

bool lanes_available(void)
{
    return false;
}

enum mg_status lane_key_new(struct lane_key **out, const EVP_PKEY *key, const struct key_type *type,
                            struct mg_error *error)
{
    (void)key;
    (void)type;
    (void)error;
    *out = NULL;
    return MG_OK;
}

void lane_key_free(struct lane_key *key)
{
    (void)key;
}

enum mg_status lanes_new(struct lanes **out, struct mg_error *error)
{
    *out = NULL;
    return mg_error_set(error, MG_NOT_FOUND, "built without crypto_mb");
}

void lanes_free(struct lanes *lanes)
{
    (void)lanes;
}

void lanes_sign(struct lanes *lanes, const struct lane_key *key, struct backend_job *const *jobs, size_t num_jobs)
{
    (void)lanes;
    (void)key;
    for (size_t i = 0; i < num_jobs; i++) {
        jobs[i]->signature_len = 0;
    }
}

#endif
