/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "control/http/throttle.h"
#include "control/http/tickets.h"

#define SECOND MG_NS_PER_SECOND
#define START (UINT64_C(1000000) * SECOND)

static struct throttle *throttle;
static struct tickets *tickets;

static int set_up(void **state)
{
    (void)state;
    return throttle_new(&throttle, NULL) == MG_OK && tickets_new(&tickets, NULL) == MG_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    throttle_free(throttle);
    tickets_free(tickets);
    return 0;
}

/* ---- brute force ---- */

static void test_failures_of_a_user_cost_more_each_time(void **state)
{
    (void)state;
    static const uint64_t waits[] = {0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60};
    uint64_t now_ns = START;
    for (size_t i = 0; i < MG_ARRAY_LEN(waits); i++) {
        throttle_failed(throttle, "alice", "", now_ns);
        assert_int_equal(throttle_wait(throttle, "alice", "192.0.2.1", now_ns), waits[i]);
        now_ns += waits[i] * SECOND;
        assert_int_equal(throttle_wait(throttle, "alice", "192.0.2.1", now_ns), 0);
    }
    assert_int_equal(throttle_wait(throttle, "bob", "192.0.2.1", START), 0);
}

static void test_failures_from_an_address_count_whatever_the_user(void **state)
{
    (void)state;
    char user[32];
    for (int i = 0; i < 20; i++) {
        snprintf(user, sizeof(user), "user %d", i);
        throttle_failed(throttle, user, "192.0.2.1", START);
    }
    assert_int_equal(throttle_wait(throttle, "carol", "192.0.2.1", START), 0);
    throttle_failed(throttle, "", "192.0.2.1", START);
    assert_int_equal(throttle_wait(throttle, "carol", "192.0.2.1", START), 1);
    assert_int_equal(throttle_wait(throttle, "carol", "192.0.2.2", START), 0);
    assert_int_equal(throttle_wait(throttle, "carol", "", START), 0);
}

static void test_an_ipv6_address_counts_by_its_64(void **state)
{
    (void)state;
    char address[64];
    for (int i = 0; i < 21; i++) {
        snprintf(address, sizeof(address), "2001:db8::%x", i + 1);
        throttle_failed(throttle, "", address, START);
    }
    assert_int_equal(throttle_wait(throttle, "", "2001:db8::ffff", START), 1);
    assert_int_equal(throttle_wait(throttle, "", "2001:db8:0:1::1", START), 0);
}

static void test_success_clears_the_user_and_time_clears_all(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        throttle_failed(throttle, "alice", "192.0.2.1", START);
    }
    throttle_succeeded(throttle, "alice");
    assert_int_equal(throttle_wait(throttle, "alice", "", START), 0);
    assert_int_equal(throttle_wait(throttle, "alice", "192.0.2.1", START), 16); /* still from there */
    throttle_failed(throttle, "alice", "192.0.2.1", START + 901 * SECOND);
    assert_int_equal(throttle_wait(throttle, "alice", "192.0.2.1", START + 901 * SECOND), 0);
}

/* Requests are stamped when they begin: one that began earlier must not make the later ones look ages old. */
static void test_a_time_a_little_earlier_forgets_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        throttle_failed(throttle, "alice", "", START);
    }
    assert_int_not_equal(throttle_wait(throttle, "bob", "", START - 1), 1);
    assert_int_not_equal(throttle_wait(throttle, "alice", "", START - 1), 0);
    assert_int_not_equal(throttle_wait(throttle, "alice", "", START), 0);
}

static void test_of_too_many_subjects_the_oldest_is_forgotten(void **state)
{
    (void)state;
    char user[32];
    for (int i = 0; i < 6; i++) {
        throttle_failed(throttle, "alice", "", START);
    }
    for (int i = 0; i < THROTTLE_MAX_SUBJECTS - 1; i++) {
        snprintf(user, sizeof(user), "user %d", i);
        throttle_failed(throttle, user, "", START + 1);
    }
    assert_int_not_equal(throttle_wait(throttle, "alice", "", START + 1), 0);
    assert_int_equal(throttle_num_displaced(throttle), 0);
    throttle_failed(throttle, "one more", "", START + 1);
    assert_int_equal(throttle_num_displaced(throttle), 1);
    assert_int_equal(throttle_wait(throttle, "alice", "", START + 1), 0);
}

/* ---- sessions and tokens ---- */

static const struct ticket_owner alice = {.name = "alice", .stamp = 7};
static const struct ticket_owner alice_client = {.name = "alice", .is_client = true, .stamp = 8};
static char text[TICKET_TEXT_LEN];

static void issue(enum ticket_kind kind, const struct ticket_owner *owner, uint64_t now_ns)
{
    assert_int_equal(tickets_issue(tickets, kind, owner, now_ns, text, NULL), MG_OK);
}

