/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page on which a person allows a client (contracts.md section 2.1; RFC 6749 section 4.1). Password and answer come
 * in one form, so that there is no session in the browser that another site's page could use; a token in the form, made
 * of a cookie and of what is asked, keeps that page from sending the form with a password of its own (login CSRF).
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "control/audit.h"
#include "control/ccadb/grants.h"
#include "control/ccadb/page.h"
#include "control/ccadb/routes.h"
#include "control/service/request_call.h"

#define COOKIE "ccadb_form"
#define COOKIE_BYTES 16
#define HEX_SIZE(bytes) (2 * (bytes) + 1)
#define TOKEN_BYTES 32
#define MAX_STATE 256

/* What is asked, from the query at first, then from the form; borrowed from the request. */
struct asked {
    const char *client_id, *redirect_uri, *response_type, *state;
    struct grants_client client;
};

/* ---- answers ---- */

static void hex_of(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* add_page_headers: nobody keeps, frames or scripts these pages, and a form of theirs goes here and, by the redirect,
 * to |target| ("" for nowhere else). */
static void add_page_headers(struct http_response *response, const char *target)
{
    http_response_header(response, "Content-Security-Policy",
                         "default-src 'none'; form-action 'self'%s%s; frame-ancestors 'none'; base-uri 'none'",
                         target[0] == '\0' ? "" : " ", target);
    http_response_header(response, "X-Frame-Options", "DENY");
    http_response_header(response, "Referrer-Policy", "no-referrer");
    http_response_header(response, "Cache-Control", "no-store");
}

static void answer_html(struct http_response *response, unsigned status, struct mg_buffer *html, const char *target)
{
    if (mg_buffer_ok(html)) {
        http_response_bytes(response, status, PAGE_HTML, mg_buffer_slice(html));
        add_page_headers(response, target);
    } else {
        http_response_empty(response, 500);
    }
    mg_buffer_free(html);
}

static void answer_message(struct http_response *response, unsigned status, const char *title, const char *text)
{
    struct mg_buffer html;
    mg_buffer_init(&html, PAGE_MAX);
    page_message(&html, title, text);
    answer_html(response, status, &html, "");
}

/* origin_of writes scheme and authority of |uri|, which was checked when the client was made. A policy's source has no
 * ';' or ','. */
static void origin_of(const char *uri, char out[GRANTS_MAX_URI + 1])
{
    const char *authority = strstr(uri, "://");
    size_t len = authority == NULL ? 0 : (size_t)(authority + 3 - uri) + strcspn(authority + 3, "/?#;,");
    snprintf(out, GRANTS_MAX_URI + 1, "%.*s", (int)len, uri);
}

/* append_encoded appends |text| as the value of a query's parameter (RFC 3986 section 2.1). */
static void append_encoded(struct mg_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *text) != NULL) {
            mg_buffer_append(out, text, 1);
        } else {
            mg_buffer_append_format(out, "%%%02X", (unsigned char)*text);
        }
    }
}

/* redirect sends the browser to the client's address with |parameters|, which are encoded already. */
static void redirect(struct http_response *response, const struct asked *asked, const char *parameters)
{
    struct mg_buffer target;
    mg_buffer_init(&target, HTTP_MAX_HEADER_VALUE);
    mg_buffer_append_format(&target, "%s%s%s", asked->client.redirect_uri,
                            strchr(asked->client.redirect_uri, '?') == NULL ? "?" : "&", parameters);
    if (asked->state[0] != '\0') {
        mg_buffer_append_text(&target, "&state=");
        append_encoded(&target, asked->state);
    }
    mg_buffer_append_u8(&target, '\0');
    http_response_empty(response, mg_buffer_ok(&target) ? 302 : 500);
    if (mg_buffer_ok(&target)) {
        http_response_header(response, "Location", "%s", (const char *)target.data);
        http_response_header(response, "Cache-Control", "no-store");
        http_response_header(response, "Referrer-Policy", "no-referrer");
    }
    mg_secret_free(&target);
}

/* ---- what is asked ---- */

static const char *member(const struct http_params *params, const char *name)
{
    const char *value = http_params_get0(params, name);
    return value == NULL ? "" : value;
}

/* load_client finds the client and tells whether the address is its own: until then nobody is sent anywhere. */
static enum mg_status load_client(const struct ccadb *ccadb, struct asked *asked, struct mg_error *error)
{
    struct store_tx *tx;
    enum mg_status status = store_begin(ccadb->lifecycle->store, STORE_READ, &tx, error);
    if (status == MG_OK) {
        status = store_end(tx, grants_client_get(tx, asked->client_id, &asked->client, error), error);
    }
    if (status == MG_OK && strcmp(asked->redirect_uri, asked->client.redirect_uri) != 0) {
        return mg_error_set(error, MG_INVALID, "redirect_uri: is not the one that is registered for this client");
    }
    return status;
}

