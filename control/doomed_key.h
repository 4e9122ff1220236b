/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that the signer has yet to destroy, since their intermediate was deleted: noted in the transaction that deletes
 * it, so that a crash in between leaves no key behind. Whoever talks to the signer destroys them and forgets each once
 * it is gone; also at start.
 */
#ifndef MINTGATE_CONTROL_DOOMED_KEY_H
#define MINTGATE_CONTROL_DOOMED_KEY_H

#include "control/store.h"
#include "wire/signer.h"

MG_MUST_USE enum mg_status doomed_key_add(struct store_tx *tx, const struct wire_key_id *key, int64_t now_us,
                                          struct mg_error *error);

/* doomed_key_next gives the oldest but |num_passed|: MG_NOT_FOUND if there is none. */
MG_MUST_USE enum mg_status doomed_key_next(struct store_tx *tx, size_t num_passed, struct wire_key_id *out,
                                           struct mg_error *error);

/* doomed_key_forget: the signer has destroyed |key|, or never had it. */
MG_MUST_USE enum mg_status doomed_key_forget(struct store_tx *tx, const struct wire_key_id *key,
                                             struct mg_error *error);

#endif
