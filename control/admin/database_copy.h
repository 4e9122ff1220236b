/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of the database for a backup, beside it: DATABASE.copy-XXXXXXXXXXXXXXXX (0600), whose taker removes them. */
#ifndef MINTGATE_CONTROL_ADMIN_DATABASE_COPY_H
#define MINTGATE_CONTROL_ADMIN_DATABASE_COPY_H

#include <limits.h>

#include "control/store.h"

/* database_copy_make makes one of the last commit of |store|, whose file is |database|, and tells its path. Any
 * thread. */
MG_MUST_USE enum mg_status database_copy_make(struct store *store, const char *database, char out[PATH_MAX],
                                              struct mg_error *error);

/* database_copy_sweep removes the copies that nobody took: at the start, when nobody can be at it. */
void database_copy_sweep(const char *database);

#endif
