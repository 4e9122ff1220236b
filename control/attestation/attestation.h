/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestations of keys that PKCS#11 tokens hold (docs/api/attestation.md): three lines of text, which are the format's
 * name, the statement as a JSON object in one line, and the attested key's signature over the two lines before, in
 * base64. Read here, by whoever got one from the signer or from a file of unknown origin, and judged. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_ATTESTATION_ATTESTATION_H
#define MINTGATE_CONTROL_ATTESTATION_ATTESTATION_H

#include <jansson.h>
#include <openssl/evp.h>

#include "base/slice.h"
#include "wire/signer_control.h"
#include "wire/token_attributes.h"

#define ATTESTATION_MAX_FILE WIRE_CONTROL_MAX_DER
#define ATTESTATION_DIGEST_LEN 32

/* Zero state: none, and nothing owned. */
struct attestation {
    json_t *statement; /* owned: exactly the members that the format has, each of its type */
    EVP_PKEY *key;     /* owned: the statement's public key, of a type that Mintgate makes */
    uint8_t nonce[WIRE_CONTROL_NONCE_LEN];
    struct wire_key_id key_id;
    struct wire_token_attributes attributes; /* answers, mechanism and type */
    struct mg_slice signed_text;             /* borrowed from what was read */
    uint8_t signature[WIRE_TOKEN_MAX_SIGNATURE];
    size_t signature_len;
};

/* attestation_read reads |text|, which must outlive *out; the caller frees it with attestation_free. MG_INVALID: it is
 * none, and |error| names the line or the member. Nothing is verified yet. */
MG_MUST_USE enum mg_status attestation_read(struct mg_slice text, struct attestation *out, struct mg_error *error);
void attestation_free(struct attestation *attestation);

/* attestation_verify checks that |key| signed it, and is the key that it speaks of; NULL: by the statement's own public
 * key. MG_DENIED: |error| names publicKey or signature. */
MG_MUST_USE enum mg_status attestation_verify(const struct attestation *attestation, EVP_PKEY *key,
                                              struct mg_error *error);

/* attestation_judge checks what the token says of the key: made on it, never to leave it, and for signing alone
 * (wire/token_attributes.h), and by a mechanism that makes key pairs of its type. MG_DENIED: |error| names the first
 * attribute that is not so. */
MG_MUST_USE enum mg_status attestation_judge(const struct attestation *attestation, struct mg_error *error);

#endif
