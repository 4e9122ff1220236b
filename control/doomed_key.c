/* SPDX-License-Identifier: Apache-2.0 */
#include "control/doomed_key.h"

enum mg_status doomed_key_add(struct store_tx *tx, const struct wire_key_id *key, int64_t now_us,
                              struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT INTO doomed_key (key_id, since_us) VALUES (?, ?)");
    store_bind_blob(&statement, mg_slice_of(key->bytes, sizeof(key->bytes)));
    store_bind_int(&statement, now_us);
    return store_run(&statement, error);
}

enum mg_status doomed_key_next(struct store_tx *tx, size_t num_passed, struct wire_key_id *out, struct mg_error *error)
{
    struct store_statement query;
    bool found = false;
    store_prepare(&query, tx, "SELECT key_id FROM doomed_key ORDER BY since_us, key_id LIMIT 1 OFFSET ?");
    store_bind_int(&query, (int64_t)num_passed);
    if (store_next(&query)) {
        struct mg_slice bytes = store_column_blob(&query);
        found = mg_slice_copy(&bytes, out->bytes, sizeof(out->bytes));
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "no key waits to be destroyed") : status;
}

enum mg_status doomed_key_forget(struct store_tx *tx, const struct wire_key_id *key, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM doomed_key WHERE key_id = ?");
    store_bind_blob(&statement, mg_slice_of(key->bytes, sizeof(key->bytes)));
    return store_run(&statement, error);
}
