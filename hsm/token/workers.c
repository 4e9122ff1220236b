/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "hsm/token/signature.h"

#define NO_LANE (-1)

/* struct batch is a SIGN packet whose jobs are being signed. */
struct batch {
    struct batch *next;
    int lane;
    struct token_key *key; /* a reference; NULL: |status| is the result of every job */
    struct token_error error;
    enum wire_token_status status;
    struct wire_token_sign sign; /* borrows from |packet| */
    size_t next_job;             /* all below are taken */
    size_t num_left;             /* not signed yet */
    uint8_t packet[];
};

struct workers {
    struct workers_config config;
    int epoll_fd;
    pthread_mutex_t lock; /* of the next six */
    pthread_cond_t changed;
    struct batch *first, *last;
    size_t num_waiting; /* jobs not taken */
    size_t num_idle;    /* threads that wait for a change */
    bool is_reading;    /* a thread reads the lanes */
    _Atomic uint64_t signatures, failures;
    _Atomic unsigned failures_in_a_row;
};

/* struct worker is one thread. */
struct worker {
    struct workers *shared;
    struct object_session session;
    pthread_t thread;
    int lane; /* that |results| are for; NO_LANE: there are none */
    uint64_t first_result_ns;
    struct mg_buffer results;
    uint8_t results_storage[WIRE_TOKEN_MAX_PACKET];
    uint8_t read_storage[WIRE_TOKEN_MAX_PACKET];
};

void token_end(enum token_exit code, const char *why)
{
    if (code != TOKEN_EXIT_DONE) {
        mg_log_error("ending: %s", why);
    }
    _exit(code);
}

/* Results */

static void flush(struct worker *worker)
{
    if (worker->lane == NO_LANE) {
        return;
    }
    ssize_t sent = send(worker->lane, worker->results.data, worker->results.len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EPIPE && errno != ECONNRESET) { /* a signing thread that ended needs no results */
        token_end(TOKEN_EXIT_BROKEN, "results cannot be sent");
    }
    worker->lane = NO_LANE;
}

/* keep_result has |result| sent on |lane|, sooner or later. */
static void keep_result(struct worker *worker, int lane, const struct wire_token_result *result)
{
    for (;;) {
        if (worker->lane != lane) {
            flush(worker);
            mg_buffer_clear(&worker->results);
            wire_token_begin_signed(&worker->results);
            worker->lane = lane;
            worker->first_result_ns = mg_clock_monotonic_ns();
        }
        if (wire_token_add_signed(&worker->results, result)) {
            break;
        }
        flush(worker);
    }
    if (mg_clock_monotonic_ns() - worker->first_result_ns >= WORKERS_KEEP_NS) {
        flush(worker);
    }
}

