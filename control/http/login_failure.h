/* SPDX-License-Identifier: Apache-2.0 */
/* How every family answers for a login or token request that was refused (authenticator.h), in its own shape. */
#ifndef MINTGATE_CONTROL_HTTP_LOGIN_FAILURE_H
#define MINTGATE_CONTROL_HTTP_LOGIN_FAILURE_H

#include "control/http/authenticator.h"
#include "control/http/request.h"
#include "control/http/response.h"

/* login_failure_answer answers for |status|, which is not MG_OK: 401 for MG_DENIED, 429 for MG_LIMIT with the time that
 * |grant| says, else 503. A client is told no more; the rest is for the log. */
void login_failure_answer(const struct http_request *request, struct http_response *response, enum mg_status status,
                          const struct authenticator_grant *grant, const struct mg_error *error);

#endif
