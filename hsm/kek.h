/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key-encryption key, under which all private keys of the state directory are sealed. It comes from a systemd
 * credential or from a 0600 file of its own, apart from what it protects. Held in OpenSSL's secure heap, wiped when
 * freed.
 */
#ifndef MINTGATE_HSM_KEK_H
#define MINTGATE_HSM_KEK_H

#include <stdint.h>

#include "base/status.h"

#define KEK_LEN 32 /* AES-256 */

struct kek {
    uint8_t bytes[KEK_LEN];
};

/* kek_read_file reads |path|, KEK_LEN bytes and nothing else. MG_NOT_FOUND; MG_DENIED if others could read it;
 * MG_INVALID if it has another length. */
MG_MUST_USE enum mg_status kek_read_file(struct kek **out, const char *path, struct mg_error *error);

/* kek_read_credential reads the systemd credential |name| (systemd.exec(5), LoadCredential=) likewise. Who may read it
 * is systemd's business. */
MG_MUST_USE enum mg_status kek_read_credential(struct kek **out, const char *name, struct mg_error *error);

/* kek_create makes a new key and writes it to |path|, mode 0600. MG_EXISTS if something is there. */
MG_MUST_USE enum mg_status kek_create(struct kek **out, const char *path, struct mg_error *error);

void kek_free(struct kek *kek);

#endif
