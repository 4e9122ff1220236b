/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tcp_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* split_address splits "host:port" or "[host]:port" in place. */
static enum mg_status split_address(char *address, const char **host, const char **port, struct mg_error *error)
{
    char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == '\0') {
        return mg_error_set(error, MG_INVALID, "%s: must be an address, a colon and a port", address);
    }
    *colon = '\0';
    *port = colon + 1;
    *host = address;
    size_t len = strlen(address);
    if (address[0] == '[' && address[len - 1] == ']') {
        address[len - 1] = '\0';
        *host = address + 1;
    }
    return MG_OK;
}

static enum mg_status listen_at(const struct addrinfo *info, const char *address, int backlog, int *out_fd,
                                struct mg_error *error)
{
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return mg_error_errno(error, "cannot make a socket for %s", address);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, backlog) != 0) {
        enum mg_status status = mg_error_errno(error, "cannot listen on %s", address);
        close(fd);
        return status;
    }
    *out_fd = fd;
    return MG_OK;
}

enum mg_status mg_tcp_listen(const char *address, int backlog, int *out_fd, struct mg_error *error)
{
    char copy[128];
    const char *host = NULL, *port = NULL;
    int len = snprintf(copy, sizeof(copy), "%s", address);
    if (len < 0 || (size_t)len >= sizeof(copy)) {
        return mg_error_set(error, MG_INVALID, "%.32s...: the address is too long", address);
    }
    enum mg_status status = split_address(copy, &host, &port, error);
    if (status != MG_OK) {
        return status;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *info;
    int result = getaddrinfo(host, port, &hints, &info);
    if (result != 0) {
        return mg_error_set(error, MG_INVALID, "%s: %s", address, gai_strerror(result));
    }
    status = listen_at(info, address, backlog, out_fd, error);
    freeaddrinfo(info);
    return status;
}

uint16_t mg_tcp_port(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    switch (address.ss_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
    default:
        return 0;
    }
}
