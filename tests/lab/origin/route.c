/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/route.h"

#include <string.h>
#include <strings.h>

#include "base/attr.h"

/* nginx.conf.in listens on these. A protocol version is chosen before the SNI is seen, hence the extra ports. */
#define PORT_USUAL 8443
#define PORT_TLS10 8410
#define PORT_TLS12 8412
#define PORT_TLS13 8413

static const struct {
    const char *zone;
    struct route route;
} rules[] = {
    {"fresh.lab.test", {ROUTE_FRESH, 0}},          {"good.lab.test", {ROUTE_GOOD, 0}},
    {"silent.lab.test", {ROUTE_SILENT, 0}},        {"reset.lab.test", {ROUTE_RESET, 0}},
    {"alert.lab.test", {ROUTE_ALERT, 0}},          {"tls10.lab.test", {ROUTE_NGINX, PORT_TLS10}},
    {"tls12.lab.test", {ROUTE_NGINX, PORT_TLS12}}, {"tls13.lab.test", {ROUTE_NGINX, PORT_TLS13}},
};

bool route_is_below(const char *name, const char *zone)
{
    size_t name_len = strlen(name), zone_len = strlen(zone);
    if (name_len < zone_len || strcasecmp(name + (name_len - zone_len), zone) != 0) {
        return false;
    }
    return name_len == zone_len || name[name_len - zone_len - 1] == '.';
}

struct route route_for(const char *name, bool offers_h2)
{
    struct route route = {ROUTE_NGINX, PORT_USUAL};
    for (size_t i = 0; name != NULL && i < MG_ARRAY_LEN(rules); i++) {
        if (route_is_below(name, rules[i].zone)) {
            route = rules[i].route;
            break;
        }
    }
    if (route.action == ROUTE_GOOD && offers_h2) {
        return (struct route){ROUTE_NGINX, PORT_USUAL};
    }
    return route;
}
