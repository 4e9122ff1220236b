/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer under construction, and the problems that are answered alike by all families, each in its own shape. One
 * owner, no locking. Where memory is short the response becomes a bare 500, so that builders need no error paths.
 */
#ifndef MINTGATE_CONTROL_HTTP_RESPONSE_H
#define MINTGATE_CONTROL_HTTP_RESPONSE_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/status.h"

#define HTTP_MAX_RESPONSE ((size_t)16 << 20)
#define HTTP_MAX_RESPONSE_HEADERS 12
#define HTTP_MAX_HEADER_VALUE 2048

#define HTTP_JSON "application/json"
#define HTTP_OCTETS "application/octet-stream"

struct http_response_header {
    const char *name; /* a literal */
    char *value;      /* owned */
};

/* Zero state: nothing said yet; a handler that leaves it so is answered for with 500. */
struct http_response {
    unsigned status;
    const char *content_type; /* a literal; NULL: no body, no Content-Type */
    struct mg_buffer body;
    struct http_response_header headers[HTTP_MAX_RESPONSE_HEADERS];
    size_t num_headers;
};

void http_response_init(struct http_response *response);

/* http_response_free wipes the body, which may hold a token, and frees. */
void http_response_free(struct http_response *response);

/* http_response_reset forgets everything said so far. */
void http_response_reset(struct http_response *response);

/* http_response_json answers with |json|, whose reference it takes over, NULL being "no memory". */
void http_response_json(struct http_response *response, unsigned status, json_t *json);

/* http_response_bytes answers with a copy of |body|; |content_type| is a literal. */
void http_response_bytes(struct http_response *response, unsigned status, const char *content_type,
                         struct mg_slice body);

/* http_response_download is http_response_bytes with 200, as octets to be saved under |filename|, in which everything
 * but letters, digits, '.', '_' and '-' becomes '_'. */
void http_response_download(struct http_response *response, const char *filename, struct mg_slice body);

void http_response_empty(struct http_response *response, unsigned status);

/* http_response_header adds a header; |name| is a literal. Bytes of the value that no header may have (RFC 9110 section
 * 5.5) become '?'; a value over HTTP_MAX_HEADER_VALUE makes the response a 500. */
void http_response_header(struct http_response *response, const char *name, const char *format, ...) MG_PRINTF(3, 4);

enum http_problem_kind {
    HTTP_NO_PROBLEM = 0,
    HTTP_PROBLEM_BAD_BODY,           /* 400: not JSON, not a form, not of the right shape at all */
    HTTP_PROBLEM_INVALID,            /* 400: a field breaks a rule; the message names both */
    HTTP_PROBLEM_UNAUTHENTICATED,    /* 401: no credentials, or expired ones */
    HTTP_PROBLEM_BAD_CREDENTIALS,    /* 401: a login or token request was refused */
    HTTP_PROBLEM_FORBIDDEN,          /* 403: the role does not suffice, or a rule forbids */
    HTTP_PROBLEM_NOT_FOUND,          /* 404 */
    HTTP_PROBLEM_METHOD_NOT_ALLOWED, /* 405 */
    HTTP_PROBLEM_CONFLICT,           /* 409 */
    HTTP_PROBLEM_TOO_LARGE,          /* 413 */
    HTTP_PROBLEM_UNSUPPORTED_TYPE,   /* 415; without a body, as recorded (contracts.md 1.6) */
    HTTP_PROBLEM_RATE_LIMITED,       /* 429: the credential's own limit */
    HTTP_PROBLEM_SLOWED,             /* 429: too many failed logins */
    HTTP_PROBLEM_INTERNAL,           /* 500 */
    HTTP_PROBLEM_UNAVAILABLE,        /* 503: a bound of ours is full, or something behind us is away */
    HTTP_NUM_PROBLEMS,
};

struct http_problem {
    enum http_problem_kind kind;
    unsigned status;
    const char *code;     /* the family's own code word; NULL: the family's usual one for the kind */
    const char *message;  /* never NULL */
    uint64_t retry_after; /* seconds; 0: not said. http_problem_render puts the header. */
};

typedef void (*http_problem_renderer)(const struct http_problem *problem, struct http_response *response);

/* http_problem_of returns the problem |kind| with its usual status and message. */
struct http_problem http_problem_of(enum http_problem_kind kind);

/* http_problem_of_status returns how a handler answers for a function that failed: MG_INVALID is 400, MG_NOT_FOUND 404,
 * MG_DENIED 403, MG_EXISTS and MG_LIMIT 409, MG_AGAIN and MG_IO 503, others 500. The text of |error| is told where the
 * client is at fault, and otherwise logged, since it may name files of ours. */
struct http_problem http_problem_of_status(enum mg_status status, const struct mg_error *error);

/* http_problem_render replaces |response| by |problem| in the shape of |render|; 415 is empty whatever the family. */
void http_problem_render(const struct http_problem *problem, http_problem_renderer render,
                         struct http_response *response);

#endif
