/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one engine is fed of stores: which it wants, which epoch of each it was offered, and the one that is under way,
 * part by part.
 *
 *              store_feed_offer             the last part is answered, or refused
 *     idle ───────────────────────► sending ───────────────────────────────────────► idle
 *                                    │   ▲ the next part
 *                                    └───┘ STORE_TAKEN of the one before
 *
 * No I/O: who has the engine's socket sends what it is told. Under that one's lock.
 */
#ifndef MINTGATE_CONTROL_PUBLISH_STORE_FEED_H
#define MINTGATE_CONTROL_PUBLISH_STORE_FEED_H

#include "control/publish/store_parts.h"

#define STORE_FEED_NEVER UINT64_MAX /* an epoch that no store has */

struct store_want {
    enum wire_store_kind kind;
    char name[WIRE_STORE_MAX_NAME + 1];
    uint64_t offered; /* the epoch that the engine was offered last */
};

/* Zero state: nothing is wanted. */
struct store_feed {
    struct store_want wants[WIRE_STORE_MAX_WANTS];
    size_t num_wants;
    struct store_parts parts; /* under way; none: idle */
    size_t num_sent;          /* of them */
    struct wire_store_id id;  /* whose they are; its name is the next */
    char name[WIRE_STORE_MAX_NAME + 1];
};

/* store_feed_want takes over what the engine wants now; what it was offered before is remembered. */
void store_feed_want(struct store_feed *feed, const struct wire_store_wants *wants);

bool store_feed_is_idle(const struct store_feed *feed);

/* store_feed_offer takes over |parts|, what |want| holds now, and returns the first packet to send. The feed is idle.
 */
struct mg_slice store_feed_offer(struct store_feed *feed, const struct store_want *want, struct store_parts *parts);

/* store_feed_taken takes the engine's answer, and returns in *next the next packet to send, empty where there is none.
 * False: the answer is out of turn. */
MG_MUST_USE bool store_feed_taken(struct store_feed *feed, const struct wire_publish *answer, struct mg_slice *next);

/* store_feed_clear forgets all. */
void store_feed_clear(struct store_feed *feed);

#endif
