/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "control/doomed_key.h"

/* A name's versions: is_current is 1 for the present one, 0 for the one before. */
static const char *const steps[] = {
    "CREATE TABLE sap_epoch (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL) STRICT;"
    "INSERT INTO sap_epoch VALUES (1, 0);"
    "CREATE TABLE sap_store ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL UNIQUE,"
    "  kind TEXT NOT NULL CHECK (kind IN ('none', 'KEYSTORE', 'TRUSTSTORE')),"
    "  description TEXT NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  changed_us INTEGER NOT NULL,"
    "  changed_by TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE sap_entry ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  store_id INTEGER NOT NULL REFERENCES sap_store (id),"
    "  name TEXT NOT NULL,"
    "  is_current INTEGER NOT NULL CHECK (is_current IN (0, 1, 2)),"
    "  format TEXT NOT NULL,"
    "  certificates TEXT NOT NULL,"
    "  csr TEXT,"
    "  key_id BLOB CHECK (length(key_id) = 16),"
    "  created_us INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  UNIQUE (store_id, name, is_current)"
    ") STRICT;"
    "CREATE TABLE sap_reference ("
    "  name TEXT PRIMARY KEY,"
    "  store_id INTEGER NOT NULL REFERENCES sap_store (id),"
    "  epoch INTEGER NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  created_by TEXT NOT NULL,"
    "  changed_us INTEGER NOT NULL,"
    "  changed_by TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE sap_wish (token BLOB PRIMARY KEY CHECK (length(token) = 16)) STRICT;",
};
const struct store_migrations sap_migrations = {"sap", steps, MG_ARRAY_LEN(steps)};

enum mg_status sap_name_check(const char *field, const char *name, struct mg_error *error)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    if (len < 1 || len > SAP_MAX_NAME || strspn(name, allowed) != len || name[0] == '.' || name[0] == '-') {
        return mg_error_set(error, MG_INVALID,
                            "%s: must have 1 to %d letters, digits, '.', '_' and '-', and begin with none of '.' and "
                            "'-'",
                            field, SAP_MAX_NAME);
    }
    return MG_OK;
}

enum mg_status sap_epoch_next(struct store_tx *tx, int64_t *out, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "UPDATE sap_epoch SET epoch = epoch + 1 RETURNING epoch");
    *out = store_next(&statement) ? store_column_int(&statement) : 0;
    return store_finish(&statement, error);
}

/* ---- parts of rows ---- */

static struct mg_slice text_of(const char *text)
{
    return text == NULL ? mg_slice_of(NULL, 0) : mg_slice_of_text(text);
}

static void read_text(struct store_statement *query, char *out, size_t size)
{
    struct mg_slice text = store_column_text(query);
    snprintf(out, size, "%.*s", (int)text.len, text.data == NULL ? "" : (const char *)text.data);
}

static void read_stamp(struct store_statement *query, struct sap_stamp *out)
{
    out->time_us = store_column_int(query);
    read_text(query, out->by, sizeof(out->by));
}

static void bind_stamp(struct store_statement *statement, const struct sap_stamp *stamp)
{
    store_bind_int(statement, stamp->time_us);
    store_bind_text(statement, mg_slice_of_text(stamp->by));
}

/* find_one begins a query for the one row that |sql| finds by |name|, and tells whether it is there; for finish_one. */
static bool find_one(struct store_statement *query, struct store_tx *tx, const char *sql, const char *name)
{
    store_prepare(query, tx, sql);
    store_bind_text(query, mg_slice_of_text(name));
    return store_next(query);
}

/* finish_one ends a query for one row. */
static enum mg_status finish_one(struct store_statement *query, bool found, const char *what, const char *name,
                                 struct mg_error *error)
{
    enum mg_status status = store_finish(query, error);
    return status != MG_OK || found ? status : mg_error_set(error, MG_NOT_FOUND, "there is no %s %s", what, name);
}

