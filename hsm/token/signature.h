/* SPDX-License-Identifier: Apache-2.0 */
/* One signature by a token: C_SignInit, C_Sign, and what X.509 wants of the result. */
#ifndef MINTGATE_HSM_TOKEN_SIGNATURE_H
#define MINTGATE_HSM_TOKEN_SIGNATURE_H

#include "hsm/token/objects.h"

/*
 * token_sign signs |octets|, a digest made with |digest|, with the private key |handle| of |type|: RSASSA-PKCS1-v1_5
 * (CKM_RSA_PKCS over a DigestInfo, RFC 8017 section 9.2), or ECDSA (CKM_ECDSA over the digest's left-most bits, FIPS
 * 186-5 section 6.4.1), whose r and s become an Ecdsa-Sig-Value (RFC 3279 section 2.2.3). The result is not verified
 * here: the signer does that where it must, since it is what it trusts. The calling thread's own session.
 */
enum wire_token_status token_sign(const struct object_session *at, CK_OBJECT_HANDLE handle, const struct key_type *type,
                                  enum wire_token_digest digest, struct mg_slice octets,
                                  uint8_t out[WIRE_TOKEN_MAX_SIGNATURE], size_t *out_len, struct token_error *error);

#endif
