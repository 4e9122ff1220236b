/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which handler answers a request, and whether it may be asked at all. A family of routes is a table: its rows, the
 * paths under which it is served, how it knows its callers, and the shape of its errors. Everything that all families
 * answer alike is answered here: 401, 403, 404, 405, 413, 415, 429, and 400 for a body that does not parse.
 *
 * What a stranger learns: under a base path of a family everything but its anonymous routes (anonymous.h) is 401,
 * whether it exists or not; 404 and 405 are for those who are known. Where there is nothing but anonymous routes, or no
 * family at all, there is nothing to hide: 404 and 405.
 *
 * A router is built by one thread, before the server starts; then any may read it, and hold changes.
 */
#ifndef MINTGATE_CONTROL_HTTP_ROUTER_H
#define MINTGATE_CONTROL_HTTP_ROUTER_H

#include "control/http/rate_limit.h"
#include "control/http/request.h"
#include "control/http/response.h"

#define ROUTER_MAX_FAMILIES 32
#define HTTP_MAX_BODY ((size_t)4 << 20)

enum http_body_kind {
    HTTP_BODY_NONE,      /* whatever comes is read and thrown away (contracts.md 0.2) */
    HTTP_BODY_JSON,      /* an object; an empty body is {} (contracts.md 0.3) */
    HTTP_BODY_LAX_JSON,  /* as HTTP_BODY_JSON, also with a comma behind the last member or item (contracts.md 0.5) */
    HTTP_BODY_FORM,      /* application/x-www-form-urlencoded */
    HTTP_BODY_MULTIPART, /* multipart/form-data */
    HTTP_BODY_RAW,       /* of any type, for the handler to read from |body| */
};

/* A handler answers by |response|; |arg| is its family's. On a thread of its own connection: it may block, for a time
 * that it bounds itself. */
typedef void (*http_handler)(void *arg, struct http_request *request, struct http_response *response);

struct http_route {
    enum http_method method;
    /* Behind the base path: "" or segments like "/keyPair/{id}". {id} takes a number from 0 to INT64_MAX, any other
     * {word} one segment that is not empty, or what text around it leaves of one, as in "/Stores({key})". A slash may
     * end it, for clients that do. Of patterns that take a path the one with more literal text counts. */
    const char *pattern;
    enum http_role role; /* the least that may; HTTP_ROLE_ANONYMOUS only if anonymous.c lists it */
    enum http_body_kind body;
    size_t body_limit; /* bytes, up to HTTP_MAX_BODY; 0 where there is no body to read */
    enum rate_weight weight;
    http_handler handler;
};

/* Copied by router_add; all that it points to is borrowed until router_free. */
struct http_family {
    const char *name;         /* for logs */
    const char *const *bases; /* paths like "/api/v1", ended by NULL; two families may share one */
    const struct http_route *routes;
    size_t num_routes;
    /* authenticate fills |out| from the request's credentials: MG_DENIED, there are none that count; MG_AGAIN, the
     * credentials cannot be looked up just now (503). Not asked on the Unix socket, whose peer is known. */
    enum mg_status (*authenticate)(void *arg, const struct http_request *request, struct http_identity *out);
    http_problem_renderer render;
    /* decorate, if not NULL, adds what all answers of the family have, its errors included. */
    void (*decorate)(const struct http_request *request, struct http_response *response);
    void *arg;
};

struct router;

/* Told of each request of somebody known whose role does not suffice. Any thread of the server's. */
typedef void (*router_watch)(void *arg, const struct http_request *request);

/* router_new makes a router without families. |rate_limits| is borrowed; NULL: none. */
MG_MUST_USE enum mg_status router_new(struct router **out, struct rate_limits *rate_limits, struct mg_error *error);
void router_free(struct router *router);

/* router_add adds a family. MG_INVALID: a row breaks a rule above, or another one of the same base has its method and
 * pattern; MG_DENIED: a row is anonymous and anonymous.c does not list it; MG_LIMIT. */
MG_MUST_USE enum mg_status router_add(struct router *router, const struct http_family *family, struct mg_error *error);

/* router_set_watch has |watch| told of refusals; before the server starts. */
void router_set_watch(struct router *router, router_watch watch, void *arg);

/* router_hold_changes says whether requests that change something, which are those of a weight above RATE_LIGHT, are
 * answered with 503 for now: what they need is not there yet. Not at first. */
void router_hold_changes(struct router *router, bool hold);

/* router_each calls |visit| for each route under each base path, for tests and descriptions. */
void router_each(const struct router *router,
                 void (*visit)(void *arg, const struct http_family *family, const char *base,
                               const struct http_route *route),
                 void *arg);

/* router_open is called when the head of a request is there. True: the request has a route, which wants up to
 * route->body_limit bytes of body appended to request->body. False: |response| holds the answer, and the body is to be
 * thrown away. |request->identity| names the peer of the Unix socket, or nobody. */
MG_MUST_USE bool router_open(const struct router *router, struct http_request *request, struct http_response *response);

/* router_finish is called when the body is there, if router_open returned true: parses it and calls the handler. */
void router_finish(struct http_request *request, struct http_response *response);

/* router_fail answers with a problem before or instead of the above. */
void router_fail(const struct http_request *request, struct http_response *response, enum http_problem_kind kind);

/* router_renderer returns how |family| (may be NULL) shapes its errors. */
http_problem_renderer router_renderer(const struct http_family *family);

#endif
