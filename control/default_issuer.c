/* SPDX-License-Identifier: Apache-2.0 */
#include "control/default_issuer.h"

#include "base/metrics.h"

enum mg_status default_issuer_load(struct store_tx *tx, struct default_issuer *out, struct mg_error *error)
{
    struct store_statement query;
    store_prepare(&query, tx, "SELECT id, previous_id, epoch FROM default_issuer");
    *out = (struct default_issuer){.id = 0};
    if (store_next(&query)) {
        out->id = store_column_int(&query);
        out->previous_id = store_column_int(&query);
        out->epoch = store_column_int(&query);
    }
    enum mg_status status = store_finish(&query, error);
    if (status == MG_OK && out->id == 0) {
        return mg_error_set(error, MG_NOT_FOUND, "there is no default intermediate yet");
    }
    return status;
}

enum mg_status default_issuer_set(struct store_tx *tx, int64_t id, struct mg_error *error)
{
    struct store_statement statement;
    store_prepare(&statement, tx,
                  "INSERT INTO default_issuer (one, id, previous_id, epoch) VALUES (1, ?1, 0, 1)"
                  " ON CONFLICT (one) DO UPDATE SET"
                  " previous_id = iif(id = ?1, previous_id, id), id = ?1, epoch = epoch + 1");
    store_bind_int(&statement, id);
    return store_run(&statement, error);
}

void default_issuer_metrics(struct store *store, struct mg_buffer *out)
{
    static const char name[] = "mintgate_control_default_epoch";
    struct default_issuer now = {.epoch = 0};
    struct store_tx *tx;
    enum mg_status status = store_begin(store, STORE_READ, &tx, NULL);
    if (status == MG_OK) {
        status = store_end(tx, default_issuer_load(tx, &now, NULL), NULL);
    }
    mg_metrics_family(out, name, "gauge", "How often what engines are told has changed; 0: there is no default yet.");
    mg_metrics_sample(out, name, "", status == MG_OK ? (uint64_t)now.epoch : 0);
}
