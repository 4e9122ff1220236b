/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all steps of lifecycle.h have in common: a transaction, the record, the verdict of the table, and at the end the
 * new state, the audit record and the commit.
 *
 *     struct step step;
 *     enum mg_status status = step_begin(&step, call, LIFECYCLE_FINALIZE, id, error);
 *     if (status == MG_OK) {
 *         status = change(&step.record);
 *     }
 *     return step_end(&step, status, out, error);
 */
#ifndef MINTGATE_CONTROL_LIFECYCLE_STEP_H
#define MINTGATE_CONTROL_LIFECYCLE_STEP_H

#include "base/buffer.h"
#include "control/lifecycle.h"

struct step {
    struct lifecycle_call *call;
    struct store_tx *tx; /* NULL: none was begun */
    enum lifecycle_operation operation;
    struct intermediate record;
    enum intermediate_state next;
    bool is_saved;           /* the record is where it belongs already: created, deleted, or not changed at all */
    bool is_silent;          /* nothing changed: no audit record */
    struct mg_buffer detail; /* the audit record's JSON object, open for members */
};

/* step_begin loads |id| and asks the table; a step that cannot begin is ended too. */
MG_MUST_USE enum mg_status step_begin(struct step *step, struct lifecycle_call *call,
                                      enum lifecycle_operation operation, int64_t id, struct mg_error *error);

/* step_load loads |id| into the step's record, within its transaction; INTERMEDIATE_ABSENT, which is left to the table,
 * if there is none. */
MG_MUST_USE enum mg_status step_load(struct step *step, int64_t id, struct mg_error *error);

/* step_end saves the record in its next state, writes the audit record and commits, if |status| is MG_OK; else it
 * undoes everything. |out| takes the record over. */
MG_MUST_USE enum mg_status step_end(struct step *step, enum mg_status status, struct intermediate *out,
                                    struct mg_error *error);

/* step_abandon ends a step, which has begun, without a change: it was only to see whether it would succeed. */
void step_abandon(struct step *step);

/* step_audit writes a record of |operation| on the certificate |id| besides the step's own; |detail| is JSON text. */
MG_MUST_USE enum mg_status step_audit(struct step *step, enum lifecycle_operation operation, int64_t id,
                                      const char *detail, struct mg_error *error);

/* step_judge asks the table again, about another operation on the same record. */
MG_MUST_USE enum mg_status step_judge(struct step *step, enum lifecycle_operation operation, struct mg_error *error);

/* step_refuse sets the call's code and the text, and returns |status|. */
enum mg_status step_refuse(struct lifecycle_call *call, enum mg_status status, const char *code, struct mg_error *error,
                           const char *format, ...) MG_PRINTF(5, 6);

int64_t step_now_seconds(const struct lifecycle_call *call);

#endif
