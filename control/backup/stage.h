/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be put in place, beside its place: DATABASE.restoring and KEYS.restoring/. One thread.
 *
 *     stage_begin, stage_create for each file, then stage_commit or stage_drop
 */
#ifndef MINTGATE_CONTROL_BACKUP_STAGE_H
#define MINTGATE_CONTROL_BACKUP_STAGE_H

#include <limits.h>
#include <stdbool.h>

#include "base/status.h"
#include "control/backup/key_wrap.h"
#include "control/backup/paths.h"

struct stage {
    const struct backup_paths *paths;
    char database[PATH_MAX], keys[PATH_MAX];
};

/* stage_begin checks that nothing is in place, makes the directories that are missing, and removes what an earlier try
 * left. MG_EXISTS: there is a database or a key. */
MG_MUST_USE enum mg_status stage_begin(struct stage *stage, const struct backup_paths *paths, struct mg_error *error);

/* stage_create opens the new file |name| of the manifest (0600); the caller closes *fd. */
MG_MUST_USE enum mg_status stage_create(const struct stage *stage, const char *name, int *fd, struct mg_error *error);

/* stage_commit puts everything in place, the key-encryption key first if |key| is not NULL, and takes it away again
 * where a step fails; then stage_drop too. */
MG_MUST_USE enum mg_status stage_commit(const struct stage *stage, const uint8_t *key, struct mg_error *error);

/* stage_drop removes what is not in place. */
void stage_drop(const struct stage *stage);

#endif
