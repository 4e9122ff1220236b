/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/router.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/http/anonymous.h"
#include "control/http/json_body.h"
#include "control/http/scan.h"

#define HOLD_RETRY_SECONDS 5

struct router {
    struct rate_limits *rate_limits;
    _Atomic bool holds_changes;
    struct http_family families[ROUTER_MAX_FAMILIES];
    size_t num_families;
    router_watch watch; /* NULL: nobody watches */
    void *watch_arg;
};

/* The shape of an answer where no family is concerned. */
static void render_plain(const struct http_problem *problem, struct http_response *response)
{
    http_response_json(response, problem->status, json_pack("{s:s}", "message", problem->message));
}

http_problem_renderer router_renderer(const struct http_family *family)
{
    return family == NULL ? render_plain : family->render;
}

void router_fail(const struct http_request *request, struct http_response *response, enum http_problem_kind kind)
{
    struct http_problem problem = http_problem_of(kind);
    http_problem_render(&problem, router_renderer(request->family), response);
}

/* ---- patterns ---- */

/* take_segment takes "/segment" off the front of a path or pattern; false: nothing is left. */
static bool take_segment(struct mg_slice *in, struct mg_slice *out)
{
    if (!scan_skip(in, "/")) {
        return false;
    }
    struct mg_slice rest = *in;
    *out = scan_until(&rest, '/');
    return mg_slice_take(in, out, out->len);
}

/* split_word finds the {word} in a segment of a pattern, with what stands around it; false: there is none. */
static bool split_word(struct mg_slice pattern, struct mg_slice *before, struct mg_slice *behind)
{
    *behind = pattern;
    *before = scan_until(behind, '{');
    struct mg_slice word = scan_until(behind, '}');
    return word.len > 0;
}

static bool is_word(struct mg_slice pattern_segment)
{
    struct mg_slice before, behind;
    return split_word(pattern_segment, &before, &behind);
}

/* match_word tells what stands in |segment| for the {word} of |pattern|; false: it does not fit. */
static bool match_word(struct mg_slice pattern, struct mg_slice segment, struct mg_slice *out)
{
    struct mg_slice before, behind, start, rest = segment;
    if (!split_word(pattern, &before, &behind) || segment.len <= before.len + behind.len ||
        !mg_slice_take(&rest, &start, before.len) || !mg_slice_take(&rest, out, rest.len - behind.len)) {
        return false;
    }
    return mg_slice_equal(start, before) && mg_slice_equal(rest, behind);
}

static bool segment_matches(struct mg_slice pattern, struct mg_slice segment)
{
    uint64_t ignored;
    struct mg_slice value;
    if (!is_word(pattern)) {
        return mg_slice_equal(pattern, segment);
    }
    if (mg_slice_equal(pattern, mg_slice_of_text("{id}"))) {
        return scan_decimal(segment, 0, INT64_MAX, &ignored);
    }
    return match_word(pattern, segment, &value);
}

/* pattern_matches also tells which segments are literal: a bit each, the first segment's the highest, so that of two
 * patterns that match one path the greater number has the literal further to the left. */
static bool pattern_matches(const char *pattern_text, struct mg_slice path, uint32_t *literals)
{
    struct mg_slice pattern = mg_slice_of_text(pattern_text), want, have;
    uint32_t bit = UINT32_C(1) << 31;
    *literals = 0;
    while (take_segment(&pattern, &want)) {
        if (!take_segment(&path, &have) || !segment_matches(want, have)) {
            return false;
        }
        *literals |= is_word(want) ? 0 : bit;
        bit >>= 1;
    }
    return path.len == 0;
}

static void take_path_values(struct http_request *request, const char *pattern_text, struct mg_slice path)
{
    struct mg_slice pattern = mg_slice_of_text(pattern_text), want, have;
    while (take_segment(&pattern, &want) && take_segment(&path, &have)) {
        if (match_word(want, have, &request->path_values[request->num_path_values])) {
            request->num_path_values++;
        }
    }
}

/* ---- families ---- */

/* check_pattern: "" or "/"-led segments, none of them empty but the last, few enough words. */
static bool check_pattern(const char *text)
{
    struct mg_slice pattern = mg_slice_of_text(text), segment;
    size_t num_words = 0;
    while (take_segment(&pattern, &segment)) {
        if (segment.len == 0 && pattern.len > 0) {
            return false;
        }
        num_words += is_word(segment);
    }
    return pattern.len == 0 && num_words <= HTTP_MAX_PATH_VALUES;
}

