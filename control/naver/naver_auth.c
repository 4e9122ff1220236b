/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/naver_auth.h"

#include <stdio.h>

#include "base/secret.h"
#include "control/naver/naver_key.h"

/* ---- the gateway's errors ---- */

static const struct {
    const char *code, *message;
} words[HTTP_NUM_PROBLEMS] = {
    [HTTP_PROBLEM_BAD_BODY] = {"100", "Bad Request"},
    [HTTP_PROBLEM_INVALID] = {"100", "Bad Request"},
    [HTTP_PROBLEM_UNAUTHENTICATED] = {"200", "Authentication Failed"},
    [HTTP_PROBLEM_BAD_CREDENTIALS] = {"200", "Authentication Failed"},
    [HTTP_PROBLEM_FORBIDDEN] = {"210", "Permission Denied"},
    [HTTP_PROBLEM_NOT_FOUND] = {"300", "Not Found Exception"},
    [HTTP_PROBLEM_METHOD_NOT_ALLOWED] = {"300", "Not Found Exception"},
    [HTTP_PROBLEM_CONFLICT] = {"100", "Bad Request"},
    [HTTP_PROBLEM_TOO_LARGE] = {"430", "Request Entity Too Large"},
    [HTTP_PROBLEM_RATE_LIMITED] = {"420", "Rate Limited"},
    [HTTP_PROBLEM_SLOWED] = {"410", "Throttle Limited"},
    [HTTP_PROBLEM_INTERNAL] = {"900", "Unexpected Error"},
    [HTTP_PROBLEM_UNAVAILABLE] = {"500", "Endpoint Error"},
};

void naver_render_error(const struct http_problem *problem, struct http_response *response)
{
    unsigned status = problem->kind == HTTP_PROBLEM_FORBIDDEN ? 401 : problem->status;
    const char *message = words[problem->kind].message;
    http_response_json(response, status,
                       json_pack("{s:{s:s,s:s,s:s}}", "error", "errorCode", words[problem->kind].code, "message",
                                 message, "details", problem->message));
}

/* ---- knowing the caller ---- */

/* What a request says of itself. */
struct claim {
    struct naver_signed what;
    const char *signature;
    bool is_v1;
    int64_t timestamp_ms, now_ms;
    bool is_known; /* there is such an access key */
};

static bool read_claim(const struct http_request *request, struct claim *out)
{
    const char *v2 = http_request_header(request, "x-ncp-apigw-signature-v2");
    *out = (struct claim){.what = {.method = http_method_name(request->method),
                                   .target = request->target,
                                   .timestamp = http_request_header(request, "x-ncp-apigw-timestamp"),
                                   .access_key = http_request_header(request, "x-ncp-iam-access-key")},
                          .signature = v2 != NULL ? v2 : http_request_header(request, "x-ncp-apigw-signature-v1"),
                          .is_v1 = v2 == NULL,
                          .now_ms = request->caller.wall_us / 1000};
    return out->what.timestamp != NULL && out->what.access_key != NULL && out->signature != NULL &&
           strlen(out->what.access_key) < NAVER_ACCESS_KEY_SIZE;
}

/* load_key loads the key of |access_key|; of one that nobody has a secret that nothing was signed with. */
static enum mg_status load_key(const struct naver_auth *auth, const char *access_key, struct naver_key *out)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(auth->store, STORE_READ, &tx, NULL);
    if (status == MG_OK) {
        status = store_end(tx, naver_key_load(tx, access_key, out, NULL), NULL);
    }
    return status == MG_OK || status == MG_NOT_FOUND ? MG_OK : MG_AGAIN;
}

static enum mg_status use_up(const struct naver_auth *auth, const struct claim *claim, const uint8_t *mac)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(auth->store, STORE_WRITE, &tx, NULL);
    if (status == MG_OK) {
        status = store_end(tx, naver_signature_use_up(tx, mac, claim->timestamp_ms, claim->now_ms, NULL), NULL);
    }
    return status == MG_OK ? MG_OK : status == MG_EXISTS ? MG_DENIED : MG_AGAIN;
}

static enum mg_status check(const struct naver_auth *auth, const struct http_request *request, struct claim *claim,
                            struct http_identity *out)
{
    struct naver_key key;
    uint8_t mac[NAVER_MAC_LEN];
    enum mg_status status = load_key(auth, claim->what.access_key, &key);
    if (status == MG_OK) {
        claim->is_known = key.role != HTTP_ROLE_ANONYMOUS;
        bool holds =
            naver_signature_holds(&claim->what, mg_slice_of_text(key.secret), claim->signature, claim->is_v1, mac);
        status = holds && claim->is_known ? MG_OK : MG_DENIED;
    }
    if (status == MG_OK && request->method != HTTP_GET) {
        status = use_up(auth, claim, mac);
    }
    if (status == MG_OK) {
        snprintf(out->name, sizeof(out->name), "pca:%s", key.access_key);
        out->role = key.role;
    }
    mg_secret_wipe(&key, sizeof(key));
    return status;
}

enum mg_status naver_auth_identify(const struct naver_auth *auth, const struct http_request *request,
                                   struct http_identity *out)
{
    struct claim claim;
    if (!read_claim(request, &claim)) {
        return MG_DENIED;
    }
    enum mg_status status = naver_timestamp_is_near(claim.what.timestamp, claim.now_ms, &claim.timestamp_ms)
                                ? check(auth, request, &claim, out)
                                : MG_DENIED;
    if (status == MG_DENIED && auth->denied != NULL) {
        char who[HTTP_MAX_NAME];
        /* What is no access key of ours may be anything, a secret too. */
        snprintf(who, sizeof(who), "%s%s", claim.is_known ? "pca:" : "", claim.is_known ? claim.what.access_key : "");
        auth->denied(auth->denied_arg, &request->caller, who);
    }
    return status;
}
