/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hsm/der.h"

/* BYTES makes a slice of a string literal that may hold NULs. */
#define BYTES(literal) mg_slice_of("" literal, sizeof(literal) - 1)

static bool reads_any(struct mg_slice in)
{
    uint8_t tag;
    struct mg_slice content;
    return der_any(&in, &tag, &content, NULL);
}

static void test_an_element_has_tag_content_and_whole(void **state)
{
    (void)state;
    struct mg_slice in = BYTES("\x04\x03"
                               "abc"
                               "\x05\x00"),
                    content, whole;
    uint8_t tag;
    assert_true(der_any(&in, &tag, &content, &whole));
    assert_int_equal(tag, DER_OCTET_STRING);
    assert_true(mg_slice_equal(content, BYTES("abc")));
    assert_true(mg_slice_equal(whole, BYTES("\x04\x03"
                                            "abc")));
    assert_true(mg_slice_equal(in, BYTES("\x05\x00")));
    assert_true(der_get(&in, DER_NULL, &content));
    assert_int_equal(content.len, 0);
    assert_int_equal(in.len, 0);
}

static void test_another_tag_leaves_the_input_alone(void **state)
{
    (void)state;
    struct mg_slice in = BYTES("\x04\x01x"), content;
    assert_false(der_get(&in, DER_SEQUENCE, &content));
    assert_int_equal(in.len, 3);
    assert_true(der_next_is(in, DER_OCTET_STRING));
    assert_false(der_next_is(in, DER_NULL));
    assert_false(der_next_is(BYTES(""), DER_NULL));
}

static void test_an_element_longer_than_the_input_is_refused(void **state)
{
    (void)state;
    assert_false(reads_any(BYTES("")));
    assert_false(reads_any(BYTES("\x04")));
    assert_false(reads_any(BYTES("\x04\x02x")));
    assert_false(reads_any(BYTES("\x04\x82\x01")));
    assert_false(reads_any(BYTES("\x04\x84\xff\xff\xff\xff")));
}

static void test_high_tag_numbers_are_refused(void **state)
{
    (void)state;
    assert_false(reads_any(BYTES("\x1f\x81\x01\x00")));
    assert_false(reads_any(BYTES("\xbf\x01\x00")));
    assert_true(reads_any(BYTES("\xbe\x00")));
}

static void test_a_length_is_definite_and_shortest(void **state)
{
    (void)state;
    static uint8_t element[3 + 0x100] = {0x04, 0x81, 0x7f};
    assert_false(reads_any(BYTES("\x30\x80\x00\x00")));      /* indefinite */
    assert_false(reads_any(mg_slice_of(element, 3 + 0x7f))); /* 0x7f fits one octet */
    element[2] = 0x80;
    assert_true(reads_any(mg_slice_of(element, 3 + 0x80)));
    memcpy(element, "\x04\x82\x00\xff", 4);
    assert_false(reads_any(mg_slice_of(element, sizeof(element)))); /* 0xff fits two */
    assert_false(reads_any(BYTES("\x04\x85\x00\x00\x00\x00\x01x")));
    assert_false(reads_any(BYTES("\x04\xff")));
}

static void test_booleans(void **state)
{
    (void)state;
    struct mg_slice yes = BYTES("\x01\x01\xff"), no = BYTES("\x01\x01\x00"), ber = BYTES("\x01\x01\x01"),
                    longer = BYTES("\x01\x02\xff\xff"), empty = BYTES("\x01\x00");
    bool value = false;
    assert_true(der_boolean(&yes, &value) && value);
    assert_true(der_boolean(&no, &value) && !value);
    assert_false(der_boolean(&ber, &value));
    assert_false(der_boolean(&longer, &value));
    assert_false(der_boolean(&empty, &value));
}

static bool reads_integer(struct mg_slice in)
{
    struct mg_slice content;
    return der_integer(&in, &content);
}

static void test_an_integer_is_in_its_shortest_form(void **state)
{
    (void)state;
    assert_true(reads_integer(BYTES("\x02\x01\x00")));
    assert_true(reads_integer(BYTES("\x02\x01\xff")));
    assert_true(reads_integer(BYTES("\x02\x02\x00\x80")));
    assert_true(reads_integer(BYTES("\x02\x02\xff\x7f")));
    assert_false(reads_integer(BYTES("\x02\x00")));
    assert_false(reads_integer(BYTES("\x02\x02\x00\x7f")));
    assert_false(reads_integer(BYTES("\x02\x02\xff\x80")));
}

static void test_an_unsigned_integer_loses_its_leading_zero(void **state)
{
    (void)state;
    struct mg_slice zero = BYTES("\x02\x01\x00"), high = BYTES("\x02\x02\x00\x80"), low = BYTES("\x02\x01\x7f"),
                    negative = BYTES("\x02\x01\x80"), magnitude;
    assert_true(der_unsigned(&zero, &magnitude) && magnitude.len == 0);
    assert_true(der_unsigned(&high, &magnitude) && mg_slice_equal(magnitude, BYTES("\x80")));
    assert_true(der_unsigned(&low, &magnitude) && mg_slice_equal(magnitude, BYTES("\x7f")));
    assert_false(der_unsigned(&negative, &magnitude));
}