static bool has_twin(const struct http_family *family, size_t index)
{
    const struct http_route *route = &family->routes[index];
    for (size_t i = 0; i < index; i++) {
        if (family->routes[i].method == route->method && strcmp(family->routes[i].pattern, route->pattern) == 0) {
            return true;
        }
    }
    return false;
}

static bool check_body(const struct http_route *route)
{
    return route->body == HTTP_BODY_NONE ? route->body_limit == 0
                                         : route->body_limit > 0 && route->body_limit <= HTTP_MAX_BODY;
}

static enum mg_status check_route(const struct http_family *family, size_t index, struct mg_error *error)
{
    const struct http_route *route = &family->routes[index];
    if (route->method >= HTTP_NUM_METHODS || !check_pattern(route->pattern) || !check_body(route) ||
        route->handler == NULL || has_twin(family, index)) {
        return mg_error_set(error, MG_INVALID, "routes of %s: row %zu (%s) breaks a rule of the table", family->name,
                            index, route->pattern);
    }
    for (const char *const *base = family->bases; *base != NULL; base++) {
        if (route->role == HTTP_ROLE_ANONYMOUS && !http_is_anonymous(route->method, *base, route->pattern)) {
            return mg_error_set(error, MG_DENIED, "%s %s%s is anonymous, but the list of anonymous routes has it not",
                                http_method_name(route->method), *base, route->pattern);
        }
    }
    return MG_OK;
}

enum mg_status router_add(struct router *router, const struct http_family *family, struct mg_error *error)
{
    if (router->num_families == ROUTER_MAX_FAMILIES) {
        return mg_error_set(error, MG_LIMIT, "more than %d families of routes", ROUTER_MAX_FAMILIES);
    }
    for (size_t i = 0; i < family->num_routes; i++) {
        enum mg_status status = check_route(family, i, error);
        if (status != MG_OK) {
            return status;
        }
    }
    router->families[router->num_families++] = *family;
    return MG_OK;
}

enum mg_status router_new(struct router **out, struct rate_limits *rate_limits, struct mg_error *error)
{
    struct router *router = calloc(1, sizeof(*router));
    if (router == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the router");
    }
    router->rate_limits = rate_limits;
    *out = router;
    return MG_OK;
}

void router_set_watch(struct router *router, router_watch watch, void *arg)
{
    router->watch = watch;
    router->watch_arg = arg;
}

void router_free(struct router *router)
{
    free(router);
}

void router_hold_changes(struct router *router, bool hold)
{
    atomic_store_explicit(&router->holds_changes, hold, memory_order_relaxed);
}

void router_each(const struct router *router,
                 void (*visit)(void *arg, const struct http_family *family, const char *base,
                               const struct http_route *route),
                 void *arg)
{
    for (size_t i = 0; i < router->num_families; i++) {
        const struct http_family *family = &router->families[i];
        for (const char *const *base = family->bases; *base != NULL; base++) {
            for (size_t j = 0; j < family->num_routes; j++) {
                visit(arg, family, *base, &family->routes[j]);
            }
        }
    }
}

/* ---- finding a route ---- */

struct match {
    const struct http_family *family; /* NULL: the path is under no base path */
    const char *pattern;              /* NULL: no pattern takes the path */
    uint32_t literals;
    const struct http_route *route; /* NULL: not by this method */
    struct mg_slice rest;           /* the path behind the base path */
    unsigned allowed;               /* a bit for each method that the pattern has */
    bool all_anonymous;             /* strangers may all that the pattern has, or, without one, the whole family */
    /* How near the family is to a path that no pattern takes. */
    bool knows_word; /* the first segment is in its table */
    size_t base_len;
};

/* skip_base takes a base path off |path|; false where |path| is not below it. */
static bool skip_base(struct mg_slice *path, const char *base)
{
    struct mg_slice rest = *path;
    if (!scan_skip(&rest, base) || (rest.len > 0 && rest.data[0] != '/')) {
        return false;
    }
    *path = rest;
    return true;
}

/* match_routes looks for the pattern of |family| that takes |rest| best, better than what |match| has already. */
static void match_routes(struct match *match, const struct http_family *family, struct mg_slice rest)
{
    for (size_t i = 0; i < family->num_routes; i++) {
        uint32_t literals;
        const char *pattern = family->routes[i].pattern;
        if (pattern_matches(pattern, rest, &literals) && (match->pattern == NULL || literals > match->literals)) {
            *match = (struct match){.family = family, .pattern = pattern, .literals = literals, .rest = rest};
        }
    }
}

