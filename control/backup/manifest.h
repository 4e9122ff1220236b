/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a backup holds (docs/operations.md): the first file of the archive, JSON that names every other one with its
 * size and SHA-256, in the order in which they follow. A name that is not one of ours is refused when it is read, so
 * that no archive can have a file written anywhere else:
 *
 *   control.db            the control plane's database
 *   keys/ID.key           a key of the signer, sealed; ID: 32 hexadecimal digits (hsm/keystore.h)
 *   keys/ID.pem           its certificates
 *   keys/ID.removed.pem   likewise, of one that is not to issue any more
 *
 * Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_BACKUP_MANIFEST_H
#define MINTGATE_CONTROL_BACKUP_MANIFEST_H

#include "base/buffer.h"
#include "base/status.h"

#define MANIFEST_MAX_FILES 1024
#define MANIFEST_MAX_TEXT (512U << 10)
#define MANIFEST_MAX_NAME 64
#define MANIFEST_HASH_LEN 32
#define MANIFEST_DATABASE "control.db"
#define MANIFEST_KEYS "keys/"
/* Of one file below keys/: an RSA-4096 key is 2.5 KB, a chain 64 KiB of DER at most. */
#define MANIFEST_MAX_KEY_FILE (512U << 10)

struct manifest_file {
    char name[MANIFEST_MAX_NAME];
    uint64_t size;
    uint8_t sha256[MANIFEST_HASH_LEN];
};

struct manifest {
    int64_t made; /* seconds since 1970 */
    /* Of the key-encryption key (key_wrap.h), to tell whether another is the same; all zero: not known. */
    uint8_t key_check[MANIFEST_HASH_LEN];
    bool has_wrapped_key; /* the key-encryption key is in the archive too, under a passphrase */
    struct manifest_file files[MANIFEST_MAX_FILES];
    size_t num_files;
};

/* manifest_is_key_name tells whether |name| is one of a file below keys/, without that. */
MG_MUST_USE bool manifest_is_key_name(const char *name);

/* manifest_add adds a file without its hash. MG_LIMIT: there are MANIFEST_MAX_FILES; MG_INVALID: |name| is none. */
MG_MUST_USE enum mg_status manifest_add(struct manifest *manifest, const char *name, uint64_t size,
                                        struct mg_error *error);

/* manifest_write appends the JSON to |out|. MG_MEMORY, MG_LIMIT. */
MG_MUST_USE enum mg_status manifest_write(const struct manifest *manifest, struct mg_buffer *out,
                                          struct mg_error *error);

/* manifest_parse reads |text|: names as above, each once, the database among them. MG_INVALID; MG_MEMORY. */
MG_MUST_USE enum mg_status manifest_parse(struct mg_slice text, struct manifest *out, struct mg_error *error);

#endif
