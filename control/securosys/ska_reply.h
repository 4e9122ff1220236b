/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the Securosys family while it is answered. Belongs to the request's thread. */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_REPLY_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_REPLY_H

#include "control/http/request.h"
#include "control/securosys/ska_api.h"

struct ska_exchange {
    const struct ska_api *api;
    struct http_request *request;
    struct http_response *response;
    struct ska_call call;
};

/* ska_reply_begin fills |exchange|: the call's actor is the request's identity, its time the request's. */
void ska_reply_begin(struct ska_exchange *exchange, void *api, struct http_request *request,
                     struct http_response *response);

/* ska_reply answers with |json|, whose reference it takes over, or if |status| is not MG_OK with the failure:
 * {"errorCode", "reason", "message"}; 503 where the signer is away. */
void ska_reply(struct ska_exchange *exchange, enum mg_status status, unsigned http_status, json_t *json);

/* ska_reply_render shapes the problems that the router finds. */
void ska_reply_render(const struct http_problem *problem, struct http_response *response);

#endif
