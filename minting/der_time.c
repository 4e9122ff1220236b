/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/der_time.h"

#define SECONDS_PER_DAY 86400

struct date {
    unsigned year, month, day; /* month and day from 1 */
};

/*
 * Days since 1970-01-01 in the Gregorian calendar, in which 400 years ("era") have 146097 days. Counting years from
 * March makes the leap day the last of its year, so that the days before a month are a linear formula.
 */
#define DAYS_PER_ERA 146097
#define DAYS_FROM_YEAR_0_TO_1970 719468 /* from 0000-03-01 */

static int64_t days_of(struct date date)
{
    int64_t year = (int64_t)date.year - (date.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month_from_march = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_FROM_YEAR_0_TO_1970;
}

static struct date date_of(int64_t days)
{
    days += DAYS_FROM_YEAR_0_TO_1970;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    unsigned month = (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    return (struct date){
        .year = (unsigned)(year_of_era + era * 400 + (month <= 2)),
        .month = month,
        .day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool get_two_digits(CBS *in, unsigned *out)
{
    uint8_t tens, ones;
    if (!CBS_get_u8(in, &tens) || tens < '0' || tens > '9' || !CBS_get_u8(in, &ones) || ones < '0' || ones > '9') {
        return false;
    }
    *out = (tens - '0') * 10u + (ones - '0');
    return true;
}

static bool get_year(CBS *in, bool generalized, unsigned *out)
{
    unsigned first, second;
    if (!get_two_digits(in, &first)) {
        return false;
    }
    if (!generalized) {
        *out = first + (first >= 50 ? 1900 : 2000);
        return true;
    }
    if (!get_two_digits(in, &second)) {
        return false;
    }
    *out = first * 100 + second;
    return true;
}

bool der_time_parse(CBS *in, int64_t *out)
{
    bool generalized = CBS_peek_asn1_tag(in, CBS_ASN1_GENERALIZEDTIME);
    CBS text;
    struct date date;
    unsigned hour, minute, second;
    uint8_t zone;
    if (!CBS_get_asn1(in, &text, generalized ? CBS_ASN1_GENERALIZEDTIME : CBS_ASN1_UTCTIME) ||
        !get_year(&text, generalized, &date.year) || !get_two_digits(&text, &date.month) ||
        !get_two_digits(&text, &date.day) || !get_two_digits(&text, &hour) || !get_two_digits(&text, &minute) ||
        !get_two_digits(&text, &second) || !CBS_get_u8(&text, &zone) || zone != 'Z' || CBS_len(&text) != 0) {
        return false;
    }
    if (date.month < 1 || date.month > 12 || date.day < 1 || date.day > days_in_month(date.year, date.month) ||
        hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *out = days_of(date) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    return true;
}

static void put_two_digits(uint8_t *out, unsigned value)
{
    out[0] = (uint8_t)('0' + value / 10);
    out[1] = (uint8_t)('0' + value % 10);
}

bool der_time_add(CBB *out, int64_t time)
{
    if (time < DER_TIME_MIN || time > DER_TIME_MAX) {
        return false;
    }
    int64_t days = time / SECONDS_PER_DAY - (time % SECONDS_PER_DAY < 0);
    struct date date = date_of(days);
    unsigned second_of_day = (unsigned)(time - days * SECONDS_PER_DAY);
    bool generalized = date.year < 1950 || date.year > 2049;
    uint8_t text[] = "YYYYMMDDHHMMSSZ";
    put_two_digits(text, date.year / 100);
    put_two_digits(text + 2, date.year % 100);
    put_two_digits(text + 4, date.month);
    put_two_digits(text + 6, date.day);
    put_two_digits(text + 8, second_of_day / 3600);
    put_two_digits(text + 10, second_of_day / 60 % 60);
    put_two_digits(text + 12, second_of_day % 60);
    size_t skip = generalized ? 0 : 2; /* UTCTime has no century */
    CBB child;
    return CBB_add_asn1(out, &child, generalized ? CBS_ASN1_GENERALIZEDTIME : CBS_ASN1_UTCTIME) &&
           CBB_add_bytes(&child, text + skip, sizeof(text) - 1 - skip) && CBB_flush(out);
}
