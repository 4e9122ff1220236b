/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What anybody may ask, whoever's API it is:
 *
 *   GET /health   {"status":"ok"}: the program serves
 *   GET /ca.pem   the root that clients must trust for the built-in intermediate; never the forward-untrust issuer
 */
#ifndef MINTGATE_CONTROL_PROGRAM_COMMON_API_H
#define MINTGATE_CONTROL_PROGRAM_COMMON_API_H

#include "control/http/router.h"
#include "control/store.h"

MG_MUST_USE enum mg_status common_api_add(struct router *router, struct store *store, struct mg_error *error);

#endif
