/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching the expiry of the default and of every enabled intermediate: warnings in the log (base/countdown.h), and,
 * where control.on_issuer_expiry is "successor", the default's successor made the default before it expires, as an
 * administrator would (service_make_default), with an audit record. An engine that cannot take it over is waited for
 * until the default has expired, and then gone on without: it helps itself (dataplane/session/issuers.h). A default
 * that is revoked (control/issuer_use.h) is succeeded at once, whatever that key says.
 */
#ifndef MINTGATE_CONTROL_SERVICE_EXPIRY_H
#define MINTGATE_CONTROL_SERVICE_EXPIRY_H

#include "base/countdown.h"
#include "config/config.h"
#include "control/service/service.h"

/* After a failure the successor is tried again so many seconds later. */
#define EXPIRY_RETRY_SECONDS 5

/* More than an engine serves are not watched. Zero state: nothing was looked at yet. */
struct expiry_watched {
    struct expiry_countdown {
        int64_t id; /* 0: a free place */
        struct mg_countdown countdown;
    } places[WIRE_PUBLISH_MAX_ISSUERS];
};

/* expiry_warn logs what there is to say at |now| (seconds since 1970) about those of |list| that are in use, and
 * returns how many lines that were. |on_expiry| is told where a default has expired. Pure but for the log. */
unsigned expiry_warn(struct expiry_watched *watched, const struct intermediate_list *list,
                     enum config_issuer_expiry on_expiry, int64_t now);

struct expiry;

/* expiry_start begins to look, once a second, in a thread of its own. |service| and |lifecycle| are borrowed until
 * expiry_stop, which waits for a swap that is under way; NULL is allowed. Main thread. */
MG_MUST_USE enum mg_status expiry_start(struct expiry **out, struct service *service, const struct lifecycle *lifecycle,
                                        enum config_issuer_expiry on_expiry, struct mg_error *error);
void expiry_stop(struct expiry *expiry);

/* expiry_set takes over a changed control.on_issuer_expiry. Any thread. */
void expiry_set(struct expiry *expiry, enum config_issuer_expiry on_expiry);

#endif
