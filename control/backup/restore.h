/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking a backup back onto a fresh machine, whose programs stand still (that is the caller's to see). Everything is
 * written beside its place first, and moved there when the whole archive has proved right: until then, and after any
 * failure, there is nothing in place that was not there before. One thread.
 */
#ifndef MINTGATE_CONTROL_BACKUP_RESTORE_H
#define MINTGATE_CONTROL_BACKUP_RESTORE_H

#include "base/buffer.h"
#include "base/status.h"
#include "control/backup/manifest.h"
#include "control/backup/paths.h"

struct restore_request {
    struct backup_paths paths;
    const char *archive;
    /* ask_passphrase appends it to |out|, a secret buffer. Asked where the archive holds the key-encryption key. */
    enum mg_status (*ask_passphrase)(void *arg, struct mg_buffer *out, struct mg_error *error);
    void *arg;
};

#define RESTORE_MAX_PASSPHRASE 1024

/* restore_run takes |request->archive| back; |manifest| tells what was in it. The directories that are missing are made
 * as their programs make them. An archive without the key-encryption key needs that in its place already.
 *
 * MG_EXISTS: there is a database, a key, or another key-encryption key in a place where something is to go;
 * MG_NOT_FOUND: the key-encryption key is not there; MG_INVALID: the archive is damaged, cut off, or none; MG_DENIED:
 * the passphrase is not the archive's, or it was changed; MG_IO. */
MG_MUST_USE enum mg_status restore_run(const struct restore_request *request, struct manifest *manifest,
                                       struct mg_error *error);

#endif
