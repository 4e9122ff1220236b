/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/anonymous.h"

#include <string.h>

/* A row here lets strangers in: each needs its reason. */
const struct http_anonymous http_anonymous_routes[] = {
    /* is it alive: load balancers have no credentials */
    {HTTP_GET, "/health"},
    /* the built-in root is there to be fetched by machines that are to trust it */
    {HTTP_GET, "/ca.pem"},
    /* logins, whose callers are about to say who they are */
    {HTTP_POST, "/mintgate/v1/session"},
    {HTTP_POST, "/api/v1/authenticatedSession"},
    {HTTP_POST, "/zia/api/v1/authenticatedSession"},
    {HTTP_POST, "/oauth2/v1/token"},
    {HTTP_GET, "/oauth/token"},
    {HTTP_POST, "/oauth/token"},
};
const size_t http_num_anonymous_routes = MG_ARRAY_LEN(http_anonymous_routes);

bool http_is_anonymous(enum http_method method, const char *base, const char *pattern)
{
    size_t base_len = strlen(base);
    for (size_t i = 0; i < http_num_anonymous_routes; i++) {
        const struct http_anonymous *row = &http_anonymous_routes[i];
        if (row->method == method && strncmp(row->path, base, base_len) == 0 &&
            strcmp(row->path + base_len, pattern) == 0) {
            return true;
        }
    }
    return false;
}
