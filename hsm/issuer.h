/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuers that an engine may have leaves signed by: every certified key whose purpose allows it and that was not
 * removed, with what the leaf policy needs to know and the backend that holds the key.
 *
 * An issuer and a set of them are immutable and reference-counted. A change of the issuers is a new set
 * (issuer_set_with, issuer_set_without) that shares with the old one what did not change; issuer_publisher.h puts it in
 * the old one's place. Any thread may hold and read a set.
 */
#ifndef MINTGATE_HSM_ISSUER_H
#define MINTGATE_HSM_ISSUER_H

#include <stdatomic.h>

#include "hsm/backends.h"
#include "hsm/leaf_policy.h"

struct issuer {
    struct wire_key_id key_id;
    struct leaf_issuer facts; /* borrows from |chain| */
    struct backend_key *key;  /* owned */
    size_t line;              /* below WIRE_SIGNER_MAX_ISSUERS; no other issuer of a set has the same */
    struct mg_slice chain[WIRE_SIGNER_MAX_CHAIN]; /* as in struct keystore_key, but borrows from |bytes| */
    size_t num_chain;
    uint8_t *bytes; /* owned */
    _Atomic unsigned num_references;
};

struct issuer_set {
    struct issuer *issuers[WIRE_SIGNER_MAX_ISSUERS]; /* a reference each */
    size_t num_issuers;
    struct mg_buffer packet; /* the ISSUERS packet that says all this to an engine */
    _Atomic unsigned num_references;
};

/* issuer_new prepares |key| for signing in one of |backends|, which outlive it, with |certificates| (DER,
 * copied) as its chain; what |key| has for a chain does not matter. MG_DENIED if the purpose of |key| forbids it;
 * MG_INVALID if the first certificate does not suit (leaf_policy.h). The caller has the only reference. */
MG_MUST_USE enum mg_status issuer_new(struct issuer **out, const struct keystore_key *key,
                                      const struct mg_slice *certificates, size_t num_certificates,
                                      const struct backends *backends, struct mg_error *error);
/* issuer_free drops a reference. */
void issuer_free(struct issuer *issuer);

/* issuer_has_chain tells whether these are the certificates of |issuer|. */
bool issuer_has_chain(const struct issuer *issuer, const struct mg_slice *certificates, size_t num_certificates);

/* issuer_set_new makes the set of all issuers in |store|. One whose key is on a token that is not configured is left
 * out, and logged: the others must not be lost with it. MG_LIMIT if there are more than an engine takes. */
MG_MUST_USE enum mg_status issuer_set_new(struct issuer_set **out, const struct keystore *store,
                                          const struct backends *backends, struct mg_error *error);

/* issuer_set_with makes a set of what is in |set| and |issuer|, which is in no set yet and takes the place of the one
 * with its key id; it takes a reference to it. MG_LIMIT if the set, or its packet to the engine, is full.
 * issuer_set_without makes one that lacks |key_id|, which |set| may lack too. */
MG_MUST_USE enum mg_status issuer_set_with(struct issuer_set **out, const struct issuer_set *set, struct issuer *issuer,
                                           struct mg_error *error);
MG_MUST_USE enum mg_status issuer_set_without(struct issuer_set **out, const struct issuer_set *set,
                                              const struct wire_key_id *key_id, struct mg_error *error);

/* issuer_set_up_ref takes a reference and returns |set|; issuer_set_free drops one. */
struct issuer_set *issuer_set_up_ref(struct issuer_set *set);
void issuer_set_free(struct issuer_set *set);

/* issuer_set_find0 returns the issuer with |key_id|, NULL if there is none: also for a key of another purpose. */
const struct issuer *issuer_set_find0(const struct issuer_set *set, const struct wire_key_id *key_id);

/* issuer_set_has tells whether |issuer| itself, not just one of its key, is in |set|. */
bool issuer_set_has(const struct issuer_set *set, const struct issuer *issuer);

#endif