static void test_bit_strings(void **state)
{
    (void)state;
    struct mg_slice good = BYTES("\x03\x03\x00\x01\x02"), unused = BYTES("\x03\x02\x01\x02"), empty = BYTES("\x03\x00"),
                    octets;
    assert_true(der_bit_string(&good, &octets) && mg_slice_equal(octets, BYTES("\x01\x02")));
    assert_false(der_bit_string(&unused, &octets));
    assert_false(der_bit_string(&empty, &octets));
}

static bool reads_bits(struct mg_slice in, uint8_t expected)
{
    uint8_t bits;
    return der_named_bits(&in, &bits) && bits == expected;
}

static void test_named_bits_have_no_trailing_zeros(void **state)
{
    (void)state;
    assert_true(reads_bits(BYTES("\x03\x02\x07\x80"), 0x80));
    assert_true(reads_bits(BYTES("\x03\x02\x05\xa0"), 0xa0));
    assert_true(reads_bits(BYTES("\x03\x02\x00\x01"), 0x01));
    assert_true(reads_bits(BYTES("\x03\x01\x00"), 0));
    assert_false(reads_bits(BYTES("\x03\x02\x06\x80"), 0x80));     /* a zero bit is encoded */
    assert_false(reads_bits(BYTES("\x03\x02\x07\xc0"), 0xc0));     /* an unused bit is set */
    assert_false(reads_bits(BYTES("\x03\x02\x08\x80"), 0x80));     /* more than seven unused */
    assert_false(reads_bits(BYTES("\x03\x01\x01"), 0));            /* unused bits of nothing */
    assert_false(reads_bits(BYTES("\x03\x03\x07\x00\x80"), 0x00)); /* nine flags */
}

static bool reads_time(uint8_t tag, const char *text, int64_t expected)
{
    uint8_t element[40] = {tag, (uint8_t)strlen(text)};
    memcpy(element + 2, text, strlen(text));
    struct mg_slice in = mg_slice_of(element, 2 + strlen(text));
    int64_t seconds;
    return der_time(&in, &seconds) && seconds == expected;
}

/* Expected values from: date -u -d "..." +%s */
static void test_times_count_seconds_since_1970(void **state)
{
    (void)state;
    assert_true(reads_time(DER_UTC_TIME, "700101000000Z", 0));
    assert_true(reads_time(DER_UTC_TIME, "691231235959Z", -1));
    assert_true(reads_time(DER_UTC_TIME, "500101000000Z", -631152000));
    assert_true(reads_time(DER_UTC_TIME, "000229120000Z", 951825600));
    assert_true(reads_time(DER_UTC_TIME, "000301000000Z", 951868800));
    assert_true(reads_time(DER_UTC_TIME, "261121094100Z", 1795254060));
    assert_true(reads_time(DER_UTC_TIME, "491231235959Z", 2524607999));
    assert_true(reads_time(DER_GENERALIZED_TIME, "20500101000000Z", 2524608000));
    assert_true(reads_time(DER_GENERALIZED_TIME, "21000301000000Z", 4107542400));
    assert_true(reads_time(DER_GENERALIZED_TIME, "99991231235959Z", 253402300799));
}

static void test_times_that_rfc_5280_section_4_1_2_5_forbids_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t tag;
        const char *text;
    } bad[] = {
        {DER_GENERALIZED_TIME, "20491231235959Z"}, /* before 2050 it must be UTCTime */
        {DER_UTC_TIME, "2611210941Z"},             /* no seconds */
        {DER_UTC_TIME, "261121094100+0000"},       /* not Z */
        {DER_GENERALIZED_TIME, "20501121094100.5Z"},
        {DER_UTC_TIME, "261121094100"},
        {DER_UTC_TIME, "261121094100Zx"},
        {DER_UTC_TIME, "26112109410xZ"},
        {DER_UTC_TIME, "260021094100Z"}, /* month 0 */
        {DER_UTC_TIME, "261321094100Z"}, /* month 13 */
        {DER_UTC_TIME, "261100094100Z"}, /* day 0 */
        {DER_UTC_TIME, "261131094100Z"}, /* 31 November */
        {DER_UTC_TIME, "270229094100Z"}, /* no leap year */
        {DER_GENERALIZED_TIME, "21000229000000Z"},
        {DER_UTC_TIME, "261121244100Z"},
        {DER_UTC_TIME, "261121096000Z"},
        {DER_UTC_TIME, "261121094160Z"}, /* leap seconds are not written */
        {DER_UTC_TIME, ""},
        {DER_OCTET_STRING, "261121094100Z"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        uint8_t element[40] = {bad[i].tag, (uint8_t)strlen(bad[i].text)};
        memcpy(element + 2, bad[i].text, strlen(bad[i].text));
        struct mg_slice in = mg_slice_of(element, 2 + strlen(bad[i].text));
        int64_t seconds;
        assert_false(der_time(&in, &seconds));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_element_has_tag_content_and_whole),
        cmocka_unit_test(test_another_tag_leaves_the_input_alone),
        cmocka_unit_test(test_an_element_longer_than_the_input_is_refused),
        cmocka_unit_test(test_high_tag_numbers_are_refused),
        cmocka_unit_test(test_a_length_is_definite_and_shortest),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_an_integer_is_in_its_shortest_form),
        cmocka_unit_test(test_an_unsigned_integer_loses_its_leading_zero),
        cmocka_unit_test(test_bit_strings),
        cmocka_unit_test(test_named_bits_have_no_trailing_zeros),
        cmocka_unit_test(test_times_count_seconds_since_1970),
        cmocka_unit_test(test_times_that_rfc_5280_section_4_1_2_5_forbids_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
