/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API keys of the Securosys family, for administrators, under /mintgate/v1:
 *
 *   GET    /ska/api-keys         [{"name", "role", "created"}]
 *   POST   /ska/api-keys         {"name", "role"}: {"name", "role", "created", "key"}, the only time that it is told
 *   DELETE /ska/api-keys/{name}  204
 */
#ifndef MINTGATE_CONTROL_SECUROSYS_SKA_ADMIN_H
#define MINTGATE_CONTROL_SECUROSYS_SKA_ADMIN_H

#include "control/securosys/ska_api.h"

/* ska_admin_add: |api| is borrowed until router_free. */
MG_MUST_USE enum mg_status ska_admin_add(struct router *router, struct ska_api *api, struct mg_error *error);

#endif
