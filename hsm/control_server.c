/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/control_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/unix_socket.h"

/* What is waited for: the word to stop, new connections, and packets on the connections that are there. */
enum { STOP, LISTEN, FIRST_CONNECTION, NUM_WAITED = FIRST_CONNECTION + CONTROL_SERVER_MAX_CONNECTIONS };

struct control_server {
    struct control_service *service;
    int stop_fd;
    struct pollfd waited[NUM_WAITED]; /* fd -1: a free place */
    struct mg_buffer reply;
    pthread_t thread;
    struct control_server_counters counters;
    uint8_t packet[WIRE_CONTROL_MAX_PACKET];
};

static void close_connection(struct pollfd *connection)
{
    close(connection->fd);
    connection->fd = -1;
    connection->revents = 0;
}

/* Requests */

static bool send_reply(int fd, struct mg_slice reply)
{
    ssize_t len;
    do {
        len = send(fd, reply.data, reply.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (len < 0 && errno == EINTR);
    return len >= 0;
}

/* serve_packet handles one packet of |connection|, or its end. A reply fits the socket of a peer that reads them. */
static void serve_packet(struct control_server *server, struct pollfd *connection)
{
    struct mg_error error = {""};
    ssize_t len = recv(connection->fd, server->packet, sizeof(server->packet), MSG_DONTWAIT | MSG_TRUNC);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) {
        close_connection(connection);
        return;
    }
    enum mg_status status = MG_INVALID;
    if ((size_t)len > sizeof(server->packet)) {
        (void)mg_error_set(&error, MG_INVALID, "packet of %zd bytes: at most %d are allowed", len,
                           WIRE_CONTROL_MAX_PACKET);
    } else {
        status = control_service_handle(server->service, mg_slice_of(server->packet, (size_t)len),
                                        mg_clock_wall_seconds(), &server->reply, &error);
    }
    mg_secret_wipe(server->packet, (size_t)len < sizeof(server->packet) ? (size_t)len : sizeof(server->packet));
    if (status == MG_INVALID) {
        mg_counter_add(&server->counters.invalid_packets, 1);
    }
    if (status != MG_OK) {
        mg_log_warning("closed a connection to the control socket: %s", error.text);
        close_connection(connection);
    } else if (!send_reply(connection->fd, mg_buffer_slice(&server->reply))) {
        close_connection(connection);
    }
}

/* Connections */

static struct pollfd *free_place(struct control_server *server)
{
    for (size_t i = FIRST_CONNECTION; i < NUM_WAITED; i++) {
        if (server->waited[i].fd < 0) {
            return &server->waited[i];
        }
    }
    return NULL;
}

static void take_connection(struct control_server *server, int fd)
{
    uid_t uid = 0;
    struct pollfd *place = free_place(server);
    if (!mg_unix_peer_allowed(fd, NULL, &uid)) {
        mg_log_warning("refused a connection to the control socket from user %u", (unsigned)uid);
        mg_counter_add(&server->counters.refused_peers, 1);
        close(fd);
    } else if (place == NULL) {
        mg_log_warning("refused a connection to the control socket: there are %d already",
                       CONTROL_SERVER_MAX_CONNECTIONS);
        mg_counter_add(&server->counters.refused_connections, 1);
        close(fd);
    } else {
        mg_counter_add(&server->counters.connections, 1);
        *place = (struct pollfd){.fd = fd, .events = POLLIN};
    }
}

/* accept_connection takes one: before the next, connections that have ended are to make room. */
static void accept_connection(struct control_server *server)
{
    int fd;
    struct mg_error error;
    enum mg_status status = mg_unix_accept(server->waited[LISTEN].fd, &fd, &error);
    if (status == MG_OK) {
        take_connection(server, fd);
    } else if (status != MG_AGAIN) {
        mg_log_error("%s", error.text);
        (void)poll(NULL, 0, 100); /* out of descriptors, most likely: not a busy loop */
    }
}

/* The thread */

static void *run(void *arg)
{
    struct control_server *server = arg;
    for (;;) {
        (void)poll(server->waited, NUM_WAITED, -1);
        if (server->waited[STOP].revents != 0) {
            return NULL;
        }
        for (size_t i = FIRST_CONNECTION; i < NUM_WAITED; i++) {
            if (server->waited[i].fd >= 0 && server->waited[i].revents != 0) {
                serve_packet(server, &server->waited[i]);
            }
        }
        if (server->waited[LISTEN].revents != 0) {
            accept_connection(server);
        }
    }
}

static void free_server(struct control_server *server)
{
    for (size_t i = FIRST_CONNECTION; i < NUM_WAITED; i++) {
        if (server->waited[i].fd >= 0) {
            close_connection(&server->waited[i]);
        }
    }
    if (server->stop_fd >= 0) {
        close(server->stop_fd);
    }
    mg_buffer_free(&server->reply);
    free(server);
}

enum mg_status control_server_start(struct control_server **out, int listen_fd, struct control_service *service,
                                    struct mg_error *error)
{
    struct control_server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the control socket");
    }
    server->service = service;
    mg_buffer_init(&server->reply, WIRE_CONTROL_MAX_PACKET);
    for (size_t i = 0; i < NUM_WAITED; i++) {
        server->waited[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    }
    server->waited[LISTEN].fd = listen_fd;
    server->stop_fd = server->waited[STOP].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum mg_status status =
        server->stop_fd >= 0 ? MG_OK : mg_error_errno(error, "cannot prepare the control socket's thread");
    if (status == MG_OK && pthread_create(&server->thread, NULL, run, server) != 0) {
        status = mg_error_set(error, MG_IO, "cannot start the control socket's thread");
    }
    if (status != MG_OK) {
        free_server(server);
        return status;
    }
    *out = server;
    return MG_OK;
}

void control_server_stop(struct control_server *server)
{
    if (server == NULL) {
        return;
    }
    (void)eventfd_write(server->stop_fd, 1);
    pthread_join(server->thread, NULL);
    free_server(server);
}

const struct control_server_counters *control_server_counters(const struct control_server *server)
{
    return &server->counters;
}
