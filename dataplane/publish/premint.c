/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/publish/premint.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/session/leaf_order.h"
#include "minting/mint_key.h"

/* A leaf to be minted again: what it mimics, and its key in the cache, which says the rest. */
struct item {
    struct item *next;
    struct mimic *mimic; /* one reference */
    size_t key_len;
    uint8_t key[];
};

struct premint {
    struct premint_options options;
    struct item *first, **end; /* not yet submitted */
    size_t num_all;
    size_t num_done;
    size_t num_in_flight; /* orders that point here */
    bool freed;           /* by its owner: the last order frees it */
};

/* ---- collecting ---- */

struct collecting {
    struct premint *premint;
    bool recently_used; /* which ones are wanted */
    bool failed;
};

static bool collect(struct mg_slice key, struct cache_value *value, bool recently_used, void *arg)
{
    struct collecting *collecting = arg;
    struct premint *premint = collecting->premint;
    if (recently_used != collecting->recently_used || mint_key_generation(key) != premint->options.from) {
        return true;
    }
    struct item *item = premint->num_all == premint->options.max ? NULL : malloc(sizeof(*item) + key.len);
    if (item == NULL) {
        collecting->failed = premint->num_all < premint->options.max;
        return false;
    }
    item->next = NULL;
    item->mimic = mimic_up_ref(leaf_of_value(value)->mimic);
    item->key_len = key.len;
    memcpy(item->key, key.data, key.len);
    *premint->end = item;
    premint->end = &item->next;
    premint->num_all++;
    return true;
}

enum mg_status premint_new(struct premint **out, const struct premint_options *options)
{
    struct premint *premint = calloc(1, sizeof(*premint));
    if (premint == NULL) {
        return MG_MEMORY;
    }
    premint->options = *options;
    premint->end = &premint->first;
    (void)issuer_up_ref(options->to);
    struct collecting collecting = {.premint = premint, .recently_used = true};
    cache_for_each(options->leaves, collect, &collecting);
    collecting.recently_used = false;
    cache_for_each(options->leaves, collect, &collecting);
    if (collecting.failed) {
        premint_free(premint);
        return MG_MEMORY;
    }
    *out = premint;
    return MG_OK;
}

static struct item *take(struct premint *premint)
{
    struct item *item = premint->first;
    premint->first = item->next;
    if (premint->first == NULL) {
        premint->end = &premint->first;
    }
    return item;
}

static void free_item(struct item *item)
{
    mimic_unref(item->mimic);
    free(item);
}

static void free_if_unused(struct premint *premint)
{
    if (premint->freed && premint->num_in_flight == 0) {
        issuer_unref(premint->options.to);
        free(premint);
    }
}

void premint_free(struct premint *premint)
{
    if (premint == NULL) {
        return;
    }
    while (premint->first != NULL) {
        free_item(take(premint));
    }
    premint->freed = true;
    free_if_unused(premint);
}

/* ---- minting ---- */

static void order_done(void *arg)
{
    struct premint *premint = arg;
    premint->num_in_flight--;
    premint->num_done++;
    free_if_unused(premint);
}

/* order has the leaf minted. False: there is nothing to do, or it cannot be done. */
static bool order(struct premint *premint, const struct leaf_names *names, enum leaf_key_type key_type,
                  struct cache_pending *pending, int64_t now, uint64_t now_ns)
{
    const struct leaf_order leaf = {
        .issuer = premint->options.to,
        .names = names,
        .key_type = key_type,
        .now = now,
        .config = premint->options.config,
        .done = order_done,
        .done_arg = premint,
    };
    struct mg_error error;
    if (leaf_order_submit(premint->options.minter, &leaf, pending, now_ns, &error) != MG_OK) {
        cache_fail(pending, 0);
        return false;
    }
    premint->num_in_flight++;
    return true;
}

/* submit claims the place of |item|'s leaf under the other issuer. False as order. */
static bool submit(struct premint *premint, const struct item *item, int64_t now, uint64_t now_ns)
{
    struct leaf_names names;
    struct mint_key key;
    struct cache_value *value;
    struct cache_pending *pending;
    enum leaf_key_type key_type;
    if (!mint_key_parse(&names, &key_type, mg_slice_of(item->key, item->key_len), item->mimic)) {
        return false;
    }
    mint_key_build(&key, premint->options.to, key_type, &names);
    return cache_claim(premint->options.leaves, mint_key_slice(&key), now, NULL, &value, &pending) ==
               CACHE_CLAIM_ELECTED &&
           order(premint, &names, key_type, pending, now, now_ns);
}

bool premint_step(struct premint *premint, int64_t now, uint64_t now_ns)
{
    while (premint->first != NULL && premint->num_in_flight < PREMINT_IN_FLIGHT) {
        struct item *item = take(premint);
        if (!submit(premint, item, now, now_ns)) {
            premint->num_done++;
        }
        free_item(item);
    }
    mint_client_flush(premint->options.minter, now_ns);
    return premint->num_done == premint->num_all;
}

void premint_progress(const struct premint *premint, size_t *num_done, size_t *num_all)
{
    *num_done = premint->num_done;
    *num_all = premint->num_all;
}
