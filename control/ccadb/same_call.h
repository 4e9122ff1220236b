/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a user makes the same call again too soon (contracts.md section 2.3): the same path with the same body. Kept
 * as hashes; when there are too many the oldest is forgotten. Any thread; time is a parameter.
 */
#ifndef MINTGATE_CONTROL_CCADB_SAME_CALL_H
#define MINTGATE_CONTROL_CCADB_SAME_CALL_H

#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

#define SAME_CALL_MAX 8192

struct same_calls;

MG_MUST_USE enum mg_status same_calls_new(struct same_calls **out, struct mg_error *error);
void same_calls_free(struct same_calls *calls);

/* same_calls_take notes a call, unless the same one was noted less than |span_ns| before |now_ns|: then it returns how
 * many seconds remain, rounded up, at least 1. 0: it is new. With a |span_ns| of 0 every call is. */
uint64_t same_calls_take(struct same_calls *calls, const char *user, const char *path, struct mg_slice body,
                         uint64_t span_ns, uint64_t now_ns);

#endif
