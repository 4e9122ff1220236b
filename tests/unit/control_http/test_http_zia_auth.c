/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <unistd.h>

#include "base/log.h"
#include "control/http/credentials.h"
#include "control/http/zia_auth.h"
#include "http_fixture.h"

#define PASSWORD "correct horse battery"

static const char *const audiences[] = {"https://api.zscaler.com", NULL};
static sqlite3 *db;
static struct authenticator *authenticator;
static struct router *router;
static char secret[CLIENT_SECRET_LEN];

/* A route of the family itself, as others will add them. */
static void handle_list(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    http_response_json(response, 200, json_pack("[s]", request->identity.name));
}

static const struct http_route routes[] = {
    {HTTP_GET, "/intermediateCaCertificate", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_list},
    {HTTP_POST, "/intermediateCaCertificate", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, 4096, RATE_NONE, handle_list},
};

static int set_up(void **state)
{
    char key[API_KEY_MAX + 1];
    (void)state;
    db = fixture_database();
    const struct authenticator_config config = {.db = db, .audiences = audiences};
    assert_int_equal(authenticator_new(&authenticator, &config, NULL), MG_OK);
    const struct http_family family = {.name = "zia",
                                       .bases = zia_bases,
                                       .routes = routes,
                                       .num_routes = MG_ARRAY_LEN(routes),
                                       .authenticate = zia_authenticate,
                                       .render = zia_render_error,
                                       .decorate = zia_decorate,
                                       .arg = authenticator};
    assert_int_equal(router_new(&router, NULL, NULL), MG_OK);
    assert_int_equal(zia_auth_add(router, authenticator, NULL), MG_OK);
    assert_int_equal(router_add(router, &family, NULL), MG_OK);
    assert_int_equal(credentials_user_create(db, "alice", HTTP_ROLE_AUDITOR, mg_slice_of_text(PASSWORD), NULL), MG_OK);
    assert_int_equal(credentials_api_key_create(db, "lab", "ABCDEFGHIJKL", key, NULL), MG_OK);
    assert_int_equal(credentials_client_create(db, "c1", HTTP_ROLE_ADMIN, REACH_ALL, secret, NULL), MG_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    authenticator_free(authenticator);
    sqlite3_close(db);
    return 0;
}

static void post(const char *target, const char *type, const char *body)
{
    ask(router, &(struct ask){.method = "POST", .target = target, .headers = {{"Content-Type", type}}, .body = body});
}

#define LOGIN(timestamp)                                                                                               \
    "{\"apiKey\":\"GDGDECFDKDJD\",\"username\":\"alice\",\"password\":\"" PASSWORD "\",\"timestamp\":" timestamp "}"

static const char *log_in(void)
{
    static char cookie[128];
    post("/api/v1/authenticatedSession", "application/json", LOGIN("1795247636342"));
    assert_int_equal(answer.status, 200);
    const char *at = strstr(answer.headers, "JSESSIONID=");
    assert_non_null(at);
    snprintf(cookie, sizeof(cookie), "other=1; %.*s", (int)strcspn(at, ";"), at);
    return cookie;
}

static void ask_with(const char *method, const char *target, const char *header, const char *value)
{
    ask(router, &(struct ask){.method = method, .target = target, .headers = {{header, value}}});
}

static const char *fetch_token(void)
{
    static char header[128];
    char form[512];
    snprintf(form, sizeof(form),
             "grant_type=client_credentials&client_id=c1&client_secret=%s&audience=https%%3A%%2F%%2Fapi.zscaler.com",
             secret);
    post("/oauth2/v1/token", "application/x-www-form-urlencoded", form);
    assert_int_equal(answer.status, 200);
    json_t *json = json_loads(answer.body, 0, NULL);
    snprintf(header, sizeof(header), "Bearer %s", json_string_value(json_object_get(json, "access_token")));
    assert_string_equal(json_string_value(json_object_get(json, "token_type")), "Bearer");
    assert_int_equal(json_integer_value(json_object_get(json, "expires_in")), 3600);
    json_decref(json);
    return header;
}

/* ---- sessions ---- */

static void test_a_login_answers_as_the_vendors_clients_expect(void **state)
{
    (void)state;
    static const char *const timestamps[] = {LOGIN("1795247636342"), LOGIN("\"1795247636342\"")}; /* Python, Go */
    static const char *const targets[] = {"/api/v1/authenticatedSession", "/zia/api/v1/authenticatedSession"};
    for (size_t i = 0; i < MG_ARRAY_LEN(timestamps); i++) {
        for (size_t j = 0; j < MG_ARRAY_LEN(targets); j++) {
            post(targets[j], "application/json", timestamps[i]);
            assert_int_equal(answer.status, 200);
            assert_true(answer_has("\"authType\":\"ADMIN_LOGIN\"") && answer_has("\"obfuscateApiKey\":true") &&
                        answer_has("\"passwordExpiryTime\":0"));
            const char *at = strstr(answer.headers, "Set-Cookie: JSESSIONID=");
            assert_non_null(at);
            assert_int_equal(strcspn(at + strlen("Set-Cookie: JSESSIONID="), ";"), 32);
            assert_true(header_has("; Path=/; Secure; HttpOnly; SameSite=Strict\n"));
            assert_true(header_has("Content-Disposition: attachment; filename=\"api.json\"\n"));
        }
    }
}

static void test_a_session_is_asked_used_and_ended(void **state)
{
    (void)state;
    const char *cookie = log_in();
    ask_with("GET", "/zia/api/v1/authenticatedSession", "Cookie", cookie);
    assert_int_equal(answer.status, 200);
    assert_true(answer_has("\"authType\"") && !answer_has("jSessionID"));
    ask_with("GET", "/api/v1/intermediateCaCertificate?&pageSize=1000&page=1", "Cookie", cookie);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "[\"user:alice\"]");
    ask_with("POST", "/api/v1/intermediateCaCertificate", "Cookie", cookie);
    assert_int_equal(answer.status, 403);
    assert_true(answer_has("\"code\":\"SCOPE_LIMITED\""));
    ask_with("DELETE", "/api/v1/authenticatedSession", "Cookie", cookie);
    assert_int_equal(answer.status, 204);
    assert_string_equal(answer.body, "");
    ask_with("GET", "/api/v1/authenticatedSession", "Cookie", cookie);
    assert_int_equal(answer.status, 401);
    assert_true(answer_has("\"code\":\"SESSION_NOT_VALID\"")); /* what makes Go log in again */
}

