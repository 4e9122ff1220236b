/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/tcp_socket.h"
#include "base/unix_socket.h"
#include "control/http/scan.h"
#include "control/http/tls_files.h"

#define PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define THREAD_STACK ((size_t)512 << 10) /* OpenSSL and SQLite need some of it; most is never touched */
#define LOOK_INTERVAL_NS (MG_NS_PER_SECOND / 4)
#define NEVER UINT64_MAX
/* A body that nobody wants is read away up to so much, so that the client gets to read its answer; a client that goes
 * on is cut off. */
#define MAX_DISCARD ((uint64_t)8 << 20)

const struct http_server_limits http_server_default_limits = {.connections = 512,
                                                              .connections_per_address = 256,
                                                              .head_bytes = 32768,
                                                              .idle_seconds = 60,
                                                              .transfer_seconds = 30};

/* What a connection is doing, which decides when it has taken too long. */
enum phase {
    PHASE_RECEIVING, /* a handshake, a request */
    PHASE_HANDLING,  /* no deadline: the handler's own */
    PHASE_SENDING,
    PHASE_IDLE,
};

struct connection {
    struct connection *next, *previous; /* of the server's list; under its lock */
    struct http_server *server;
    int fd;
    enum phase phase;     /* under the server's lock */
    uint64_t deadline_ns; /* as above; monotonic */
    bool is_allowed;      /* the rest is set once */
    bool is_local;
    uid_t uid; /* of a local peer */
    char address[46];
};

enum count { COUNT_1XX, COUNT_2XX, COUNT_3XX, COUNT_4XX, COUNT_5XX, COUNT_TIMEOUT, COUNT_BODY, COUNT_PEER, NUM_COUNTS };

/* A listener and the connections that it took. */
enum {
    DAEMON_UNIX,
    DAEMON_TLS,
    DAEMON_PLAIN,
    DAEMON_RETIRED, /* with the TLS certificate before: it has its connections alone */
    NUM_DAEMONS
};

struct http_server {
    struct http_server_config config;        /* strings are used at the start only */
    struct MHD_Daemon *daemons[NUM_DAEMONS]; /* NULL: not started; its one thread's, as the next */
    struct mg_buffer certificate;            /* PEM, in use */
    char socket_path[PATH_MAX];
    uint16_t port;
    _Atomic uint64_t counts[NUM_COUNTS];
    pthread_t watcher;
    bool has_watcher;
    pthread_mutex_t lock; /* of what follows, and of each connection's phase */
    pthread_cond_t quiet; /* num_busy fell to 0 */
    pthread_cond_t look;  /* the watcher should not wait for its time */
    struct connection *connections;
    unsigned num_busy; /* connections in none but PHASE_IDLE that have begun a request */
    bool is_draining;
    bool is_stopping; /* the watcher ends */
};

/* One request and its answer. MHD keeps it for us from the first callback to the last. */
struct exchange {
    struct connection *connection;
    struct MHD_Connection *mhd;
    struct http_request request;
    struct http_response response;
    char *target;       /* owned: as the request line has it */
    bool is_opened;     /* the head was seen */
    bool wants_body;    /* router_open said so */
    uint64_t discarded; /* bytes of body that nobody wants */
};

static void count(struct http_server *server, enum count what)
{
    atomic_fetch_add_explicit(&server->counts[what], 1, memory_order_relaxed);
}

/* ---- connections and their deadlines ---- */

static uint64_t deadline_of(const struct http_server *server, enum phase phase, uint64_t now_ns)
{
    const struct http_server_limits *limits = &server->config.limits;
    switch (phase) {
    case PHASE_RECEIVING:
    case PHASE_SENDING:
        return now_ns + limits->transfer_seconds * MG_NS_PER_SECOND;
    case PHASE_IDLE:
        return server->is_draining ? 0 : now_ns + limits->idle_seconds * MG_NS_PER_SECOND;
    case PHASE_HANDLING:
        break;
    }
    return NEVER;
}

/* enter moves |connection| on; the caller holds the lock. */
static void enter(struct connection *connection, enum phase phase)
{
    struct http_server *server = connection->server;
    server->num_busy -= connection->phase != PHASE_IDLE;
    server->num_busy += phase != PHASE_IDLE;
    connection->phase = phase;
    connection->deadline_ns = deadline_of(server, phase, mg_clock_monotonic_ns());
    if (server->num_busy == 0) {
        pthread_cond_signal(&server->quiet);
    }
    if (connection->deadline_ns == 0) {
        pthread_cond_signal(&server->look);
    }
}

