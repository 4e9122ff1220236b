/* SPDX-License-Identifier: Apache-2.0 */
#include "control/issuer_use.h"

enum mg_status issuer_use_set(struct store_tx *tx, int64_t id, bool is_revoked, const char *crl_url, bool *changed,
                              struct mg_error *error)
{
    struct store_statement statement;
    /* No row is what a new intermediate has: not revoked, no list. */
    store_prepare(&statement, tx,
                  "INSERT INTO issuer_use (id, revoked, crl_url)"
                  " SELECT ?1, ?2, ?3 WHERE ?2 <> 0 OR ?3 <> '' OR EXISTS (SELECT 1 FROM issuer_use WHERE id = ?1)"
                  " ON CONFLICT (id) DO UPDATE SET revoked = ?2, crl_url = ?3 WHERE revoked <> ?2 OR crl_url <> ?3");
    store_bind_int(&statement, id);
    store_bind_int(&statement, is_revoked);
    store_bind_text(&statement, mg_slice_of_text(crl_url));
    enum mg_status status = store_run(&statement, error);
    *changed = status == MG_OK && store_num_changed(tx) > 0;
    return status;
}