static bool use(enum ticket_kind kind, const char *what, uint64_t now_ns)
{
    struct ticket_owner owner;
    return tickets_use(tickets, kind, mg_slice_of_text(what), now_ns, &owner);
}

static void test_a_ticket_names_its_owner_and_is_of_its_kind(void **state)
{
    (void)state;
    struct ticket_owner owner;
    issue(TICKET_SESSION, &alice, START);
    assert_int_equal(strlen(text), 32); /* 128 bits */
    assert_true(tickets_use(tickets, TICKET_SESSION, mg_slice_of_text(text), START, &owner));
    assert_string_equal(owner.name, "alice");
    assert_true(!owner.is_client && owner.stamp == 7);
    assert_false(use(TICKET_TOKEN, text, START));
    text[31] ^= 1;
    assert_false(use(TICKET_SESSION, text, START));
    issue(TICKET_TOKEN, &alice_client, START);
    assert_int_equal(strlen(text), 64);
    assert_true(use(TICKET_TOKEN, text, START));
    assert_false(use(TICKET_TOKEN, "", START));
}

static void test_a_session_ends_when_it_is_idle_or_old(void **state)
{
    (void)state;
    issue(TICKET_SESSION, &alice, START);
    assert_true(use(TICKET_SESSION, text, START + 299 * SECOND));
    assert_true(use(TICKET_SESSION, text, START + 598 * SECOND));
    assert_false(use(TICKET_SESSION, text, START + 898 * SECOND));
    issue(TICKET_SESSION, &alice, START);
    for (uint64_t second = 0; second < 8 * 3600; second += 240) {
        assert_true(use(TICKET_SESSION, text, START + second * SECOND));
    }
    assert_false(use(TICKET_SESSION, text, START + 8 * 3600 * SECOND));
}

static void test_a_token_counts_for_an_hour_used_or_not(void **state)
{
    (void)state;
    issue(TICKET_TOKEN, &alice_client, START);
    assert_true(use(TICKET_TOKEN, text, START + 3599 * SECOND));
    assert_false(use(TICKET_TOKEN, text, START + 3600 * SECOND));
}

static void test_an_ended_ticket_counts_no_longer(void **state)
{
    (void)state;
    issue(TICKET_SESSION, &alice, START);
    tickets_end(tickets, TICKET_TOKEN, mg_slice_of_text(text));
    assert_true(use(TICKET_SESSION, text, START));
    tickets_end(tickets, TICKET_SESSION, mg_slice_of_text(text));
    assert_false(use(TICKET_SESSION, text, START));
    tickets_end(tickets, TICKET_SESSION, mg_slice_of_text(text));
}

static void test_an_owner_with_too_many_loses_the_oldest(void **state)
{
    (void)state;
    char first[TICKET_TEXT_LEN], second[TICKET_TEXT_LEN];
    issue(TICKET_SESSION, &alice, START);
    memcpy(first, text, sizeof(first));
    issue(TICKET_SESSION, &alice, START + 1);
    memcpy(second, text, sizeof(second));
    for (int i = 0; i < 255; i++) {
        issue(TICKET_SESSION, &alice, START + 2);
    }
    assert_int_equal(tickets_count(tickets, TICKET_SESSION, START + 2), 256);
    assert_int_equal(tickets_num_replaced(tickets), 1);
    assert_false(use(TICKET_SESSION, first, START + 2));
    assert_true(use(TICKET_SESSION, second, START + 2));
}

static void test_all_tickets_together_are_bounded(void **state)
{
    (void)state;
    struct ticket_owner owner = {.stamp = 1};
    for (int i = 0; i < TICKETS_MAX; i++) {
        snprintf(owner.name, sizeof(owner.name), "user%d", i);
        issue(TICKET_SESSION, &owner, START);
    }
    assert_int_equal(tickets_issue(tickets, TICKET_SESSION, &alice, START, text, NULL), MG_LIMIT);
    assert_int_equal(tickets_issue(tickets, TICKET_SESSION, &alice, START + 300 * SECOND, text, NULL), MG_OK);
}

#define TIME_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIME_TEST(test_failures_of_a_user_cost_more_each_time),
        TIME_TEST(test_failures_from_an_address_count_whatever_the_user),
        TIME_TEST(test_an_ipv6_address_counts_by_its_64),
        TIME_TEST(test_success_clears_the_user_and_time_clears_all),
        TIME_TEST(test_a_time_a_little_earlier_forgets_nothing),
        TIME_TEST(test_of_too_many_subjects_the_oldest_is_forgotten),
        TIME_TEST(test_a_ticket_names_its_owner_and_is_of_its_kind),
        TIME_TEST(test_a_session_ends_when_it_is_idle_or_old),
        TIME_TEST(test_a_token_counts_for_an_hour_used_or_not),
        TIME_TEST(test_an_ended_ticket_counts_no_longer),
        TIME_TEST(test_an_owner_with_too_many_loses_the_oldest),
        TIME_TEST(test_all_tickets_together_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
