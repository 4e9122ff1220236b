/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/securosys/ska_state.h"

/* contracts.md section 4.3: the whole table, written out. */
static void test_every_state_and_event(void **state)
{
    (void)state;
    static const struct {
        enum ska_state from;
        enum ska_event event;
        enum ska_state to;
    } allowed[] = {
        {SKA_PENDING, SKA_QUORUM_REACHED, SKA_APPROVED},  {SKA_PENDING, SKA_QUORUM_IMPOSSIBLE, SKA_REJECTED},
        {SKA_PENDING, SKA_TIME_IS_OUT, SKA_EXPIRED},      {SKA_PENDING, SKA_WAS_CANCELLED, SKA_CANCELLED},
        {SKA_APPROVED, SKA_WAS_EXECUTED, SKA_EXECUTED},   {SKA_APPROVED, SKA_DID_FAIL, SKA_FAILED},
        {SKA_APPROVED, SKA_WAS_CANCELLED, SKA_CANCELLED}, {SKA_EXECUTED, SKA_GIVEN_BACK, SKA_APPROVED},
    };
    size_t num_allowed = 0;
    for (int from = SKA_PENDING; from <= SKA_CANCELLED; from++) {
        for (int event = 0; event < SKA_NUM_EVENTS; event++) {
            enum ska_state expected = 0;
            for (size_t i = 0; i < MG_ARRAY_LEN(allowed); i++) {
                if ((int)allowed[i].from == from && (int)allowed[i].event == event) {
                    expected = allowed[i].to;
                    num_allowed++;
                }
            }
            assert_int_equal(ska_state_next((enum ska_state)from, (enum ska_event)event), expected);
        }
    }
    assert_int_equal(num_allowed, MG_ARRAY_LEN(allowed));
}

static void test_states_are_the_vendors_words(void **state)
{
    (void)state;
    assert_string_equal(words_name(&ska_state_words, SKA_PENDING), "PENDING");
    assert_string_equal(words_name(&ska_state_words, SKA_CANCELLED), "CANCELLED");
    assert_int_equal(words_value(&ska_state_words, mg_slice_of_text("EXECUTED")), SKA_EXECUTED);
    assert_int_equal(ska_state_words.num_names, SKA_NUM_STATES);
    for (int one = SKA_PENDING; one <= SKA_CANCELLED; one++) {
        assert_int_equal(ska_state_is_open((enum ska_state)one), one == SKA_PENDING || one == SKA_APPROVED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_and_event),
        cmocka_unit_test(test_states_are_the_vendors_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
