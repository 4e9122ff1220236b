/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of the engine's HTTP server (metrics/metrics_http.h). Those besides /metrics are served on its Unix socket
 * alone. */
#ifndef MINTGATE_DATAPLANE_ENGINE_ENGINE_PAGES_H
#define MINTGATE_DATAPLANE_ENGINE_ENGINE_PAGES_H

#include "dataplane/dataplane.h"
#include "metrics/metrics_http.h"

/*
 * engine_pages_start serves, until metrics_http_stop, where the configuration says. |dataplane| is borrowed until then.
 *
 *   /metrics          Prometheus text
 *   /bypasses         the servers that are bypassed for a while
 *   /health           {"status": "ok" or "alarm", "alarms": [...]}
 *   /cache            what the cache of minted certificates holds, by generation of the issuer
 *   /policy/explain   what would be decided about ?client=&server=&port=&sni= now, and why
 */
MG_MUST_USE enum mg_status engine_pages_start(struct metrics_http **out, struct dataplane *dataplane,
                                              struct mg_error *error);

#endif
