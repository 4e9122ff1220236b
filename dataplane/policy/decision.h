/* SPDX-License-Identifier: Apache-2.0 */
/* The decision about a flow whose ClientHello is known: rules first, then what else policy has to say. */
#ifndef MINTGATE_DATAPLANE_POLICY_DECISION_H
#define MINTGATE_DATAPLANE_POLICY_DECISION_H

#include "dataplane/counters.h"
#include "dataplane/policy/hello_info.h"
#include "dataplane/policy/learned.h"
#include "dataplane/policy/policy.h"
#include "dataplane/session/issuers.h"

struct decision {
    enum config_action action;
    enum config_block_with block_with;
    enum counter counter; /* what to count */
    const char *reason;   /* static: "rule", or the way out that was taken */
    const char *rule;     /* name of the rule, or "default"; lives as long as the policy */
};

/* What a decision depends on beside the flow and its ClientHello. All borrowed. */
struct decision_facts {
    const struct policy *policy;
    struct learned *learned;
    const struct issuers *issuers;
    enum config_tls_version min_version;
    int64_t now;      /* seconds of the monotonic clock: what was learned goes by it */
    int64_t now_wall; /* seconds since 1970: certificates go by it */
};

/* decision_of decides. RCU reader; allocates nothing. */
void decision_of(struct decision *out, const struct decision_facts *facts, const struct policy_flow *flow,
                 const struct hello_info *hello);

/* decision_way_out is the decision of a way out. */
void decision_way_out(struct decision *out, const struct policy *policy, enum counter counter, enum config_way_out way,
                      const char *reason);

/* decision_action_name returns "intercept", "bypass" or "block". */
const char *decision_action_name(enum config_action action);

#endif
