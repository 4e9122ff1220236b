/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "minting/der_time.h"

static bool parse(uint8_t tag, const char *text, int64_t *out)
{
    uint8_t der[64] = {tag, (uint8_t)strlen(text)};
    memcpy(der + 2, text, strlen(text));
    CBS cbs;
    CBS_init(&cbs, der, 2 + strlen(text));
    return der_time_parse(&cbs, out) && CBS_len(&cbs) == 0;
}

#define UTC 0x17
#define GENERALIZED 0x18

static void assert_time(uint8_t tag, const char *text, int64_t expected)
{
    int64_t time;
    assert_true(parse(tag, text, &time));
    assert_int_equal(time, expected);
}

static void assert_refused(uint8_t tag, const char *text)
{
    int64_t time;
    assert_false(parse(tag, text, &time));
}

/* RFC 5280 section 4.1.2.5.1: YY from 50 is 19YY. */
static void test_utc_time(void **state)
{
    (void)state;
    assert_time(UTC, "700101000000Z", 0);
    assert_time(UTC, "991231235959Z", 946684799);
    assert_time(UTC, "000229120000Z", 951825600);
    assert_time(UTC, "500101000000Z", -631152000);
    assert_time(UTC, "491231235959Z", 2524607999);
}

static void test_generalized_time(void **state)
{
    (void)state;
    assert_time(GENERALIZED, "20500101000000Z", 2524608000);
    assert_time(GENERALIZED, "99991231235959Z", DER_TIME_MAX);
    assert_time(GENERALIZED, "00000101000000Z", DER_TIME_MIN);
    assert_time(GENERALIZED, "20300101000000Z", 1893456000);
}

static void test_loose_forms_are_refused(void **state)
{
    (void)state;
    static const char *const utc[] = {
        "",
        "7001010000Z",       /* no seconds */
        "700101000000",      /* no Z */
        "700101000000+0000", /* offset */
        "700101000000Z0",    /* bytes left over */
        "700101 00000Z",     /* not a digit */
        "700001000000Z",     /* month 0 */
        "701301000000Z",     /* month 13 */
        "700100000000Z",     /* day 0 */
        "700132000000Z",     /* day 32 */
        "010229000000Z",     /* no leap year */
        "700101240000Z",     /* hour 24 */
        "700101006000Z",     /* minute 60 */
        "161231235960Z",     /* leap second */
    };
    for (size_t i = 0; i < sizeof(utc) / sizeof(utc[0]); i++) {
        assert_refused(UTC, utc[i]);
    }
    assert_refused(GENERALIZED, "20500101000000.5Z");
    assert_refused(GENERALIZED, "500101000000Z");
    assert_refused(GENERALIZED, "21000229000000Z");
    assert_refused(0x16, "700101000000Z");
}

static void test_every_month_ends_where_it_ends(void **state)
{
    (void)state;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 1; month <= 12; month++) {
        for (int day = 27; day <= 32; day++) {
            char text[32];
            int64_t ignored;
            snprintf(text, sizeof(text), "26%02d%02d000000Z", month, day);
            assert_int_equal(parse(UTC, text, &ignored), day <= days[month - 1]);
        }
    }
}

static void test_every_character_counts(void **state)
{
    (void)state;
    static const char good[] = "261112101112Z";
    for (size_t i = 0; i < sizeof(good) - 1; i++) {
        for (const char *bad = "/:aZ "; *bad != '\0'; bad++) {
            char text[sizeof(good)];
            memcpy(text, good, sizeof(good));
            text[i] = *bad;
            int64_t ignored;
            assert_int_equal(parse(UTC, text, &ignored), *bad == good[i]);
        }
        /* cut short there */
        char text[sizeof(good)] = "";
        memcpy(text, good, i);
        assert_refused(UTC, text);
    }
}

static size_t encode(uint8_t out[32], int64_t time)
{
    CBB cbb;
    assert_true(CBB_init_fixed(&cbb, out, 32));
    assert_true(der_time_add(&cbb, time));
    size_t len = CBB_len(&cbb);
    CBB_cleanup(&cbb);
    return len;
}

/* RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
static void test_type_changes_in_2050(void **state)
{
    (void)state;
    uint8_t der[32];
    assert_int_equal(encode(der, 2524607999), 15);
    assert_memory_equal(der,
                        "\x17\x0d"
                        "491231235959Z",
                        15);
    assert_int_equal(encode(der, 2524608000), 17);
    assert_memory_equal(der,
                        "\x18\x0f"
                        "20500101000000Z",
                        17);
    assert_int_equal(encode(der, -631152001), 17);
    assert_memory_equal(der,
                        "\x18\x0f"
                        "19491231235959Z",
                        17);
    assert_int_equal(encode(der, -631152000), 15);
}

static void test_out_of_range_is_not_written(void **state)
{
    (void)state;
    CBB cbb;
    assert_true(CBB_init(&cbb, 32));
    assert_false(der_time_add(&cbb, DER_TIME_MAX + 1));
    assert_false(der_time_add(&cbb, DER_TIME_MIN - 1));
    CBB_cleanup(&cbb);
}

/* Against the C library, a prime number of seconds apart, over all that GeneralizedTime can say. */
static void test_agrees_with_gmtime_everywhere(void **state)
{
    (void)state;
    for (int64_t time = DER_TIME_MIN; time <= DER_TIME_MAX; time += 1299709) {
        time_t seconds = (time_t)time;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        char expected[64];
        snprintf(expected, sizeof(expected), "%04d%02d%02d%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
        uint8_t der[32];
        size_t len = encode(der, time);
        size_t text_len = len - 2;
        assert_memory_equal(der + 2, expected + (15 - text_len), text_len);
        CBS cbs;
        CBS_init(&cbs, der, len);
        int64_t back;
        assert_true(der_time_parse(&cbs, &back));
        assert_int_equal(back, time);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utc_time),
        cmocka_unit_test(test_generalized_time),
        cmocka_unit_test(test_loose_forms_are_refused),
        cmocka_unit_test(test_every_month_ends_where_it_ends),
        cmocka_unit_test(test_every_character_counts),
        cmocka_unit_test(test_type_changes_in_2050),
        cmocka_unit_test(test_out_of_range_is_not_written),
        cmocka_unit_test(test_agrees_with_gmtime_everywhere),
    };
    return cmocka_run_group_tests_name("der_time", tests, NULL, NULL);
}
