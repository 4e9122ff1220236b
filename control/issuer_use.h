/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an outer authority's records say about an intermediate, beside its own life (control/ccadb): that it is revoked,
 * and so out of use whatever its status, and where the list of what it has revoked is. Kept apart from the
 * intermediate's own columns; read together with them (struct intermediate: is_revoked, crl_url).
 */
#ifndef MINTGATE_CONTROL_ISSUER_USE_H
#define MINTGATE_CONTROL_ISSUER_USE_H

#include "control/store.h"

/* issuer_use_set notes both for the intermediate |id|, which exists; |crl_url| "": none. *changed tells whether that is
 * new. Engines are to be told then (service_publish). */
MG_MUST_USE enum mg_status issuer_use_set(struct store_tx *tx, int64_t id, bool is_revoked, const char *crl_url,
                                          bool *changed, struct mg_error *error);

#endif
