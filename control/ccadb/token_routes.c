/* SPDX-License-Identifier: Apache-2.0 */
/* POST /services/oauth2/token (contracts.md section 2.1). Refused requests are 400, as Salesforce has it. */
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "control/ccadb/grants.h"
#include "control/ccadb/routes.h"

#define SCOPE "visualforce refresh_token web api full"
#define SHA256_LEN 32
#define SIGNATURE_SIZE 64 /* base64 of 32 bytes, and a NUL */
#define US_PER_MS 1000

/* A token request. Texts are borrowed from it. */
struct asked {
    const char *client, *secret;
    const char *code, *redirect_uri; /* NULL: a refresh token is given */
    const char *refresh;
};

static const char *member(const struct http_request *request, const char *name)
{
    return http_params_get0(&request->form, name);
}

static bool is_code_grant(const char *grant_type)
{
    /* An older text of a CA on the same API has the second one (contracts.md section 2.1). */
    return strcmp(grant_type, "authorization_code") == 0 || strcmp(grant_type, "code") == 0;
}

/* read_request returns the error's word, or NULL. */
static const char *read_request(const struct http_request *request, struct asked *out)
{
    const char *grant_type = member(request, "grant_type");
    *out = (struct asked){.client = member(request, "client_id"), .secret = member(request, "client_secret")};
    if (grant_type == NULL) {
        return "invalid_request";
    }
    if (is_code_grant(grant_type)) {
        out->code = member(request, "code");
        out->redirect_uri = member(request, "redirect_uri");
        out->redirect_uri = out->redirect_uri != NULL ? out->redirect_uri : member(request, "redirect_url");
    } else if (strcmp(grant_type, "refresh_token") == 0) {
        out->refresh = member(request, "refresh_token");
    } else {
        return "unsupported_grant_type";
    }
    bool has_grant = out->refresh != NULL || (out->code != NULL && out->redirect_uri != NULL);
    return out->client == NULL || out->secret == NULL || !has_grant ? "invalid_request" : NULL;
}

static const char *description_of(const char *word)
{
    static const struct {
        const char *word, *text;
    } texts[] = {
        {"invalid_request", "client_id, client_secret, grant_type and what belongs to it are required"},
        {"unsupported_grant_type", "grant type not supported"},
        {"invalid_client_id", "client identifier invalid"},
        {"invalid_client", "invalid client credentials"},
        {"redirect_uri_mismatch", "redirect_uri must match the one that the code was given to"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(texts); i++) {
        if (strcmp(texts[i].word, word) == 0) {
            return texts[i].text;
        }
    }
    return "expired or invalid authorization code or refresh token";
}

static const char *word_of(enum grants_outcome outcome)
{
    return outcome == GRANTS_DONE ? NULL : outcome == GRANTS_ELSEWHERE ? "redirect_uri_mismatch" : "invalid_grant";
}

/* exchange looks at the client, then at what it brings: *word is the error's, NULL for none. */
static enum mg_status exchange(struct store_tx *tx, const struct asked *asked, int64_t now_us, const char **word,
                               struct grants_tokens *out, struct mg_error *error)
{
    enum grants_outcome outcome;
    enum mg_status status = grants_client_check(tx, asked->client, asked->secret, error);
    if (status == MG_NOT_FOUND || status == MG_DENIED) {
        *word = status == MG_NOT_FOUND ? "invalid_client_id" : "invalid_client";
        return MG_OK;
    }
    if (status == MG_OK) {
        status = asked->refresh != NULL
                     ? grants_refresh(tx, asked->client, asked->refresh, now_us, &outcome, out, error)
                     : grants_redeem(tx, asked->client, asked->code, asked->redirect_uri, now_us, &outcome, out, error);
    }
    if (status == MG_OK) {
        *word = word_of(outcome);
    }
    return status;
}

/* sign writes Salesforce's signature: by the client's secret over identity and time. "" where OpenSSL fails. */
static void sign(const char *secret, const char *identity, const char *issued_at, char out[SIGNATURE_SIZE])
{
    char text[512];
    uint8_t mac[SHA256_LEN];
    snprintf(text, sizeof(text), "%s%s", identity, issued_at);
    out[0] = '\0';
    if (HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text, strlen(text), mac, NULL) != NULL) {
        (void)EVP_EncodeBlock((unsigned char *)out, mac, sizeof(mac));
    }
}

