/* SPDX-License-Identifier: Apache-2.0 */
/* A body as the Securosys family's readers take it: policies, wishes, timestamps. */
#include <stdlib.h>

#include "control/http/json_body.h"
#include "control/securosys/ska_policy.h"
#include "control/securosys/ska_wish.h"

#define NOW INT64_C(1795254060)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void read_rule(const json_t *json)
{
    struct ska_error error = {.code = SKA_NO_CODE};
    struct ska_rule *rule;
    static const struct ska_vote votes[SKA_MAX_APPROVERS];
    if (ska_rule_new(&rule, json, NOW, &error) != MG_OK) {
        need(error.code != SKA_NO_CODE && error.why.text[0] != '\0');
        return;
    }
    for (size_t i = 0; i < rule->num_tokens; i++) {
        const struct ska_token *token = &rule->tokens[i];
        need(token->timelock % SKA_TIME_STEP == 0 && token->timeout % SKA_TIME_STEP == 0);
        for (size_t j = 0; j < token->num_groups; j++) {
            need(token->groups[j].quorum >= 1 && token->groups[j].quorum <= token->groups[j].num_approvers);
        }
    }
    /* Nobody has answered: nothing is reached, unless nobody is asked. */
    struct ska_verdict verdict = ska_rule_judge(rule, votes, NOW, NOW);
    need((verdict.judgement == SKA_REACHED) == (rule->num_tokens == 0));
    free(rule);
}

static void read_wish(const json_t *json, enum ska_operation operation)
{
    struct ska_error error = {.code = SKA_NO_CODE};
    struct ska_wish wish;
    enum wire_ska_digest digest;
    if (ska_wish_read(json, operation, &wish, &error) == MG_OK) {
        need(wish.key_label != NULL && wish.days >= 1 && wish.days <= SKA_MAX_DAYS);
        (void)!ska_wish_digest(&wish, WIRE_KEY_EC_P256, &digest, &error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json;
    struct ska_error error = {.code = SKA_NO_CODE};
    if (http_json_parse(mg_slice_of(data, size), &json, NULL) != MG_OK) {
        return 0;
    }
    read_rule(json);
    if (json_is_object(json)) {
        (void)!ska_policy_check(json, NOW, &error);
        for (int operation = SKA_MAKE_REQUEST; operation <= SKA_SIGN; operation++) {
            read_wish(json, (enum ska_operation)operation);
        }
    } else if (json_is_string(json)) {
        (void)!ska_timestamp_check(json_string_value(json), NOW, &error);
    }
    http_json_free(json);
    return 0;
}
