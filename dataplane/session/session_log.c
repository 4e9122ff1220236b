/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/session/session_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"

/* How often the writer looks: records may be seen that much later, and nobody has to wake it. */
#define POLL_US 20000
#define MAX_WRITE (256 * 1024)

/* A ring of records in place: the producer fills at |head|, the writer empties at |tail|. */
struct session_log_channel {
    struct session_record *records;
    unsigned num_records;                   /* a power of two */
    _Atomic unsigned head MG_CACHE_ALIGNED; /* producer: rw, writer: ro */
    _Atomic unsigned tail MG_CACHE_ALIGNED; /* writer: rw, producer: ro */
    _Atomic unsigned written;               /* so far in the file; writer: rw, metrics: ro */
};

struct session_log {
    const char *path;
    int fd;
    bool in_line;                   /* what was written last is not the end of a record */
    bool failing;                   /* the last write did */
    struct mg_counter write_errors; /* writer: rw, metrics: ro */
    pthread_t writer;
    _Atomic bool stop;
    _Atomic bool reopen;
    unsigned num_channels;
    struct session_log_channel *channels;
    struct mg_buffer text;
};

static enum mg_status open_file(struct session_log *log, struct mg_error *error)
{
    if (log->path[0] == '\0') {
        return MG_OK;
    }
    int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        return mg_error_errno(error, "sessions.log: cannot open %s", log->path);
    }
    if (log->fd >= 0) {
        close(log->fd);
    }
    log->fd = fd;
    log->in_line = false;
    return MG_OK;
}

/* note_failing says once that records are lost, and once that they no longer are. */
static void note_failing(struct session_log *log, bool failing)
{
    if (failing && !log->failing) {
        mg_log_error("session log: cannot write %s: %s; records are lost", log->path, strerror(errno));
    } else if (!failing && log->failing) {
        mg_log_info("session log: %s can be written again", log->path);
    }
    log->failing = failing;
    if (failing) {
        mg_counter_add(&log->write_errors, 1);
    }
}

static bool write_bytes(struct session_log *log, struct mg_slice bytes)
{
    while (bytes.len > 0) {
        ssize_t len = write(log->fd, bytes.data, bytes.len);
        if (len < 0 && errno != EINTR) {
            note_failing(log, true);
            return false;
        }
        if (len > 0) {
            note_failing(log, false);
            log->in_line = bytes.data[len - 1] != '\n';
            bytes.data += len;
            bytes.len -= (size_t)len;
        }
    }
    return true;
}

static void write_text(struct session_log *log)
{
    struct mg_slice text = mg_buffer_slice(&log->text);
    /* A record that was cut when the disk was full ends before the next one begins. */
    if (text.len > 0 && (!log->in_line || write_bytes(log, mg_slice_of_text("\n")))) {
        (void)write_bytes(log, text);
    }
    mg_buffer_clear(&log->text);
}

static void drain_channel(struct session_log *log, struct session_log_channel *channel)
{
    unsigned tail = atomic_load_explicit(&channel->tail, memory_order_relaxed);
    unsigned head = atomic_load_explicit(&channel->head, memory_order_acquire);
    for (; tail != head; tail++) {
        if (log->fd >= 0) {
            session_record_write(&log->text, &channel->records[tail % channel->num_records]);
        }
        atomic_store_explicit(&channel->tail, tail + 1, memory_order_release);
        if (log->text.len > MAX_WRITE / 2) {
            write_text(log);
        }
    }
}

static void drain(struct session_log *log)
{
    for (unsigned i = 0; i < log->num_channels; i++) {
        drain_channel(log, &log->channels[i]);
    }
    write_text(log);
    for (unsigned i = 0; i < log->num_channels; i++) {
        struct session_log_channel *channel = &log->channels[i];
        atomic_store_explicit(&channel->written, atomic_load_explicit(&channel->tail, memory_order_relaxed),
                              memory_order_relaxed);
    }
}