/* read_asked reads |params|; false: it has answered. */
static bool read_asked(const struct ccadb *ccadb, const struct http_params *params, struct asked *out,
                       struct http_response *response)
{
    struct mg_error error;
    *out = (struct asked){.client_id = member(params, "client_id"),
                          .redirect_uri = member(params, "redirect_uri"),
                          .response_type = member(params, "response_type"),
                          .state = member(params, "state")};
    enum mg_status status = load_client(ccadb, out, &error);
    if (status == MG_NOT_FOUND || status == MG_INVALID) {
        answer_message(response, 400, "This request is not good",
                       status == MG_INVALID ? error.text : "client_id: there is no such client");
        return false;
    }
    if (status != MG_OK) {
        answer_message(response, 503, "Not now", "The control plane cannot answer just now. Try again.");
        return false;
    }
    if (strlen(out->state) > MAX_STATE) {
        answer_message(response, 400, "This request is not good", "state: is too long");
        return false;
    }
    if (strcmp(out->response_type, "code") != 0) {
        redirect(response, out, "error=unsupported_response_type");
        return false;
    }
    return true;
}

/* ---- the form ---- */

/* form_token binds a form to the browser's cookie and to what is asked. */
static bool form_token(const struct ccadb *ccadb, struct mg_slice cookie, const struct asked *asked,
                       char out[HEX_SIZE(TOKEN_BYTES)])
{
    const char *const texts[] = {asked->client.id, asked->client.redirect_uri, asked->state};
    struct mg_buffer all;
    uint8_t mac[TOKEN_BYTES];
    mg_buffer_init(&all, PAGE_MAX);
    mg_buffer_append_prefixed_u16(&all, cookie);
    for (size_t i = 0; i < MG_ARRAY_LEN(texts); i++) {
        mg_buffer_append_prefixed_u16(&all, mg_slice_of_text(texts[i]));
    }
    bool ok = mg_buffer_ok(&all) &&
              HMAC(EVP_sha256(), ccadb->form_key, sizeof(ccadb->form_key), all.data, all.len, mac, NULL) != NULL;
    mg_buffer_free(&all);
    if (ok) {
        hex_of(mac, sizeof(mac), out);
    }
    return ok;
}

/* show_form answers with the page under a fresh cookie. */
static void show_form(const struct ccadb *ccadb, const struct asked *asked, unsigned status, const char *trouble,
                      struct http_response *response)
{
    uint8_t random[COOKIE_BYTES];
    char cookie[HEX_SIZE(COOKIE_BYTES)], token[HEX_SIZE(TOKEN_BYTES)], origin[GRANTS_MAX_URI + 1];
    struct mg_buffer html;
    if (RAND_bytes(random, sizeof(random)) != 1) {
        http_response_empty(response, 500);
        return;
    }
    hex_of(random, sizeof(random), cookie);
    if (!form_token(ccadb, mg_slice_of_text(cookie), asked, token)) {
        http_response_empty(response, 500);
        return;
    }
    const struct page_approval approval = {
        .client = asked->client.name,
        .trouble = trouble,
        .client_id = asked->client.id,
        .redirect_uri = asked->client.redirect_uri,
        .state = asked->state,
        .form = token,
    };
    mg_buffer_init(&html, PAGE_MAX);
    page_approval(&html, &approval);
    origin_of(asked->client.redirect_uri, origin);
    answer_html(response, status, &html, origin);
    http_response_header(response, "Set-Cookie", COOKIE "=%s; Path=/services/oauth2; HttpOnly; Secure; SameSite=Strict",
                         cookie);
}

void ccadb_show_approval(void *arg, struct http_request *request, struct http_response *response)
{
    struct asked asked;
    if (read_asked(arg, &request->query, &asked, response)) {
        show_form(arg, &asked, 200, "", response);
    }
}

static bool is_own_form(const struct ccadb *ccadb, const struct http_request *request, const struct asked *asked)
{
    struct mg_slice cookie;
    char token[HEX_SIZE(TOKEN_BYTES)];
    const char *given = member(&request->form, "form");
    return http_request_cookie(request, COOKIE, &cookie) && cookie.len == HEX_SIZE(COOKIE_BYTES) - 1 &&
           form_token(ccadb, cookie, asked, token) && strlen(given) == strlen(token) &&
           CRYPTO_memcmp(given, token, strlen(token)) == 0;
}

/* ---- the answer ---- */

