/* SPDX-License-Identifier: Apache-2.0 */
#include "control/service/expiry.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/service/publication.h"
#include "control/succession.h"

#define US_PER_SECOND 1000000

struct expiry {
    struct service *service;
    const struct lifecycle *lifecycle;
    _Atomic enum config_issuer_expiry on_expiry; /* main: wo, thread: ro */
    struct expiry_watched watched;               /* thread: rw, as |retry_at| */
    int64_t retry_at;                            /* seconds since 1970 */
    pthread_mutex_t lock;                        /* of |stopping| */
    pthread_cond_t stop;
    bool stopping;
    pthread_t thread;
};

/* ---- warnings ---- */

static bool is_in_use(const struct intermediate *record)
{
    return record->state == INTERMEDIATE_CERT_READY && (record->is_default || record->status == INTERMEDIATE_ENABLED);
}

/* countdown_of returns that of |id|; the place of one that is gone is taken. NULL: too many. */
static struct mg_countdown *countdown_of(struct expiry_watched *watched, const struct intermediate_list *list,
                                         int64_t id)
{
    struct expiry_countdown *free_place = NULL;
    for (size_t i = 0; i < MG_ARRAY_LEN(watched->places); i++) {
        struct expiry_countdown *place = &watched->places[i];
        if (place->id == id) {
            return &place->countdown;
        }
        if (place->id == 0 || succession_get0(list, place->id) == NULL) {
            free_place = place;
        }
    }
    if (free_place == NULL) {
        return NULL;
    }
    *free_place = (struct expiry_countdown){.id = id};
    return &free_place->countdown;
}

static void say_expired(const struct intermediate *record, const struct intermediate *successor,
                        enum config_issuer_expiry on_expiry)
{
    if (successor != NULL && on_expiry == CONFIG_EXPIRY_SUCCESSOR) {
        mg_log_warning("intermediate %lld, %s, has expired; its successor is %lld, %s", (long long)record->id,
                       record->name, (long long)successor->id, successor->name);
    } else {
        mg_log_error("ALARM issuer_expired: intermediate %lld, %s, has expired, and nobody signs in its place: what "
                     "it would sign for is %s",
                     (long long)record->id, record->name, on_expiry == CONFIG_EXPIRY_BLOCK ? "blocked" : "bypassed");
    }
}

static void say(const struct intermediate *record, const struct intermediate *successor,
                enum config_issuer_expiry on_expiry, int64_t now)
{
    if (now > record->not_after) {
        say_expired(record, successor, on_expiry);
    } else {
        mg_log_warning("intermediate %lld, %s%s, expires in %lld days; %s%s", (long long)record->id, record->name,
                       record->is_default ? ", the default" : "", (long long)mg_countdown_days(record->not_after, now),
                       successor == NULL ? "it has no successor" : "its successor is ",
                       successor == NULL ? "" : successor->name);
    }
}

unsigned expiry_warn(struct expiry_watched *watched, const struct intermediate_list *list,
                     enum config_issuer_expiry on_expiry, int64_t now)
{
    unsigned num_lines = 0;
    for (size_t i = 0; i < list->num_items; i++) {
        const struct intermediate *record = &list->items[i];
        struct mg_countdown *countdown = is_in_use(record) ? countdown_of(watched, list, record->id) : NULL;
        if (countdown != NULL && mg_countdown_warns(countdown, record->not_after, now)) {
            say(record, succession_find(list, record, now), on_expiry, now);
            num_lines++;
        }
    }
    return num_lines;
}

/* ---- the successor ---- */

/* why_it_goes says so of a default that is succeeded, for the log. */
static const char *why_it_goes(const struct intermediate *old, int64_t now)
{
    if (old->is_revoked) {
        return "is revoked";
    }
    return now > old->not_after ? "has expired" : "expires soon";
}

static void make_default(struct expiry *expiry, const struct intermediate *old, const struct intermediate *successor,
                         int64_t now)
{
    struct lifecycle_call call = {
        .lifecycle = expiry->lifecycle,
        .actor = {.name = "mintgate-control", .role = CONTROL_ADMIN, .source = "internal"},
        .now_us = now * US_PER_SECOND,
    };
    struct mg_error error;
    bool force = old->is_revoked || now > old->not_after;
    enum mg_status status = service_make_default(expiry->service, &call, successor->id, force, NULL, &error);
    if (status == MG_OK || status == MG_AGAIN) {
        mg_log_warning("the default, %lld, %s, %s: its successor %lld, %s, is the default now", (long long)old->id,
                       old->name, why_it_goes(old, now), (long long)successor->id, successor->name);
    } else {
        mg_log_error("the default, %lld, %s, %s, and its successor %lld, %s, cannot be made the default yet: %s",
                     (long long)old->id, old->name, why_it_goes(old, now), (long long)successor->id, successor->name,
                     error.text);
        expiry->retry_at = now + EXPIRY_RETRY_SECONDS;
    }
}

