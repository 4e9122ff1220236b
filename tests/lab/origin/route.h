/* SPDX-License-Identifier: Apache-2.0 */
/* Which server answers for which name. Pure: any thread. */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_ROUTE_H
#define MINTGATE_TESTS_LAB_ORIGIN_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

enum route_action {
    ROUTE_FRESH,  /* served here with a certificate of the name's own */
    ROUTE_GOOD,   /* served here with the wildcard certificate */
    ROUTE_NGINX,  /* spliced to |port| on the loopback (nginx.conf.in) */
    ROUTE_SILENT, /* reads the ClientHello and never answers */
    ROUTE_RESET,  /* answers the ClientHello with a RST */
    ROUTE_ALERT,  /* answers the ClientHello with a fatal alert, handshake_failure */
};

struct route {
    enum route_action action;
    uint16_t port;
};

/* route_for chooses by |name|, the SNI (any case) or NULL, and by whether the client offers HTTP/2, which nginx alone
 * speaks. A rule is for its name and all names below it. */
struct route route_for(const char *name, bool offers_h2);

/* route_is_below tells whether |name| is |zone| or below it, without regard to ASCII case. */
bool route_is_below(const char *name, const char *zone);

#endif
