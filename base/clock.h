/* SPDX-License-Identifier: Apache-2.0 */
/* Time as plain numbers. State machines take the time as a parameter; only loops and main functions read it here. */
#ifndef MINTGATE_BASE_CLOCK_H
#define MINTGATE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define MG_NS_PER_SECOND UINT64_C(1000000000)
#define MG_NS_PER_MS UINT64_C(1000000)
#define MG_NS_PER_US UINT64_C(1000)

/* mg_clock_monotonic_ns returns nanoseconds since some fixed point in the past. */
uint64_t mg_clock_monotonic_ns(void);

/* mg_clock_thread_cpu_ns returns the CPU time that the calling thread has had, user and kernel. A system call. */
uint64_t mg_clock_thread_cpu_ns(void);

/* mg_clock_wall_seconds returns seconds since 1970-01-01T00:00:00Z, for certificates and records. */
int64_t mg_clock_wall_seconds(void);

/* mg_clock_wall_us returns microseconds since 1970-01-01T00:00:00Z. */
int64_t mg_clock_wall_us(void);

/* mg_clock_wait_ms returns how long to wait for |until_ns|, for epoll_wait: rounded up, so that the time has come then;
 * 0 if it has. At most INT_MAX. */
int mg_clock_wait_ms(uint64_t now_ns, uint64_t until_ns);

#define MG_CLOCK_TEXT_LEN sizeof("2026-11-21T09:41:00.123456Z")
/* mg_clock_format_us writes |wall_us| as RFC 3339 text in UTC with microseconds, NUL-terminated. Of a year
 * beyond 9999 only the fraction is written. */
void mg_clock_format_us(char out[MG_CLOCK_TEXT_LEN], int64_t wall_us);

#endif
