/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of the ZIA family while it is answered: who asks, what it came to, and how that is told (contracts.md
 * section 1.6). Belongs to the request's thread.
 */
#ifndef MINTGATE_CONTROL_ZIA_ZIA_REPLY_H
#define MINTGATE_CONTROL_ZIA_ZIA_REPLY_H

#include "control/http/request.h"
#include "control/zia/zia.h"
#include "control/zia/zia_json.h"

struct zia_exchange {
    const struct zia *zia;
    const struct http_request *request;
    struct http_response *response;
    struct lifecycle_call call;
    struct intermediate record; /* what a step gave; freed by zia_end */
    struct mg_error error;
};

/* zia_begin fills |exchange|: the call's actor is the request's identity, its time the request's. */
void zia_begin(struct zia_exchange *exchange, void *zia, const struct http_request *request,
               struct http_response *response);

/*
 * zia_end answers, unless |status| is MG_OK and |render| NULL, which is for handlers that have answered already, and
 * frees the record. MG_OK: 200 with the record as |render| makes it. Else by the call's code and the status:
 *
 *   SERVICE_UNAVAILABLE                          503, with Retry-After: the signer or an engine is away
 *   UNEXPECTED_ERROR, and what is our own fault  500, the text in the log alone
 *   EDIT_LOCK_NOT_AVAILABLE                      409, without a message (recorded): a publication is under way
 *   MG_EXISTS                                    409
 *   MG_INVALID                                   400
 *   MG_DENIED, MG_LIMIT                          403
 *   MG_NOT_FOUND                                 404
 */
void zia_end(struct zia_exchange *exchange, enum mg_status status, zia_json_renderer *render);

#endif
