/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private key as it lies on disk: a readable header and the key (PKCS#8, DER), encrypted with AES-256-GCM under the
 * key-encryption key, a fresh random nonce each time, with the header as additional data. So neither can be changed
 * nor be taken from another file without notice.
 *
 *   magic 8, version u8, key id 16, purpose u8, role u8, origin u8, key type u8, created u64, label behind a u8,
 *   token 16, holder behind a u8, nonce 12, ciphertext and tag behind a u16
 *
 * This is version 3: of a key that a PKCS#11 token holds, which is named here, and what is encrypted is its
 * SubjectPublicKeyInfo, for the sake of the tag alone. Keys that are in the file itself have version 2, which lacks the
 * holder. Version 1, which is still read, has no token either.
 *
 * Pure, but for the nonce: any thread.
 */
#ifndef MINTGATE_HSM_SEALED_KEY_H
#define MINTGATE_HSM_SEALED_KEY_H

#include "base/buffer.h"
#include "base/status.h"
#include "hsm/kek.h"
#include "hsm/purpose.h"
#include "wire/signer_control.h"

#define SEALED_KEY_MAX_LABEL WIRE_CONTROL_MAX_LABEL
#define SEALED_KEY_MAX_SECRET 4096 /* an RSA-4096 key needs 2.4 KB */
#define SEALED_KEY_MAX_FILE 8192
#define SEALED_KEY_MAX_HOLDER WIRE_CONTROL_MAX_HOLDER

/* Who had the key made. The numbers are stored, and are wire_key_origin's: never change one. */
enum key_origin {
    KEY_ORIGIN_CONTROL = 0, /* on demand */
    KEY_ORIGIN_BUILTIN_ROOT = 1,
    KEY_ORIGIN_BUILTIN_ISSUING = 2,
    KEY_ORIGIN_BUILTIN_UNTRUST = 3,
};
#define KEY_ORIGIN_LAST KEY_ORIGIN_BUILTIN_UNTRUST

/* What is known of a key besides the key. Fixed when it is made. */
struct key_info {
    struct wire_key_id id;
    enum key_purpose purpose;
    enum wire_issuer_role role; /* for KEY_MINTING; 0 for others */
    enum key_origin origin;
    enum wire_key_type type;
    int64_t created;                        /* seconds since 1970 */
    char label[SEALED_KEY_MAX_LABEL + 1];   /* UTF-8 without control characters */
    struct wire_control_token token;        /* that control had it made with; zero for others */
    char holder[SEALED_KEY_MAX_HOLDER + 1]; /* the configured name of the PKCS#11 token that holds it; empty: none */
};

/* sealed_key_seal appends the file's content to |out|. MG_INVALID for a label that is too long or no
 * UTF-8. */
MG_MUST_USE enum mg_status sealed_key_seal(const struct kek *kek, const struct key_info *info, struct mg_slice secret,
                                           struct mg_buffer *out, struct mg_error *error);

/* sealed_key_open reads |file|. *secret (from mg_secret_buffer_init with SEALED_KEY_MAX_SECRET) gets the key only if
 * everything is authentic. MG_INVALID: not such a file; MG_DENIED: changed, or sealed under another key. */
MG_MUST_USE enum mg_status sealed_key_open(const struct kek *kek, struct mg_slice file, struct key_info *info,
                                           struct mg_buffer *secret, struct mg_error *error);

#endif
