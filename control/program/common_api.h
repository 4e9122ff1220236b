/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What anybody may ask, whoever's API it is:
 *
 *   GET /health   how the program is (health.h)
 *   GET /ca.pem   the root that clients must trust for the built-in intermediate; never the forward-untrust issuer
 */
#ifndef MINTGATE_CONTROL_PROGRAM_COMMON_API_H
#define MINTGATE_CONTROL_PROGRAM_COMMON_API_H

#include "control/http/router.h"
#include "control/program/health.h"
#include "control/store.h"

/* All borrowed until router_free. */
struct common_api {
    struct store *store;
    const struct health *health;
};

/* common_api_add: |api| is borrowed until router_free. */
MG_MUST_USE enum mg_status common_api_add(struct router *router, struct common_api *api, struct mg_error *error);

#endif
