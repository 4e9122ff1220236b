/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/picklists.h"

#include <string.h>

#include "control/text.h"

#define MAX_WORD 255

static bool has_row(struct store_tx *tx, const char *sql, const char *first, const char *second)
{
    struct store_statement query;
    store_prepare(&query, tx, sql);
    store_bind_text(&query, mg_slice_of_text(first));
    if (second != NULL) {
        store_bind_text(&query, mg_slice_of_text(second));
    }
    bool found = store_next(&query);
    return store_finish(&query, NULL) == MG_OK && found;
}

static bool has_word(void *arg, const char *list, const char *word)
{
    return has_row(arg, "SELECT 1 FROM ccadb_word WHERE list = ? AND word = ?", list, word);
}

static bool has_auditor(void *arg, const char *auditor)
{
    return has_row(arg, "SELECT 1 FROM ccadb_auditor WHERE name = ?", auditor, NULL);
}

static bool has_location(void *arg, const char *auditor, const char *location)
{
    return has_row(arg, "SELECT 1 FROM ccadb_auditor WHERE name = ? AND location = ?", auditor, location);
}

struct field_words picklists_words(struct store_tx *tx)
{
    return (struct field_words){
        .has_word = has_word, .has_auditor = has_auditor, .has_location = has_location, .arg = tx};
}

bool picklists_has_list(const char *list)
{
    static const char *const lists[] = {PICKLIST_REVOCATION_STATUS, PICKLIST_REVOCATION_REASON, PICKLIST_AUDIT_TYPE,
                                        PICKLIST_POLICY_IDENTIFIER};
    for (size_t i = 0; i < MG_ARRAY_LEN(lists); i++) {
        if (strcmp(lists[i], list) == 0) {
            return true;
        }
    }
    return false;
}

static enum mg_status check_word(const char *field, const char *word, size_t min, struct mg_error *error)
{
    char copy[TEXT_SIZE(MAX_WORD)];
    const struct text_rule rule = {field, min, MAX_WORD, NULL};
    return text_set(copy, mg_slice_of_text(word), &rule, error);
}

/* insert adds a row of two texts; |what| is what MG_EXISTS calls it. */
static enum mg_status insert(struct store_tx *tx, const char *sql, const char *first, const char *second,
                             const char *what, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, sql);
    store_bind_text(&statement, mg_slice_of_text(first));
    store_bind_text(&statement, mg_slice_of_text(second));
    enum mg_status status = store_run(&statement, error);
    return status == MG_EXISTS ? mg_error_set(error, status, "%s: exists already", what) : status;
}

enum mg_status picklists_add(struct store_tx *tx, const char *list, const char *word, struct mg_error *error)
{
    if (!picklists_has_list(list)) {
        return mg_error_set(error, MG_NOT_FOUND, "there is no such picklist");
    }
    enum mg_status status = check_word("value", word, 1, error);
    return status == MG_OK ? insert(tx, "INSERT INTO ccadb_word (list, word) VALUES (?, ?)", list, word, "value", error)
                           : status;
}

enum mg_status picklists_remove(struct store_tx *tx, const char *list, const char *word, struct mg_error *error)
{
    if (strcmp(list, PICKLIST_REVOCATION_STATUS) == 0 && strcmp(word, PICKLIST_REVOKED) == 0) {
        return mg_error_set(error, MG_DENIED, "the value %s of %s is not removed", word, list);
    }
    if (!has_word(tx, list, word)) {
        return mg_error_set(error, MG_NOT_FOUND, "there is no such value");
    }
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM ccadb_word WHERE list = ? AND word = ?");
    store_bind_text(&statement, mg_slice_of_text(list));
    store_bind_text(&statement, mg_slice_of_text(word));
    return store_run(&statement, error);
}

enum mg_status picklists_add_auditor(struct store_tx *tx, const char *name, const char *location,
                                     struct mg_error *error)
{
    enum mg_status status = check_word("name", name, 1, error);
    if (status == MG_OK) {
        status = check_word("location", location, 0, error);
    }
    return status == MG_OK ? insert(tx, "INSERT INTO ccadb_auditor (name, location) VALUES (?, ?)", name, location,
                                    "auditor and location", error)
                           : status;
}

static enum mg_status list_pairs(struct store_tx *tx, const char *sql, const char *first, const char *second,
                                 json_t *out, struct mg_error *error)
{
    struct store_statement query;
    bool ok = true;
    store_prepare(&query, tx, sql);
    while (ok && store_next(&query)) {
        const char *a = (const char *)store_column_text(&query).data;
        const char *b = (const char *)store_column_text(&query).data;
        ok = json_array_append_new(out, json_pack("{s:s, s:s}", first, a, second, b)) == 0;
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !ok ? mg_error_set(error, MG_MEMORY, "no memory for a list") : status;
}

enum mg_status picklists_json(struct store_tx *tx, json_t *out, struct mg_error *error)
{
    return list_pairs(tx, "SELECT list, word FROM ccadb_word ORDER BY list, word", "list", "value", out, error);
}

enum mg_status picklists_auditors_json(struct store_tx *tx, json_t *out, struct mg_error *error)
{
    return list_pairs(tx, "SELECT name, location FROM ccadb_auditor ORDER BY name, location", "name", "location", out,
                      error);
}
