/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "minting/validity.h"

#define DAY VALIDITY_SECONDS_PER_DAY
#define NOW INT64_C(1780000000) /* 2026-05-28 */
#define IN_2029 INT64_C(1870000000)

static const struct validity wide_issuer = {NOW - 3650 * DAY, NOW + 7300 * DAY};

/* Decides for a server whose window is |before| and |after| days from NOW. */
static struct validity decide(double before, double after, struct validity issuer, bool must_be_valid)
{
    const struct validity server = {NOW + (int64_t)(before * (double)DAY), NOW + (int64_t)(after * (double)DAY)};
    struct validity out;
    assert_int_equal(validity_decide(&out, server, issuer, NOW, VALIDITY_DEFAULT_MAX_SECONDS, must_be_valid, NULL),
                     MG_OK);
    assert_true(out.not_before <= out.not_after);
    assert_true(out.not_before >= issuer.not_before && out.not_after <= issuer.not_after);
    assert_true(out.not_after - out.not_before + 1 <= VALIDITY_DEFAULT_MAX_SECONDS);
    return out;
}

static void test_a_short_window_is_mimicked_exactly(void **state)
{
    (void)state;
    struct validity out = decide(-30, 60, wide_issuer, true);
    assert_int_equal(out.not_before, NOW - 30 * DAY);
    assert_int_equal(out.not_after, NOW + 60 * DAY);
}

static void test_a_window_never_exceeds_the_issuers(void **state)
{
    (void)state;
    const struct validity issuer = {NOW - 5 * DAY, NOW + 10 * DAY};
    struct validity out = decide(-30, 60, issuer, true);
    assert_int_equal(out.not_before, issuer.not_before);
    assert_int_equal(out.not_after, issuer.not_after);
}

/* Scar: leaf validity over the clients' limit counts the backdating too. Both ends are inclusive: a window of 200 days
 * ends one second before its 200th anniversary. */
static void test_scar_backdating_counts_towards_the_limit(void **state)
{
    (void)state;
    struct validity out = decide(-100, 298, wide_issuer, true);
    assert_int_equal(out.not_before, NOW - DAY);
    assert_int_equal(out.not_after, NOW - DAY + 200 * DAY - 1);

    out = decide(-300, 98, wide_issuer, true);
    assert_int_equal(out.not_before, NOW - DAY);
    assert_int_equal(out.not_after, NOW + 98 * DAY);
}

static void test_a_window_of_exactly_the_limit_is_not_cut(void **state)
{
    (void)state;
    const struct validity server = {NOW - 100 * DAY, NOW + 100 * DAY - 1};
    struct validity out;
    assert_int_equal(validity_decide(&out, server, wide_issuer, NOW, 200 * DAY, true, NULL), MG_OK);
    assert_int_equal(out.not_before, server.not_before);
    const struct validity longer = {NOW - 100 * DAY, NOW + 100 * DAY};
    assert_int_equal(validity_decide(&out, longer, wide_issuer, NOW, 200 * DAY, true, NULL), MG_OK);
    assert_int_equal(out.not_before, NOW - DAY);
}

static void test_client_limits_by_date(void **state)
{
    (void)state;
    assert_int_equal(validity_client_limit(INT64_C(1773532799)), 398 * DAY);
    assert_int_equal(validity_client_limit(INT64_C(1773532800)), 200 * DAY);
    assert_int_equal(validity_client_limit(INT64_C(1805068799)), 200 * DAY);
    assert_int_equal(validity_client_limit(INT64_C(1805068800)), 100 * DAY);
    assert_int_equal(validity_client_limit(INT64_C(1868227199)), 100 * DAY);
    assert_int_equal(validity_client_limit(INT64_C(1868227200)), 47 * DAY);
}

static void test_the_configured_maximum_is_capped_by_the_clients_limit(void **state)
{
    (void)state;
    const struct validity server = {IN_2029 - 100 * DAY, IN_2029 + 100 * DAY};
    struct validity out;
    assert_int_equal(validity_decide(&out, server, wide_issuer, IN_2029, 200 * DAY, true, NULL), MG_OK);
    assert_int_equal(out.not_after - out.not_before + 1, 47 * DAY);
    assert_int_equal(validity_decide(&out, server, wide_issuer, IN_2029, 10 * DAY, true, NULL), MG_OK);
    assert_int_equal(out.not_after - out.not_before + 1, 10 * DAY);
}

/* A certificate issued before a limit came is judged by the limit of today, which is the stricter. */
static void test_an_old_not_before_does_not_loosen_the_limit(void **state)
{
    (void)state;
    const int64_t now = INT64_C(1773532800) + DAY;
    const struct validity server = {now - 10 * DAY, now + 290 * DAY};
    struct validity out;
    assert_int_equal(validity_decide(&out, server, wide_issuer, now, 398 * DAY, true, NULL), MG_OK);
    assert_int_equal(out.not_after - out.not_before + 1, 200 * DAY);
}