/* count_result ends the process where |error| leaves no hope. */
static void count_result(struct workers *shared, enum wire_token_status status, const struct token_error *error)
{
    if (status == WIRE_TOKEN_OK) {
        atomic_fetch_add_explicit(&shared->signatures, 1, memory_order_relaxed);
        atomic_store_explicit(&shared->failures_in_a_row, 0, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&shared->failures, 1, memory_order_relaxed);
    enum token_trouble trouble = token_trouble_of(error->rv);
    if (trouble == TOKEN_TROUBLE_LOST) {
        token_end(TOKEN_EXIT_LOST, error->why.text);
    }
    if (trouble == TOKEN_TROUBLE_SOME &&
        atomic_fetch_add_explicit(&shared->failures_in_a_row, 1, memory_order_relaxed) + 1 >= WORKERS_MAX_FAILURES) {
        token_end(TOKEN_EXIT_FAILING, error->why.text);
    }
}

/* Signing */

static void sign_job(struct worker *worker, struct batch *batch, size_t index)
{
    uint8_t signature[WIRE_TOKEN_MAX_SIGNATURE];
    size_t len = 0;
    struct token_error error = batch->error;
    enum wire_token_status status = batch->status;
    if (batch->key != NULL) {
        status = token_sign(&worker->session, batch->key->handle, batch->key->type, batch->sign.digest,
                            batch->sign.jobs[index].octets, signature, &len, &error);
    }
    count_result(worker->shared, status, &error);
    if (status != WIRE_TOKEN_OK && batch->key != NULL) {
        token_keys_forget(worker->shared->config.keys, &batch->key->ref.id); /* its handle may have grown stale */
    }
    struct wire_token_result result = {.id = batch->sign.jobs[index].id,
                                       .status = status,
                                       .rv = (uint32_t)error.rv,
                                       .signature = mg_slice_of(signature, status == WIRE_TOKEN_OK ? len : 0)};
    keep_result(worker, batch->lane, &result);
}

/* take_job takes the oldest job, with the lock held; there is one. */
static struct batch *take_job(struct workers *shared, size_t *index)
{
    struct batch *batch = shared->first;
    *index = batch->next_job++;
    shared->num_waiting--;
    if (batch->next_job == batch->sign.num_jobs) {
        shared->first = batch->next;
        if (shared->first == NULL) {
            shared->last = NULL;
        }
    }
    return batch;
}

static void free_batch(struct batch *batch)
{
    token_key_release(batch->key);
    free(batch);
}

/* work signs one job; the lock is held before and after. */
static void work(struct worker *worker)
{
    struct workers *shared = worker->shared;
    size_t index;
    struct batch *batch = take_job(shared, &index);
    pthread_mutex_unlock(&shared->lock);
    sign_job(worker, batch, index);
    pthread_mutex_lock(&shared->lock);
    if (--batch->num_left == 0) {
        pthread_mutex_unlock(&shared->lock);
        free_batch(batch);
        pthread_mutex_lock(&shared->lock);
    }
}

/* Reading */

static struct batch *new_batch(struct worker *worker, int lane, struct mg_slice packet)
{
    struct workers *shared = worker->shared;
    struct batch *batch = malloc(sizeof(*batch) + packet.len);
    struct mg_error error;
    if (batch == NULL) {
        token_end(TOKEN_EXIT_BROKEN, "no memory for a batch");
    }
    memcpy(batch->packet, packet.data, packet.len);
    batch->next = NULL;
    batch->lane = lane;
    batch->next_job = 0;
    batch->error = (struct token_error){.rv = CKR_OK};
    if (wire_token_decode_sign(mg_slice_of(batch->packet, packet.len), &batch->sign, &error) != MG_OK) {
        token_end(TOKEN_EXIT_BROKEN, error.text);
    }
    batch->num_left = batch->sign.num_jobs;
    batch->status =
        token_keys_find(shared->config.keys, &worker->session, &batch->sign.key, &batch->key, &batch->error);
    if (batch->status != WIRE_TOKEN_OK) {
        batch->key = NULL;
    }
    return batch;
}

/* read_lane returns the packet that waits on |lane| as a batch; NULL if there is none. */
static struct batch *read_lane(struct worker *worker, int lane)
{
    ssize_t len = recv(lane, worker->read_storage, sizeof(worker->read_storage), MSG_DONTWAIT | MSG_TRUNC);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return NULL;
    }
    if (len <= 0) { /* the signer's thread has ended */
        (void)epoll_ctl(worker->shared->epoll_fd, EPOLL_CTL_DEL, lane, NULL);
        return NULL;
    }
    if ((size_t)len > sizeof(worker->read_storage)) {
        token_end(TOKEN_EXIT_BROKEN, "a packet is over the limit");
    }
    return new_batch(worker, lane, mg_slice_of(worker->read_storage, (size_t)len));
}

static void append(struct workers *shared, struct batch *batch)
{
    if (shared->last != NULL) {
        shared->last->next = batch;
    } else {
        shared->first = batch;
    }
    shared->last = batch;
    shared->num_waiting += batch->sign.num_jobs;
}

/* wake_idle wakes as many threads as there are jobs besides this thread's next one, and one to read. */
static void wake_idle(struct workers *shared)
{
    size_t wanted = shared->num_waiting < shared->num_idle ? shared->num_waiting : shared->num_idle;
    for (size_t i = 0; i < wanted; i++) {
        pthread_cond_signal(&shared->changed);
    }
}

/* read_lanes reads a packet of each lane that has one, and waits for one if there is nothing to sign. The lock is held
 * before and after, not meanwhile. */
