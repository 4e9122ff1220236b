/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/key_type.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "ossl/openssl_error.h"

static const uint8_t ecdsa_with_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t ecdsa_with_sha384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03};
static const uint8_t ecdsa_with_sha512[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04};
static const uint8_t sha256_with_rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                          0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00};

#define SLICE_OF(array)                                                                                                \
    {                                                                                                                  \
        .data = (array), .len = sizeof(array)                                                                          \
    }

/* An Ecdsa-Sig-Value is a SEQUENCE of two INTEGERs, each a field element and perhaps a zero octet. */
static const struct key_type types[] = {
    {WIRE_KEY_EC_P256, "EC_P256", SLICE_OF(ecdsa_with_sha256), "SHA256", 32, "P-256", 256, 2 + 2 * (2 + 33), 64, false},
    {WIRE_KEY_EC_P384, "EC_P384", SLICE_OF(ecdsa_with_sha384), "SHA384", 48, "P-384", 384, 2 + 2 * (2 + 49), 32, false},
    {WIRE_KEY_RSA_2048, "RSA_2K", SLICE_OF(sha256_with_rsa), "SHA256", 32, NULL, 2048, 256, 16, false},
    {WIRE_KEY_RSA_3072, "RSA_3K", SLICE_OF(sha256_with_rsa), "SHA256", 32, NULL, 3072, 384, 8, false},
    {WIRE_KEY_RSA_4096, "RSA_4K", SLICE_OF(sha256_with_rsa), "SHA256", 32, NULL, 4096, 512, 8, false},
    {WIRE_KEY_EC_P521, "EC_P521", SLICE_OF(ecdsa_with_sha512), "SHA512", 64, "P-521", 521, 3 + 2 * (2 + 66), 16, true},
};

const struct key_type *key_type_get0(enum wire_key_type type)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        if (types[i].type == type) {
            return &types[i];
        }
    }
    return NULL;
}

static bool is_of(const EVP_PKEY *key, const struct key_type *type)
{
    if (type->curve == NULL) {
        return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == (int)type->bits;
    }
    char group[32];
    size_t len;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
           OBJ_sn2nid(group) == EC_curve_nist2nid(type->curve);
}

const struct key_type *key_type_of_key(const EVP_PKEY *key)
{
    const struct key_type *type = key_type_of_ca_key(key);
    return type != NULL && !type->is_ca_only ? type : NULL;
}

const struct key_type *key_type_of_ca_key(const EVP_PKEY *key)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        if (is_of(key, &types[i])) {
            return &types[i];
        }
    }
    return NULL;
}

enum mg_status key_type_generate(const struct key_type *type, EVP_PKEY **out, struct mg_error *error)
{
    *out = type->curve != NULL ? EVP_EC_gen(type->curve) : EVP_RSA_gen(type->bits);
    if (*out == NULL) {
        return openssl_error_set(error, "cannot make a key of type %s", type->name);
    }
    return MG_OK;
}
