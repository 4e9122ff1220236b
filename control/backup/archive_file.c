/* SPDX-License-Identifier: Apache-2.0 */
#include "control/backup/archive_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define CHUNK 65536
#define MODE 0600

static enum mg_status fail(struct archive *archive, enum mg_status status, const char *what, struct mg_error *error)
{
    const char *why = archive == NULL ? NULL : archive_error_string(archive);
    return mg_error_set(error, status, "archive: %s%s%s", what, why == NULL ? "" : ": ", why == NULL ? "" : why);
}

/* ---- writing ---- */

enum mg_status archive_file_create(struct archive **out, int fd, struct mg_error *error)
{
    struct archive *archive = archive_write_new();
    if (archive == NULL || archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
        archive_write_add_filter_none(archive) != ARCHIVE_OK || archive_write_open_fd(archive, fd) != ARCHIVE_OK) {
        enum mg_status status = fail(archive, MG_IO, "cannot begin", error);
        archive_write_free(archive);
        return status;
    }
    *out = archive;
    return MG_OK;
}

static enum mg_status begin_entry(struct archive *archive, const char *name, int64_t made, uint64_t size,
                                  struct mg_error *error)
{
    struct archive_entry *entry = archive_entry_new();
    if (entry == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, MODE);
    archive_entry_set_mtime(entry, made, 0);
    archive_entry_set_size(entry, (la_int64_t)size);
    int result = archive_write_header(archive, entry);
    archive_entry_free(entry);
    return result == ARCHIVE_OK ? MG_OK : fail(archive, MG_IO, name, error);
}

static enum mg_status write_data(struct archive *archive, struct mg_slice bytes, struct mg_error *error)
{
    return archive_write_data(archive, bytes.data, bytes.len) == (la_ssize_t)bytes.len
               ? MG_OK
               : fail(archive, MG_IO, "cannot write", error);
}

enum mg_status archive_file_add(struct archive *archive, const char *name, int64_t made, struct mg_slice bytes,
                                struct mg_error *error)
{
    enum mg_status status = begin_entry(archive, name, made, bytes.len, error);
    return status == MG_OK ? write_data(archive, bytes, error) : status;
}

static enum mg_status copy_in(struct archive *archive, int fd, const char *path, uint64_t size, struct mg_error *error)
{
    uint8_t chunk[CHUNK];
    enum mg_status status = MG_OK;
    uint64_t done = 0;
    while (status == MG_OK) {
        ssize_t len = read(fd, chunk, sizeof(chunk));
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return mg_error_errno(error, "cannot read %s", path);
        }
        if (len == 0) {
            break;
        }
        done += (uint64_t)len;
        status = done > size ? MG_OK : write_data(archive, mg_slice_of(chunk, (size_t)len), error);
    }
    return status == MG_OK && done != size ? mg_error_set(error, MG_INVALID, "%s: changed while it was read", path)
                                           : status;
}

enum mg_status archive_file_add_from(struct archive *archive, const char *name, int64_t made, const char *path,
                                     uint64_t size, struct mg_error *error)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return mg_error_errno(error, "cannot open %s", path);
    }
    enum mg_status status = begin_entry(archive, name, made, size, error);
    if (status == MG_OK) {
        status = copy_in(archive, fd, path, size, error);
    }
    close(fd);
    return status;
}

enum mg_status archive_file_finish(struct archive *archive, struct mg_error *error)
{
    enum mg_status status =
        archive_write_close(archive) == ARCHIVE_OK ? MG_OK : fail(archive, MG_IO, "cannot end", error);
    archive_write_free(archive);
    return status;
}

/* ---- reading ---- */

enum mg_status archive_file_open(struct archive **out, int fd, struct mg_error *error)
{
    struct archive *archive = archive_read_new();
    if (archive == NULL || archive_read_support_filter_none(archive) != ARCHIVE_OK ||
        archive_read_support_format_tar(archive) != ARCHIVE_OK ||
        archive_read_open_fd(archive, fd, CHUNK) != ARCHIVE_OK) {
        enum mg_status status = fail(archive, MG_INVALID, "is none that can be read", error);
        archive_read_free(archive);
        return status;
    }
    *out = archive;
    return MG_OK;
}

