/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of the dual-stack sockets as text, IPv4 ones in their own form. Any thread. */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_ADDRESS_H
#define MINTGATE_TESTS_LAB_ORIGIN_ADDRESS_H

#include <netinet/in.h>

struct address_text {
    char address[INET6_ADDRSTRLEN];
    unsigned port;
};

/* address_peer and address_local describe the two ends of the connected socket |fd|. */
struct address_text address_peer(int fd);
struct address_text address_local(int fd);

#endif
