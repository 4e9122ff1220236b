/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as a handler sees it: routed, authenticated, its body read and parsed as the route's table says. Made by
 * the server (server.h); belongs to one thread at a time.
 */
#ifndef MINTGATE_CONTROL_HTTP_REQUEST_H
#define MINTGATE_CONTROL_HTTP_REQUEST_H

#include <jansson.h>

#include "base/buffer.h"
#include "control/http/identity.h"
#include "control/http/multipart.h"
#include "control/http/params.h"
#include "control/http/response.h"

struct http_family;
struct http_route;

enum http_method {
    HTTP_GET, /* and HEAD: the server leaves the body of its answer away */
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_NUM_METHODS,
    HTTP_OTHER_METHOD = HTTP_NUM_METHODS, /* no route has it */
};

#define HTTP_MAX_PATH_VALUES 4
#define HTTP_MAX_BASIC_PASSWORD 257

struct http_request {
    enum http_method method;
    char *target;         /* owned: path and query as they came, not decoded */
    struct mg_slice path; /* of |target| */
    struct http_caller caller;
    struct http_identity identity;
    const struct http_family *family; /* NULL: the path is nobody's */
    const struct http_route *route;   /* NULL: answered without a handler */
    /* The segments that stand in the place of the pattern's {words}, in order, not decoded. */
    struct mg_slice path_values[HTTP_MAX_PATH_VALUES];
    size_t num_path_values;
    struct http_params query;
    struct mg_buffer body;      /* owned; up to the route's limit */
    bool body_too_large;        /* more came than the route takes */
    json_t *json;               /* owned, take no reference; HTTP_BODY_JSON: an object, {} for no body; else NULL */
    struct http_params form;    /* HTTP_BODY_FORM */
    struct multipart multipart; /* HTTP_BODY_MULTIPART: slices of |body| */
    /* header returns a header's value or NULL; |header_source| is its argument. Set by the server. */
    const char *(*header)(const void *header_source, const char *name);
    const void *header_source;
};

/* http_method_of returns the method called |name|, HTTP_OTHER_METHOD if no route can have it. */
enum http_method http_method_of(const char *name);
const char *http_method_name(enum http_method method);

/* http_request_init copies |target| (path and query). http_request_free wipes and frees all that a request owns. */
MG_MUST_USE enum mg_status http_request_init(struct http_request *request, enum http_method method, const char *target,
                                             struct mg_error *error);
void http_request_free(struct http_request *request);

/* http_request_header returns the value of the header |name| (any case), borrowed, or NULL. */
const char *http_request_header(const struct http_request *request, const char *name);

/* http_request_id returns the value of the pattern's {id} at |index| among its {words}. Only a path whose segment is a
 * number from 0 to INT64_MAX was routed here, so it cannot fail. */
int64_t http_request_id(const struct http_request *request, size_t index);

/* http_request_word decodes the pattern's {word} at |index| to |out|: MG_INVALID for a wrong escape, a NUL, or a text
 * that does not fit |size|. */
MG_MUST_USE enum mg_status http_request_word(const struct http_request *request, size_t index, char *out, size_t size,
                                             struct mg_error *error);

/* http_request_cookie finds the cookie |name| (RFC 6265 section 4.2.1). False: none. */
MG_MUST_USE bool http_request_cookie(const struct http_request *request, const char *name, struct mg_slice *out);

/* http_request_bearer finds the token of `Authorization: Bearer` (RFC 6750 section 2.1). False: none. */
MG_MUST_USE bool http_request_bearer(const struct http_request *request, struct mg_slice *out);

/* What `Authorization: Basic` (RFC 7617) says. The caller wipes it. */
struct http_basic {
    char user[HTTP_MAX_NAME];
    char password[HTTP_MAX_BASIC_PASSWORD];
};

/* http_request_basic decodes it. False: there is none, or it is wrong, longer than that, or has a NUL. */
MG_MUST_USE bool http_request_basic(const struct http_request *request, struct http_basic *out);

/* http_fail answers with a problem in the shape of the request's family; |message| and |code| may be NULL for the usual
 * ones. */
void http_fail(const struct http_request *request, struct http_response *response, enum http_problem_kind kind,
               const char *code, const char *message);

/* http_fail_status is http_fail for a function that failed with |status| (http_problem_of_status). */
void http_fail_status(const struct http_request *request, struct http_response *response, enum mg_status status,
                      const struct mg_error *error);

#endif