/* owns_first_segment tells families apart that share a base path: the word behind it is in the family's table. */
static bool owns_first_segment(const struct http_family *family, struct mg_slice rest)
{
    struct mg_slice have, want;
    if (!take_segment(&rest, &have)) {
        return false;
    }
    for (size_t i = 0; i < family->num_routes; i++) {
        struct mg_slice pattern = mg_slice_of_text(family->routes[i].pattern);
        if (take_segment(&pattern, &want) && mg_slice_equal(want, have)) {
            return true;
        }
    }
    return false;
}

static bool is_nearer(const struct match *match, bool knows_word, size_t base_len)
{
    if (match->family == NULL || match->knows_word != knows_word) {
        return match->family == NULL || knows_word;
    }
    return base_len > match->base_len;
}

static void match_family(struct match *match, const struct http_family *family, const char *base, struct mg_slice path)
{
    if (!skip_base(&path, base)) {
        return;
    }
    bool knows_word = owns_first_segment(family, path);
    size_t base_len = strlen(base);
    if (match->pattern == NULL && is_nearer(match, knows_word, base_len)) {
        *match = (struct match){.family = family, .knows_word = knows_word, .base_len = base_len};
    }
    match_routes(match, family, path);
}

/* find_pattern finds the family and pattern of a path. A path that no pattern takes goes to the family that knows its
 * first word, else to the one whose base path is the longest. */
static struct match find_pattern(const struct router *router, struct mg_slice path)
{
    struct match match = {.family = NULL};
    for (size_t i = 0; i < router->num_families; i++) {
        for (const char *const *base = router->families[i].bases; *base != NULL; base++) {
            match_family(&match, &router->families[i], *base, path);
        }
    }
    return match;
}

static struct match find_route(const struct router *router, enum http_method method, struct mg_slice path)
{
    struct match match = find_pattern(router, path);
    match.all_anonymous = true;
    for (size_t i = 0; match.family != NULL && i < match.family->num_routes; i++) {
        const struct http_route *route = &match.family->routes[i];
        if (match.pattern != NULL && strcmp(route->pattern, match.pattern) != 0) {
            continue;
        }
        match.all_anonymous = match.all_anonymous && route->role == HTTP_ROLE_ANONYMOUS;
        match.allowed |= 1U << route->method;
        match.route = match.pattern != NULL && route->method == method ? route : match.route;
    }
    return match;
}

/* ---- opening ---- */

static void add_allow(struct http_response *response, unsigned allowed)
{
    char methods[64];
    struct mg_buffer text;
    mg_buffer_wrap(&text, methods, sizeof(methods) - 1);
    for (enum http_method method = HTTP_GET; method < HTTP_NUM_METHODS; method++) {
        if ((allowed & 1U << method) != 0) {
            mg_buffer_append_text(&text, text.len > 0 ? ", " : "");
            mg_buffer_append_text(&text, http_method_name(method));
            mg_buffer_append_text(&text, method == HTTP_GET ? ", HEAD" : "");
        }
    }
    methods[text.len] = '\0';
    http_response_header(response, "Allow", "%s", methods);
}

/* authenticate makes sure that |request->identity| is somebody. */
static bool authenticate(struct http_request *request, struct http_response *response)
{
    if (request->identity.role != HTTP_ROLE_ANONYMOUS) {
        return true; /* the Unix socket's peer */
    }
    const struct http_family *family = request->family;
    enum mg_status status = family->authenticate(family->arg, request, &request->identity);
    if (status == MG_OK) {
        return true;
    }
    request->identity = (struct http_identity){.role = HTTP_ROLE_ANONYMOUS};
    router_fail(request, response, status == MG_DENIED ? HTTP_PROBLEM_UNAUTHENTICATED : HTTP_PROBLEM_UNAVAILABLE);
    if (status == MG_DENIED) {
        http_response_header(response, "WWW-Authenticate", "Bearer"); /* RFC 9110 section 11.6.1 wants one */
    }
    return false;
}

