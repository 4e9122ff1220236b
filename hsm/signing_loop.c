/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/signing_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "hsm/client_signature.h"
#include "hsm/connection_set.h"
#include "hsm/request_queue.h"

#define MAX_EVENTS 64
/* Packets read from one connection before the others get their chance and what is queued gets its turn. */
#define MAX_PACKETS_A_ROUND 8

/* struct packet keeps the bytes and the issuers that requests borrow from, until the last of them is done. */
struct packet {
    struct issuer_set *issuers;
    size_t num_users;
    size_t len;
    uint8_t bytes[];
};

enum message_kind { MESSAGE_ADD, MESSAGE_ISSUERS, MESSAGE_DRAIN };

/* What other threads tell this one, through a pipe: small enough to be written and read whole (pipe(7)). */
struct message {
    enum message_kind kind;
    int fd;                     /* MESSAGE_ADD */
    struct issuer_set *issuers; /* MESSAGE_ISSUERS; a reference */
};

struct signing_loop {
    struct issuer_set *issuers; /* a reference */
    sem_t issuers_taken;        /* posted for each MESSAGE_ISSUERS */
    struct leaf_signer *signer;
    struct request_queue *queue;
    struct client_keys *client_keys;
    struct connection_set connections;
    int epoll_fd;
    int inbox_read, inbox_write;
    bool is_blocked;            /* what waits is for keys that have no room; something happens when they have */
    uint64_t drain_deadline_ns; /* once the connections are draining */
    uint64_t now_ns;            /* of this round */
    int64_t now_us;             /* likewise, since 1970 */
    int64_t last_log_second;    /* refusals and failures are logged once a second */
    pthread_t thread;
    char backend_marks[LEAF_SIGNER_MAX_BACKENDS]; /* their addresses mark the events of backends */
    struct signing_counters counters;
    struct wire_sign_request requests[WIRE_SIGNER_MAX_BATCH];
    uint8_t receive_buffer[WIRE_SIGNER_MAX_PACKET];
};

const struct mg_histogram_shape signing_batch_shape = {.bounds = {1, 2, 4, 8, 16, 24, 32, 64}, .unit = 1};
const struct mg_histogram_shape signing_wait_shape = {
    .bounds = {20000, 100000, 500000, 2000000, 10000000, 50000000, 250000000, 1000000000}, .unit = 1e-9};

/* log_sometimes logs what a peer could otherwise fill the log with. */
static void log_sometimes(struct signing_loop *loop, enum mg_log_level level, const char *what, const char *why)
{
    int64_t second = loop->now_us / 1000000;
    if (second != loop->last_log_second) {
        loop->last_log_second = second;
        mg_log(level, "%s: %s", what, why);
    }
}

/* Packets */

static struct packet *packet_new(struct issuer_set *issuers, struct mg_slice bytes)
{
    struct packet *packet = malloc(sizeof(*packet) + bytes.len);
    if (packet != NULL) {
        packet->issuers = issuer_set_up_ref(issuers);
        packet->num_users = 1;
        packet->len = bytes.len;
        memcpy(packet->bytes, bytes.data, bytes.len);
    }
    return packet;
}

static void packet_release(struct packet *packet)
{
    if (--packet->num_users == 0) {
        issuer_set_free(packet->issuers);
        free(packet);
    }
}

/* Connections */

/* close_broken is for a peer that breaks the protocol. */
static void close_broken(struct signing_loop *loop, struct connection *connection, const char *why)
{
    mg_counter_add(&loop->counters.invalid_packets, 1);
    log_sometimes(loop, MG_LOG_WARNING, "closed an engine's connection", why);
    connection_set_close(&loop->connections, connection);
}

/* close_after_send is for what connection_send and its like return. */
static void close_after_send(struct signing_loop *loop, struct connection *connection, enum mg_status status)
{
    if (status == MG_LIMIT) {
        mg_counter_add(&loop->counters.slow_peers, 1);
        log_sometimes(loop, MG_LOG_WARNING, "closed an engine's connection", "it does not read its results");
    }
    connection_set_close(&loop->connections, connection);
}

