/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watching the expiry of the issuers that are in use: warnings in the log, once a day and as base/countdown.h says, and
 * the alarm ISSUER_ALARM while one has expired and nobody signs in its place, so that its flows go as
 * control.on_issuer_expiry says; ISSUER_REVOKED_ALARM likewise for one that is revoked. Who signs is decided flow by
 * flow (issuers_choose), never here.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_ISSUER_WATCH_H
#define MINTGATE_DATAPLANE_SESSION_ISSUER_WATCH_H

#include "base/buffer.h"
#include "base/countdown.h"
#include "dataplane/session/issuers.h"

#define ISSUER_ALARM "issuer_expired"
#define ISSUER_REVOKED_ALARM "issuer_revoked"

/* Zero state: nothing was looked at yet. */
struct issuer_watch {
    struct issuer_watched {
        uint64_t generation; /* 0: a free place */
        struct mg_countdown countdown;
        bool is_spent; /* or revoked */
        bool is_alarm;
    } watched[WIRE_PUBLISH_MAX_ISSUERS];
};

/* issuer_watch_look looks at the present issuers, but for those that are there only to succeed others, at |now|
 * (seconds since 1970) and logs what there is to say. Returns how many lines that were. One thread; RCU reader. */
unsigned issuer_watch_look(struct issuer_watch *watch, const struct issuers *issuers,
                           enum config_issuer_expiry on_expiry, int64_t now);

/* How the present issuers stand, but for those that are there only to succeed others. */
struct issuer_health {
    uint64_t generation; /* of who signs as the default; of the default itself where nobody does; 0: there is none */
    int64_t not_after;   /* end of that one's validity */
    int64_t remaining;   /* for how many seconds it signs; 0: nobody does */
    size_t num_expired;  /* that have expired */
    size_t num_revoked;  /* that are revoked */
    size_t num_unserved; /* of the expired, that nobody signs in place of: the alarm is on */
    size_t num_unserved_revoked; /* of the revoked, likewise */
};

/* issuer_health_of: any thread; RCU reader. */
void issuer_health_of(struct issuer_health *out, const struct issuers *issuers, enum config_issuer_expiry on_expiry,
                      int64_t now);

/* issuer_health_write appends {"status": "ok" or "alarm", "alarms": [...]}. */
void issuer_health_write(const struct issuer_health *health, struct mg_buffer *out);

#endif
