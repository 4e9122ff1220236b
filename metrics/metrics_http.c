/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics_http.h"

#include <limits.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/tcp_socket.h"
#include "base/unix_socket.h"

struct listener {
    const struct metrics_http *server;
    bool is_local;
    struct MHD_Daemon *daemon; /* NULL: none */
};

struct metrics_http {
    struct metrics_http_route routes[METRICS_HTTP_MAX_ROUTES];
    size_t num_routes;
    struct listener unix_listener, tcp_listener;
    char socket_path[PATH_MAX];
};

struct metrics_http_request {
    struct MHD_Connection *connection;
};

const char *metrics_http_argument(const struct metrics_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* Answers */

/* send_response queues |response|, which may be NULL, and lets go of it. */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned code, struct MHD_Response *response)
{
    if (response == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned code, const char *text)
{
    char copy[64];
    int len = snprintf(copy, sizeof(copy), "%s\n", text);
    struct MHD_Response *response = MHD_create_response_from_buffer((size_t)len, copy, MHD_RESPMEM_MUST_COPY);
    if (response != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
        if (code == MHD_HTTP_METHOD_NOT_ALLOWED) {
            (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
        }
    }
    return send_response(connection, code, response);
}

/* render writes the page and returns the status code. */
static unsigned render(struct MHD_Connection *connection, const struct metrics_http_route *route,
                       struct mg_buffer *page)
{
    const struct metrics_http_request request = {.connection = connection};
    if (route->answer != NULL) {
        return route->answer(route->arg, &request, page) ? MHD_HTTP_OK : MHD_HTTP_BAD_REQUEST;
    }
    route->render(route->arg, page);
    return MHD_HTTP_OK;
}

static enum MHD_Result send_page(struct MHD_Connection *connection, const struct metrics_http_route *route)
{
    struct mg_buffer page;
    mg_buffer_init(&page, METRICS_HTTP_MAX_PAGE);
    unsigned code = render(connection, route, &page);
    if (!mg_buffer_ok(&page)) {
        mg_buffer_free(&page);
        return send_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "the page is too large");
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(page.len, page.data, MHD_RESPMEM_MUST_COPY);
    mg_buffer_free(&page);
    if (response != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      code == MHD_HTTP_OK ? route->content_type : "text/plain");
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    }
    return send_response(connection, code, response);
}

static const struct metrics_http_route *find_route(const struct listener *listener, const char *path)
{
    const struct metrics_http *server = listener->server;
    for (size_t i = 0; i < server->num_routes; i++) {
        const struct metrics_http_route *route = &server->routes[i];
        if (strcmp(route->path, path) == 0 && (listener->is_local || !route->is_local)) {
            return route;
        }
    }
    return NULL;
}

/* answer is called once when a request's headers are there, once for each part of a body, which is thrown away, and
 * once at the end, when it answers. */
static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *body, size_t *body_len, void **request_state)
{
    static char headers_seen;
    (void)version;
    (void)body;
    if (*request_state == NULL) {
        *request_state = &headers_seen;
        return MHD_YES;
    }
    if (*body_len > 0) {
        *body_len = 0;
        return MHD_YES;
    }
    const struct metrics_http_route *route = find_route(arg, path);
    if (route == NULL) {
        return send_text(connection, MHD_HTTP_NOT_FOUND, "no such page");
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return send_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD only");
    }
    return send_page(connection, route);
}

/* Listeners */

/* serve starts a thread that serves |listen_fd| and owns it from then on, also on failure. */
static enum mg_status serve(struct listener *listener, int listen_fd, struct mg_error *error)
{
    listener->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC, 0, NULL, NULL, answer, listener,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)METRICS_HTTP_MAX_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)METRICS_HTTP_TIMEOUT_SECONDS, MHD_OPTION_END);
    if (listener->daemon == NULL) {
        close(listen_fd);
        return mg_error_set(error, MG_INTERNAL, "cannot start the HTTP server for metrics");
    }
    return MG_OK;
}

static enum mg_status start_unix(struct metrics_http *server, const char *path, struct mg_error *error)
{
    int fd = -1;
    enum mg_status status = mg_unix_listen(path, SOCK_STREAM, 0660, &fd, error);
    if (status != MG_OK) {
        return status;
    }
    snprintf(server->socket_path, sizeof(server->socket_path), "%s", path);
    server->unix_listener = (struct listener){.server = server, .is_local = true};
    return serve(&server->unix_listener, fd, error);
}

static enum mg_status start_tcp(struct metrics_http *server, const char *address, struct mg_error *error)
{
    int fd = -1;
    enum mg_status status = mg_tcp_listen(address, METRICS_HTTP_MAX_CONNECTIONS, &fd, error);
    server->tcp_listener = (struct listener){.server = server};
    return status == MG_OK ? serve(&server->tcp_listener, fd, error) : status;
}

static bool is_wanted(const char *listener)
{
    return listener != NULL && listener[0] != '\0';
}

enum mg_status metrics_http_start(struct metrics_http **out, const struct metrics_http_config *config,
                                  struct mg_error *error)
{
    if (config->num_routes > METRICS_HTTP_MAX_ROUTES) {
        return mg_error_set(error, MG_LIMIT, "at most %d pages can be served", METRICS_HTTP_MAX_ROUTES);
    }
    struct metrics_http *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the HTTP server for metrics");
    }
    memcpy(server->routes, config->routes, config->num_routes * sizeof(server->routes[0]));
    server->num_routes = config->num_routes;
    enum mg_status status = MG_OK;
    if (is_wanted(config->socket_path)) {
        status = start_unix(server, config->socket_path, error);
    }
    if (status == MG_OK && is_wanted(config->tcp_address)) {
        status = start_tcp(server, config->tcp_address, error);
    }
    if (status != MG_OK) {
        metrics_http_stop(server);
        return status;
    }
    *out = server;
    return MG_OK;
}

void metrics_http_stop(struct metrics_http *server)
{
    if (server == NULL) {
        return;
    }
    if (server->unix_listener.daemon != NULL) {
        MHD_stop_daemon(server->unix_listener.daemon);
    }
    if (server->tcp_listener.daemon != NULL) {
        MHD_stop_daemon(server->tcp_listener.daemon);
    }
    if (server->socket_path[0] != '\0') {
        unlink(server->socket_path);
    }
    free(server);
}
