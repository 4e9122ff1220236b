/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/anonymous.h"

#include <string.h>

/* A row here lets strangers in: each needs its reason. */
const struct http_anonymous http_anonymous_routes[] = {
    /* is it alive: load balancers have no credentials */
    {HTTP_GET, "/health"},
    /* the built-in root is there to be fetched by machines that are to trust it */
    {HTTP_GET, "/ca.pem"},
    /* CRLs, at an address of their own: who verifies a certificate has no credential */
    {HTTP_GET, "/crl/{file}"},
    /* logins, whose callers are about to say who they are */
    {HTTP_POST, "/mintgate/v1/session"},
    {HTTP_POST, "/api/v1/authenticatedSession"},
    {HTTP_GET, "/oauth/token"},
    {HTTP_POST, "/oauth/token"},
    {HTTP_GET, "/services/oauth2/authorize"},
    {HTTP_POST, "/services/oauth2/authorize"},
    {HTTP_POST, "/services/oauth2/token"},
    /* where the browser is sent with a code: it has nothing but that */
    {HTTP_GET, "/"},
    {HTTP_POST, "/zia/api/v1/authenticatedSession"},
    {HTTP_POST, "/oauth2/v1/token"},
    /* approvers, who prove who they are by what they sign in the body (control/securosys/ska_approvals.c) */
    {HTTP_POST, "/v1/filteredSignApprovalTask"},
    {HTTP_POST, "/v1/filteredAllApprovalTask"},
    {HTTP_POST, "/v1/filteredDecryptApprovalTask"},
    {HTTP_POST, "/v1/filteredUnwrapKeyApprovalTask"},
    {HTTP_POST, "/v1/filteredBlockKeyApprovalTask"},
    {HTTP_POST, "/v1/filteredUnblockKeyApprovalTask"},
    {HTTP_POST, "/v1/filteredModifyKeyApprovalTask"},
    {HTTP_POST, "/v1/approval"},
    {HTTP_PATCH, "/v1/task"},
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
