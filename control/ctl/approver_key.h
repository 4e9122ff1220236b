/* SPDX-License-Identifier: Apache-2.0 */
/* An approver's own private key, in a file of its own: it signs here and goes nowhere (docs/api/securosys.md).
 * mintgatectl's one thread. */
#ifndef MINTGATE_CONTROL_CTL_APPROVER_KEY_H
#define MINTGATE_CONTROL_CTL_APPROVER_KEY_H

#include <jansson.h>
#include <openssl/evp.h>

#include "base/slice.h"
#include "base/status.h"

/* approver_key_load reads |path|: a private key in PEM without a passphrase, RSA, EC or Ed25519, in a file that nobody
 * else may read (mg_file_read_secret). The caller frees *out with EVP_PKEY_free. */
MG_MUST_USE enum mg_status approver_key_load(const char *path, EVP_PKEY **out, struct mg_error *error);

/* approver_key_name returns the public key (SubjectPublicKeyInfo) in base64, and approver_key_sign a signature over
 * |message| likewise, as JSON texts; NULL: OpenSSL failed. approver_key_digest is what the signature is made with. */
json_t *approver_key_name(EVP_PKEY *key);
json_t *approver_key_sign(EVP_PKEY *key, struct mg_slice message);
const char *approver_key_digest(const EVP_PKEY *key);

#endif