static void enter_phase(struct connection *connection, enum phase phase)
{
    pthread_mutex_lock(&connection->server->lock);
    enter(connection, phase);
    pthread_mutex_unlock(&connection->server->lock);
}

static void format_address(struct MHD_Connection *mhd, char out[46])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info == NULL ? NULL : info->client_addr;
    out[0] = '\0';
    if (address != NULL && address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, out, 46);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, out, 46);
    }
}

static bool is_unix_socket(int fd)
{
    int domain = AF_UNSPEC;
    socklen_t len = sizeof(domain);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

static struct connection *make_connection(struct http_server *server, struct MHD_Connection *mhd)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (connection == NULL || info == NULL) {
        free(connection);
        return NULL;
    }
    connection->server = server;
    connection->fd = info->connect_fd;
    format_address(mhd, connection->address);
    connection->is_local = is_unix_socket(connection->fd);
    connection->is_allowed = !connection->is_local || mg_unix_peer_allowed(connection->fd, NULL, &connection->uid);
    connection->phase = PHASE_IDLE;
    if (!connection->is_allowed) {
        count(server, COUNT_PEER);
        shutdown(connection->fd, SHUT_RDWR);
    }
    return connection;
}

static void link_connection(struct http_server *server, struct connection *connection)
{
    pthread_mutex_lock(&server->lock);
    connection->next = server->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    server->connections = connection;
    /* What has sent nothing yet is not busy, but it has the time of a request, not that of a known client. */
    connection->deadline_ns = deadline_of(server, PHASE_RECEIVING, mg_clock_monotonic_ns());
    pthread_mutex_unlock(&server->lock);
}

static void unlink_connection(struct http_server *server, struct connection *connection)
{
    pthread_mutex_lock(&server->lock);
    enter(connection, PHASE_IDLE);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        server->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    pthread_mutex_unlock(&server->lock);
}

/* notify_connection is told of each connection when it begins, and when it ends, before its descriptor is closed: so
 * whoever holds the lock may shut down the descriptor of a connection that is on the list. */
static void notify_connection(void *arg, struct MHD_Connection *mhd, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct connection *connection = make_connection(server, mhd);
        if (connection != NULL) {
            link_connection(server, connection);
        }
        *context = connection;
    } else if (*context != NULL) {
        unlink_connection(server, *context);
        free(*context);
        *context = NULL;
    }
}

