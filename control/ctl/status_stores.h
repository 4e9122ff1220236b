/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of the command status: the trust store and the key stores that the engine's configuration names, as they are in force
 * there. The engine says so itself (GET /trust), control plane or not: what was sent and what is used could differ.
 */
#ifndef MINTGATE_CONTROL_CTL_STATUS_STORES_H
#define MINTGATE_CONTROL_CTL_STATUS_STORES_H

#include "control/ctl/ctl.h"

/* status_stores_add adds "trust" to |view|: the engine's page, or null where "metrics" of |view| is null, as the engine
 * does not answer, or there is no such page. */
void status_stores_add(struct ctl *ctl, json_t *view);

/* status_stores_write appends a line for each store that is named, with MISSING where there is none of the name and
 * kind. Pure. */
void status_stores_write(struct mg_buffer *out, const json_t *view);

#endif
