/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/anonymous.h"
#include "control/http/oauth.h"
#include "control/http/zia_auth.h"
#include "http_fixture.h"
#include "rate_plans.h"

static struct router *router;
static struct rate_limits *limits;
static char seen[256]; /* what the last handler was given */

/* ---- two families that share a base path ---- */

static void handle_words(void *arg, struct http_request *request, struct http_response *response)
{
    char word[32] = "";
    if (request->num_path_values > 0 && http_request_word(request, 0, word, sizeof(word), NULL) != MG_OK) {
        http_fail(request, response, HTTP_PROBLEM_INVALID, NULL, "path");
        return;
    }
    snprintf(seen, sizeof(seen), "%s %s %s", (const char *)arg, request->route->pattern, word);
    http_response_empty(response, 204);
}

static void handle_id(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    snprintf(seen, sizeof(seen), "id %lld", (long long)http_request_id(request, request->num_path_values - 1));
    http_response_empty(response, 204);
}

static void handle_body(void *arg, struct http_request *request, struct http_response *response)
{
    char *text = request->json == NULL ? NULL : json_dumps(request->json, JSON_COMPACT);
    (void)arg;
    snprintf(seen, sizeof(seen), "json %s form %zu parts %zu raw %zu", text == NULL ? "-" : text,
             request->form.num_items, request->multipart.num_parts, request->body.len);
    free(text);
    http_response_json(response, 200, json_object());
}

static void handle_nothing(void *arg, struct http_request *request, struct http_response *response)
{
    (void)arg;
    (void)request;
    (void)response;
}

