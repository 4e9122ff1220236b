/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit record: who changed what, when, from where. Each change writes its entry in the transaction that makes it,
 * so that there is none without the other. The table refuses to change or delete entries.
 */
#ifndef MINTGATE_CONTROL_AUDIT_H
#define MINTGATE_CONTROL_AUDIT_H

#include "control/actor.h"
#include "control/store.h"

extern const struct store_migrations audit_migrations;

enum audit_outcome {
    AUDIT_DONE = 1,
    AUDIT_REFUSED, /* by a rule: written by callers that record attempts, in a transaction of its own */
    AUDIT_FAILED,
};

extern const struct words audit_outcome_words; /* "done", "refused", "failed" */

/* All texts are borrowed. */
struct audit_entry {
    int64_t id; /* grows with time; ignored when appended */
    int64_t time_us;
    struct control_actor actor;
    const char *operation; /* such as "generateCsr" */
    const char *object;    /* what it was done to, such as "intermediate/7"; "": nothing */
    enum audit_outcome outcome;
    const char *detail; /* a JSON object; never with a secret in it */
};

MG_MUST_USE enum mg_status audit_append(struct store_tx *tx, const struct audit_entry *entry, struct mg_error *error);

/* audit_visit is given each entry, which lives for the call; anything but MG_OK ends the walk with that. */
typedef enum mg_status (*audit_visit)(void *context, const struct audit_entry *entry, struct mg_error *error);

/* audit_list walks from new to old through at most |max| entries with an id below |before|; 0: from the newest. The
 * next page begins before the id of the last entry of this one. */
MG_MUST_USE enum mg_status audit_list(struct store_tx *tx, int64_t before, size_t max, audit_visit visit, void *context,
                                      struct mg_error *error);

#endif
