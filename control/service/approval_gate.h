/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place where operations on intermediates, and on what certifies them, wait for approvals, if the configuration says
 * so: who gives them is not the service's to know (control/securosys/ska_gate.h).
 */
#ifndef MINTGATE_CONTROL_SERVICE_APPROVAL_GATE_H
#define MINTGATE_CONTROL_SERVICE_APPROVAL_GATE_H

#include "control/lifecycle.h"

enum approval_operation {
    APPROVAL_MAKE_DEFAULT,
    APPROVAL_MAKE_CSR,    /* an intermediate's own request */
    APPROVAL_SIGN_SUB_CA, /* a request for a CA below a private CA */
};

/* The code of an operation that waits for approvals; the error's text says for which request. */
#define APPROVAL_REQUIRED "APPROVAL_REQUIRED"

/* What let an operation pass. Zero state: nothing was needed. */
struct approval_ticket {
    char request[64];
};

struct approval_gate {
    void *arg;
    /* pass tells whether what |payload| (a JSON object) says may be done: MG_OK, now, and once; MG_EXISTS with
     * APPROVAL_REQUIRED, approvals are asked for or are not complete; MG_DENIED, nobody can approve; call->code is set.
     * Of |call| actor and time are read. */
    enum mg_status (*pass)(void *arg, struct lifecycle_call *call, enum approval_operation operation,
                           const char *payload, struct approval_ticket *out, struct mg_error *error);
    /* give_back: it has not been done after all, and may be tried again. */
    void (*give_back)(void *arg, const struct lifecycle_call *call, const struct approval_ticket *ticket);
};

#endif
