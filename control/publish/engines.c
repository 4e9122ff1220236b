/* SPDX-License-Identifier: Apache-2.0 */
#include "control/publish/engines.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/log.h"
#include "base/unix_socket.h"
#include "control/publish/store_feed.h"

/* How often stores are looked at where nobody says that they changed: a restored database. */
#define LOOK_AT_STORES_MS 1000

/* What an engine is doing. */
enum engine_state {
    FREE,
    GREETING,   /* has dialled, and not said hello yet */
    SERVING,    /* what its epoch says */
    PREPARING,  /* was told to */
    READY,      /* has prepared, and waits for the word */
    COMMITTING, /* was given the word */
};

struct engine {
    enum engine_state state;
    int fd;
    pid_t pid;
    uint64_t epoch;     /* that it serves */
    uint64_t preparing; /* that it was told to prepare */
    uint32_t num_done, num_all;
    char trouble[256];
    uint64_t serial;         /* of the connection: no other ever has it */
    uint16_t version;        /* that it speaks */
    struct store_feed *feed; /* owned; NULL: it has not said what it wants */
};

/* How publications ended. */
enum publication_end { COMMITTED, UNCONFIRMED, REFUSED, BUSY, FAILED, NUM_PUBLICATION_ENDS };

static const struct mg_histogram_shape duration_shape = {
    .bounds = {10, 30, 100, 300, 1000, 3000, 10000, 30000}, .unit = 1e-3, /* a value is milliseconds */
};

struct engines {
    char *socket_path;
    int listen_fd;
    int stop_fd;
    int wake_fd; /* an eventfd: stores have changed */
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct engine engines[ENGINES_MAX];
    struct mg_buffer present; /* the PREPARE of what the database holds, without minting ahead; empty: none yet */
    uint64_t present_epoch;
    const struct mg_buffer *next; /* the PREPARE that is under way, or NULL */
    uint64_t next_epoch;
    uint8_t *in;
    uint64_t last_serial;
    struct store_source source; /* its functions are NULL before engines_set_stores */
    struct mg_counter ends[NUM_PUBLICATION_ENDS];
    struct mg_histogram durations; /* of those that were not BUSY */
};

/* ---- to an engine ---- */

static void forget_feed(struct engine *engine)
{
    if (engine->feed != NULL) {
        store_feed_clear(engine->feed);
        free(engine->feed);
        engine->feed = NULL;
    }
}

static void hang_up(struct engines *engines, struct engine *engine)
{
    mg_log_info("engine %d: hung up", (int)engine->pid);
    close(engine->fd);
    forget_feed(engine);
    *engine = (struct engine){.state = FREE, .fd = -1};
    pthread_cond_broadcast(&engines->changed);
}

static bool send_packet(struct engines *engines, struct engine *engine, struct mg_slice packet)
{
    if (send(engine->fd, packet.data, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)packet.len) {
        return true;
    }
    hang_up(engines, engine); /* it does not read: it will be told when it dials again */
    return false;
}

/* tell sends a message that is but its epoch. */
static bool tell(struct engines *engines, struct engine *engine, enum wire_publish_type type, uint64_t epoch)
{
    uint8_t bytes[16];
    struct mg_buffer packet;
    const struct wire_publish message = {.type = type, .epoch = epoch};
    mg_buffer_wrap(&packet, bytes, sizeof(bytes));
    wire_publish_encode(&packet, &message);
    return send_packet(engines, engine, mg_buffer_slice(&packet));
}

static void have_prepare(struct engines *engines, struct engine *engine, const struct mg_buffer *packet, uint64_t epoch)
{
    engine->state = PREPARING;
    engine->preparing = epoch;
    engine->num_done = engine->num_all = 0;
    engine->trouble[0] = '\0';
    (void)send_packet(engines, engine, mg_buffer_slice(packet));
}

/* bring_up has an engine prepare what it is behind with: what is being published, else what is present. */
static void bring_up(struct engines *engines, struct engine *engine)
{
    engine->state = SERVING;
    if (engines->next != NULL) {
        have_prepare(engines, engine, engines->next, engines->next_epoch);
    } else if (engines->present.len > 0 && engine->epoch != engines->present_epoch) {
        have_prepare(engines, engine, &engines->present, engines->present_epoch);
    }
}

