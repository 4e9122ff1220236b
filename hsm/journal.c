/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "hsm/journal_files.h"

/* A turn's worth of the largest TBSCertificates: an IPv6 address of 18 octets there is 42 characters here. */
#define MAX_BATCH_BYTES (64 * 3 * WIRE_SIGNER_MAX_TBS)
#define MAX_HEADER 512

struct journal {
    pthread_mutex_t lock; /* of everything below but the atomics, which are also read without it */
    char directory[PATH_MAX - 32];
    uint64_t rotate_bytes;
    int fd;
    int directory_fd;
    uint64_t file; /* number of the current one */
    uint64_t len;  /* of the current one, up to the last batch that was written whole */
    struct journal_position position;
    EVP_MD_CTX *sha256;
    bool has_rest;    /* a write failed: something may lie behind |len| */
    bool is_dirty;    /* written since the last sync */
    bool sync_failed; /* for good */
    _Atomic bool is_writable;
    struct journal_counters counters;
};

const struct journal_counters *journal_counters(const struct journal *journal)
{
    return &journal->counters;
}

bool journal_is_writable(const struct journal *journal)
{
    return atomic_load_explicit(&journal->is_writable, memory_order_relaxed);
}

static void log_position(const struct journal *journal, const char *what)
{
    char chain[JOURNAL_HEX_LEN + 1];
    journal_hex(chain, journal->position.chain, JOURNAL_HASH_LEN);
    mg_log_info("issuance journal: %s file %" PRIu64 " at batch %" PRIu64 ", chain value %s", what, journal->file,
                journal->position.batch, chain);
}

/* Writing */

/* cut_rest removes what a failed write may have left behind the last whole batch. */
static enum mg_status cut_rest(struct journal *journal, struct mg_error *error)
{
    if (journal->has_rest && ftruncate(journal->fd, (off_t)journal->len) != 0) {
        return mg_error_errno(error, "cannot cut an unfinished write off the issuance journal");
    }
    journal->has_rest = false;
    return MG_OK;
}

/* append writes |bytes| behind the last whole batch, all of them or, as seen from there, none. */
static enum mg_status append(struct journal *journal, struct mg_slice bytes, struct mg_error *error)
{
    enum mg_status status = cut_rest(journal, error);
    if (status != MG_OK) {
        return status;
    }
    ssize_t written;
    do {
        written = pwrite(journal->fd, bytes.data, bytes.len, (off_t)journal->len);
    } while (written < 0 && errno == EINTR);
    if (written < 0 || (size_t)written != bytes.len) {
        journal->has_rest = true;
        if (written >= 0) {
            errno = ENOSPC; /* which is why a write to a file is cut short */
        }
        status = mg_error_errno(error, "cannot write the issuance journal");
        struct mg_error ignored;
        (void)cut_rest(journal, &ignored);
        return status;
    }
    journal->len += bytes.len;
    journal->is_dirty = true;
    mg_counter_add(&journal->counters.bytes, bytes.len);
    return MG_OK;
}

static enum mg_status sync_file(const struct journal *journal, struct mg_error *error)
{
    return fdatasync(journal->fd) == 0 ? MG_OK : mg_error_errno(error, "cannot sync the issuance journal");
}

/* begin_file makes file number |file|, the next of the chain, and makes it the current one. On failure the current one
 * stays. */
static enum mg_status begin_file(struct journal *journal, uint64_t file, int64_t now_us, struct mg_error *error)
{
    char path[PATH_MAX];
    uint8_t storage[MAX_HEADER];
    struct mg_buffer header;
    struct journal_position position = journal->position;
    journal_file_path(path, journal->directory, file);
    mg_buffer_wrap(&header, storage, sizeof(storage));
    if (!journal_chain_header(&header, journal->sha256, file, now_us, &position)) {
        return mg_error_set(error, MG_INTERNAL, "cannot make a header of the issuance journal");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return mg_error_errno(error, "cannot create %s", path);
    }
    ssize_t written = write(fd, header.data, header.len);
    if (written != (ssize_t)header.len || fsync(fd) != 0 || fsync(journal->directory_fd) != 0) {
        enum mg_status status = mg_error_errno(error, "cannot write %s", path);
        close(fd);
        unlink(path);
        return status;
    }
    if (journal->fd >= 0) {
        close(journal->fd);
    }
    journal->fd = fd;
    journal->file = file;
    journal->len = header.len;
    journal->position = position;
    mg_counter_add(&journal->counters.files, 1);
    return MG_OK;
}

/* rotate_if_full goes on in a new file once the current one is large enough. */
static enum mg_status rotate_if_full(struct journal *journal, int64_t now_us, struct mg_error *error)
{
    if (journal->len < journal->rotate_bytes) {
        return MG_OK;
    }
    enum mg_status status = cut_rest(journal, error);
    if (status == MG_OK) {
        status = sync_file(journal, error);
    }
    if (status == MG_OK) {
        log_position(journal, "closed");
        status = begin_file(journal, journal->file + 1, now_us, error);
    }
    return status;
}

