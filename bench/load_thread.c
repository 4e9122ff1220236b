/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load_thread.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/json.h"
#include "bench/load_tls.h"
#include "bench/split_mix.h"

atomic_bool load_stop;

static void append_digest(struct mg_buffer *out, const char *key, const struct digest *digest)
{
    mg_buffer_append_format(out, "\"%s\": \"", key);
    for (size_t i = 0; i < sizeof(digest->bytes); i++) {
        mg_buffer_append_format(out, "%02x", digest->bytes[i]);
    }
    mg_buffer_append_text(out, "\", ");
}

static double seconds_into(const struct load_thread *thread, uint64_t when_ns)
{
    return (double)(when_ns - thread->start_ns) / (double)MG_NS_PER_SECOND;
}

static void write_record(const struct load_thread *thread, const struct load_conn *conn,
                         const struct tally_record *record)
{
    char storage[1024], name[LOAD_MAX_NAME + 1];
    struct mg_buffer line;
    mg_buffer_wrap(&line, storage, sizeof(storage));
    load_options_name(thread->options, conn->name_index, name);
    mg_buffer_append_format(&line, "{\"index\": %" PRIu64 ", \"name\": ", conn->index);
    mg_json_quote(&line, name);
    mg_buffer_append_text(&line, ", \"result\": ");
    mg_json_quote(&line, record->result);
    mg_buffer_append_text(&line, ", ");
    append_digest(&line, "leaf", &conn->seen.leaf);
    append_digest(&line, "issuer", &conn->seen.issuer);
    mg_buffer_append_format(
        &line,
        "\"resumed\": %s, \"intended_s\": %.6f, \"finished_s\": %.6f, \"lag_us\": %" PRIu64 ", \"connect_us\": %" PRIu64
        ", \"handshake_us\": %" PRIu64 ", \"total_us\": %" PRIu64 "}\n",
        record->resumed ? "true" : "false", seconds_into(thread, conn->intended_ns), record->finished_at,
        record->lag_us, record->connect_us, record->handshake_us, record->total_us);
    fwrite(line.data, 1, line.len, thread->records); /* locks; one line is one call */
}

static void unlink_conn(struct load_thread *thread, struct load_conn *conn)
{
    *(conn->previous != NULL ? &conn->previous->next : &thread->oldest) = conn->next;
    *(conn->next != NULL ? &conn->next->previous : &thread->newest) = conn->previous;
}

static void append_conn(struct load_thread *thread, struct load_conn *conn)
{
    conn->previous = thread->newest;
    *(thread->newest != NULL ? &thread->newest->next : &thread->oldest) = conn;
    thread->newest = conn;
}

static void finished(struct load_conn *conn, const struct tally_record *seen)
{
    struct load_thread *thread = MG_CONTAINER_OF(conn->shared, struct load_thread, shared);
    struct tally_record record = *seen;
    thread->finished_ns = mg_clock_monotonic_ns();
    record.finished_at = seconds_into(thread, thread->finished_ns);
    tally_add(&thread->tally, &record);
    if (thread->records != NULL) {
        write_record(thread, conn, &record);
    }
    unlink_conn(thread, conn);
    thread->in_flight--;
}

static void drain_timer(struct loop_source *source, uint32_t events)
{
    uint64_t expirations;
    (void)events;
    (void)!read(source->fd, &expirations, sizeof(expirations));
}

enum mg_status load_thread_init(struct load_thread *thread, struct mg_error *error)
{
    const struct load_options *options = thread->options;
    thread->timer = (struct loop_source){.fd = -1, .ready = drain_timer};
    thread->random = options->seed * options->threads + thread->number;
    thread->next_index = thread->number;
    thread->max_in_flight =
        options->in_flight / options->threads + (thread->number < options->in_flight % options->threads);
    enum mg_status status = loop_init(&thread->loop, error);
    if (status != MG_OK) {
        return status;
    }
    thread->timer =
        (struct loop_source){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), .ready = drain_timer};
    if (thread->timer.fd < 0) {
        return mg_error_errno(error, "cannot make a timer");
    }
    loop_watch(&thread->loop, &thread->timer, EPOLLIN);
    thread->shared = (struct load_shared){
        .options = options,
        .loop = &thread->loop,
        .tally = &thread->tally,
        .ctx = load_tls_context_new(options, error),
        .scratch = thread->scratch,
        .finished = finished,
    };
    if (thread->shared.ctx == NULL) {
        return MG_INVALID;
    }
    if (options->resume) {
        SSL_CTX_sess_set_new_cb(thread->shared.ctx, load_conn_keep_session);
        if (!load_sessions_init(&thread->shared.sessions, load_options_num_names(options))) {
            return mg_error_set(error, MG_MEMORY, "--resume: no memory for so many names");
        }
    }
    return MG_OK;
}