static void test_an_idle_session_is_over(void **state)
{
    (void)state;
    const char *cookie = log_in();
    struct ask what = {.method = "GET", .target = "/api/v1/intermediateCaCertificate", .headers = {{"Cookie", cookie}}};
    what.after_seconds = 270; /* when Python refreshes */
    ask(router, &what);
    assert_int_equal(answer.status, 200);
    what.after_seconds = 270 + 300;
    ask(router, &what);
    assert_int_equal(answer.status, 401);
}

static void test_a_wrong_login_is_refused_without_a_hint(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"apiKey\":\"GDGDECFDKDJX\",\"username\":\"alice\",\"password\":\"" PASSWORD
        "\",\"timestamp\":1795247636342}",
        "{\"apiKey\":\"GDGDECFDKDJD\",\"username\":\"alicf\",\"password\":\"" PASSWORD
        "\",\"timestamp\":1795247636342}",
        "{\"apiKey\":\"GDGDECFDKDJD\",\"username\":\"alice\",\"password\":\"wrong\",\"timestamp\":1795247636342}",
        LOGIN("1795247336341"),
    };
    char first[sizeof(answer.body)] = "";
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        post("/api/v1/authenticatedSession", "application/json", bad[i]);
        assert_int_equal(answer.status, 401);
        assert_true(answer_has("\"code\":\"AUTHENTICATION_FAILED\"") && !header_has("Set-Cookie"));
        assert_false(answer_has(PASSWORD));
        if (i == 0) {
            memcpy(first, answer.body, sizeof(first));
        }
        assert_string_equal(answer.body, first);
    }
}

static void test_guessing_is_answered_by_429(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        post("/api/v1/authenticatedSession", "application/json",
             "{\"apiKey\":\"GDGDECFDKDJD\",\"username\":\"alice\",\"password\":\"wrong\",\"timestamp\":1795247636342}");
        assert_int_equal(answer.status, i < 4 ? 401 : 429);
    }
    assert_true(header_has("Retry-After: 1\n") && answer_has("\"Retry-After\":\"1 seconds\"") && !answer_has("code"));
}

