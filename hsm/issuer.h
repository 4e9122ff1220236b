/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuers that an engine may have leaves signed by: every certified key whose purpose allows it, with what the
 * leaf policy needs to know and the backend that holds the key. Built at start from the keystore; immutable then, and
 * shared by all threads.
 */
#ifndef MINTGATE_HSM_ISSUER_H
#define MINTGATE_HSM_ISSUER_H

#include "hsm/backend.h"
#include "hsm/keystore.h"
#include "hsm/leaf_policy.h"

struct issuer {
    struct wire_key_id key_id;
    struct leaf_issuer facts; /* borrows from the keystore */
    struct backend_key *key;
    size_t index; /* in its set */
};

struct issuer_set {
    struct issuer issuers[WIRE_SIGNER_MAX_ISSUERS];
    size_t num_issuers;
    struct mg_buffer packet; /* the ISSUERS packet that says all this to an engine */
};

/* issuer_set_new prepares the minting keys of |store| for signing in the software backend |backend|; both outlive the
 * set. MG_LIMIT if there are more than an engine takes. */
MG_MUST_USE enum mg_status issuer_set_new(struct issuer_set **out, const struct keystore *store,
                                          const struct backend *backend, struct mg_error *error);
void issuer_set_free(struct issuer_set *set);

/* issuer_set_find0 returns the issuer with |key_id|, NULL if there is none: also for a key of another purpose. */
const struct issuer *issuer_set_find0(const struct issuer_set *set, const struct wire_key_id *key_id);

#endif
