/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a token's process, without a process: events and times in, actions out. And the rules for its keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hsm/token_state.h"
#include "wire/token_attributes.h"

#define START UINT64_C(1000000000000)

static struct token_state state_at(enum token_phase phase)
{
    struct token_state state;
    token_state_init(&state, START);
    state.phase = phase;
    state.due_ns = START + 1000;
    return state;
}

/* Every event in every phase: what is not in this table changes nothing. */
static void test_each_event_in_each_phase_does_what_the_table_says(void **unused)
{
    static const struct {
        enum token_phase from;
        enum token_event event;
        enum token_phase to;
        enum token_action action;
    } rows[] = {
        {TOKEN_DOWN, TOKEN_EVENT_TICK, TOKEN_STARTING, TOKEN_ACTION_LAUNCH},
        {TOKEN_STARTING, TOKEN_EVENT_TICK, TOKEN_ENDING, TOKEN_ACTION_KILL},
        {TOKEN_STARTING, TOKEN_EVENT_READY, TOKEN_UP, TOKEN_ACTION_NONE},
        {TOKEN_STARTING, TOKEN_EVENT_NOT_OPENED, TOKEN_ENDING, TOKEN_ACTION_NONE},
        {TOKEN_STARTING, TOKEN_EVENT_PIN_REFUSED, TOKEN_ENDING, TOKEN_ACTION_NONE},
        {TOKEN_STARTING, TOKEN_EVENT_SILENT, TOKEN_ENDING, TOKEN_ACTION_KILL},
        {TOKEN_STARTING, TOKEN_EVENT_EXITED, TOKEN_DOWN, TOKEN_ACTION_NONE},
        {TOKEN_UP, TOKEN_EVENT_SILENT, TOKEN_ENDING, TOKEN_ACTION_KILL},
        {TOKEN_UP, TOKEN_EVENT_EXITED, TOKEN_DOWN, TOKEN_ACTION_NONE},
        {TOKEN_ENDING, TOKEN_EVENT_TICK, TOKEN_ENDING, TOKEN_ACTION_KILL},
        {TOKEN_ENDING, TOKEN_EVENT_EXITED, TOKEN_DOWN, TOKEN_ACTION_NONE},
        {TOKEN_LOCKED_OUT, TOKEN_EVENT_PIN_CHANGED, TOKEN_DOWN, TOKEN_ACTION_NONE},
    };
    (void)unused;
    for (int phase = 0; phase < TOKEN_NUM_PHASES; phase++) {
        for (int event = 0; event < TOKEN_NUM_EVENTS; event++) {
            struct token_state state = state_at((enum token_phase)phase);
            enum token_phase to = (enum token_phase)phase;
            enum token_action action = TOKEN_ACTION_NONE;
            for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
                if ((int)rows[i].from == phase && (int)rows[i].event == event) {
                    to = rows[i].to;
                    action = rows[i].action;
                }
            }
            assert_int_equal(token_state_event(&state, (enum token_event)event, START + 1000), action);
            assert_int_equal(state.phase, to);
        }
    }
}

static void test_nothing_happens_before_it_is_due(void **unused)
{
    static const enum token_phase phases[] = {TOKEN_DOWN, TOKEN_STARTING, TOKEN_ENDING};
    (void)unused;
    for (size_t i = 0; i < MG_ARRAY_LEN(phases); i++) {
        struct token_state state = state_at(phases[i]);
        assert_int_equal(token_state_event(&state, TOKEN_EVENT_TICK, START + 999), TOKEN_ACTION_NONE);
        assert_int_equal(state.phase, phases[i]);
    }
}

static void test_pauses_double_up_to_the_longest(void **unused)
{
    (void)unused;
    assert_true(token_state_pause_ns(1) == TOKEN_STATE_FIRST_PAUSE_NS);
    assert_true(token_state_pause_ns(2) == 2 * TOKEN_STATE_FIRST_PAUSE_NS);
    assert_true(token_state_pause_ns(5) == 16 * TOKEN_STATE_FIRST_PAUSE_NS);
    assert_true(token_state_pause_ns(1000000) == TOKEN_STATE_LAST_PAUSE_NS);
}

