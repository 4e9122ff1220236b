/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 (RFC 9112) over a Unix socket or over TLS: one request, one answer. Not thread-safe: mintgatectl has one
 * thread. */
#ifndef MINTGATE_CONTROL_CTL_CLIENT_H
#define MINTGATE_CONTROL_CTL_CLIENT_H

#include "base/buffer.h"
#include "base/status.h"

/* A file to be uploaded, as the form's part "fileUpload". All borrowed. */
struct client_upload {
    const char *name; /* NULL: there is no file */
    struct mg_slice content;
};

struct client_request {
    const char *socket;  /* path; NULL: |url| */
    const char *url;     /* https://HOST:PORT; NULL: |socket| */
    const char *ca_file; /* what the server's certificate is checked with (PEM); NULL: what the system trusts */
    const char *session; /* the cookie's value, with |url|; NULL or "": none */
    const char *method;
    const char *path;            /* with its query, if any */
    const char *body;            /* JSON; NULL: none */
    struct client_upload upload; /* instead of |body| */
    unsigned timeout_seconds;
    void (*while_waiting)(void *arg); /* called twice a second until the answer is there; NULL: never */
    void *arg;
};

struct client_answer {
    long code;             /* of HTTP */
    struct mg_buffer body; /* ends with a NUL, which counts */
};

/* client_call asks and waits. MG_OK for every answer, whatever its code; then client_answer_free. MG_AGAIN: nobody
 * answers at the socket, or the answer broke off; MG_DENIED: the server's certificate is not trusted; MG_LIMIT: the
 * answer is too long; MG_MEMORY. */
MG_MUST_USE enum mg_status client_call(const struct client_request *request, struct client_answer *out,
                                       struct mg_error *error);
void client_answer_free(struct client_answer *answer);

#endif
