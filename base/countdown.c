/* SPDX-License-Identifier: Apache-2.0 */
#include "base/countdown.h"

#include <stddef.h>

#include "base/attr.h"

static const int band_days[] = {MG_COUNTDOWN_FIRST_DAYS, 14, 7, 3, 1};
_Static_assert(MG_ARRAY_LEN(band_days) + 1 == MG_COUNTDOWN_OVER, "the band behind the last is the end");

int mg_countdown_band(int64_t end, int64_t now)
{
    int band = 0;
    if (now > end) {
        return MG_COUNTDOWN_OVER;
    }
    while ((size_t)band < MG_ARRAY_LEN(band_days) && end - now <= band_days[band] * MG_COUNTDOWN_SECONDS_PER_DAY) {
        band++;
    }
    return band;
}

bool mg_countdown_warns(struct mg_countdown *countdown, int64_t end, int64_t now)
{
    int band = mg_countdown_band(end, now);
    bool entered = band > countdown->band;
    bool day_over = band > 0 && now - countdown->said >= MG_COUNTDOWN_SECONDS_PER_DAY;
    countdown->band = band;
    if (!entered && !day_over) {
        return false;
    }
    countdown->said = now;
    return true;
}

int64_t mg_countdown_days(int64_t end, int64_t now)
{
    return now > end ? -1 : (end - now) / MG_COUNTDOWN_SECONDS_PER_DAY;
}
