/* SPDX-License-Identifier: Apache-2.0 */
/* Who does something, and what a role may do (design.md section 7). */
#ifndef MINTGATE_CONTROL_ACTOR_H
#define MINTGATE_CONTROL_ACTOR_H

#include "control/words.h"

/* In order of what they may do. */
enum control_role {
    CONTROL_AUDITOR = 1, /* reads, and no read of an auditor changes state */
    CONTROL_OPERATOR,    /* and may switch defaults */
    CONTROL_ADMIN,       /* everything */
};

extern const struct words control_role_words; /* "auditor", "operator", "admin" */

struct control_actor {
    const char *name; /* of the user, the API key's client, or the program itself; borrowed */
    enum control_role role;
    const char *source; /* an address, "unix:" with a uid, or "internal"; borrowed */
};

#endif
