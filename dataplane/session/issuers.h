/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuers that leaves are signed with now: one for servers that verified, one for servers that did not. What the
 * signer names becomes a snapshot under RCU; a signer that comes back with the same issuers changes nothing.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_ISSUERS_H
#define MINTGATE_DATAPLANE_SESSION_ISSUERS_H

#include "base/status.h"
#include "minting/issuer.h"

struct issuers;

MG_MUST_USE enum mg_status issuers_new(struct issuers **out, const struct issuer_options *options);
void issuers_free(struct issuers *issuers);

/* issuers_update takes over what a signer says; what cannot be used is logged and leaves the present issuer of that
 * role. Any thread but workers; RCU registered. */
void issuers_update(struct issuers *issuers, const struct wire_issuers *wire, int64_t now);

/* issuers_get0 returns the present issuer of |role|, or NULL before the signer has named one. Borrowed until the
 * caller's next quiescent state. RCU reader. */
struct issuer *issuers_get0(struct issuers *issuers, enum wire_issuer_role role);

#endif
