/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SKA policies (contracts.md section 4.4): who must approve before a key is used. A rule has tokens, of which one
 * suffices; a token has groups, all of which must reach their quorum, within the token's timeout; the operation waits
 * for the token's timelock behind that. An approver is a public key, counted once in a group however often it is named
 * or answers. A rule without tokens asks for nobody's approval.
 *
 * Pure: any thread, and time is a parameter.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_POLICY_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_POLICY_H

#include <jansson.h>

#include "control/securosys/ska_public_key.h"

#define SKA_MAX_TOKENS 8
#define SKA_MAX_GROUPS 8
#define SKA_MAX_APPROVALS 32 /* in a group */
#define SKA_MAX_APPROVERS 32 /* different ones in a rule */
#define SKA_MAX_POLICY ((size_t)256 * 1024)
/* Timelocks and timeouts are multiples of a minute, up to a year. */
#define SKA_TIME_STEP 60
#define SKA_MAX_TIME (366 * 86400)

struct ska_group {
    size_t quorum;
    size_t approvers[SKA_MAX_APPROVALS]; /* places in the rule's list, each once */
    size_t num_approvers;
};

struct ska_token {
    int64_t timelock, timeout; /* seconds; 0: none */
    struct ska_group groups[SKA_MAX_GROUPS];
    size_t num_groups;
};

struct ska_rule {
    struct ska_token tokens[SKA_MAX_TOKENS];
    size_t num_tokens;
    struct ska_public_key approvers[SKA_MAX_APPROVERS];
    size_t num_approvers;
};

/* ska_policy_check reads a whole policy: its rules, and keyStatus. |now| (seconds since 1970) is for certificates.
 * SKA_INPUT, and the codes of ska_public_key.h; SKA_UNSUPPORTED for onboarded approvers. */
MG_MUST_USE enum mg_status ska_policy_check(const json_t *policy, int64_t now, struct ska_error *error);

/* ska_policy_is_blocked tells whether |policy| (may be NULL) says that the key is blocked. */
bool ska_policy_is_blocked(const json_t *policy);

/* ska_rule_new reads |rule|, JSON's null and NULL being a rule that asks for nobody. The caller frees *out with free.
 * With |now| 0 the validity of certificates is not looked at, as for a rule that was accepted before. */
MG_MUST_USE enum mg_status ska_rule_new(struct ska_rule **out, const json_t *rule, int64_t now,
                                        struct ska_error *error);

/* ska_rule_find tells where |key| stands among the rule's approvers; false: it is none. */
MG_MUST_USE bool ska_rule_find(const struct ska_rule *rule, const struct ska_public_key *key, size_t *place);

enum ska_answer { SKA_NO_ANSWER, SKA_APPROVES, SKA_REJECTS };

/* What an approver has answered, and when. */
struct ska_vote {
    enum ska_answer answer;
    int64_t time_us;
};

enum ska_judgement {
    SKA_WAITS,      /* a quorum is possible yet */
    SKA_REACHED,    /* a token has all its quorums */
    SKA_IMPOSSIBLE, /* too many have rejected */
    SKA_TIMED_OUT,  /* what was possible is so no longer */
};

struct ska_verdict {
    enum ska_judgement judgement;
    /* SKA_REACHED: when the timelock is over, the earliest of the tokens'; SKA_WAITS: when to judge again although
     * nobody has answered, INT64_MAX: never. Microseconds since 1970. */
    int64_t due_us;
};

/* ska_rule_judge judges a request made at |created_us| with |votes|, one for each of the rule's approvers. An answer
 * counts for a token if it came within its timeout. */
struct ska_verdict ska_rule_judge(const struct ska_rule *rule, const struct ska_vote *votes, int64_t created_us,
                                  int64_t now_us);

#endif
