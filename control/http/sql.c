/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/sql.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/slice.h"

static enum mg_status fail(sqlite3 *db, int result, struct mg_error *error)
{
    enum mg_status status = MG_IO;
    switch (result & 0xff) {
    case SQLITE_CONSTRAINT:
        status = MG_EXISTS;
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        status = MG_AGAIN;
        break;
    case SQLITE_NOMEM:
        status = MG_MEMORY;
        break;
    default:
        break;
    }
    return mg_error_set(error, status, "database: %s", sqlite3_errmsg(db));
}

static int bind_one(sqlite3_stmt *statement, int index, char type, va_list *args)
{
    struct mg_slice bytes;
    switch (type) {
    case 't':
        return sqlite3_bind_text(statement, index, va_arg(*args, const char *), -1, SQLITE_STATIC);
    case 'i':
        return sqlite3_bind_int64(statement, index, va_arg(*args, int64_t));
    case 'b':
        bytes = va_arg(*args, struct mg_slice);
        return sqlite3_bind_blob64(statement, index, bytes.data, bytes.len, SQLITE_STATIC);
    default:
        return SQLITE_MISUSE;
    }
}

static enum mg_status begin(sqlite3 *db, sqlite3_stmt **out, struct mg_error *error, const char *sql, const char *types,
                            va_list args)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    va_list values;
    va_copy(values, args);
    for (int i = 0; result == SQLITE_OK && types[i] != '\0'; i++) {
        result = bind_one(statement, i + 1, types[i], &values);
    }
    va_end(values);
    if (result != SQLITE_OK) {
        enum mg_status status = fail(db, result, error);
        sqlite3_finalize(statement);
        return status;
    }
    *out = statement;
    return MG_OK;
}

enum mg_status sql_begin(sqlite3 *db, sqlite3_stmt **out, struct mg_error *error, const char *sql, const char *types,
                         ...)
{
    va_list args;
    va_start(args, types);
    enum mg_status status = begin(db, out, error, sql, types, args);
    va_end(args);
    return status;
}

enum mg_status sql_step(sqlite3 *db, sqlite3_stmt *statement, struct mg_error *error)
{
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        return MG_OK;
    }
    return result == SQLITE_DONE ? mg_error_set(error, MG_NOT_FOUND, "there is no such row") : fail(db, result, error);
}

enum mg_status sql_change(sqlite3 *db, struct mg_error *error, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement;
    va_list args;
    va_start(args, types);
    enum mg_status status = begin(db, &statement, error, sql, types, args);
    va_end(args);
    if (status != MG_OK) {
        return status;
    }
    status = sql_step(db, statement, error);
    /* All rows are changed at the first step; the statement is only done, and its change kept, after the last. */
    enum mg_status last = status;
    while (last == MG_OK) {
        last = sql_step(db, statement, NULL);
    }
    sqlite3_finalize(statement);
    return status == MG_OK && last != MG_NOT_FOUND ? mg_error_set(error, last, "database: cannot commit") : status;
}

void sql_copy_text(sqlite3_stmt *statement, int column, char *out, size_t size)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    snprintf(out, size, "%s", text == NULL ? "" : (const char *)text);
}
