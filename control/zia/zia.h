/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ZIA family: intermediate CA certificates as the vendor's clients know them, under /api/v1 and /zia/api/v1
 * (contracts.md section 1; docs/api/zia.md). How its clients log in is in control/http/zia_auth.h.
 */
#ifndef MINTGATE_CONTROL_ZIA_ZIA_H
#define MINTGATE_CONTROL_ZIA_ZIA_H

#include "control/http/authenticator.h"
#include "control/http/router.h"
#include "control/service/service.h"

/* What the family's handlers work on; all borrowed. */
struct zia {
    struct service *service;
    const struct lifecycle *lifecycle; /* the service's */
    struct authenticator *authenticator;
};

/* zia_add adds the family's routes; |zia| is borrowed until router_free. Fails as router_add does. Main thread, before
 * the server starts. */
MG_MUST_USE enum mg_status zia_add(struct router *router, struct zia *zia, struct mg_error *error);

#endif
