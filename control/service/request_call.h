/* SPDX-License-Identifier: Apache-2.0 */
/* The step of the life cycle that a request asks for: who asks is the request's identity, when is the request's time.
 */
#ifndef MINTGATE_CONTROL_SERVICE_REQUEST_CALL_H
#define MINTGATE_CONTROL_SERVICE_REQUEST_CALL_H

#include "control/http/request.h"
#include "control/lifecycle.h"

_Static_assert((int)HTTP_ROLE_AUDITOR == (int)CONTROL_AUDITOR && (int)HTTP_ROLE_OPERATOR == (int)CONTROL_OPERATOR &&
                   (int)HTTP_ROLE_ADMIN == (int)CONTROL_ADMIN,
               "request_call takes the one for the other");

/* Both borrow from |request|. */
static inline struct control_actor request_actor(const struct http_request *request)
{
    const struct http_caller *caller = &request->caller;
    const struct http_identity *identity = &request->identity;
    return (struct control_actor){
        .name = identity->name,
        .role = (enum control_role)identity->role,
        /* On the Unix socket the name is "unix:UID": there is no other source. */
        .source = caller->address[0] != '\0' ? caller->address : identity->name,
    };
}

static inline struct lifecycle_call request_call(const struct lifecycle *lifecycle, const struct http_request *request)
{
    return (struct lifecycle_call){
        .lifecycle = lifecycle, .actor = request_actor(request), .now_us = request->caller.wall_us};
}

#endif
