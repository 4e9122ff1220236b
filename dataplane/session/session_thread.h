/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session thread: an event loop that adopts flows and carries their TLS sessions. It blocks in epoll alone. Its
 * sockets live in the stack namespace.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_SESSION_THREAD_H
#define MINTGATE_DATAPLANE_SESSION_SESSION_THREAD_H

#include "base/status.h"
#include "dataplane/counters.h"
#include "dataplane/dataplane.h"
#include "dataplane/session/stage_cpu.h"
#include "minting/mint_client.h"

/* session_thread_new makes thread |index| with room for its share of the configured sessions. Main thread. */
MG_MUST_USE enum mg_status session_thread_new(struct session_thread **out, struct dataplane *dataplane, unsigned index,
                                              struct mg_error *error);

/* session_thread_start starts it and returns when it has entered the stack namespace. It needs CAP_SYS_ADMIN for that,
 * and CAP_NET_ADMIN and CAP_NET_BIND_SERVICE for good. */
MG_MUST_USE enum mg_status session_thread_start(struct session_thread *thread, struct mg_error *error);

/* session_thread_join waits for its end after dataplane->stop_sessions was set and the bell was rung. */
void session_thread_join(struct session_thread *thread);

void session_thread_free(struct session_thread *thread);

/* session_thread_ring wakes it. Any thread. */
void session_thread_ring(struct session_thread *thread);

/* session_thread_count returns how many sessions it has; may be a little behind. Any thread. */
uint32_t session_thread_count(const struct session_thread *thread);

const struct counters *session_thread_counters(const struct session_thread *thread);
const struct stage_cpu *session_thread_cpu(const struct session_thread *thread);
const struct mint_client_counters *session_thread_mint_counters(const struct session_thread *thread);

#endif
