/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mintgate's own operations under an SKA key's policy: making an intermediate the default, signing its certification
 * request, and having a private CA certify a CA, wait until the quorum of the key that the configuration names has
 * approved the very operation. The first attempt makes the request; one that comes after the approval does it, once.
 * What the program does by itself (the succession of an expiring default) waits for nobody. A key that is missing, or
 * asks for nobody's approval, opens nothing.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_GATE_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_GATE_H

#include "control/securosys/ska.h"
#include "control/service/approval_gate.h"

/* All borrowed. Labels of keys; "": no approval is needed. */
struct ska_gate {
    struct ska *ska;
    const char *make_default, *make_csr, *sign_sub_ca;
};

/* ska_gate_of makes the service's gate of |gate|, which it borrows. */
struct approval_gate ska_gate_of(struct ska_gate *gate);

#endif
