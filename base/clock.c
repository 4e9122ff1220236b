/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

static int64_t timespec_scaled(const struct timespec *ts, int64_t units_per_second)
{
    return (int64_t)ts->tv_sec * units_per_second + ts->tv_nsec / (1000000000 / units_per_second);
}

uint64_t mg_clock_monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)timespec_scaled(&ts, 1000000000);
}

uint64_t mg_clock_thread_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)timespec_scaled(&ts, 1000000000);
}

int mg_clock_wait_ms(uint64_t now_ns, uint64_t until_ns)
{
    if (until_ns <= now_ns) {
        return 0;
    }
    uint64_t wait_ms = (until_ns - now_ns - 1) / MG_NS_PER_MS + 1;
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

int64_t mg_clock_wall_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec;
}

int64_t mg_clock_wall_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return timespec_scaled(&ts, 1000000);
}

void mg_clock_format_us(char out[MG_CLOCK_TEXT_LEN], int64_t wall_us)
{
    int us = (int)(wall_us % 1000000);
    time_t seconds = (time_t)(wall_us / 1000000);
    if (us < 0) { /* before 1970, where the division rounded up */
        us += 1000000;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[sizeof("2026-11-21T09:41:00")];
    if (strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        date[0] = '\0'; /* a year beyond four digits */
    }
    snprintf(out, MG_CLOCK_TEXT_LEN, "%s.%06dZ", date, us);
}
