/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which intermediate is the default, and how often that changed: the one row that decides what every engine does
 * (design.md section 5). There is none until the built-in certificate is installed, and exactly one from then on.
 */
#ifndef MINTGATE_CONTROL_DEFAULT_ISSUER_H
#define MINTGATE_CONTROL_DEFAULT_ISSUER_H

#include "control/store.h"

struct default_issuer {
    int64_t id;
    int64_t previous_id; /* the default before; 0: none; may have been deleted since */
    int64_t epoch;       /* grows by one with each change */
};

/* default_issuer_load: MG_NOT_FOUND before the first start is through. */
MG_MUST_USE enum mg_status default_issuer_load(struct store_tx *tx, struct default_issuer *out, struct mg_error *error);

/* default_issuer_set makes |id| the default in the next epoch: a change of the default, the first one, or, with the
 * default's own id, new content of the same (then |previous_id| stays). */
MG_MUST_USE enum mg_status default_issuer_set(struct store_tx *tx, int64_t id, struct mg_error *error);

/* default_issuer_metrics appends the epoch, in a transaction of its own; 0 before there is one. */
void default_issuer_metrics(struct store *store, struct mg_buffer *out);

#endif
