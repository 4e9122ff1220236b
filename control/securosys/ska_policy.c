/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_policy.h"

#include <stdlib.h>
#include <string.h>

#include "control/http/json_body.h"

#define MAX_NAME 255
#define US_PER_SECOND INT64_C(1000000)

/* ---- reading ---- */

struct reader {
    struct ska_rule *rule;
    int64_t now;
    struct ska_error *error;
};

static enum mg_status read_fields(const struct reader *reader, const json_t *object, const struct http_field *fields,
                                  size_t num_fields, void *out)
{
    if (!json_is_object(object)) {
        return ska_fail(reader->error, SKA_INPUT, "policy: an object is wanted where something else stands");
    }
    return ska_fail_unless(reader->error, http_json_fields(object, fields, num_fields, out, &reader->error->why),
                           SKA_INPUT);
}

/* read_approver reads whom an approval of the policy names. */
static enum mg_status read_approver(const struct reader *reader, const json_t *approval, struct ska_public_key *out)
{
    struct {
        const char *type, *name, *value;
    } body = {NULL, NULL, NULL};
    static const struct http_field fields[] = {
        {"type", HTTP_FIELD_TEXT, true, 0 * sizeof(char *), 1, MAX_NAME},
        {"name", HTTP_FIELD_TEXT, false, 1 * sizeof(char *), 0, MAX_NAME},
        {"value", HTTP_FIELD_TEXT, false, 2 * sizeof(char *), 0, 32768},
    };
    enum mg_status status = read_fields(reader, approval, fields, MG_ARRAY_LEN(fields), &body);
    if (status != MG_OK) {
        return status;
    }
    struct mg_slice value = mg_slice_of_text(body.value == NULL ? "" : body.value);
    if (strcmp(body.type, "public_key") == 0) {
        return ska_public_key_read(out, value, reader->error);
    }
    if (strcmp(body.type, "certificate") == 0) {
        return ska_public_key_of_certificate(out, value, reader->now, reader->error);
    }
    if (strcmp(body.type, "onboarded_approver_certificate") == 0) {
        return ska_fail(reader->error, SKA_UNSUPPORTED, "type: nobody is onboarded here; give the certificate itself");
    }
    return ska_fail(reader->error, SKA_INVALID_ENUM, "type: must be public_key or certificate");
}

/* place_of finds the approver's place in the rule's list, or makes one. */
static enum mg_status place_of(const struct reader *reader, const struct ska_public_key *key, size_t *place)
{
    struct ska_rule *rule = reader->rule;
    if (ska_rule_find(rule, key, place)) {
        return MG_OK;
    }
    if (rule->num_approvers == SKA_MAX_APPROVERS) {
        return ska_fail(reader->error, SKA_INPUT, "approvals: a rule has at most %d approvers", SKA_MAX_APPROVERS);
    }
    *place = rule->num_approvers;
    rule->approvers[rule->num_approvers++] = *key;
    return MG_OK;
}

static bool has_approver(const struct ska_group *group, size_t place)
{
    for (size_t i = 0; i < group->num_approvers; i++) {
        if (group->approvers[i] == place) {
            return true;
        }
    }
    return false;
}

static enum mg_status read_approvals(const struct reader *reader, const json_t *approvals, struct ska_group *out)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < json_array_size(approvals) && status == MG_OK; i++) {
        struct ska_public_key key;
        size_t place = 0;
        status = read_approver(reader, json_array_get(approvals, i), &key);
        if (status == MG_OK) {
            status = place_of(reader, &key, &place);
        }
        if (status == MG_OK && !has_approver(out, place)) {
            out->approvers[out->num_approvers++] = place;
        }
    }
    return status;
}

struct group_body {
    const char *name;
    struct http_json_integer quorum;
    const json_t *approvals;
};