/* come_up takes a token from DOWN to UP at |now|. */
static void come_up(struct token_state *state, uint64_t now)
{
    assert_int_equal(token_state_event(state, TOKEN_EVENT_TICK, now), TOKEN_ACTION_LAUNCH);
    (void)token_state_event(state, TOKEN_EVENT_READY, now);
    assert_int_equal(state->phase, TOKEN_UP);
}

static void test_failures_in_a_row_make_pauses_longer_and_a_stable_time_ends_the_row(void **unused)
{
    struct token_state state;
    uint64_t now = START;
    (void)unused;
    token_state_init(&state, now);
    for (unsigned i = 1; i <= 4; i++) {
        come_up(&state, now);
        (void)token_state_event(&state, TOKEN_EVENT_EXITED, now);
        assert_int_equal(state.failures, i);
        assert_true(state.due_ns == now + token_state_pause_ns(i));
        now = state.due_ns;
    }
    come_up(&state, now);
    (void)token_state_event(&state, TOKEN_EVENT_TICK, now + TOKEN_STATE_STABLE_NS - 1);
    assert_int_equal(state.failures, 4);
    (void)token_state_event(&state, TOKEN_EVENT_TICK, now + TOKEN_STATE_STABLE_NS);
    assert_int_equal(state.failures, 0);
}

static void test_circuit_is_broken_by_a_second_failure_or_a_long_first_one(void **unused)
{
    struct token_state state;
    (void)unused;
    token_state_init(&state, START);
    assert_int_equal(token_state_mode(&state, START), TOKEN_MODE_RESTARTING);
    assert_int_equal(token_state_mode(&state, START + TOKEN_STATE_GRACE_NS), TOKEN_MODE_BROKEN);
    come_up(&state, START);
    assert_int_equal(token_state_mode(&state, START), TOKEN_MODE_UP);
    uint64_t now = START + 5;
    (void)token_state_event(&state, TOKEN_EVENT_EXITED, now);
    assert_int_equal(token_state_mode(&state, now), TOKEN_MODE_RESTARTING);
    assert_int_equal(token_state_mode(&state, now + TOKEN_STATE_GRACE_NS - 1), TOKEN_MODE_RESTARTING);
    assert_int_equal(token_state_mode(&state, now + TOKEN_STATE_GRACE_NS), TOKEN_MODE_BROKEN);
    come_up(&state, now + TOKEN_STATE_GRACE_NS);
    (void)token_state_event(&state, TOKEN_EVENT_EXITED, now + TOKEN_STATE_GRACE_NS);
    assert_int_equal(token_state_mode(&state, now + TOKEN_STATE_GRACE_NS), TOKEN_MODE_BROKEN);
}

static void test_refused_pin_is_not_tried_again_until_it_changes(void **unused)
{
    struct token_state state;
    (void)unused;
    token_state_init(&state, START);
    (void)token_state_event(&state, TOKEN_EVENT_TICK, START);
    (void)token_state_event(&state, TOKEN_EVENT_PIN_REFUSED, START);
    assert_int_equal(token_state_mode(&state, START), TOKEN_MODE_BROKEN);
    (void)token_state_event(&state, TOKEN_EVENT_EXITED, START);
    assert_int_equal(state.phase, TOKEN_LOCKED_OUT);
    for (uint64_t day = 1; day < 100; day++) {
        uint64_t now = START + day * UINT64_C(86400000000000);
        assert_int_equal(token_state_event(&state, TOKEN_EVENT_TICK, now), TOKEN_ACTION_NONE);
    }
    (void)token_state_event(&state, TOKEN_EVENT_PIN_CHANGED, START);
    assert_int_equal(token_state_event(&state, TOKEN_EVENT_TICK, START), TOKEN_ACTION_LAUNCH);
}

