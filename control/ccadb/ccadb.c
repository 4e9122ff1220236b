/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/ccadb.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "control/ccadb/appliance.h"
#include "control/ccadb/grants.h"
#include "control/ccadb/routes.h"
#include "control/http/oauth.h"
#include "ossl/openssl_error.h"

enum mg_status ccadb_init(struct ccadb *ccadb, struct mg_error *error)
{
    if (RAND_bytes(ccadb->form_key, sizeof(ccadb->form_key)) != 1) {
        return openssl_error_set(error, "no random bytes");
    }
    return same_calls_new(&ccadb->same_calls, error);
}

void ccadb_release(struct ccadb *ccadb)
{
    same_calls_free(ccadb->same_calls);
    ccadb->same_calls = NULL;
}

void ccadb_set_same_call(struct ccadb *ccadb, uint64_t span_ns)
{
    atomic_store_explicit(&ccadb->same_call_ns, span_ns, memory_order_relaxed);
}

void ccadb_host(const struct http_request *request, char out[CCADB_HOST_SIZE])
{
    const char *host = http_request_header(request, "Host");
    size_t len = host == NULL ? 0 : strlen(host);
    bool is_good = len > 0 && len < CCADB_HOST_SIZE &&
                   strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]") == len;
    snprintf(out, CCADB_HOST_SIZE, "%s", is_good ? host : "localhost");
}

/* ---- the shape of errors ---- */

/* Salesforce's: an array of one, with a word that clients know (contracts.md section 2.1). */
static void render_error(const struct http_problem *problem, struct http_response *response)
{
    static const char *const codes[HTTP_NUM_PROBLEMS] = {
        [HTTP_PROBLEM_BAD_BODY] = "JSON_PARSER_ERROR",
        [HTTP_PROBLEM_INVALID] = "INVALID_FIELD",
        [HTTP_PROBLEM_UNAUTHENTICATED] = "INVALID_SESSION_ID",
        [HTTP_PROBLEM_FORBIDDEN] = "INSUFFICIENT_ACCESS",
        [HTTP_PROBLEM_NOT_FOUND] = "NOT_FOUND",
        [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = "METHOD_NOT_ALLOWED",
        [HTTP_PROBLEM_TOO_LARGE] = "REQUEST_TOO_LARGE",
        [HTTP_PROBLEM_RATE_LIMITED] = "REQUEST_LIMIT_EXCEEDED",
        [HTTP_PROBLEM_UNAVAILABLE] = "SERVER_UNAVAILABLE",
    };
    const char *code = problem->code != NULL ? problem->code : codes[problem->kind];
    const char *message =
        problem->kind == HTTP_PROBLEM_UNAUTHENTICATED ? "Session expired or invalid" : problem->message;
    http_response_json(
        response, problem->status,
        json_pack("[{s:s, s:s}]", "message", message, "errorCode", code != NULL ? code : "UNKNOWN_EXCEPTION"));
}

/* ---- who asks ---- */

static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct ccadb *ccadb = arg;
    struct mg_slice token;
    struct grants_user user;
    struct store_tx *tx;
    if (!http_request_bearer(request, &token)) {
        return MG_DENIED;
    }
    enum mg_status status = store_begin(ccadb->lifecycle->store, STORE_READ, &tx, NULL);
    if (status != MG_OK) {
        return status;
    }
    status = store_end(tx, grants_identify(tx, token, request->caller.wall_us, &user, NULL), NULL);
    if (status != MG_OK) {
        return status == MG_NOT_FOUND ? MG_DENIED : status;
    }
    *out = (struct http_identity){.role = HTTP_ROLE_OPERATOR}; /* with a right to it, it may switch the default */
    snprintf(out->name, sizeof(out->name), "user:%s", user.name);
    return MG_OK;
}

/* ---- the routes ---- */

static enum mg_status add_oauth(struct router *router, struct ccadb *ccadb, struct mg_error *error)
{
    static const char *const bases[] = {"/services/oauth2", NULL};
    static const struct http_route routes[] = {
        {HTTP_GET, "/authorize", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, ccadb_show_approval},
        {HTTP_POST, "/authorize", HTTP_ROLE_ANONYMOUS, HTTP_BODY_FORM, CCADB_MAX_FORM, RATE_NONE,
         ccadb_answer_approval},
        {HTTP_POST, "/token", HTTP_ROLE_ANONYMOUS, HTTP_BODY_FORM, CCADB_MAX_FORM, RATE_NONE, ccadb_token},
    };
    const struct http_family family = {
        .name = "ccadb-oauth",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = oauth_no_authentication,
        .render = oauth_render_error,
        .arg = ccadb,
    };
    return router_add(router, &family, error);
}

static enum mg_status add_landing(struct router *router, struct ccadb *ccadb, struct mg_error *error)
{
    static const char *const bases[] = {"", NULL};
    static const struct http_route routes[] = {
        {HTTP_GET, "/", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, ccadb_landing},
    };
    const struct http_family family = {
        .name = "landing",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = oauth_no_authentication,
        .render = ccadb->render,
        .arg = ccadb,
    };
    return router_add(router, &family, error);
}

static enum mg_status add_api(struct router *router, struct ccadb *ccadb, struct mg_error *error)
{
    static const char *const bases[] = {"/services/apexrest", NULL};
    static const struct http_route routes[] = {
        {HTTP_POST, "/get/recordid", HTTP_ROLE_OPERATOR, HTTP_BODY_JSON, CCADB_MAX_BODY, RATE_CALL, ccadb_record_id},
        {HTTP_POST, "/create/intermediatecert", HTTP_ROLE_OPERATOR, HTTP_BODY_JSON, CCADB_MAX_BODY, RATE_CALL,
         ccadb_submit},
    };
    const struct http_family family = {
        .name = "ccadb",
        .bases = bases,
        .routes = routes,
        .num_routes = MG_ARRAY_LEN(routes),
        .authenticate = authenticate,
        .render = render_error,
        .arg = ccadb,
    };
    return router_add(router, &family, error);
}

enum mg_status ccadb_add(struct router *router, struct ccadb *ccadb, struct mg_error *error)
{
    enum mg_status status = add_oauth(router, ccadb, error);
    if (status == MG_OK) {
        status = add_landing(router, ccadb, error);
    }
    if (status == MG_OK) {
        status = add_api(router, ccadb, error);
    }
    return status == MG_OK ? ccadb_admin_add(router, ccadb, error) : status;
}

/* ---- the life cycle ---- */

enum mg_status ccadb_finalizing(void *arg, struct lifecycle_call *call, struct store_tx *tx,
                                const struct intermediate *record, struct mg_error *error)
{
    (void)arg;
    struct appliance_call taking = {.tx = tx, .actor = call->actor, .now_us = call->now_us};
    enum mg_status status = appliance_take(&taking, record, error);
    if (status != MG_OK) {
        call->code = "UNEXPECTED_ERROR";
    }
    return status;
}