static const struct intermediate *default_of(const struct intermediate_list *list)
{
    for (size_t i = 0; i < list->num_items; i++) {
        if (list->items[i].is_default) {
            return &list->items[i];
        }
    }
    return NULL;
}

static void succeed(struct expiry *expiry, const struct intermediate_list *list, enum config_issuer_expiry on_expiry,
                    int64_t now)
{
    const struct intermediate *old = default_of(list);
    if (old == NULL || now < expiry->retry_at) {
        return;
    }
    if (!old->is_revoked && (on_expiry != CONFIG_EXPIRY_SUCCESSOR || !succession_is_due(old, now))) {
        return;
    }
    const struct intermediate *successor = succession_find(list, old, now);
    if (successor != NULL) {
        make_default(expiry, old, successor, now);
    }
}

static void look(struct expiry *expiry, int64_t now)
{
    struct intermediate_list list = {.num_items = 0};
    struct mg_error error;
    enum config_issuer_expiry on_expiry = atomic_load_explicit(&expiry->on_expiry, memory_order_relaxed);
    if (publication_load_all(expiry->lifecycle->store, &list, &error) == MG_OK) {
        succeed(expiry, &list, on_expiry, now);
        (void)expiry_warn(&expiry->watched, &list, on_expiry, now);
    } else {
        mg_log_error("the expiry of intermediates cannot be watched: %s", error.text);
    }
    intermediate_list_free(&list);
}

/* ---- the thread ---- */

/* wait_a_second returns false when it is time to stop. */
static bool wait_a_second(struct expiry *expiry)
{
    uint64_t until_ns = mg_clock_monotonic_ns() + MG_NS_PER_SECOND;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / MG_NS_PER_SECOND),
                                   .tv_nsec = (long)(until_ns % MG_NS_PER_SECOND)};
    pthread_mutex_lock(&expiry->lock);
    while (!expiry->stopping && pthread_cond_timedwait(&expiry->stop, &expiry->lock, &until) != ETIMEDOUT) {
    }
    bool goes_on = !expiry->stopping;
    pthread_mutex_unlock(&expiry->lock);
    return goes_on;
}

static void *expiry_main(void *arg)
{
    struct expiry *expiry = arg;
    pthread_setname_np(pthread_self(), "expiry");
    do {
        look(expiry, mg_clock_wall_seconds());
    } while (wait_a_second(expiry));
    return NULL;
}

enum mg_status expiry_start(struct expiry **out, struct service *service, const struct lifecycle *lifecycle,
                            enum config_issuer_expiry on_expiry, struct mg_error *error)
{
    struct expiry *expiry = calloc(1, sizeof(*expiry));
    if (expiry == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&expiry->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&expiry->lock, NULL);
    expiry->service = service;
    expiry->lifecycle = lifecycle;
    atomic_init(&expiry->on_expiry, on_expiry);
    if (pthread_create(&expiry->thread, NULL, expiry_main, expiry) != 0) {
        pthread_cond_destroy(&expiry->stop);
        pthread_mutex_destroy(&expiry->lock);
        free(expiry);
        return mg_error_set(error, MG_INTERNAL, "cannot start a thread");
    }
    *out = expiry;
    return MG_OK;
}

void expiry_stop(struct expiry *expiry)
{
    if (expiry == NULL) {
        return;
    }
    pthread_mutex_lock(&expiry->lock);
    expiry->stopping = true;
    pthread_cond_signal(&expiry->stop);
    pthread_mutex_unlock(&expiry->lock);
    pthread_join(expiry->thread, NULL);
    pthread_cond_destroy(&expiry->stop);
    pthread_mutex_destroy(&expiry->lock);
    free(expiry);
}

void expiry_set(struct expiry *expiry, enum config_issuer_expiry on_expiry)
{
    atomic_store_explicit(&expiry->on_expiry, on_expiry, memory_order_relaxed);
}
