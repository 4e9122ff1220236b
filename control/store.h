/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's database: one SQLite file in WAL mode with synchronous=FULL, so that what was committed survives
 * a power cut, and with one connection that writes and one that reads (docs/adr/0016-store.md).
 *
 * Everything happens in a transaction, and a transaction is a value: a function that takes a struct store_tx can only
 * be called within one. store_begin waits for the connection, store_end commits everything or nothing and lets go of
 * it. Any thread; a thread must end its transaction before it begins another of the same kind, and must not wait for
 * anything slow (the signer, engines) in between.
 *
 *     struct store_tx *tx;
 *     enum mg_status status = store_begin(store, STORE_WRITE, &tx, error);
 *     if (status == MG_OK) {
 *         status = store_end(tx, change_this_and_that(tx, error), error);
 *     }
 *     return status;
 */
#ifndef MINTGATE_CONTROL_STORE_H
#define MINTGATE_CONTROL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

struct sqlite3;
struct sqlite3_stmt;
struct store;
struct store_tx;

/* The tables of one module: step i is SQL that brings its version i to i + 1. A step that was released is never
 * edited; what it did is changed by a further one. */
struct store_migrations {
    const char *module; /* its name in the database: unique, never changed */
    const char *const *steps;
    size_t num_steps;
};

/* store_open opens the database at |path|, makes it if it is missing (0600; its directory exists), checks its
 * integrity and runs the steps of |modules| that it lacks, in order, each in a transaction of its own. The caller frees
 * *out with store_close. MG_DENIED: not a regular file of this user alone, or a symbolic link on the way. MG_INVALID:
 * not a database of Mintgate, or made by a newer one (a version, or a module, that |modules| does not know). MG_IO,
 * also for a damaged one. One store per file and process. */
MG_MUST_USE enum mg_status store_open(struct store **out, const char *path,
                                      const struct store_migrations *const *modules, size_t num_modules,
                                      struct mg_error *error);

/* store_close closes it; no transaction may be under way. NULL is allowed. */
void store_close(struct store *store);

/* store_backup copies the last commit to a new file at |path| (0600), which store_open opens as it does the original,
 * and which bears a mark that store_take_copy_mark finds.
 * Reading waits meanwhile, writing does not. MG_EXISTS, MG_IO: then there is no new file. */
MG_MUST_USE enum mg_status store_backup(struct store *store, const char *path, struct mg_error *error);

enum store_access {
    STORE_READ,  /* sees the last commit, and goes on seeing it; any change fails */
    STORE_WRITE, /* alone */
};

MG_MUST_USE enum mg_status store_begin(struct store *store, enum store_access access, struct store_tx **out,
                                       struct mg_error *error);

/* store_end commits if |status| is MG_OK and no statement of |tx| failed, else it undoes everything. It returns
 * |status| if that is not MG_OK (and leaves |error| as it is), else whether the commit took place. |tx| is gone in any
 * case. */
MG_MUST_USE enum mg_status store_end(struct store_tx *tx, enum mg_status status, struct mg_error *error);

/* store_take_copy_mark removes the mark of a copy: *out_made is when store_backup made the copy that this database
 * began as (seconds since 1970), or 0: it is none, or that was told before. */
MG_MUST_USE enum mg_status store_take_copy_mark(struct store_tx *tx, int64_t *out_made, struct mg_error *error);

/* store_connection returns the connection of |tx|, until store_end, for a module with statements of its own
 * (control/http/credentials.h). It neither begins nor ends transactions, and its failures are given to store_end. */
struct sqlite3 *store_connection(const struct store_tx *tx);

/* store_metrics appends the transactions, by access and by how they ended. Any thread. */
void store_metrics(const struct store *store, struct mg_buffer *out);

/*
 * One SQL statement: prepared, its parameters bound in the order of their question marks, its rows taken one by one and
 * each row's columns in their order. Failures stick: what follows one does nothing, store_next returns false, and
 * store_finish, which must be called, says what it was and dooms the transaction.
 *
 *     store_prepare(&query, tx, "SELECT name, age FROM people WHERE town = ?");
 *     store_bind_text(&query, town);
 *     while (store_next(&query)) {
 *         struct mg_slice name = store_column_text(&query);
 *         int64_t age = store_column_int(&query);
 *     }
 *     return store_finish(&query, error);
 */
struct store_statement {
    struct store_tx *tx;
    struct sqlite3_stmt *handle;
    int next_parameter, next_column;
    int result; /* SQLite's code of the first failure; 0: none */
};

/* store_prepare takes |sql|, a literal of the program or made from such: never with a value from outside in it. */
void store_prepare(struct store_statement *statement, struct store_tx *tx, const char *sql);

/* A slice without memory (data NULL) is bound as SQL NULL; the bytes are copied. */
void store_bind_int(struct store_statement *statement, int64_t value);
void store_bind_text(struct store_statement *statement, struct mg_slice text);
void store_bind_blob(struct store_statement *statement, struct mg_slice bytes);

/* store_next goes to the next row, the first at first. */
MG_MUST_USE bool store_next(struct store_statement *statement);

/* The columns. NULL reads as 0 or as a slice without memory. Slices live until the next row or store_finish; text is
 * followed by a NUL. */
int64_t store_column_int(struct store_statement *statement);
struct mg_slice store_column_text(struct store_statement *statement);
struct mg_slice store_column_blob(struct store_statement *statement);

/* store_finish frees what |statement| holds. MG_EXISTS: a UNIQUE rule was broken; MG_INTERNAL: another rule of the
 * tables, a trigger, or SQL that does not fit them; MG_IO; MG_MEMORY. */
MG_MUST_USE enum mg_status store_finish(struct store_statement *statement, struct mg_error *error);

/* store_run is store_next until the end and store_finish: for what returns no rows. */
MG_MUST_USE enum mg_status store_run(struct store_statement *statement, struct mg_error *error);

/* store_last_id returns the id of the row that the last INSERT made, store_num_changed how many rows the last
 * statement inserted, updated or deleted. */
int64_t store_last_id(const struct store_tx *tx);
int64_t store_num_changed(const struct store_tx *tx);

#endif
