/* SPDX-License-Identifier: Apache-2.0 */
#include "ready_keys.h"

#include <openssl/pem.h>
#include <stdio.h>

#include "ossl/openssl_error.h"

/* READY_KEYS_FILE has READY_KEYS_OF_A_TYPE keys of each RSA type, in the order of their numbers. */
static size_t place_of(const struct key_type *type, size_t index)
{
    return (size_t)(type->type - WIRE_KEY_RSA_2048) * READY_KEYS_OF_A_TYPE + index;
}

/* read_key reads the key at |place| of the file. */
static EVP_PKEY *read_key(size_t place)
{
    EVP_PKEY *key = NULL;
    FILE *file = fopen(READY_KEYS_FILE, "re");
    for (size_t i = 0; file != NULL && i <= place; i++) {
        EVP_PKEY_free(key);
        key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    }
    if (file != NULL) {
        fclose(file);
    }
    return key;
}

enum mg_status __wrap_key_type_generate(const struct key_type *type, EVP_PKEY **out, struct mg_error *error)
{
    static size_t next[WIRE_KEY_RSA_4096 + 1];
    if (type->curve != NULL) {
        return __real_key_type_generate(type, out, error);
    }
    *out = read_key(place_of(type, next[type->type]++ % READY_KEYS_OF_A_TYPE));
    if (*out == NULL || key_type_of_key(*out) != type) {
        EVP_PKEY_free(*out);
        return openssl_error_set(error, "no ready key of type %s in %s", type->name, READY_KEYS_FILE);
    }
    return MG_OK;
}