/* watch cuts off the connections whose time is up. */
static void *watch(void *arg)
{
    struct http_server *server = arg;
    pthread_mutex_lock(&server->lock);
    while (!server->is_stopping) {
        uint64_t now_ns = mg_clock_monotonic_ns();
        for (struct connection *at = server->connections; at != NULL; at = at->next) {
            if (at->deadline_ns <= now_ns) {
                if (!server->is_draining) {
                    count(server, COUNT_TIMEOUT);
                }
                shutdown(at->fd, SHUT_RDWR);
                at->deadline_ns = NEVER;
            }
        }
        uint64_t until_ns = now_ns + LOOK_INTERVAL_NS;
        struct timespec until = {.tv_sec = (time_t)(until_ns / MG_NS_PER_SECOND),
                                 .tv_nsec = (long)(until_ns % MG_NS_PER_SECOND)};
        pthread_cond_timedwait(&server->look, &server->lock, &until);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- one request ---- */

static const char *find_header(const void *mhd, const char *name)
{
    /* MHD looks and changes nothing, but says so of no pointer. */
    return MHD_lookup_connection_value(MG_UNCONST(mhd), MHD_HEADER_KIND, name);
}

/* begin is called when the request line was read, with the target as it came. MHD decodes paths, and %2F with them:
 * the router wants what was sent. */
static void *begin(void *arg, const char *target, struct MHD_Connection *mhd)
{
    (void)arg;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL || info == NULL || info->socket_context == NULL) {
        free(exchange);
        return NULL;
    }
    exchange->connection = info->socket_context;
    exchange->mhd = mhd;
    exchange->target = strdup(target);
    http_response_init(&exchange->response);
    enter_phase(exchange->connection, PHASE_RECEIVING);
    return exchange;
}

static void end(void *arg, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *state;
    (void)arg;
    (void)mhd;
    (void)code;
    if (exchange == NULL) {
        return;
    }
    enter_phase(exchange->connection, PHASE_IDLE);
    http_request_free(&exchange->request);
    http_response_free(&exchange->response);
    if (exchange->target != NULL) {
        mg_secret_wipe(exchange->target, strlen(exchange->target));
        free(exchange->target);
    }
    free(exchange);
    *state = NULL;
}

static bool is_draining(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool draining = server->is_draining;
    pthread_mutex_unlock(&server->lock);
    return draining;
}

static void add_headers(struct exchange *exchange, struct MHD_Response *mhd_response)
{
    const struct http_response *response = &exchange->response;
    if (response->content_type != NULL) {
        (void)MHD_add_response_header(mhd_response, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
    }
    for (size_t i = 0; i < response->num_headers; i++) {
        (void)MHD_add_response_header(mhd_response, response->headers[i].name, response->headers[i].value);
    }
    /* Answers hold keys' names, sessions and tokens: nothing in between should keep them. */
    (void)MHD_add_response_header(mhd_response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(mhd_response, "X-Content-Type-Options", "nosniff");
    if (is_draining(exchange->connection->server)) {
        (void)MHD_add_response_header(mhd_response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
}

static enum MHD_Result answer(struct exchange *exchange)
{
    struct http_response *response = &exchange->response;
    /* MHD sends from our buffer: it lives until |end|. */
    struct MHD_Response *mhd_response = MHD_create_response_from_buffer(
        response->content_type == NULL ? 0 : response->body.len, response->body.data, MHD_RESPMEM_PERSISTENT);
    if (mhd_response == NULL) {
        return MHD_NO;
    }
    add_headers(exchange, mhd_response);
    count(exchange->connection->server, COUNT_1XX + (response->status / 100 - 1) % 5);
    enter_phase(exchange->connection, PHASE_SENDING);
    enum MHD_Result result = MHD_queue_response(exchange->mhd, response->status, mhd_response);
    MHD_destroy_response(mhd_response);
    return result;
}

static void identify_peer(const struct connection *connection, struct http_request *request)
{
    request->caller.monotonic_ns = mg_clock_monotonic_ns();
    request->caller.wall_us = mg_clock_wall_us();
    memcpy(request->caller.address, connection->address, sizeof(request->caller.address));
    request->caller.is_local = connection->is_local;
    if (connection->is_local) {
        snprintf(request->identity.name, sizeof(request->identity.name), "unix:%u", (unsigned)connection->uid);
        request->identity.role = HTTP_ROLE_ADMIN;
    }
}

/* open_exchange is called when the head is there. */
static enum MHD_Result open_exchange(struct exchange *exchange, const char *method)
{
    struct connection *connection = exchange->connection;
    struct http_request *request = &exchange->request;
    exchange->is_opened = true;
    if (!connection->is_allowed || exchange->target == NULL ||
        http_request_init(request, http_method_of(method), exchange->target, NULL) != MG_OK) {
        return MHD_NO;
    }
    request->header = find_header;
    request->header_source = exchange->mhd;
    identify_peer(connection, request);
    exchange->wants_body = router_open(connection->server->config.router, request, &exchange->response);
    return MHD_YES;
}

/* declares_too_much: the client waits for "100 Continue" before it sends so much; it gets its answer instead. */
static bool declares_too_much(const struct exchange *exchange)
{
    const char *length = find_header(exchange->mhd, MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t bytes;
    return length != NULL && !scan_decimal(mg_slice_of_text(length), 0, MAX_DISCARD, &bytes);
}

static enum MHD_Result refuse_too_large(struct exchange *exchange)
{
    count(exchange->connection->server, COUNT_BODY);
    if (exchange->wants_body) {
        router_fail(&exchange->request, &exchange->response, HTTP_PROBLEM_TOO_LARGE);
    }
    http_response_header(&exchange->response, "Connection", "close");
    return answer(exchange);
}

static enum MHD_Result take_body(struct exchange *exchange, const char *body, size_t *body_len)
{
    struct mg_slice bytes = mg_slice_of(body, *body_len);
    struct http_request *request = &exchange->request;
    size_t limit = exchange->wants_body ? request->route->body_limit : 0;
    *body_len = 0;
    if (!request->body_too_large && bytes.len <= limit - request->body.len) {
        mg_buffer_append_slice(&request->body, bytes);
        return MHD_YES;
    }
    request->body_too_large = exchange->wants_body && request->route->body != HTTP_BODY_NONE;
    exchange->discarded += bytes.len;
    if (exchange->discarded > MAX_DISCARD) {
        count(exchange->connection->server, COUNT_BODY);
        return MHD_NO;
    }
    return MHD_YES;
}

static enum MHD_Result finish_exchange(struct exchange *exchange)
{
    if (exchange->wants_body) {
        enter_phase(exchange->connection, PHASE_HANDLING);
        router_finish(&exchange->request, &exchange->response);
    }
    return answer(exchange);
}

/* handle is called once when the head is there, once for each part of the body, and once at the end. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *mhd, const char *path, const char *method,
                              const char *version, const char *body, size_t *body_len, void **state)
{
    struct exchange *exchange = *state;
    (void)arg;
    (void)mhd;
    (void)path;
    (void)version;
    if (exchange == NULL) {
        return MHD_NO; /* memory was short when it began */
    }
    if (!exchange->is_opened) {
        enum MHD_Result result = open_exchange(exchange, method);
        return result == MHD_YES && declares_too_much(exchange) ? refuse_too_large(exchange) : result;
    }
    return *body_len > 0 ? take_body(exchange, body, body_len) : finish_exchange(exchange);
}

/* ---- listeners ---- */

/* log_mhd takes libmicrohttpd's own messages: mostly clients that went away. */
static void log_mhd(void *arg, const char *format, va_list args)
{
    char line[256];
    (void)arg;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(line, sizeof(line), format, args);
#pragma GCC diagnostic pop
    mg_log_debug("REST server: %s", line);
}

/* serve starts a listener on |fd| and owns it from then on, also on failure. |tls|: ended by MHD_OPTION_END. */
static enum mg_status serve(struct http_server *server, int fd, unsigned per_address, const struct MHD_OptionItem *tls,
                            struct MHD_Daemon **out, struct mg_error *error)
{
    const struct http_server_limits *limits = &server->config.limits;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG | (tls[0].option == MHD_OPTION_END ? 0 : MHD_USE_TLS);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, limits->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_address,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->head_bytes, MHD_OPTION_THREAD_STACK_SIZE, THREAD_STACK,
        MHD_OPTION_URI_LOG_CALLBACK, begin, server, MHD_OPTION_NOTIFY_COMPLETED, end, server,
        MHD_OPTION_NOTIFY_CONNECTION, notify_connection, server, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (daemon == NULL) {
        close(fd);
        return mg_error_set(error, MG_INTERNAL, "cannot start the REST server");
    }
    *out = daemon;
    return MG_OK;
}

/* serve_tls is serve with |certificate|, which it takes over if it can serve it, and |key|. */
static enum mg_status serve_tls(struct http_server *server, int fd, struct mg_buffer *certificate,
                                const struct mg_buffer *key, struct MHD_Daemon **out, struct mg_error *error)
{
    char priorities[] = PRIORITIES;
    const struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, certificate->data},
                                         {MHD_OPTION_HTTPS_MEM_KEY, 0, key->data},
                                         {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
                                         {MHD_OPTION_END, 0, NULL}};
    enum mg_status status = serve(server, fd, server->config.limits.connections_per_address, tls, out, error);
    if (status == MG_OK) {
        mg_buffer_free(&server->certificate);
        server->certificate = *certificate;
        mg_buffer_init(certificate, 0);
    }
    return status;
}

static bool is_wanted(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static enum mg_status start_tls(struct http_server *server, struct mg_error *error)
{
    int fd = -1;
    struct mg_buffer certificate, key;
    if (!is_wanted(server->config.certificate_file) || !is_wanted(server->config.key_file)) {
        return mg_error_set(error, MG_INVALID, "a TLS address needs a certificate file and a key file");
    }
    enum mg_status status =
        tls_files_load(server->config.certificate_file, server->config.key_file, &certificate, &key, error);
    if (status != MG_OK) {
        return status;
    }
    status = mg_tcp_listen(server->config.tls_address, (int)server->config.limits.connections, &fd, error);
    if (status == MG_OK) {
        server->port = mg_tcp_port(fd);
        status = serve_tls(server, fd, &certificate, &key, &server->daemons[DAEMON_TLS], error);
    }
    mg_buffer_free(&certificate);
    mg_secret_free(&key); /* GnuTLS has its own copy */
    return status;
}

static enum mg_status start_plain(struct http_server *server, struct mg_error *error)
{
    static const struct MHD_OptionItem no_tls[] = {{MHD_OPTION_END, 0, NULL}};
    const struct http_server_limits *limits = &server->config.limits;
    int fd = -1;
    enum mg_status status = mg_tcp_listen(server->config.plain_address, (int)limits->connections, &fd, error);
    return status == MG_OK
               ? serve(server, fd, limits->connections_per_address, no_tls, &server->daemons[DAEMON_PLAIN], error)
               : status;
}

static enum mg_status start_unix(struct http_server *server, struct mg_error *error)
{
    static const struct MHD_OptionItem no_tls[] = {{MHD_OPTION_END, 0, NULL}};
    int fd = -1;
    enum mg_status status = mg_unix_listen(server->config.socket_path, SOCK_STREAM, 0600, &fd, error);
    if (status == MG_OK) {
        /* Clients of a Unix socket do not wait where its queue is full, they fail: as many as are served may come. */
        (void)listen(fd, (int)server->config.limits.connections);
        snprintf(server->socket_path, sizeof(server->socket_path), "%s", server->config.socket_path);
        status = serve(server, fd, 0, no_tls, &server->daemons[DAEMON_UNIX], error);
    }
    return status;
}

static enum mg_status start_watcher(struct http_server *server, struct mg_error *error)
{
    int result = pthread_create(&server->watcher, NULL, watch, server);
    if (result != 0) {
        return mg_error_set(error, MG_IO, "cannot start a thread: %s", strerror(result));
    }
    server->has_watcher = true;
    return MG_OK;
}

static void init_lock(struct http_server *server)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->quiet, &attributes);
    pthread_cond_init(&server->look, &attributes);
    pthread_condattr_destroy(&attributes);
}

enum mg_status http_server_start(struct http_server **out, const struct http_server_config *config,
                                 struct mg_error *error)
{
    struct http_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the REST server");
    }
    server->config = *config;
    init_lock(server);
    enum mg_status status = MG_OK;
    if (is_wanted(config->socket_path)) {
        status = start_unix(server, error);
    }
    if (status == MG_OK && is_wanted(config->tls_address)) {
        status = start_tls(server, error);
    }
    if (status == MG_OK && is_wanted(config->plain_address)) {
        status = start_plain(server, error);
    }
    if (status == MG_OK) {
        status = start_watcher(server, error);
    }
    if (status != MG_OK) {
        http_server_free(server);
        return status;
    }
    *out = server;
    return MG_OK;
}

/* ---- another certificate ---- */

/* stop_accepting has a listener take no further connections. */
static void stop_accepting(struct MHD_Daemon *daemon)
{
    int fd = daemon == NULL ? -1 : MHD_quiesce_daemon(daemon);
    if (fd >= 0) {
        close(fd);
    }
}

/* replace_tls puts a listener with the new certificate beside the one that is there, on the same socket, and retires
 * that one: so there is always one that accepts. */
static enum mg_status replace_tls(struct http_server *server, struct mg_buffer *certificate,
                                  const struct mg_buffer *key, struct mg_error *error)
{
    struct MHD_Daemon **daemons = server->daemons, *next;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemons[DAEMON_TLS], MHD_DAEMON_INFO_LISTEN_FD);
    int fd = info == NULL ? -1 : fcntl(info->listen_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return mg_error_errno(error, "cannot take the REST server's socket over");
    }
    enum mg_status status = serve_tls(server, fd, certificate, key, &next, error);
    if (status == MG_OK) {
        stop_accepting(daemons[DAEMON_TLS]);
        if (daemons[DAEMON_RETIRED] != NULL) {
            MHD_stop_daemon(daemons[DAEMON_RETIRED]);
        }
        daemons[DAEMON_RETIRED] = daemons[DAEMON_TLS];
        daemons[DAEMON_TLS] = next;
    }
    return status;
}

