/* SPDX-License-Identifier: Apache-2.0 */
/* The signer's counters as Prometheus text. */
#ifndef MINTGATE_HSM_SIGNER_METRICS_H
#define MINTGATE_HSM_SIGNER_METRICS_H

#include "hsm/control_server.h"
#include "hsm/journal.h"
#include "hsm/signing_loop.h"

/* Borrowed; the counters may be written while they are read. */
struct signer_metrics {
    const struct signing_counters *const *loops;
    size_t num_loops;
    const struct mg_counter *refused_peers;
    const struct journal *journal;
    struct issuer_publisher *issuers;
    const struct control_counters *control;
    const struct control_server_counters *control_server;
    bool uses_lanes;
};

/* signer_metrics_render appends everything. Any thread. */
void signer_metrics_render(const struct signer_metrics *metrics, struct mg_buffer *out);

#endif