void load_thread_free(struct load_thread *thread)
{
    load_sessions_free(&thread->shared.sessions);
    SSL_CTX_free(thread->shared.ctx);
    loop_close(&thread->timer);
    loop_free(&thread->loop);
    tally_free(&thread->tally);
}

/* schedule_next sets when connection |next_index| is due. Without a rate it is due as soon as there is room. */
static void schedule_next(struct load_thread *thread)
{
    const struct load_options *options = thread->options;
    if (options->rate == 0) {
        return;
    }
    if (options->poisson) {
        /* Each thread is a Poisson process of its share of the rate; together they are one of the whole. */
        double gap = -log(split_mix_unit(&thread->random)) * options->threads / options->rate;
        thread->next_ns += (uint64_t)(gap * (double)MG_NS_PER_SECOND);
    } else {
        double offset = (double)thread->next_index / options->rate;
        thread->next_ns = thread->start_ns + (uint64_t)(offset * (double)MG_NS_PER_SECOND);
    }
}

static bool all_started(const struct load_thread *thread, uint64_t now_ns)
{
    const struct load_options *options = thread->options;
    return atomic_load(&load_stop) || thread->next_index >= options->connections ||
           (options->max_seconds > 0 && now_ns - thread->start_ns >= options->max_seconds * MG_NS_PER_SECOND);
}

static void start_one(struct load_thread *thread, uint64_t intended_ns)
{
    uint64_t index = thread->next_index;
    struct load_conn *conn =
        load_conn_new(&thread->shared, index, load_options_name_index(thread->options, index), intended_ns);
    if (conn == NULL) {
        perror("connection");
        abort();
    }
    thread->next_index += thread->options->threads;
    schedule_next(thread);
    append_conn(thread, conn);
    thread->in_flight++;
    load_conn_start(conn);
}

static void start_due(struct load_thread *thread)
{
    uint64_t now_ns = mg_clock_monotonic_ns();
    while (thread->in_flight < thread->max_in_flight && thread->next_ns <= now_ns && !all_started(thread, now_ns)) {
        start_one(thread, thread->options->rate > 0 ? thread->next_ns : now_ns);
        now_ns = mg_clock_monotonic_ns();
    }
}

static uint64_t deadline_of(const struct load_thread *thread, const struct load_conn *conn)
{
    return conn->started_ns + thread->options->timeout_seconds * MG_NS_PER_SECOND;
}

static void expire_old(struct load_thread *thread)
{
    uint64_t now_ns = mg_clock_monotonic_ns();
    while (thread->oldest != NULL && deadline_of(thread, thread->oldest) <= now_ns) {
        load_conn_expire(thread->oldest);
    }
}

/* set_timer wakes the loop when the next connection is due: a timer, since epoll_wait knows milliseconds only. */
static void set_timer(struct load_thread *thread)
{
    struct itimerspec when = {.it_value = {.tv_sec = 0}};
    if (thread->options->rate > 0 && thread->in_flight < thread->max_in_flight) {
        when.it_value.tv_sec = (time_t)(thread->next_ns / MG_NS_PER_SECOND);
        when.it_value.tv_nsec = (long)(thread->next_ns % MG_NS_PER_SECOND);
    }
    timerfd_settime(thread->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int wait_ms(const struct load_thread *thread)
{
    if (thread->oldest == NULL) {
        return -1; /* the timer wakes us */
    }
    uint64_t now_ns = mg_clock_monotonic_ns(), deadline_ns = deadline_of(thread, thread->oldest);
    return deadline_ns <= now_ns ? 0 : (int)((deadline_ns - now_ns) / MG_NS_PER_MS) + 1;
}

/* count_not_started counts what was due before the end and got no room: left out of the latencies, and so of no less
 * weight in the report. */
static void count_not_started(struct load_thread *thread, uint64_t end_ns)
{
    const struct load_options *options = thread->options;
    while (options->rate > 0 && thread->next_index < options->connections && thread->next_ns < end_ns) {
        tally_add_not_started(&thread->tally, (end_ns - thread->next_ns) / MG_NS_PER_US);
        thread->next_index += options->threads;
        schedule_next(thread);
    }
}

void *load_thread_run(void *arg)
{
    struct load_thread *thread = arg;
    thread->next_ns = thread->start_ns;
    schedule_next(thread);
    for (bool done = false;;) {
        start_due(thread);
        uint64_t now_ns = mg_clock_monotonic_ns();
        if (!done && all_started(thread, now_ns)) {
            done = true;
            count_not_started(thread, now_ns);
        }
        if (done && thread->in_flight == 0) {
            return NULL;
        }
        if (!done && thread->options->rate > 0) {
            set_timer(thread);
        }
        loop_run_once(&thread->loop, wait_ms(thread));
        expire_old(thread);
    }
}
