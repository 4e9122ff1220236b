/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's end of publishing (wire/publish.h, design.md section 5): a thread that dials the control plane, prepares
 * what it is told, and commits it.
 *
 *                 PREPARE                probes signed             minted ahead, or its time is up
 *     waiting ──────────────► probing ──────────────────► minting ──────────────────────────────► ready
 *        ▲                       │                           │                                       │ COMMIT
 *        └────────── ABORT, another PREPARE, a failed probe, a lost connection ──────────────────────┤
 *        └───────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Beside that it says which stores the configuration names, and takes what they hold (store_intake.h).
 *
 * A commit is one pointer (session/issuers.h). What was committed is kept in a file, so that an engine that starts
 * without the control plane serves what it served before; leaves of issuers that are gone are taken out of the cache.
 */
#ifndef MINTGATE_DATAPLANE_PUBLISH_PUBLISHER_H
#define MINTGATE_DATAPLANE_PUBLISH_PUBLISHER_H

#include "base/buffer.h"
#include "base/status.h"
#include "dataplane/dataplane.h"
#include "minting/mint_client.h"

struct publisher;

/* publisher_new takes over what the file of an earlier run says; a file that cannot be used is logged and passed over.
 * Main thread, registered with RCU. */
MG_MUST_USE enum mg_status publisher_new(struct publisher **out, struct dataplane *dataplane, struct mg_error *error);

/* publisher_start starts its thread, which gives up all capabilities. */
MG_MUST_USE enum mg_status publisher_start(struct publisher *publisher, struct mg_error *error);

/* publisher_stop ends the thread, if it was started. */
void publisher_stop(struct publisher *publisher);
void publisher_free(struct publisher *publisher);

/* publisher_metrics_write appends its metrics. Any thread that is registered with RCU. */
void publisher_metrics_write(const struct publisher *publisher, struct mg_buffer *out);
const struct mint_client_counters *publisher_mint_counters(const struct publisher *publisher);

#endif
