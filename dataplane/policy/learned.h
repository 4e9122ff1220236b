/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers that could not be intercepted (they ask for a client certificate, or share no parameters with the engine),
 * remembered for some minutes by address, port and name where policy lets later flows to them pass. Bounded, listable.
 */
#ifndef MINTGATE_DATAPLANE_POLICY_LEARNED_H
#define MINTGATE_DATAPLANE_POLICY_LEARNED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/status.h"
#include "cache/cache.h"
#include "dataplane/policy/policy.h"

struct learned;

MG_MUST_USE enum mg_status learned_new(struct learned **out, size_t max_entries);
/* learned_free: a registered RCU thread, offline or online, after all users have ended. */
void learned_free(struct learned *learned);

/* The reason of servers that ask for a client certificate. */
#define LEARNED_CLIENT_CERTIFICATE "client_certificate_asked"

/* learned_reason tells why flows to this server and name are bypassed now: a static word; NULL: they are not. RCU
 * reader; no system call. */
const char *learned_reason(struct learned *learned, const struct policy_flow *flow, struct mg_slice sni, int64_t now);

/* learned_add remembers it until |until| (seconds of the clock that learned_reason is given). |reason| is a static
 * word. RCU reader, not a worker. */
void learned_add(struct learned *learned, const struct policy_flow *flow, struct mg_slice sni, const char *reason,
                 int64_t now, int64_t until);

/* learned_list appends a JSON array of what is remembered. RCU reader, not a worker. */
void learned_list(struct learned *learned, int64_t now, struct mg_buffer *out);

/* learned_stats: any thread. */
void learned_stats(struct learned *learned, struct cache_stats *out);

#endif
