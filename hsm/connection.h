/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One engine's connection to the signer: packets in, results out, gathered into as few packets as they fit. It never
 * blocks: what the peer does not take at once waits in a bounded backlog. One thread.
 */
#ifndef MINTGATE_HSM_CONNECTION_H
#define MINTGATE_HSM_CONNECTION_H

#include <sys/queue.h>

#include "base/buffer.h"
#include "wire/signer.h"

/* Replies that wait for a peer which does not read them: some ten thousand. Beyond, the peer is broken. */
#define CONNECTION_MAX_BACKLOG ((size_t)1 << 20)

struct connection {
    int fd;                                  /* owned; -1 once closed */
    void *owner;                             /* the thread's loop */
    bool has_greeted;                        /* its HELLO was good */
    bool is_dirty;                           /* has results that were not sent yet */
    bool waits_to_write;                     /* has a backlog: tell when it can be written */
    size_t num_requests;                     /* on their way: the struct stays until they are done */
    LIST_ENTRY(connection) link, dirty_link; /* the lists of connection_set.h */

    struct mg_buffer reply; /* the batch of results being filled */
    struct outgoing *first, *last;
    size_t backlog; /* bytes in that list */
};

/* connection_new takes over |fd|, a connected non-blocking SEQPACKET socket. NULL: no memory; |fd| is closed. */
struct connection *connection_new(int fd, void *owner);

/* connection_close closes the socket and drops what waits to be sent; the struct stays. */
void connection_close(struct connection *connection);
/* connection_free closes and frees; num_requests must be 0. */
void connection_free(struct connection *connection);

/* connection_receive reads one packet into |buffer|, which holds WIRE_SIGNER_MAX_PACKET bytes. MG_AGAIN: none there.
 * MG_NOT_FOUND: the peer has gone. MG_INVALID: longer than that. */
MG_MUST_USE enum mg_status connection_receive(struct connection *connection, uint8_t *buffer, struct mg_slice *packet);

/* connection_send sends a packet now or as soon as the peer takes it. MG_LIMIT: the backlog is full. MG_IO: the peer
 * has gone. After either the caller closes. */
MG_MUST_USE enum mg_status connection_send(struct connection *connection, struct mg_slice packet);

/* connection_add_result adds a result to the batch, sending it if it is full; connection_flush sends the batch. As
 * connection_send. */
MG_MUST_USE enum mg_status connection_add_result(struct connection *connection, const struct wire_sign_result *result);
MG_MUST_USE enum mg_status connection_flush(struct connection *connection);

/* connection_send_backlog goes on with the backlog once the socket can be written. MG_OK, also if some is left. */
MG_MUST_USE enum mg_status connection_send_backlog(struct connection *connection);

#endif