static void test_a_body_that_breaks_a_rule_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "{\"apiKey\":1,\"username\":\"alice\",\"password\":\"x\",\"timestamp\":1795247636342}",
        "{\"apiKey\":\"GDGDECFDKDJD\",\"username\":\"alice\",\"timestamp\":1795247636342}",
        LOGIN("null"),
        LOGIN("\"soon\""),
        LOGIN("1.5"),
        LOGIN("\"-1\""),
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        post("/api/v1/authenticatedSession", "application/json", bad[i]);
        assert_int_equal(answer.status, 400);
        assert_true(answer_has("\"code\":\"INVALID_INPUT_ARGUMENT\""));
    }
    post("/api/v1/authenticatedSession", "application/json", "{\"apiKey\":");
    assert_int_equal(answer.status, 400);
    assert_string_equal(answer.body, "{\"message\":\"Request body is invalid.\"}"); /* as recorded: no code */
    post("/api/v1/authenticatedSession", "application/x-www-form-urlencoded", "a=1");
    assert_int_equal(answer.status, 415);
    assert_string_equal(answer.body, "");
}

/* log_of returns what |act| makes the program write to its log. */
static const char *log_of(void (*act)(void))
{
    static char log[8192];
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    act();
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    rewind(file);
    log[fread(log, 1, sizeof(log) - 1, file)] = '\0';
    fclose(file);
    return log;
}

static void log_in_in_every_wrong_way(void)
{
    static const char body[] =
        "{\"apiKey\":\"GDGDECFDKDJD\",\"username\":\"%s\",\"password\":\"hunter2hunter2\",\"timestamp\":1795247636342}";
    char text[512];
    mg_log_set_level(MG_LOG_DEBUG);
    snprintf(text, sizeof(text), body, "alice");
    post("/api/v1/authenticatedSession", "application/json", text);
    snprintf(text, sizeof(text), body, "hunter2hunter2"); /* the password in the wrong field */
    post("/api/v1/authenticatedSession", "application/json", text);
    post("/api/v1/authenticatedSession", "application/json", "{\"password\":hunter2hunter2}");
    post("/oauth2/v1/token", "application/x-www-form-urlencoded",
         "grant_type=client_credentials&client_id=c1&client_secret=hunter2hunter2");
    mg_log_set_level(MG_LOG_INFO);
}

static void test_no_secret_is_in_the_log(void **state)
{
    (void)state;
    const char *log = log_of(log_in_in_every_wrong_way);
    assert_non_null(strstr(log, "a login of user:alice from 192.0.2.1 failed"));
    assert_non_null(strstr(log, "a login of somebody unknown from 192.0.2.1 failed"));
    assert_null(strstr(log, "hunter2"));
    assert_null(strstr(log, "GDGDECFDKDJD"));
}

/* ---- tokens ---- */

static void test_a_token_is_fetched_used_and_ended(void **state)
{
    (void)state;
    const char *token = fetch_token();
    ask_with("POST", "/zia/api/v1/intermediateCaCertificate", "Authorization", token);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "[\"client:c1\"]");
    ask_with("DELETE", "/zia/api/v1/authenticatedSession", "Authorization", token);
    assert_int_equal(answer.status, 200); /* not 204: the OneAPI client's __exit__ */
    ask_with("GET", "/zia/api/v1/intermediateCaCertificate", "Authorization", token);
    assert_int_equal(answer.status, 401);
    token = fetch_token();
    ask(router, &(struct ask){.method = "GET",
                              .target = "/zia/api/v1/intermediateCaCertificate",
                              .headers = {{"Authorization", token}},
                              .after_seconds = 3600});
    assert_int_equal(answer.status, 401);
}

static const char *echo_header(const void *source, const char *name)
{
    return strcmp(name, "Authorization") == 0 ? source : NULL;
}

static void post_basic(const char *before, const char *after, const char *form)
{
    char text[512], header[1024] = "Basic ";
    snprintf(text, sizeof(text), "%s%s%s", before, secret, after);
    EVP_EncodeBlock((unsigned char *)header + strlen(header), (const unsigned char *)text, (int)strlen(text));
    ask(router,
        &(struct ask){.method = "POST",
                      .target = "/oauth2/v1/token",
                      .headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Authorization", header}},
                      .body = form});
}

