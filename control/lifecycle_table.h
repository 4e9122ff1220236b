/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of an intermediate CA certificate as one table (contracts.md sections 1.4 to 1.6): for each
 * operation in which states it is allowed, what comes of it, and how it is refused elsewhere. Pure: any thread.
 */
#ifndef MINTGATE_CONTROL_LIFECYCLE_TABLE_H
#define MINTGATE_CONTROL_LIFECYCLE_TABLE_H

#include "control/actor.h"
#include "control/intermediate.h"

enum lifecycle_operation {
    LIFECYCLE_INSTALL, /* of the built-in, by the program itself */
    LIFECYCLE_SHOW,
    LIFECYCLE_CREATE,
    LIFECYCLE_UPDATE,     /* name, description, successor */
    LIFECYCLE_SET_STATUS, /* and nothing else */
    LIFECYCLE_SET_SUCCESSOR,
    LIFECYCLE_DELETE,
    LIFECYCLE_MAKE_KEY,
    LIFECYCLE_READ_PUBLIC_KEY,
    LIFECYCLE_READ_ATTESTATION,
    LIFECYCLE_VERIFY_ATTESTATION,
    LIFECYCLE_MAKE_CSR,
    LIFECYCLE_READ_CSR,
    LIFECYCLE_UPLOAD_CERTIFICATE,
    LIFECYCLE_READ_CERTIFICATE,
    LIFECYCLE_UPLOAD_CHAIN,
    LIFECYCLE_FINALIZE,
    LIFECYCLE_MAKE_DEFAULT,
    LIFECYCLE_IMPORT, /* a key that comes with its certificate: creation and all that follows, in one step */
    LIFECYCLE_NUM_OPERATIONS
};

/* Why not. An API answers by the class: MG_INVALID 400, MG_DENIED and MG_LIMIT 403, MG_NOT_FOUND 404, MG_EXISTS 409;
 * |code| and |text| are its body. All static. */
struct lifecycle_refusal {
    enum mg_status status;
    const char *code;
    const char *text;
};

struct lifecycle_verdict {
    const struct lifecycle_refusal *refusal; /* NULL: allowed */
    enum intermediate_state next;            /* the state afterwards, if allowed */
};

/* lifecycle_judge looks |operation| up for a certificate of |type| in |state| (INTERMEDIATE_ABSENT: there is none, and
 * |type| does not matter), asked for by |role|. */
struct lifecycle_verdict lifecycle_judge(enum lifecycle_operation operation, enum intermediate_type type,
                                         enum intermediate_state state, enum control_role role);

/* lifecycle_operation_name returns its word in the audit record, such as "generateCsr". */
const char *lifecycle_operation_name(enum lifecycle_operation operation);

#endif