static void add_connection(struct signing_loop *loop, int fd)
{
    enum mg_status status = connection_set_add(&loop->connections, fd, loop);
    if (status == MG_OK) {
        mg_counter_add(&loop->counters.connections, 1);
    } else if (status == MG_LIMIT) {
        mg_counter_add(&loop->counters.refused_connections, 1);
    }
}

/* Results */

static void answer(struct signing_loop *loop, struct connection *connection, const struct wire_sign_result *result)
{
    mg_counter_add(&loop->counters.results[result->status], 1);
    if (connection->fd < 0) {
        mg_counter_add(&loop->counters.abandoned, 1);
        return;
    }
    enum mg_status status = connection_add_result(connection, result);
    if (status != MG_OK) {
        close_after_send(loop, connection, status);
    } else {
        connection_set_mark_dirty(&loop->connections, connection);
    }
}

/* status_of_gone is for a request whose issuer is gone: for good, or replaced by one with another certificate, for
 * which it would have to be judged anew. */
static enum wire_sign_status status_of_gone(struct signing_loop *loop, const struct issuer *issuer)
{
    if (issuer_set_find0(loop->issuers, &issuer->key_id) == NULL) {
        return WIRE_SIGN_UNKNOWN_KEY;
    }
    mg_counter_add(&loop->counters.busy_replaced, 1);
    return WIRE_SIGN_BUSY;
}

/* let_go gives back what a request holds, once it is answered or needs no answer. */
static void let_go(struct signing_loop *loop, struct leaf_request *request)
{
    request->connection->num_requests--;
    packet_release(request->packet);
    request_queue_release(loop->queue, request);
}

/* finish answers a queued request and lets go of it. */
static void finish(struct signing_loop *loop, struct leaf_request *request, enum wire_sign_status status)
{
    struct wire_sign_result result = {.id = request->id, .status = status};
    if (status == WIRE_SIGN_OK) {
        result.signature = mg_slice_of(request->job.signature, request->job.signature_len);
    }
    answer(loop, request->connection, &result);
    let_go(loop, request);
}

/* on_job_done is the backend's word that a signature is made, or is not. A token may take its time: of an issuer that
 * is gone meanwhile no signature leaves. */
static void on_job_done(struct backend_job *job)
{
    struct leaf_request *request = MG_CONTAINER_OF(job, struct leaf_request, job);
    struct signing_loop *loop = request->connection->owner;
    enum wire_sign_status status = job->is_busy ? WIRE_SIGN_BUSY : WIRE_SIGN_FAILED;
    if (job->is_busy) {
        mg_counter_add(&loop->counters.busy_restarting, 1);
    }
    if (job->signature_len > 0) {
        status = issuer_set_has(loop->issuers, request->issuer) ? WIRE_SIGN_OK : status_of_gone(loop, request->issuer);
    }
    finish(loop, request, status);
}

/* flush_dirty sends what this round has put together. */
static void flush_dirty(struct signing_loop *loop)
{
    struct connection *connection;
    while ((connection = connection_set_take_dirty(&loop->connections)) != NULL) {
        enum mg_status status = connection_set_flush(&loop->connections, connection);
        if (status != MG_OK) {
            close_after_send(loop, connection, status);
        }
    }
}

/* Requests */

/* admit judges one request and queues it; what it returns other than WIRE_SIGN_OK is the answer. */
static enum wire_sign_status admit(struct signing_loop *loop, struct connection *connection, struct packet *packet,
                                   const struct wire_sign_request *wire)
{
    const struct issuer *issuer = issuer_set_find0(loop->issuers, &wire->key_id);
    struct mg_error error = {""};
    if (issuer == NULL) {
        return WIRE_SIGN_UNKNOWN_KEY;
    }
    bool is_kept_out = request_queue_share_is_used(loop->queue, issuer) && !leaf_signer_has_room(loop->signer, issuer);
    struct leaf_request *request = is_kept_out ? NULL : request_queue_get(loop->queue);
    if (request == NULL) {
        mg_counter_add(&loop->counters.busy_full, 1);
        return WIRE_SIGN_BUSY;
    }
    enum wire_sign_status status =
        leaf_signer_admit(loop->signer, issuer, wire->tbs, loop->now_us / 1000000, request, &error);
    if (status != WIRE_SIGN_OK) {
        request_queue_release(loop->queue, request);
        log_sometimes(loop, MG_LOG_WARNING, "refused to sign", error.text);
        return status;
    }
    request->job.done = on_job_done;
    request->id = wire->id;
    request->received_ns = loop->now_ns;
    request->deadline_ns = wire->timeout_ms == 0 ? 0 : loop->now_ns + wire->timeout_ms * MG_NS_PER_MS;
    request->connection = connection;
    request->packet = packet;
    packet->num_users++;
    connection->num_requests++;
    request_queue_put(loop->queue, request);
    return WIRE_SIGN_OK;
}