/* RFC 6749 section 2.3.1. */
static void test_a_secret_may_come_by_basic_authentication(void **state)
{
    (void)state;
    post_basic("c1:", "", "grant_type=client_credentials");
    assert_int_equal(answer.status, 200);
    post_basic("c1:", "", "grant_type=client_credentials&client_id=c1");
    assert_int_equal(answer.status, 200);
    post_basic("c1:", "1", "grant_type=client_credentials");
    assert_int_equal(answer.status, 401);
    post_basic("c1:", "", "grant_type=client_credentials&client_id=c2");
    assert_int_equal(answer.status, 400);
    post_basic("c1:", "", "grant_type=client_credentials&client_secret=x"); /* two ways at once */
    assert_int_equal(answer.status, 400);
    post_basic("c1", "", "grant_type=client_credentials");
    assert_int_equal(answer.status, 400);
}

static void test_basic_credentials_are_decoded_within_their_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *header, *user, *password; /* NULL: refused */
    } cases[] = {
        {"Basic YTpi", "a", "b"},       {"basic  YTpiOmM= ", "a", "b:c"},
        {"BASIC Og==", "", ""},         {"Basic YTo=", "a", ""},
        {"Basic YQ==", NULL, NULL},     /* no colon */
        {"Basic YTpi!", NULL, NULL},    /* no base64 */
        {"Basic YTp", NULL, NULL},      /* cut */
        {"Basic YTpiAA==", NULL, NULL}, /* a NUL */
        {"Basic ", NULL, NULL},         {"Basic", NULL, NULL},
        {"Bearer YTpi", NULL, NULL},    {"Basic ====", NULL, NULL},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        struct http_basic basic;
        struct http_request request = {.header = echo_header, .header_source = cases[i].header};
        bool found = http_request_basic(&request, &basic);
        assert_int_equal(found, cases[i].user != NULL);
        if (found) {
            assert_string_equal(basic.user, cases[i].user);
            assert_string_equal(basic.password, cases[i].password);
        }
    }
    char endless[6 + 1200 + 1] = "Basic ";
    memset(endless + 6, 'A', 1200);
    struct http_request request = {.header = echo_header, .header_source = endless};
    assert_false(http_request_basic(&request, &(struct http_basic){.user = ""}));
}

static void test_token_errors_are_those_of_oauth(void **state)
{
    (void)state;
    static const struct {
        const char *form;
        unsigned status;
        const char *error;
    } bad[] = {
        {"", 400, "unsupported_grant_type"},
        {"grant_type=password&client_id=c1&client_secret=x", 400, "unsupported_grant_type"},
        {"grant_type=client_credentials&client_id=c1", 400, "invalid_request"},
        {"grant_type=client_credentials&client_id=c1&client_assertion=x", 400, "invalid_request"},
        {"grant_type=client_credentials&client_id=c1&client_secret=x", 401, "invalid_client"},
        {"grant_type=client_credentials&client_id=c1&client_secret=x&client_id=c1", 400, "invalid_request"},
        {"grant_type=client_credentials&client_assertion=x.y.z&client_assertion_type="
         "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
         401, "invalid_client"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "{\"error\":\"%s\",\"error_description\":", bad[i].error);
        post("/oauth2/v1/token", "application/x-www-form-urlencoded", bad[i].form);
        assert_int_equal(answer.status, bad[i].status);
        assert_int_equal(strncmp(answer.body, expected, strlen(expected)), 0);
    }
    ask_with("GET", "/oauth2/v1/token", "Accept", "*/*");
    assert_int_equal(answer.status, 405);
    assert_true(header_has("Allow: POST\n"));
}

#define ZIA_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ZIA_TEST(test_a_login_answers_as_the_vendors_clients_expect),
        ZIA_TEST(test_a_session_is_asked_used_and_ended),
        ZIA_TEST(test_an_idle_session_is_over),
        ZIA_TEST(test_a_wrong_login_is_refused_without_a_hint),
        ZIA_TEST(test_guessing_is_answered_by_429),
        ZIA_TEST(test_a_body_that_breaks_a_rule_is_refused),
        ZIA_TEST(test_no_secret_is_in_the_log),
        ZIA_TEST(test_a_token_is_fetched_used_and_ended),
        ZIA_TEST(test_a_secret_may_come_by_basic_authentication),
        ZIA_TEST(test_basic_credentials_are_decoded_within_their_bounds),
        ZIA_TEST(test_token_errors_are_those_of_oauth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
