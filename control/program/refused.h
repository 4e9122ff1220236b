/* SPDX-License-Identifier: Apache-2.0 */
/* What the authenticator and the router tell, as entries of the audit record. */
#ifndef MINTGATE_CONTROL_PROGRAM_REFUSED_H
#define MINTGATE_CONTROL_PROGRAM_REFUSED_H

#include "control/admin/refusals.h"
#include "control/http/request.h"

/* Both borrowed; the |arg| of what follows. */
struct refused {
    struct store *store;
    struct refusals *refusals;
};

/* refused_use_up and refused_login are hooks of the authenticator (authenticator.h). */
MG_MUST_USE enum mg_status refused_use_up(void *arg, const struct http_caller *caller, const char *user,
                                          struct mg_error *error);
void refused_login(void *arg, const struct http_caller *caller, const char *who);

/* refused_request is the router's watch. */
void refused_request(void *arg, const struct http_request *request);

#endif