static const struct http_route first_routes[] = {
    {HTTP_GET, "/things", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_words},
    {HTTP_GET, "/things/{id}", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_LIGHT, handle_id},
    {HTTP_DELETE, "/things/{id}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_HEAVY, handle_id},
    {HTTP_GET, "/things/lite", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_words},
    {HTTP_GET, "/things/lite/{id}", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_id},
    {HTTP_POST, "/things", HTTP_ROLE_OPERATOR, HTTP_BODY_JSON, 64, RATE_MEDIUM, handle_body},
    {HTTP_POST, "/form", HTTP_ROLE_AUDITOR, HTTP_BODY_FORM, 64, RATE_NONE, handle_body},
    {HTTP_POST, "/upload", HTTP_ROLE_AUDITOR, HTTP_BODY_MULTIPART, 512, RATE_NONE, handle_body},
    {HTTP_PUT, "/raw", HTTP_ROLE_AUDITOR, HTTP_BODY_RAW, 64, RATE_NONE, handle_body},
    {HTTP_PUT, "/nothing", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_nothing},
};

static const struct http_route second_routes[] = {
    {HTTP_GET, "/ca/{tag}/cert", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_words},
    {HTTP_GET, "/ca/all/{kind}", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_words},
    {HTTP_GET, "/Stores({key})", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_words},
    {HTTP_GET, "/org/{name}/", HTTP_ROLE_AUDITOR, HTTP_BODY_NONE, 0, RATE_NONE, handle_words},
};

static const struct http_route open_routes[] = {
    {HTTP_GET, "/health", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, handle_words},
};

/* The token is the role. */
static enum mg_status authenticate(void *arg, const struct http_request *request, struct http_identity *out)
{
    struct mg_slice token;
    (void)arg;
    if (!http_request_bearer(request, &token)) {
        return MG_DENIED;
    }
    if (mg_slice_equal(token, mg_slice_of_text("locked"))) {
        return MG_AGAIN;
    }
    char name[16];
    snprintf(name, sizeof(name), "%.*s", (int)token.len, (const char *)token.data);
    snprintf(out->name, sizeof(out->name), "user:%s", name);
    return http_role_parse(name, &out->role, NULL) == MG_OK ? MG_OK : MG_DENIED;
}

static void render_first(const struct http_problem *problem, struct http_response *response)
{
    http_response_json(response, problem->status,
                       json_pack("{s:s,s:s*}", "first", problem->message, "code", problem->code));
}

static void render_second(const struct http_problem *problem, struct http_response *response)
{
    http_response_json(response, problem->status, json_pack("{s:s}", "second", problem->message));
}

static void decorate(const struct http_request *request, struct http_response *response)
{
    (void)request;
    http_response_header(response, "X-First", "yes");
}

static const char *const bases[] = {"/api/v1", "/zia/api/v1", NULL};
static const char *const root[] = {"", NULL};
static char family_names[][2] = {"1", "2", "3"};
static const struct http_family first = {"first",      bases,        first_routes, MG_ARRAY_LEN(first_routes),
                                         authenticate, render_first, decorate,     family_names[0]};
static const struct http_family second = {"second",     bases,         second_routes, MG_ARRAY_LEN(second_routes),
                                          authenticate, render_second, NULL,          family_names[1]};
static const struct http_family open_family = {
    "open",        root, open_routes,    MG_ARRAY_LEN(open_routes), oauth_no_authentication,
    render_second, NULL, family_names[2]};

static int set_up(void **state)
{
    (void)state;
    seen[0] = '\0';
    return rate_limits_new(&limits, &rate_documented, NULL) == MG_OK && router_new(&router, limits, NULL) == MG_OK &&
                   router_add(router, &first, NULL) == MG_OK && router_add(router, &second, NULL) == MG_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    rate_limits_free(limits);
    return 0;
}

static unsigned status_of(const char *method, const char *target, const char *token)
{
    char value[64];
    snprintf(value, sizeof(value), "Bearer %s", token);
    struct ask what = {.method = method, .target = target};
    if (token[0] != '\0') {
        what.headers[0][0] = "Authorization";
        what.headers[0][1] = value;
    }
    ask(router, &what);
    return answer.status;
}

static unsigned status_of_body(const char *method, const char *target, const char *type, const char *body)
{
    struct ask what = {.method = method, .target = target, .body = body, .is_local = true};
    what.headers[0][0] = "Content-Type";
    what.headers[0][1] = type;
    if (type == NULL) {
        what.headers[0][0] = NULL;
    }
    ask(router, &what);
    return answer.status;
}

/* ---- paths ---- */

static void test_a_literal_goes_before_a_word(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/api/v1/things/lite", "auditor"), 204);
    assert_string_equal(seen, "1 /things/lite ");
    assert_int_equal(status_of("GET", "/zia/api/v1/things/lite/7?page=1", "auditor"), 204);
    assert_string_equal(seen, "id 7");
    assert_int_equal(status_of("GET", "/api/v1/ca/all/cert", "auditor"), 204); /* the leftmost literal */
    assert_string_equal(seen, "2 /ca/all/{kind} cert");
    assert_int_equal(status_of("HEAD", "/api/v1/things/12", "auditor"), 204);
    assert_string_equal(seen, "id 12");
}

static void test_an_id_is_a_bounded_number(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/api/v1/things/9223372036854775807", "admin"), 204);
    assert_string_equal(seen, "id 9223372036854775807");
    static const char *const bad[] = {"9223372036854775808", "-1", "+1", "1x", "0x1", "1%30", "%31", "", "1/", "1/2"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        char target[64];
        snprintf(target, sizeof(target), "/api/v1/things/%s", bad[i]);
        assert_int_equal(status_of("GET", target, "auditor"), 404);
    }
}

static void test_a_word_is_one_segment_decoded_late(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/api/v1/ca/a%2Fb%20c/cert", "auditor"), 204);
    assert_string_equal(seen, "2 /ca/{tag}/cert a/b c");
    assert_int_equal(status_of("GET", "/api/v1/ca/a/b/cert", "auditor"), 404);
    assert_int_equal(status_of("GET", "/api/v1/ca//cert", "auditor"), 404);
    assert_int_equal(status_of("GET", "/api/v1/ca/a%00/cert", "auditor"), 400);
    assert_int_equal(status_of("GET", "/api/v1/ca/a%4/cert", "auditor"), 400);
}

static void test_a_word_may_have_text_around_it(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/api/v1/Stores('a')", "auditor"), 204);
    assert_string_equal(seen, "2 /Stores({key}) 'a'");
    assert_int_equal(status_of("GET", "/api/v1/Stores(%27a%27)", "auditor"), 204);
    assert_string_equal(seen, "2 /Stores({key}) 'a'");
    static const char *const bad[] = {"Stores()",   "Stores",      "Stores(",      "Stores('a'",
                                      "Stores'a')", "stores('a')", "Stores('a')x", "Stores('a')/"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        char target[64];
        snprintf(target, sizeof(target), "/api/v1/%s", bad[i]);
        assert_int_equal(status_of("GET", target, "auditor"), 404);
    }
}

static void test_a_slash_ends_a_path_only_where_its_pattern_says_so(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/api/v1/org/acme/", "auditor"), 204);
    assert_string_equal(seen, "2 /org/{name}/ acme");
    assert_int_equal(status_of("GET", "/api/v1/org/acme", "auditor"), 404);
    assert_int_equal(status_of("GET", "/api/v1/org/acme//", "auditor"), 404);
    assert_int_equal(status_of("GET", "/api/v1/org//", "auditor"), 404);
    assert_int_equal(status_of("GET", "/api/v1/things/", "auditor"), 404);
}

static void test_each_family_answers_in_its_own_shape(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/api/v1/ca/x/y", "auditor"), 404);
    assert_true(answer_has("\"second\":") && !header_has("X-First"));
    assert_int_equal(status_of("GET", "/api/v1/things/x/y", "auditor"), 404);
    assert_true(answer_has("\"first\":") && header_has("X-First: yes"));
    assert_int_equal(status_of("GET", "/api/v1/unknown", "auditor"), 404);
    assert_true(answer_has("\"first\":"));
    assert_int_equal(status_of("GET", "/api/v10/things", "auditor"), 404);
    assert_true(answer_has("{\"message\":"));
    assert_int_equal(status_of("GET", "/api/v1/things?a=%", "auditor"), 400);
    assert_true(answer_has("\"first\":"));
    assert_int_equal(status_of("PUT", "/api/v1/nothing", "auditor"), 500);
    assert_true(answer_has("\"first\":"));
}

static void test_405_tells_what_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(status_of("PATCH", "/api/v1/things/5", "auditor"), 405);
    assert_true(header_has("Allow: GET, HEAD, DELETE\n"));
    assert_int_equal(status_of("OPTIONS", "/api/v1/things", "auditor"), 405);
    assert_true(header_has("Allow: GET, HEAD, POST\n"));
}

