/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, in the Securosys family (contracts.md section 4.1): an API key in X-API-KEY, whose role says which routes
 * it opens; a bearer, which is a token or session of this appliance, or a JWT that one of its OAuth2 clients has signed
 * itself; or both, and then both must count. Whatever is wrong is answered alike: 401 with errorCode 631, upon which
 * the vendor's client tries its next key.
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_AUTH_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_AUTH_H

#include "control/http/request.h"
#include "control/securosys/ska_api.h"

#define SKA_JWT_AUDIENCE "mintgate-ska"
/* A JWT is no password, but it lies in a client's configuration as one does. */
#define SKA_JWT_MAX_SECONDS (366 * 86400)

/* ska_authenticate is struct http_family's; |arg| a struct ska_api. */
MG_MUST_USE enum mg_status ska_authenticate(void *arg, const struct http_request *request, struct http_identity *out);

/* ska_admit_approver tells whether a route for approvers may be asked at all: who they are says their signature. Where
 * there are API keys for approvers, one is needed; one that is sent must be right. The Unix socket needs none.
 * MG_DENIED, MG_AGAIN. */
MG_MUST_USE enum mg_status ska_admit_approver(const struct ska_api *api, const struct http_request *request);

#endif
