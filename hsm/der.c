/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/der.h"

bool der_long_length(struct mg_slice *in, uint8_t first, size_t *len)
{
    size_t num_octets = first & 0x7f;
    uint64_t value;
    if (num_octets < 1 || num_octets > 4 || !mg_slice_u64_of(in, num_octets, &value)) {
        return false;
    }
    uint64_t least = num_octets == 1 ? 0x80 : UINT64_C(1) << (8 * (num_octets - 1));
    if (value < least) {
        return false;
    }
    *len = (size_t)value;
    return true;
}

bool der_boolean(struct mg_slice *in, bool *value)
{
    struct mg_slice content;
    uint8_t octet;
    if (!der_get(in, DER_BOOLEAN, &content) || !mg_slice_u8(&content, &octet) || content.len > 0 ||
        (octet != 0x00 && octet != 0xff)) {
        return false;
    }
    *value = octet == 0xff;
    return true;
}

bool der_integer(struct mg_slice *in, struct mg_slice *content)
{
    if (!der_get(in, DER_INTEGER, content) || content->len == 0) {
        return false;
    }
    struct mg_slice rest = *content;
    uint8_t first, second;
    if (!mg_slice_u8(&rest, &first) || !mg_slice_u8(&rest, &second)) {
        return true; /* a single octet is always the shortest form */
    }
    bool nine_equal_bits = (first == 0x00 && second < 0x80) || (first == 0xff && second >= 0x80);
    return !nine_equal_bits;
}

bool der_unsigned(struct mg_slice *in, struct mg_slice *magnitude)
{
    if (!der_integer(in, magnitude)) {
        return false;
    }
    struct mg_slice rest = *magnitude;
    uint8_t first;
    if (!mg_slice_u8(&rest, &first) || first >= 0x80) {
        return false;
    }
    if (first == 0x00) {
        *magnitude = rest;
    }
    return true;
}

bool der_bit_string(struct mg_slice *in, struct mg_slice *octets)
{
    uint8_t num_unused;
    return der_get(in, DER_BIT_STRING, octets) && mg_slice_u8(octets, &num_unused) && num_unused == 0;
}

bool der_named_bits(struct mg_slice *in, uint8_t *bits)
{
    struct mg_slice content;
    uint8_t num_unused;
    if (!der_get(in, DER_BIT_STRING, &content) || !mg_slice_u8(&content, &num_unused) || num_unused > 7) {
        return false;
    }
    if (content.len == 0) {
        *bits = 0;
        return num_unused == 0;
    }
    if (!mg_slice_u8(&content, bits) || content.len > 0) {
        return false;
    }
    unsigned last_used = 1u << num_unused;
    return (*bits & last_used) != 0 && (*bits & (last_used - 1)) == 0;
}

/* Time */

static bool is_digit(uint8_t octet)
{
    return octet >= '0' && octet <= '9';
}

static bool take_two_digits(struct mg_slice *in, int *value)
{
    struct mg_slice two;
    if (!mg_slice_take(in, &two, 2) || !is_digit(two.data[0]) || !is_digit(two.data[1])) {
        return false;
    }
    *value = (two.data[0] - '0') * 10 + (two.data[1] - '0');
    return true;
}

static bool take_year(struct mg_slice *in, uint8_t tag, int *year)
{
    int century, in_century;
    if (tag == DER_UTC_TIME) {
        if (!take_two_digits(in, &in_century)) {
            return false;
        }
        *year = in_century + (in_century >= 50 ? 1900 : 2000);
        return true;
    }
    if (!take_two_digits(in, &century) || !take_two_digits(in, &in_century)) {
        return false;
    }
    *year = century * 100 + in_century;
    return *year >= 2050;
}

static int days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* days_since_1970 counts in years that begin on 1 March, so that the leap day comes last: day d of month m (0 is
 * March) is day (153 m + 2) / 5 + d - 1 of such a year. */
static int64_t days_since_1970(int year, int month, int day)
{
    int64_t march_year = month > 2 ? year : year - 1;
    int64_t march_month = (month + 9) % 12;
    int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
    int64_t leap_days = march_year / 4 - march_year / 100 + march_year / 400;
    return march_year * 365 + leap_days + day_of_year - 719468; /* days from 0000-03-01 to 1970-01-01 */
}

bool der_time(struct mg_slice *in, int64_t *seconds)
{
    uint8_t tag, zone;
    struct mg_slice content;
    int year, month, day, hour, minute, second;
    if (!der_any(in, &tag, &content, NULL) || (tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME)) {
        return false;
    }
    if (!take_year(&content, tag, &year) || !take_two_digits(&content, &month) || !take_two_digits(&content, &day) ||
        !take_two_digits(&content, &hour) || !take_two_digits(&content, &minute) ||
        !take_two_digits(&content, &second) || !mg_slice_u8(&content, &zone) || zone != 'Z' || content.len > 0) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 59) {
        return false;
    }
    *seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}