static enum mg_status commit_locked(struct journal *journal, struct journal_batch *batch,
                                    const uint8_t records_hash[JOURNAL_HASH_LEN], int64_t now_us,
                                    struct mg_error *error)
{
    if (journal->sync_failed) {
        return mg_error_set(error, MG_IO, "the issuance journal could not be synced; restart the signer");
    }
    enum mg_status status = rotate_if_full(journal, now_us, error);
    if (status != MG_OK) {
        return status;
    }
    struct journal_position position = journal->position;
    if (!journal_chain_close(&batch->lines, journal->sha256, batch->num_records, records_hash, &position)) {
        return mg_error_set(error, MG_INTERNAL, "cannot close a batch of the issuance journal");
    }
    status = append(journal, mg_buffer_slice(&batch->lines), error);
    if (status == MG_OK) {
        journal->position = position;
        mg_counter_add(&journal->counters.batches, 1);
        mg_counter_add(&journal->counters.records, batch->num_records);
    }
    return status;
}

enum mg_status journal_commit(struct journal *journal, struct journal_batch *batch, int64_t now_us,
                              struct mg_error *error)
{
    uint8_t records_hash[JOURNAL_HASH_LEN];
    if (EVP_DigestInit_ex2(batch->sha256, NULL, NULL) != 1 ||
        EVP_DigestUpdate(batch->sha256, batch->lines.data, batch->lines.len) != 1 ||
        EVP_DigestFinal_ex(batch->sha256, records_hash, NULL) != 1) {
        return mg_error_set(error, MG_INTERNAL, "cannot hash a batch of the issuance journal");
    }
    pthread_mutex_lock(&journal->lock);
    enum mg_status status = commit_locked(journal, batch, records_hash, now_us, error);
    if (status != MG_OK) {
        mg_counter_add(&journal->counters.write_errors, 1);
    }
    atomic_store_explicit(&journal->is_writable, status == MG_OK, memory_order_relaxed);
    pthread_mutex_unlock(&journal->lock);
    return status;
}

enum mg_status journal_sync(struct journal *journal, struct mg_error *error)
{
    pthread_mutex_lock(&journal->lock);
    /* A descriptor of our own, so that signing goes on, and may rotate, while this one waits for the disk. */
    int fd = journal->is_dirty ? fcntl(journal->fd, F_DUPFD_CLOEXEC, 0) : -1;
    bool failed = journal->is_dirty && fd < 0;
    journal->is_dirty = false;
    pthread_mutex_unlock(&journal->lock);
    if (fd >= 0) {
        failed = fdatasync(fd) != 0;
    }
    enum mg_status status = failed ? mg_error_errno(error, "cannot sync the issuance journal") : MG_OK;
    if (fd >= 0) {
        close(fd);
    }
    if (failed) {
        pthread_mutex_lock(&journal->lock);
        journal->sync_failed = true;
        mg_counter_add(&journal->counters.sync_errors, 1);
        atomic_store_explicit(&journal->is_writable, false, memory_order_relaxed);
        pthread_mutex_unlock(&journal->lock);
    }
    return status;
}

/* Batches */

enum mg_status journal_batch_init(struct journal_batch *batch, struct mg_error *error)
{
    mg_buffer_init(&batch->lines, MAX_BATCH_BYTES);
    batch->num_records = 0;
    memset(&batch->keys, 0, sizeof(batch->keys));
    batch->sha256 = EVP_MD_CTX_new();
    if (batch->sha256 == NULL || EVP_DigestInit_ex2(batch->sha256, EVP_sha256(), NULL) != 1) {
        journal_batch_free(batch);
        return mg_error_set(error, MG_MEMORY, "no memory for the issuance journal");
    }
    return MG_OK;
}

void journal_batch_free(struct journal_batch *batch)
{
    mg_buffer_free(&batch->lines);
    EVP_MD_CTX_free(batch->sha256);
    batch->sha256 = NULL;
}

void journal_batch_start(struct journal_batch *batch, int64_t now_us)
{
    _Static_assert(sizeof(batch->time_text) >= MG_CLOCK_TEXT_LEN, "a time fits");
    mg_buffer_clear(&batch->lines);
    mg_clock_format_us(batch->time_text, now_us);
    batch->num_records = 0;
}

bool journal_batch_add(struct journal_batch *batch, const struct journal_record *record)
{
    batch->num_records++;
    return journal_chain_record(&batch->lines, batch->sha256, &batch->keys, batch->time_text, record);
}

/* Opening */

