/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cache/rcu.h"
#include "dataplane/policy/learned.h"
#include "minting/names.h"

#define NOW INT64_C(1000)

static uint64_t entries_of(struct learned *store)
{
    struct cache_stats stats;
    learned_stats(store, &stats);
    return stats.entries;
}

static const uint8_t client[16], server[16] = {192, 0, 2, 1}, other_server[16] = {192, 0, 2, 2};
static const struct policy_flow flow = {client, server, false, 443};

static struct learned *learned;

static int start(void **state)
{
    (void)state;
    return learned_new(&learned, 100) == MG_OK ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    learned_free(learned);
    return 0;
}

static bool contains(const struct policy_flow *of, const char *sni, int64_t now)
{
    return learned_reason(learned, of, mg_slice_of_text(sni), now) != NULL;
}

static void add(const struct policy_flow *of, const char *sni, int64_t now, int64_t until)
{
    learned_add(learned, of, mg_slice_of_text(sni), "client_certificate", now, until);
}

static void test_what_was_learned_is_known_until_its_time(void **state)
{
    (void)state;
    assert_false(contains(&flow, "a.example", NOW));
    add(&flow, "a.example", NOW, NOW + 60);
    assert_true(contains(&flow, "a.example", NOW));
    assert_true(contains(&flow, "a.example", NOW + 59));
    assert_false(contains(&flow, "a.example", NOW + 60));
    assert_int_equal(entries_of(learned), 1);
    add(&flow, "a.example", NOW + 70, NOW + 100); /* once more, after it was forgotten */
    assert_true(contains(&flow, "a.example", NOW + 99));
    assert_false(contains(&flow, "a.example", NOW + 100));
    assert_int_equal(entries_of(learned), 1);
}

static void test_the_same_again_changes_nothing_while_it_is_known(void **state)
{
    (void)state;
    add(&flow, "a.example", NOW, NOW + 60);
    add(&flow, "a.example", NOW + 1, NOW + 600);
    assert_int_equal(entries_of(learned), 1);
    assert_false(contains(&flow, "a.example", NOW + 60));
}

static void test_only_this_server_port_and_name_are_meant_and_any_client(void **state)
{
    (void)state;
    static const uint8_t client2[16] = {9, 9, 9, 9};
    add(&flow, "a.example", NOW, NOW + 60);
    assert_true(contains(&(struct policy_flow){client2, server, false, 443}, "a.example", NOW));
    assert_false(contains(&(struct policy_flow){client, other_server, false, 443}, "a.example", NOW));
    assert_false(contains(&(struct policy_flow){client, server, false, 8443}, "a.example", NOW));
    assert_false(contains(&(struct policy_flow){client, server, false, 443 + 256}, "a.example", NOW));
    assert_false(contains(&(struct policy_flow){client, server, true, 443}, "a.example", NOW));
    assert_false(contains(&flow, "b.example", NOW));
    assert_false(contains(&flow, "a.exampl", NOW));
    assert_false(contains(&flow, "", NOW));
    add(&flow, "", NOW, NOW + 60); /* a client that sends no name */
    assert_true(contains(&flow, "", NOW));
}

/* An IPv6 address of which the first bytes are an IPv4 one, and the rest a name. */
static void test_families_and_names_cannot_be_mixed_up(void **state)
{
    (void)state;
    const uint8_t server6[16] = "\xc0\x00\x02\x01"
                                "abcdefghijkl";
    add(&flow, "abcdefghijkl", NOW, NOW + 60);
    assert_false(contains(&(struct policy_flow){client, server6, true, 443}, "", NOW));
    add(&(struct policy_flow){client, server6, true, 443}, "x.example", NOW, NOW + 60);
    assert_false(contains(&flow, "abcdefghijklx.example", NOW));
}

static void test_the_longest_name_fits_and_no_longer_one_is_taken(void **state)
{
    (void)state;
    char name[DNS_NAME_MAX_LEN + 2];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    add(&flow, name, NOW, NOW + 60);
    assert_int_equal(entries_of(learned), 0);
    name[DNS_NAME_MAX_LEN] = '\0';
    add(&flow, name, NOW, NOW + 60);
    assert_true(contains(&flow, name, NOW));
    name[DNS_NAME_MAX_LEN - 1] = 'b';
    assert_false(contains(&flow, name, NOW));
}

static void test_it_never_grows_over_its_bound(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.example", i);
        add(&flow, name, NOW, NOW + 60);
        assert_true(contains(&flow, name, NOW)); /* an older one gave way */
        assert_in_range(entries_of(learned), 1, 100);
        mg_rcu_quiescent();
    }
    for (unsigned i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.example", i);
        known += contains(&flow, name, NOW);
    }
    assert_int_equal(known, 100);
}

/* ---- the list ---- */

static json_t *list(int64_t now)
{
    struct mg_buffer text;
    json_error_t error;
    mg_buffer_init(&text, 1 << 20);
    learned_list(learned, now, &text);
    assert_true(mg_buffer_ok(&text));
    assert_int_equal(text.data[text.len - 1], '\n');
    json_t *array = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    assert_true(json_is_array(array));
    mg_buffer_free(&text);
    return array;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static void test_the_list_says_all_that_is_known_and_nothing_expired(void **state)
{
    (void)state;
    const uint8_t server6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    json_t *array = list(NOW);
    assert_int_equal(json_array_size(array), 0);
    json_decref(array);
    add(&flow, "old.example", NOW, NOW + 10);
    add(&(struct policy_flow){client, server6, true, 8443}, "a.example", NOW, NOW + 60);
    array = list(NOW + 10);
    assert_int_equal(json_array_size(array), 1);
    const json_t *entry = json_array_get(array, 0);
    assert_int_equal(json_object_size(entry), 5);
    assert_string_equal(text_of(entry, "server"), "2001:db8::1");
    assert_string_equal(text_of(entry, "sni"), "a.example");
    assert_string_equal(text_of(entry, "reason"), "client_certificate");
    assert_int_equal(json_integer_value(json_object_get(entry, "port")), 8443);
    assert_int_equal(json_integer_value(json_object_get(entry, "seconds_left")), 50);
    json_decref(array);
    array = list(NOW + 9);
    assert_int_equal(json_array_size(array), 2);
    json_decref(array);
}

static int start_rcu(void **state)
{
    (void)state;
    return mg_rcu_thread_start() == MG_OK ? 0 : -1;
}

static int stop_rcu(void **state)
{
    (void)state;
    mg_rcu_thread_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_learned_is_known_until_its_time),
        TEST(test_the_same_again_changes_nothing_while_it_is_known),
        TEST(test_only_this_server_port_and_name_are_meant_and_any_client),
        TEST(test_families_and_names_cannot_be_mixed_up),
        TEST(test_the_longest_name_fits_and_no_longer_one_is_taken),
        TEST(test_it_never_grows_over_its_bound),
        TEST(test_the_list_says_all_that_is_known_and_nothing_expired),
    };
    return cmocka_run_group_tests(tests, start_rcu, stop_rcu);
}
