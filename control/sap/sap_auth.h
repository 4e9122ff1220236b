/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How clients of SAP API Management and of Apigee Edge come in (contracts.md sections 3.2 and 3.4):
 *
 *   GET, POST /oauth/token   client credentials, the client by Basic; of a user's password, as Apigee's clients have
 * it. What a form would say may stand in the query, but for secrets Bearer                   such a token Basic a
 * user's name and password, with Apigee's routes alone
 */
#ifndef MINTGATE_CONTROL_SAP_SAP_AUTH_H
#define MINTGATE_CONTROL_SAP_SAP_AUTH_H

#include "control/http/authenticator.h"
#include "control/http/router.h"

/* sap_auth_add adds the token routes; |authenticator| is borrowed until router_free. */
MG_MUST_USE enum mg_status sap_auth_add(struct router *router, struct authenticator *authenticator,
                                        struct mg_error *error);

/* sap_authenticate_edge knows callers by Bearer or Basic. */
MG_MUST_USE enum mg_status sap_authenticate_edge(struct authenticator *authenticator,
                                                 const struct http_request *request, struct http_identity *out);

#endif
