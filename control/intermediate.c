/* SPDX-License-Identifier: Apache-2.0 */
#include "control/intermediate.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

/* The record's columns are those of the table |columns| below, in its order after the id. A new database's ids begin
 * behind the built-in's. What triggers and constraints say here is said again by lifecycle.c, with texts. */
static const char *const steps[] = {
    "CREATE TABLE intermediate ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  type TEXT NOT NULL,"
    "  region TEXT NOT NULL,"
    "  status TEXT NOT NULL,"
    "  state TEXT NOT NULL,"
    "  key_type TEXT NOT NULL,"
    "  fallback_id INTEGER NOT NULL,"
    "  name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    "  description TEXT NOT NULL,"
    "  key_id BLOB CHECK (length(key_id) = 16),"
    "  public_key TEXT,"
    "  key_time INTEGER NOT NULL,"
    "  attestation_time INTEGER NOT NULL,"
    "  csr_file_name TEXT NOT NULL,"
    "  csr_common_name TEXT NOT NULL,"
    "  csr_organization TEXT NOT NULL,"
    "  csr_unit TEXT NOT NULL,"
    "  csr_city TEXT NOT NULL,"
    "  csr_state TEXT NOT NULL,"
    "  csr_country TEXT NOT NULL,"
    "  csr_digest TEXT NOT NULL,"
    "  csr_key_size INTEGER NOT NULL,"
    "  csr_path_len INTEGER NOT NULL,"
    "  csr TEXT,"
    "  csr_time INTEGER NOT NULL,"
    "  certificate TEXT,"
    "  certificate_file TEXT NOT NULL,"
    "  not_before INTEGER NOT NULL,"
    "  not_after INTEGER NOT NULL,"
    "  chain TEXT,"
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO sqlite_sequence (name, seq) VALUES ('intermediate', 1);"
    "CREATE TRIGGER intermediate_keeps_its_key BEFORE UPDATE OF key_id ON intermediate"
    "  WHEN old.key_id IS NOT NULL AND old.key_id IS NOT new.key_id AND old.id <> 1"
    "  BEGIN SELECT raise(ABORT, 'the key of an intermediate cannot be replaced'); END;"
    "CREATE TRIGGER intermediate_has_its_own_key BEFORE UPDATE OF key_id ON intermediate"
    "  WHEN EXISTS (SELECT 1 FROM intermediate WHERE key_id = new.key_id AND id <> new.id)"
    "  BEGIN SELECT raise(ABORT, 'the key is of another intermediate'); END;"
    "CREATE TABLE default_issuer ("
    "  one INTEGER PRIMARY KEY CHECK (one = 1),"
    "  id INTEGER NOT NULL REFERENCES intermediate,"
    "  previous_id INTEGER NOT NULL,"
    "  epoch INTEGER NOT NULL"
    ") STRICT;"
    "CREATE TRIGGER default_issuer_stays BEFORE DELETE ON default_issuer"
    "  BEGIN SELECT raise(ABORT, 'there is always one default'); END;"
    "CREATE TRIGGER default_issuer_goes_on BEFORE UPDATE ON default_issuer WHEN new.epoch <> old.epoch + 1"
    "  BEGIN SELECT raise(ABORT, 'the epoch counts each change of the default'); END;"
    "CREATE TABLE doomed_key ("
    "  key_id BLOB PRIMARY KEY CHECK (length(key_id) = 16),"
    "  since_us INTEGER NOT NULL"
    ") STRICT;",
    "CREATE TABLE key_wish ("
    "  intermediate_id INTEGER PRIMARY KEY,"
    "  created_us INTEGER NOT NULL,"
    "  key_type INTEGER NOT NULL"
    ") STRICT;",
    "CREATE TABLE issuer_use ("
    "  id INTEGER PRIMARY KEY REFERENCES intermediate ON DELETE CASCADE,"
    "  revoked INTEGER NOT NULL,"
    "  crl_url TEXT NOT NULL"
    ") STRICT;",
    "ALTER TABLE key_wish ADD COLUMN holder TEXT NOT NULL DEFAULT '';",
};
const struct store_migrations intermediate_migrations = {"intermediate", steps, MG_ARRAY_LEN(steps)};

