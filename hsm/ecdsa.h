/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two things around an ECDSA computation: the nonce before it, the encoding behind it. Pure; the nonce's one
 * context belongs to a thread.
 */
#ifndef MINTGATE_HSM_ECDSA_H
#define MINTGATE_HSM_ECDSA_H

#include <openssl/evp.h>

#include "base/slice.h"

#define ECDSA_MAX_SCALAR 48
#define ECDSA_NONCE_RANDOM_LEN 32

/*
 * ecdsa_nonce derives the nonce of one signature: the left-most bytes of SHA-512(private key, digest, fresh
 * randomness), so that neither a weak generator nor a repeated digest alone can repeat a nonce. |order| is the group's,
 * big-endian, |scalar_len| bytes, as is |key|; |out| gets as many. False if the value is not in [1, order - 1]: draw
 * new randomness and try again, which leaves the nonce uniform (FIPS 186-5 appendix A.3.2). The test takes the same
 * time whatever the value is. |sha512| was initialised with SHA-512 once and stays so.
 */
MG_MUST_USE bool ecdsa_nonce(EVP_MD_CTX *sha512, const uint8_t *order, const uint8_t *key, size_t scalar_len,
                             struct mg_slice digest, const uint8_t random[ECDSA_NONCE_RANDOM_LEN], uint8_t *out);

/* ecdsa_encode writes Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 3279 section 2.2.3) from two numbers
 * of |scalar_len| bytes, big-endian, into |out|, which has room for 2 * scalar_len + 8 bytes. Returns the length. */
size_t ecdsa_encode(const uint8_t *r, const uint8_t *s, size_t scalar_len, uint8_t *out);

#endif
