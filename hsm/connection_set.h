/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections of one signing thread: those that are open, those that are closed but whose requests are still on
 * their way, and those with results to send; and what epoll is to tell of each. One thread.
 */
#ifndef MINTGATE_HSM_CONNECTION_SET_H
#define MINTGATE_HSM_CONNECTION_SET_H

#include "hsm/connection.h"

/* Open connections of one thread; each session thread of an engine has one. */
#define CONNECTION_SET_MAX 256

LIST_HEAD(connection_list, connection);

/* All zero but for |epoll_fd|: empty. */
struct connection_set {
    int epoll_fd;     /* borrowed; it watches each connection, whose address marks its events */
    bool is_draining; /* no connection is taken, and nothing read, any more */
    struct connection_list open, closed, dirty;
    size_t num_open;
};

/* connection_set_add takes over |fd|, as connection_new does, and closes it where it fails. MG_LIMIT: there are as many
 * as there may be, or the set is draining. MG_MEMORY, MG_IO. */
MG_MUST_USE enum mg_status connection_set_add(struct connection_set *set, int fd, void *owner);

/* connection_set_drain has epoll tell of what can be written alone. */
void connection_set_drain(struct connection_set *set);

/* connection_set_close closes |connection|, unless it is; its struct goes when its last request is done, in
 * connection_set_free_closed. */
void connection_set_close(struct connection_set *set, struct connection *connection);
void connection_set_free_closed(struct connection_set *set);

/* connection_set_mark_dirty notes that |connection| has something to send. */
void connection_set_mark_dirty(struct connection_set *set, struct connection *connection);

/* connection_set_take_dirty returns an open connection that was so marked, and marks it no more. NULL: none. */
struct connection *connection_set_take_dirty(struct connection_set *set);

/* connection_set_flush sends what |connection| has gathered, and has epoll tell when the rest can follow;
 * connection_set_go_on is for when it can. As connection_send. */
MG_MUST_USE enum mg_status connection_set_flush(struct connection_set *set, struct connection *connection);
MG_MUST_USE enum mg_status connection_set_go_on(struct connection_set *set, struct connection *connection);

/* connection_set_has_backlog tells whether a peer has not taken all that it was sent. */
bool connection_set_has_backlog(const struct connection_set *set);

#endif
