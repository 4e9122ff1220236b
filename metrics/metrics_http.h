/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small read-only HTTP server for metrics and other pages that a program renders from its own counters: GET and HEAD
 * of a fixed set of paths, on a Unix socket (mode 0660) and, if wanted, a TCP address. It runs on threads of its own,
 * one per listener, by libmicrohttpd, and holds few connections, each for a short time.
 */
#ifndef MINTGATE_METRICS_METRICS_HTTP_H
#define MINTGATE_METRICS_METRICS_HTTP_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/status.h"

#define METRICS_HTTP_MAX_ROUTES 8
#define METRICS_HTTP_MAX_PAGE ((size_t)8 << 20)
/* Connections per listener; further ones are refused. One that says nothing for TIMEOUT seconds is closed. */
#define METRICS_HTTP_MAX_CONNECTIONS 16
#define METRICS_HTTP_TIMEOUT_SECONDS 10

/* The content type of the Prometheus text format. */
#define METRICS_HTTP_PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

struct metrics_http;
struct metrics_http_request;

/* metrics_http_argument returns the argument |name| of the request's query, decoded; NULL: there is none. It lives as
 * long as the request, and is what a client says: to be checked. */
const char *metrics_http_argument(const struct metrics_http_request *request, const char *name);

struct metrics_http_route {
    const char *path; /* whole, such as "/metrics"; a query is ignored but by |answer| */
    const char *content_type;
    /* render appends the page to |out|; where the buffer fails, the client is told so. Called on a server's thread,
     * on two of them at once if there are two listeners. */
    void (*render)(void *arg, struct mg_buffer *out);
    void *arg;
    /* answer is called instead of |render| where it is not NULL. False: the request is wrong (400), and |out| is text
     * that says why. */
    bool (*answer)(void *arg, const struct metrics_http_request *request, struct mg_buffer *out);
    bool is_local; /* on the Unix socket alone: elsewhere there is no such page */
};

struct metrics_http_config {
    const char *socket_path;                 /* NULL or "": none */
    const char *tcp_address;                 /* numeric "127.0.0.1:9100" or "[::1]:9100"; NULL or "": none */
    const struct metrics_http_route *routes; /* copied, up to METRICS_HTTP_MAX_ROUTES; strings are borrowed */
    size_t num_routes;
};

/* metrics_http_start serves until metrics_http_stop. With neither listener it does nothing, successfully. */
MG_MUST_USE enum mg_status metrics_http_start(struct metrics_http **out, const struct metrics_http_config *config,
                                              struct mg_error *error);

/* metrics_http_stop closes every connection, waits for the threads, removes the socket, and frees. NULL is allowed. */
void metrics_http_stop(struct metrics_http *server);

#endif