static const char *const types[] = {NULL, "ZSCALER", "CUSTOM_SW", "CUSTOM_HSM"};
static const char *const regions[] = {NULL, "GLOBAL", "ASIA", "EUROPE", "US"};
static const char *const statuses[] = {NULL, "ENABLED", "DISABLED"};
static const char *const states[] = {
    NULL,          "GENERAL_DONE",        "KEYGEN_DONE",
    "PUBKEY_DONE", "ATTESTATION_DONE",    "ATTESTATION_VERIFY_DONE",
    "CSRGEN_DONE", "INTCERT_UPLOAD_DONE", "CERTCHAIN_UPLOAD_DONE",
    "CERT_READY",
};
static const char *const key_types[] = {NULL, "EC_P256", "EC_P384", "RSA_2K", "RSA_3K", "RSA_4K", "EC_P521"};
const struct words intermediate_type_words = WORDS_OF(types), intermediate_region_words = WORDS_OF(regions),
                   intermediate_status_words = WORDS_OF(statuses), intermediate_state_words = WORDS_OF(states),
                   intermediate_key_type_words = {key_types, MG_ARRAY_LEN(key_types) - 1},
                   signer_key_type_words = WORDS_OF(key_types);

/* Where each column lives in a record. */
enum column_kind {
    COLUMN_INT,    /* int64_t */
    COLUMN_WORD,   /* an enum, which is an unsigned */
    COLUMN_CHARS,  /* an array of |size| characters */
    COLUMN_TEXT,   /* an owned char * */
    COLUMN_KEY_ID, /* struct wire_key_id; NULL where it is all zero */
};

static const struct column {
    const char *name;
    enum column_kind kind;
    size_t offset, size;
    const struct words *words;
} columns[] = {
#define PLACE(member) offsetof(struct intermediate, member), sizeof(((struct intermediate *)0)->member)
    {"type", COLUMN_WORD, PLACE(type), &intermediate_type_words},
    {"region", COLUMN_WORD, PLACE(region), &intermediate_region_words},
    {"status", COLUMN_WORD, PLACE(status), &intermediate_status_words},
    {"state", COLUMN_WORD, PLACE(state), &intermediate_state_words},
    {"key_type", COLUMN_WORD, PLACE(key_type), &intermediate_key_type_words},
    {"fallback_id", COLUMN_INT, PLACE(fallback_id), NULL},
    {"name", COLUMN_CHARS, PLACE(name), NULL},
    {"description", COLUMN_CHARS, PLACE(description), NULL},
    {"key_id", COLUMN_KEY_ID, PLACE(key_id), NULL},
    {"public_key", COLUMN_TEXT, PLACE(public_key), NULL},
    {"key_time", COLUMN_INT, PLACE(key_time), NULL},
    {"attestation_time", COLUMN_INT, PLACE(attestation_time), NULL},
    {"csr_file_name", COLUMN_CHARS, PLACE(csr.file_name), NULL},
    {"csr_common_name", COLUMN_CHARS, PLACE(csr.common_name), NULL},
    {"csr_organization", COLUMN_CHARS, PLACE(csr.organization), NULL},
    {"csr_unit", COLUMN_CHARS, PLACE(csr.unit), NULL},
    {"csr_city", COLUMN_CHARS, PLACE(csr.city), NULL},
    {"csr_state", COLUMN_CHARS, PLACE(csr.state), NULL},
    {"csr_country", COLUMN_CHARS, PLACE(csr.country), NULL},
    {"csr_digest", COLUMN_CHARS, PLACE(csr.digest), NULL},
    {"csr_key_size", COLUMN_INT, PLACE(csr.key_size), NULL},
    {"csr_path_len", COLUMN_INT, PLACE(csr.path_len), NULL},
    {"csr", COLUMN_TEXT, PLACE(csr_pem), NULL},
    {"csr_time", COLUMN_INT, PLACE(csr_time), NULL},
    {"certificate", COLUMN_TEXT, PLACE(certificate), NULL},
    {"certificate_file", COLUMN_CHARS, PLACE(certificate_file), NULL},
    {"not_before", COLUMN_INT, PLACE(not_before), NULL},
    {"not_after", COLUMN_INT, PLACE(not_after), NULL},
    {"chain", COLUMN_TEXT, PLACE(chain), NULL},
    {"created_us", COLUMN_INT, PLACE(created_us), NULL},
    {"updated_us", COLUMN_INT, PLACE(updated_us), NULL},
#undef PLACE
};

