/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/session_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <openssl/err.h>
#include <rte_lcore.h>

#include "base/log.h"
#include "dataplane/hello/hello_record.h"
#include "dataplane/worker/worker.h"

#define EVENTS_PER_TURN 128
#define TAKEOVERS_PER_TURN 64
#define WHEEL_TICK_NS (20 * MG_NS_PER_MS)
#define TIMERS_PER_TURN 256
#define MAX_WAIT_MS 100

/* epoll's word for what is no half of a session. */
static char bell_token, minter_token;

static void take_issuers(void *arg, const struct wire_issuers *issuers)
{
    struct session_thread *thread = arg;
    issuers_update(thread->dataplane->issuers, issuers, mg_clock_wall_seconds());
}

/* ---- life ---- */

static bool watch(struct session_thread *thread, int fd, void *token)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = token};
    return epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static enum mg_status make_sessions(struct session_thread *thread)
{
    uint64_t share = thread->dataplane->config->sessions.max / thread->dataplane->num_session_threads;
    thread->num_places = (uint32_t)(share == 0 ? 1 : share);
    thread->sessions = calloc(thread->num_places, sizeof(*thread->sessions));
    thread->chunk = malloc(RELAY_CHUNK);
    thread->hello_bytes = malloc(SESSION_HELLO_MAX);
    thread->hello_scratch = malloc(HELLO_RECORD_MAX_MESSAGE);
    if (thread->sessions == NULL || thread->chunk == NULL || thread->hello_bytes == NULL ||
        thread->hello_scratch == NULL) {
        return MG_MEMORY;
    }
    for (uint32_t i = 0; i < thread->num_places; i++) {
        struct session *session = &thread->sessions[i];
        session->thread = thread;
        session->index = i;
        session->next = thread->free_sessions;
        thread->free_sessions = session;
    }
    return MG_OK;
}

static enum mg_status make_minter(struct session_thread *thread, struct mg_error *error)
{
    const struct config *config = thread->dataplane->config;
    const struct mint_client_options options = {
        .socket_path = config->signer.engine_socket,
        .leaf_keys = thread->dataplane->leaf_keys,
        .max_jobs = config->minting.pending,
        .timeout_ns = config->minting.timeout_ns,
        .max_validity_seconds = (int64_t)config->minting.max_validity_seconds,
    };
    const struct mint_client_callbacks callbacks = {.issuers = take_issuers, .arg = thread};
    return mint_client_new(&thread->minter, &options, &callbacks, error);
}

enum mg_status session_thread_new(struct session_thread **out, struct dataplane *dataplane, unsigned index,
                                  struct mg_error *error)
{
    struct session_thread *thread = aligned_alloc(64, (sizeof(*thread) + 63) & ~(size_t)63);
    if (thread == NULL) {
        return mg_error_set(error, MG_MEMORY, "session thread: out of memory");
    }
    memset(thread, 0, sizeof(*thread));
    thread->dataplane = dataplane;
    thread->index = index;
    thread->log = session_log_channel(dataplane->log, dataplane->num_workers + index);
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    enum mg_status status = make_sessions(thread);
    if (status == MG_OK) {
        status = make_minter(thread, error);
    } else {
        (void)mg_error_set(error, status, "session thread: no memory for %u sessions", thread->num_places);
    }
    if (status == MG_OK &&
        (thread->epoll_fd < 0 || !doorbell_open(&thread->bell) || !watch(thread, thread->bell.fd, &bell_token) ||
         !watch(thread, mint_client_fd(thread->minter), &minter_token))) {
        status = mg_error_errno(error, "session thread: no descriptors");
    }
    if (status != MG_OK) {
        session_thread_free(thread);
        return status;
    }
    *out = thread;
    return MG_OK;
}

void session_thread_free(struct session_thread *thread)
{
    mint_client_free(thread->minter);
    if (thread->bell.fd > 0) {
        close(thread->bell.fd);
    }
    if (thread->epoll_fd >= 0) {
        close(thread->epoll_fd);
    }
    free(thread->sessions);
    free(thread->chunk);
    free(thread->hello_bytes);
    free(thread->hello_scratch);
    free(thread);
}