/* ---- from an engine ---- */

static bool said_hello(struct engines *engines, struct engine *engine, const struct wire_publish *message)
{
    if (engine->state != GREETING || message->version < WIRE_PUBLISH_OLDEST_VERSION ||
        message->version > WIRE_PUBLISH_VERSION) {
        return false;
    }
    engine->version = message->version;
    engine->epoch = message->epoch;
    mg_log_info("engine %d: connected; it serves publication %llu", (int)engine->pid,
                (unsigned long long)engine->epoch);
    bring_up(engines, engine);
    return true;
}

static bool has_prepared(struct engines *engines, struct engine *engine, const struct wire_publish *message)
{
    if (engine->state != PREPARING) {
        return false;
    }
    if (message->epoch != engine->preparing) {
        return true; /* of one that another has replaced */
    }
    if (!message->ready) {
        engine->state = SERVING;
        snprintf(engine->trouble, sizeof(engine->trouble), "%.*s", (int)message->reason.len,
                 (const char *)message->reason.data);
        mg_log_error("engine %d cannot serve publication %llu: %s", (int)engine->pid,
                     (unsigned long long)message->epoch, engine->trouble);
    } else if (message->epoch == engines->present_epoch && engines->next == NULL) {
        engine->state = COMMITTING; /* it was behind */
        (void)tell(engines, engine, WIRE_PUBLISH_COMMIT, message->epoch);
    } else {
        engine->state = READY;
    }
    return true;
}

static bool has_committed(struct engine *engine, const struct wire_publish *message)
{
    if (engine->state != COMMITTING || message->epoch != engine->preparing) {
        return false;
    }
    engine->state = SERVING;
    engine->epoch = message->epoch;
    return true;
}

static bool made_progress(struct engine *engine, const struct wire_publish *message)
{
    if (engine->state == PREPARING && message->epoch == engine->preparing) {
        engine->num_done = message->num_done;
        engine->num_all = message->num_all;
    }
    return true;
}

/* ---- stores ---- */

static bool said_wants(struct engine *engine, const struct wire_publish *message)
{
    if (engine->state == GREETING || engine->version < WIRE_PUBLISH_VERSION_OF_STORES) {
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
        (void)send_packet(engines, engine, next);
    }
    return true;
}

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
    bool may = engine->state != FREE && engine->feed != NULL && store_feed_is_idle(engine->feed) &&
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
    if (engine->state != FREE && engine->serial == serial) {
        (void)send_packet(engines, engine, store_feed_offer(engine->feed, want, parts));
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

static void feed_all(struct engines *engines)
{
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        feed_engine(engines, &engines->engines[i]);
    }
}

static bool is_feeding(const struct engines *engines)
{
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        if (engines->engines[i].feed != NULL && engines->engines[i].feed->num_wants > 0) {
            return true;
        }
    }
    return false;
}

/* handle returns false for what an engine must not say now. */
static bool handle(struct engines *engines, struct engine *engine, const struct wire_publish *message)
{
    switch (message->type) {
    case WIRE_PUBLISH_HELLO:
        return said_hello(engines, engine, message);
    case WIRE_PUBLISH_PREPARED:
        return has_prepared(engines, engine, message);
    case WIRE_PUBLISH_COMMITTED:
        return has_committed(engine, message);
    case WIRE_PUBLISH_PROGRESS:
        return made_progress(engine, message);
    case WIRE_PUBLISH_WANT:
        return said_wants(engine, message);
    case WIRE_PUBLISH_STORE_TAKEN:
        return has_taken(engines, engine, message);
    case WIRE_PUBLISH_PREPARE:
    case WIRE_PUBLISH_COMMIT:
    case WIRE_PUBLISH_ABORT:
    case WIRE_PUBLISH_STORE:
        break;
    }
    return false;
}

