/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refused attempts in the audit record: wrong credentials, and what a role does not allow. Whoever is refused could
 * otherwise fill the disk, since the record is never shortened: so there are REFUSALS_BURST at once and one more every
 * REFUSALS_SECONDS, whoever they come from, and the next one tells how many were left out before. One for the whole
 * control plane. Any thread; time is a parameter.
 */
#ifndef MINTGATE_CONTROL_ADMIN_REFUSALS_H
#define MINTGATE_CONTROL_ADMIN_REFUSALS_H

#include "control/actor.h"
#include "control/store.h"

#define REFUSALS_BURST 100
#define REFUSALS_SECONDS 300

struct refusals;

struct refusal {
    struct control_actor actor;
    const char *operation; /* "login", or a method */
    const char *object;    /* a path, cut to REFUSALS_MAX_OBJECT bytes; "": none */
    int64_t wall_us;
    uint64_t monotonic_ns;
};

#define REFUSALS_MAX_OBJECT 128

/* refusals_new: |store| is borrowed until refusals_free. */
MG_MUST_USE enum mg_status refusals_new(struct refusals **out, struct store *store, struct mg_error *error);
void refusals_free(struct refusals *refusals);

/* refusals_record writes |refusal|, or counts it as left out. A record that cannot be written is logged: what was
 * refused stays so. */
void refusals_record(struct refusals *refusals, const struct refusal *refusal);

#endif
