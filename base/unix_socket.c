/* SPDX-License-Identifier: Apache-2.0 */
#include "base/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static enum mg_status address_of(const char *path, struct sockaddr_un *out, struct mg_error *error)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(out->sun_path)) {
        return mg_error_set(error, MG_INVALID, "socket path %s: must have 1 to %zu characters", path,
                            sizeof(out->sun_path) - 1);
    }
    memcpy(out->sun_path, path, len + 1);
    return MG_OK;
}

enum mg_status mg_unix_connect(const char *path, int type, int *out_fd, struct mg_error *error)
{
    struct sockaddr_un address;
    enum mg_status status = address_of(path, &address, error);
    if (status != MG_OK) {
        return status;
    }
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return mg_error_errno(error, "cannot make a socket for %s", path);
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        bool nobody = errno == ENOENT || errno == ECONNREFUSED;
        status = mg_error_errno(error, "cannot connect to %s", path);
        close(fd);
        return nobody ? MG_NOT_FOUND : status;
    }
    *out_fd = fd;
    return MG_OK;
}

enum mg_status mg_unix_listen(const char *path, int type, mode_t mode, int *out_fd, struct mg_error *error)
{
    struct sockaddr_un address;
    enum mg_status status = address_of(path, &address, error);
    if (status != MG_OK) {
        return status;
    }
    int probe;
    status = mg_unix_connect(path, type, &probe, error);
    if (status == MG_OK) {
        close(probe);
        return mg_error_set(error, MG_EXISTS, "%s: another process listens there", path);
    }
    if (status != MG_NOT_FOUND) {
        return status; /* perhaps a listener whose queue is full, or of another type: not ours to remove */
    }
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);
    }
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return mg_error_errno(error, "cannot make a socket for %s", path);
    }
    /* The mode must be right from the moment the name exists: a mask does that, a later chmod would not. */
    mode_t old_mask = umask(0777 & ~mode);
    int bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    int bind_errno = errno;
    umask(old_mask);
    errno = bind_errno;
    if (bound != 0 || listen(fd, 64) != 0) {
        status = mg_error_errno(error, "cannot listen on %s", path);
        close(fd);
        return status;
    }
    *out_fd = fd;
    return MG_OK;
}

enum mg_status mg_unix_accept(int listen_fd, int *out_fd, struct mg_error *error)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        *out_fd = fd;
        return MG_OK;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) {
        return MG_AGAIN;
    }
    return mg_error_errno(error, "cannot accept");
}

bool mg_unix_peer_allowed(int fd, pid_t *out_pid, uid_t *out_uid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    if (out_pid != NULL) {
        *out_pid = peer.pid;
    }
    if (out_uid != NULL) {
        *out_uid = peer.uid;
    }
    return peer.uid == 0 || peer.uid == geteuid();
}
