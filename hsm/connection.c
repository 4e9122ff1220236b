/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct outgoing {
    struct outgoing *next;
    size_t len;
    uint8_t bytes[];
};

struct connection *connection_new(int fd, void *owner)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        close(fd);
        return NULL;
    }
    connection->fd = fd;
    connection->owner = owner;
    mg_buffer_init(&connection->reply, WIRE_SIGNER_MAX_PACKET);
    return connection;
}

static void drop_first(struct connection *connection)
{
    struct outgoing *first = connection->first;
    connection->first = first->next;
    if (connection->first == NULL) {
        connection->last = NULL;
    }
    connection->backlog -= first->len;
    free(first);
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0) {
        close(connection->fd);
        connection->fd = -1;
    }
    while (connection->first != NULL) {
        drop_first(connection);
    }
    mg_buffer_clear(&connection->reply);
}

void connection_free(struct connection *connection)
{
    connection_close(connection);
    mg_buffer_free(&connection->reply);
    free(connection);
}

enum mg_status connection_receive(struct connection *connection, uint8_t *buffer, struct mg_slice *packet)
{
    /* With MSG_TRUNC the result is the packet's real length, also where it is more than fits. */
    ssize_t len = recv(connection->fd, buffer, WIRE_SIGNER_MAX_PACKET, MSG_DONTWAIT | MSG_TRUNC);
    if (len < 0) {
        return errno == EAGAIN || errno == EINTR ? MG_AGAIN : MG_NOT_FOUND;
    }
    if (len == 0) {
        return MG_NOT_FOUND;
    }
    if (len > WIRE_SIGNER_MAX_PACKET) {
        return MG_INVALID;
    }
    *packet = mg_slice_of(buffer, (size_t)len);
    return MG_OK;
}

/* send_now sends one packet. MG_AGAIN: the peer does not take it yet. */
static enum mg_status send_now(const struct connection *connection, struct mg_slice packet)
{
    for (;;) {
        ssize_t len = send(connection->fd, packet.data, packet.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (len >= 0) {
            return MG_OK;
        }
        if (errno != EINTR) {
            return errno == EAGAIN ? MG_AGAIN : MG_IO;
        }
    }
}

static enum mg_status append_to_backlog(struct connection *connection, struct mg_slice packet)
{
    if (packet.len > CONNECTION_MAX_BACKLOG - connection->backlog) {
        return MG_LIMIT;
    }
    struct outgoing *outgoing = malloc(sizeof(*outgoing) + packet.len);
    if (outgoing == NULL) {
        return MG_LIMIT;
    }
    outgoing->next = NULL;
    outgoing->len = packet.len;
    memcpy(outgoing->bytes, packet.data, packet.len);
    if (connection->last != NULL) {
        connection->last->next = outgoing;
    } else {
        connection->first = outgoing;
    }
    connection->last = outgoing;
    connection->backlog += packet.len;
    return MG_OK;
}

enum mg_status connection_send(struct connection *connection, struct mg_slice packet)
{
    enum mg_status status = connection->first == NULL ? send_now(connection, packet) : MG_AGAIN;
    return status == MG_AGAIN ? append_to_backlog(connection, packet) : status;
}

enum mg_status connection_flush(struct connection *connection)
{
    enum mg_status status = MG_OK;
    if (connection->reply.len > 0 && wire_signer_end_batch(&connection->reply) > 0) {
        status = connection_send(connection, mg_buffer_slice(&connection->reply));
    }
    mg_buffer_clear(&connection->reply);
    return status;
}

enum mg_status connection_add_result(struct connection *connection, const struct wire_sign_result *result)
{
    if (connection->reply.len == 0) {
        wire_signer_begin_signed(&connection->reply);
    }
    if (wire_signer_add_signed(&connection->reply, result)) {
        return MG_OK;
    }
    enum mg_status status = connection_flush(connection);
    if (status != MG_OK) {
        return status;
    }
    wire_signer_begin_signed(&connection->reply);
    return wire_signer_add_signed(&connection->reply, result) ? MG_OK : MG_LIMIT;
}

enum mg_status connection_send_backlog(struct connection *connection)
{
    while (connection->first != NULL) {
        enum mg_status status = send_now(connection, mg_slice_of(connection->first->bytes, connection->first->len));
        if (status != MG_OK) {
            return status == MG_AGAIN ? MG_OK : status;
        }
        drop_first(connection);
    }
    return MG_OK;
}
