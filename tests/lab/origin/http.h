/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The origin's HTTP/1.1 server (RFC 9112), the same on plain TCP, under the origin's own TLS and behind nginx. What
 * it answers is in answer.h. One thread.
 */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_HTTP_H
#define MINTGATE_TESTS_LAB_ORIGIN_HTTP_H

#include <openssl/base.h>

#include "tests/lab/origin/worker.h"

/* What the client sees of the TLS connection; shown to it by / and /info. Behind nginx the X-Lab-* fields of each
 * request say it. */
struct http_peer {
    char client[64];
    char sni[256];
    char version[16];
    char cipher[64];
    char group[32];
    char alpn[16];
    char resumed[8]; /* "yes" or "no" */
};

/* http_serve takes the descriptor of |accepted| and |ssl|, whose handshake is done (NULL: plain TCP), and serves
 * requests until one side closes; then the connection leaves |worker|. */
void http_serve(struct worker *worker, struct loop_source *accepted, SSL *ssl);

/* http_serve_plain is http_serve as a listener calls it. Requests on the loopback come from nginx. */
void http_serve_plain(struct worker *worker, struct loop_source *accepted);

#endif
