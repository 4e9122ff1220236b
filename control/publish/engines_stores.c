/* SPDX-License-Identifier: Apache-2.0 */
/* What engines are fed of stores. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "control/publish/engines_internal.h"

void engines_forget_feed(struct engine *engine)
{
    if (engine->feed != NULL) {
        store_feed_clear(engine->feed);
        free(engine->feed);
        engine->feed = NULL;
    }
}

/* ---- what an engine says ---- */

static bool said_wants(struct engine *engine, const struct wire_publish *message)
{
    if (engine->state == ENGINE_GREETING || engine->version < WIRE_PUBLISH_VERSION_OF_STORES) {
        return false;
    }
    if (engine->feed == NULL && (engine->feed = calloc(1, sizeof(*engine->feed))) == NULL) {
        return false; /* it will dial again */
    }
    store_feed_want(engine->feed, &message->store.wants);
    return true;
}

static bool has_taken(struct engines *engines, struct engine *engine, const struct wire_publish *message)
{
    const struct wire_store_taken *taken = &message->store.taken;
    struct mg_slice next;
    if (engine->feed == NULL || !store_feed_taken(engine->feed, message, &next)) {
        return false;
    }
    if (taken->reason.len > 0) {
        mg_log_error("engine %d cannot use store %.*s: %.*s", (int)engine->pid, (int)taken->id.name.len,
                     (const char *)taken->id.name.data, (int)taken->reason.len, (const char *)taken->reason.data);
    }
    if (next.len > 0) {
        (void)engines_send_packet(engines, engine, next);
    }
    return true;
}

bool engines_handle_of_stores(struct engines *engines, struct engine *engine, const struct wire_publish *message)
{
    return message->type == WIRE_PUBLISH_WANT ? said_wants(engine, message) : has_taken(engines, engine, message);
}

/* ---- what it is told ---- */

/* What is looked at without the lock: what an engine wants. */
struct look {
    uint64_t serial;
    struct store_source source;
    size_t num_wants;
    struct store_want wants[WIRE_STORE_MAX_WANTS];
};

/* begin_look tells whether |engine| may be offered something. */
static bool begin_look(struct engines *engines, const struct engine *engine, struct look *out)
{
    pthread_mutex_lock(&engines->lock);
    bool may = engine->state != ENGINE_FREE && engine->feed != NULL && store_feed_is_idle(engine->feed) &&
               engines->source.load != NULL;
    if (may) {
        out->serial = engine->serial;
        out->source = engines->source;
        out->num_wants = engine->feed->num_wants;
        memcpy(out->wants, engine->feed->wants, sizeof(out->wants));
    }
    pthread_mutex_unlock(&engines->lock);
    return may;
}

/* offer sends the first of |parts|, unless the engine has gone meanwhile. */
static void offer(struct engines *engines, struct engine *engine, uint64_t serial, const struct store_want *want,
                  struct store_parts *parts)
{
    pthread_mutex_lock(&engines->lock);
    if (engine->state != ENGINE_FREE && engine->serial == serial) {
        (void)engines_send_packet(engines, engine, store_feed_offer(engine->feed, want, parts));
    }
    pthread_mutex_unlock(&engines->lock);
}

/* feed_engine offers |engine| the first store that is not what it was offered last. The database is read with nothing
 * locked; only this thread receives, so that the feed stays idle meanwhile. */
static void feed_engine(struct engines *engines, struct engine *engine)
{
    struct look look;
    struct mg_error error;
    if (!begin_look(engines, engine, &look)) {
        return;
    }
    for (size_t i = 0; i < look.num_wants; i++) {
        const struct store_want *want = &look.wants[i];
        struct store_parts parts = {.num_parts = 0};
        uint64_t epoch;
        enum mg_status status = look.source.epoch(look.source.arg, want->name, &epoch, &error);
        if (status == MG_OK && epoch == want->offered) {
            continue;
        }
        if (status == MG_OK) {
            status = look.source.load(look.source.arg, want->kind, want->name, &parts, &error);
        }
        if (status == MG_OK) {
            offer(engines, engine, look.serial, want, &parts);
            store_parts_free(&parts);
            return;
        }
        mg_log_error("store %s cannot be read for engines: %s", want->name, error.text);
    }
}

void engines_feed_all(struct engines *engines)
{
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        feed_engine(engines, &engines->engines[i]);
    }
}

bool engines_are_feeding(const struct engines *engines)
{
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        if (engines->engines[i].feed != NULL && engines->engines[i].feed->num_wants > 0) {
            return true;
        }
    }
    return false;
}

/* ---- where stores come from ---- */

void engines_set_stores(struct engines *engines, const struct store_source *source)
{
    pthread_mutex_lock(&engines->lock);
    engines->source = *source;
    pthread_mutex_unlock(&engines->lock);
    engines_stores_changed(engines);
}

void engines_stores_changed(struct engines *engines)
{
    (void)eventfd_write(engines->wake_fd, 1);
}
