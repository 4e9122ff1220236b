/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to warn of the end of something that lives long, such as a certificate: from 30 days before it, once a day, and
 * each time that a further band is entered: 30, 14, 7, 3 and 1 days, and the end itself. Times are in seconds since
 * 1970. Pure: any thread, each countdown with one.
 */
#ifndef MINTGATE_BASE_COUNTDOWN_H
#define MINTGATE_BASE_COUNTDOWN_H

#include <stdbool.h>
#include <stdint.h>

#define MG_COUNTDOWN_SECONDS_PER_DAY INT64_C(86400)
#define MG_COUNTDOWN_FIRST_DAYS 30

/* Zero state: nothing was said yet. */
struct mg_countdown {
    int band;     /* that was warned of last; 0: none */
    int64_t said; /* when */
};

/* mg_countdown_band returns in which band |now| is: 0 while there is more time than 30 days, then 1, 2 and so on;
 * MG_COUNTDOWN_OVER after |end|, which is the last second. */
#define MG_COUNTDOWN_OVER 6
int mg_countdown_band(int64_t end, int64_t now);

/* mg_countdown_warns tells whether it is time to warn, and notes it. Where the end has moved away it begins anew. */
bool mg_countdown_warns(struct mg_countdown *countdown, int64_t end, int64_t now);

/* mg_countdown_days returns how many whole days are left; -1 after |end|. */
int64_t mg_countdown_days(int64_t end, int64_t now);

#endif
