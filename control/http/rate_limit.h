/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits of credentials (contracts.md 1.7): for each weight a short window and an hour, which all requests of one
 * credential share. As documented, which is the configuration's default:
 *
 *   light  (GET)        2 per second  1000 per hour
 *   medium (POST, PUT)  1 per second   400 per hour
 *   heavy  (DELETE)     1 per minute     4 per hour
 *   call   (CCADB, contracts.md 2.3)  240 per minute, and no such hour
 *
 * Each window is a token bucket that starts full. Credentials are told apart by a keyed hash of their name; of
 * RATE_MAX_CREDENTIALS the one longest unused is forgotten for a new one. Any thread; time is a parameter.
 */
#ifndef MINTGATE_CONTROL_HTTP_RATE_LIMIT_H
#define MINTGATE_CONTROL_HTTP_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"

#define RATE_MAX_CREDENTIALS 1024

enum rate_weight { RATE_NONE, RATE_LIGHT, RATE_MEDIUM, RATE_HEAVY, RATE_CALL, RATE_NUM_WEIGHTS };

enum rate_window { RATE_SHORT, RATE_HOUR, RATE_NUM_WINDOWS };

#define RATE_MAX_LIMIT 1000000

/* How many requests a window lets through, up to RATE_MAX_LIMIT; 0: as many as come. */
struct rate_plan {
    uint64_t limits[RATE_NUM_WEIGHTS][RATE_NUM_WINDOWS];
};

struct rate_limits;

/* What a credential may still do, for the headers and the body of an answer: of its two windows the one that refused,
 * else the one with less left. */
struct rate_verdict {
    bool is_limited;        /* false: no limit applies, nothing else is set */
    uint64_t limit;         /* requests per window */
    uint64_t window;        /* seconds: 1, 60 or 3600 */
    uint64_t remaining;     /* requests that would be let through now */
    uint64_t reset_seconds; /* until the window is full again, rounded up */
    uint64_t retry_after;   /* refused: seconds until one more is let through, rounded up, at least 1; else 0 */
};

MG_MUST_USE enum mg_status rate_limits_new(struct rate_limits **out, const struct rate_plan *plan,
                                           struct mg_error *error);
void rate_limits_free(struct rate_limits *limits);

/* rate_limits_set_plan takes effect for the next request; buckets keep what was spent. */
void rate_limits_set_plan(struct rate_limits *limits, const struct rate_plan *plan);

/* rate_limits_take counts one request of |credential|; false: it is over a limit, and was not counted. */
MG_MUST_USE bool rate_limits_take(struct rate_limits *limits, const char *credential, enum rate_weight weight,
                                  uint64_t now_ns, struct rate_verdict *verdict);

/* rate_limits_metrics appends what was refused, by weight, and how many credentials were forgotten for want of room. */
void rate_limits_metrics(struct rate_limits *limits, struct mg_buffer *out);

/* rate_window_name returns "SECOND", "MINUTE" or "HOUR". */
const char *rate_window_name(uint64_t window);

#endif
