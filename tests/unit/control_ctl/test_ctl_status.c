/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "control/ctl/server_text.h"
#include "control/ctl/status_stores.h"
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

/* assert_stores: the lines of the stores of an engine whose page is |trust|, which is consumed. */
static void assert_stores(json_t *trust, const char *expected)
{
    struct mg_buffer text;
    json_t *view = json_pack("{s:o}", "trust", trust);
    assert_non_null(view);
    mg_buffer_init(&text, 4096);
    status_stores_write(&text, view);
    mg_buffer_append_u8(&text, '\0');
    assert_string_equal((const char *)text.data, expected);
    mg_buffer_free(&text);
    json_decref(view);
}

/* page_of makes the engine's page, without key stores. */
static json_t *page_of(const char *store, bool is_present, int num_anchors, int num_unusable, int num_file_roots)
{
    return json_pack("{s:s, s:b, s:i, s:i, s:i, s:i, s:i, s:[]}", "store", store, "storePresent", is_present, "epoch",
                     7, "anchors", num_anchors, "exact", 2, "unusable", num_unusable, "fileRoots", num_file_roots,
                     "keyStores");
}

static void test_stores_that_are_named_are_shown_and_those_that_are_not_there_are_told(void **state)
{
    (void)state;
    assert_stores(json_null(), "");
    assert_stores(page_of("", false, 0, 0, 140), "");
    assert_stores(page_of("servers", true, 1, 0, 0), "trust       servers: 1 CA, 2 single certificates, epoch 7\n");
    assert_stores(page_of("servers", true, 3, 1, 5),
                  "trust       servers: 3 CAs, 2 single certificates, epoch 7, 1 UNUSABLE\n");
    assert_stores(page_of("servers", false, 0, 0, 0), "trust       servers: MISSING: no server is trusted\n");
    assert_stores(page_of("servers", false, 0, 0, 140),
                  "trust       servers: MISSING: the 140 roots of the file alone count\n");
    json_t *page = page_of("", false, 0, 0, 0);
    json_t *stores = json_object_get(page, "keyStores");
    (void)json_array_append_new(stores, json_pack("{s:s, s:b, s:i, s:i, s:i}", "name", "a", "present", 1, "epoch", 9,
                                                  "keys", 1, "unusable", 0));
    (void)json_array_append_new(stores, json_pack("{s:s, s:b, s:i, s:i, s:i}", "name", "b", "present", 0, "epoch", 0,
                                                  "keys", 0, "unusable", 0));
    assert_stores(page, "keys        a: 1 key, epoch 9\n"
                        "keys        b: MISSING: servers that ask get no certificate\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_growth_by_time),
        cmocka_unit_test(test_a_program_that_was_started_again_or_is_away_has_no_rate),
        cmocka_unit_test(test_a_server_is_split_into_address_and_port),
        cmocka_unit_test(test_stores_that_are_named_are_shown_and_those_that_are_not_there_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
