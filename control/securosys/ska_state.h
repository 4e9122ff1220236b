/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a request for an operation (contracts.md section 4.3). Pure: any thread. */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_STATE_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_STATE_H

#include "control/words.h"

/* As words they stand in the database and in answers. */
enum ska_state {
    SKA_PENDING = 1, /* approvals are missing */
    SKA_APPROVED,    /* a quorum has approved; a timelock may have to pass */
    SKA_EXECUTED,
    SKA_FAILED,
    SKA_EXPIRED,
    SKA_REJECTED,
    SKA_CANCELLED,
};
#define SKA_NUM_STATES 8 /* 0, which is none, included */

/* Sets of states. */
#define SKA_STATE_BIT(state) (1U << (state))
#define SKA_OPEN_STATES (SKA_STATE_BIT(SKA_PENDING) | SKA_STATE_BIT(SKA_APPROVED))
#define SKA_ALL_STATES ((1U << SKA_NUM_STATES) - 1)

extern const struct words ska_state_words; /* "PENDING" and so on */

enum ska_event {
    SKA_QUORUM_REACHED,
    SKA_QUORUM_IMPOSSIBLE,
    SKA_TIME_IS_OUT,
    SKA_WAS_EXECUTED,
    SKA_DID_FAIL,
    SKA_WAS_CANCELLED, /* by whoever asked, or since the key was deleted */
    SKA_GIVEN_BACK,    /* what was approved for Mintgate's own operation has not been done after all (ska_gate.h) */
};
#define SKA_NUM_EVENTS 7

/* ska_state_next returns the state after |event|, 0 if it cannot happen in |state|. */
enum ska_state ska_state_next(enum ska_state state, enum ska_event event);

/* ska_state_is_open tells whether something can still come of a request: PENDING and APPROVED. */
bool ska_state_is_open(enum ska_state state);

#endif
