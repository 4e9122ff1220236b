/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How clients of the ZIA family come in (contracts.md 1.2): the legacy session by an obfuscated API key, and OAuth2
 * tokens. And what the family's own routes need from it: its errors (1.6), and the way it knows its callers.
 *
 *   POST   authenticatedSession   {"apiKey", "username", "password", "timestamp"}; Set-Cookie: JSESSIONID
 *   GET    authenticatedSession   the session, where there is one
 *   DELETE authenticatedSession   204 for a session's cookie, 200 for a bearer token: each SDK wants its own
 *   POST   /oauth2/v1/token       client credentials (oauth.h)
 *
 * Sessions are served under /api/v1 and /zia/api/v1.
 */
#ifndef MINTGATE_CONTROL_HTTP_ZIA_AUTH_H
#define MINTGATE_CONTROL_HTTP_ZIA_AUTH_H

#include "control/http/authenticator.h"
#include "control/http/router.h"

/* The base paths of the whole family, ended by NULL. */
extern const char *const zia_bases[];

/* zia_render_error gives {"code": ..., "message": ...}, or what was recorded instead: a body that does not parse has no
 * code, nor has a limit that is exceeded. */
void zia_render_error(const struct http_problem *problem, struct http_response *response);

/* zia_decorate adds what all JSON answers of the family were recorded to have: Content-Disposition. */
void zia_decorate(const struct http_request *request, struct http_response *response);

/* zia_authenticate knows callers by a bearer token or by the cookie JSESSIONID, of this family. Its |arg| is the
 * authenticator. */
enum mg_status zia_authenticate(void *arg, const struct http_request *request, struct http_identity *out);

/* zia_auth_add adds the routes above to |router|; |authenticator| is borrowed until router_free. */
MG_MUST_USE enum mg_status zia_auth_add(struct router *router, struct authenticator *authenticator,
                                        struct mg_error *error);

#endif
