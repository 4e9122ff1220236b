/* SPDX-License-Identifier: Apache-2.0 */
/* What workers and session threads of one engine share. Built by the main thread before they start. */
#ifndef MINTGATE_DATAPLANE_DATAPLANE_H
#define MINTGATE_DATAPLANE_DATAPLANE_H

#include <stdatomic.h>

#include "base/siphash.h"
#include "config/config.h"
#include "dataplane/engine/kill_switch.h"
#include "dataplane/net/ports.h"
#include "dataplane/policy/learned.h"
#include "dataplane/policy/policy.h"
#include "dataplane/session/session_log.h"
#include "dataplane/takeover/stack.h"

struct cache;
struct chain_memory;
struct client_keys;
struct decision;
struct hello_info;
struct issuers;
struct leaf_keys;
struct publisher;
struct server_trust;
struct session_thread;
struct tls_settings;
struct worker;

struct dataplane {
    const struct config *config; /* as the engine was started; what can be reloaded stands in the snapshots below */
    struct ports ports;
    struct stack stack;
    struct mg_siphash_key siphash;
    struct policy *policy;    /* RCU; main: wo, all: ro */
    struct tls_settings *tls; /* RCU; main: wo, sessions: ro */
    struct server_trust *trust;
    struct client_keys *client_keys;
    struct learned *learned;
    struct chain_memory *chains;
    struct issuers *issuers;
    struct publisher *publisher;
    struct leaf_keys *leaf_keys;
    struct cache *leaves; /* minted certificates */
    struct session_log *log;
    struct kill_switch kill_switch;
    /* main: wo. One after the other: what the sockets send when sessions end must still find its way out. */
    _Atomic bool draining; /* no flow is taken over any more */
    _Atomic bool stop_sessions;
    _Atomic bool stop_workers;

    unsigned num_workers;
    struct worker **workers;
    unsigned num_session_threads;
    struct session_thread **session_threads;
};

/* dataplane_decide is decision_of with what this engine has now, and with the kill switch, which has everything pass,
 * and draining, which has what would be intercepted pass. |policy| is dataplane->policy as the caller knows it;
 * |now_ns| is of the monotonic clock, |now_wall| in seconds since 1970. RCU reader. */
void dataplane_decide(struct decision *out, const struct dataplane *dataplane, const struct policy *policy,
                      const struct policy_flow *flow, const struct hello_info *hello, uint64_t now_ns,
                      int64_t now_wall);

#endif
