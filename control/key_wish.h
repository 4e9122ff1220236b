/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that the signer was asked to make, noted before it is asked: the intermediate may be deleted, or control be
 * killed, before it is known which key that was. The token of the wish says it then (struct wire_control_token).
 */
#ifndef MINTGATE_CONTROL_KEY_WISH_H
#define MINTGATE_CONTROL_KEY_WISH_H

#include "control/store.h"
#include "wire/signer_control.h"

/* What the token of a wish is made of, the key's type, and where it is to be. */
struct key_wish {
    int64_t intermediate_id;
    int64_t created_us; /* the intermediate */
    enum wire_key_type key_type;
    char holder[WIRE_CONTROL_MAX_HOLDER + 1]; /* the PKCS#11 token; "": the signer itself */
};

/* key_wish_add notes |wish|; again is the same wish, and *wish becomes what was noted at first: the key may be where
 * that wanted it. */
MG_MUST_USE enum mg_status key_wish_add(struct store_tx *tx, struct key_wish *wish, struct mg_error *error);

/* key_wish_next_unwanted gives the first behind |after| (an intermediate's id; 0: of all) whose intermediate is
 * deleted: MG_NOT_FOUND if there is none. */
MG_MUST_USE enum mg_status key_wish_next_unwanted(struct store_tx *tx, int64_t after, struct key_wish *out,
                                                  struct mg_error *error);

/* key_wish_forget: it has come true, or the signer has destroyed the key. */
MG_MUST_USE enum mg_status key_wish_forget(struct store_tx *tx, int64_t intermediate_id, struct mg_error *error);

#endif