static const struct wire_key_id no_key;

void intermediate_free(struct intermediate *record)
{
    free(record->public_key);
    free(record->csr_pem);
    free(record->certificate);
    free(record->chain);
    free(record->crl_url);
    *record = (struct intermediate){.id = 0};
}

enum mg_status intermediate_set1(char **field, struct mg_slice text, struct mg_error *error)
{
    char *copy = text.data != NULL ? mg_slice_dup_text(text) : NULL;
    if (text.data != NULL && copy == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a certificate's record");
    }
    free(*field);
    *field = copy;
    return MG_OK;
}

bool intermediate_has_key(const struct intermediate *record)
{
    return memcmp(&record->key_id, &no_key, sizeof(no_key)) != 0;
}

/* Writing. */

static void bind_column(struct store_statement *statement, const struct column *column,
                        const struct intermediate *record)
{
    const uint8_t *place = (const uint8_t *)record + column->offset;
    const char *text;
    switch (column->kind) {
    case COLUMN_INT:
        store_bind_int(statement, *(const int64_t *)(const void *)place);
        break;
    case COLUMN_WORD:
        text = words_name(column->words, *(const unsigned *)(const void *)place);
        store_bind_text(statement, mg_slice_of_text(text));
        break;
    case COLUMN_CHARS:
        store_bind_text(statement, mg_slice_of_text((const char *)place));
        break;
    case COLUMN_TEXT:
        text = *(char *const *)(const void *)place;
        store_bind_text(statement, text != NULL ? mg_slice_of_text(text) : mg_slice_of(NULL, 0));
        break;
    case COLUMN_KEY_ID:
        store_bind_blob(statement,
                        intermediate_has_key(record) ? mg_slice_of(place, column->size) : mg_slice_of(NULL, 0));
        break;
    }
}

static void bind_columns(struct store_statement *statement, const struct intermediate *record)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(columns); i++) {
        bind_column(statement, &columns[i], record);
    }
}

#define MAX_SQL 2048

/* append_columns appends the columns' names with |behind| each, and commas between. */
static void append_columns(struct mg_buffer *sql, const char *behind)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(columns); i++) {
        mg_buffer_append_format(sql, "%s%s%s", i > 0 ? ", " : "", columns[i].name, behind);
    }
}

/* prepare ends the text of |sql| and prepares it; text too long for it does not parse. */
static void prepare(struct store_statement *statement, struct store_tx *tx, struct mg_buffer *sql)
{
    mg_buffer_append_u8(sql, 0);
    store_prepare(statement, tx, mg_buffer_ok(sql) ? (const char *)sql->data : "too long");
}

/* name_taken says what MG_EXISTS means here: the name is what is unique. */
static enum mg_status name_taken(enum mg_status status, struct mg_error *error)
{
    return status == MG_EXISTS ? mg_error_set(error, status, "name: there is another certificate of this name")
                               : status;
}

