/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestations of keys that tokens hold (docs/api/attestation.md): what the token says of the key, afresh, and of
 * itself, put together here and signed by that very key. Nobody else chooses the bytes but for a nonce, and they begin
 * with a word of their own: what is signed can be taken neither for a certificate nor for a certification request,
 * which begin with the tag of a SEQUENCE (RFC 5280 section 4.1, RFC 2986 section 4). Nothing is judged here: a bad key
 * says that it is one.
 *
 * Control's thread, as token_keys.h.
 */
#ifndef MINTGATE_HSM_ATTESTATION_H
#define MINTGATE_HSM_ATTESTATION_H

#include "base/buffer.h"
#include "hsm/token_keys.h"

/* attestation_make appends the attestation of |key| with |nonce| at |now| (seconds since 1970) to |out|. MG_DENIED: its
 * purpose forbids it, no token holds it, the token has another public key in its place, or the token's signature does
 * not verify; else as token_keys.h. */
MG_MUST_USE enum mg_status attestation_make(const struct token_store *tokens, const struct keystore_key *key,
                                            const uint8_t nonce[WIRE_CONTROL_NONCE_LEN], int64_t now,
                                            struct mg_buffer *out, struct mg_error *error);

#endif
