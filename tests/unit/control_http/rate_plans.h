/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits for tests. */
#ifndef MINTGATE_TESTS_RATE_PLANS_H
#define MINTGATE_TESTS_RATE_PLANS_H

#include "control/http/rate_limit.h"

/* Those of contracts.md 1.7. */
static const struct rate_plan rate_documented = {
    .limits = {[RATE_LIGHT] = {2, 1000}, [RATE_MEDIUM] = {1, 400}, [RATE_HEAVY] = {1, 4}}};

#endif
