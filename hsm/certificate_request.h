/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certification requests (PKCS#10, RFC 2986) for a CA certificate of a minting key. Put together here from single
 * values, so that nobody else chooses the bytes that the key signs. Any thread.
 */
#ifndef MINTGATE_HSM_CERTIFICATE_REQUEST_H
#define MINTGATE_HSM_CERTIFICATE_REQUEST_H

#include "base/buffer.h"
#include "hsm/keystore.h"

/* struct certificate_request_signer signs with a key that is elsewhere: |sign| makes the content of signatureValue over
 * |octets|, a digest made with |digest|, into |out|, which has room for WIRE_SIGNER_MAX_SIGNATURE bytes. */
struct certificate_request_signer {
    enum mg_status (*sign)(void *arg, enum wire_csr_digest digest, struct mg_slice octets, uint8_t *out,
                           size_t *out_len, struct mg_error *error);
    void *arg;
};

/* certificate_request_make appends the DER of a request for |key|, signed with it, that asks (extensionRequest, RFC
 * 2985 section 5.4.2) for basicConstraints CA:TRUE with the wanted pathLen, keyUsage keyCertSign and cRLSign, both
 * critical, and subjectKeyIdentifier. MG_DENIED if the key's purpose forbids it. MG_INVALID if the subject breaks a
 * rule: at least one attribute (RFC 5280 section 4.1.2.6), each within its upper bound (appendix A.1), C two capital
 * letters. |elsewhere| signs for a key that a token holds, and what it fails with is the result; NULL for other keys.
 */
MG_MUST_USE enum mg_status certificate_request_make(const struct keystore_key *key,
                                                    const struct wire_control_make_csr *wanted,
                                                    const struct certificate_request_signer *elsewhere,
                                                    struct mg_buffer *out, struct mg_error *error);

#endif
