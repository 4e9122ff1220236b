/* SPDX-License-Identifier: Apache-2.0 */
#include "control/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/metrics.h"

#define BUSY_TIMEOUT_MS 5000 /* another process on the file: a backup, sqlite3 by hand */
#define APPLICATION_ID 0x4d476374
#define FORMAT_VERSION 1 /* of the table of versions itself */
#define TEXT_OF(number) TEXT_OF_VALUE(number)
#define TEXT_OF_VALUE(number) #number

/* A connection; while it is locked it is the transaction. */
struct store_tx {
    sqlite3 *db;
    pthread_mutex_t mutex;
    bool failed;                         /* a statement failed: nothing may be committed */
    struct mg_counter committed, undone; /* whoever has the connection: rw, metrics: ro */
};

struct store {
    struct store_tx writer, reader;
};

static enum mg_status status_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_CONSTRAINT:
        return result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY ? MG_EXISTS : MG_INTERNAL;
    case SQLITE_NOMEM:
        return MG_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return MG_IO;
    default:
        return MG_INTERNAL;
    }
}

static enum mg_status fail(sqlite3 *db, int result, const char *what, struct mg_error *error)
{
    const char *why =
        db != NULL && sqlite3_extended_errcode(db) == result ? sqlite3_errmsg(db) : sqlite3_errstr(result);
    return mg_error_set(error, status_of(result), "database: %s: %s", what, why);
}

static enum mg_status execute(sqlite3 *db, const char *sql, const char *what, struct mg_error *error)
{
    int result = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? MG_OK : fail(db, result, what, error);
}

/* Statements. */

void store_prepare(struct store_statement *statement, struct store_tx *tx, const char *sql)
{
    *statement = (struct store_statement){.tx = tx};
    statement->result = sqlite3_prepare_v2(tx->db, sql, -1, &statement->handle, NULL);
}

static void note(struct store_statement *statement, int result)
{
    if (statement->result == SQLITE_OK) {
        statement->result = result;
    }
}

/* parameter returns the number of the parameter to bind now, 0 after a failure. */
static int parameter(struct store_statement *statement)
{
    return statement->result == SQLITE_OK ? ++statement->next_parameter : 0;
}

void store_bind_int(struct store_statement *statement, int64_t value)
{
    int index = parameter(statement);
    if (index > 0) {
        note(statement, sqlite3_bind_int64(statement->handle, index, value));
    }
}

void store_bind_text(struct store_statement *statement, struct mg_slice text)
{
    int index = parameter(statement);
    if (index > 0) {
        note(statement, sqlite3_bind_text64(statement->handle, index, (const char *)text.data, text.len,
                                            SQLITE_TRANSIENT, SQLITE_UTF8));
    }
}

void store_bind_blob(struct store_statement *statement, struct mg_slice bytes)
{
    int index = parameter(statement);
    if (index > 0) {
        note(statement, sqlite3_bind_blob64(statement->handle, index, bytes.data, bytes.len, SQLITE_TRANSIENT));
    }
}

bool store_next(struct store_statement *statement)
{
    if (statement->result != SQLITE_OK) {
        return false;
    }
    statement->next_column = 0;
    int result = sqlite3_step(statement->handle);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        note(statement, result);
    }
    return result == SQLITE_ROW;
}

int64_t store_column_int(struct store_statement *statement)
{
    return sqlite3_column_int64(statement->handle, statement->next_column++);
}

/* SQLite asks that the bytes are counted after they were fetched. An empty value may have no memory: it gets some, so
 * that it is not taken for NULL. */
static struct mg_slice column(struct store_statement *statement, const void *data, int index)
{
    if (sqlite3_column_type(statement->handle, index) == SQLITE_NULL) {
        return mg_slice_of(NULL, 0);
    }
    return mg_slice_of(data != NULL ? data : "", (size_t)sqlite3_column_bytes(statement->handle, index));
}

struct mg_slice store_column_text(struct store_statement *statement)
{
    int index = statement->next_column++;
    return column(statement, sqlite3_column_text(statement->handle, index), index);
}

struct mg_slice store_column_blob(struct store_statement *statement)
{
    int index = statement->next_column++;
    return column(statement, sqlite3_column_blob(statement->handle, index), index);
}

enum mg_status store_finish(struct store_statement *statement, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    if (statement->result != SQLITE_OK) {
        statement->tx->failed = true;
        status = fail(statement->tx->db, statement->result, "a statement failed", error);
    }
    sqlite3_finalize(statement->handle);
    statement->handle = NULL;
    return status;
}

