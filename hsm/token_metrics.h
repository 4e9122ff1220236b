/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of tokens as Prometheus text. */
#ifndef MINTGATE_HSM_TOKEN_METRICS_H
#define MINTGATE_HSM_TOKEN_METRICS_H

#include "hsm/signer_metrics.h"

/* token_metrics_render appends everything about |metrics->tokens|, which are there. Any thread, while the signing
 * sessions are. */
void token_metrics_render(const struct signer_metrics *metrics, struct mg_buffer *out);

#endif