/* ---- one turn ---- */

static unsigned take_takeovers(struct session_thread *thread)
{
    unsigned num_taken = 0;
    for (unsigned i = 0; i < thread->dataplane->num_workers; i++) {
        void *takeovers[TAKEOVERS_PER_TURN];
        unsigned num = rte_ring_sc_dequeue_burst(worker_takeovers(thread->dataplane->workers[i], thread->index),
                                                 takeovers, TAKEOVERS_PER_TURN, NULL);
        for (unsigned j = 0; j < num; j++) {
            enum cpu_stage before = session_cpu_enter(thread, CPU_STAGE_TAKEOVER);
            session_begin(thread, takeovers[j]);
            session_cpu_enter(thread, before);
        }
        num_taken += num;
    }
    return num_taken;
}

static bool takeovers_waiting(const struct session_thread *thread)
{
    for (unsigned i = 0; i < thread->dataplane->num_workers; i++) {
        if (!rte_ring_empty(worker_takeovers(thread->dataplane->workers[i], thread->index))) {
            return true;
        }
    }
    return false;
}

static void take_mails(struct session_thread *thread)
{
    for (struct mail *mail = mailbox_take(&thread->mailbox); mail != NULL;) {
        struct mail *next = mail->next;
        leaf_woken(thread, mail);
        mail = next;
    }
}

static void handle_half(struct session_half *half, uint32_t events)
{
    if ((events & EPOLLIN) != 0) {
        half->bio.readable = true;
    }
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        half->bio.readable = half->bio.hung_up = true;
    }
    if ((events & EPOLLOUT) != 0) {
        half->bio.write_blocked = false;
    }
    if (half->session->state != SESSION_ENDED) {
        session_advance(half->session);
    }
}

static void handle_events(struct session_thread *thread, const struct epoll_event *events, int num)
{
    for (int i = 0; i < num; i++) {
        void *token = events[i].data.ptr;
        if (token == &bell_token) {
            doorbell_drain(&thread->bell);
        } else if (token != &minter_token) { /* which is processed in every turn */
            handle_half(token, events[i].events);
        }
    }
}

static void run_ready(struct session_thread *thread)
{
    struct session *session = thread->ready;
    thread->ready = NULL;
    while (session != NULL) {
        struct session *next = session->next;
        session->queued = false;
        if (session->state == SESSION_ENDED) { /* while it was in this list */
            session->next = thread->ended;
            thread->ended = session;
        } else {
            session_advance(session);
        }
        session = next;
    }
}

static void free_ended(struct session_thread *thread)
{
    while (thread->ended != NULL) {
        struct session *session = thread->ended;
        thread->ended = session->next;
        session_free(session);
    }
}

static void read_clocks(struct session_thread *thread)
{
    thread->now_ns = mg_clock_monotonic_ns();
    thread->now_wall = mg_clock_wall_seconds();
}

/* wait_ms is how long the loop may sleep. */
static int wait_ms(const struct session_thread *thread)
{
    uint64_t until_ns = mint_client_next_timeout_ns(thread->minter);
    uint64_t latest_ns = thread->now_ns + MAX_WAIT_MS * MG_NS_PER_MS;
    if (thread->wheel.num_timers > 0) {
        latest_ns = thread->now_ns + WHEEL_TICK_NS;
    }
    until_ns = until_ns < latest_ns ? until_ns : latest_ns;
    return mg_clock_wait_ms(thread->now_ns, until_ns);
}

static int wait_for_events(struct session_thread *thread, struct epoll_event *events)
{
    doorbell_prepare(&thread->bell);
    bool work = thread->ready != NULL || takeovers_waiting(thread) || !mailbox_empty(&thread->mailbox);
    int timeout = work ? 0 : wait_ms(thread);
    mg_rcu_offline();
    int num = epoll_wait(thread->epoll_fd, events, EVENTS_PER_TURN, timeout);
    mg_rcu_online();
    doorbell_awake(&thread->bell);
    return num;
}

