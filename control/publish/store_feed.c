/* SPDX-License-Identifier: Apache-2.0 */
#include "control/publish/store_feed.h"

#include <string.h>

/* find returns the want of |id|, or NULL. */
static struct store_want *find(struct store_feed *feed, enum wire_store_kind kind, struct mg_slice name)
{
    for (size_t i = 0; i < feed->num_wants; i++) {
        struct store_want *want = &feed->wants[i];
        if (want->kind == kind && mg_slice_equal(mg_slice_of_text(want->name), name)) {
            return want;
        }
    }
    return NULL;
}

void store_feed_want(struct store_feed *feed, const struct wire_store_wants *wants)
{
    struct store_want next[WIRE_STORE_MAX_WANTS];
    for (size_t i = 0; i < wants->num_ids; i++) {
        const struct wire_store_id *id = &wants->ids[i];
        const struct store_want *before = find(feed, id->kind, id->name);
        next[i] = (struct store_want){.kind = id->kind, .offered = before == NULL ? STORE_FEED_NEVER : before->offered};
        memcpy(next[i].name, id->name.data, id->name.len);
    }
    memcpy(feed->wants, next, wants->num_ids * sizeof(next[0]));
    feed->num_wants = wants->num_ids;
}

bool store_feed_is_idle(const struct store_feed *feed)
{
    return feed->parts.num_parts == 0;
}

static struct mg_slice next_part(struct store_feed *feed)
{
    return mg_buffer_slice(&feed->parts.parts[feed->num_sent++].packet);
}

struct mg_slice store_feed_offer(struct store_feed *feed, const struct store_want *want, struct store_parts *parts)
{
    struct store_want *own = find(feed, want->kind, mg_slice_of_text(want->name));
    if (own != NULL) {
        own->offered = parts->epoch;
    }
    feed->parts = *parts;
    *parts = (struct store_parts){.num_parts = 0};
    feed->num_sent = 0;
    memcpy(feed->name, want->name, sizeof(feed->name));
    feed->id = (struct wire_store_id){.kind = want->kind, .name = mg_slice_of_text(feed->name)};
    return next_part(feed);
}

/* answers tells whether |answer| is about the part that was sent last. */
static bool answers(const struct store_feed *feed, const struct wire_publish *answer)
{
    const struct wire_store_taken *taken = &answer->store.taken;
    return !store_feed_is_idle(feed) && taken->id.kind == feed->id.kind &&
           mg_slice_equal(taken->id.name, feed->id.name) && answer->epoch == feed->parts.epoch &&
           (taken->reason.len > 0 || taken->num_taken == feed->parts.parts[feed->num_sent - 1].num_sent);
}

bool store_feed_taken(struct store_feed *feed, const struct wire_publish *answer, struct mg_slice *next)
{
    *next = mg_slice_of(NULL, 0);
    if (!answers(feed, answer)) {
        return false;
    }
    if (answer->store.taken.reason.len > 0 || feed->num_sent == feed->parts.num_parts) {
        store_parts_free(&feed->parts);
    } else {
        *next = next_part(feed);
    }
    return true;
}

void store_feed_clear(struct store_feed *feed)
{
    store_parts_free(&feed->parts);
    *feed = (struct store_feed){.num_wants = 0};
}
