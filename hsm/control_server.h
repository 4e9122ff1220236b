/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's control socket: a thread that serves a few connections of control, one request after the other, through
 * control_service.h. A peer that is neither root nor this process's own user is refused (SO_PEERCRED); one that breaks
 * the protocol, or does not read its replies, is closed, and the others go on.
 */
#ifndef MINTGATE_HSM_CONTROL_SERVER_H
#define MINTGATE_HSM_CONTROL_SERVER_H

#include "hsm/control_service.h"

#define CONTROL_SERVER_MAX_CONNECTIONS 8

struct control_server;

/* Its thread: rw, metrics: ro. */
struct control_server_counters {
    struct mg_counter connections;
    struct mg_counter refused_peers, refused_connections; /* of another user; beyond the bound */
    struct mg_counter invalid_packets;
};

/* control_server_start serves |listen_fd| (SEQPACKET, non-blocking, borrowed) with |service|, which the thread alone
 * uses from now on. */
MG_MUST_USE enum mg_status control_server_start(struct control_server **out, int listen_fd,
                                                struct control_service *service, struct mg_error *error);

/* control_server_stop lets the request under way be done, closes all connections, and frees. |server| may be NULL. */
void control_server_stop(struct control_server *server);

const struct control_server_counters *control_server_counters(const struct control_server *server);

#endif
