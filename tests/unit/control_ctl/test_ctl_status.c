/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "control/ctl/server_text.h"
#include "control/ctl/status_view.h"

/* A look at the counters. */
static json_t *look(int connections, int minted, int signatures)
{
    return json_pack("{s:{s:i, s:i}, s:{s:i}}", "metrics", "connections", connections, "minted", minted, "signer",
                     "signatures", signatures);
}

static void assert_rate(const json_t *rates, const char *member, double expected)
{
    const json_t *rate = json_object_get(rates, member);
    assert_true(json_is_real(rate));
    assert_true(json_real_value(rate) == expected);
}

static void test_rates_are_growth_by_time(void **state)
{
    (void)state;
    json_t *before = look(10, 5, 7), *after = look(30, 5, 8);
    json_t *rates = status_view_rates(before, after, 2.0);
    assert_rate(rates, "connections", 10.0);
    assert_rate(rates, "minted", 0.0);
    assert_rate(rates, "signatures", 0.5);
    json_decref(rates);
    rates = status_view_rates(before, after, 0.0);
    assert_true(json_is_null(rates));
    json_decref(rates);
    json_decref(before);
    json_decref(after);
}

static void test_a_program_that_was_started_again_or_is_away_has_no_rate(void **state)
{
    (void)state;
    json_t *before = look(10, 5, 7), *after = look(9, 6, 8);
    (void)json_object_set_new(before, "signer", json_null());
    json_t *rates = status_view_rates(before, after, 1.0);
    assert_true(json_is_null(json_object_get(rates, "connections")));
    assert_true(json_is_null(json_object_get(rates, "signatures")));
    assert_rate(rates, "minted", 1.0);
    json_decref(rates);
    json_decref(before);
    json_decref(after);
}

static void test_a_server_is_split_into_address_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *text, *address, *port; /* address NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", NULL},
        {"192.0.2.1:8443", "192.0.2.1", "8443"},
        {"2001:db8::1", "2001:db8::1", NULL},
        {"[2001:db8::1]", "2001:db8::1", NULL},
        {"[2001:db8::1]:443", "2001:db8::1", "443"},
        {"192.0.2.1:", "192.0.2.1", ""},
        {"", NULL, NULL},
        {":443", NULL, NULL},
        {"[]:443", NULL, NULL},
        {"[::1", NULL, NULL},
        {"[::1]443", NULL, NULL},
        {"1111111111111111111111111111111111111111111111111111111111111111", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server_text server;
        struct mg_error error = {""};
        if (cases[i].address == NULL) {
            assert_int_equal(server_text_split(&server, cases[i].text, &error), MG_INVALID);
            assert_non_null(strstr(error.text, "--server"));
            continue;
        }
        assert_int_equal(server_text_split(&server, cases[i].text, &error), MG_OK);
        assert_string_equal(server.address, cases[i].address);
        assert_true((server.port == NULL) == (cases[i].port == NULL));
        if (server.port != NULL) {
            assert_string_equal(server.port, cases[i].port);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_growth_by_time),
        cmocka_unit_test(test_a_program_that_was_started_again_or_is_away_has_no_rate),
        cmocka_unit_test(test_a_server_is_split_into_address_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