/* log_in checks user and password. What is made of it is a code: the session that comes with it ends at once. */
static enum mg_status log_in(const struct ccadb *ccadb, const struct http_request *request,
                             struct authenticator_grant *grant, struct mg_error *error)
{
    const struct authenticator_login login = {
        .user = member(&request->form, "username"),
        .password = mg_slice_of_text(member(&request->form, "password")),
    };
    enum mg_status status = authenticator_login(ccadb->authenticator, &request->caller, &login, grant, error);
    if (status == MG_OK) {
        authenticator_end(ccadb->authenticator, TICKET_SESSION, mg_slice_of_text(grant->ticket));
    }
    return status;
}

static enum mg_status make_code(const struct ccadb *ccadb, const struct http_request *request,
                                const struct http_identity *person, const struct asked *asked,
                                char code[GRANTS_SECRET_SIZE], struct mg_error *error)
{
    struct store_tx *tx;
    const char *user = member(&request->form, "username");
    enum mg_status status = store_begin(ccadb->lifecycle->store, STORE_WRITE, &tx, error);
    if (status != MG_OK) {
        return status;
    }
    status = grants_allow(tx, &asked->client, user, request->caller.wall_us, code, error);
    if (status == MG_OK) {
        const struct audit_entry entry = {
            .time_us = request->caller.wall_us,
            .actor = {.name = person->name, .role = (enum control_role)person->role, .source = request->caller.address},
            .operation = "ccadbAllowClient",
            .object = asked->client.name,
            .outcome = AUDIT_DONE,
            .detail = "{}",
        };
        status = audit_append(tx, &entry, error);
    }
    return store_end(tx, status, error);
}

static void send_code(const struct ccadb *ccadb, const struct http_request *request, const struct http_identity *person,
                      const struct asked *asked, struct http_response *response)
{
    char code[GRANTS_SECRET_SIZE], host[CCADB_HOST_SIZE], community[RECORD_ID_SIZE], parameters[512];
    struct mg_error error;
    enum mg_status status = make_code(ccadb, request, person, asked, code, &error);
    if (status == MG_DENIED) {
        answer_message(response, 403, "Not for you",
                       "This user has no right to the CCADB API. An administrator grants it: mintgatectl ccadb user "
                       "grant.");
        return;
    }
    if (status != MG_OK) {
        answer_message(response, 503, "Not now", "The control plane cannot answer just now. Try again.");
        return;
    }
    ccadb_host(request, host);
    record_id_make(RECORD_ID_COMMUNITY, 1, community);
    snprintf(parameters, sizeof(parameters), "code=%s&sfdc_community_url=https://%s&sfdc_community_id=%s", code, host,
             community);
    redirect(response, asked, parameters);
    mg_secret_wipe(code, sizeof(code));
    mg_secret_wipe(parameters, sizeof(parameters));
}

static void allow(const struct ccadb *ccadb, const struct http_request *request, const struct asked *asked,
                  struct http_response *response)
{
    struct authenticator_grant grant = {.retry_after = 0};
    struct mg_error error;
    enum mg_status status = log_in(ccadb, request, &grant, &error);
    if (status == MG_OK) {
        send_code(ccadb, request, &grant.identity, asked, response);
    } else if (status == MG_DENIED) {
        show_form(ccadb, asked, 403, "User or password are wrong.", response);
    } else {
        bool is_slowed = status == MG_LIMIT;
        answer_message(response, is_slowed ? 429 : 503, "Not now",
                       is_slowed ? "There were too many failed logins. Try again later."
                                 : "The control plane cannot answer just now. Try again.");
        if (is_slowed) {
            http_response_header(response, "Retry-After", "%llu", (unsigned long long)grant.retry_after);
        }
    }
    mg_secret_wipe(&grant, sizeof(grant));
}

void ccadb_answer_approval(void *arg, struct http_request *request, struct http_response *response)
{
    const struct ccadb *ccadb = arg;
    struct asked asked;
    const char *answer = member(&request->form, "answer");
    if (!read_asked(ccadb, &request->form, &asked, response)) {
        return;
    }
    if (!is_own_form(ccadb, request, &asked)) {
        show_form(ccadb, &asked, 403, "The form was not made for this browser, or is too old. Try again.", response);
    } else if (strcmp(answer, "allow") == 0) {
        allow(ccadb, request, &asked, response);
    } else if (strcmp(answer, "deny") == 0) {
        redirect(response, &asked, "error=access_denied&error_description=end-user+denied+authorization");
    } else {
        show_form(ccadb, &asked, 400, "Allow or deny it.", response);
    }
}

void ccadb_landing(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    if (http_params_get0(&request->query, "code") != NULL) {
        answer_message(response, 200, "Allowed",
                       "The authorization code is in the address bar of this window, behind \"code=\". It counts once, "
                       "for ten minutes.");
    } else if (http_params_get0(&request->query, "error") != NULL) {
        answer_message(response, 200, "Not allowed", "The client was not allowed.");
    } else {
        answer_message(response, 200, "Mintgate", "This is the control plane of a Mintgate appliance.");
    }
}
