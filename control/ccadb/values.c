/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/values.h"

#include <string.h>
#include <strings.h>

#define DATE_LEN 10

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static unsigned number_of(const char *digits, size_t num_digits)
{
    unsigned number = 0;
    for (size_t i = 0; i < num_digits; i++) {
        number = number * 10 + (unsigned)(digits[i] - '0');
    }
    return number;
}

static unsigned days_of(unsigned year, unsigned month)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool value_is_date(const char *text)
{
    if (strlen(text) != DATE_LEN) {
        return false;
    }
    for (size_t i = 0; i < DATE_LEN; i++) {
        if (i == 4 || i == 7 ? text[i] != '-' : !is_digit(text[i])) {
            return false;
        }
    }
    unsigned year = number_of(text, 4), month = number_of(text + 5, 2), day = number_of(text + 8, 2);
    return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= days_of(year, month);
}

/* has_authority tells whether |rest|, what stands behind "scheme://", begins with something. */
static bool has_authority(const char *rest)
{
    return strcspn(rest, "/?#") > 0 && rest[0] != ':' && rest[0] != '@';
}

static bool is_uri_text(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= 0x20 || *at >= 0x7f || strchr("\"<>\\^`{|}", *at) != NULL) {
            return false;
        }
    }
    return strlen(text) <= VALUES_MAX_URL;
}

static bool has_scheme(const char *text, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncasecmp(text, scheme, len) == 0 && has_authority(text + len) && is_uri_text(text);
}

bool value_is_url(const char *text)
{
    return has_scheme(text, "http://") || has_scheme(text, "https://");
}

bool value_is_https(const char *text)
{
    return has_scheme(text, "https://");
}
