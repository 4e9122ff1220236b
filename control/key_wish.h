/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that the signer was asked to make, noted before it is asked: the intermediate may be deleted, or control be
 * killed, before it is known which key that was. The token of the wish says it then (struct wire_control_token).
 */
#ifndef MINTGATE_CONTROL_KEY_WISH_H
#define MINTGATE_CONTROL_KEY_WISH_H

#include "control/store.h"
#include "wire/signer.h"

/* What the token of a wish is made of, and the key's type. */
struct key_wish {
    int64_t intermediate_id;
    int64_t created_us; /* the intermediate */
    enum wire_key_type key_type;
};

/* key_wish_add notes |wish|; again is the same wish. */
MG_MUST_USE enum mg_status key_wish_add(struct store_tx *tx, const struct key_wish *wish, struct mg_error *error);

/* key_wish_next_unwanted gives the first whose intermediate is deleted: MG_NOT_FOUND if there is none. */
MG_MUST_USE enum mg_status key_wish_next_unwanted(struct store_tx *tx, struct key_wish *out, struct mg_error *error);

/* key_wish_forget: it has come true, or the signer has destroyed the key. */
MG_MUST_USE enum mg_status key_wish_forget(struct store_tx *tx, int64_t intermediate_id, struct mg_error *error);

#endif
