/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Minted leaves. A leaf is made in two steps, around the signer's signature: leaf_tbs_build assembles the
 * TBSCertificate (RFC 5280 section 4.1) from parts that were encoded ahead, leaf_new_from_signature wraps it into the
 * certificate. What is in a leaf is the server's, what can hurt is ours: key, serial, bounds of validity, signature
 * algorithm, constraints and usages never come from the server.
 */
#ifndef MINTGATE_MINTING_LEAF_H
#define MINTGATE_MINTING_LEAF_H

#include "cache/cache.h"
#include "minting/issuer.h"
#include "minting/leaf_keys.h"
#include "minting/leaf_names.h"

#define LEAF_SERIAL_LEN 16
#define LEAF_TBS_MAX_LEN WIRE_SIGNER_MAX_TBS

/* struct leaf_params is what a leaf is made from. All is borrowed. */
struct leaf_params {
    const struct issuer *issuer;
    const struct leaf_names *names; /* and the mimic in it */
    const struct leaf_key *key;
    int64_t now;                            /* seconds since 1970 */
    int64_t max_validity_seconds;           /* at least 1; clients' own limits apply besides (minting/validity.h) */
    uint8_t random_serial[LEAF_SERIAL_LEN]; /* of a cryptographic generator */
};

/* struct leaf_tbs is an assembled TBSCertificate. |der| borrows from the storage it was built in. */
struct leaf_tbs {
    struct mg_slice der;
    struct mimic *mimic; /* what it mimics; borrowed */
    int64_t not_before;
    int64_t not_after;
    uint8_t serial[LEAF_SERIAL_LEN]; /* positive, 126 random bits, no leading zero (RFC 5280 section 4.1.2.2) */
};

/*
 * leaf_tbs_build writes the TBSCertificate of |params| into |storage|; LEAF_TBS_MAX_LEN bytes suffice for any that a
 * signer takes. Pure: any thread. About 0.3 µs for a few names.
 *
 * MG_DENIED: the issuer is forward-trust, and the server's certificate or the issuer's is not valid now.
 * MG_INVALID: no name is left (RFC 5280 section 4.2.1.6), or |key| is the issuer's own. MG_LIMIT: |storage| is too
 * small.
 */
MG_MUST_USE enum mg_status leaf_tbs_build(struct leaf_tbs *out, void *storage, size_t storage_len,
                                          const struct leaf_params *params, struct mg_error *error);

/* struct leaf is immutable once made: any thread that holds a reference (cache_value_up_ref, cache_value_unref on
 * |value|) or borrows it from the cache may read it. */
struct leaf {
    struct cache_value value;
    CRYPTO_BUFFER *certificate;
    struct issuer *issuer; /* one reference; its chain goes behind |certificate| */
    struct leaf_key *key;  /* one reference */
    struct mimic *mimic;   /* one reference: what it was made from, and would be made from under another issuer */
    int64_t not_before;
    int64_t not_after;
    uint8_t serial[LEAF_SERIAL_LEN];
};

/*
 * leaf_new_from_signature makes the certificate of |tbs| and the issuer's |signature| over it (the content of
 * signatureValue), which is not checked here: see issuer_signed. Takes references to |issuer| and |key|, the ones that
 * |tbs| was built with, and to its mimic. The caller owns one reference, to be given to cache_publish or back by
 * cache_value_unref. MG_MEMORY. Any thread.
 */
MG_MUST_USE enum mg_status leaf_new_from_signature(struct leaf **out, const struct leaf_tbs *tbs, struct issuer *issuer,
                                                   struct leaf_key *key, struct mg_slice signature);

/* leaf_of_value returns the leaf that |value| begins. */
static inline struct leaf *leaf_of_value(struct cache_value *value)
{
    return MG_CONTAINER_OF(value, struct leaf, value);
}

/* leaf_free_value is the free_value of a cache of leaves. */
void leaf_free_value(struct cache_value *value);

/* leaf_memory returns how many bytes of memory |leaf| holds, with its mimic, which others may hold too, but not issuer
 * and key, which they do: what cache_publish
 * wants to know. */
size_t leaf_memory(const struct leaf *leaf);

#endif
