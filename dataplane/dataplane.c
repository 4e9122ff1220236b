/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/dataplane.h"

#include "base/clock.h"
#include "cache/rcu.h"
#include "dataplane/policy/decision.h"
#include "dataplane/tls/tls_settings.h"

void dataplane_decide(struct decision *out, const struct dataplane *dataplane, const struct policy *policy,
                      const struct policy_flow *flow, const struct hello_info *hello, uint64_t now_ns, int64_t now_wall)
{
    const struct decision_facts facts = {
        .policy = policy,
        .learned = dataplane->learned,
        .issuers = dataplane->issuers,
        .min_version = mg_rcu_load(&dataplane->tls)->min_version,
        .now = (int64_t)(now_ns / MG_NS_PER_SECOND),
        .now_wall = now_wall,
    };
    decision_of(out, &facts, flow, hello);
    bool draining = atomic_load_explicit(&dataplane->draining, memory_order_relaxed);
    if (out->action != CONFIG_ACTION_BYPASS && kill_switch_is_on(&dataplane->kill_switch, now_ns)) {
        decision_way_out(out, policy, COUNT_WAY_OUT_KILL_SWITCH, CONFIG_WAY_OUT_BYPASS, "kill_switch");
    } else if (out->action == CONFIG_ACTION_INTERCEPT && draining) {
        decision_way_out(out, policy, COUNT_WAY_OUT_DRAINING, CONFIG_WAY_OUT_BYPASS, "draining");
    }
}
