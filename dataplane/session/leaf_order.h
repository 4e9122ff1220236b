/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Having a leaf minted for a pending entry of the cache: from the election to its end, whatever becomes of who asked.
 */
#ifndef MINTGATE_DATAPLANE_SESSION_LEAF_ORDER_H
#define MINTGATE_DATAPLANE_SESSION_LEAF_ORDER_H

#include "cache/cache.h"
#include "config/config.h"
#include "minting/mint_client.h"

/* struct leaf_order is what to mint. All but |config| is borrowed for the call. */
struct leaf_order {
    struct issuer *issuer;
    const struct leaf_names *names;
    enum leaf_key_type key_type;
    int64_t now;                       /* seconds since 1970 */
    bool ends_unwanted;                /* once nobody waits for the entry any more */
    const struct config_cache *config; /* lives on: how long leaves and failures are kept */
    void (*done)(void *arg);           /* after the entry was published or failed; may be NULL */
    void *done_arg;
};

/*
 * leaf_order_submit has |minter|, the calling thread's, mint a leaf, and publishes it as |pending| or fails that. On an
 * error, as of mint_client_submit, |pending| is still the caller's, and |done| is not called.
 */
MG_MUST_USE enum mg_status leaf_order_submit(struct mint_client *minter, const struct leaf_order *order,
                                             struct cache_pending *pending, uint64_t now_ns, struct mg_error *error);

#endif