enum mg_status http_server_set_certificate(struct http_server *server, const char *certificate_file,
                                           const char *key_file, struct mg_error *error)
{
    struct mg_buffer certificate, key;
    if (server->daemons[DAEMON_TLS] == NULL) {
        return MG_OK;
    }
    enum mg_status status = tls_files_load(certificate_file, key_file, &certificate, &key, error);
    if (status != MG_OK) {
        return status;
    }
    if (!mg_slice_equal(mg_buffer_slice(&certificate), mg_buffer_slice(&server->certificate))) {
        status = replace_tls(server, &certificate, &key, error);
    }
    mg_buffer_free(&certificate);
    mg_secret_free(&key);
    return status;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

/* ---- ending ---- */

enum mg_status http_server_drain(struct http_server *server, uint64_t deadline_ns, struct mg_error *error)
{
    uint64_t end_ns = mg_clock_monotonic_ns() + deadline_ns;
    struct timespec until = {.tv_sec = (time_t)(end_ns / MG_NS_PER_SECOND),
                             .tv_nsec = (long)(end_ns % MG_NS_PER_SECOND)};
    for (size_t i = 0; i < NUM_DAEMONS; i++) {
        stop_accepting(server->daemons[i]);
    }
    pthread_mutex_lock(&server->lock);
    server->is_draining = true;
    for (struct connection *at = server->connections; at != NULL; at = at->next) {
        at->deadline_ns = at->phase == PHASE_IDLE ? 0 : at->deadline_ns;
    }
    pthread_cond_signal(&server->look);
    while (server->num_busy > 0 && pthread_cond_timedwait(&server->quiet, &server->lock, &until) != ETIMEDOUT) {
    }
    unsigned num_busy = server->num_busy;
    pthread_mutex_unlock(&server->lock);
    return num_busy == 0 ? MG_OK : mg_error_set(error, MG_LIMIT, "%u requests still run", num_busy);
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < NUM_DAEMONS; i++) {
        if (server->daemons[i] != NULL) {
            MHD_stop_daemon(server->daemons[i]);
        }
    }
    if (server->has_watcher) {
        pthread_mutex_lock(&server->lock);
        server->is_stopping = true;
        pthread_cond_signal(&server->look);
        pthread_mutex_unlock(&server->lock);
        pthread_join(server->watcher, NULL);
    }
    if (server->socket_path[0] != '\0') {
        unlink(server->socket_path);
    }
    mg_buffer_free(&server->certificate);
    pthread_cond_destroy(&server->look);
    pthread_cond_destroy(&server->quiet);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

static uint64_t count_of(const struct http_server *server, enum count what)
{
    return server == NULL ? 0 : atomic_load_explicit(&server->counts[what], memory_order_relaxed);
}

/* A family of metrics: counts one after the other, by the values of a label. */
struct count_family {
    const char *name;            /* behind the prefix */
    const char *help, *help_end; /* before and behind the place */
    const char *label;
    enum count first;
    const char *values[5]; /* NULL: no more */
};

static void write_family(const struct http_server *server, const struct count_family *family, const char *prefix,
                         const char *where, struct mg_buffer *out)
{
    char name[96], text[160], label[32];
    snprintf(name, sizeof(name), "%s_%s", prefix, family->name);
    snprintf(text, sizeof(text), "%s %s, %s.", family->help, where, family->help_end);
    mg_metrics_family(out, name, "counter", text);
    for (size_t i = 0; i < MG_ARRAY_LEN(family->values) && family->values[i] != NULL; i++) {
        snprintf(label, sizeof(label), "%s=\"%s\"", family->label, family->values[i]);
        mg_metrics_sample(out, name, label, count_of(server, (enum count)(family->first + i)));
    }
}

void http_server_metrics(const struct http_server *server, const char *prefix, const char *where, struct mg_buffer *out)
{
    static const struct count_family families[] = {
        {"requests_total",
         "Requests answered",
         "by class of status",
         "status",
         COUNT_1XX,
         {"1xx", "2xx", "3xx", "4xx", "5xx"}},
        {"cut_off_total", "Connections cut off", "by reason", "reason", COUNT_TIMEOUT, {"time", "body", "peer"}},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(families); i++) {
        write_family(server, &families[i], prefix, where, out);
    }
}