enum mg_status intermediate_insert(struct store_tx *tx, struct intermediate *record, struct mg_error *error)
{
    char text[MAX_SQL];
    struct mg_buffer sql;
    struct store_statement statement;
    mg_buffer_wrap(&sql, text, sizeof(text));
    mg_buffer_append_text(&sql, "INSERT INTO intermediate (");
    append_columns(&sql, "");
    mg_buffer_append_text(&sql, ", id) VALUES (");
    for (size_t i = 0; i < MG_ARRAY_LEN(columns); i++) {
        mg_buffer_append_text(&sql, "?, ");
    }
    mg_buffer_append_text(&sql, "nullif(?, 0))"); /* NULL: SQLite gives one */
    prepare(&statement, tx, &sql);
    bind_columns(&statement, record);
    store_bind_int(&statement, record->id);
    enum mg_status status = name_taken(store_run(&statement, error), error);
    if (status == MG_OK) {
        record->id = store_last_id(tx);
    }
    return status;
}

static enum mg_status expect_changed(struct store_tx *tx, int64_t id, enum mg_status status, struct mg_error *error)
{
    if (status == MG_OK && store_num_changed(tx) == 0) {
        return mg_error_set(error, MG_NOT_FOUND, "there is no intermediate with id %lld", (long long)id);
    }
    return status;
}

enum mg_status intermediate_update(struct store_tx *tx, const struct intermediate *record, struct mg_error *error)
{
    char text[MAX_SQL];
    struct mg_buffer sql;
    struct store_statement statement;
    mg_buffer_wrap(&sql, text, sizeof(text));
    mg_buffer_append_text(&sql, "UPDATE intermediate SET ");
    append_columns(&sql, " = ?");
    mg_buffer_append_text(&sql, " WHERE id = ?");
    prepare(&statement, tx, &sql);
    bind_columns(&statement, record);
    store_bind_int(&statement, record->id);
    return expect_changed(tx, record->id, name_taken(store_run(&statement, error), error), error);
}

enum mg_status intermediate_delete(struct store_tx *tx, int64_t id, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "UPDATE intermediate SET fallback_id = 0 WHERE fallback_id = ?");
    store_bind_int(&statement, id);
    enum mg_status status = store_run(&statement, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&statement, tx, "DELETE FROM intermediate WHERE id = ?");
    store_bind_int(&statement, id);
    return expect_changed(tx, id, store_run(&statement, error), error);
}

/* Reading. */

static bool read_chars(struct mg_slice value, uint8_t *place, size_t size)
{
    if (value.data == NULL || value.len >= size) {
        return false;
    }
    memcpy(place, value.data, value.len);
    place[value.len] = '\0';
    return true;
}

static bool read_key_id(struct mg_slice value, uint8_t *place, size_t size)
{
    return value.data == NULL || (value.len == size && mg_slice_copy(&value, place, size));
}

/* read_column returns false for what no record can hold: the database was changed by hand, or memory is short. */
static bool read_column(struct store_statement *query, const struct column *column, struct intermediate *out)
{
    void *place = (uint8_t *)out + column->offset;
    switch (column->kind) {
    case COLUMN_INT:
        *(int64_t *)place = store_column_int(query);
        return true;
    case COLUMN_WORD:
        *(unsigned *)place = words_value(column->words, store_column_text(query));
        return *(unsigned *)place != 0;
    case COLUMN_CHARS:
        return read_chars(store_column_text(query), place, column->size);
    case COLUMN_TEXT:
        return intermediate_set1(place, store_column_text(query), NULL) == MG_OK;
    case COLUMN_KEY_ID:
        return read_key_id(store_column_blob(query), place, column->size);
    }
    return false;
}

