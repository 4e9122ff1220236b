/* SPDX-License-Identifier: Apache-2.0 */
/* Listening TCP sockets of programs that serve people and machines (not the dataplane). */
#ifndef MINTGATE_BASE_TCP_SOCKET_H
#define MINTGATE_BASE_TCP_SOCKET_H

#include <stdint.h>

#include "base/status.h"

/* mg_tcp_listen listens on |address|, numeric: "127.0.0.1:9100" or "[::1]:9100"; port 0 takes a free one. The
 * descriptor is close-on-exec and non-blocking; the caller closes it. MG_INVALID: not such an address; MG_IO. */
MG_MUST_USE enum mg_status mg_tcp_listen(const char *address, int backlog, int *out_fd, struct mg_error *error);

/* mg_tcp_port returns the port that the socket |fd| is bound to, 0 if it is none of TCP. */
uint16_t mg_tcp_port(int fd);

#endif