/* receive takes one packet. */
static void receive(struct engines *engines, struct engine *engine)
{
    struct wire_publish message;
    struct mg_error error = {"out of turn"};
    ssize_t len = recv(engine->fd, engines->in, WIRE_PUBLISH_MAX_PACKET, MSG_DONTWAIT | MSG_TRUNC);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) {
        hang_up(engines, engine);
        return;
    }
    bool good = len <= WIRE_PUBLISH_MAX_PACKET &&
                wire_publish_decode(&message, mg_slice_of(engines->in, (size_t)len), &error) == MG_OK &&
                handle(engines, engine, &message);
    if (!good && engine->state != FREE) {
        mg_log_error("engine %d: a message that is not to be understood: %s", (int)engine->pid, error.text);
        hang_up(engines, engine);
    }
    pthread_cond_broadcast(&engines->changed);
}

/* ---- the thread ---- */

#define NUM_OWN_FDS 3 /* before those of engines */

static void accept_engine(struct engines *engines)
{
    int fd;
    pid_t pid;
    if (mg_unix_accept(engines->listen_fd, &fd, NULL) != MG_OK) {
        return;
    }
    for (size_t i = 0; i < ENGINES_MAX && mg_unix_peer_allowed(fd, &pid, NULL); i++) {
        if (engines->engines[i].state == FREE) {
            engines->engines[i] =
                (struct engine){.state = GREETING, .fd = fd, .pid = pid, .serial = ++engines->last_serial};
            return;
        }
    }
    mg_log_error("an engine was turned away: its user is neither root nor this one's, or %d are connected",
                 ENGINES_MAX);
    close(fd);
}

/* poll_all waits for any descriptor. |which| says whose they are; returns how many. */
static nfds_t poll_all(struct engines *engines, struct pollfd *fds, struct engine **which)
{
    nfds_t num = 0;
    fds[num++] = (struct pollfd){.fd = engines->stop_fd, .events = POLLIN};
    fds[num++] = (struct pollfd){.fd = engines->listen_fd, .events = POLLIN};
    fds[num++] = (struct pollfd){.fd = engines->wake_fd, .events = POLLIN};
    pthread_mutex_lock(&engines->lock);
    int timeout_ms = is_feeding(engines) ? LOOK_AT_STORES_MS : -1;
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        if (engines->engines[i].state != FREE) {
            which[num] = &engines->engines[i];
            fds[num++] = (struct pollfd){.fd = engines->engines[i].fd, .events = POLLIN};
        }
    }
    pthread_mutex_unlock(&engines->lock);
    (void)poll(fds, num, timeout_ms);
    return num;
}

static void *engines_main(void *arg)
{
    struct engines *engines = arg;
    struct pollfd fds[NUM_OWN_FDS + ENGINES_MAX];
    struct engine *which[NUM_OWN_FDS + ENGINES_MAX];
    pthread_setname_np(pthread_self(), "engines");
    for (;;) {
        nfds_t num = poll_all(engines, fds, which);
        if (fds[0].revents != 0) {
            return NULL;
        }
        pthread_mutex_lock(&engines->lock);
        for (nfds_t i = NUM_OWN_FDS; i < num; i++) {
            /* Meanwhile it may have been hung up on, and the place taken by another. */
            if (fds[i].revents != 0 && which[i]->state != FREE && which[i]->fd == fds[i].fd) {
                receive(engines, which[i]);
            }
        }
        if (fds[1].revents != 0) {
            accept_engine(engines);
        }
        pthread_mutex_unlock(&engines->lock);
        if (fds[2].revents != 0) {
            eventfd_t count;
            (void)eventfd_read(engines->wake_fd, &count);
        }
        feed_all(engines);
    }
}

/* ---- life ---- */

enum mg_status engines_new(struct engines **out, const char *socket_path, struct mg_error *error)
{
    struct engines *engines = calloc(1, sizeof(*engines));
    if (engines == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&engines->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&engines->lock, NULL);
    mg_buffer_init(&engines->present, WIRE_PUBLISH_MAX_PACKET);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        engines->engines[i].fd = -1;
    }
    engines->listen_fd = -1;
    engines->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engines->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engines->in = malloc(WIRE_PUBLISH_MAX_PACKET);
    engines->socket_path = strdup(socket_path);
    enum mg_status status = MG_OK;
    if (engines->stop_fd < 0 || engines->wake_fd < 0 || engines->in == NULL || engines->socket_path == NULL) {
        status = mg_error_set(error, MG_MEMORY, "out of memory or descriptors");
    }
    if (status == MG_OK) {
        status = mg_unix_listen(socket_path, SOCK_SEQPACKET, 0600, &engines->listen_fd, error);
    }
    if (status == MG_OK && pthread_create(&engines->thread, NULL, engines_main, engines) != 0) {
        status = mg_error_set(error, MG_INTERNAL, "cannot start a thread");
    }
    engines->started = status == MG_OK;
    if (status != MG_OK) {
        engines_free(engines);
        return status;
    }
    *out = engines;
    return MG_OK;
}