enum mg_status store_run(struct store_statement *statement, struct mg_error *error)
{
    while (store_next(statement)) {
    }
    return store_finish(statement, error);
}

int64_t store_last_id(const struct store_tx *tx)
{
    return sqlite3_last_insert_rowid(tx->db);
}

int64_t store_num_changed(const struct store_tx *tx)
{
    return sqlite3_changes(tx->db);
}

/* Transactions. */

enum mg_status store_begin(struct store *store, enum store_access access, struct store_tx **out, struct mg_error *error)
{
    struct store_tx *tx = access == STORE_WRITE ? &store->writer : &store->reader;
    pthread_mutex_lock(&tx->mutex);
    enum mg_status status = execute(tx->db, access == STORE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", "begin", error);
    if (status != MG_OK) {
        pthread_mutex_unlock(&tx->mutex);
        return status;
    }
    tx->failed = false;
    *out = tx;
    return MG_OK;
}

enum mg_status store_end(struct store_tx *tx, enum mg_status status, struct mg_error *error)
{
    if (status == MG_OK && tx->failed) {
        status = mg_error_set(error, MG_INTERNAL, "database: a statement failed, so nothing is committed");
    }
    if (status == MG_OK) {
        status = execute(tx->db, "COMMIT", "commit", error);
    }
    /* After some failures SQLite has rolled back by itself. */
    if (status != MG_OK && sqlite3_get_autocommit(tx->db) == 0) {
        (void)execute(tx->db, "ROLLBACK", "rollback", NULL);
    }
    mg_counter_add(status == MG_OK ? &tx->committed : &tx->undone, 1);
    pthread_mutex_unlock(&tx->mutex);
    return status;
}

sqlite3 *store_connection(const struct store_tx *tx)
{
    return tx->db;
}

void store_metrics(const struct store *store, struct mg_buffer *out)
{
    static const char name[] = "mintgate_control_store_transactions_total";
    mg_metrics_family(out, name, "counter", "Transactions of the database, by access and by how they ended.");
    mg_metrics_sample(out, name, "access=\"read\",end=\"committed\"", mg_counter_get(&store->reader.committed));
    mg_metrics_sample(out, name, "access=\"read\",end=\"undone\"", mg_counter_get(&store->reader.undone));
    mg_metrics_sample(out, name, "access=\"write\",end=\"committed\"", mg_counter_get(&store->writer.committed));
    mg_metrics_sample(out, name, "access=\"write\",end=\"undone\"", mg_counter_get(&store->writer.undone));
}

/* Opening. */

/* check_file makes the file, or sees that nobody else may read or write it. */
static enum mg_status check_file(const char *path, struct mg_error *error)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ELOOP) {
        return mg_error_set(error, MG_DENIED, "control.database: %s: is a symbolic link", path);
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        enum mg_status status = mg_error_errno(error, "control.database: %s", path);
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    close(fd);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0 || st.st_nlink != 1) {
        return mg_error_set(error, MG_DENIED,
                            "control.database: %s: must be a regular file of this user with mode 0600 and one name",
                            path);
    }
    return MG_OK;
}

/* Deleted rows are overwritten: hashes of credentials are among them. What is not a system's own function is not run
 * from the schema, whatever a damaged file says. */
static enum mg_status connect_to(struct store_tx *tx, const char *path, struct mg_error *error)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    int result = sqlite3_open_v2(path, &tx->db, flags, NULL);
    if (result == SQLITE_CANTOPEN_SYMLINK) {
        return mg_error_set(error, MG_DENIED, "control.database: %s: a symbolic link in the path", path);
    }
    if (result != SQLITE_OK) {
        return fail(tx->db, result, path, error);
    }
    sqlite3_busy_timeout(tx->db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(tx->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return execute(tx->db,
                   "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;"
                   "PRAGMA recursive_triggers = ON",
                   path, error);
}

/* get_int runs a query of one number. */
static enum mg_status get_int(struct store_tx *tx, const char *sql, int64_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, sql);
    *out = store_next(&query) ? store_column_int(&query) : 0;
    return store_finish(&query, error);
}

/* expect_text runs a query whose every row must be |expected|. */
static enum mg_status expect_text(struct store_tx *tx, const char *sql, const char *expected, struct mg_error *error)
{
    struct store_statement query;
    enum mg_status bad = MG_OK;
    store_prepare(&query, tx, sql);
    while (bad == MG_OK && store_next(&query)) {
        struct mg_slice text = store_column_text(&query);
        if (!mg_slice_equal(text, mg_slice_of_text(expected))) {
            bad = mg_error_set(error, MG_IO, "database: %s says: %.*s", sql, (int)text.len, (const char *)text.data);
        }
    }
    enum mg_status status = store_finish(&query, bad == MG_OK ? error : NULL);
    return bad != MG_OK ? bad : status;
}