static void read_lanes(struct worker *worker)
{
    struct workers *shared = worker->shared;
    struct epoll_event events[WIRE_TOKEN_MAX_LANES];
    struct batch *read[WIRE_TOKEN_MAX_LANES];
    int timeout_ms = shared->num_waiting == 0 ? -1 : 0;
    size_t num_read = 0;
    shared->is_reading = true;
    pthread_mutex_unlock(&shared->lock);
    if (timeout_ms != 0) {
        flush(worker);
    }
    int count = epoll_wait(shared->epoll_fd, events, (int)MG_ARRAY_LEN(events), timeout_ms);
    for (int i = 0; i < count; i++) {
        struct batch *batch = read_lane(worker, events[i].data.fd);
        if (batch != NULL) {
            read[num_read++] = batch;
        }
    }
    pthread_mutex_lock(&shared->lock);
    shared->is_reading = false;
    for (size_t i = 0; i < num_read; i++) {
        append(shared, read[i]);
    }
    wake_idle(shared);
}

/* The thread */

static void wait_for_change(struct worker *worker)
{
    struct workers *shared = worker->shared;
    pthread_mutex_unlock(&shared->lock);
    flush(worker);
    pthread_mutex_lock(&shared->lock);
    if (shared->num_waiting == 0 && shared->is_reading) {
        shared->num_idle++;
        pthread_cond_wait(&shared->changed, &shared->lock);
        shared->num_idle--;
    }
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    struct workers *shared = worker->shared;
    pthread_mutex_lock(&shared->lock);
    for (;;) {
        if (!shared->is_reading && shared->num_waiting < shared->config.num_sessions) {
            read_lanes(worker);
        }
        if (shared->num_waiting > 0) {
            work(worker);
        } else {
            wait_for_change(worker);
        }
    }
    return NULL;
}

static enum wire_token_status start_worker(struct workers *shared, struct token_error *error)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return token_error_set(error, WIRE_TOKEN_FAILED, CKR_OK, "no memory for a thread");
    }
    worker->shared = shared;
    worker->lane = NO_LANE;
    worker->session.functions = shared->config.token->functions;
    mg_buffer_wrap(&worker->results, worker->results_storage, sizeof(worker->results_storage));
    enum wire_token_status status = token_new_session(shared->config.token, &worker->session.session, error);
    if (status == WIRE_TOKEN_OK && pthread_create(&worker->thread, NULL, run, worker) != 0) {
        status = token_error_set(error, WIRE_TOKEN_FAILED, CKR_OK, "cannot start a thread");
    }
    if (status != WIRE_TOKEN_OK) {
        free(worker);
    }
    return status;
}

static enum wire_token_status watch_lanes(struct workers *shared, struct token_error *error)
{
    shared->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < shared->config.num_lanes; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = shared->config.lanes[i]};
        if (shared->epoll_fd < 0 || epoll_ctl(shared->epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event) != 0) {
            return token_error_set(error, WIRE_TOKEN_FAILED, CKR_OK, "cannot wait for signing sockets: %s",
                                   strerror(errno));
        }
    }
    return WIRE_TOKEN_OK;
}

enum wire_token_status workers_start(struct workers **out, const struct workers_config *config, size_t *num_sessions,
                                     struct token_error *error)
{
    struct workers *shared = calloc(1, sizeof(*shared));
    if (shared == NULL) {
        return token_error_set(error, WIRE_TOKEN_FAILED, CKR_OK, "no memory for threads");
    }
    shared->config = *config;
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->changed, NULL);
    enum wire_token_status status = watch_lanes(shared, error);
    *num_sessions = 0;
    while (status == WIRE_TOKEN_OK && *num_sessions < config->num_sessions) {
        status = start_worker(shared, error);
        *num_sessions += status == WIRE_TOKEN_OK ? 1 : 0;
    }
    if (*num_sessions == 0) {
        return status; /* and the process ends */
    }
    *out = shared;
    return WIRE_TOKEN_OK;
}

struct wire_token_health workers_health(struct workers *workers)
{
    return (struct wire_token_health){
        .signatures = atomic_load_explicit(&workers->signatures, memory_order_relaxed),
        .failures = atomic_load_explicit(&workers->failures, memory_order_relaxed),
    };
}