static void handle_sign(struct signing_loop *loop, struct connection *connection, struct mg_slice bytes)
{
    struct mg_error error;
    size_t num_requests;
    struct packet *packet = packet_new(loop->issuers, bytes);
    if (packet == NULL) {
        connection_set_close(&loop->connections, connection);
        return;
    }
    bytes.data = packet->bytes;
    if (wire_signer_decode_sign(bytes, loop->requests, &num_requests, &error) != MG_OK) {
        close_broken(loop, connection, error.text);
        num_requests = 0;
    }
    for (size_t i = 0; i < num_requests; i++) {
        enum wire_sign_status status = admit(loop, connection, packet, &loop->requests[i]);
        if (status != WIRE_SIGN_OK) {
            answer(loop, connection, &(struct wire_sign_result){.id = loop->requests[i].id, .status = status});
        }
    }
    packet_release(packet);
}

/* struct cancellation is a CANCEL packet at work. */
struct cancellation {
    struct signing_loop *loop;
    const struct connection *connection;
    struct wire_sign_cancel wire;
};

static bool is_cancelled(void *arg, const struct leaf_request *request)
{
    const struct cancellation *cancellation = arg;
    for (size_t i = 0; request->connection == cancellation->connection && i < cancellation->wire.num_ids; i++) {
        if (request->id == cancellation->wire.ids[i]) {
            return true;
        }
    }
    return false;
}

static void drop_cancelled(void *arg, struct leaf_request *request)
{
    const struct cancellation *cancellation = arg;
    let_go(cancellation->loop, request);
}

/* handle_cancel drops what still waits; what is being signed, or was answered, is the engine's to ignore. */
static void handle_cancel(struct signing_loop *loop, struct connection *connection, struct mg_slice bytes)
{
    struct cancellation cancellation = {.loop = loop, .connection = connection};
    struct mg_error error;
    if (wire_signer_decode_cancel(bytes, &cancellation.wire, &error) != MG_OK) {
        close_broken(loop, connection, error.text);
        return;
    }
    mg_counter_add(&loop->counters.cancelled,
                   request_queue_remove_if(loop->queue, is_cancelled, drop_cancelled, &cancellation));
}

/* handle_client_sign answers at once: servers that ask for a client's certificate are few, and whoever waits for the
 * signature waits with a whole handshake. */
static void handle_client_sign(struct signing_loop *loop, struct connection *connection, struct mg_slice bytes)
{
    struct mg_error error = {""};
    struct wire_client_sign request;
    uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE];
    size_t len = 0;
    if (wire_signer_decode_client_sign(bytes, &request, &error) != MG_OK) {
        close_broken(loop, connection, error.text);
        return;
    }
    struct wire_sign_result result = {.id = request.id};
    result.status = client_signature_make(loop->client_keys, &request, signature, &len, &error);
    if (result.status == WIRE_SIGN_OK) {
        result.signature = mg_slice_of(signature, len);
        mg_counter_add(&loop->counters.client_signatures, 1);
    } else {
        log_sometimes(loop, MG_LOG_WARNING, "refused to sign as a TLS client", error.text);
    }
    answer(loop, connection, &result);
}

static void send_issuers(struct signing_loop *loop, struct connection *connection)
{
    enum mg_status status = connection_send(connection, mg_buffer_slice(&loop->issuers->packet));
    if (status != MG_OK) {
        close_after_send(loop, connection, status);
    } else {
        connection_set_mark_dirty(&loop->connections, connection); /* some of it may wait until it can be written */
    }
}