/* identify tells whether the file is ours, and sets the marks of a new one. */
static enum mg_status identify(struct store_tx *tx, struct mg_error *error)
{
    int64_t application = 0, format = 0, num_objects = 0;
    enum mg_status status = get_int(tx, "PRAGMA application_id", &application, error);
    if (status == MG_OK) {
        status = get_int(tx, "PRAGMA user_version", &format, error);
    }
    if (status == MG_OK) {
        status = get_int(tx, "SELECT count(*) FROM sqlite_schema", &num_objects, error);
    }
    if (status != MG_OK) {
        return status;
    }
    if (num_objects == 0 && application == 0 && format == 0) {
        return execute(tx->db,
                       "BEGIN IMMEDIATE;"
                       "PRAGMA application_id = " TEXT_OF(
                           APPLICATION_ID) ";"
                                           "PRAGMA user_version = " TEXT_OF(
                                               FORMAT_VERSION) ";"
                                                               "CREATE TABLE store_version (module TEXT PRIMARY KEY, "
                                                               "version INTEGER NOT NULL) STRICT;"
                                                               "COMMIT",
                       "cannot begin a new database", error);
    }
    if (application != APPLICATION_ID) {
        return mg_error_set(error, MG_INVALID, "database: is not one of Mintgate's control plane");
    }
    if (format != FORMAT_VERSION) {
        return mg_error_set(error, MG_INVALID,
                            "database: its format is %lld; this program knows " TEXT_OF(FORMAT_VERSION),
                            (long long)format);
    }
    return MG_OK;
}

/* check looks at the whole file before anything in it is believed. */
static enum mg_status check(struct store_tx *tx, struct mg_error *error)
{
    enum mg_status status = expect_text(tx, "PRAGMA integrity_check(1)", "ok", error);
    if (status == MG_OK) {
        status = expect_text(tx, "PRAGMA foreign_key_check", "", error);
    }
    if (status == MG_OK) {
        status = identify(tx, error);
    }
    return status;
}

static enum mg_status set_journal(struct store_tx *tx, struct mg_error *error)
{
    enum mg_status status = expect_text(tx, "PRAGMA journal_mode = WAL", "wal", error);
    if (status == MG_OK) {
        status = execute(tx->db, "PRAGMA synchronous = FULL", "cannot set synchronous", error);
    }
    return status;
}

static enum mg_status get_version(struct store_tx *tx, const char *module, int64_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT version FROM store_version WHERE module = ?");
    store_bind_text(&query, mg_slice_of_text(module));
    *out = store_next(&query) ? store_column_int(&query) : 0;
    return store_finish(&query, error);
}

static enum mg_status run_step(struct store_tx *tx, const struct store_migrations *module, int64_t index,
                               struct mg_error *error)
{
    enum mg_status status = execute(tx->db, module->steps[index], module->module, error);
    if (status != MG_OK) {
        return status;
    }
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT OR REPLACE INTO store_version (module, version) VALUES (?, ?)");
    store_bind_text(&statement, mg_slice_of_text(module->module));
    store_bind_int(&statement, index + 1);
    return store_run(&statement, error);
}

static enum mg_status migrate(struct store *store, const struct store_migrations *module, struct mg_error *error)
{
    int64_t version;
    enum mg_status status = get_version(&store->writer, module->module, &version, error);
    if (status == MG_OK && version > (int64_t)module->num_steps) {
        status = mg_error_set(error, MG_INVALID, "database: made by a newer program: %s is at version %lld, not %zu",
                              module->module, (long long)version, module->num_steps);
    }
    for (; status == MG_OK && version < (int64_t)module->num_steps; version++) {
        struct store_tx *tx;
        status = store_begin(store, STORE_WRITE, &tx, error);
        if (status == MG_OK) {
            status = store_end(tx, run_step(tx, module, version, error), error);
        }
    }
    return status;
}

