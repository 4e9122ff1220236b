/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Minting ahead: before another issuer becomes the default, the leaves that are in the cache now are minted under it
 * too, those used lately first. Few are under way at one time, over a connection to the signer of its own, so that
 * sessions that wait for a leaf are not held up. What is not made in time is minted when it is asked for.
 *
 * One thread, registered and online with RCU, not a worker.
 */
#ifndef MINTGATE_DATAPLANE_PUBLISH_PREMINT_H
#define MINTGATE_DATAPLANE_PUBLISH_PREMINT_H

#include "cache/cache.h"
#include "config/config.h"
#include "minting/mint_client.h"

#define PREMINT_IN_FLIGHT 64

struct premint;

struct premint_options {
    struct cache *leaves;
    const struct config_cache *config;
    struct mint_client *minter; /* the calling thread's; outlives what is under way */
    uint64_t from;              /* generation whose leaves are looked at */
    struct issuer *to;          /* one reference is taken */
    size_t max;                 /* leaves at the most */
};

/* premint_new collects what is to be minted; nothing is minted yet. MG_MEMORY. */
MG_MUST_USE enum mg_status premint_new(struct premint **out, const struct premint_options *options);

/* premint_free ends it. What is under way goes on and is published. */
void premint_free(struct premint *premint);

/* premint_step submits as much as may be under way, and tells whether everything is done. Call it whenever the mint
 * client was processed. |now| in seconds since 1970. */
bool premint_step(struct premint *premint, int64_t now, uint64_t now_ns);

/* premint_progress tells how many of how many are done, whatever came of them. */
void premint_progress(const struct premint *premint, size_t *num_done, size_t *num_all);

#endif