/* ---- who may ---- */

static void test_a_stranger_cannot_tell_what_exists(void **state)
{
    (void)state;
    static const char *const targets[] = {"/api/v1/things", "/api/v1/things/5", "/api/v1/unknown",
                                          "/zia/api/v1/",   "/api/v1",          "/api/v1/things/x?a=%"};
    static const char *const methods[] = {"GET", "DELETE", "PATCH", "TRACE"};
    for (size_t i = 0; i < MG_ARRAY_LEN(targets); i++) {
        for (size_t j = 0; j < MG_ARRAY_LEN(methods); j++) {
            assert_int_equal(status_of(methods[j], targets[i], ""), 401);
            assert_true(header_has("WWW-Authenticate: Bearer\n") && !header_has("Allow"));
            assert_int_equal(status_of(methods[j], targets[i], "stranger"), 401);
        }
    }
    assert_string_equal(seen, "");
    assert_int_equal(status_of("GET", "/elsewhere", ""), 404);
    assert_int_equal(status_of("GET", "", ""), 404);
}

static void test_a_role_has_what_lower_roles_have(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *token;
        unsigned status;
    } cases[] = {
        {"GET", "/api/v1/things", "auditor", 204},      {"GET", "/api/v1/things", "operator", 204},
        {"GET", "/api/v1/things", "admin", 204},        {"POST", "/api/v1/things", "auditor", 403},
        {"POST", "/api/v1/things", "operator", 200},    {"POST", "/api/v1/things", "admin", 200},
        {"DELETE", "/api/v1/things/5", "auditor", 403}, {"DELETE", "/api/v1/things/5", "operator", 403},
        {"DELETE", "/api/v1/things/5", "admin", 204},   {"GET", "/api/v1/things", "locked", 503},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        assert_int_equal(status_of(cases[i].method, cases[i].target, cases[i].token), cases[i].status);
    }
}

/* Counts, and keeps who it was and what they wanted. */
static void watch(void *arg, const struct http_request *request)
{
    *(int *)arg += 1;
    snprintf(seen, sizeof(seen), "%s %s %.*s", request->identity.name, http_method_name(request->method),
             (int)request->path.len, (const char *)request->path.data);
}