static void handle_hello(struct signing_loop *loop, struct connection *connection, struct mg_slice packet)
{
    struct mg_error error;
    uint16_t version;
    if (wire_signer_decode_hello(packet, &version, &error) != MG_OK) {
        close_broken(loop, connection, error.text);
        return;
    }
    if (version < WIRE_SIGNER_OLDEST_VERSION || version > WIRE_SIGNER_VERSION) {
        close_broken(loop, connection, "it speaks another version of the protocol");
        return;
    }
    connection->has_greeted = true;
    send_issuers(loop, connection);
}

/* handle_packet knows HELLO, first and once, and then SIGN, CANCEL and CLIENT_SIGN. */
static void handle_packet(struct signing_loop *loop, struct connection *connection, struct mg_slice packet)
{
    enum wire_signer_type type;
    mg_counter_add(&loop->counters.packets, 1);
    bool is_known = wire_signer_type_of(packet, &type) == MG_OK;
    if (is_known && type == WIRE_SIGNER_HELLO && !connection->has_greeted) {
        handle_hello(loop, connection, packet);
    } else if (is_known && type == WIRE_SIGNER_SIGN && connection->has_greeted) {
        handle_sign(loop, connection, packet);
    } else if (is_known && type == WIRE_SIGNER_CANCEL && connection->has_greeted) {
        handle_cancel(loop, connection, packet);
    } else if (is_known && type == WIRE_SIGNER_CLIENT_SIGN && connection->has_greeted) {
        handle_client_sign(loop, connection, packet);
    } else {
        close_broken(loop, connection, "it sent a packet out of place or of an unknown type");
    }
}

static void read_packets(struct signing_loop *loop, struct connection *connection)
{
    for (int i = 0; i < MAX_PACKETS_A_ROUND && connection->fd >= 0; i++) {
        struct mg_slice packet;
        switch (connection_receive(connection, loop->receive_buffer, &packet)) {
        case MG_OK:
            handle_packet(loop, connection, packet);
            break;
        case MG_AGAIN:
            return;
        case MG_INVALID:
            close_broken(loop, connection, "it sent a packet over the limit");
            return;
        default:
            connection_set_close(&loop->connections, connection);
            return;
        }
    }
}

/* Signing */

/* drop_late answers the requests of a turn that nobody waits for any more, and keeps the rest in place. */
static size_t drop_late(struct signing_loop *loop, struct leaf_request **turn, size_t count)
{
    uint64_t now_ns = mg_clock_monotonic_ns();
    size_t num_kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_late = turn[i]->deadline_ns != 0 && now_ns > turn[i]->deadline_ns;
        mg_histogram_add(&loop->counters.waits, &signing_wait_shape, now_ns - turn[i]->received_ns);
        if (is_late) {
            mg_counter_add(&loop->counters.busy_expired, 1);
        }
        if (is_late || turn[i]->connection->fd < 0) {
            finish(loop, turn[i], WIRE_SIGN_BUSY);
        } else {
            turn[num_kept++] = turn[i];
        }
    }
    return num_kept;
}

/* refuse_turn answers a turn whose issuer is gone. */
static void refuse_turn(struct signing_loop *loop, struct leaf_request *const *turn, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        finish(loop, turn[i], status_of_gone(loop, turn[i]->issuer));
    }
}

/* is_ready tells the queue whether a turn of |issuer| can be dealt with now: signed, or refused. */
static bool is_ready(void *arg, const struct issuer *issuer)
{
    struct signing_loop *loop = arg;
    return !issuer_set_has(loop->issuers, issuer) || leaf_signer_has_room(loop->signer, issuer);
}

static void sign_turn(struct signing_loop *loop)
{
    struct leaf_request *turn[BACKEND_MAX_BATCH];
    struct mg_error error;
    size_t count = request_queue_take_ready(loop->queue, turn, is_ready, loop);
    loop->is_blocked = count == 0;
    count = drop_late(loop, turn, count);
    if (count == 0) {
        return;
    }
    if (!issuer_set_has(loop->issuers, turn[0]->issuer)) {
        refuse_turn(loop, turn, count);
        return;
    }
    mg_histogram_add(&loop->counters.batch_sizes, &signing_batch_shape, count);
    if (leaf_signer_sign(loop->signer, turn, count, loop->now_us, &error) != MG_OK) {
        log_sometimes(loop, MG_LOG_ERROR, "signing has stopped", error.text);
    }
}