/* continue_file opens the last file, which was scanned, for appending behind its last whole batch. */
static enum mg_status continue_file(struct journal *journal, const char *path, const struct journal_reader *reader,
                                    const struct journal_file_scan *scan, struct mg_error *error)
{
    journal->fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (journal->fd < 0) {
        return mg_error_errno(error, "cannot open %s", path);
    }
    journal->file = reader->file;
    journal->position = reader->position;
    journal->len = scan->good_len;
    if (scan->state == JOURNAL_FILE_TORN) {
        mg_log_warning("issuance journal: cut %" PRIu64 " bytes of an unfinished write off %s",
                       scan->len - scan->good_len, path);
        journal->has_rest = true;
        enum mg_status status = cut_rest(journal, error);
        if (status == MG_OK) {
            status = sync_file(journal, error);
        }
        return status;
    }
    return MG_OK;
}

/* continue_journal goes on behind the last of |files|. A file that a crash left without a header was never written to:
 * it is removed, and the one before it is the last. */
static enum mg_status continue_journal(struct journal *journal, const uint64_t *files, size_t num_files,
                                       struct journal_reader *reader, int64_t now_us, struct mg_error *error)
{
    for (size_t i = num_files; i-- > 0;) {
        char path[PATH_MAX];
        struct journal_file_scan scan;
        journal_file_path(path, journal->directory, files[i]);
        journal_reader_start_file(reader, false);
        enum mg_status status = journal_file_scan(path, reader, &scan, error);
        if (status != MG_OK) {
            return status;
        }
        if (scan.state == JOURNAL_FILE_BROKEN || (scan.has_header && reader->file != files[i])) {
            mg_log_error("issuance journal: %s is broken behind byte %" PRIu64 "; it is kept, and a new file begun",
                         path, scan.good_len);
            return begin_file(journal, files[num_files - 1] + 1, now_us, error);
        }
        if (scan.has_header) {
            return continue_file(journal, path, reader, &scan, error);
        }
        mg_log_warning("issuance journal: removed %s, which a crash left empty", path);
        if (unlink(path) != 0) {
            return mg_error_errno(error, "cannot remove %s", path);
        }
    }
    return begin_file(journal, 1, now_us, error);
}

static enum mg_status open_files(struct journal *journal, int64_t now_us, struct mg_error *error)
{
    struct journal_reader reader;
    uint64_t *files;
    size_t num_files;
    enum mg_status status = journal_files_list(journal->directory, &files, &num_files, error);
    if (status != MG_OK) {
        return status;
    }
    status = journal_reader_init(&reader, error);
    if (status == MG_OK) {
        status = continue_journal(journal, files, num_files, &reader, now_us, error);
        journal_reader_free(&reader);
    }
    free(files);
    return status;
}

static void free_journal(struct journal *journal)
{
    if (journal->fd >= 0) {
        close(journal->fd);
    }
    if (journal->directory_fd >= 0) {
        close(journal->directory_fd);
    }
    EVP_MD_CTX_free(journal->sha256);
    pthread_mutex_destroy(&journal->lock);
    free(journal);
}

enum mg_status journal_open(struct journal **out, const struct journal_config *config, int64_t now_us,
                            struct mg_error *error)
{
    enum mg_status status = mg_file_make_directory(config->directory, 0700, error);
    if (status != MG_OK) {
        return status;
    }
    struct journal *journal = calloc(1, sizeof(*journal));
    if (journal == NULL) {
        return mg_error_set(error, MG_MEMORY, "no memory for the issuance journal");
    }
    pthread_mutex_init(&journal->lock, NULL);
    journal->fd = -1;
    journal->rotate_bytes = config->rotate_bytes;
    journal->directory_fd = open(config->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    journal->sha256 = EVP_MD_CTX_new();
    int len = snprintf(journal->directory, sizeof(journal->directory), "%s", config->directory);
    if (journal->directory_fd < 0) {
        status = mg_error_errno(error, "cannot open %s", config->directory);
    } else if (len < 0 || (size_t)len >= sizeof(journal->directory)) {
        status = mg_error_set(error, MG_INVALID, "%s: the path is too long", config->directory);
    } else if (journal->sha256 == NULL || EVP_DigestInit_ex2(journal->sha256, EVP_sha256(), NULL) != 1) {
        status = mg_error_set(error, MG_MEMORY, "no memory for the issuance journal");
    } else {
        status = open_files(journal, now_us, error);
    }
    if (status != MG_OK) {
        free_journal(journal);
        return status;
    }
    atomic_store_explicit(&journal->is_writable, true, memory_order_relaxed);
    log_position(journal, "continuing in");
    *out = journal;
    return MG_OK;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    struct mg_error error;
    if (journal_sync(journal, &error) != MG_OK) {
        mg_log_error("%s", error.text);
    }
    log_position(journal, "closed");
    free_journal(journal);
}