/* The headers as recorded (contracts.md 1.7). */
static void add_rate_headers(struct http_response *response, const struct rate_verdict *verdict)
{
    http_response_header(response, "x-ratelimit-limit", "%" PRIu64 ", %" PRIu64 ";w=%" PRIu64, verdict->limit,
                         verdict->limit, verdict->window);
    http_response_header(response, "x-ratelimit-remaining", "%" PRIu64, verdict->remaining);
    http_response_header(response, "x-ratelimit-reset", "%" PRIu64, verdict->reset_seconds);
}

/* take_rate counts the request against its credential's limits; the Unix socket has none. */
static bool take_rate(const struct router *router, struct http_request *request, struct http_response *response)
{
    struct rate_verdict verdict;
    if (router->rate_limits == NULL || request->caller.is_local) {
        return true;
    }
    const char *who = request->identity.name[0] != '\0' ? request->identity.name : request->caller.address;
    bool allowed =
        rate_limits_take(router->rate_limits, who, request->route->weight, request->caller.monotonic_ns, &verdict);
    if (!allowed) {
        char message[64];
        struct http_problem problem = http_problem_of(HTTP_PROBLEM_RATE_LIMITED);
        snprintf(message, sizeof(message), "Rate Limit (%" PRIu64 "/%s) exceeded", verdict.limit,
                 rate_window_name(verdict.window));
        problem.message = message;
        problem.retry_after = verdict.retry_after;
        http_problem_render(&problem, router_renderer(request->family), response);
    }
    if (verdict.is_limited) {
        add_rate_headers(response, &verdict);
    }
    return allowed;
}

static bool decode_query(struct http_request *request, struct http_response *response)
{
    struct mg_error error = {""};
    struct mg_slice query = mg_slice_of_text(request->target);
    (void)scan_until(&query, '?');
    enum mg_status status = http_params_decode(&request->query, query, &error);
    if (status != MG_OK) {
        http_fail_status(request, response, status == MG_LIMIT ? MG_INVALID : status, &error);
    }
    return status == MG_OK;
}

/* fail_unmatched answers where no row has both path and method. */
static void fail_unmatched(const struct http_request *request, struct http_response *response,
                           const struct match *match)
{
    if (match->pattern == NULL) {
        router_fail(request, response, HTTP_PROBLEM_NOT_FOUND);
    } else {
        router_fail(request, response, HTTP_PROBLEM_METHOD_NOT_ALLOWED);
        add_allow(response, match->allowed);
    }
}

static void fail_for_now(const struct http_request *request, struct http_response *response)
{
    struct http_problem problem = http_problem_of(HTTP_PROBLEM_UNAVAILABLE);
    problem.retry_after = HOLD_RETRY_SECONDS;
    http_problem_render(&problem, router_renderer(request->family), response);
}

static bool admit(const struct router *router, struct http_request *request, struct http_response *response)
{
    struct match match = find_route(router, request->method, request->path);
    request->family = match.family;
    bool is_open = match.route != NULL ? match.route->role == HTTP_ROLE_ANONYMOUS : match.all_anonymous;
    if (!is_open && !authenticate(request, response)) {
        return false;
    }
    if (match.route == NULL) {
        fail_unmatched(request, response, &match);
        return false;
    }
    if (request->identity.role < match.route->role) {
        if (router->watch != NULL) {
            router->watch(router->watch_arg, request);
        }
        router_fail(request, response, HTTP_PROBLEM_FORBIDDEN);
        return false;
    }
    if (match.route->weight > RATE_LIGHT && atomic_load_explicit(&router->holds_changes, memory_order_relaxed)) {
        fail_for_now(request, response);
        return false;
    }
    request->route = match.route;
    take_path_values(request, match.pattern, match.rest);
    return take_rate(router, request, response) && decode_query(request, response);
}

static void decorate(const struct http_request *request, struct http_response *response)
{
    if (request->family != NULL && request->family->decorate != NULL) {
        request->family->decorate(request, response);
    }
}

bool router_open(const struct router *router, struct http_request *request, struct http_response *response)
{
    if (!admit(router, request, response)) {
        decorate(request, response);
        request->route = NULL;
        return false;
    }
    mg_buffer_init(&request->body, request->route->body_limit);
    return true;
}

/* ---- finishing ---- */

static bool is_media_type(const struct http_request *request, const char *type)
{
    const char *header = http_request_header(request, "Content-Type");
    struct mg_slice value = mg_slice_of_text(header == NULL ? "" : header);
    return scan_equal_nocase(scan_trim(scan_until(&value, ';')), type);
}