static void turn(struct session_thread *thread)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int num = wait_for_events(thread, events);
    read_clocks(thread);
    handle_events(thread, events, num);
    take_takeovers(thread);
    enum cpu_stage before = session_cpu_enter(thread, CPU_STAGE_MINT);
    mint_client_process(thread->minter, thread->now_ns);
    take_mails(thread);
    session_cpu_enter(thread, before);
    run_ready(thread);
    (void)wheel_expire(&thread->wheel, thread->now_ns, TIMERS_PER_TURN, session_timer, thread);
    session_cpu_enter(thread, CPU_STAGE_MINT);
    mint_client_flush(thread->minter, thread->now_ns);
    session_cpu_enter(thread, before);
    free_ended(thread);
    if (stage_cpu_due(&thread->cpu)) {
        stage_cpu_settle(&thread->cpu, mg_clock_thread_cpu_ns());
    }
}

static void end_all(struct session_thread *thread)
{
    for (uint32_t i = 0; i < thread->num_places; i++) {
        struct session *session = &thread->sessions[i];
        if (session->state != SESSION_FREE && session->state != SESSION_ENDED) {
            session_end(session, false);
        }
    }
    free_ended(thread);
}

static void *session_thread_main(void *arg)
{
    struct session_thread *thread = arg;
    struct mg_error error;
    char name[16];
    snprintf(name, sizeof(name), "session-%u", thread->index);
    pthread_setname_np(pthread_self(), name);
    enum mg_status status = stack_enter(&thread->dataplane->stack, &error);
    if (status == MG_OK && mg_rcu_thread_start() != MG_OK) {
        status = mg_error_set(&error, MG_LIMIT, "too many RCU threads");
    }
    thread->start_status = status;
    thread->start_error = error;
    sem_post(&thread->started);
    if (status != MG_OK) {
        return NULL;
    }
    read_clocks(thread);
    wheel_init(&thread->wheel, WHEEL_TICK_NS, thread->now_ns);
    stage_cpu_begin(&thread->cpu, rte_get_tsc_hz(), rte_rdtsc());
    while (!atomic_load_explicit(&thread->dataplane->stop_sessions, memory_order_relaxed)) {
        turn(thread);
    }
    end_all(thread);
    mint_client_free(thread->minter);
    thread->minter = NULL;
    take_mails(thread);
    socket_buffers_free(&thread->buffers);
    mg_rcu_thread_stop();
    return NULL;
}

enum mg_status session_thread_start(struct session_thread *thread, struct mg_error *error)
{
    sem_init(&thread->started, 0, 0);
    if (pthread_create(&thread->thread, NULL, session_thread_main, thread) != 0) {
        return mg_error_set(error, MG_INTERNAL, "cannot start session thread %u", thread->index);
    }
    while (sem_wait(&thread->started) != 0) {
    }
    if (thread->start_status != MG_OK) {
        pthread_join(thread->thread, NULL);
        *error = thread->start_error;
    }
    return thread->start_status;
}

void session_thread_join(struct session_thread *thread)
{
    pthread_join(thread->thread, NULL);
}

/* ---- for other threads ---- */

void session_thread_ring(struct session_thread *thread)
{
    doorbell_ring(&thread->bell);
}

uint32_t session_thread_count(const struct session_thread *thread)
{
    return atomic_load_explicit(&thread->num_sessions, memory_order_relaxed);
}

const struct counters *session_thread_counters(const struct session_thread *thread)
{
    return &thread->counters;
}

const struct stage_cpu *session_thread_cpu(const struct session_thread *thread)
{
    return &thread->cpu;
}

const struct mint_client_counters *session_thread_mint_counters(const struct session_thread *thread)
{
    return mint_client_counters(thread->minter);
}
