/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's metrics as Prometheus text. */
#ifndef MINTGATE_DATAPLANE_ENGINE_ENGINE_METRICS_H
#define MINTGATE_DATAPLANE_ENGINE_ENGINE_METRICS_H

#include "base/buffer.h"
#include "dataplane/dataplane.h"
#include "dataplane/session/issuer_watch.h"

/* engine_metrics_write appends everything that the engine counts. A registered RCU thread, online. */
void engine_metrics_write(const struct dataplane *dataplane, struct mg_buffer *out);

/* engine_issuer_health tells how the issuers stand now. Likewise. */
void engine_issuer_health(const struct dataplane *dataplane, struct issuer_health *out);

#endif
