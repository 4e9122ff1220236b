/* SPDX-License-Identifier: Apache-2.0 */
/* The signer's counters as Prometheus text. */
#ifndef MINTGATE_HSM_SIGNER_METRICS_H
#define MINTGATE_HSM_SIGNER_METRICS_H

#include "hsm/control_server.h"
#include "hsm/journal.h"
#include "hsm/signing_loop.h"
#include "hsm/token_supervisor.h"

/* Borrowed; the counters may be written while they are read. */
struct signer_metrics {
    const struct signing_counters *const *loops;
    size_t num_loops;
    const struct mg_counter *refused_peers;
    const struct journal *journal;
    struct issuer_publisher *issuers;
    const struct control_counters *control;
    const struct control_server_counters *control_server;
    const struct backend *pkcs11; /* NULL where there are no tokens, as the next two */
    const struct token_supervisor *tokens;
    const struct token_config *token_configs;
    size_t num_tokens;
    bool uses_lanes;
};

/* signer_metrics_render appends everything. Any thread. */
void signer_metrics_render(const struct signer_metrics *metrics, struct mg_buffer *out);

#endif
