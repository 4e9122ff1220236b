/* SPDX-License-Identifier: Apache-2.0 */
/* The client credentials grant of OAuth 2.0 (RFC 6749 section 4.4), for the families whose clients fetch a token so. */
#ifndef MINTGATE_CONTROL_HTTP_OAUTH_H
#define MINTGATE_CONTROL_HTTP_OAUTH_H

#include "control/http/authenticator.h"
#include "control/http/router.h"

/* The bound of a token request's body. */
#define OAUTH_MAX_BODY 16384

/* oauth_render_error is the renderer of families of token endpoints: {"error": ..., "error_description": ...}, the
 * problem's code being the error, else one of RFC 6749 section 5.2. */
void oauth_render_error(const struct http_problem *problem, struct http_response *response);

/* oauth_client_credentials handles POST of a form with grant_type=client_credentials, client_id and client_secret, or
 * client_assertion_type and client_assertion (RFC 7523); id and secret may also come by `Authorization: Basic`. Answers
 * {"access_token", "token_type", "expires_in"}. */
void oauth_client_credentials(struct authenticator *authenticator, struct http_request *request,
                              struct http_response *response);

/* oauth_password handles POST of a form with grant_type=password, username and password (RFC 6749 section 4.3),
 * likewise. What the client says of itself is not looked at: vendors' clients have one id and secret for everybody.
 * The token counts in the families of |reach|. */
void oauth_password(struct authenticator *authenticator, struct http_request *request, struct http_response *response,
                    unsigned reach);

/* oauth_authenticate knows callers by `Authorization: Bearer` with a token that counts in the family |reach|. */
MG_MUST_USE enum mg_status oauth_authenticate(struct authenticator *authenticator, const struct http_request *request,
                                              unsigned reach, struct http_identity *out);

/* oauth_no_authentication is for families that have anonymous routes alone. */
enum mg_status oauth_no_authentication(void *arg, const struct http_request *request, struct http_identity *out);

#endif
