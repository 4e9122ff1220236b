/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/journal_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_FORMAT "issuance-%08" PRIu64 ".jsonl"

void journal_file_path(char out[PATH_MAX], const char *directory, uint64_t file)
{
    snprintf(out, PATH_MAX, "%s/" NAME_FORMAT, directory, file);
}

/* Listing */

/* number_of returns the number in a journal file's name, 0 for any other name. */
static uint64_t number_of(const char *name)
{
    char expected[NAME_MAX + 1];
    uint64_t number = 0;
    if (sscanf(name, "issuance-%" SCNu64 ".jsonl", &number) != 1) {
        return 0;
    }
    snprintf(expected, sizeof(expected), NAME_FORMAT, number);
    return strcmp(name, expected) == 0 ? number : 0;
}

static int is_journal_file(const struct dirent *entry)
{
    return number_of(entry->d_name) != 0;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
    uint64_t x = number_of((*a)->d_name), y = number_of((*b)->d_name);
    return x < y ? -1 : x > y;
}

enum mg_status journal_files_list(const char *directory, uint64_t **out, size_t *num_out, struct mg_error *error)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_journal_file, by_number);
    if (count < 0) {
        return mg_error_errno(error, "cannot read the journal's directory %s", directory);
    }
    *num_out = (size_t)count;
    *out = calloc((size_t)count + 1, sizeof(**out));
    for (int i = 0; i < count; i++) {
        if (*out != NULL) {
            (*out)[i] = number_of(entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return *out != NULL ? MG_OK : mg_error_set(error, MG_MEMORY, "no memory to list the journal");
}

/* Scanning */

/* Lines of a file, in one buffer that holds the longest line there may be. */
struct line_source {
    int fd;
    uint8_t *buffer;
    struct mg_slice unread; /* in |buffer| */
    bool at_end;
};

static enum mg_status refill(struct line_source *source)
{
    memmove(source->buffer, source->unread.data, source->unread.len);
    ssize_t len = read(source->fd, source->buffer + source->unread.len, JOURNAL_MAX_LINE - source->unread.len);
    if (len < 0) {
        return errno == EINTR ? MG_OK : MG_IO;
    }
    source->at_end = len == 0;
    source->unread = mg_slice_of(source->buffer, source->unread.len + (size_t)len);
    return MG_OK;
}

/* next_line sets *line to the next line with its line feed, or to what is left without one: at the end of the file,
 * and where a line is longer than any line is. Empty at the end. */
static enum mg_status next_line(struct line_source *source, struct mg_slice *line)
{
    for (;;) {
        const uint8_t *feed = source->unread.len > 0 ? memchr(source->unread.data, '\n', source->unread.len) : NULL;
        size_t len = feed != NULL ? (size_t)(feed - source->unread.data) + 1 : source->unread.len;
        if (feed != NULL || source->at_end || len == JOURNAL_MAX_LINE) {
            return mg_slice_take(&source->unread, line, len) ? MG_OK : MG_INTERNAL;
        }
        if (refill(source) != MG_OK) {
            return MG_IO;
        }
    }
}

static bool is_closing_line(struct mg_slice line)
{
    static const char start[] = "{\"batch\":";
    return line.len >= sizeof(start) && memcmp(line.data, start, sizeof(start) - 1) == 0 &&
           line.data[line.len - 1] == '\n';
}

/* scan_lines reads to the first line that is not right. */
static enum mg_status scan_lines(struct line_source *source, struct journal_reader *reader,
                                 struct journal_file_scan *out, struct mg_slice *bad_line)
{
    uint64_t offset = 0;
    for (;;) {
        enum mg_status status = next_line(source, bad_line);
        if (status != MG_OK || bad_line->len == 0) {
            return status;
        }
        offset += bad_line->len;
        uint64_t num_records = reader->num_records;
        switch (journal_reader_line(reader, *bad_line)) {
        case JOURNAL_LINE_HEADER:
            out->has_header = true;
            out->good_len = offset;
            break;
        case JOURNAL_LINE_RECORD:
            break;
        case JOURNAL_LINE_BATCH:
            out->num_batches++;
            out->num_records += num_records;
            out->good_len = offset;
            break;
        case JOURNAL_LINE_BROKEN:
            return MG_OK;
        }
    }
}

/* A write is a batch: where a write was cut short there is no closing line from there to the end. */
static enum mg_status find_closing_line(struct line_source *source, struct mg_slice line, bool *found)
{
    enum mg_status status = MG_OK;
    *found = is_closing_line(line);
    while (status == MG_OK && !*found && line.len > 0) {
        status = next_line(source, &line);
        *found = status == MG_OK && is_closing_line(line);
    }
    return status;
}

static enum mg_status scan_source(struct line_source *source, struct journal_reader *reader,
                                  struct journal_file_scan *out)
{
    struct mg_slice line;
    bool closing_line_follows = false;
    enum mg_status status = scan_lines(source, reader, out, &line);
    if (status == MG_OK && line.len > 0) {
        status = find_closing_line(source, line, &closing_line_follows);
    }
    if (closing_line_follows) {
        out->state = JOURNAL_FILE_BROKEN;
    } else if (out->good_len < out->len || !out->has_header) {
        out->state = JOURNAL_FILE_TORN;
    } else {
        out->state = JOURNAL_FILE_WHOLE;
    }
    return status;
}

enum mg_status journal_file_scan(const char *path, struct journal_reader *reader, struct journal_file_scan *out,
                                 struct mg_error *error)
{
    *out = (struct journal_file_scan){.state = JOURNAL_FILE_BROKEN};
    struct stat st;
    struct line_source source = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (source.fd < 0 || fstat(source.fd, &st) != 0) {
        enum mg_status failed = mg_error_errno(error, "cannot open %s", path);
        if (source.fd >= 0) {
            close(source.fd);
        }
        return failed;
    }
    out->len = (uint64_t)st.st_size;
    source.buffer = malloc(JOURNAL_MAX_LINE);
    source.unread = mg_slice_of(source.buffer, 0);
    enum mg_status status = MG_MEMORY;
    if (source.buffer != NULL) {
        status = scan_source(&source, reader, out);
    }
    if (status != MG_OK) {
        (void)mg_error_errno(error, "cannot read %s", path);
    }
    free(source.buffer);
    close(source.fd);
    return status;
}

/* Verifying */

static enum mg_status report_file(FILE *report, uint64_t file, const struct journal_file_scan *scan, bool is_last,
                                  struct mg_error *error)
{
    fprintf(report, NAME_FORMAT ": %" PRIu64 " records in %" PRIu64 " batches", file, scan->num_records,
            scan->num_batches);
    if (scan->state == JOURNAL_FILE_WHOLE) {
        fprintf(report, ", OK\n");
        return MG_OK;
    }
    if (scan->state == JOURNAL_FILE_TORN && is_last) {
        fprintf(report, ", OK, then %" PRIu64 " bytes of an unfinished write, which the signer cuts off at its start\n",
                scan->len - scan->good_len);
        return MG_OK;
    }
    fprintf(report, ", BROKEN behind byte %" PRIu64 "\n", scan->good_len);
    return mg_error_set(error, MG_INVALID, "the journal is broken in " NAME_FORMAT " behind byte %" PRIu64, file,
                        scan->good_len);
}

static enum mg_status verify_files(const char *directory, const uint64_t *files, size_t num_files,
                                   struct journal_reader *reader, FILE *report, struct mg_error *error)
{
    for (size_t i = 0; i < num_files; i++) {
        char path[PATH_MAX];
        struct journal_file_scan scan;
        journal_file_path(path, directory, files[i]);
        journal_reader_start_file(reader, i > 0);
        enum mg_status status = journal_file_scan(path, reader, &scan, error);
        if (status == MG_OK) {
            status = report_file(report, files[i], &scan, i + 1 == num_files, error);
        }
        if (status == MG_OK && scan.has_header && reader->file != files[i]) {
            status = mg_error_set(error, MG_INVALID, "%s says that it is file %" PRIu64, path, reader->file);
        }
        if (status != MG_OK) {
            return status;
        }
    }
    return MG_OK;
}

enum mg_status journal_verify(const char *directory, FILE *report, struct mg_error *error)
{
    struct journal_reader reader;
    uint64_t *files;
    size_t num_files;
    enum mg_status status = journal_files_list(directory, &files, &num_files, error);
    if (status != MG_OK) {
        return status;
    }
    status = journal_reader_init(&reader, error);
    if (status == MG_OK) {
        status = verify_files(directory, files, num_files, &reader, report, error);
        if (status == MG_OK) {
            char chain[JOURNAL_HEX_LEN + 1];
            journal_hex(chain, reader.position.chain, JOURNAL_HASH_LEN);
            fprintf(report, "%zu files OK, last batch %" PRIu64 ", chain value %s\n", num_files, reader.position.batch,
                    chain);
        }
        journal_reader_free(&reader);
    }
    free(files);
    return status;
}
