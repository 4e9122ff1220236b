/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/leaf_order.h"

#include <stdlib.h>

#include "base/log.h"

/* A leaf is not used in its last seconds: the client's clock may be ahead. */
#define LAST_SECONDS 30

struct under_way {
    struct cache_pending *pending;
    const struct config_cache *config;
    void (*done)(void *arg);
    void *done_arg;
};

/* usable_until returns when a leaf is to leave the cache. One that mimics an expired certificate has no end to spare.
 */
static int64_t usable_until(const struct leaf *leaf, int64_t now, int64_t lifetime_seconds)
{
    int64_t end = now + lifetime_seconds;
    if (leaf->not_after <= now) {
        return end;
    }
    int64_t last = leaf->not_after - LAST_SECONDS;
    if (last <= now) {
        last = leaf->not_after;
    }
    return end < last ? end : last;
}

static bool is_wanted(void *arg)
{
    const struct under_way *order = arg;
    return cache_pending_is_wanted(order->pending);
}

static void finish(void *arg, const struct mint_outcome *outcome)
{
    struct under_way *order = arg;
    int64_t now = mg_clock_wall_seconds();
    if (outcome->result == MINT_OK) {
        cache_publish(order->pending, &outcome->leaf->value, leaf_memory(outcome->leaf),
                      usable_until(outcome->leaf, now, (int64_t)order->config->lifetime_seconds));
    } else {
        if (outcome->result == MINT_REFUSED) {
            mg_log_warning("the signer refused a leaf: %s", wire_sign_status_name(outcome->refusal));
        }
        bool is_remembered = outcome->result != MINT_CANCELLED && order->config->negative_seconds > 0;
        int64_t retry_after = is_remembered ? now + (int64_t)order->config->negative_seconds : 0;
        cache_fail(order->pending, retry_after);
    }
    if (order->done != NULL) {
        order->done(order->done_arg);
    }
    free(order);
}

enum mg_status leaf_order_submit(struct mint_client *minter, const struct leaf_order *order,
                                 struct cache_pending *pending, uint64_t now_ns, struct mg_error *error)
{
    struct under_way *under_way = malloc(sizeof(*under_way));
    if (under_way == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    *under_way = (struct under_way){
        .pending = pending,
        .config = order->config,
        .done = order->done,
        .done_arg = order->done_arg,
    };
    const struct mint_job job = {
        .issuer = order->issuer,
        .names = order->names,
        .key_type = order->key_type,
        .now = order->now,
        .done = finish,
        .is_wanted = order->ends_unwanted ? is_wanted : NULL,
        .arg = under_way,
    };
    enum mg_status status = mint_client_submit(minter, &job, now_ns, error);
    if (status != MG_OK) {
        free(under_way);
    }
    return status;
}