static enum mg_status read_group(const struct reader *reader, const json_t *json, struct ska_group *out)
{
    static const struct http_field fields[] = {
        {"name", HTTP_FIELD_TEXT, false, offsetof(struct group_body, name), 0, MAX_NAME},
        {"quorum", HTTP_FIELD_INTEGER, true, offsetof(struct group_body, quorum), 1, SKA_MAX_APPROVALS},
        {"approvals", HTTP_FIELD_ARRAY, true, offsetof(struct group_body, approvals), 1, SKA_MAX_APPROVALS},
    };
    struct group_body body = {.name = NULL};
    enum mg_status status = read_fields(reader, json, fields, MG_ARRAY_LEN(fields), &body);
    if (status == MG_OK) {
        status = read_approvals(reader, body.approvals, out);
    }
    if (status != MG_OK) {
        return status;
    }
    out->quorum = (size_t)body.quorum.value;
    return out->quorum <= out->num_approvers
               ? MG_OK
               : ska_fail(reader->error, SKA_INPUT, "quorum: %zu, but the group has %zu different approvers",
                          out->quorum, out->num_approvers);
}

static enum mg_status read_groups(const struct reader *reader, const json_t *groups, struct ska_token *out)
{
    enum mg_status status = MG_OK;
    out->num_groups = json_array_size(groups);
    for (size_t i = 0; i < out->num_groups && status == MG_OK; i++) {
        status = read_group(reader, json_array_get(groups, i), &out->groups[i]);
    }
    return status;
}

struct token_body {
    const char *name;
    struct http_json_integer timelock, timeout;
    const json_t *groups;
};

static enum mg_status read_token(const struct reader *reader, const json_t *json, struct ska_token *out)
{
    static const struct http_field fields[] = {
        {"name", HTTP_FIELD_TEXT, false, offsetof(struct token_body, name), 0, MAX_NAME},
        {"timelock", HTTP_FIELD_INTEGER, false, offsetof(struct token_body, timelock), 0, SKA_MAX_TIME},
        {"timeout", HTTP_FIELD_INTEGER, false, offsetof(struct token_body, timeout), 0, SKA_MAX_TIME},
        {"groups", HTTP_FIELD_ARRAY, true, offsetof(struct token_body, groups), 1, SKA_MAX_GROUPS},
    };
    struct token_body body = {.name = NULL};
    enum mg_status status = read_fields(reader, json, fields, MG_ARRAY_LEN(fields), &body);
    if (status != MG_OK) {
        return status;
    }
    if (body.timelock.value % SKA_TIME_STEP != 0 || body.timeout.value % SKA_TIME_STEP != 0) {
        return ska_fail(reader->error, SKA_INPUT, "timelock, timeout: must be multiples of %d seconds", SKA_TIME_STEP);
    }
    out->timelock = body.timelock.value;
    out->timeout = body.timeout.value;
    return read_groups(reader, body.groups, out);
}

static enum mg_status read_rule(const struct reader *reader, const json_t *json)
{
    const json_t *tokens = NULL;
    static const struct http_field fields[] = {
        {"tokens", HTTP_FIELD_ARRAY, false, 0, 0, SKA_MAX_TOKENS},
    };
    enum mg_status status = read_fields(reader, json, fields, MG_ARRAY_LEN(fields), &tokens);
    reader->rule->num_tokens = json_array_size(tokens);
    for (size_t i = 0; i < reader->rule->num_tokens && status == MG_OK; i++) {
        status = read_token(reader, json_array_get(tokens, i), &reader->rule->tokens[i]);
    }
    return status;
}

enum mg_status ska_rule_new(struct ska_rule **out, const json_t *rule, int64_t now, struct ska_error *error)
{
    const struct reader reader = {.rule = calloc(1, sizeof(struct ska_rule)), .now = now, .error = error};
    if (reader.rule == NULL) {
        return mg_error_set(&error->why, MG_MEMORY, "no memory for a rule");
    }
    enum mg_status status = rule == NULL || json_is_null(rule) ? MG_OK : read_rule(&reader, rule);
    if (status != MG_OK) {
        free(reader.rule);
        return status;
    }
    *out = reader.rule;
    return MG_OK;
}

static enum mg_status check_rule(const json_t *policy, const char *name, int64_t now, struct ska_error *error)
{
    struct ska_rule *rule;
    enum mg_status status = ska_rule_new(&rule, json_object_get(policy, name), now, error);
    if (status == MG_OK) {
        free(rule);
    }
    return status;
}

