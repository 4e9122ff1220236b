/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brute force slowed: after some failed logins of one user, or from one address, further ones are refused for a time
 * that doubles with each failure. Nobody is kept waiting: the caller answers at once.
 *
 *   by            failures that cost nothing   first wait   longest wait
 *   user          3                            1 s          60 s
 *   address       20                           1 s          60 s
 *
 * A subject that has not failed for a quarter of an hour is forgotten; a success clears the user, not the address,
 * which may have an account of its own. IPv6 addresses count by /64. Bounded: of THROTTLE_MAX_SUBJECTS the one whose
 * failure is oldest is forgotten for a new one. Any thread; time is a parameter.
 */
#ifndef MINTGATE_CONTROL_HTTP_THROTTLE_H
#define MINTGATE_CONTROL_HTTP_THROTTLE_H

#include <stdint.h>

#include "base/status.h"

#define THROTTLE_MAX_SUBJECTS 4096

struct throttle;

MG_MUST_USE enum mg_status throttle_new(struct throttle **out, struct mg_error *error);
void throttle_free(struct throttle *throttle);

/* throttle_wait returns how many seconds |user| at |address| has to wait, rounded up; 0: a login may be tried. |user|
 * is a name or "" for none, |address| an IP address or "" for none. */
uint64_t throttle_wait(struct throttle *throttle, const char *user, const char *address, uint64_t now_ns);

/* throttle_failed counts a failed login, throttle_succeeded clears the user. */
void throttle_failed(struct throttle *throttle, const char *user, const char *address, uint64_t now_ns);
void throttle_succeeded(struct throttle *throttle, const char *user);

/* throttle_num_displaced returns how many were forgotten early, for want of room. */
uint64_t throttle_num_displaced(struct throttle *throttle);

#endif
