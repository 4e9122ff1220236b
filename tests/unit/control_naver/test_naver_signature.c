/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/naver/naver_signature.h"

#define SECRET mg_slice_of_text("a secret key")

static const struct naver_signed signed_with_query = {.method = "POST",
                                                      .target = "/api/v1/ca?caType=PRIVATE_ROOT",
                                                      .timestamp = "1795247636342",
                                                      .access_key = "ACCESSKEY0123456789A"};

/* Made with openssl: printf '%s' "POST TARGET\nTIMESTAMP\nKEY" | openssl dgst -sha256 -hmac 'a secret key' -binary |
 * base64 */
#define OVER_WHOLE "a+AZ+KHmE6dxIMl46HJ7n2SnaRZRvATaARgroV52qbw="
#define OVER_PATH "kjTluPatSXs0+rFlHLUYNffY1gEzIYRXXaVAtxxbr+0="

static bool holds(const struct naver_signed *what, const char *signature, bool query_is_optional)
{
    uint8_t mac[NAVER_MAC_LEN];
    return naver_signature_holds(what, SECRET, signature, query_is_optional, mac);
}

/* contracts.md section 5.1. */
static void test_v2_covers_the_query_and_v1_may_leave_it_out(void **state)
{
    (void)state;
    assert_true(holds(&signed_with_query, OVER_WHOLE, false));
    assert_true(holds(&signed_with_query, OVER_WHOLE, true));
    assert_false(holds(&signed_with_query, OVER_PATH, false));
    assert_true(holds(&signed_with_query, OVER_PATH, true));
}

static void test_each_part_is_covered(void **state)
{
    (void)state;
    struct naver_signed other = signed_with_query;
    other.method = "PUT";
    assert_false(holds(&other, OVER_WHOLE, true));
    other = signed_with_query;
    other.target = "/api/v1/cb?caType=PRIVATE_ROOT";
    assert_false(holds(&other, OVER_PATH, true));
    other = signed_with_query;
    other.timestamp = "1795247636343";
    assert_false(holds(&other, OVER_WHOLE, true));
    other = signed_with_query;
    other.access_key = "ACCESSKEY0123456789B";
    assert_false(holds(&other, OVER_WHOLE, true));
    uint8_t mac[NAVER_MAC_LEN];
    assert_false(naver_signature_holds(&signed_with_query, mg_slice_of_text("a secret kex"), OVER_WHOLE, true, mac));
    assert_false(naver_signature_holds(&signed_with_query, mg_slice_of_text(""), OVER_WHOLE, true, mac));
}

static void test_what_is_no_signature_is_none(void **state)
{
    (void)state;
    char text[64];
    static const char *const bad[] = {"",
                                      "=",
                                      "x",
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
                                      "????????????????????????????????????????????"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(holds(&signed_with_query, bad[i], true));
    }
    for (size_t i = 0; i < strlen(OVER_WHOLE); i++) {
        strcpy(text, OVER_WHOLE);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        /* The last character has two bits that stand for nothing. */
        assert_false(i < strlen(OVER_WHOLE) - 2 && holds(&signed_with_query, text, true));
        text[i] = '\0';
        assert_false(holds(&signed_with_query, text, true));
    }
}

/* A replay has the same MAC, however it is written. */
static void test_a_signature_has_one_name(void **state)
{
    (void)state;
    uint8_t first[NAVER_MAC_LEN], again[NAVER_MAC_LEN];
    assert_true(naver_signature_holds(&signed_with_query, SECRET, OVER_PATH, true, first));
    struct naver_signed without = signed_with_query;
    without.target = "/api/v1/ca";
    assert_true(naver_signature_holds(&without, SECRET, OVER_PATH, false, again));
    assert_memory_equal(first, again, sizeof(first));
}

static void test_timestamps_count_for_five_minutes_before_and_behind(void **state)
{
    (void)state;
    int64_t now = INT64_C(1795247636342), out;
    assert_true(naver_timestamp_is_near("1795247636342", now, &out));
    assert_int_equal(out, now);
    assert_true(naver_timestamp_is_near("1795247336342", now, &out));
    assert_true(naver_timestamp_is_near("1795247936342", now, &out));
    assert_false(naver_timestamp_is_near("1795247336341", now, &out));
    assert_false(naver_timestamp_is_near("1795247936343", now, &out));
    static const char *const bad[] = {"",
                                      "x",
                                      "-1",
                                      "+1",
                                      " 1795247636342",
                                      "1795247636342 ",
                                      "1795247636",
                                      "0",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "1795247636342.0"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(naver_timestamp_is_near(bad[i], now, &out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v2_covers_the_query_and_v1_may_leave_it_out),
        cmocka_unit_test(test_each_part_is_covered),
        cmocka_unit_test(test_what_is_no_signature_is_none),
        cmocka_unit_test(test_a_signature_has_one_name),
        cmocka_unit_test(test_timestamps_count_for_five_minutes_before_and_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