/* check_modules refuses a database with a module that this program does not know: it would not keep its rules. */
static enum mg_status check_modules(struct store_tx *tx, const struct store_migrations *const *modules,
                                    size_t num_modules, struct mg_error *error)
{
    struct store_statement query;
    enum mg_status bad = MG_OK;
    store_prepare(&query, tx, "SELECT module FROM store_version");
    while (bad == MG_OK && store_next(&query)) {
        struct mg_slice name = store_column_text(&query);
        size_t i = 0;
        while (i < num_modules && !mg_slice_equal(name, mg_slice_of_text(modules[i]->module))) {
            i++;
        }
        if (i == num_modules) {
            bad = mg_error_set(error, MG_INVALID, "database: made by a newer program: unknown module %.*s",
                               (int)name.len, (const char *)name.data);
        }
    }
    enum mg_status status = store_finish(&query, bad == MG_OK ? error : NULL);
    return bad != MG_OK ? bad : status;
}

static enum mg_status open_writer(struct store *store, const char *path, const struct store_migrations *const *modules,
                                  size_t num_modules, struct mg_error *error)
{
    enum mg_status status = connect_to(&store->writer, path, error);
    if (status == MG_OK) {
        status = check(&store->writer, error);
    }
    if (status == MG_OK) {
        status = set_journal(&store->writer, error);
    }
    if (status == MG_OK) {
        status = check_modules(&store->writer, modules, num_modules, error);
    }
    for (size_t i = 0; i < num_modules && status == MG_OK; i++) {
        status = migrate(store, modules[i], error);
    }
    return status;
}

static enum mg_status open_reader(struct store *store, const char *path, struct mg_error *error)
{
    enum mg_status status = connect_to(&store->reader, path, error);
    if (status == MG_OK) {
        status = execute(store->reader.db, "PRAGMA query_only = ON", "cannot set query_only", error);
    }
    return status;
}

enum mg_status store_open(struct store **out, const char *path, const struct store_migrations *const *modules,
                          size_t num_modules, struct mg_error *error)
{
    enum mg_status status = check_file(path, error);
    if (status != MG_OK) {
        return status;
    }
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the database");
    }
    pthread_mutex_init(&store->writer.mutex, NULL);
    pthread_mutex_init(&store->reader.mutex, NULL);
    status = open_writer(store, path, modules, num_modules, error);
    if (status == MG_OK) {
        status = open_reader(store, path, error);
    }
    if (status != MG_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return MG_OK;
}

void store_close(struct store *store)
{
    if (store != NULL) {
        sqlite3_close(store->reader.db);
        sqlite3_close(store->writer.db);
        pthread_mutex_destroy(&store->reader.mutex);
        pthread_mutex_destroy(&store->writer.mutex);
        free(store);
    }
}

/* Copying. */

static enum mg_status copy_pages(struct store_tx *from, struct store_tx *to, const char *path, struct mg_error *error)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->db, "main");
    if (backup == NULL) {
        return fail(to->db, sqlite3_extended_errcode(to->db), path, error);
    }
    int result = sqlite3_backup_step(backup, -1);
    int finished = sqlite3_backup_finish(backup);
    result = result == SQLITE_DONE ? finished : result;
    return result == SQLITE_OK ? MG_OK : fail(to->db, result, path, error);
}

static enum mg_status copy_to(struct store *store, struct store_tx *copy, const char *path, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = connect_to(copy, path, error);
    if (status == MG_OK) {
        status = store_begin(store, STORE_READ, &tx, error);
    }
    if (status == MG_OK) {
        status = store_end(tx, copy_pages(tx, copy, path, error), error);
    }
    return status == MG_OK ? execute(copy->db,
                                     "BEGIN; CREATE TABLE store_copy (made INTEGER NOT NULL) STRICT;"
                                     "INSERT INTO store_copy (made) VALUES (unixepoch()); COMMIT",
                                     path, error)
                           : status;
}

enum mg_status store_backup(struct store *store, const char *path, struct mg_error *error)
{
    struct store_tx copy = {.db = NULL};
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        bool exists = errno == EEXIST;
        enum mg_status status = mg_error_errno(error, "backup: %s", path);
        return exists ? MG_EXISTS : status;
    }
    close(fd);
    enum mg_status status = copy_to(store, &copy, path, error);
    sqlite3_close(copy.db);
    if (status != MG_OK) {
        unlink(path);
    }
    return status;
}

enum mg_status store_take_copy_mark(struct store_tx *tx, int64_t *out_made, struct mg_error *error)
{
    int64_t is_copy;
    *out_made = 0;
    enum mg_status status =
        get_int(tx, "SELECT count(*) FROM sqlite_schema WHERE name = 'store_copy'", &is_copy, error);
    if (status == MG_OK && is_copy > 0) {
        status = get_int(tx, "SELECT made FROM store_copy", out_made, error);
        return status == MG_OK ? execute(tx->db, "DROP TABLE store_copy", "database", error) : status;
    }
    return status;
}