/* The thread */

/* take_issuers puts |set| in the place of the present one, whose requests may still wait in the queue. */
static void take_issuers(struct signing_loop *loop, struct issuer_set *set)
{
    struct issuer_set *old = loop->issuers;
    struct connection *next;
    for (size_t i = 0; i < old->num_issuers; i++) {
        if (!issuer_set_has(set, old->issuers[i])) {
            leaf_signer_forget(loop->signer, old->issuers[i]);
        }
    }
    loop->issuers = set;
    issuer_set_free(old);
    for (struct connection *connection = LIST_FIRST(&loop->connections.open); connection != NULL; connection = next) {
        next = LIST_NEXT(connection, link); /* one that does not take the packet is closed */
        if (connection->has_greeted) {
            send_issuers(loop, connection);
        }
    }
    sem_post(&loop->issuers_taken);
}

static void start_draining(struct signing_loop *loop)
{
    loop->drain_deadline_ns = loop->now_ns + SIGNING_LOOP_DRAIN_NS;
    connection_set_drain(&loop->connections);
}

static void read_inbox(struct signing_loop *loop)
{
    struct message message;
    while (read(loop->inbox_read, &message, sizeof(message)) == (ssize_t)sizeof(message)) {
        switch (message.kind) {
        case MESSAGE_ADD:
            add_connection(loop, message.fd);
            break;
        case MESSAGE_ISSUERS:
            take_issuers(loop, message.issuers);
            break;
        case MESSAGE_DRAIN:
            start_draining(loop);
            break;
        }
    }
}

static void handle_event(struct signing_loop *loop, const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    if (connection == NULL) {
        read_inbox(loop);
        return;
    }
    for (size_t i = 0; i < LEAF_SIGNER_MAX_BACKENDS; i++) {
        if (event->data.ptr == &loop->backend_marks[i]) {
            leaf_signer_ready(loop->signer, i);
            return;
        }
    }
    if (connection->fd >= 0 && (event->events & EPOLLOUT) != 0) {
        enum mg_status status = connection_set_go_on(&loop->connections, connection);
        if (status != MG_OK) {
            close_after_send(loop, connection, status);
        }
    }
    if (connection->fd >= 0 && !loop->connections.is_draining && (event->events & EPOLLIN) != 0) {
        read_packets(loop, connection);
    }
    if (connection->fd >= 0 && (event->events & (EPOLLHUP | EPOLLERR)) != 0 && (event->events & EPOLLIN) == 0) {
        connection_set_close(&loop->connections, connection);
    }
}

static bool is_finished(const struct signing_loop *loop)
{
    return loop->connections.is_draining && request_queue_in_use(loop->queue) == 0 &&
           (!connection_set_has_backlog(&loop->connections) || loop->now_ns > loop->drain_deadline_ns);
}

/* timeout_ms: at once while there is something to sign, else when something happens. */
static int timeout_ms(const struct signing_loop *loop)
{
    if (request_queue_waiting(loop->queue) > 0 && !loop->is_blocked) {
        return 0;
    }
    return loop->connections.is_draining ? 50 : -1;
}

static void run_round(struct signing_loop *loop)
{
    struct epoll_event events[MAX_EVENTS];
    int count = epoll_wait(loop->epoll_fd, events, MAX_EVENTS, timeout_ms(loop));
    loop->now_ns = mg_clock_monotonic_ns();
    loop->now_us = mg_clock_wall_us();
    for (int i = 0; i < count; i++) {
        handle_event(loop, &events[i]);
    }
    sign_turn(loop);
    flush_dirty(loop);
    connection_set_free_closed(&loop->connections);
    atomic_store_explicit(&loop->counters.connections_now.value, loop->connections.num_open, memory_order_relaxed);
    atomic_store_explicit(&loop->counters.waiting_now.value, request_queue_waiting(loop->queue), memory_order_relaxed);
}

static void *run(void *arg)
{
    struct signing_loop *loop = arg;
    while (!is_finished(loop)) {
        run_round(loop);
    }
    while (!LIST_EMPTY(&loop->connections.open)) {
        connection_set_close(&loop->connections, LIST_FIRST(&loop->connections.open));
    }
    connection_set_free_closed(&loop->connections);
    return NULL;
}