void engines_free(struct engines *engines)
{
    if (engines == NULL) {
        return;
    }
    if (engines->started) {
        (void)eventfd_write(engines->stop_fd, 1);
        pthread_join(engines->thread, NULL);
    }
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        if (engines->engines[i].state != FREE) {
            close(engines->engines[i].fd);
            forget_feed(&engines->engines[i]);
        }
    }
    if (engines->listen_fd >= 0) {
        close(engines->listen_fd);
        unlink(engines->socket_path);
    }
    if (engines->stop_fd >= 0) {
        close(engines->stop_fd);
    }
    if (engines->wake_fd >= 0) {
        close(engines->wake_fd);
    }
    mg_buffer_free(&engines->present);
    pthread_mutex_destroy(&engines->lock);
    pthread_cond_destroy(&engines->changed);
    free(engines->in);
    free(engines->socket_path);
    free(engines);
}

/* ---- publishing ---- */

static enum mg_status encode(struct mg_buffer *out, const struct wire_publish *message, uint32_t premint_ms,
                             struct mg_error *error)
{
    struct wire_publish copy = *message;
    copy.premint_ms = premint_ms;
    mg_buffer_init(out, WIRE_PUBLISH_MAX_PACKET);
    wire_publish_encode(out, &copy);
    if (!mg_buffer_ok(out)) {
        mg_buffer_free(out);
        return mg_error_set(error, MG_LIMIT, "the issuers' chains are over %d bytes together", WIRE_PUBLISH_MAX_PACKET);
    }
    return MG_OK;
}

/* become takes over |packet| as what is present. The lock is held. */
static void become(struct engines *engines, struct mg_buffer *packet, uint64_t epoch)
{
    mg_buffer_free(&engines->present);
    engines->present = *packet;
    engines->present_epoch = epoch;
}

enum mg_status engines_set_present(struct engines *engines, const struct wire_publish *present, struct mg_error *error)
{
    struct mg_buffer packet;
    enum mg_status status = encode(&packet, present, 0, error);
    if (status != MG_OK) {
        return status;
    }
    pthread_mutex_lock(&engines->lock);
    become(engines, &packet, present->epoch);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        if (engines->engines[i].state == SERVING) {
            bring_up(engines, &engines->engines[i]);
        }
    }
    pthread_mutex_unlock(&engines->lock);
    return MG_OK;
}

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

static size_t count_in(const struct engines *engines, enum engine_state state, uint64_t epoch)
{
    size_t num = 0;
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        num += engines->engines[i].state == state && engines->engines[i].preparing == epoch;
    }
    return num;
}

/* wait_while waits until no engine is in |state| with |epoch|, for |ms| at the most. The lock is held. */
static void wait_while(struct engines *engines, enum engine_state state, uint64_t epoch, uint64_t ms)
{
    uint64_t until_ns = mg_clock_monotonic_ns() + ms * MG_NS_PER_MS;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / MG_NS_PER_SECOND),
                                   .tv_nsec = (long)(until_ns % MG_NS_PER_SECOND)};
    while (count_in(engines, state, epoch) > 0 &&
           pthread_cond_timedwait(&engines->changed, &engines->lock, &until) != ETIMEDOUT) {
    }
}

/* abort_all forgets what was being published; who is behind what is present is brought up to that. */
static void abort_all(struct engines *engines, uint64_t epoch)
{
    engines->next = NULL;
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        struct engine *engine = &engines->engines[i];
        if ((engine->state == PREPARING || engine->state == READY) && engine->preparing == epoch &&
            tell(engines, engine, WIRE_PUBLISH_ABORT, epoch)) {
            bring_up(engines, engine);
        }
    }
}

