/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words that fields may have, kept in the database so that an administrator can add to them: of picklists, and of
 * auditors with their locations (contracts.md section 2.3: "validated dynamically"). Within a transaction.
 */
#ifndef MINTGATE_CONTROL_CCADB_PICKLISTS_H
#define MINTGATE_CONTROL_CCADB_PICKLISTS_H

#include "control/ccadb/fields.h"
#include "control/store.h"

/* picklists_words returns what fields.h asks: |tx| is its argument, and dooms itself where the database fails. */
struct field_words picklists_words(struct store_tx *tx);

/* picklists_has_list tells whether |list| is a name of fields.h's picklists. */
bool picklists_has_list(const char *list);

/* picklists_add adds |word|, 1 to 255 characters without controls, to |list|; MG_EXISTS, MG_INVALID, MG_NOT_FOUND: no
 * such list. picklists_add_auditor likewise; |location| may be "". */
MG_MUST_USE enum mg_status picklists_add(struct store_tx *tx, const char *list, const char *word,
                                         struct mg_error *error);
MG_MUST_USE enum mg_status picklists_add_auditor(struct store_tx *tx, const char *name, const char *location,
                                                 struct mg_error *error);

/* picklists_remove takes |word| out of |list|; records that have it keep it. MG_NOT_FOUND; MG_DENIED: the status
 * Revoked, by which the appliance acts. */
MG_MUST_USE enum mg_status picklists_remove(struct store_tx *tx, const char *list, const char *word,
                                            struct mg_error *error);

/* picklists_json appends {"list", "value"} for each word to the array |out|; picklists_auditors_json {"name",
 * "location"}. */
MG_MUST_USE enum mg_status picklists_json(struct store_tx *tx, json_t *out, struct mg_error *error);
MG_MUST_USE enum mg_status picklists_auditors_json(struct store_tx *tx, json_t *out, struct mg_error *error);

#endif
