/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores as they come from the control plane, part by part (wire/publish_store.h): put together here, and given to
 * whoever uses them when they are whole. One store at a time is under way. Publisher's thread alone, online.
 */
#ifndef MINTGATE_DATAPLANE_PUBLISH_STORE_INTAKE_H
#define MINTGATE_DATAPLANE_PUBLISH_STORE_INTAKE_H

#include "dataplane/tls/client_keys.h"
#include "dataplane/tls/server_trust.h"
#include "wire/publish.h"

/* Zero state with |trust| and |client_keys| set: nothing is under way. */
struct store_intake {
    struct server_trust *trust; /* borrowed, as the next */
    struct client_keys *client_keys;
    struct trusted *trusted;       /* that is under way, or NULL */
    struct client_key_store *keys; /* likewise; not both */
    uint64_t epoch;                /* its */
    uint16_t num_all, num_taken;
};

/*
 * store_intake_take takes |message|, a STORE. *num_taken is how many items of its store are here: with the last one the
 * store is in force.
 *
 * MG_INVALID: the part does not go on from the one before, which is fatal to the connection. Any other failure: the
 * store cannot be used, |error| says why, and what was in force of it is still.
 */
MG_MUST_USE enum mg_status store_intake_take(struct store_intake *intake, const struct wire_publish *message,
                                             uint16_t *num_taken, struct mg_error *error);

/* store_intake_forget forgets what is under way. */
void store_intake_forget(struct store_intake *intake);

#endif