/* finish_walk ends a walk that a visitor has left with |visited|. */
static enum mg_status finish_walk(struct store_statement *query, enum mg_status visited, struct mg_error *error)
{
    enum mg_status status = store_finish(query, visited == MG_OK ? error : NULL);
    return visited != MG_OK ? visited : status;
}

static enum mg_status name_taken(enum mg_status status, const char *what, const char *name, struct mg_error *error)
{
    return status == MG_EXISTS ? mg_error_set(error, status, "there is a %s %s already", what, name) : status;
}

/* ---- stores ---- */

#define STORE_COLUMNS "id, name, kind, description, epoch, created_us, created_by, changed_us, changed_by"

static void read_store(struct store_statement *query, struct sap_store *out)
{
    *out = (struct sap_store){.id = store_column_int(query)};
    read_text(query, out->name, sizeof(out->name));
    out->kind = (enum sap_kind)words_value(&sap_kind_words, store_column_text(query));
    read_text(query, out->description, sizeof(out->description));
    out->epoch = store_column_int(query);
    read_stamp(query, &out->created);
    read_stamp(query, &out->changed);
}

enum mg_status sap_store_load(struct store_tx *tx, const char *name, struct sap_store *out, struct mg_error *error)
{
    struct store_statement query;
    bool found = find_one(&query, tx, "SELECT " STORE_COLUMNS " FROM sap_store WHERE name = ?", name);
    if (found) {
        read_store(&query, out);
    }
    return finish_one(&query, found, "store", name, error);
}

enum mg_status sap_store_each(struct store_tx *tx, sap_store_visitor *visit, void *arg, struct mg_error *error)
{
    struct store_statement query;
    struct sap_store store;
    enum mg_status visited = MG_OK;
    store_prepare(&query, tx, "SELECT " STORE_COLUMNS " FROM sap_store ORDER BY name");
    while (visited == MG_OK && store_next(&query)) {
        read_store(&query, &store);
        visited = visit(arg, &store, error);
    }
    return finish_walk(&query, visited, error);
}

static void bind_store(struct store_statement *statement, const struct sap_store *store)
{
    store_bind_text(statement, mg_slice_of_text(store->name));
    store_bind_text(statement, mg_slice_of_text(words_name(&sap_kind_words, store->kind)));
    store_bind_text(statement, mg_slice_of_text(store->description));
    store_bind_int(statement, store->epoch);
    bind_stamp(statement, &store->created);
    bind_stamp(statement, &store->changed);
}

enum mg_status sap_store_insert(struct store_tx *tx, struct sap_store *store, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO sap_store (name, kind, description, epoch, created_us, created_by, changed_us,"
                  " changed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    bind_store(&statement, store);
    enum mg_status status = name_taken(store_run(&statement, error), "store", store->name, error);
    store->id = status == MG_OK ? store_last_id(tx) : 0;
    return status;
}

enum mg_status sap_store_update(struct store_tx *tx, const struct sap_store *store, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "UPDATE sap_store SET name = ?, kind = ?, description = ?, epoch = ?, created_us = ?,"
                  " created_by = ?, changed_us = ?, changed_by = ? WHERE id = ?");
    bind_store(&statement, store);
    store_bind_int(&statement, store->id);
    return store_run(&statement, error);
}

enum mg_status sap_store_remove(struct store_tx *tx, int64_t id, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM sap_store WHERE id = ?");
    store_bind_int(&statement, id);
    return store_run(&statement, error);
}

/* ---- entries ---- */

#define ENTRY_COLUMNS                                                                                                  \
    "id, store_id, name, format, certificates, csr, key_id, created_us, created_by,"                                   \
    " EXISTS (SELECT 1 FROM sap_entry AS o WHERE o.store_id = e.store_id AND o.name = e.name AND o.is_current = 0)"

void sap_entry_free(struct sap_entry *entry)
{
    free(entry->certificates);
    free(entry->csr);
    *entry = (struct sap_entry){.id = 0};
}

