/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signed tokens for tests of client assertions. */
#ifndef MINTGATE_TESTS_JWT_MAKER_H
#define MINTGATE_TESTS_JWT_MAKER_H

#include <openssl/evp.h>

/* jwt_make returns the token of |header| and |claims| (JSON texts) signed by |key| with SHA-256: an EC signature has
 * the form of ES256 where the header says so, else DER. In one of four buffers in turn. */
const char *jwt_make(EVP_PKEY *key, const char *header, const char *claims);

/* jwt_public_pem returns the PEM of the public key, in one of four buffers in turn. */
const char *jwt_public_pem(EVP_PKEY *key);

#endif
