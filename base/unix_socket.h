/* SPDX-License-Identifier: Apache-2.0 */
/* Unix-domain sockets between Mintgate's programs, and who is at the other end. */
#ifndef MINTGATE_BASE_UNIX_SOCKET_H
#define MINTGATE_BASE_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/status.h"

/* mg_unix_listen binds a socket of |type| (SOCK_STREAM or SOCK_SEQPACKET) at |path| with |mode| and listens. A stale
 * socket left by a dead process is replaced; one that answers is MG_EXISTS, and MG_IO one that cannot be tried. The
 * descriptor is close-on-exec and non-blocking; the caller closes it and unlinks |path|. Changes the process's umask
 * for a moment: before there are other threads. */
MG_MUST_USE enum mg_status mg_unix_listen(const char *path, int type, mode_t mode, int *out_fd, struct mg_error *error);

/* mg_unix_connect connects to |path|: MG_NOT_FOUND when nobody listens there. Non-blocking, close-on-exec. */
MG_MUST_USE enum mg_status mg_unix_connect(const char *path, int type, int *out_fd, struct mg_error *error);

/* mg_unix_accept accepts one connection from |listen_fd|: MG_AGAIN if none waits. */
MG_MUST_USE enum mg_status mg_unix_accept(int listen_fd, int *out_fd, struct mg_error *error);

/* mg_unix_peer_allowed tells whether the peer runs as root or as this process's own user (SO_PEERCRED, taken by the
 * kernel when it connected). */
MG_MUST_USE bool mg_unix_peer_allowed(int fd, pid_t *out_pid, uid_t *out_uid);

#endif