/* read_optional_text copies a text to |out|, NULL for none. */
static bool read_optional_text(struct store_statement *query, char **out)
{
    struct mg_slice text = store_column_text(query);
    *out = text.data != NULL ? mg_slice_dup_text(text) : NULL;
    return text.data == NULL || *out != NULL;
}

static enum mg_status read_entry(struct store_statement *query, struct sap_entry *out, struct mg_error *error)
{
    *out = (struct sap_entry){.id = store_column_int(query)};
    out->store_id = store_column_int(query);
    read_text(query, out->name, sizeof(out->name));
    out->format = (enum sap_format)words_value(&sap_format_words, store_column_text(query));
    bool ok = read_optional_text(query, &out->certificates);
    ok = read_optional_text(query, &out->csr) && ok;
    struct mg_slice key_id = store_column_blob(query);
    out->has_key = mg_slice_copy(&key_id, out->key_id.bytes, sizeof(out->key_id.bytes));
    read_stamp(query, &out->created);
    out->has_previous = store_column_int(query) != 0;
    if (!ok) {
        sap_entry_free(out);
        return mg_error_set(error, MG_MEMORY, "no memory for an entry");
    }
    return MG_OK;
}

enum mg_status sap_entry_load(struct store_tx *tx, int64_t store_id, const char *name, struct sap_entry *out,
                              struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  "SELECT " ENTRY_COLUMNS " FROM sap_entry AS e WHERE store_id = ? AND name = ? AND is_current = 1");
    store_bind_int(&query, store_id);
    store_bind_text(&query, mg_slice_of_text(name));
    bool found = store_next(&query);
    enum mg_status status = found ? read_entry(&query, out, error) : MG_OK;
    enum mg_status finished = finish_one(&query, found, "certificate", name, status == MG_OK ? error : NULL);
    if (finished != MG_OK && found && status == MG_OK) {
        sap_entry_free(out);
    }
    return status != MG_OK ? status : finished;
}

enum mg_status sap_entry_each(struct store_tx *tx, int64_t store_id, sap_entry_visitor *visit, void *arg,
                              struct mg_error *error)
{
    struct store_statement query;
    struct sap_entry entry;
    enum mg_status visited = MG_OK;
    store_prepare(&query, tx,
                  "SELECT " ENTRY_COLUMNS " FROM sap_entry AS e WHERE store_id = ? AND is_current = 1 ORDER BY name");
    store_bind_int(&query, store_id);
    while (visited == MG_OK && store_next(&query)) {
        visited = read_entry(&query, &entry, error);
        if (visited == MG_OK) {
            visited = visit(arg, &entry, error);
            sap_entry_free(&entry);
        }
    }
    return finish_walk(&query, visited, error);
}

enum mg_status sap_entry_insert(struct store_tx *tx, struct sap_entry *entry, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO sap_entry (store_id, name, is_current, format, certificates, csr, key_id, created_us,"
                  " created_by) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)");
    store_bind_int(&statement, entry->store_id);
    store_bind_text(&statement, mg_slice_of_text(entry->name));
    store_bind_text(&statement, mg_slice_of_text(words_name(&sap_format_words, entry->format)));
    store_bind_text(&statement, mg_slice_of_text(entry->certificates));
    store_bind_text(&statement, text_of(entry->csr));
    store_bind_blob(&statement, entry->has_key ? mg_slice_of(entry->key_id.bytes, sizeof(entry->key_id.bytes))
                                               : mg_slice_of(NULL, 0));
    bind_stamp(&statement, &entry->created);
    enum mg_status status = name_taken(store_run(&statement, error), "certificate", entry->name, error);
    entry->id = status == MG_OK ? store_last_id(tx) : 0;
    return status;
}

/* set_current gives the version |from| of an entry the place |to|. */
static enum mg_status set_current(struct store_tx *tx, int64_t store_id, const char *name, int64_t from, int64_t to,
                                  struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "UPDATE sap_entry SET is_current = ? WHERE store_id = ? AND name = ? AND is_current = ?");
    store_bind_int(&statement, to);
    store_bind_int(&statement, store_id);
    store_bind_text(&statement, mg_slice_of_text(name));
    store_bind_int(&statement, from);
    return store_run(&statement, error);
}

