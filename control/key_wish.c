/* SPDX-License-Identifier: Apache-2.0 */
#include "control/key_wish.h"

enum mg_status key_wish_add(struct store_tx *tx, const struct key_wish *wish, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(
        &statement, tx,
        "INSERT INTO key_wish (intermediate_id, created_us, key_type) VALUES (?, ?, ?) ON CONFLICT DO NOTHING");
    store_bind_int(&statement, wish->intermediate_id);
    store_bind_int(&statement, wish->created_us);
    store_bind_int(&statement, wish->key_type);
    return store_run(&statement, error);
}

enum mg_status key_wish_next_unwanted(struct store_tx *tx, struct key_wish *out, struct mg_error *error)
{
    struct store_statement query;
    bool found = false;
    store_prepare(&query, tx,
                  "SELECT intermediate_id, created_us, key_type FROM key_wish"
                  " WHERE intermediate_id NOT IN (SELECT id FROM intermediate) ORDER BY intermediate_id LIMIT 1");
    if (store_next(&query)) {
        found = true;
        out->intermediate_id = store_column_int(&query);
        out->created_us = store_column_int(&query);
        out->key_type = (enum wire_key_type)store_column_int(&query);
    }
    enum mg_status status = store_finish(&query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "no key was wished for in vain") : status;
}

enum mg_status key_wish_forget(struct store_tx *tx, int64_t intermediate_id, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM key_wish WHERE intermediate_id = ?");
    store_bind_int(&statement, intermediate_id);
    return store_run(&statement, error);
}
