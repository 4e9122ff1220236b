/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/decision.h"

#include <string.h>

const char *decision_action_name(enum config_action action)
{
    static const char *const names[] = {
        [CONFIG_ACTION_INTERCEPT] = "intercept", [CONFIG_ACTION_BYPASS] = "bypass", [CONFIG_ACTION_BLOCK] = "block"};
    return names[action];
}

void decision_way_out(struct decision *out, const struct policy *policy, enum counter counter, enum config_way_out way,
                      const char *reason)
{
    *out = (struct decision){
        .action = way == CONFIG_WAY_OUT_BLOCK ? CONFIG_ACTION_BLOCK : CONFIG_ACTION_BYPASS,
        .block_with = policy_settings(policy)->block_with,
        .counter = counter,
        .reason = reason,
        .rule = "",
    };
}

static void by_rule(struct decision *out, const struct policy_verdict *verdict)
{
    static const enum counter counters[] = {[CONFIG_ACTION_INTERCEPT] = COUNT_DECIDED_INTERCEPT,
                                            [CONFIG_ACTION_BYPASS] = COUNT_DECIDED_BYPASS,
                                            [CONFIG_ACTION_BLOCK] = COUNT_DECIDED_BLOCK};
    *out = (struct decision){
        .action = verdict->action,
        .block_with = verdict->block_with,
        .counter = counters[verdict->action],
        .reason = "rule",
        .rule = verdict->rule_name,
    };
}

/* wants_learned tells whether what was learned still counts: a reload may have taken it back. */
static bool wants_learned(const struct config_policy *settings)
{
    return settings->not_interceptable == CONFIG_WAY_OUT_BYPASS || settings->minting_failed == CONFIG_WAY_OUT_BYPASS;
}

/* passes_learned tells whether a flow passes by what was learned. That the server asks for a client certificate is no
 * reason any more where a rule says which. */
static bool passes_learned(const struct decision_facts *facts, const struct policy_flow *flow, struct mg_slice sni,
                           const struct policy_verdict *verdict)
{
    if (!wants_learned(policy_settings(facts->policy))) {
        return false;
    }
    const char *reason = learned_reason(facts->learned, flow, sni, facts->now);
    return reason != NULL &&
           (verdict->client_certificate[0] == '\0' || strcmp(reason, LEARNED_CLIENT_CERTIFICATE) != 0);
}

/* signer_of tells whether anybody signs for |verdict|: its issuer may have expired or be revoked, with nobody in its
 * place. */
static enum issuers_choice signer_of(const struct decision_facts *facts, const struct policy_verdict *verdict)
{
    struct issuer *ignored;
    return issuers_choose(facts->issuers, verdict->issuer, policy_on_issuer_expiry(facts->policy), facts->now_wall,
                          &ignored);
}

/* by_signer decides about what is to be intercepted. */
static void by_signer(struct decision *out, const struct decision_facts *facts, const struct policy_verdict *verdict)
{
    const struct policy *policy = facts->policy;
    enum config_way_out expired =
        policy_on_issuer_expiry(policy) == CONFIG_EXPIRY_BLOCK ? CONFIG_WAY_OUT_BLOCK : CONFIG_WAY_OUT_BYPASS;
    switch (signer_of(facts, verdict)) {
    case ISSUERS_SPENT:
        decision_way_out(out, policy, COUNT_WAY_OUT_ISSUER_EXPIRED, expired, "issuer_expired");
        break;
    case ISSUERS_REVOKED:
        decision_way_out(out, policy, COUNT_WAY_OUT_ISSUER_REVOKED, policy_revoked_default(policy), "issuer_revoked");
        break;
    case ISSUERS_CHOSEN:
    case ISSUERS_NONE:
        by_rule(out, verdict);
    }
}

void decision_of(struct decision *out, const struct decision_facts *facts, const struct policy_flow *flow,
                 const struct hello_info *hello)
{
    const struct policy *policy = facts->policy;
    const struct config_policy *settings = policy_settings(policy);
    struct policy_verdict verdict;
    policy_decide(policy, flow, hello_info_sni(hello), &verdict);
    if (verdict.action != CONFIG_ACTION_INTERCEPT) {
        by_rule(out, &verdict);
    } else if (hello->max_version < (uint16_t)facts->min_version) {
        decision_way_out(out, policy, COUNT_WAY_OUT_BELOW_MINIMUM, settings->below_minimum, "below_minimum");
    } else if (hello->has_ech && settings->ech != CONFIG_ECH_INTERCEPT) {
        decision_way_out(out, policy, COUNT_WAY_OUT_ECH,
                         settings->ech == CONFIG_ECH_BLOCK ? CONFIG_WAY_OUT_BLOCK : CONFIG_WAY_OUT_BYPASS, "ech");
    } else if (passes_learned(facts, flow, hello_info_sni(hello), &verdict)) {
        decision_way_out(out, policy, COUNT_WAY_OUT_LEARNED, CONFIG_WAY_OUT_BYPASS, "learned_bypass");
    } else {
        by_signer(out, facts, &verdict);
    }
}
