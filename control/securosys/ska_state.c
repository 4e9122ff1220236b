/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_state.h"

static const char *const names[] = {NULL,     "PENDING", "APPROVED", "EXECUTED",
                                    "FAILED", "EXPIRED", "REJECTED", "CANCELLED"};
const struct words ska_state_words = WORDS_OF(names);

static const enum ska_state next[SKA_NUM_STATES][SKA_NUM_EVENTS] = {
    [SKA_PENDING] =
        {
            [SKA_QUORUM_REACHED] = SKA_APPROVED,
            [SKA_QUORUM_IMPOSSIBLE] = SKA_REJECTED,
            [SKA_TIME_IS_OUT] = SKA_EXPIRED,
            [SKA_WAS_CANCELLED] = SKA_CANCELLED,
        },
    [SKA_APPROVED] =
        {
            [SKA_WAS_EXECUTED] = SKA_EXECUTED,
            [SKA_DID_FAIL] = SKA_FAILED,
            [SKA_WAS_CANCELLED] = SKA_CANCELLED,
        },
    [SKA_EXECUTED] =
        {
            [SKA_GIVEN_BACK] = SKA_APPROVED,
        },
};

enum ska_state ska_state_next(enum ska_state state, enum ska_event event)
{
    return next[state][event];
}

bool ska_state_is_open(enum ska_state state)
{
    return state == SKA_PENDING || state == SKA_APPROVED;
}
