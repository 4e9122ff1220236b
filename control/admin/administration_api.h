/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may come in, under /mintgate/v1: users, API keys and OAuth2 clients for administrators, and the session of a
 * person.
 *
 *   POST   /session                {"name", "password"}: {"session", "name", "role"}, and the cookie JSESSIONID
 *   GET    /session                whom the request's credentials name: {"name", "role"}
 *   DELETE /session                204; the session or token that it came with has ended
 *   GET    /users, /users/{name}   {"name", "role", "enabled", "hasPassword", "oneTime"}
 *   POST   /users                  {"name", "role", "password"}
 *   PUT    /users/{name}           any of {"role", "enabled", "password"}
 *   DELETE /users/{name}           204
 *   GET    /api-keys               [{"name"}]
 *   POST   /api-keys               {"name", "key"?}: {"name", "key"}, the only time that the key is told
 *   POST   /api-keys/{name}/rotate {"key"?}: likewise
 *   DELETE /api-keys/{name}        204
 *   GET    /clients                [{"id", "role", "enabled", "hasKey"}]
 *   POST   /clients                {"id", "role", "publicKey"?}: {..., "secret"}, told once, none with a key
 *   POST   /clients/{id}/rotate    {"publicKey"?}: likewise
 *   PUT    /clients/{id}           {"enabled"}
 *   DELETE /clients/{id}           204
 *   POST   /backup                 {"database"}: a copy of the database, for mintgatectl on this machine (the Unix
 *                                  socket) to take and remove
 *
 * The life cycle's {"code", "message"} is the shape of errors; 409 for what exists, and for what would leave no
 * administrator.
 */
#ifndef MINTGATE_CONTROL_ADMIN_ADMINISTRATION_API_H
#define MINTGATE_CONTROL_ADMIN_ADMINISTRATION_API_H

#include "control/http/authenticator.h"
#include "control/http/router.h"
#include "control/store.h"

/* All borrowed until router_free. */
struct administration_api {
    struct store *store;
    const char *database; /* its path; copies are made beside it */
    struct authenticator *authenticator;
    http_problem_renderer render;
};

/* administration_api_add: |api| is borrowed until router_free. */
MG_MUST_USE enum mg_status administration_api_add(struct router *router, struct administration_api *api,
                                                  struct mg_error *error);

#endif