static void test_what_a_role_does_not_allow_is_told_and_strangers_are_not(void **state)
{
    (void)state;
    int num = 0;
    router_set_watch(router, watch, &num);
    assert_int_equal(status_of("DELETE", "/api/v1/things/5?x=1", "auditor"), 403);
    assert_int_equal(num, 1);
    assert_non_null(strstr(seen, "DELETE /api/v1/things/5"));
    assert_null(strchr(seen, '?'));
    assert_int_equal(status_of("DELETE", "/api/v1/things/5", ""), 401);
    assert_int_equal(status_of("GET", "/api/v1/things", "auditor"), 204);
    assert_int_equal(num, 1);
}

static void check_anonymous(void *arg, const struct http_family *family, const char *base,
                            const struct http_route *route)
{
    size_t *num = arg;
    char target[256];
    size_t len = (size_t)snprintf(target, sizeof(target), "%s", base);
    for (const char *at = route->pattern; *at != '\0'; at++) { /* each {word} becomes 1 */
        target[len++] = *at == '{' ? '1' : *at;
        at += *at == '{' ? strcspn(at, "}") : 0;
    }
    target[len] = '\0';
    ask(router, &(struct ask){.method = http_method_name(route->method), .target = target});
    if (http_is_anonymous(route->method, base, route->pattern)) {
        assert_int_equal(route->role, HTTP_ROLE_ANONYMOUS);
        num[0]++;
    } else {
        assert_int_not_equal(route->role, HTTP_ROLE_ANONYMOUS);
        if (answer.status != 401) {
            fail_msg("%s %s of %s answers a stranger with %u", http_method_name(route->method), target, family->name,
                     answer.status);
        }
        num[1]++;
    }
}

/* Every route there is: whoever adds a family to the server adds it here. */
static void test_all_routes_but_the_listed_refuse_strangers(void **state)
{
    (void)state;
    size_t num[2] = {0};
    assert_int_equal(router_add(router, &open_family, NULL), MG_OK);
    assert_int_equal(zia_auth_add(router, NULL, NULL), MG_OK);
    router_each(router, check_anonymous, num);
    assert_int_equal(num[0], 4); /* health, a login under each base, the token */
    assert_int_equal(num[1], 2 * (MG_ARRAY_LEN(first_routes) + MG_ARRAY_LEN(second_routes) + 2));
}

static void test_an_open_path_answers_strangers_and_says_405_to_them(void **state)
{
    (void)state;
    assert_int_equal(router_add(router, &open_family, NULL), MG_OK);
    assert_int_equal(status_of("GET", "/health", ""), 204);
    assert_int_equal(status_of("POST", "/health", ""), 405);
    assert_int_equal(status_of("GET", "/healthy", ""), 404);        /* nothing of that family needs a login */
    assert_int_equal(status_of("GET", "/api/v1/unknown", ""), 401); /* the nearer family's does */
    assert_int_equal(status_of("GET", "/api/v1/unknown", "auditor"), 404);
    assert_true(answer_has("\"first\":"));
}

static void test_the_order_of_families_does_not_matter_to_strangers(void **state)
{
    (void)state;
    struct router *other = NULL;
    assert_int_equal(router_new(&other, NULL, NULL), MG_OK);
    assert_int_equal(router_add(other, &open_family, NULL), MG_OK);
    assert_int_equal(router_add(other, &first, NULL), MG_OK);
    ask(other, &(struct ask){.method = "GET", .target = "/api/v1/unknown"});
    assert_int_equal(answer.status, 401);
    ask(other, &(struct ask){.method = "GET", .target = "/unknown"});
    assert_int_equal(answer.status, 404);
    router_free(other);
}

