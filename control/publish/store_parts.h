/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store cut into the packets by which it travels to engines (wire/publish_store.h), and where stores come from.
 */
#ifndef MINTGATE_CONTROL_PUBLISH_STORE_PARTS_H
#define MINTGATE_CONTROL_PUBLISH_STORE_PARTS_H

#include "base/buffer.h"
#include "base/status.h"
#include "wire/publish.h"

struct store_part {
    struct mg_buffer packet;
    uint16_t num_sent; /* items of the store that are there with it */
};

/* Zero state: nothing. */
struct store_parts {
    uint64_t epoch;
    struct store_part *parts; /* owned */
    size_t num_parts;
};

/* What a store holds; all borrowed. */
struct store_contents {
    struct wire_store_id id;
    uint64_t epoch;
    const char *missing; /* why there is no such store; NULL: there is one */
    const struct wire_store_item *items;
    size_t num_items;
};

/* store_parts_make encodes |contents|; the caller frees it with store_parts_free. An item that no packet can hold is
 * left out and logged: a chain of far more certificates than any server takes. MG_LIMIT: more than
 * WIRE_STORE_MAX_ITEMS; MG_MEMORY. Any thread. */
MG_MUST_USE enum mg_status store_parts_make(struct store_parts *out, const struct store_contents *contents,
                                            struct mg_error *error);
void store_parts_free(struct store_parts *parts);

/* Where stores come from. Both are called by the thread of engines.h, with nothing locked, and return MG_OK also where
 * there is no such store. */
struct store_source {
    /* epoch tells whether to look again: it differs from the one before when load may return something else. 0: there
     * is no store or reference of this name. */
    enum mg_status (*epoch)(void *arg, const char *name, uint64_t *out, struct mg_error *error);
    /* load reads it, and cuts it; for a store that is not there, or of the other kind, parts that say so. */
    enum mg_status (*load)(void *arg, enum wire_store_kind kind, const char *name, struct store_parts *out,
                           struct mg_error *error);
    void *arg;
};

#endif