void archive_file_free(struct archive *archive)
{
    archive_read_free(archive); /* takes NULL too */
}

enum mg_status archive_file_next(struct archive *archive, const char *name, uint64_t *size, struct mg_error *error)
{
    struct archive_entry *entry;
    int result = archive_read_next_header(archive, &entry);
    if (result == ARCHIVE_EOF) {
        return mg_error_set(error, MG_INVALID, "archive: ends before %s", name);
    }
    if (result != ARCHIVE_OK) {
        return fail(archive, MG_INVALID, "is damaged", error);
    }
    const char *found = archive_entry_pathname(entry);
    if (found == NULL || strcmp(found, name) != 0 || archive_entry_filetype(entry) != AE_IFREG ||
        archive_entry_hardlink(entry) != NULL || archive_entry_size_is_set(entry) == 0 ||
        archive_entry_size(entry) < 0) {
        return mg_error_set(error, MG_INVALID, "archive: the file %s must be here, and is not", name);
    }
    *size = (uint64_t)archive_entry_size(entry);
    return MG_OK;
}

enum mg_status archive_file_end(struct archive *archive, struct mg_error *error)
{
    struct archive_entry *entry;
    return archive_read_next_header(archive, &entry) == ARCHIVE_EOF
               ? MG_OK
               : mg_error_set(error, MG_INVALID, "archive: there is more behind its end");
}

/* read_chunk returns how many bytes it read, 0 at the entry's end, or -1. */
static la_ssize_t read_chunk(struct archive *archive, uint8_t chunk[CHUNK], struct mg_error *error)
{
    la_ssize_t len = archive_read_data(archive, chunk, CHUNK);
    if (len < 0) {
        (void)fail(archive, MG_INVALID, "is damaged", error);
        return -1;
    }
    return len;
}

enum mg_status archive_file_read(struct archive *archive, struct mg_buffer *out, struct mg_error *error)
{
    uint8_t chunk[CHUNK];
    la_ssize_t len;
    while ((len = read_chunk(archive, chunk, error)) > 0) {
        mg_buffer_append(out, chunk, (size_t)len);
        if (!mg_buffer_ok(out)) {
            return mg_error_set(error, MG_INVALID, "archive: a file has more than %zu bytes", out->limit);
        }
    }
    return len == 0 ? MG_OK : MG_INVALID;
}

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            data += written;
            len -= (size_t)written;
        }
    }
    return true;
}

static enum mg_status copy_out(struct archive *archive, int fd, uint64_t size, EVP_MD_CTX *hash, struct mg_error *error)
{
    uint8_t chunk[CHUNK];
    uint64_t done = 0;
    la_ssize_t len;
    while ((len = read_chunk(archive, chunk, error)) > 0) {
        done += (uint64_t)len;
        if (done > size) {
            break;
        }
        if (!write_all(fd, chunk, (size_t)len)) {
            return mg_error_errno(error, "cannot write what is in the archive");
        }
        if (EVP_DigestUpdate(hash, chunk, (size_t)len) != 1) {
            return mg_error_set(error, MG_INTERNAL, "cannot hash what is in the archive");
        }
    }
    if (len < 0) {
        return MG_INVALID;
    }
    return done == size ? MG_OK
                        : mg_error_set(error, MG_INVALID, "archive: a file is not as long as the manifest says");
}

enum mg_status archive_file_read_to(struct archive *archive, int fd, uint64_t size,
                                    uint8_t sha256[ARCHIVE_FILE_HASH_LEN], struct mg_error *error)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    enum mg_status status = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1
                                ? copy_out(archive, fd, size, hash, error)
                                : mg_error_set(error, MG_MEMORY, "out of memory");
    if (status == MG_OK && EVP_DigestFinal_ex(hash, sha256, NULL) != 1) {
        status = mg_error_set(error, MG_INTERNAL, "cannot hash what is in the archive");
    }
    EVP_MD_CTX_free(hash);
    return status;
}
