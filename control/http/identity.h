/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: where a request comes from, and whom its credentials name. */
#ifndef MINTGATE_CONTROL_HTTP_IDENTITY_H
#define MINTGATE_CONTROL_HTTP_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Each role may do what the ones before it may (design.md section 7). The numbers stand in the database. */
enum http_role {
    HTTP_ROLE_ANONYMOUS = 0,
    HTTP_ROLE_AUDITOR = 1,  /* reads; no read of an auditor changes state */
    HTTP_ROLE_OPERATOR = 2, /* may switch defaults */
    HTTP_ROLE_ADMIN = 3,
};

/* Names of users and ids of OAuth2 clients have at most so many bytes, the NUL included. */
#define HTTP_MAX_NAME 65

struct http_identity {
    /* The credential, for audit records and rate limits: "user:NAME", "client:ID", "unix:UID"; "" for a stranger. */
    char name[HTTP_MAX_NAME + 8];
    enum http_role role;
};

/* Where and when a request was made; the only clock that anything behind the server reads. */
struct http_caller {
    char address[46]; /* an IP address as text; "" on the Unix socket */
    bool is_local;    /* the Unix socket */
    uint64_t monotonic_ns;
    int64_t wall_us; /* since 1970 */
};

/* http_role_name returns "admin", "operator", "auditor" or "anonymous"; http_role_parse takes the first three. */
const char *http_role_name(enum http_role role);
MG_MUST_USE enum mg_status http_role_parse(const char *name, enum http_role *out, struct mg_error *error);

#endif
