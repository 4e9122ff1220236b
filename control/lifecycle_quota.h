/* SPDX-License-Identifier: Apache-2.0 */
/* How many custom certificates a subscription may have, and how many of them enabled (contracts.md section 1.5). Each
 * that is ENABLED counts, in whatever state it is. Called within a step; refusals are MG_LIMIT. */
#ifndef MINTGATE_CONTROL_LIFECYCLE_QUOTA_H
#define MINTGATE_CONTROL_LIFECYCLE_QUOTA_H

#include "control/lifecycle_step.h"

struct lifecycle_quota {
    const char *name;
    int64_t max_custom, max_enabled;
    bool allows_hsm; /* certificates of type CUSTOM_HSM */
};

const struct lifecycle_quota *lifecycle_quota_of(enum config_subscription subscription);

/* lifecycle_quota_check_create: may the step's new record be added? lifecycle_quota_check_enable: may one more be
 * enabled? */
MG_MUST_USE enum mg_status lifecycle_quota_check_create(struct step *step, struct mg_error *error);
MG_MUST_USE enum mg_status lifecycle_quota_check_enable(struct step *step, struct mg_error *error);

/* lifecycle_quota_enable_default enables the step's record, which becomes the default, if it is not. Where only one may
 * be enabled, the others are disabled, each with its audit record. */
MG_MUST_USE enum mg_status lifecycle_quota_enable_default(struct step *step, struct mg_error *error);

#endif
