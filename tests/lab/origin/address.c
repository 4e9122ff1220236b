/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/address.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static struct address_text format(const struct sockaddr_in6 *sin6)
{
    struct address_text text = {.port = ntohs(sin6->sin6_port)};
    if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
        inet_ntop(AF_INET, &sin6->sin6_addr.s6_addr[12], text.address, sizeof(text.address));
    } else {
        inet_ntop(AF_INET6, &sin6->sin6_addr, text.address, sizeof(text.address));
    }
    return text;
}

struct address_text address_peer(int fd)
{
    struct sockaddr_in6 sin6 = {.sin6_port = 0};
    socklen_t len = sizeof(sin6);
    (void)getpeername(fd, (struct sockaddr *)&sin6, &len);
    return format(&sin6);
}

struct address_text address_local(int fd)
{
    struct sockaddr_in6 sin6 = {.sin6_port = 0};
    socklen_t len = sizeof(sin6);
    (void)getsockname(fd, (struct sockaddr *)&sin6, &len);
    return format(&sin6);
}