static enum mg_status read_record(struct store_statement *query, struct intermediate *out, struct mg_error *error)
{
    *out = (struct intermediate){.id = store_column_int(query)};
    out->is_default = store_column_int(query) != 0;
    out->is_revoked = store_column_int(query) != 0;
    enum mg_status status = intermediate_set1(&out->crl_url, store_column_text(query), error);
    if (status != MG_OK) {
        return status;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(columns); i++) {
        if (!read_column(query, &columns[i], out)) {
            status = mg_error_set(error, MG_INTERNAL, "database: intermediate %lld: %s cannot be read",
                                  (long long)out->id, columns[i].name);
            intermediate_free(out);
            return status;
        }
    }
    return MG_OK;
}

static void prepare_select(struct store_statement *query, struct store_tx *tx, const char *rest)
{
    char text[MAX_SQL];
    struct mg_buffer sql;
    mg_buffer_wrap(&sql, text, sizeof(text));
    mg_buffer_append_text(
        &sql, "SELECT intermediate.id, intermediate.id = (SELECT id FROM default_issuer), revoked, crl_url, ");
    append_columns(&sql, "");
    mg_buffer_append_text(&sql, " FROM intermediate LEFT JOIN issuer_use ON issuer_use.id = intermediate.id ");
    mg_buffer_append_text(&sql, rest);
    prepare(query, tx, &sql);
}

enum mg_status intermediate_load(struct store_tx *tx, int64_t id, struct intermediate *out, struct mg_error *error)
{
    struct store_statement query;
    enum mg_status status = MG_NOT_FOUND;
    prepare_select(&query, tx, "WHERE intermediate.id = ?");
    store_bind_int(&query, id);
    if (store_next(&query)) {
        status = read_record(&query, out, error);
    }
    enum mg_status finished = store_finish(&query, error);
    if (finished != MG_OK && status == MG_OK) {
        intermediate_free(out);
    }
    if (finished == MG_OK && status == MG_NOT_FOUND) {
        return mg_error_set(error, status, "there is no intermediate with id %lld", (long long)id);
    }
    return finished != MG_OK ? finished : status;
}

static enum mg_status add_row(struct store_statement *query, struct intermediate_list *list, struct mg_error *error)
{
    struct intermediate *items = realloc(list->items, (list->num_items + 1) * sizeof(*items));
    if (items == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the list of intermediates");
    }
    list->items = items;
    enum mg_status status = read_record(query, &items[list->num_items], error);
    if (status == MG_OK) {
        list->num_items++;
    }
    return status;
}

enum mg_status intermediate_list_load(struct store_tx *tx, enum intermediate_filter filter,
                                      struct intermediate_list *out, struct mg_error *error)
{
    struct store_statement query;
    enum mg_status status = MG_OK;
    *out = (struct intermediate_list){.num_items = 0};
    prepare_select(&query, tx,
                   filter == INTERMEDIATE_READY_TO_USE
                       ? "WHERE state = 'CERT_READY' AND status = 'ENABLED' AND coalesce(revoked, 0) = 0 ORDER BY 1"
                       : "ORDER BY 1");
    while (status == MG_OK && store_next(&query)) {
        status = add_row(&query, out, error);
    }
    enum mg_status finished = store_finish(&query, status == MG_OK ? error : NULL);
    status = status == MG_OK ? finished : status;
    if (status != MG_OK) {
        intermediate_list_free(out);
    }
    return status;
}

void intermediate_list_free(struct intermediate_list *list)
{
    for (size_t i = 0; i < list->num_items; i++) {
        intermediate_free(&list->items[i]);
    }
    free(list->items);
    *list = (struct intermediate_list){.num_items = 0};
}

enum mg_status intermediate_count(struct store_tx *tx, struct intermediate_counts *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT count(*), total(status = 'ENABLED') FROM intermediate WHERE type <> 'ZSCALER'");
    *out = (struct intermediate_counts){.num_custom = 0};
    if (store_next(&query)) {
        out->num_custom = store_column_int(&query);
        out->num_enabled = store_column_int(&query);
    }
    return store_finish(&query, error);
}