static void free_loop(struct signing_loop *loop)
{
    int descriptors[] = {loop->epoll_fd, loop->inbox_read, loop->inbox_write};
    for (size_t i = 0; i < MG_ARRAY_LEN(descriptors); i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    leaf_signer_free(loop->signer);
    request_queue_free(loop->queue);
    issuer_set_free(loop->issuers);
    sem_destroy(&loop->issuers_taken);
    free(loop);
}

static enum mg_status open_descriptors(struct signing_loop *loop, struct mg_error *error)
{
    int inbox[2];
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0 || pipe2(inbox, O_CLOEXEC | O_NONBLOCK) != 0) {
        return mg_error_errno(error, "cannot prepare a signing thread");
    }
    loop->connections.epoll_fd = loop->epoll_fd;
    loop->inbox_read = inbox[0];
    loop->inbox_write = inbox[1];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->inbox_read, &event) != 0) {
        return mg_error_errno(error, "cannot prepare a signing thread");
    }
    return MG_OK;
}

/* watch_backends has epoll tell when a backend has results. */
static enum mg_status watch_backends(struct signing_loop *loop, struct mg_error *error)
{
    for (size_t i = 0; i < LEAF_SIGNER_MAX_BACKENDS; i++) {
        int fd = leaf_signer_poll_fd(loop->signer, i);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &loop->backend_marks[i]};
        if (fd >= 0 && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            return mg_error_errno(error, "cannot wait for a backend");
        }
    }
    return MG_OK;
}

enum mg_status signing_loop_start(struct signing_loop **out, const struct signing_loop_config *config,
                                  struct mg_error *error)
{
    struct signing_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for a signing thread");
    }
    loop->epoll_fd = loop->inbox_read = loop->inbox_write = -1;
    loop->issuers = issuer_set_up_ref(config->issuers);
    loop->client_keys = config->client_keys;
    sem_init(&loop->issuers_taken, 0, 0);
    enum mg_status status = open_descriptors(loop, error);
    if (status == MG_OK) {
        status = leaf_signer_new(&loop->signer, &config->signer, error);
    }
    if (status == MG_OK) {
        status = watch_backends(loop, error);
    }
    if (status == MG_OK) {
        status = request_queue_new(&loop->queue, config->queue, error);
    }
    if (status == MG_OK && pthread_create(&loop->thread, NULL, run, loop) != 0) {
        status = mg_error_set(error, MG_IO, "cannot start a signing thread");
    }
    if (status != MG_OK) {
        free_loop(loop);
        return status;
    }
    *out = loop;
    return MG_OK;
}

static bool tell(const struct signing_loop *loop, const struct message *message)
{
    return write(loop->inbox_write, message, sizeof(*message)) == (ssize_t)sizeof(*message);
}

/* tell_surely waits while the pipe is full of connections, which the thread is taking out. */
static void tell_surely(const struct signing_loop *loop, const struct message *message)
{
    while (!tell(loop, message)) {
        usleep(1000);
    }
}

void signing_loop_add(struct signing_loop *loop, int fd)
{
    if (!tell(loop, &(struct message){.kind = MESSAGE_ADD, .fd = fd})) {
        close(fd); /* thousands of connections wait to be added already */
    }
}

void signing_loop_set_issuers(struct signing_loop *loop, struct issuer_set *set)
{
    tell_surely(loop, &(struct message){.kind = MESSAGE_ISSUERS, .issuers = issuer_set_up_ref(set)});
    while (sem_wait(&loop->issuers_taken) != 0) {
        /* a signal's handler ran */
    }
}

void signing_loop_drain(struct signing_loop *loop)
{
    tell_surely(loop, &(struct message){.kind = MESSAGE_DRAIN});
}

void signing_loop_join(struct signing_loop *loop)
{
    pthread_join(loop->thread, NULL);
    free_loop(loop);
}

bool signing_loop_cpu_clock(const struct signing_loop *loop, clockid_t *out)
{
    return pthread_getcpuclockid(loop->thread, out) == 0;
}

const struct signing_counters *signing_loop_counters(const struct signing_loop *loop)
{
    return &loop->counters;
}
