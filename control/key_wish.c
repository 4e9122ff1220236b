/* SPDX-License-Identifier: Apache-2.0 */
#include "control/key_wish.h"

#include <string.h>

#define COLUMNS "intermediate_id, created_us, key_type, holder"

static bool read_wish(struct store_statement *query, struct key_wish *out)
{
    out->intermediate_id = store_column_int(query);
    out->created_us = store_column_int(query);
    out->key_type = (enum wire_key_type)store_column_int(query);
    struct mg_slice holder = store_column_text(query);
    memset(out->holder, 0, sizeof(out->holder));
    return holder.len < sizeof(out->holder) && mg_slice_copy(&holder, (uint8_t *)out->holder, holder.len);
}

/* take reads the one row of |query|, if there is one, and finishes it. */
static enum mg_status take(struct store_statement *query, struct key_wish *out, struct mg_error *error)
{
    bool found = store_next(query) && read_wish(query, out);
    enum mg_status status = store_finish(query, error);
    return status == MG_OK && !found ? mg_error_set(error, MG_NOT_FOUND, "no such wish for a key") : status;
}

static enum mg_status insert(struct store_tx *tx, const struct key_wish *wish, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "INSERT INTO key_wish (" COLUMNS ") VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");
    store_bind_int(&statement, wish->intermediate_id);
    store_bind_int(&statement, wish->created_us);
    store_bind_int(&statement, wish->key_type);
    store_bind_text(&statement, mg_slice_of_text(wish->holder));
    return store_run(&statement, error);
}

enum mg_status key_wish_add(struct store_tx *tx, struct key_wish *wish, struct mg_error *error)
{
    struct store_statement query;
    enum mg_status status = insert(tx, wish, error);
    if (status != MG_OK) {
        return status;
    }
    store_prepare(&query, tx, "SELECT " COLUMNS " FROM key_wish WHERE intermediate_id = ?");
    store_bind_int(&query, wish->intermediate_id);
    return take(&query, wish, error);
}

enum mg_status key_wish_next_unwanted(struct store_tx *tx, int64_t after, struct key_wish *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx,
                  "SELECT " COLUMNS " FROM key_wish WHERE intermediate_id > ?"
                  " AND intermediate_id NOT IN (SELECT id FROM intermediate) ORDER BY intermediate_id LIMIT 1");
    store_bind_int(&query, after);
    return take(&query, out, error);
}

enum mg_status key_wish_forget(struct store_tx *tx, int64_t intermediate_id, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx, "DELETE FROM key_wish WHERE intermediate_id = ?");
    store_bind_int(&statement, intermediate_id);
    return store_run(&statement, error);
}
