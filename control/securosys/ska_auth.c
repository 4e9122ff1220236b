/* SPDX-License-Identifier: Apache-2.0 */
#include "control/securosys/ska_auth.h"

#include <stdio.h>
#include <time.h>

#include "control/http/assertion.h"
#include "control/http/credentials.h"
#include "control/http/login_answer.h"
#include "control/http/scan.h"
#include "control/securosys/ska_api_key.h"

#define API_KEY_HEADER "X-API-KEY"
#define US_PER_SECOND INT64_C(1000000)

/* ---- API keys ---- */

/* What each role of a key opens: the first segment behind /v1. */
static const struct {
    const char *segment;
    enum ska_api_role role;
} doors[] = {
    {"key", SKA_KEY_MANAGEMENT},    {"certificate", SKA_KEY_OPERATION},     {"sign", SKA_KEY_OPERATION},
    {"request", SKA_KEY_OPERATION}, {"synchronousSign", SKA_KEY_OPERATION}, {"filteredRequests", SKA_KEY_OPERATION},
    {"versionInfo", SKA_SERVICE},   {"licenseInfo", SKA_SERVICE},           {"keystore", SKA_SERVICE},
};

static bool opens(enum ska_api_role role, struct mg_slice path)
{
    if (!scan_skip(&path, "/v1/")) {
        return false;
    }
    struct mg_slice segment = scan_until(&path, '/');
    for (size_t i = 0; i < MG_ARRAY_LEN(doors); i++) {
        if (mg_slice_equal(segment, mg_slice_of_text(doors[i].segment))) {
            return doors[i].role == role;
        }
    }
    return false;
}

static enum mg_status find_api_key(const struct ska_api *api, const char *text, struct ska_api_key *out)
{
    struct store_tx *tx;
    if (store_begin(api->store, STORE_READ, &tx, NULL) != MG_OK) {
        return MG_AGAIN;
    }
    enum mg_status status = store_end(tx, ska_api_key_find(tx, text, out, NULL), NULL);
    return status == MG_OK ? MG_OK : status == MG_NOT_FOUND ? MG_DENIED : MG_AGAIN;
}

static enum mg_status by_api_key(const struct ska_api *api, const struct http_request *request, const char *text,
                                 struct http_identity *out)
{
    struct ska_api_key key;
    enum mg_status status = find_api_key(api, text, &key);
    if (status == MG_OK && !opens(key.role, request->path)) {
        status = MG_DENIED;
    }
    if (status == MG_OK) {
        snprintf(out->name, sizeof(out->name), "ska:%s", key.name);
        out->role = HTTP_ROLE_ADMIN; /* of what it opens */
    }
    return status;
}

/* ---- JWTs ---- */

static bool is_numeric_date(const json_t *value, int64_t min, int64_t max)
{
    return json_is_number(value) && json_number_value(value) >= (double)min && json_number_value(value) <= (double)max;
}

/* check_claims: for this family, and for a bounded time. */
static bool check_claims(const struct assertion *jwt, int64_t now)
{
    const json_t *not_before = json_object_get(jwt->claims, "nbf"), *issued = json_object_get(jwt->claims, "iat");
    const char *audience = json_string_value(json_object_get(jwt->claims, "aud"));
    return audience != NULL && strcmp(audience, SKA_JWT_AUDIENCE) == 0 && jwt->expires > now &&
           jwt->expires <= now + SKA_JWT_MAX_SECONDS &&
           (not_before == NULL || is_numeric_date(not_before, 0, now + ASSERTION_SKEW_SECONDS)) &&
           (issued == NULL || is_numeric_date(issued, 0, now + ASSERTION_SKEW_SECONDS));
}

static enum mg_status load_client(const struct ska_api *api, const char *id, struct credentials_client *client,
                                  EVP_PKEY **key)
{
    struct store_tx *tx;
    if (store_begin(api->store, STORE_READ, &tx, NULL) != MG_OK) {
        return MG_AGAIN;
    }
    enum mg_status status = credentials_client_get1_key(store_connection(tx), id, client, key, NULL);
    return store_end(tx, status, NULL);
}

static enum mg_status by_jwt(const struct ska_api *api, const struct http_request *request, struct http_identity *out)
{
    struct mg_slice text;
    struct assertion jwt;
    struct credentials_client client;
    EVP_PKEY *key = NULL;
    if (!http_request_bearer(request, &text) || assertion_parse(text, &jwt, NULL) != MG_OK) {
        return MG_DENIED;
    }
    enum mg_status status = check_claims(&jwt, request->caller.wall_us / US_PER_SECOND) ? MG_OK : MG_DENIED;
    if (status == MG_OK) {
        status = load_client(api, jwt.client_id, &client, &key);
    }
    if (status == MG_OK) {
        bool counts = !client.is_disabled && (client.reach & REACH_SECUROSYS) != 0;
        status = counts ? assertion_check_signature(&jwt, key, NULL) : MG_DENIED;
    }
    if (status == MG_OK) {
        snprintf(out->name, sizeof(out->name), "client:%s", client.id);
        out->role = client.role;
    }
    EVP_PKEY_free(key);
    assertion_free(&jwt);
    return status == MG_OK || status == MG_AGAIN ? status : MG_DENIED;
}

static enum mg_status by_bearer(const struct ska_api *api, const struct http_request *request,
                                struct http_identity *out)
{
    enum mg_status status = login_identify(api->authenticator, request, REACH_SECUROSYS, out);
    return status == MG_DENIED ? by_jwt(api, request, out) : status;
}

/* ---- both ---- */

enum mg_status ska_authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    const struct ska_api *api = arg;
    const char *text = http_request_header(request, API_KEY_HEADER);
    struct http_identity bearer = {.name = ""};
    if (text == NULL) {
        return by_bearer(api, request, out);
    }
    enum mg_status status = by_api_key(api, request, text, out);
    if (status == MG_OK && http_request_header(request, "Authorization") != NULL) {
        status = by_bearer(api, request, &bearer);
        out->role = bearer.role;
    }
    return status;
}

static enum mg_status approvers_need_a_key(const struct ska_api *api, bool *out)
{
    struct store_tx *tx;
    if (store_begin(api->store, STORE_READ, &tx, NULL) != MG_OK) {
        return MG_AGAIN;
    }
    return store_end(tx, ska_api_key_has_role(tx, SKA_APPROVER, out, NULL), NULL) == MG_OK ? MG_OK : MG_AGAIN;
}

enum mg_status ska_admit_approver(const struct ska_api *api, const struct http_request *request)
{
    const char *text = http_request_header(request, API_KEY_HEADER);
    struct ska_api_key key;
    bool is_needed = false;
    if (text != NULL) {
        enum mg_status status = find_api_key(api, text, &key);
        return status == MG_OK && key.role != SKA_APPROVER ? MG_DENIED : status;
    }
    if (request->caller.is_local) {
        return MG_OK;
    }
    enum mg_status status = approvers_need_a_key(api, &is_needed);
    return status == MG_OK && is_needed ? MG_DENIED : status;
}
