/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL 3.0 takes half a millisecond to put the public key of a provider into a certificate (X509_set_pubkey goes
 * through its encoders). Programs that mint with it have older keys, which take microseconds; so does this. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "bench/probes/by_hand.h"

#include <stdint.h>
#include <stdlib.h>

#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define DAY_SECONDS 86400L

struct by_hand {
    X509 *issuer;
    EVP_PKEY *issuing_key; /* borrowed */
    EVP_PKEY *leaf_key;
};

static EVP_PKEY *new_leaf_key(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    if (ec == NULL || key == NULL || EC_KEY_generate_key(ec) != 1 || EVP_PKEY_set1_EC_KEY(key, ec) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EC_KEY_free(ec);
    return key;
}

struct by_hand *by_hand_new(struct mg_slice certificate, EVP_PKEY *key)
{
    struct by_hand *by_hand = calloc(1, sizeof(*by_hand));
    const uint8_t *at = certificate.data;
    if (by_hand == NULL) {
        return NULL;
    }
    by_hand->issuing_key = key;
    by_hand->issuer = d2i_X509(NULL, &at, (long)certificate.len);
    by_hand->leaf_key = new_leaf_key();
    if (by_hand->issuer == NULL || by_hand->leaf_key == NULL) {
        by_hand_free(by_hand);
        return NULL;
    }
    return by_hand;
}

void by_hand_free(struct by_hand *by_hand)
{
    if (by_hand != NULL) {
        X509_free(by_hand->issuer);
        EVP_PKEY_free(by_hand->leaf_key);
        free(by_hand);
    }
}

static bool add_extension(X509 *leaf, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool ok = extension != NULL && X509_add_ext(leaf, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool set_serial(X509 *leaf)
{
    uint8_t bytes[16];
    BIGNUM *number = RAND_bytes(bytes, sizeof(bytes)) == 1 ? BN_bin2bn(bytes, sizeof(bytes), NULL) : NULL;
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(leaf)) != NULL;
    BN_free(number);
    return ok;
}

/* fill puts into |leaf| what Mintgate's leaf of the same server has. */
static bool fill(const struct by_hand *by_hand, X509 *leaf)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, by_hand->issuer, leaf, NULL, NULL, 0);
    return X509_set_version(leaf, X509_VERSION_3) == 1 && set_serial(leaf) &&
           X509_set_issuer_name(leaf, X509_get_subject_name(by_hand->issuer)) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(leaf), -DAY_SECONDS) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(leaf), 60 * DAY_SECONDS) != NULL &&
           X509_set_pubkey(leaf, by_hand->leaf_key) == 1 &&
           add_extension(leaf, &context, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(leaf, &context, NID_ext_key_usage, "serverAuth") &&
           add_extension(leaf, &context, NID_authority_key_identifier, "keyid:always") &&
           add_extension(leaf, &context, NID_key_usage, "critical,digitalSignature") &&
           add_extension(leaf, &context, NID_subject_key_identifier, "hash") &&
           add_extension(leaf, &context, NID_subject_alt_name, "critical,DNS:a-name-of-usual-length.example.com");
}

bool by_hand_make(struct by_hand *by_hand)
{
    X509 *leaf = X509_new();
    uint8_t *der = NULL;
    bool ok = leaf != NULL && fill(by_hand, leaf) && X509_sign(leaf, by_hand->issuing_key, EVP_sha256()) > 0 &&
              i2d_X509(leaf, &der) > 0;
    OPENSSL_free(der);
    X509_free(leaf);
    return ok;
}
