/* SPDX-License-Identifier: Apache-2.0 */
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
#include "base/log.h"
#include "base/unix_socket.h"
#include "control/publish/engines_internal.h"

/* How often stores are looked at where nobody says that they changed: a restored database. */
#define LOOK_AT_STORES_MS 1000

/* ---- to an engine ---- */

static void hang_up(struct engines *engines, struct engine *engine)
{
    mg_log_info("engine %d: hung up", (int)engine->pid);
    close(engine->fd);
    engines_forget_feed(engine);
    *engine = (struct engine){.state = ENGINE_FREE, .fd = -1};
    pthread_cond_broadcast(&engines->changed);
}

bool engines_send_packet(struct engines *engines, struct engine *engine, struct mg_slice packet)
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
    return engines_send_packet(engines, engine, mg_buffer_slice(&packet));
}

static void have_prepare(struct engines *engines, struct engine *engine, const struct mg_buffer *packet, uint64_t epoch)
{
    engine->state = ENGINE_PREPARING;
    engine->preparing = epoch;
    engine->num_done = engine->num_all = 0;
    engine->trouble[0] = '\0';
    (void)engines_send_packet(engines, engine, mg_buffer_slice(packet));
}

/* bring_up has an engine prepare what it is behind with: what is being published, else what is present. */
static void bring_up(struct engines *engines, struct engine *engine)
{
    engine->state = ENGINE_SERVING;
    if (engines->next != NULL) {
        have_prepare(engines, engine, engines->next, engines->next_epoch);
    } else if (engines->present.len > 0 && engine->epoch != engines->present_epoch) {
        have_prepare(engines, engine, &engines->present, engines->present_epoch);
    }
}

/* ---- from an engine ---- */

static bool said_hello(struct engines *engines, struct engine *engine, const struct wire_publish *message)
{
    if (engine->state != ENGINE_GREETING || message->version < WIRE_PUBLISH_OLDEST_VERSION ||
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
    if (engine->state != ENGINE_PREPARING) {
        return false;
    }
    if (message->epoch != engine->preparing) {
        return true; /* of one that another has replaced */
    }
    if (!message->ready) {
        engine->state = ENGINE_SERVING;
        snprintf(engine->trouble, sizeof(engine->trouble), "%.*s", (int)message->reason.len,
                 (const char *)message->reason.data);
        mg_log_error("engine %d cannot serve publication %llu: %s", (int)engine->pid,
                     (unsigned long long)message->epoch, engine->trouble);
    } else if (message->epoch == engines->present_epoch && engines->next == NULL) {
        engine->state = ENGINE_COMMITTING; /* it was behind */
        (void)tell(engines, engine, WIRE_PUBLISH_COMMIT, message->epoch);
    } else {
        engine->state = ENGINE_READY;
    }
    return true;
}

static bool has_committed(struct engine *engine, const struct wire_publish *message)
{
    if (engine->state != ENGINE_COMMITTING || message->epoch != engine->preparing) {
        return false;
    }
    engine->state = ENGINE_SERVING;
    engine->epoch = message->epoch;
    return true;
}

static bool made_progress(struct engine *engine, const struct wire_publish *message)
{
    if (engine->state == ENGINE_PREPARING && message->epoch == engine->preparing) {
        engine->num_done = message->num_done;
        engine->num_all = message->num_all;
    }
    return true;
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
    case WIRE_PUBLISH_STORE_TAKEN:
        return engines_handle_of_stores(engines, engine, message);
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
    if (!good && engine->state != ENGINE_FREE) {
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
        if (engines->engines[i].state == ENGINE_FREE) {
            engines->engines[i] =
                (struct engine){.state = ENGINE_GREETING, .fd = fd, .pid = pid, .serial = ++engines->last_serial};
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
    int timeout_ms = engines_are_feeding(engines) ? LOOK_AT_STORES_MS : -1;
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        if (engines->engines[i].state != ENGINE_FREE) {
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
            if (fds[i].revents != 0 && which[i]->state != ENGINE_FREE && which[i]->fd == fds[i].fd) {
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
        engines_feed_all(engines);
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
        if (engines->engines[i].state != ENGINE_FREE) {
            close(engines->engines[i].fd);
            engines_forget_feed(&engines->engines[i]);
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
        if (engines->engines[i].state == ENGINE_SERVING) {
            bring_up(engines, &engines->engines[i]);
        }
    }
    pthread_mutex_unlock(&engines->lock);
    return MG_OK;
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
        if ((engine->state == ENGINE_PREPARING || engine->state == ENGINE_READY) && engine->preparing == epoch &&
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
        if (engine->state == ENGINE_FREE || engine->state == ENGINE_GREETING || engine->preparing != epoch) {
            continue;
        }
        if (engine->state == ENGINE_PREPARING) {
            snprintf(engine->trouble, sizeof(engine->trouble), "it has not prepared in time");
        }
        if (engine->state != ENGINE_READY) {
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
        if (engine->state != ENGINE_FREE && engine->state != ENGINE_GREETING) {
            have_prepare(engines, engine, engines->next, epoch);
        }
    }
    wait_while(engines, ENGINE_PREPARING, epoch, publication->message->premint_ms + ENGINES_ANSWER_MS);
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
        if (engine->state == ENGINE_READY && engine->preparing == epoch) {
            engine->state = ENGINE_COMMITTING;
            (void)tell(engines, engine, WIRE_PUBLISH_COMMIT, epoch);
        }
    }
    wait_while(engines, ENGINE_COMMITTING, epoch, ENGINES_ANSWER_MS);
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        struct engine *engine = &engines->engines[i];
        if (engine->state == ENGINE_COMMITTING && engine->preparing == epoch) {
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
        mg_counter_add(&engines->ends[PUBLICATION_BUSY], 1);
        status = mg_error_set(error, MG_EXISTS, "another publication is under way");
    } else {
        uint64_t began_ns = mg_clock_monotonic_ns();
        engines->next = &next;
        engines->next_epoch = publication->message->epoch;
        status = publish_locked(engines, publication, &present, error);
        engines->next = NULL;
        engines_note(engines, status, began_ns);
    }
    pthread_mutex_unlock(&engines->lock);
    mg_buffer_free(&next);
    mg_buffer_free(&present);
    return status;
}