/* The present version makes room first: no two have one place. */
enum mg_status sap_entry_swap(struct store_tx *tx, int64_t store_id, const char *name, struct mg_error *error)
{
    enum mg_status status = set_current(tx, store_id, name, 1, 2, error);
    if (status == MG_OK) {
        status = set_current(tx, store_id, name, 0, 1, error);
    }
    return status == MG_OK ? set_current(tx, store_id, name, 2, 0, error) : status;
}

/* WHICH picks the versions of an entry, or of all entries, from the oldest to the one with a place up to a number. */
#define WHICH " FROM sap_entry WHERE store_id = ? AND (? IS NULL OR name = ?) AND is_current <= ?"

/* A key whose certificate was renewed is both versions': it goes with the last of them. */
#define KEYS_OF_WHICH                                                                                                  \
    "SELECT DISTINCT key_id FROM sap_entry AS e WHERE store_id = ? AND (? IS NULL OR name = ?) AND is_current <= ?"    \
    " AND key_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sap_entry AS o WHERE o.key_id = e.key_id"                   \
    " AND o.is_current > ?)"

static void prepare_which(struct store_statement *statement, struct store_tx *tx, const char *sql, int64_t store_id,
                          const char *name, int64_t last_place)
{
    store_prepare(statement, tx, sql);
    store_bind_int(statement, store_id);
    store_bind_text(statement, text_of(name));
    store_bind_text(statement, text_of(name));
    store_bind_int(statement, last_place);
}

static enum mg_status drop(struct store_tx *tx, int64_t store_id, const char *name, int64_t last_place, int64_t now_us,
                           struct mg_error *error)
{
    struct store_statement query;
    enum mg_status status = MG_OK;
    prepare_which(&query, tx, KEYS_OF_WHICH, store_id, name, last_place);
    store_bind_int(&query, last_place);
    while (status == MG_OK && store_next(&query)) {
        struct wire_key_id key_id;
        struct mg_slice bytes = store_column_blob(&query);
        if (mg_slice_copy(&bytes, key_id.bytes, sizeof(key_id.bytes))) {
            status = doomed_key_add(tx, &key_id, now_us, error);
        }
    }
    status = finish_walk(&query, status, error);
    if (status != MG_OK) {
        return status;
    }
    prepare_which(&query, tx, "DELETE" WHICH, store_id, name, last_place);
    return store_run(&query, error);
}

enum mg_status sap_entry_drop_previous(struct store_tx *tx, int64_t store_id, const char *name, int64_t now_us,
                                       struct mg_error *error)
{
    return drop(tx, store_id, name, 0, now_us, error);
}

enum mg_status sap_entry_drop_all(struct store_tx *tx, int64_t store_id, const char *name, int64_t now_us,
                                  struct mg_error *error)
{
    return drop(tx, store_id, name, 1, now_us, error);
}

enum mg_status sap_key_is_used(struct store_tx *tx, const struct wire_key_id *key_id, bool *out, struct mg_error *error)
{
    struct store_statement query;
    struct mg_slice bytes = mg_slice_of(key_id->bytes, sizeof(key_id->bytes));
    store_prepare(&query, tx,
                  "SELECT EXISTS (SELECT 1 FROM sap_entry WHERE key_id = ?)"
                  " OR EXISTS (SELECT 1 FROM intermediate WHERE key_id = ?)");
    store_bind_blob(&query, bytes);
    store_bind_blob(&query, bytes);
    *out = store_next(&query) && store_column_int(&query) != 0;
    return store_finish(&query, error);
}

/* ---- references ---- */

#define REFERENCE_QUERY                                                                                                \
    "SELECT r.name, r.store_id, s.name, s.kind, r.epoch, r.created_us, r.created_by, r.changed_us, r.changed_by"       \
    " FROM sap_reference AS r JOIN sap_store AS s ON s.id = r.store_id"

