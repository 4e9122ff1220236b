/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight signatures at once under one key, by Intel's Cryptography Primitives multi-buffer library (crypto_mb) on CPUs
 * with AVX-512 IFMA. It computes in constant time and leaves to its caller what the functions here do: ECDSA nonces,
 * PKCS#1 padding, and the check of RSA results with the public key before they leave, without which one fault in
 * the CRT would give the key away.
 *
 * A key is shared and read-only; a struct lanes is one thread's scratch memory. Where crypto_mb was not built in, no
 * CPU is good enough and no key is made.
 */
#ifndef MINTGATE_HSM_LANES_H
#define MINTGATE_HSM_LANES_H

#include "hsm/backend.h"

#define LANES_WIDTH 8

struct lane_key;
struct lanes;

/* lanes_available tells whether crypto_mb is built in and this CPU can run it. */
bool lanes_available(void);

/* lanes_worthwhile returns from how many jobs on the lanes are faster than signing one after the other. */
size_t lanes_worthwhile(const struct key_type *type);

/* lane_key_new prepares the private key |key| of |type|. *out is NULL, with MG_OK, where the lanes cannot take it (not
 * available, or an RSA exponent other than 65537). The caller frees it, which wipes it. */
MG_MUST_USE enum mg_status lane_key_new(struct lane_key **out, const EVP_PKEY *key, const struct key_type *type,
                                        struct mg_error *error);
void lane_key_free(struct lane_key *key);

/* lanes_new makes scratch memory for the calling thread. */
MG_MUST_USE enum mg_status lanes_new(struct lanes **out, struct mg_error *error);
void lanes_free(struct lanes *lanes);

/* lanes_sign signs 1 to LANES_WIDTH |jobs| and sets their signature_len, to 0 where a lane failed; it does not call
 * |done|. */
void lanes_sign(struct lanes *lanes, const struct lane_key *key, struct backend_job *const *jobs, size_t num_jobs);

#endif