static void test_a_tiny_maximum_still_holds_now(void **state)
{
    (void)state;
    const struct validity server = {NOW - 100 * DAY, NOW + 100 * DAY};
    for (int64_t max_seconds = 1; max_seconds < 10; max_seconds++) {
        struct validity out;
        assert_int_equal(validity_decide(&out, server, wide_issuer, NOW, max_seconds, true, NULL), MG_OK);
        assert_int_equal(out.not_after - out.not_before + 1, max_seconds);
        assert_true(out.not_before <= NOW && NOW <= out.not_after);
    }
}

static void test_the_last_second_of_a_long_window_is_still_valid(void **state)
{
    (void)state;
    struct validity out = decide(-400, 0, wide_issuer, true);
    assert_int_equal(out.not_before, NOW - DAY);
    assert_int_equal(out.not_after, NOW);
    out = decide(0, 400, wide_issuer, true);
    assert_int_equal(out.not_before, NOW);
    assert_int_equal(out.not_after, NOW + 200 * DAY - 1);
}

static void assert_denied(struct validity server, struct validity issuer, const char *word)
{
    struct validity out;
    struct mg_error error;
    assert_int_equal(validity_decide(&out, server, issuer, NOW, 200 * DAY, true, &error), MG_DENIED);
    assert_non_null(strstr(error.text, word));
}

static void test_no_trusted_leaf_for_a_window_without_now(void **state)
{
    (void)state;
    assert_denied((struct validity){NOW - 90 * DAY, NOW - 1}, wide_issuer, "expired");
    assert_denied((struct validity){NOW + 1, NOW + 90 * DAY}, wide_issuer, "not yet valid");
    assert_denied((struct validity){NOW - 90 * DAY, NOW + 90 * DAY}, (struct validity){NOW - 9 * DAY, NOW - 1},
                  "expired");
    assert_denied((struct validity){NOW - 900 * DAY, NOW - 800 * DAY}, (struct validity){NOW - 9 * DAY, NOW + 9 * DAY},
                  "expired");
    assert_denied((struct validity){NOW + 90 * DAY, NOW - 90 * DAY}, wide_issuer, "");
}

static void test_an_untrusted_leaf_stays_expired(void **state)
{
    (void)state;
    struct validity out = decide(-400, -1, wide_issuer, false);
    assert_int_equal(out.not_after, NOW - DAY);
    assert_int_equal(out.not_before, NOW - DAY - 200 * DAY + 1);
}

static void test_an_untrusted_leaf_stays_not_yet_valid(void **state)
{
    (void)state;
    struct validity out = decide(1, 400, wide_issuer, false);
    assert_int_equal(out.not_before, NOW + DAY);
    assert_int_equal(out.not_after, NOW + DAY + 200 * DAY - 1);
}

static void test_a_window_outside_the_issuers_leaves_a_second_at_its_nearer_end(void **state)
{
    (void)state;
    const struct validity issuer = {NOW - 5 * DAY, NOW + 10 * DAY};
    struct validity out = decide(-100, -50, issuer, false);
    assert_int_equal(out.not_before, issuer.not_before);
    assert_int_equal(out.not_after, issuer.not_before);
    out = decide(50, 100, issuer, false);
    assert_int_equal(out.not_before, issuer.not_after);
    assert_int_equal(out.not_after, issuer.not_after);
    out = decide(50, -50, issuer, false); /* the wrong way round */
    assert_int_equal(out.not_after, issuer.not_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_short_window_is_mimicked_exactly),
        cmocka_unit_test(test_a_window_never_exceeds_the_issuers),
        cmocka_unit_test(test_scar_backdating_counts_towards_the_limit),
        cmocka_unit_test(test_a_window_of_exactly_the_limit_is_not_cut),
        cmocka_unit_test(test_client_limits_by_date),
        cmocka_unit_test(test_the_configured_maximum_is_capped_by_the_clients_limit),
        cmocka_unit_test(test_an_old_not_before_does_not_loosen_the_limit),
        cmocka_unit_test(test_a_tiny_maximum_still_holds_now),
        cmocka_unit_test(test_the_last_second_of_a_long_window_is_still_valid),
        cmocka_unit_test(test_no_trusted_leaf_for_a_window_without_now),
        cmocka_unit_test(test_an_untrusted_leaf_stays_expired),
        cmocka_unit_test(test_an_untrusted_leaf_stays_not_yet_valid),
        cmocka_unit_test(test_a_window_outside_the_issuers_leaves_a_second_at_its_nearer_end),
    };
    return cmocka_run_group_tests_name("validity", tests, NULL, NULL);
}
