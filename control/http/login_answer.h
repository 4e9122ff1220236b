/* SPDX-License-Identifier: Apache-2.0 */
/* What all families do about logins and tokens alike. */
#ifndef MINTGATE_CONTROL_HTTP_LOGIN_ANSWER_H
#define MINTGATE_CONTROL_HTTP_LOGIN_ANSWER_H

#include "control/http/authenticator.h"
#include "control/http/request.h"
#include "control/http/response.h"

/* The cookie of a session (contracts.md 1.2). */
#define LOGIN_COOKIE "JSESSIONID"

/* login_set_cookie gives the client the session |ticket|. */
void login_set_cookie(struct http_response *response, const char *ticket);

/* login_fail answers for an authenticator's function that failed with |status|, in the shape of the request's family.
 */
void login_fail(const struct http_request *request, struct http_response *response, enum mg_status status,
                const struct authenticator_grant *grant, const struct mg_error *error);

/* login_identify knows callers by a bearer token or by the cookie of a session, which must count in the family |reach|
 * (reach.h). As a family's `authenticate`. */
MG_MUST_USE enum mg_status login_identify(struct authenticator *authenticator, const struct http_request *request,
                                          unsigned reach, struct http_identity *out);

/* login_end ends the token or session that the request came with. */
void login_end(struct authenticator *authenticator, const struct http_request *request);

#endif