static void test_a_bad_table_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct http_route routes[2];
        enum mg_status status;
    } bad[] = {
        {{{HTTP_GET, "/secret", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, handle_id}}, MG_DENIED},
        {{{HTTP_POST, "/health", HTTP_ROLE_ANONYMOUS, HTTP_BODY_NONE, 0, RATE_NONE, handle_id}}, MG_DENIED},
        {{{HTTP_GET, "health", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_NONE, handle_id}}, MG_INVALID},
        {{{HTTP_GET, "/a//b", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_NONE, handle_id}}, MG_INVALID},
        {{{HTTP_GET, "/{a}/{b}/{c}/{d}/{e}", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_NONE, handle_id}}, MG_INVALID},
        {{{HTTP_OTHER_METHOD, "/a", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_NONE, handle_id}}, MG_INVALID},
        {{{HTTP_GET, "/a", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 1, RATE_NONE, handle_id}}, MG_INVALID},
        {{{HTTP_POST, "/a", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, 0, RATE_NONE, handle_id}}, MG_INVALID},
        {{{HTTP_POST, "/a", HTTP_ROLE_ADMIN, HTTP_BODY_JSON, HTTP_MAX_BODY + 1, RATE_NONE, handle_id}}, MG_INVALID},
        {{{HTTP_GET, "/a", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_NONE, NULL}}, MG_INVALID},
        {{{HTTP_PUT, "/a", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_NONE, handle_id},
          {HTTP_PUT, "/a", HTTP_ROLE_ADMIN, HTTP_BODY_NONE, 0, RATE_NONE, handle_id}},
         MG_INVALID},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        struct http_family family = open_family;
        struct mg_error error = {""};
        family.routes = bad[i].routes;
        family.num_routes = bad[i].routes[1].pattern == NULL ? 1 : 2;
        assert_int_equal(router_add(router, &family, &error), bad[i].status);
        assert_true(error.text[0] != '\0');
    }
}

/* ---- bodies ---- */

static void test_json_bodies(void **state)
{
    (void)state;
    assert_int_equal(status_of_body("POST", "/api/v1/things", "application/json; charset=utf-8", "{\"a\":1}"), 200);
    assert_string_equal(seen, "json {\"a\":1} form 0 parts 0 raw 7");
    assert_int_equal(status_of_body("POST", "/api/v1/things", NULL, "{}"), 200);
    assert_int_equal(status_of_body("POST", "/api/v1/things", "application/json", ""), 200); /* contracts.md 0.3 */
    assert_string_equal(seen, "json {} form 0 parts 0 raw 0");
    assert_int_equal(status_of_body("POST", "/api/v1/things", "text/plain", ""), 200);
    static const char *const bad[] = {"{", "[]", "1", "{\"a\":1,\"a\":2}", "\xff"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(status_of_body("POST", "/api/v1/things", "application/json", bad[i]), 400);
        assert_true(answer_has("{\"first\":\"Request body is invalid.\"}"));
    }
    assert_int_equal(status_of_body("POST", "/api/v1/things", "text/plain", "{}"), 415);
    assert_string_equal(answer.body, ""); /* contracts.md 1.6 */
    assert_false(header_has("Content-Type"));
    assert_int_equal(status_of_body("POST", "/api/v1/things", "application/json",
                                    "{\"a\":\"0123456789012345678901234567890123456789012345678901234567\"}"),
                     413);
    assert_true(answer_has("\"first\":"));
}

static void test_other_bodies(void **state)
{
    (void)state;
    assert_int_equal(status_of_body("POST", "/api/v1/form", "application/x-www-form-urlencoded", "a=1&b=2"), 200);
    assert_string_equal(seen, "json - form 2 parts 0 raw 7");
    assert_int_equal(status_of_body("POST", "/api/v1/form", "application/x-www-form-urlencoded", "a=%"), 400);
    assert_int_equal(status_of_body("POST", "/api/v1/form", "application/json", "{}"), 415);
    assert_int_equal(status_of_body("POST", "/api/v1/upload", "multipart/form-data; boundary=b",
                                    "--b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--b--"),
                     200);
    assert_string_equal(seen, "json - form 0 parts 1 raw 55");
    assert_int_equal(status_of_body("POST", "/api/v1/upload", "multipart/form-data; boundary=b", "nothing"), 400);
    assert_int_equal(status_of_body("POST", "/api/v1/upload", "application/json", "{}"), 415);
    assert_int_equal(status_of_body("POST", "/api/v1/upload", NULL, ""), 415);
    assert_int_equal(status_of_body("PUT", "/api/v1/raw", "application/x-pkcs12", "\x30\x01"), 200);
    assert_string_equal(seen, "json - form 0 parts 0 raw 2");
    assert_int_equal(status_of_body("DELETE", "/api/v1/things/1", "application/json", "{}"), 204);
}

/* ---- rate limits ---- */

