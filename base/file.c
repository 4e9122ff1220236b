/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Between a file's name and the id of the process that writes its temporary file. */
#define UNFINISHED ".new."

static enum mg_status read_descriptor(int fd, const char *path, struct mg_buffer *out, struct mg_error *error)
{
    uint8_t chunk[16384];
    enum mg_status status = MG_OK;
    for (;;) {
        ssize_t len = read(fd, chunk, sizeof(chunk));
        if (len < 0) {
            if (errno == EINTR) {
                continue;
            }
            status = mg_error_errno(error, "cannot read %s", path);
            break;
        }
        if (len == 0) {
            break;
        }
        mg_buffer_append(out, chunk, (size_t)len);
        if (!mg_buffer_ok(out)) {
            status = mg_error_set(error, MG_LIMIT, "%s is larger than the %zu bytes allowed", path, out->limit);
            break;
        }
    }
    explicit_bzero(chunk, sizeof(chunk));
    return status;
}

static enum mg_status open_for_reading(const char *path, int flags, int *fd, struct mg_error *error)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (*fd >= 0) {
        return MG_OK;
    }
    bool missing = errno == ENOENT;
    (void)mg_error_errno(error, "cannot open %s", path);
    return missing ? MG_NOT_FOUND : MG_IO;
}

enum mg_status mg_file_read(const char *path, struct mg_buffer *out, struct mg_error *error)
{
    int fd;
    enum mg_status status = open_for_reading(path, 0, &fd, error);
    if (status == MG_OK) {
        status = read_descriptor(fd, path, out, error);
        close(fd);
    }
    return status;
}

enum mg_status mg_file_read_open(int fd, const char *name, struct mg_buffer *out, struct mg_error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return mg_error_errno(error, "cannot stat %s", name);
    }
    if (!S_ISREG(st.st_mode)) {
        return mg_error_set(error, MG_DENIED, "%s: must be a regular file", name);
    }
    if (lseek(fd, 0, SEEK_SET) != 0) {
        return mg_error_errno(error, "cannot seek in %s", name);
    }
    return read_descriptor(fd, name, out, error);
}

enum mg_status mg_file_read_secret(const char *path, struct mg_buffer *out, struct mg_error *error)
{
    int fd;
    /* Opening a pipe would wait for a writer; to a regular file O_NONBLOCK is nothing. */
    enum mg_status status = open_for_reading(path, O_NONBLOCK, &fd, error);
    if (status != MG_OK) {
        return status;
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        status = mg_error_errno(error, "cannot stat %s", path);
    } else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        status = mg_error_set(error, MG_DENIED, "%s holds a secret: it must be a regular file of this user, mode 0600",
                              path);
    } else {
        status = read_descriptor(fd, path, out, error);
    }
    close(fd);
    return status;
}

static enum mg_status write_all(int fd, struct mg_slice content)
{
    while (content.len > 0) {
        ssize_t len = write(fd, content.data, content.len);
        if (len < 0) {
            if (errno == EINTR) {
                continue;
            }
            return MG_IO;
        }
        content.data += len;
        content.len -= (size_t)len;
    }
    return MG_OK;
}

/* open_directory_of returns a descriptor of the directory that |path| is in, or -1 and errno. */
static int open_directory_of(const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    if (len >= sizeof(directory)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(directory, slash == NULL ? "." : path, len);
    directory[len] = '\0';
    return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum mg_status sync_directory_of(const char *path)
{
    int fd = open_directory_of(path);
    if (fd < 0) {
        return MG_IO;
    }
    int result = fsync(fd);
    close(fd);
    return result == 0 ? MG_OK : MG_IO;
}

enum mg_status mg_file_write_atomic(const char *path, struct mg_slice content, mode_t mode, struct mg_error *error)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s" UNFINISHED "%d", path, (int)getpid());
    if (len < 0 || (size_t)len >= sizeof(temporary)) {
        return mg_error_set(error, MG_INVALID, "%s: the path is too long", path);
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return mg_error_errno(error, "cannot create %s", temporary);
    }
    if (write_all(fd, content) != MG_OK || fchmod(fd, mode) != 0 || fsync(fd) != 0) {
        enum mg_status status = mg_error_errno(error, "cannot write %s", temporary);
        close(fd);
        unlink(temporary);
        return status;
    }
    close(fd);
    enum mg_status status = mg_file_rename(temporary, path, error);
    if (status != MG_OK) {
        unlink(temporary);
        return MG_IO;
    }
    return MG_OK;
}

/* is_unfinished tells whether |name| is what mg_file_write_atomic calls a temporary file for |base|. */
static bool is_unfinished(const char *name, const char *base)
{
    size_t base_len = strlen(base), suffix_len = strlen(UNFINISHED);
    if (strncmp(name, base, base_len) != 0 || strncmp(name + base_len, UNFINISHED, suffix_len) != 0) {
        return false;
    }
    const char *pid = name + base_len + suffix_len;
    return pid[0] != '\0' && pid[strspn(pid, "0123456789")] == '\0';
}

void mg_file_remove_unfinished(const char *path)
{
    const char *slash = strrchr(path, '/');
    int fd = open_directory_of(path);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (is_unfinished(entry->d_name, slash == NULL ? path : slash + 1)) {
            (void)unlinkat(fd, entry->d_name, 0);
        }
    }
    closedir(dir);
}

enum mg_status mg_file_rename(const char *from, const char *to, struct mg_error *error)
{
    if (rename(from, to) != 0) {
        bool missing = errno == ENOENT;
        (void)mg_error_errno(error, "cannot rename %s to %s", from, to);
        return missing ? MG_NOT_FOUND : MG_IO;
    }
    return sync_directory_of(to) == MG_OK ? MG_OK : mg_error_errno(error, "cannot sync the directory of %s", to);
}

enum mg_status mg_file_remove(const char *path, struct mg_error *error)
{
    if (unlink(path) != 0) {
        return errno == ENOENT ? MG_OK : mg_error_errno(error, "cannot remove %s", path);
    }
    return sync_directory_of(path) == MG_OK ? MG_OK : mg_error_errno(error, "cannot sync the directory of %s", path);
}

/* write_zeros overwrites what |fd| holds. */
static enum mg_status write_zeros(int fd)
{
    static const uint8_t zeros[4096];
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return MG_IO;
    }
    for (off_t left = st.st_size; left > 0; left -= (off_t)sizeof(zeros)) {
        size_t len = left < (off_t)sizeof(zeros) ? (size_t)left : sizeof(zeros);
        if (write_all(fd, mg_slice_of(zeros, len)) != MG_OK) {
            return MG_IO;
        }
    }
    return fsync(fd) == 0 ? MG_OK : MG_IO;
}

enum mg_status mg_file_shred(const char *path, struct mg_error *error)
{
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MG_OK : mg_error_errno(error, "cannot open %s", path);
    }
    enum mg_status status = write_zeros(fd);
    if (status != MG_OK) {
        (void)mg_error_errno(error, "cannot overwrite %s", path);
    }
    close(fd);
    return status == MG_OK ? mg_file_remove(path, error) : status;
}

enum mg_status mg_file_make_directory(const char *path, mode_t mode, struct mg_error *error)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST) {
        return mg_error_errno(error, "cannot create directory %s", path);
    }
    struct stat st;
    if (stat(path, &st) != 0) {
        return mg_error_errno(error, "cannot stat %s", path);
    }
    if (!S_ISDIR(st.st_mode)) {
        return mg_error_set(error, MG_INVALID, "%s is not a directory", path);
    }
    return MG_OK;
}
