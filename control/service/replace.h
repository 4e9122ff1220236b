/* SPDX-License-Identifier: Apache-2.0 */
/* A default that must go at once, because it is revoked, replaced by its configured successor. */
#ifndef MINTGATE_CONTROL_SERVICE_REPLACE_H
#define MINTGATE_CONTROL_SERVICE_REPLACE_H

#include "control/service/service.h"

/* replace_default makes the first usable successor of |id| (control/succession.h) the default, although an engine
 * cannot prepare, if |id| is the default. MG_NOT_FOUND: it has none. Else as service_make_default. Any thread. */
MG_MUST_USE enum mg_status replace_default(struct service *service, struct lifecycle_call *call, int64_t id,
                                           struct mg_error *error);

#endif
