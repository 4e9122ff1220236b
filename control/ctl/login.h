/* SPDX-License-Identifier: Apache-2.0 */
/* Where control is asked and as whom: on its Unix socket as the process' own user, or at --url as the user --login. */
#ifndef MINTGATE_CONTROL_CTL_LOGIN_H
#define MINTGATE_CONTROL_CTL_LOGIN_H

#include "control/ctl/client.h"
#include "control/ctl/ctl.h"

/* login_reach fills in where |request| goes, and at a URL makes the session that it needs, the first time, by the
 * password from secret_input.h. MG_INVALID: the options do not fit; MG_DENIED: the login was refused. */
MG_MUST_USE enum mg_status login_reach(struct ctl *ctl, struct client_request *request, struct mg_error *error);

/* login_end ends the session, if there is one. One that cannot be told ends by itself after five minutes. */
void login_end(struct ctl *ctl);

#endif
