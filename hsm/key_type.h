/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What depends on the type of an issuer's key, in one table: the algorithm that it signs with, the hash under it, and
 * how such a key is made. The signature algorithm follows from the issuer's key and is never copied from anywhere.
 * Any thread.
 */
#ifndef MINTGATE_HSM_KEY_TYPE_H
#define MINTGATE_HSM_KEY_TYPE_H

#include <openssl/evp.h>

#include "base/slice.h"
#include "base/status.h"
#include "wire/signer.h"

#define KEY_TYPE_MAX_DIGEST 64

struct key_type {
    enum wire_key_type type;
    const char *name;                    /* as in the configuration */
    struct mg_slice signature_algorithm; /* AlgorithmIdentifier: RFC 5758 section 3.2, RFC 4055 section 5 */
    const char *digest_name;             /* for EVP_MD_fetch */
    size_t digest_len;
    const char *curve; /* NULL for RSA */
    unsigned bits;     /* of the field, or of the modulus */
    size_t max_signature_len;
    /* How many requests of one issuer are signed before the queue looks around again: some milliseconds' worth. */
    size_t turn;
    bool is_ca_only; /* keys of private CAs in this process alone: not on tokens, and no leaf is signed with one */
};

/* key_type_get0 returns the row of |type|, NULL for a number that is none. */
const struct key_type *key_type_get0(enum wire_key_type type);

/* key_type_of_key returns the row that |key| is of, NULL if it is of none, or of one for private CAs alone.
 * key_type_of_ca_key returns those too. */
const struct key_type *key_type_of_key(const EVP_PKEY *key);
const struct key_type *key_type_of_ca_key(const EVP_PKEY *key);

/* key_type_generate makes a new key; the caller frees it with EVP_PKEY_free. */
MG_MUST_USE enum mg_status key_type_generate(const struct key_type *type, EVP_PKEY **out, struct mg_error *error);

#endif
