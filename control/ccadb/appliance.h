/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CCADB's records and the appliance's own intermediates have to do with each other: a finalized intermediate whose
 * issuer has a record gets one by itself; one that a record of its own certificate, or of one above it, calls Revoked
 * is out of use; and the CRL address of its record is noted for the pointers of its leaves (control/issuer_use.h).
 *
 * Within a transaction that writes; each change has its audit record there. Failures are ours (control/store.h).
 */
#ifndef MINTGATE_CONTROL_CCADB_APPLIANCE_H
#define MINTGATE_CONTROL_CCADB_APPLIANCE_H

#include "control/actor.h"
#include "control/ccadb/records.h"
#include "control/intermediate.h"

struct appliance_call {
    struct store_tx *tx;
    struct control_actor actor;
    int64_t now_us; /* since 1970 */
    bool changed;   /* set where engines are to be told (service_publish) */
};

/* appliance_take adopts |intermediate|, which is or becomes CERT_READY: its record, if its issuer has one and it has
 * none of that owner, and what records say of it. */
MG_MUST_USE enum mg_status appliance_take(struct appliance_call *call, const struct intermediate *intermediate,
                                          struct mg_error *error);

/* appliance_take_all is appliance_take for all that are CERT_READY, after a record was made or has changed. */
MG_MUST_USE enum mg_status appliance_take_all(struct appliance_call *call, struct mg_error *error);

/* What a record of the certificate |sha256| would put out of use. */
struct appliance_concern {
    bool is_ours;       /* an intermediate that is CERT_READY has it, or is below it */
    int64_t default_id; /* that is the default and in use; 0: none is */
};

/* appliance_concern only reads. */
MG_MUST_USE enum mg_status appliance_concern(struct store_tx *tx, const uint8_t sha256[RECORDS_SHA256_LEN],
                                             struct appliance_concern *out, struct mg_error *error);

#endif