static void *writer_main(void *arg)
{
    struct session_log *log = arg;
    pthread_setname_np(pthread_self(), "session-log");
    bool stop;
    do {
        stop = atomic_load_explicit(&log->stop, memory_order_acquire);
        if (atomic_exchange_explicit(&log->reopen, false, memory_order_acquire)) {
            struct mg_error error;
            if (open_file(log, &error) != MG_OK) {
                mg_log_error("%s; the old file is kept", error.text);
            }
        }
        drain(log);
        if (!stop) {
            usleep(POLL_US);
        }
    } while (!stop);
    return NULL;
}

static enum mg_status make_channels(struct session_log *log, unsigned num_channels, unsigned max_records)
{
    unsigned each = 1;
    while (each * 2 <= max_records / num_channels) {
        each *= 2;
    }
    log->channels = aligned_alloc(64, num_channels * sizeof(*log->channels));
    if (log->channels == NULL) {
        return MG_MEMORY;
    }
    log->num_channels = num_channels;
    memset(log->channels, 0, num_channels * sizeof(*log->channels));
    for (unsigned i = 0; i < num_channels; i++) {
        log->channels[i].num_records = each;
        log->channels[i].records = calloc(each, sizeof(struct session_record));
        if (log->channels[i].records == NULL) {
            return MG_MEMORY;
        }
    }
    return MG_OK;
}

static void release(struct session_log *log)
{
    for (unsigned i = 0; i < log->num_channels; i++) {
        free(log->channels[i].records);
    }
    free(log->channels);
    mg_buffer_free(&log->text);
    if (log->fd >= 0) {
        close(log->fd);
    }
    free(log);
}

enum mg_status session_log_new(struct session_log **out, const char *path, unsigned num_channels, unsigned max_records,
                               struct mg_error *error)
{
    struct session_log *log = calloc(1, sizeof(*log));
    if (log == NULL) {
        return mg_error_set(error, MG_MEMORY, "session log: out of memory");
    }
    log->path = path;
    log->fd = -1;
    mg_buffer_init(&log->text, MAX_WRITE);
    enum mg_status status = make_channels(log, num_channels, max_records);
    if (status != MG_OK) {
        (void)mg_error_set(error, status, "session log: out of memory");
    } else {
        status = open_file(log, error);
    }
    if (status == MG_OK && pthread_create(&log->writer, NULL, writer_main, log) != 0) {
        status = mg_error_set(error, MG_INTERNAL, "session log: cannot start its thread");
    }
    if (status != MG_OK) {
        release(log);
        return status;
    }
    *out = log;
    return MG_OK;
}

void session_log_free(struct session_log *log)
{
    if (log == NULL) {
        return;
    }
    atomic_store_explicit(&log->stop, true, memory_order_release);
    pthread_join(log->writer, NULL);
    release(log);
}

void session_log_reopen(struct session_log *log)
{
    atomic_store_explicit(&log->reopen, true, memory_order_release);
}

struct session_log_channel *session_log_channel(struct session_log *log, unsigned index)
{
    return &log->channels[index];
}

bool session_log_put(struct session_log_channel *channel, const struct session_record *record)
{
    unsigned head = atomic_load_explicit(&channel->head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(&channel->tail, memory_order_acquire);
    if (head - tail == channel->num_records) {
        return false;
    }
    channel->records[head % channel->num_records] = *record;
    atomic_store_explicit(&channel->head, head + 1, memory_order_release);
    return true;
}

uint64_t session_log_write_errors(const struct session_log *log)
{
    return mg_counter_get(&log->write_errors);
}

uint64_t session_log_queue(const struct session_log *log)
{
    uint64_t num = 0;
    for (unsigned i = 0; i < log->num_channels; i++) {
        const struct session_log_channel *channel = &log->channels[i];
        unsigned written =
            atomic_load_explicit(&channel->written, memory_order_relaxed); /* before |head|, which leads */
        num += atomic_load_explicit(&channel->head, memory_order_acquire) - written;
    }
    return num;
}
