/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Securosys family's routes under /v1 (contracts.md section 4; docs/api/securosys.md), and Mintgate's own to manage
 * its API keys, under /mintgate/v1/ska. Nothing in the family is answered with 204, which the vendor's client takes for
 * an error (contracts.md 0.6).
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_API_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_API_H

#include "control/http/authenticator.h"
#include "control/http/router.h"
#include "control/securosys/ska.h"

/* All borrowed until router_free. */
struct ska_api {
    struct ska *ska;
    struct store *store;
    struct authenticator *authenticator;
    http_problem_renderer render; /* of Mintgate's own routes */
};

/* ska_api_add: |api| is borrowed until router_free. */
MG_MUST_USE enum mg_status ska_api_add(struct router *router, struct ska_api *api, struct mg_error *error);

#endif
