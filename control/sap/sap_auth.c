/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sap/sap_auth.h"

#include <string.h>

#include "base/secret.h"
#include "control/http/oauth.h"

/* ---- tokens ---- */

/* What no address may carry: addresses end up in logs. */
static const char *const secrets[] = {"client_secret", "client_assertion", "password"};

static bool query_has_secret(const struct http_request *request)
{
    for (size_t i = 0; i < MG_ARRAY_LEN(secrets); i++) {
        if (http_params_get0(&request->query, secrets[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* take_query makes the query the form where there is no form: the token's address is documented with the grant in it.
 */
static void take_query(struct http_request *request)
{
    if (http_params_get0(&request->form, "grant_type") == NULL && request->form.num_items == 0) {
        struct http_params query = request->query;
        request->query = request->form;
        request->form = query;
    }
}

static void handle_token(void *arg, struct http_request *request, struct http_response *response)
{
    if (query_has_secret(request)) {
        http_fail(request, response, HTTP_PROBLEM_INVALID, "invalid_request", "secrets must not stand in an address");
        return;
    }
    take_query(request);
    const char *grant_type = http_params_get0(&request->form, "grant_type");
    if (grant_type != NULL && strcmp(grant_type, "password") == 0) {
        oauth_password(arg, request, response, REACH_SAP);
    } else {
        oauth_client_credentials(arg, request, response);
    }
}

enum mg_status sap_auth_add(struct router *router, struct authenticator *authenticator, struct mg_error *error)
{
    static const char *const bases[] = {"/oauth", NULL};
    static const struct http_route routes[] = {
        {HTTP_GET, "/token", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, handle_token},
        {HTTP_POST, "/token", HTTP_ROLE_ANONYMOUS, HTTP_BODY_FORM, OAUTH_MAX_BODY, RATE_NONE, handle_token},
    };
    const struct http_family family = {.name = "sap-token",
                                       .bases = bases,
                                       .routes = routes,
                                       .num_routes = MG_ARRAY_LEN(routes),
                                       .authenticate = oauth_no_authentication,
                                       .render = oauth_render_error,
                                       .arg = authenticator};
    return router_add(router, &family, error);
}

/* ---- callers ---- */

enum mg_status sap_authenticate_edge(struct authenticator *authenticator, const struct http_request *request,
                                     struct http_identity *out)
{
    struct http_basic basic;
    enum mg_status status = oauth_authenticate(authenticator, request, REACH_SAP, out);
    if (status == MG_DENIED && http_request_basic(request, &basic)) {
        status = authenticator_verify(authenticator, &request->caller, basic.user, mg_slice_of_text(basic.password),
                                      out, NULL);
        mg_secret_wipe(&basic, sizeof(basic));
    }
    return status == MG_LIMIT ? MG_DENIED : status; /* slowed: whether the password was right is not told */
}
