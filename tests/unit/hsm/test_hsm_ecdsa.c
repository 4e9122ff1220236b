/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ecdsa.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "hsm/ecdsa.h"

static EVP_MD_CTX *sha512;

static int new_hash(void **state)
{
    (void)state;
    sha512 = EVP_MD_CTX_new();
    return EVP_DigestInit_ex2(sha512, EVP_sha512(), NULL) == 1 ? 0 : -1;
}

static int free_hash(void **state)
{
    (void)state;
    EVP_MD_CTX_free(sha512);
    return 0;
}

static const uint8_t key[32] = "the private key of thirty-two by";
static const uint8_t digest[32] = "the digest that is to be signed";
static const uint8_t randomness[ECDSA_NONCE_RANDOM_LEN] = "fresh randomness, again and new";

static bool derive(const uint8_t *order, uint8_t *nonce)
{
    return ecdsa_nonce(sha512, order, key, 32, mg_slice_of(digest, 32), randomness, nonce);
}

/* The expected value is made here from the parts, not by the function under test. */
static void expected_nonce(uint8_t out[64])
{
    uint8_t input[96];
    memcpy(input, key, 32);
    memcpy(input + 32, digest, 32);
    memcpy(input + 64, randomness, 32);
    SHA512(input, sizeof(input), out);
}

static void test_a_nonce_is_sha512_over_key_digest_and_randomness(void **state)
{
    (void)state;
    uint8_t order[32], expected[64], nonce[32];
    memset(order, 0xff, sizeof(order));
    expected_nonce(expected);
    assert_true(derive(order, nonce));
    assert_memory_equal(nonce, expected, 32);
    assert_true(derive(order, nonce)); /* the hash context starts anew each time */
    assert_memory_equal(nonce, expected, 32);
}

static void test_a_nonce_not_below_the_order_is_rejected(void **state)
{
    (void)state;
    uint8_t expected[64], order[32], nonce[32];
    expected_nonce(expected);
    memcpy(order, expected, 32);
    assert_false(derive(order, nonce)); /* equal */
    assert_true(order[31] < 0xff && order[0] < 0xff && order[0] > 0);
    order[31]++;
    assert_true(derive(order, nonce)); /* one below */
    memcpy(order, expected, 32);
    order[0]--;
    assert_false(derive(order, nonce));
    memset(order, 0, sizeof(order));
    assert_false(derive(order, nonce));
    memcpy(order, expected, 32);
    order[0]++;
    memset(order + 1, 0, 31);
    assert_true(derive(order, nonce));
}

static void test_each_input_changes_the_nonce(void **state)
{
    (void)state;
    uint8_t order[32], first[32], other[32], changed[32];
    memset(order, 0xff, sizeof(order));
    assert_true(derive(order, first));
    memcpy(changed, key, 32);
    changed[31] ^= 1;
    assert_true(ecdsa_nonce(sha512, order, changed, 32, mg_slice_of(digest, 32), randomness, other));
    assert_memory_not_equal(first, other, 32);
    memcpy(changed, digest, 32);
    changed[31] ^= 1;
    assert_true(ecdsa_nonce(sha512, order, key, 32, mg_slice_of(changed, 32), randomness, other));
    assert_memory_not_equal(first, other, 32);
    memcpy(changed, randomness, 32);
    changed[31] ^= 1;
    assert_true(ecdsa_nonce(sha512, order, key, 32, mg_slice_of(digest, 32), changed, other));
    assert_memory_not_equal(first, other, 32);
}

/* OpenSSL's own encoder is the judge, over numbers with and without leading zeros and high bits. */
static void assert_encoded_as_openssl_does(const uint8_t *r, const uint8_t *s, size_t len)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    ECDSA_SIG_set0(signature, BN_bin2bn(r, (int)len, NULL), BN_bin2bn(s, (int)len, NULL));
    uint8_t *expected = NULL;
    int expected_len = i2d_ECDSA_SIG(signature, &expected);
    uint8_t out[2 * ECDSA_MAX_SCALAR + 8];
    assert_int_equal(ecdsa_encode(r, s, len, out), expected_len);
    assert_memory_equal(out, expected, (size_t)expected_len);
    OPENSSL_free(expected);
    ECDSA_SIG_free(signature);
}

static void test_signatures_are_encoded_in_der(void **state)
{
    (void)state;
    uint8_t r[48], s[48];
    for (int i = 0; i < 2000; i++) {
        size_t len = i % 2 == 0 ? 32 : 48;
        RAND_bytes(r, sizeof(r));
        RAND_bytes(s, sizeof(s));
        size_t zeros = (size_t)i / 2 % len;
        memset(i % 3 == 0 ? r : s, 0, zeros);
        assert_encoded_as_openssl_does(r, s, len);
    }
    memset(r, 0xff, sizeof(r));
    memset(s, 0xff, sizeof(s));
    assert_encoded_as_openssl_does(r, s, 48); /* the longest */
    memset(r, 0, sizeof(r));
    assert_encoded_as_openssl_does(r, s, 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_nonce_is_sha512_over_key_digest_and_randomness),
        cmocka_unit_test(test_a_nonce_not_below_the_order_is_rejected),
        cmocka_unit_test(test_each_input_changes_the_nonce),
        cmocka_unit_test(test_signatures_are_encoded_in_der),
    };
    return cmocka_run_group_tests(tests, new_hash, free_hash);
}
