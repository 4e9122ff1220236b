/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many sessions a token signs fastest with: measured once at the start, with a key pair that lives in a session and
 * dies with it, never with a CA key.
 */
#ifndef MINTGATE_HSM_TOKEN_CALIBRATION_H
#define MINTGATE_HSM_TOKEN_CALIBRATION_H

#include "hsm/token/objects.h"

/* Each number of sessions is tried for so long. */
#define CALIBRATION_STEP_NS (UINT64_C(60) * 1000000)
#define CALIBRATION_MAX_SESSIONS 32

/* calibration_choose returns the smallest of |counts| whose rate is within a twentieth of the best: a session more is
 * worth having only for that. Pure. */
size_t calibration_choose(const size_t *counts, const double *rates, size_t num_counts);

/* calibration_run tries 1, 2, 4 ... sessions, as far as the token allows, and says which number is best and how many
 * signatures a second it makes with it. REFUSED: the token makes no key for a session. Before there are other threads.
 */
enum wire_token_status calibration_run(const struct token *token, size_t *num_sessions, uint32_t *rate,
                                       struct token_error *error);

#endif
