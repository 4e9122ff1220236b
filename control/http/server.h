/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane's HTTP/1.1 server, on libmicrohttpd (docs/adr/0017-http-server.md): a TLS listener, a Unix socket,
 * and a listener for what is public, any of them, in front of one router. Each connection has a thread of its own, so
 * that a handler may wait for the signer or an engine without anybody else waiting.
 *
 * On the Unix socket (mode 0600) the kernel says who the peer is: root and the server's own user are administrators,
 * "unix:UID", without any password; anybody else is cut off.
 *
 * Bounds: connections in all and per address; the head of a request; the body by its route; the time that a connection
 * may be idle, and the time that a request may take to arrive, or its answer to leave. A handler's own time is not
 * counted; handlers bound it.
 */
#ifndef MINTGATE_CONTROL_HTTP_SERVER_H
#define MINTGATE_CONTROL_HTTP_SERVER_H

#include <stdint.h>

#include "control/http/router.h"

struct http_server_limits {
    unsigned connections;             /* per listener */
    unsigned connections_per_address; /* of TLS; 0: no such bound */
    size_t head_bytes;                /* request line and headers, within a little */
    unsigned idle_seconds;            /* between two requests of a connection */
    unsigned transfer_seconds;        /* a handshake and a request, from its first byte to its last; an answer */
};

/* What a server uses where nothing else is configured. */
extern const struct http_server_limits http_server_default_limits;

struct http_server_config {
    const char *tls_address;   /* numeric ADDRESS:PORT; NULL or "": none */
    const char *plain_address; /* likewise, without TLS: of a router whose routes are for everybody (crl_pages.h) */
    const char *certificate_file, *key_file;
    const char *socket_path;     /* NULL or "": none */
    const struct router *router; /* borrowed until http_server_free */
    struct http_server_limits limits;
};

struct http_server;

/* http_server_start serves until http_server_drain or http_server_free. Call it before there are other threads: the
 * socket's mode needs the umask for a moment. */
MG_MUST_USE enum mg_status http_server_start(struct http_server **out, const struct http_server_config *config,
                                             struct mg_error *error);

/* http_server_set_certificate takes over what is in the two files now: connections that begin from then on get the new
 * certificate, those that are there go on until the next time it changes. Nothing is done where there is no TLS
 * listener, or the certificate is the one in use. On failure that stays. By the thread that started the server. */
MG_MUST_USE enum mg_status http_server_set_certificate(struct http_server *server, const char *certificate_file,
                                                       const char *key_file, struct mg_error *error);

/* http_server_port returns the port of the TLS listener, 0 if there is none. */
uint16_t http_server_port(const struct http_server *server);

/* http_server_drain accepts no more connections, ends the idle ones, and waits until all requests have been answered.
 * MG_LIMIT: some still run after |deadline_ns| from now. Once, by the thread that started it. */
MG_MUST_USE enum mg_status http_server_drain(struct http_server *server, uint64_t deadline_ns, struct mg_error *error);

/* http_server_free cuts off all connections, waits for their handlers, removes the socket and frees. NULL is allowed.
 */
void http_server_free(struct http_server *server);

/* http_server_metrics appends what was counted: requests by class of status, and what was cut off at each bound. Names
 * begin with |prefix|; |where|, like "on the listener of CRLs", is for the help. |server| NULL, which is not served:
 * zeros. Any thread. */
void http_server_metrics(const struct http_server *server, const char *prefix, const char *where,
                         struct mg_buffer *out);

#endif