static void test_rate_limits_are_per_credential_and_told(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET", "/api/v1/things/1", "auditor"), 204);
    assert_true(header_has("x-ratelimit-limit: 2, 2;w=1\n") && header_has("x-ratelimit-remaining: 1\n") &&
                header_has("x-ratelimit-reset: 1\n"));
    assert_int_equal(status_of("GET", "/api/v1/things/1", "auditor"), 204);
    assert_int_equal(status_of("GET", "/api/v1/things/1", "auditor"), 429);
    assert_true(header_has("Retry-After: 1\n") && header_has("x-ratelimit-remaining: 0\n"));
    assert_true(answer_has("{\"first\":\"Rate Limit (2/SECOND) exceeded\"}"));
    assert_int_equal(status_of("GET", "/api/v1/things/1", "operator"), 204);
    assert_int_equal(status_of("DELETE", "/api/v1/things/1", "admin"), 204);
    assert_int_equal(status_of("DELETE", "/api/v1/things/1", "admin"), 429);
    assert_true(answer_has("Rate Limit (1/MINUTE) exceeded") && header_has("Retry-After: 60\n"));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(status_of_body("DELETE", "/api/v1/things/1", NULL, NULL), 204); /* the Unix socket */
        assert_false(header_has("x-ratelimit"));
    }
}

/* ---- changes held ---- */

static void test_while_changes_are_held_reading_and_strangers_go_on(void **state)
{
    (void)state;
    assert_int_equal(router_add(router, &open_family, NULL), MG_OK);
    router_hold_changes(router, true);
    assert_int_equal(status_of("GET", "/api/v1/things/1", "auditor"), 204);
    assert_int_equal(status_of("GET", "/health", ""), 204);
    assert_int_equal(status_of("DELETE", "/api/v1/things/1", "admin"), 503);
    assert_true(answer_has("\"first\"") && header_has("Retry-After: 5\n"));
    assert_int_equal(status_of("DELETE", "/api/v1/things/1", "operator"), 403); /* what holds anyway is told first */
    assert_int_equal(status_of("DELETE", "/api/v1/things/1", ""), 401);
    assert_int_equal(status_of_body("DELETE", "/api/v1/things/1", NULL, NULL), 503); /* on the Unix socket too */
    router_hold_changes(router, false);
    assert_int_equal(status_of("DELETE", "/api/v1/things/1", "admin"), 204); /* what was held cost nothing */
}

static void test_headers_hold_no_line_ends(void **state)
{
    (void)state;
    struct http_response response;
    http_response_init(&response);
    http_response_download(&response, "a\r\nSet-Cookie: b\"c.pem", mg_slice_of_text("x"));
    assert_string_equal(response.headers[0].value, "attachment; filename=\"a__Set-Cookie__b_c.pem\"");
    http_response_header(&response, "X-Test", "%s", "a\r\nb\x80");
    assert_string_equal(response.headers[1].value, "a??b?");
    http_response_free(&response);
}

#define ROUTER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTER_TEST(test_a_literal_goes_before_a_word),
        ROUTER_TEST(test_an_id_is_a_bounded_number),
        ROUTER_TEST(test_a_word_is_one_segment_decoded_late),
        ROUTER_TEST(test_a_word_may_have_text_around_it),
        ROUTER_TEST(test_a_slash_ends_a_path_only_where_its_pattern_says_so),
        ROUTER_TEST(test_each_family_answers_in_its_own_shape),
        ROUTER_TEST(test_405_tells_what_is_allowed),
        ROUTER_TEST(test_a_stranger_cannot_tell_what_exists),
        ROUTER_TEST(test_a_role_has_what_lower_roles_have),
        ROUTER_TEST(test_what_a_role_does_not_allow_is_told_and_strangers_are_not),
        ROUTER_TEST(test_all_routes_but_the_listed_refuse_strangers),
        ROUTER_TEST(test_an_open_path_answers_strangers_and_says_405_to_them),
        ROUTER_TEST(test_the_order_of_families_does_not_matter_to_strangers),
        ROUTER_TEST(test_a_bad_table_is_refused),
        ROUTER_TEST(test_json_bodies),
        ROUTER_TEST(test_other_bodies),
        ROUTER_TEST(test_rate_limits_are_per_credential_and_told),
        ROUTER_TEST(test_while_changes_are_held_reading_and_strangers_go_on),
        ROUTER_TEST(test_headers_hold_no_line_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