enum mg_status ska_policy_check(const json_t *policy, int64_t now, struct ska_error *error)
{
    static const char *const rules[] = {"ruleUse", "ruleBlock", "ruleUnblock", "ruleModify"};
    const json_t *key_status = json_object_get(policy, "keyStatus");
    const json_t *blocked = json_object_get(key_status, "blocked");
    if ((key_status != NULL && !json_is_null(key_status) && !json_is_object(key_status)) ||
        (blocked != NULL && !json_is_boolean(blocked))) {
        return ska_fail(error, SKA_INPUT, "keyStatus: must be {\"blocked\": true or false}");
    }
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < MG_ARRAY_LEN(rules) && status == MG_OK; i++) {
        status = check_rule(policy, rules[i], now, error);
    }
    return status;
}

bool ska_policy_is_blocked(const json_t *policy)
{
    return json_is_true(json_object_get(json_object_get(policy, "keyStatus"), "blocked"));
}

bool ska_rule_find(const struct ska_rule *rule, const struct ska_public_key *key, size_t *place)
{
    for (size_t i = 0; i < rule->num_approvers; i++) {
        if (mg_slice_equal(ska_public_key_slice(&rule->approvers[i]), ska_public_key_slice(key))) {
            *place = i;
            return true;
        }
    }
    return false;
}

/* ---- judging ---- */

/* A token as a request stands to it. */
struct standing {
    const struct ska_vote *votes;
    int64_t ends_us; /* answers count before that */
    int64_t now_us;
};

/* count_answers counts the approvers of |group| who have given |answer| in time. */
static size_t count_answers(const struct standing *standing, const struct ska_group *group, enum ska_answer answer)
{
    size_t count = 0;
    for (size_t i = 0; i < group->num_approvers; i++) {
        const struct ska_vote *vote = &standing->votes[group->approvers[i]];
        count += vote->answer == answer && vote->time_us < standing->ends_us;
    }
    return count;
}

static enum ska_judgement judge_token(const struct ska_token *token, const struct standing *standing)
{
    bool is_reached = true, is_possible = true;
    for (size_t i = 0; i < token->num_groups; i++) {
        const struct ska_group *group = &token->groups[i];
        size_t num_left = group->num_approvers - count_answers(standing, group, SKA_REJECTS);
        is_reached = is_reached && count_answers(standing, group, SKA_APPROVES) >= group->quorum;
        is_possible = is_possible && num_left >= group->quorum;
    }
    if (is_reached) {
        return SKA_REACHED;
    }
    if (!is_possible) {
        return SKA_IMPOSSIBLE;
    }
    return standing->now_us < standing->ends_us ? SKA_WAITS : SKA_TIMED_OUT;
}

/* In the order of what counts more, of several tokens' judgements. */
static const int ranks[] = {[SKA_REACHED] = 3, [SKA_WAITS] = 2, [SKA_TIMED_OUT] = 1, [SKA_IMPOSSIBLE] = 0};

/* merge takes one token's judgement into the rule's. */
static void merge(struct ska_verdict *verdict, enum ska_judgement judgement, int64_t due_us)
{
    if (ranks[judgement] > ranks[verdict->judgement]) {
        *verdict = (struct ska_verdict){judgement, due_us};
    } else if (judgement == verdict->judgement) {
        bool is_earlier = due_us < verdict->due_us;
        verdict->due_us = is_earlier ? due_us : verdict->due_us;
    }
}

struct ska_verdict ska_rule_judge(const struct ska_rule *rule, const struct ska_vote *votes, int64_t created_us,
                                  int64_t now_us)
{
    struct ska_verdict verdict = {SKA_IMPOSSIBLE, INT64_MAX};
    if (rule->num_tokens == 0) {
        return (struct ska_verdict){SKA_REACHED, now_us};
    }
    for (size_t i = 0; i < rule->num_tokens; i++) {
        const struct ska_token *token = &rule->tokens[i];
        const struct standing standing = {
            .votes = votes,
            .ends_us = token->timeout == 0 ? INT64_MAX : created_us + token->timeout * US_PER_SECOND,
            .now_us = now_us,
        };
        enum ska_judgement judgement = judge_token(token, &standing);
        merge(&verdict, judgement,
              judgement == SKA_REACHED ? now_us + token->timelock * US_PER_SECOND : standing.ends_us);
    }
    return verdict;
}