/* A PIN that was refused by a process which then had to be killed is refused all the same. */
static void test_refused_pin_is_remembered_however_the_process_ends(void **unused)
{
    struct token_state state;
    (void)unused;
    token_state_init(&state, START);
    (void)token_state_event(&state, TOKEN_EVENT_TICK, START);
    (void)token_state_event(&state, TOKEN_EVENT_PIN_REFUSED, START);
    assert_int_equal(token_state_event(&state, TOKEN_EVENT_TICK, START + TOKEN_STATE_ENDING_NS), TOKEN_ACTION_KILL);
    (void)token_state_event(&state, TOKEN_EVENT_EXITED, START + TOKEN_STATE_ENDING_NS);
    assert_int_equal(state.phase, TOKEN_LOCKED_OUT);
}

/* Attributes of keys */

static struct wire_token_attributes good_attributes(void)
{
    struct wire_token_attributes good = {.mechanism = 0};
    static const enum wire_token_attribute yes[] = {
        WIRE_TOKEN_IS_LOCAL,   WIRE_TOKEN_IS_SENSITIVE, WIRE_TOKEN_WAS_ALWAYS_SENSITIVE,
        WIRE_TOKEN_IS_PRIVATE, WIRE_TOKEN_MAY_SIGN,     WIRE_TOKEN_WAS_NEVER_EXTRACTABLE,
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(yes); i++) {
        good.answers[yes[i]] = WIRE_TOKEN_YES;
    }
    return good;
}

static void test_every_attribute_of_a_key_is_looked_at(void **unused)
{
    struct wire_token_attributes good = good_attributes();
    (void)unused;
    assert_int_equal(token_attributes_check(&good, NULL), MG_OK);
    for (int i = 0; i < WIRE_TOKEN_NUM_ATTRIBUTES; i++) {
        struct wire_token_attributes bad = good;
        struct mg_error why = {""};
        bad.answers[i] = good.answers[i] == WIRE_TOKEN_YES ? WIRE_TOKEN_NO : WIRE_TOKEN_YES;
        assert_int_equal(token_attributes_check(&bad, &why), MG_DENIED);
        assert_non_null(strstr(why.text, wire_token_attribute_name((enum wire_token_attribute)i)));
    }
}

static void test_only_what_says_nothing_of_secrecy_may_be_unknown(void **unused)
{
    (void)unused;
    for (int i = 0; i < WIRE_TOKEN_NUM_ATTRIBUTES; i++) {
        struct wire_token_attributes unknown = good_attributes();
        bool may_be = i == WIRE_TOKEN_IS_MODIFIABLE || i == WIRE_TOKEN_MAY_DECRYPT || i == WIRE_TOKEN_MAY_UNWRAP ||
                      i == WIRE_TOKEN_MAY_DERIVE;
        unknown.answers[i] = WIRE_TOKEN_UNKNOWN;
        assert_int_equal(token_attributes_check(&unknown, NULL), may_be ? MG_OK : MG_DENIED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_event_in_each_phase_does_what_the_table_says),
        cmocka_unit_test(test_nothing_happens_before_it_is_due),
        cmocka_unit_test(test_pauses_double_up_to_the_longest),
        cmocka_unit_test(test_failures_in_a_row_make_pauses_longer_and_a_stable_time_ends_the_row),
        cmocka_unit_test(test_circuit_is_broken_by_a_second_failure_or_a_long_first_one),
        cmocka_unit_test(test_refused_pin_is_not_tried_again_until_it_changes),
        cmocka_unit_test(test_refused_pin_is_remembered_however_the_process_ends),
        cmocka_unit_test(test_every_attribute_of_a_key_is_looked_at),
        cmocka_unit_test(test_only_what_says_nothing_of_secrecy_may_be_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
