/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a backup: one archive (0600) of the database, the sealed keys and, where a passphrase is given, the
 * key-encryption key under it (docs/adr/0020-backup.md). While it is made everything goes on running. One thread, of a
 * program that may read all of it.
 */
#ifndef MINTGATE_CONTROL_BACKUP_BACKUP_H
#define MINTGATE_CONTROL_BACKUP_BACKUP_H

#include <limits.h>

#include "base/slice.h"
#include "base/status.h"
#include "control/backup/manifest.h"
#include "control/backup/paths.h"

struct backup_request {
    struct backup_paths paths;
    const char *archive;        /* is made; nothing may be there */
    struct mg_slice passphrase; /* without memory: the key-encryption key stays outside */
    int64_t now;                /* seconds since 1970 */
    /* copy_database has a copy made of the database as it is now, and tells where; it is removed afterwards. */
    enum mg_status (*copy_database)(void *arg, char path[PATH_MAX], struct mg_error *error);
    void *arg;
};

/* backup_make makes it: whole, or there is none. |manifest| tells what is in it. MG_EXISTS: something is at |archive|;
 * MG_LIMIT: keys were made or destroyed all the time; MG_NOT_FOUND: the key-encryption key's file is missing; else what
 * |copy_database| returned, MG_INVALID, MG_IO. */
MG_MUST_USE enum mg_status backup_make(const struct backup_request *request, struct manifest *manifest,
                                       struct mg_error *error);

#endif
