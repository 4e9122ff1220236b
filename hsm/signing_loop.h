/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signing thread. It reads what its connections have sent, judges and queues it, signs one issuer's turn, sends the
 * results, and begins again: a batch is what has queued up while the last one ran, so that batching adds no delay to a
 * lone request. It owns its connections and its queue, and shares with other threads only what is read-only, and the
 * journal. Its issuers are a set that is replaced whole (issuer.h); a packet holds the set that its requests were
 * judged for, until the last of them is done.
 */
#ifndef MINTGATE_HSM_SIGNING_LOOP_H
#define MINTGATE_HSM_SIGNING_LOOP_H

#include <time.h>

#include "base/histogram.h"
#include "hsm/client_keys.h"
#include "hsm/leaf_signer.h"

/* How long a draining thread waits for peers that do not take their results. */
#define SIGNING_LOOP_DRAIN_NS (UINT64_C(3) * 1000000000)

struct signing_loop;

struct signing_loop_config {
    struct leaf_signer_config signer;
    struct issuer_set *issuers; /* a reference is taken */
    struct client_keys *client_keys;
    size_t queue; /* requests that may wait in this thread */
};

/* What a thread counts. Signing thread: rw, metrics: ro. */
struct signing_counters {
    struct mg_counter results[WIRE_SIGN_NUM_STATUSES];
    struct mg_counter busy_full, busy_expired, busy_replaced, busy_restarting; /* why WIRE_SIGN_BUSY */
    struct mg_counter abandoned;         /* requests whose connection went before they were done */
    struct mg_counter cancelled;         /* requests that their engine took back in time */
    struct mg_counter client_signatures; /* made for engines as TLS clients */
    struct mg_counter packets, invalid_packets;
    struct mg_counter connections, refused_connections, slow_peers;
    struct mg_counter connections_now, waiting_now; /* gauges */
    struct mg_histogram batch_sizes;                /* requests in a turn */
    struct mg_histogram waits;                      /* nanoseconds in the queue */
};

extern const struct mg_histogram_shape signing_batch_shape, signing_wait_shape;

/* signing_loop_start starts a thread; what |config| points to outlives it. */
MG_MUST_USE enum mg_status signing_loop_start(struct signing_loop **out, const struct signing_loop_config *config,
                                              struct mg_error *error);

/* signing_loop_add hands over |fd|, a connected non-blocking SEQPACKET socket whose peer may ask for signatures. Any
 * thread. */
void signing_loop_add(struct signing_loop *loop, int fd);

/* signing_loop_set_issuers makes the thread sign with |set|, of which it takes a reference, and tell its engines of it;
 * it returns when the thread has done so: from then on it signs with no other issuer. What waits for an issuer that is
 * gone is answered WIRE_SIGN_UNKNOWN_KEY; WIRE_SIGN_BUSY where another one of its key has taken its place. Any thread,
 * one at a time; not of a thread that drains. */
void signing_loop_set_issuers(struct signing_loop *loop, struct issuer_set *set);

/* signing_loop_drain makes the thread read no more, sign what is queued, send what the peers take within
 * SIGNING_LOOP_DRAIN_NS, and end. Any thread; once. */
void signing_loop_drain(struct signing_loop *loop);

/* signing_loop_join waits for a drained thread to end, and frees it. */
void signing_loop_join(struct signing_loop *loop);

/* signing_loop_cpu_clock sets *out to the clock of the thread's CPU time. */
MG_MUST_USE bool signing_loop_cpu_clock(const struct signing_loop *loop, clockid_t *out);

const struct signing_counters *signing_loop_counters(const struct signing_loop *loop);

#endif
