/* SPDX-License-Identifier: Apache-2.0 */
/* For how long a leaf is valid. Times are seconds since 1970; both ends are inclusive (RFC 5280 section 4.1.2.5), so a
 * window has not_after - not_before + 1 seconds. Pure: any thread. */
#ifndef MINTGATE_MINTING_VALIDITY_H
#define MINTGATE_MINTING_VALIDITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define VALIDITY_SECONDS_PER_DAY INT64_C(86400)
#define VALIDITY_DEFAULT_MAX_SECONDS (200 * VALIDITY_SECONDS_PER_DAY)
/* How far before now a window starts that had to be cut: for clients whose clocks are behind. */
#define VALIDITY_BACKDATE_SECONDS VALIDITY_SECONDS_PER_DAY

struct validity {
    int64_t not_before;
    int64_t not_after;
};

/* validity_client_limit returns how many seconds clients accept of a certificate issued at |time|: the CA/Browser
 * Forum's Baseline Requirements section 6.3.2 (ballots SC-031 and SC-081), which browsers enforce. */
int64_t validity_client_limit(int64_t time);

/*
 * validity_decide makes the window of a leaf: the server's own, within the issuer's, and no longer than |max_seconds|
 * or what clients accept, backdating included.
 *
 * A window that is too long is cut so that it tells the same about |now|: a valid one stays valid, starting at most
 * VALIDITY_BACKDATE_SECONDS ago; an expired one stays expired, one not yet valid not yet valid. Where nothing of the
 * server's window lies within the issuer's, one second at the nearer end of the issuer's is left.
 *
 * With |must_be_valid| (leaves that clients are to trust) a window without |now| is MG_DENIED: no leaf makes a server
 * good that is not.
 */
MG_MUST_USE enum mg_status validity_decide(struct validity *out, struct validity server, struct validity issuer,
                                           int64_t now, int64_t max_seconds, bool must_be_valid,
                                           struct mg_error *error);

#endif
