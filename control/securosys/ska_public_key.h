/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys of approvers, what they sign, and when they say that they did (contracts.md section 4.4). A key is known
 * by its SubjectPublicKeyInfo, encoded by us, so that one key has one form. Pure: any thread, and time is a parameter.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_PUBLIC_KEY_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_PUBLIC_KEY_H

#include <openssl/evp.h>

#include "base/slice.h"
#include "control/securosys/ska_error.h"

#define SKA_MAX_PUBLIC_KEY 1088 /* RSA of 8192 bits has 1062 */
#define SKA_MAX_SIGNATURE 1024
#define SKA_MAX_CERTIFICATE ((size_t)16 * 1024) /* DER */

#define SKA_TIMESTAMP_MAX_AGE_SECONDS 600

struct ska_public_key {
    uint8_t spki[SKA_MAX_PUBLIC_KEY];
    size_t len;
};

static inline struct mg_slice ska_public_key_slice(const struct ska_public_key *key)
{
    return mg_slice_of(key->spki, key->len);
}

/* ska_public_key_set takes a key that is strong enough: RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, Ed25519.
 * SKA_KEY_TYPE. */
MG_MUST_USE enum mg_status ska_public_key_set(struct ska_public_key *out, EVP_PKEY *key, struct ska_error *error);

/* ska_public_key_read reads |base64| of a SubjectPublicKeyInfo: SKA_PARSING_KEY, SKA_KEY_TYPE. */
MG_MUST_USE enum mg_status ska_public_key_read(struct ska_public_key *out, struct mg_slice base64,
                                               struct ska_error *error);

/* ska_public_key_of_certificate reads |base64| of a certificate (DER), which must be valid at |now| (seconds since
 * 1970; 0: whenever it is): SKA_PARSING_CERTIFICATE, SKA_INVALID_CERTIFICATE, SKA_KEY_TYPE. */
MG_MUST_USE enum mg_status ska_public_key_of_certificate(struct ska_public_key *out, struct mg_slice base64,
                                                         int64_t now, struct ska_error *error);

/* ska_public_key_verify checks |signature| over |message|: RSA as PKCS#1 v1.5, EC as DER, with |digest|, "SHA-224",
 * "SHA-256", "SHA-384" or "SHA-512" (also without the dash; NULL: SHA-256); Ed25519 alone is without: "EdDSA".
 * SKA_INVALID_ENUM: another digest; SKA_INVALID_SIGNATURE. */
MG_MUST_USE enum mg_status ska_public_key_verify(const struct ska_public_key *key, const char *digest,
                                                 struct mg_slice message, struct mg_slice signature,
                                                 struct ska_error *error);

/* ska_timestamp_check reads |text|, such as "2026-11-21T07:59:41.933Z" or with "+01:00", and wants it at most
 * SKA_TIMESTAMP_MAX_AGE_SECONDS old at |now_us| and not in the future: SKA_TIMESTAMP_OFF. */
MG_MUST_USE enum mg_status ska_timestamp_check(const char *text, int64_t now_us, struct ska_error *error);

#endif
