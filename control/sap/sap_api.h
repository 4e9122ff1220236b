/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The families of routes for key stores and trust stores (docs/api/sap.md): SAP API Management's OData (odata.c),
 * Apigee Edge's (edge.c), what both lack under /mintgate/v1 (stores_api.c), and their tokens (sap_auth.h).
 */
#ifndef MINTGATE_CONTROL_SAP_SAP_API_H
#define MINTGATE_CONTROL_SAP_SAP_API_H

#include "control/http/authenticator.h"
#include "control/http/router.h"
#include "control/sap/sap.h"
#include "control/service/request_call.h"
#include "control/service/service.h"

/* All borrowed until router_free. */
struct sap_api {
    const struct sap *sap;
    const struct lifecycle *lifecycle;
    struct service *service;
    struct authenticator *authenticator;
    http_problem_renderer render; /* of /mintgate/v1 */
};

/* sap_api_add adds all of them. Main thread, before the server starts. */
MG_MUST_USE enum mg_status sap_api_add(struct router *router, struct sap_api *api, struct mg_error *error);

/* The parts. */
MG_MUST_USE enum mg_status odata_add(struct router *router, struct sap_api *api, struct mg_error *error);
MG_MUST_USE enum mg_status edge_add(struct router *router, struct sap_api *api, struct mg_error *error);
MG_MUST_USE enum mg_status stores_api_add(struct router *router, struct sap_api *api, struct mg_error *error);

/* sap_api_call is the step that |request| asks for. */
static inline struct sap_call sap_api_call(const struct sap_api *api, const struct http_request *request)
{
    return (struct sap_call){.sap = api->sap, .actor = request_actor(request), .now_us = request->caller.wall_us};
}

#endif