static void read_reference(struct store_statement *query, struct sap_reference *out)
{
    *out = (struct sap_reference){.store_id = 0};
    read_text(query, out->name, sizeof(out->name));
    out->store_id = store_column_int(query);
    read_text(query, out->store_name, sizeof(out->store_name));
    out->kind = (enum sap_kind)words_value(&sap_kind_words, store_column_text(query));
    out->epoch = store_column_int(query);
    read_stamp(query, &out->created);
    read_stamp(query, &out->changed);
}

enum mg_status sap_reference_load(struct store_tx *tx, const char *name, struct sap_reference *out,
                                  struct mg_error *error)
{
    struct store_statement query;
    bool found = find_one(&query, tx, REFERENCE_QUERY " WHERE r.name = ?", name);
    if (found) {
        read_reference(&query, out);
    }
    return finish_one(&query, found, "reference", name, error);
}

enum mg_status sap_reference_each(struct store_tx *tx, sap_reference_visitor *visit, void *arg, struct mg_error *error)
{
    struct store_statement query;
    struct sap_reference reference;
    enum mg_status visited = MG_OK;
    store_prepare(&query, tx, REFERENCE_QUERY " ORDER BY r.name");
    while (visited == MG_OK && store_next(&query)) {
        read_reference(&query, &reference);
        visited = visit(arg, &reference, error);
    }
    return finish_walk(&query, visited, error);
}

enum mg_status sap_reference_save(struct store_tx *tx, const struct sap_reference *reference, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO sap_reference (name, store_id, epoch, created_us, created_by, changed_us, changed_by)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET store_id = excluded.store_id,"
                  " epoch = excluded.epoch, changed_us = excluded.changed_us, changed_by = excluded.changed_by");
    store_bind_text(&statement, mg_slice_of_text(reference->name));
    store_bind_int(&statement, reference->store_id);
    store_bind_int(&statement, reference->epoch);
    bind_stamp(&statement, &reference->created);
    bind_stamp(&statement, &reference->changed);
    return store_run(&statement, error);
}

enum mg_status sap_reference_remove(struct store_tx *tx, const char *name, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM sap_reference WHERE name = ?");
    store_bind_text(&statement, mg_slice_of_text(name));
    enum mg_status status = store_run(&statement, error);
    return status == MG_OK && store_num_changed(tx) == 0
               ? mg_error_set(error, MG_NOT_FOUND, "there is no reference %s", name)
               : status;
}

enum mg_status sap_count(struct store_tx *tx, int64_t store_id, int64_t *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  store_id == 0 ? "SELECT count(*) FROM sap_store"
                                : "SELECT count(*) FROM sap_entry WHERE store_id = ? AND is_current = 1");
    if (store_id != 0) {
        store_bind_int(&query, store_id);
    }
    *out = store_next(&query) ? store_column_int(&query) : 0;
    return store_finish(&query, error);
}

/* ---- wishes ---- */

enum mg_status sap_wish_add(struct store_tx *tx, const uint8_t token[SAP_TOKEN_LEN], struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT INTO sap_wish (token) VALUES (?)");
    store_bind_blob(&statement, mg_slice_of(token, SAP_TOKEN_LEN));
    return store_run(&statement, error);
}

enum mg_status sap_wish_next(struct store_tx *tx, uint8_t token[SAP_TOKEN_LEN], struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT token FROM sap_wish LIMIT 1");
    bool found = store_next(&query);
    if (found) {
        struct mg_slice bytes = store_column_blob(&query);
        found = mg_slice_copy(&bytes, token, SAP_TOKEN_LEN);
    }
    return finish_one(&query, found, "wish", "left", error);
}

enum mg_status sap_wish_forget(struct store_tx *tx, const uint8_t token[SAP_TOKEN_LEN], struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM sap_wish WHERE token = ?");
    store_bind_blob(&statement, mg_slice_of(token, SAP_TOKEN_LEN));
    return store_run(&statement, error);
}
