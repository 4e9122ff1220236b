/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/oauth.h"

#include <string.h>

#include "base/secret.h"
#include "control/http/login_answer.h"

#define JWT_BEARER "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

void oauth_render_error(const struct http_problem *problem, struct http_response *response)
{
    static const char *const codes[HTTP_NUM_PROBLEMS] = {
        [HTTP_PROBLEM_UNAUTHENTICATED] = "invalid_client",
        [HTTP_PROBLEM_BAD_CREDENTIALS] = "invalid_client",
        [HTTP_PROBLEM_FORBIDDEN] = "unauthorized_client",
        [HTTP_PROBLEM_RATE_LIMITED] = "slow_down",
        [HTTP_PROBLEM_SLOWED] = "slow_down",
        [HTTP_PROBLEM_INTERNAL] = "server_error",
        [HTTP_PROBLEM_UNAVAILABLE] = "temporarily_unavailable",
    };
    const char *code = problem->code != NULL ? problem->code : codes[problem->kind];
    http_response_json(response, problem->status,
                       json_pack("{s:s,s:s}", "error", code != NULL ? code : "invalid_request", "error_description",
                                 problem->message));
}

static void answer_token(struct http_response *response, const struct authenticator_grant *grant)
{
    http_response_json(response, 200,
                       json_pack("{s:s,s:s,s:i}", "access_token", grant->ticket, "token_type", "Bearer", "expires_in",
                                 TICKET_TOKEN_SECONDS));
}

/* What a token request proves itself by; texts are borrowed from the request. */
struct proof {
    const char *id;        /* NULL: an assertion names it */
    const char *secret;    /* NULL: by assertion */
    const char *assertion; /* NULL: by secret */
};

/* read_proof finds exactly one (RFC 6749 section 2.3). |basic| is filled where the secret came that way. */
static bool read_proof(const struct http_request *request, struct http_basic *basic, struct proof *out)
{
    const char *type = http_params_get0(&request->form, "client_assertion_type");
    bool is_basic = http_request_basic(request, basic);
    *out = (struct proof){.id = http_params_get0(&request->form, "client_id"),
                          .secret = http_params_get0(&request->form, "client_secret"),
                          .assertion = http_params_get0(&request->form, "client_assertion")};
    if (out->assertion != NULL) {
        return type != NULL && strcmp(type, JWT_BEARER) == 0 && out->secret == NULL && !is_basic;
    }
    if (is_basic && (out->secret != NULL || (out->id != NULL && strcmp(out->id, basic->user) != 0))) {
        return false;
    }
    out->id = is_basic ? basic->user : out->id;
    out->secret = is_basic ? basic->password : out->secret;
    return out->id != NULL && out->secret != NULL;
}

static void grant_token(struct authenticator *authenticator, const struct proof *proof,
                        const struct http_request *request, struct http_response *response)
{
    struct authenticator_grant grant;
    struct mg_error error = {""};
    const struct http_caller *caller = &request->caller;
    enum mg_status status = proof->assertion != NULL
                                ? authenticator_token_by_assertion(authenticator, caller, proof->id,
                                                                   mg_slice_of_text(proof->assertion), &grant, &error)
                                : authenticator_token_by_secret(authenticator, caller, proof->id,
                                                                mg_slice_of_text(proof->secret), &grant, &error);
    if (status == MG_OK) {
        answer_token(response, &grant);
    } else {
        login_fail(request, response, status, &grant, &error);
    }
    mg_secret_wipe(&grant, sizeof(grant));
}

void oauth_client_credentials(struct authenticator *authenticator, struct http_request *request,
                              struct http_response *response)
{
    const char *grant_type = http_params_get0(&request->form, "grant_type");
    struct http_basic basic;
    struct proof proof;
    if (grant_type == NULL || strcmp(grant_type, "client_credentials") != 0) {
        http_fail(request, response, HTTP_PROBLEM_INVALID, "unsupported_grant_type",
                  "grant_type: must be client_credentials");
    } else if (!read_proof(request, &basic, &proof)) {
        http_fail(request, response, HTTP_PROBLEM_INVALID, "invalid_request",
                  "either client_id and client_secret, or client_assertion and its type, are required");
    } else {
        grant_token(authenticator, &proof, request, response);
    }
    mg_secret_wipe(&basic, sizeof(basic));
}

void oauth_password(struct authenticator *authenticator, struct http_request *request, struct http_response *response,
                    unsigned reach)
{
    const char *user = http_params_get0(&request->form, "username"),
               *password = http_params_get0(&request->form, "password");
    struct authenticator_grant grant;
    struct mg_error error = {""};
    if (user == NULL || password == NULL) {
        http_fail(request, response, HTTP_PROBLEM_INVALID, "invalid_request", "username and password are required");
        return;
    }
    enum mg_status status = authenticator_token_by_password(authenticator, &request->caller, user,
                                                            mg_slice_of_text(password), reach, &grant, &error);
    if (status == MG_OK) {
        answer_token(response, &grant);
    } else {
        login_fail(request, response, status, &grant, &error);
    }
    mg_secret_wipe(&grant, sizeof(grant));
}

enum mg_status oauth_authenticate(struct authenticator *authenticator, const struct http_request *request,
                                  unsigned reach, struct http_identity *out)
{
    struct mg_slice token;
    if (!http_request_bearer(request, &token)) {
        return MG_DENIED;
    }
    return authenticator_identify(authenticator, &request->caller, TICKET_TOKEN, token, reach, out, NULL);
}

enum mg_status oauth_no_authentication(void *arg, const struct http_request *request, struct http_identity *out)
{
    (void)arg;
    (void)request;
    (void)out;
    return MG_DENIED;
}
