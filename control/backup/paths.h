/* SPDX-License-Identifier: Apache-2.0 */
/* Where the state lies that a backup holds. All borrowed. */
#ifndef MINTGATE_CONTROL_BACKUP_PATHS_H
#define MINTGATE_CONTROL_BACKUP_PATHS_H

struct backup_paths {
    const char *database;           /* of the control plane */
    const char *keys;               /* the directory of the signer's sealed keys */
    const char *key_encryption_key; /* its file; "": kept elsewhere (a systemd credential) */
};

/* The names in the archive besides those of manifest.h: the manifest first, these two last. */
#define BACKUP_MANIFEST "manifest.json"
#define BACKUP_WRAPPED_KEY "key-encryption-key.json" /* where there is a passphrase */
#define BACKUP_MANIFEST_HASH "manifest.sha256"

#endif
