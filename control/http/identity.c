/* SPDX-License-Identifier: Apache-2.0 */
#include "control/http/identity.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {
    [HTTP_ROLE_ANONYMOUS] = "anonymous",
    [HTTP_ROLE_AUDITOR] = "auditor",
    [HTTP_ROLE_OPERATOR] = "operator",
    [HTTP_ROLE_ADMIN] = "admin",
};

const char *http_role_name(enum http_role role)
{
    return names[role];
}

enum mg_status http_role_parse(const char *name, enum http_role *out, struct mg_error *error)
{
    for (size_t i = HTTP_ROLE_AUDITOR; i < MG_ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum http_role)i;
            return MG_OK;
        }
    }
    return mg_error_set(error, MG_INVALID, "role: must be admin, operator or auditor");
}
