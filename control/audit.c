/* SPDX-License-Identifier: Apache-2.0 */
#include "control/audit.h"

/* SQLite runs triggers of DELETE for INSERT OR REPLACE too, as store.c sets it up. */
static const char *const steps[] = {
    "CREATE TABLE audit ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  time_us INTEGER NOT NULL,"
    "  actor TEXT NOT NULL,"
    "  role TEXT NOT NULL,"
    "  source TEXT NOT NULL,"
    "  operation TEXT NOT NULL,"
    "  object TEXT NOT NULL,"
    "  outcome TEXT NOT NULL,"
    "  detail TEXT NOT NULL"
    ") STRICT;"
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
    "  BEGIN SELECT raise(ABORT, 'the audit record cannot be changed'); END;"
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
    "  BEGIN SELECT raise(ABORT, 'the audit record cannot be shortened'); END;",
};
const struct store_migrations audit_migrations = {"audit", steps, MG_ARRAY_LEN(steps)};

static const char *const outcomes[] = {NULL, "done", "refused", "failed"};
const struct words audit_outcome_words = WORDS_OF(outcomes);

enum mg_status audit_append(struct store_tx *tx, const struct audit_entry *entry, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO audit (time_us, actor, role, source, operation, object, outcome, detail)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    store_bind_int(&statement, entry->time_us);
    store_bind_text(&statement, mg_slice_of_text(entry->actor.name));
    store_bind_text(&statement, mg_slice_of_text(words_name(&control_role_words, entry->actor.role)));
    store_bind_text(&statement, mg_slice_of_text(entry->actor.source));
    store_bind_text(&statement, mg_slice_of_text(entry->operation));
    store_bind_text(&statement, mg_slice_of_text(entry->object));
    store_bind_text(&statement, mg_slice_of_text(words_name(&audit_outcome_words, entry->outcome)));
    store_bind_text(&statement, mg_slice_of_text(entry->detail));
    return store_run(&statement, error);
}

static const char *column_text(struct store_statement *query)
{
    return (const char *)store_column_text(query).data;
}

/* The members are read in the order of the columns. */
static void read_entry(struct store_statement *query, struct audit_entry *out)
{
    out->id = store_column_int(query);
    out->time_us = store_column_int(query);
    out->actor.name = column_text(query);
    out->actor.role = (enum control_role)words_value(&control_role_words, store_column_text(query));
    out->actor.source = column_text(query);
    out->operation = column_text(query);
    out->object = column_text(query);
    out->outcome = (enum audit_outcome)words_value(&audit_outcome_words, store_column_text(query));
    out->detail = column_text(query);
}

enum mg_status audit_list(struct store_tx *tx, int64_t before, size_t max, audit_visit visit, void *context,
                          struct mg_error *error)
{
    struct store_statement query;
    enum mg_status visited = MG_OK;
    store_prepare(&query, tx,
                  "SELECT id, time_us, actor, role, source, operation, object, outcome, detail FROM audit"
                  " WHERE id < ? ORDER BY id DESC LIMIT ?");
    store_bind_int(&query, before > 0 ? before : INT64_MAX);
    store_bind_int(&query, max < INT32_MAX ? (int64_t)max : INT32_MAX);
    while (visited == MG_OK && store_next(&query)) {
        struct audit_entry entry;
        read_entry(&query, &entry);
        visited = visit(context, &entry, error);
    }
    enum mg_status status = store_finish(&query, visited == MG_OK ? error : NULL);
    return visited != MG_OK ? visited : status;
}