/* find_trouble returns the first engine that is not ready for |epoch|, or NULL. */
static const struct engine *find_trouble(struct engines *engines, uint64_t epoch)
{
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        struct engine *engine = &engines->engines[i];
        if (engine->state == FREE || engine->state == GREETING || engine->preparing != epoch) {
            continue;
        }
        if (engine->state == PREPARING) {
            snprintf(engine->trouble, sizeof(engine->trouble), "it has not prepared in time");
        }
        if (engine->state != READY) {
            return engine;
        }
    }
    return NULL;
}

static enum mg_status prepare_all(struct engines *engines, const struct engines_publication *publication,
                                  struct mg_error *error)
{
    uint64_t epoch = publication->message->epoch;
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        struct engine *engine = &engines->engines[i];
        if (engine->state != FREE && engine->state != GREETING) {
            have_prepare(engines, engine, engines->next, epoch);
        }
    }
    wait_while(engines, PREPARING, epoch, publication->message->premint_ms + ENGINES_ANSWER_MS);
    const struct engine *trouble = find_trouble(engines, epoch);
    if (trouble == NULL || publication->force) {
        return MG_OK;
    }
    enum mg_status status =
        mg_error_set(error, MG_DENIED, "engine %d cannot serve it: %s", (int)trouble->pid, trouble->trouble);
    abort_all(engines, epoch);
    return status;
}

/* commit_all gives the word to who is ready. */
static enum mg_status commit_all(struct engines *engines, uint64_t epoch, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        struct engine *engine = &engines->engines[i];
        if (engine->state == READY && engine->preparing == epoch) {
            engine->state = COMMITTING;
            (void)tell(engines, engine, WIRE_PUBLISH_COMMIT, epoch);
        }
    }
    wait_while(engines, COMMITTING, epoch, ENGINES_ANSWER_MS);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        struct engine *engine = &engines->engines[i];
        if (engine->state == COMMITTING && engine->preparing == epoch) {
            status = mg_error_set(error, MG_AGAIN, "engine %d has not confirmed in time", (int)engine->pid);
            hang_up(engines, engine);
        }
    }
    return status;
}

/* publish_locked does it, with the lock held but while the caller's transaction runs. */
static enum mg_status publish_locked(struct engines *engines, const struct engines_publication *publication,
                                     struct mg_buffer *present, struct mg_error *error)
{
    uint64_t epoch = publication->message->epoch;
    enum mg_status status = prepare_all(engines, publication, error);
    if (status != MG_OK) {
        return status;
    }
    pthread_mutex_unlock(&engines->lock);
    status = publication->commit(publication->arg, error);
    pthread_mutex_lock(&engines->lock);
    if (status != MG_OK) {
        abort_all(engines, epoch);
        return status;
    }
    engines->next = NULL;
    become(engines, present, epoch);
    mg_buffer_init(present, 0);
    return commit_all(engines, epoch, error);
}

/* note counts a publication that ended with |status|. The lock is held. */
static void note(struct engines *engines, enum mg_status status, uint64_t began_ns)
{
    enum publication_end end = status == MG_OK       ? COMMITTED
                               : status == MG_AGAIN  ? UNCONFIRMED
                               : status == MG_DENIED ? REFUSED
                                                     : FAILED;
    mg_counter_add(&engines->ends[end], 1);
    mg_histogram_add(&engines->durations, &duration_shape, (mg_clock_monotonic_ns() - began_ns) / MG_NS_PER_MS);
}

enum mg_status engines_publish(struct engines *engines, const struct engines_publication *publication,
                               struct mg_error *error)
{
    struct mg_buffer next, present;
    enum mg_status status = encode(&next, publication->message, publication->message->premint_ms, error);
    if (status != MG_OK) {
        return status;
    }
    status = encode(&present, publication->message, 0, error);
    if (status != MG_OK) {
        mg_buffer_free(&next);
        return status;
    }
    pthread_mutex_lock(&engines->lock);
    if (engines->next != NULL) {
        mg_counter_add(&engines->ends[BUSY], 1);
        status = mg_error_set(error, MG_EXISTS, "another publication is under way");
    } else {
        uint64_t began_ns = mg_clock_monotonic_ns();
        engines->next = &next;
        engines->next_epoch = publication->message->epoch;
        status = publish_locked(engines, publication, &present, error);
        engines->next = NULL;
        note(engines, status, began_ns);
    }
    pthread_mutex_unlock(&engines->lock);
    mg_buffer_free(&next);
    mg_buffer_free(&present);
    return status;
}