static bool has_content_type(const struct http_request *request)
{
    return http_request_header(request, "Content-Type") != NULL;
}

/* Each reader parses a body, which is not empty, and returns what is wrong with it, HTTP_NO_PROBLEM for nothing. A
 * type is asked for so that a web page of another site cannot make a browser send it with its cookies unasked. */
static enum http_problem_kind read_nothing(struct http_request *request)
{
    (void)request;
    return HTTP_NO_PROBLEM;
}

static enum http_problem_kind read_json(struct http_request *request)
{
    if (has_content_type(request) && !is_media_type(request, HTTP_JSON)) {
        return HTTP_PROBLEM_UNSUPPORTED_TYPE;
    }
    json_t *json;
    if (request->route->body == HTTP_BODY_LAX_JSON) {
        http_json_drop_trailing_commas(&request->body);
    }
    if (http_json_parse(mg_buffer_slice(&request->body), &json, NULL) != MG_OK) {
        return HTTP_PROBLEM_BAD_BODY;
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return HTTP_PROBLEM_BAD_BODY;
    }
    request->json = json;
    return HTTP_NO_PROBLEM;
}

static enum http_problem_kind read_form(struct http_request *request)
{
    if (!is_media_type(request, "application/x-www-form-urlencoded")) {
        return HTTP_PROBLEM_UNSUPPORTED_TYPE;
    }
    enum mg_status status = http_params_decode(&request->form, mg_buffer_slice(&request->body), NULL);
    return status == MG_OK ? HTTP_NO_PROBLEM : HTTP_PROBLEM_BAD_BODY;
}

static enum http_problem_kind read_multipart(struct http_request *request)
{
    if (!is_media_type(request, "multipart/form-data")) {
        return HTTP_PROBLEM_UNSUPPORTED_TYPE;
    }
    struct mg_slice type = mg_slice_of_text(http_request_header(request, "Content-Type"));
    enum mg_status status = multipart_parse(type, mg_buffer_slice(&request->body), &request->multipart, NULL);
    return status == MG_OK ? HTTP_NO_PROBLEM : HTTP_PROBLEM_BAD_BODY;
}

static enum http_problem_kind (*const readers[])(struct http_request *request) = {
    [HTTP_BODY_NONE] = read_nothing, [HTTP_BODY_JSON] = read_json,           [HTTP_BODY_LAX_JSON] = read_json,
    [HTTP_BODY_FORM] = read_form,    [HTTP_BODY_MULTIPART] = read_multipart, [HTTP_BODY_RAW] = read_nothing,
};

static enum http_problem_kind read_body(struct http_request *request)
{
    if (request->body_too_large) {
        return HTTP_PROBLEM_TOO_LARGE;
    }
    if (!mg_buffer_ok(&request->body)) {
        return HTTP_PROBLEM_INTERNAL; /* memory; the limit was looked at before */
    }
    if (request->body.len > 0) {
        return readers[request->route->body](request);
    }
    bool wants_json = request->route->body == HTTP_BODY_JSON || request->route->body == HTTP_BODY_LAX_JSON;
    if (wants_json && (request->json = json_object()) == NULL) {
        return HTTP_PROBLEM_INTERNAL;
    }
    /* A form that is empty has no fields; an upload that is empty is no form at all. */
    return request->route->body == HTTP_BODY_MULTIPART ? HTTP_PROBLEM_UNSUPPORTED_TYPE : HTTP_NO_PROBLEM;
}

/* keep_headers puts what router_open has said, such as the rate limits, into an answer that was begun anew. */
static void keep_headers(struct http_response *response, struct http_response *opened)
{
    for (size_t i = 0; i < opened->num_headers; i++) {
        http_response_header(response, opened->headers[i].name, "%s", opened->headers[i].value);
    }
    http_response_free(opened);
}

void router_finish(struct http_request *request, struct http_response *response)
{
    struct http_response opened = *response;
    http_response_init(response);
    enum http_problem_kind kind = read_body(request);
    if (kind == HTTP_NO_PROBLEM) {
        request->route->handler(request->family->arg, request, response);
        kind = response->status == 0 ? HTTP_PROBLEM_INTERNAL : kind;
    }
    if (kind != HTTP_NO_PROBLEM) {
        router_fail(request, response, kind);
    }
    keep_headers(response, &opened);
    decorate(request, response);
}