/* What both answers have. */
struct told {
    char host[CCADB_HOST_SIZE], url[CCADB_HOST_SIZE + 16], identity[CCADB_HOST_SIZE + 64];
    char community[RECORD_ID_SIZE], issued_at[24], signature[SIGNATURE_SIZE];
};

static void tell(struct told *told, const struct http_request *request, const struct asked *asked,
                 const struct grants_tokens *tokens)
{
    char organization[RECORD_ID_SIZE], user[RECORD_ID_SIZE];
    ccadb_host(request, told->host);
    record_id_make(RECORD_ID_ORGANIZATION, 1, organization);
    record_id_make(RECORD_ID_COMMUNITY, 1, told->community);
    record_id_make(RECORD_ID_USER, (uint64_t)tokens->grant_id, user);
    snprintf(told->url, sizeof(told->url), "https://%s", told->host);
    snprintf(told->identity, sizeof(told->identity), "https://%s/id/%s/%s", told->host, organization, user);
    snprintf(told->issued_at, sizeof(told->issued_at), "%" PRId64, request->caller.wall_us / US_PER_MS);
    sign(asked->secret, told->identity, told->issued_at, told->signature);
}

/* answer has the members that the seed's two samples have, and no others. */
static void answer(const struct http_request *request, struct http_response *response, const struct asked *asked,
                   const struct grants_tokens *tokens)
{
    struct told told;
    tell(&told, request, asked, tokens);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "access_token", tokens->access, "sfdc_community_url",
                             told.url, "sfdc_community_id", told.community, "signature", told.signature, "scope", SCOPE,
                             "issued_at", told.issued_at);
    json_t *more =
        asked->refresh == NULL
            ? json_pack("{s:s, s:s}", "refresh_token", tokens->refresh, "id_token", told.identity)
            : json_pack("{s:s, s:s, s:s}", "instance_url", told.url, "id", told.identity, "token_type", "Bearer");
    if (json_object_update_missing(json, more) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(more);
    http_response_json(response, 200, json);
    http_response_header(response, "Cache-Control", "no-store"); /* RFC 6749 section 5.1 */
}

static void refuse(const struct ccadb *ccadb, const struct http_request *request, struct http_response *response,
                   const char *word)
{
    if (ccadb->denied != NULL) {
        ccadb->denied(ccadb->denied_arg, &request->caller, "");
    }
    http_fail(request, response, HTTP_PROBLEM_INVALID, word, description_of(word));
}

void ccadb_token(void *arg, struct http_request *request, struct http_response *response)
{
    const struct ccadb *ccadb = arg;
    struct asked asked;
    struct grants_tokens tokens = {.grant_id = 0};
    struct store_tx *tx;
    struct mg_error error;
    const char *word = read_request(request, &asked);
    if (word != NULL) {
        http_fail(request, response, HTTP_PROBLEM_INVALID, word, description_of(word));
        return;
    }
    enum mg_status status = store_begin(ccadb->lifecycle->store, STORE_WRITE, &tx, &error);
    if (status == MG_OK) {
        status = store_end(tx, exchange(tx, &asked, request->caller.wall_us, &word, &tokens, &error), &error);
    }
    if (status != MG_OK) {
        http_fail_status(request, response, status, &error);
    } else if (word != NULL) {
        refuse(ccadb, request, response, word);
    } else {
        answer(request, response, &asked, &tokens);
    }
    mg_secret_wipe(&tokens, sizeof(tokens));
}
