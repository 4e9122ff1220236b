/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection on port 443 until it is known who serves it: the ClientHello is read by BoringSSL, which stops before
 * it answers; then the handshake goes on here, or the socket and the bytes read so far go to nginx. One thread.
 */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_TLS_ACCEPT_H
#define MINTGATE_TESTS_LAB_ORIGIN_TLS_ACCEPT_H

#include "tests/lab/origin/worker.h"

/* tls_accept_context_new makes what all connections share: TLS 1.2 and 1.3, tickets, http/1.1 by ALPN. NULL if memory
 * is short. */
SSL_CTX *tls_accept_context_new(void);

/* tls_accept takes the descriptor of |accepted|. */
void tls_accept(struct worker *worker, struct loop_source *accepted);

#endif