/* ---- looking ---- */

void engines_progress(struct engines *engines, struct engines_progress *out)
{
    *out = (struct engines_progress){.under_way = false};
    pthread_mutex_lock(&engines->lock);
    if (engines->next != NULL) {
        out->under_way = true;
        out->epoch = engines->next_epoch;
        for (size_t i = 0; i < ENGINES_MAX; i++) {
            out->num_done += engines->engines[i].num_done;
            out->num_all += engines->engines[i].num_all;
        }
    }
    pthread_mutex_unlock(&engines->lock);
}

size_t engines_list(struct engines *engines, struct engine_status *out, size_t max)
{
    size_t num = 0;
    pthread_mutex_lock(&engines->lock);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        const struct engine *engine = &engines->engines[i];
        if (engine->state == FREE || engine->state == GREETING) {
            continue;
        }
        if (num < max) {
            out[num] = (struct engine_status){.pid = engine->pid, .epoch = engine->epoch};
            memcpy(out[num].trouble, engine->trouble, sizeof(engine->trouble));
        }
        num++;
    }
    pthread_mutex_unlock(&engines->lock);
    return num;
}

void engines_count(struct engines *engines, struct engines_count *out)
{
    *out = (struct engines_count){.num_connected = 0};
    pthread_mutex_lock(&engines->lock);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        const struct engine *engine = &engines->engines[i];
        bool is_here = engine->state != FREE && engine->state != GREETING;
        out->num_connected += is_here;
        out->num_behind += is_here && engine->epoch != engines->present_epoch;
    }
    pthread_mutex_unlock(&engines->lock);
}

void engines_metrics(struct engines *engines, struct mg_buffer *out)
{
    static const char ends[] = "mintgate_control_publications_total",
                      seconds[] = "mintgate_control_publication_seconds";
    static const char *const labels[NUM_PUBLICATION_ENDS] = {[COMMITTED] = "end=\"committed\"",
                                                             [UNCONFIRMED] = "end=\"unconfirmed\"",
                                                             [REFUSED] = "end=\"refused\"",
                                                             [BUSY] = "end=\"busy\"",
                                                             [FAILED] = "end=\"failed\""};
    const struct mg_histogram *durations = &engines->durations;
    struct engines_count now;
    engines_count(engines, &now);
    pthread_mutex_lock(&engines->lock);
    mg_metrics_family(out, "mintgate_control_engines", "gauge", "Engines that are connected.");
    mg_metrics_sample(out, "mintgate_control_engines", "", now.num_connected);
    mg_metrics_family(out, "mintgate_control_engines_behind", "gauge", "Of these, those that serve an older epoch.");
    mg_metrics_sample(out, "mintgate_control_engines_behind", "", now.num_behind);
    mg_metrics_family(out, ends, "counter", "Publications to engines, by how they ended.");
    for (size_t i = 0; i < NUM_PUBLICATION_ENDS; i++) {
        mg_metrics_sample(out, ends, labels[i], mg_counter_get(&engines->ends[i]));
    }
    mg_metrics_family(out, seconds, "histogram", "Time that a publication took, with minting ahead.");
    mg_histogram_render(out, seconds, &duration_shape, &durations, 1);
    pthread_mutex_unlock(&engines->lock);
}

bool engines_serve_present(struct engines *engines)
{
    size_t num = 0, num_serving = 0;
    pthread_mutex_lock(&engines->lock);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        const struct engine *engine = &engines->engines[i];
        num += engine->state != FREE;
        num_serving += engine->state == SERVING && engine->epoch == engines->present_epoch;
    }
    pthread_mutex_unlock(&engines->lock);
    return num > 0 && num_serving == num;
}
