/* SPDX-License-Identifier: Apache-2.0 */
/* The attestation of an intermediate's key, fetched afresh from the signer and held against what the store has of the
 * key. Any thread. */
#ifndef MINTGATE_CONTROL_SERVICE_KEY_ATTESTATION_H
#define MINTGATE_CONTROL_SERVICE_KEY_ATTESTATION_H

#include "base/buffer.h"
#include "control/intermediate.h"
#include "control/keys/signer_client.h"

/* key_attestation_fetch appends the attestation of |record|'s key, with a nonce of this call, to |text|: signed by the
 * very key whose public key is stored. MG_DENIED: it is not, or the token has another key in its place; else as
 * signer_client_attest. */
MG_MUST_USE enum mg_status key_attestation_fetch(struct signer_client *signer, const struct intermediate *record,
                                                 struct mg_buffer *text, struct mg_error *error);

/* key_attestation_check fetches one and judges it: MG_DENIED also where the key is not one that was made on its token
 * and can never leave it, and |error| names the attribute. */
MG_MUST_USE enum mg_status key_attestation_check(struct signer_client *signer, const struct intermediate *record,
                                                 struct mg_error *error);

#endif
