/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/securosys/ska_policy.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define CREATED (INT64_C(1795254060) * SECOND)

/* Rules are made by hand: two tokens, the first with two groups. Approvers 0 to 4. */
static struct ska_rule rule;
static struct ska_vote votes[SKA_MAX_APPROVERS];

static struct ska_group group_of(size_t quorum, size_t first, size_t num)
{
    struct ska_group group = {.quorum = quorum, .num_approvers = num};
    for (size_t i = 0; i < num; i++) {
        group.approvers[i] = first + i;
    }
    return group;
}

static int make_rule(void **state)
{
    (void)state;
    rule = (struct ska_rule){
        .tokens = {{.timelock = 0, .timeout = 120, .groups = {group_of(2, 0, 3), group_of(1, 3, 1)}, .num_groups = 2},
                   {.timelock = 60, .timeout = 60, .groups = {group_of(1, 4, 1)}, .num_groups = 1}},
        .num_tokens = 2,
        .num_approvers = 5};
    memset(votes, 0, sizeof(votes));
    return 0;
}

static void vote(size_t approver, enum ska_answer answer, int64_t after)
{
    votes[approver] = (struct ska_vote){answer, CREATED + after};
}

static void assert_judged(int64_t after, enum ska_judgement judgement, int64_t due_us)
{
    struct ska_verdict verdict = ska_rule_judge(&rule, votes, CREATED, CREATED + after);
    assert_int_equal(verdict.judgement, judgement);
    if (judgement == SKA_REACHED || judgement == SKA_WAITS) {
        assert_int_equal(verdict.due_us, due_us);
    }
}

static void test_a_rule_without_tokens_is_reached_at_once(void **state)
{
    (void)state;
    rule.num_tokens = 0;
    assert_judged(5, SKA_REACHED, CREATED + 5);
}

static void test_all_groups_of_a_token_are_needed(void **state)
{
    (void)state;
    vote(0, SKA_APPROVES, 1);
    vote(1, SKA_APPROVES, 2);
    assert_judged(3, SKA_WAITS, CREATED + MINUTE); /* when the second token's time is out */
    vote(3, SKA_APPROVES, 4);
    assert_judged(5, SKA_REACHED, CREATED + 5);
}

static void test_a_timelock_begins_with_the_quorum(void **state)
{
    (void)state;
    vote(4, SKA_APPROVES, 10);
    assert_judged(10, SKA_REACHED, CREATED + 10 + MINUTE);
}

static void test_of_two_quorums_the_earlier_end_counts(void **state)
{
    (void)state;
    vote(4, SKA_APPROVES, 1);
    vote(0, SKA_APPROVES, 1);
    vote(1, SKA_APPROVES, 1);
    vote(3, SKA_APPROVES, 1);
    assert_judged(2, SKA_REACHED, CREATED + 2);
}

static void test_an_answer_behind_a_tokens_time_does_not_count_for_it(void **state)
{
    (void)state;
    vote(4, SKA_APPROVES, MINUTE); /* on the tick */
    assert_judged(MINUTE, SKA_WAITS, CREATED + 2 * MINUTE);
    vote(4, SKA_APPROVES, MINUTE - 1);
    assert_judged(MINUTE, SKA_REACHED, CREATED + 2 * MINUTE);
}

static void test_time_runs_out_to_the_tick(void **state)
{
    (void)state;
    assert_judged(0, SKA_WAITS, CREATED + MINUTE);
    assert_judged(MINUTE - 1, SKA_WAITS, CREATED + MINUTE);
    assert_judged(MINUTE, SKA_WAITS, CREATED + 2 * MINUTE);
    assert_judged(2 * MINUTE - 1, SKA_WAITS, CREATED + 2 * MINUTE);
    assert_judged(2 * MINUTE, SKA_TIMED_OUT, 0);
    rule.tokens[0].timeout = 0;
    assert_judged(1000 * MINUTE, SKA_WAITS, INT64_MAX);
}

static void test_rejections_end_it_when_every_token_is_impossible(void **state)
{
    (void)state;
    vote(0, SKA_REJECTS, 1);
    assert_judged(2, SKA_WAITS, CREATED + MINUTE); /* two of three are left */
    vote(3, SKA_REJECTS, 3);
    assert_judged(4, SKA_WAITS, CREATED + MINUTE); /* the other token */
    vote(4, SKA_REJECTS, 5);
    assert_judged(6, SKA_IMPOSSIBLE, 0);
}

static void test_what_was_possible_until_its_time_was_out_expires(void **state)
{
    (void)state;
    vote(3, SKA_REJECTS, 1);
    assert_judged(MINUTE, SKA_TIMED_OUT, 0);
}

static enum ska_code read_policy(const char *text)
{
    struct ska_error error = {.code = SKA_NO_CODE};
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    enum mg_status status = ska_policy_check(json, CREATED / SECOND, &error);
    json_decref(json);
    assert_int_equal(status == MG_OK, error.code == SKA_NO_CODE);
    return error.code;
}

static void test_policies_of_nobody_are_good(void **state)
{
    (void)state;
    static const char *const good[] = {"{}",
                                       "{\"ruleUse\": null, \"ruleBlock\": null}",
                                       "{\"ruleUse\": {\"tokens\": []}}",
                                       "{\"ruleUse\": {}}",
                                       "{\"keyStatus\": {\"blocked\": false}}",
                                       "{\"keyStatus\": null}"};
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        assert_int_equal(read_policy(good[i]), SKA_NO_CODE);
    }
}

static void test_policies_that_break_a_rule(void **state)
{
    (void)state;
    assert_int_equal(read_policy("{\"ruleUse\": []}"), SKA_INPUT);
    assert_int_equal(read_policy("{\"ruleUse\": {\"tokens\": [{\"groups\": []}]}}"), SKA_INPUT);
    assert_int_equal(read_policy("{\"ruleUse\": {\"tokens\": [{\"timelock\": 59, \"groups\": [1]}]}}"), SKA_INPUT);
    assert_int_equal(read_policy("{\"ruleModify\": {\"tokens\": [{\"groups\": [{\"quorum\": 1, \"approvals\":"
                                 " [{\"type\": \"public_key\", \"value\": \"AAAA\"}]}]}]}}"),
                     SKA_PARSING_KEY);
    assert_int_equal(read_policy("{\"keyStatus\": {\"blocked\": 1}}"), SKA_INPUT);
}

static void test_blocked_is_what_the_policy_says(void **state)
{
    (void)state;
    json_t *json = json_loads("{\"keyStatus\": {\"blocked\": true}}", 0, NULL);
    assert_true(ska_policy_is_blocked(json));
    json_decref(json);
    assert_false(ska_policy_is_blocked(NULL));
}

#define RULE_TEST(name) cmocka_unit_test_setup(name, make_rule)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RULE_TEST(test_a_rule_without_tokens_is_reached_at_once),
        RULE_TEST(test_all_groups_of_a_token_are_needed),
        RULE_TEST(test_a_timelock_begins_with_the_quorum),
        RULE_TEST(test_of_two_quorums_the_earlier_end_counts),
        RULE_TEST(test_an_answer_behind_a_tokens_time_does_not_count_for_it),
        RULE_TEST(test_time_runs_out_to_the_tick),
        RULE_TEST(test_rejections_end_it_when_every_token_is_impossible),
        RULE_TEST(test_what_was_possible_until_its_time_was_out_expires),
        cmocka_unit_test(test_policies_of_nobody_are_good),
        cmocka_unit_test(test_policies_that_break_a_rule),
        cmocka_unit_test(test_blocked_is_what_the_policy_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
