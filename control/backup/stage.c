/* SPDX-License-Identifier: Apache-2.0 */
#include "control/backup/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "control/backup/manifest.h"

#define SUFFIX ".restoring"

/* ---- beginning ---- */

/* is_empty: a directory that is missing is empty too. */
static enum mg_status is_empty(const char *directory, bool *out, struct mg_error *error)
{
    DIR *dir = opendir(directory);
    *out = true;
    if (dir == NULL) {
        return errno == ENOENT ? MG_OK : mg_error_errno(error, "%s", directory);
    }
    for (struct dirent *entry; *out && (entry = readdir(dir)) != NULL;) {
        *out = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(dir);
    return MG_OK;
}

static enum mg_status check_places(const struct backup_paths *paths, struct mg_error *error)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[PATH_MAX];
    bool empty;
    for (size_t i = 0; i < MG_ARRAY_LEN(suffixes); i++) {
        struct stat st;
        snprintf(path, sizeof(path), "%s%s", paths->database, suffixes[i]);
        if (lstat(path, &st) == 0 || errno != ENOENT) {
            return mg_error_set(error, MG_EXISTS, "control.database: %s: exists: restore is for a fresh machine", path);
        }
    }
    enum mg_status status = is_empty(paths->keys, &empty, error);
    return status == MG_OK && !empty
               ? mg_error_set(error, MG_EXISTS, "signer.state_dir: %s: has keys: restore is for a fresh machine",
                              paths->keys)
               : status;
}

/* make_parents makes the directories above |path| that are missing, with |mode|. */
static enum mg_status make_parents(const char *path, mode_t mode, struct mg_error *error)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof(directory), "%s", path);
    for (char *slash = strchr(directory + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        enum mg_status status = mg_file_make_directory(directory, mode, error);
        if (status != MG_OK) {
            return status;
        }
        *slash = '/';
    }
    return MG_OK;
}

enum mg_status stage_begin(struct stage *stage, const struct backup_paths *paths, struct mg_error *error)
{
    stage->paths = paths;
    int database_len = snprintf(stage->database, sizeof(stage->database), "%s" SUFFIX, paths->database);
    int keys_len = snprintf(stage->keys, sizeof(stage->keys), "%s" SUFFIX, paths->keys);
    if ((size_t)database_len + MANIFEST_MAX_NAME >= PATH_MAX || (size_t)keys_len + MANIFEST_MAX_NAME >= PATH_MAX) {
        return mg_error_set(error, MG_INVALID, "control.database, signer.state_dir: are too long");
    }
    enum mg_status status = check_places(paths, error);
    if (status == MG_OK) {
        status = make_parents(paths->database, 0700, error);
    }
    if (status == MG_OK) {
        status = make_parents(paths->keys, 0755, error);
    }
    if (status == MG_OK) {
        stage_drop(stage);
        status = mkdir(stage->keys, 0700) == 0 ? MG_OK : mg_error_errno(error, "cannot make %s", stage->keys);
    }
    return status;
}

enum mg_status stage_create(const struct stage *stage, const char *name, int *fd, struct mg_error *error)
{
    char path[PATH_MAX];
    size_t prefix = strlen(MANIFEST_KEYS);
    if (strncmp(name, MANIFEST_KEYS, prefix) == 0) {
        snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - MANIFEST_MAX_NAME - 1, stage->keys, name + prefix);
    } else {
        snprintf(path, sizeof(path), "%s", stage->database);
    }
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *fd >= 0 ? MG_OK : mg_error_errno(error, "cannot create %s", path);
}

/* ---- putting in place, and taking away ---- */

static enum mg_status sync_directory(const char *path, struct mg_error *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    enum mg_status status = ok ? MG_OK : mg_error_errno(error, "cannot sync %s", path);
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

static void remove_directory(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    (void)rmdir(path);
}

void stage_drop(const struct stage *stage)
{
    (void)unlink(stage->database);
    remove_directory(stage->keys);
}

/* put_keys replaces a directory that is empty or missing: rename does so, and refuses one that is not. */
static enum mg_status put_keys(const struct stage *stage, struct mg_error *error)
{
    enum mg_status status = sync_directory(stage->keys, error);
    if (status == MG_OK && rename(stage->keys, stage->paths->keys) != 0) {
        status = mg_error_errno(error, "signer.state_dir: %s", stage->paths->keys);
    }
    return status;
}

/* put_database is the last step, whole or nothing. link, as rename would replace. */
static enum mg_status put_database(const struct stage *stage, struct mg_error *error)
{
    if (link(stage->database, stage->paths->database) != 0) {
        return mg_error_errno(error, "control.database: %s", stage->paths->database);
    }
    enum mg_status status = mg_file_remove(stage->database, error); /* syncs the directory */
    if (status != MG_OK) {
        (void)unlink(stage->paths->database);
    }
    return status;
}

static enum mg_status put_key(const struct stage *stage, const uint8_t *key, struct mg_error *error)
{
    enum mg_status status = make_parents(stage->paths->key_encryption_key, 0755, error);
    return status == MG_OK
               ? mg_file_write_atomic(stage->paths->key_encryption_key, mg_slice_of(key, KEY_WRAP_KEY_LEN), 0600, error)
               : status;
}

/* take_away undoes what stage_commit did, the last first. */
static void take_away(const struct stage *stage, bool has_keys, bool has_key)
{
    struct mg_error error;
    if (has_keys) {
        remove_directory(stage->paths->keys);
    }
    if (has_key && mg_file_shred(stage->paths->key_encryption_key, &error) != MG_OK) {
        mg_log_warning("%s: could not be removed again: %s", stage->paths->key_encryption_key, error.text);
    }
}

enum mg_status stage_commit(const struct stage *stage, const uint8_t *key, struct mg_error *error)
{
    bool has_keys = false;
    enum mg_status status = key == NULL ? MG_OK : put_key(stage, key, error);
    if (status == MG_OK) {
        status = put_keys(stage, error);
        has_keys = status == MG_OK;
        if (status == MG_OK) {
            status = put_database(stage, error);
        }
    }
    if (status != MG_OK) {
        take_away(stage, has_keys, key != NULL);
    }
    return status;
}
