/* SPDX-License-Identifier: Apache-2.0 */
#include "control/admin/database_copy.h"

#include <glob.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

#define SUFFIX ".copy-"

enum mg_status database_copy_make(struct store *store, const char *database, char out[PATH_MAX], struct mg_error *error)
{
    uint64_t random;
    if (RAND_bytes((unsigned char *)&random, sizeof(random)) != 1) {
        return mg_error_set(error, MG_INTERNAL, "no random bytes");
    }
    int len = snprintf(out, PATH_MAX, "%s" SUFFIX "%016" PRIx64, database, random);
    if (len < 0 || len >= PATH_MAX) {
        return mg_error_set(error, MG_INVALID, "control.database: the path is too long");
    }
    return store_backup(store, out, error);
}

void database_copy_sweep(const char *database)
{
    char pattern[PATH_MAX];
    glob_t found;
    /* With whatever SQLite had beside them. */
    int len = snprintf(pattern, sizeof(pattern), "%s" SUFFIX "????????????????*", database);
    if (len < 0 || (size_t)len >= sizeof(pattern) || glob(pattern, GLOB_NOSORT, NULL, &found) != 0) {
        return;
    }
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (unlink(found.gl_pathv[i]) != 0) {
            mg_log_warning("cannot remove %s, a copy that a backup left", found.gl_pathv[i]);
        }
    }
    globfree(&found);
}
