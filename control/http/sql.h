/* SPDX-License-Identifier: Apache-2.0 */
/* One SQL statement at a time on SQLite, with its values bound and its failures in our error dialect. Called by whoever
 * may use the connection just then. */
#ifndef MINTGATE_CONTROL_HTTP_SQL_H
#define MINTGATE_CONTROL_HTTP_SQL_H

#include <sqlite3.h>
#include <stddef.h>

#include "base/status.h"

/* sql_begin prepares |sql| and binds what follows, a letter of |types| each: 't' const char * (NULL: SQL's NULL), 'i'
 * int64_t, 'b' struct mg_slice. The caller ends it with sqlite3_finalize. Texts and bytes are borrowed until then. */
MG_MUST_USE enum mg_status sql_begin(sqlite3 *db, sqlite3_stmt **out, struct mg_error *error, const char *sql,
                                     const char *types, ...);

/* sql_step goes to the next row: MG_OK, MG_NOT_FOUND when there is none, MG_EXISTS when a row breaks a uniqueness,
 * MG_AGAIN when another connection has the database locked, MG_IO. */
MG_MUST_USE enum mg_status sql_step(sqlite3 *db, sqlite3_stmt *statement, struct mg_error *error);

/* sql_change runs a statement that ends in RETURNING: MG_NOT_FOUND if it changed nothing. */
MG_MUST_USE enum mg_status sql_change(sqlite3 *db, struct mg_error *error, const char *sql, const char *types, ...);

/* sql_copy_text copies a column of the current row, cut to fit; "" for NULL. */
void sql_copy_text(sqlite3_stmt *statement, int column, char *out, size_t size);

#endif
