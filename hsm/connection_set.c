/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/connection_set.h"

#include <sys/epoll.h>
#include <unistd.h>

/* watch tells epoll what |connection| waits for. */
static bool watch(const struct connection_set *set, struct connection *connection, int operation)
{
    struct epoll_event event = {.data.ptr = connection};
    event.events = (set->is_draining ? 0u : EPOLLIN) | (connection->waits_to_write ? EPOLLOUT : 0u);
    return epoll_ctl(set->epoll_fd, operation, connection->fd, &event) == 0;
}

enum mg_status connection_set_add(struct connection_set *set, int fd, void *owner)
{
    if (set->num_open >= CONNECTION_SET_MAX || set->is_draining) {
        close(fd);
        return MG_LIMIT;
    }
    struct connection *connection = connection_new(fd, owner);
    if (connection == NULL) {
        return MG_MEMORY;
    }
    if (!watch(set, connection, EPOLL_CTL_ADD)) {
        connection_free(connection);
        return MG_IO;
    }
    LIST_INSERT_HEAD(&set->open, connection, link);
    set->num_open++;
    return MG_OK;
}

void connection_set_drain(struct connection_set *set)
{
    struct connection *connection;
    set->is_draining = true;
    LIST_FOREACH(connection, &set->open, link)
    {
        (void)watch(set, connection, EPOLL_CTL_MOD); /* where it fails, what is read is thrown away */
    }
}

void connection_set_close(struct connection_set *set, struct connection *connection)
{
    if (connection->fd < 0) {
        return;
    }
    connection_close(connection); /* which takes it out of the epoll set */
    LIST_REMOVE(connection, link);
    LIST_INSERT_HEAD(&set->closed, connection, link);
    set->num_open--;
}

void connection_set_free_closed(struct connection_set *set)
{
    struct connection *next;
    for (struct connection *connection = LIST_FIRST(&set->closed); connection != NULL; connection = next) {
        next = LIST_NEXT(connection, link);
        if (connection->num_requests == 0 && !connection->is_dirty) {
            LIST_REMOVE(connection, link);
            connection_free(connection);
        }
    }
}

void connection_set_mark_dirty(struct connection_set *set, struct connection *connection)
{
    if (!connection->is_dirty) {
        connection->is_dirty = true;
        LIST_INSERT_HEAD(&set->dirty, connection, dirty_link);
    }
}

struct connection *connection_set_take_dirty(struct connection_set *set)
{
    struct connection *connection;
    while ((connection = LIST_FIRST(&set->dirty)) != NULL) {
        LIST_REMOVE(connection, dirty_link);
        connection->is_dirty = false;
        if (connection->fd >= 0) {
            return connection;
        }
    }
    return NULL;
}

enum mg_status connection_set_flush(struct connection_set *set, struct connection *connection)
{
    enum mg_status status = connection_flush(connection);
    bool waits = connection->backlog > 0;
    if (status == MG_OK && waits != connection->waits_to_write) {
        connection->waits_to_write = waits;
        status = watch(set, connection, EPOLL_CTL_MOD) ? MG_OK : MG_IO;
    }
    return status;
}

enum mg_status connection_set_go_on(struct connection_set *set, struct connection *connection)
{
    enum mg_status status = connection_send_backlog(connection);
    if (status == MG_OK && connection->backlog == 0) {
        connection->waits_to_write = false;
        status = watch(set, connection, EPOLL_CTL_MOD) ? MG_OK : MG_IO;
    }
    return status;
}

bool connection_set_has_backlog(const struct connection_set *set)
{
    const struct connection *connection;
    LIST_FOREACH(connection, &set->open, link)
    {
        if (connection->backlog > 0) {
            return true;
        }
    }
    return false;
}
