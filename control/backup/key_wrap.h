/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key-encryption key of the signer (hsm/kek.h) under a passphrase: AES-256-GCM by a key that scrypt (RFC 7914, N =
 * 2^17, r = 8, p = 1: 128 MiB, a large part of a second for each guess) makes of the passphrase and a fresh salt, with
 * the manifest as additional data. So a wrapped key opens with its own manifest alone, and whoever has no passphrase
 * can change nothing of such a backup unnoticed.
 *
 * Pure, but for salt and nonce: any thread.
 */
#ifndef MINTGATE_CONTROL_BACKUP_KEY_WRAP_H
#define MINTGATE_CONTROL_BACKUP_KEY_WRAP_H

#include "base/buffer.h"
#include "base/status.h"

#define KEY_WRAP_KEY_LEN 32
#define KEY_WRAP_CHECK_LEN 32
#define KEY_WRAP_MIN_PASSPHRASE 12
#define KEY_WRAP_MAX_TEXT 1024

/* key_wrap_check makes what tells one key from another and says nothing else about it: HMAC-SHA256. */
MG_MUST_USE enum mg_status key_wrap_check(const uint8_t key[KEY_WRAP_KEY_LEN], uint8_t out[KEY_WRAP_CHECK_LEN],
                                          struct mg_error *error);

/* key_wrap appends the wrapped key, JSON, to |out|. MG_INVALID: the passphrase is too short. */
MG_MUST_USE enum mg_status key_wrap(const uint8_t key[KEY_WRAP_KEY_LEN], struct mg_slice passphrase,
                                    struct mg_slice manifest, struct mg_buffer *out, struct mg_error *error);

/* key_unwrap reads what key_wrap wrote. MG_INVALID: it is none; MG_DENIED: another passphrase or another manifest. The
 * caller wipes |out|, which is written on success alone. */
MG_MUST_USE enum mg_status key_unwrap(struct mg_slice text, struct mg_slice passphrase, struct mg_slice manifest,
                                      uint8_t out[KEY_WRAP_KEY_LEN], struct mg_error *error);

#endif
