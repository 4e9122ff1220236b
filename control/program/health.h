/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the control plane is, for GET /health. Anybody may ask, so it says words, and no paths or names:
 *
 *   503 {"status":"starting","reasons":[...]}   it has not had the signer since it started: it reads, and changes
 *                                               nothing yet
 *   200 {"status":"degraded","reasons":[...]}   it serves; what needs the missing part is answered with 503
 *   200 {"status":"ok"}
 *
 * Reasons: signer_unreachable, no_engine (none is connected), engine_behind (one does not serve what is present).
 */
#ifndef MINTGATE_CONTROL_PROGRAM_HEALTH_H
#define MINTGATE_CONTROL_PROGRAM_HEALTH_H

#include <stdatomic.h>

#include "control/http/response.h"
#include "control/keys/signer_client.h"
#include "control/publish/engines.h"

/* What it looks at; borrowed. */
struct health {
    const struct signer_client *signer;
    struct engines *engines;
    _Atomic bool has_joined; /* main thread: rw, others: ro */
};

/* health_answer answers GET /health. Any thread. */
void health_answer(const struct health *health, struct http_response *response);

#endif
