/* SPDX-License-Identifier: Apache-2.0 */
#include "control/backup/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "control/backup/archive_file.h"
#include "control/backup/key_file.h"
#include "control/backup/key_wrap.h"

#define MAX_TRIES 5
#define CHUNK 65536

/* What goes into the archive. */
struct content {
    struct manifest *manifest;
    char database[PATH_MAX];                      /* the copy; "": none */
    struct mg_buffer keys[MANIFEST_MAX_FILES];    /* by the manifest's index; the database has none */
    struct mg_buffer manifest_text, wrapped_text; /* the latter empty without a passphrase */
};

static void drop_collected(struct content *content)
{
    if (content->database[0] != '\0') {
        unlink(content->database);
        content->database[0] = '\0';
    }
    for (size_t i = 0; i < content->manifest->num_files; i++) {
        mg_buffer_free(&content->keys[i]);
    }
    content->manifest->num_files = 0;
}

/* ---- collecting ---- */

static enum mg_status hash_bytes(struct mg_slice bytes, uint8_t out[MANIFEST_HASH_LEN], struct mg_error *error)
{
    return EVP_Digest(bytes.data, bytes.len, out, NULL, EVP_sha256(), NULL) == 1
               ? MG_OK
               : mg_error_set(error, MG_INTERNAL, "cannot hash");
}

static enum mg_status hash_stream(int fd, EVP_MD_CTX *hash, const char *path, struct mg_error *error)
{
    uint8_t chunk[CHUNK];
    ssize_t len;
    while ((len = read(fd, chunk, sizeof(chunk))) != 0) {
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return mg_error_errno(error, "cannot read %s", path);
        }
        if (EVP_DigestUpdate(hash, chunk, (size_t)len) != 1) {
            return mg_error_set(error, MG_INTERNAL, "cannot hash");
        }
    }
    return MG_OK;
}

static enum mg_status hash_file(const char *path, uint64_t *size, uint8_t out[MANIFEST_HASH_LEN],
                                struct mg_error *error)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        enum mg_status status = mg_error_errno(error, "cannot open %s", path);
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    enum mg_status status = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1
                                ? hash_stream(fd, hash, path, error)
                                : mg_error_set(error, MG_MEMORY, "out of memory");
    if (status == MG_OK && EVP_DigestFinal_ex(hash, out, NULL) != 1) {
        status = mg_error_set(error, MG_INTERNAL, "cannot hash");
    }
    EVP_MD_CTX_free(hash);
    close(fd);
    *size = (uint64_t)st.st_size;
    return status;
}

static enum mg_status collect_database(const struct backup_request *request, struct content *content,
                                       struct mg_error *error)
{
    uint64_t size = 0;
    uint8_t hash[MANIFEST_HASH_LEN];
    enum mg_status status = request->copy_database(request->arg, content->database, error);
    if (status != MG_OK) {
        content->database[0] = '\0';
        return status;
    }
    status = hash_file(content->database, &size, hash, error);
    if (status == MG_OK) {
        status = manifest_add(content->manifest, MANIFEST_DATABASE, size, error);
    }
    if (status == MG_OK) {
        memcpy(content->manifest->files[content->manifest->num_files - 1].sha256, hash, sizeof(hash));
    }
    return status;
}

static enum mg_status collect_key(const char *directory, const char *file, struct content *content,
                                  struct mg_error *error)
{
    struct manifest *manifest = content->manifest;
    char path[PATH_MAX], name[MANIFEST_MAX_NAME];
    struct mg_buffer bytes;
    snprintf(path, sizeof(path), "%s/%s", directory, file);
    snprintf(name, sizeof(name), MANIFEST_KEYS "%s", file);
    mg_buffer_init(&bytes, MANIFEST_MAX_KEY_FILE);
    enum mg_status status = mg_file_read(path, &bytes, error);
    if (status == MG_NOT_FOUND) { /* destroyed just now, which the directory's time tells too */
        mg_buffer_free(&bytes);
        return MG_OK;
    }
    if (status == MG_OK) {
        status = manifest_add(manifest, name, bytes.len, error);
    }
    if (status != MG_OK) {
        mg_buffer_free(&bytes);
        return status;
    }
    content->keys[manifest->num_files - 1] = bytes;
    return hash_bytes(mg_buffer_slice(&bytes), manifest->files[manifest->num_files - 1].sha256, error);
}

static enum mg_status collect_keys(const char *directory, struct content *content, struct mg_error *error)
{
    DIR *dir = opendir(directory);
    if (dir == NULL) {
        return mg_error_errno(error, "signer.state_dir: %s", directory);
    }
    enum mg_status status = MG_OK;
    for (struct dirent *entry; status == MG_OK && (entry = readdir(dir)) != NULL;) {
        if (manifest_is_key_name(entry->d_name)) {
            status = collect_key(directory, entry->d_name, content, error);
        }
    }
    closedir(dir);
    return status;
}

/* changed_at tells when a key was last made, certified or destroyed: each is a rename in the directory. */
static enum mg_status changed_at(const char *directory, struct timespec *out, struct mg_error *error)
{
    struct stat st;
    if (stat(directory, &st) != 0) {
        return mg_error_errno(error, "signer.state_dir: %s", directory);
    }
    *out = st.st_mtim;
    return MG_OK;
}

/* collect_once collects keys and database, which belong together unless the keys changed meanwhile. */
static enum mg_status collect_once(const struct backup_request *request, struct content *content, bool *changed,
                                   struct mg_error *error)
{
    struct timespec before = {0}, after = {0};
    enum mg_status status = changed_at(request->paths.keys, &before, error);
    if (status == MG_OK) {
        status = collect_database(request, content, error);
    }
    if (status == MG_OK) {
        status = collect_keys(request->paths.keys, content, error);
    }
    if (status == MG_OK) {
        status = changed_at(request->paths.keys, &after, error);
    }
    *changed = before.tv_sec != after.tv_sec || before.tv_nsec != after.tv_nsec;
    return status;
}

static enum mg_status collect(const struct backup_request *request, struct content *content, struct mg_error *error)
{
    for (int i = 0; i < MAX_TRIES; i++) {
        bool changed = false;
        drop_collected(content);
        enum mg_status status = collect_once(request, content, &changed, error);
        if (status != MG_OK || !changed) {
            return status;
        }
    }
    return mg_error_set(error, MG_LIMIT, "keys are being made or destroyed all the time: try again later");
}

/* ---- the key-encryption key ---- */

/* write_texts writes the manifest, and the wrapped key if |passphrase| has memory. */
static enum mg_status write_texts(struct content *content, const uint8_t key[KEY_WRAP_KEY_LEN],
                                  struct mg_slice passphrase, struct mg_error *error)
{
    content->manifest->has_wrapped_key = passphrase.data != NULL;
    enum mg_status status = manifest_write(content->manifest, &content->manifest_text, error);
    if (status == MG_OK && passphrase.data != NULL) {
        status = key_wrap(key, passphrase, mg_buffer_slice(&content->manifest_text), &content->wrapped_text, error);
    }
    return status;
}

static enum mg_status add_key_and_manifest(const struct backup_request *request, struct content *content,
                                           struct mg_error *error)
{
    uint8_t key[KEY_WRAP_KEY_LEN] = {0};
    bool has_file = request->paths.key_encryption_key[0] != '\0';
    if (!has_file && request->passphrase.data != NULL) {
        return mg_error_set(error, MG_INVALID,
                            "signer.key_encryption_credential: the key-encryption key is no file: keep a copy of the "
                            "credential yourself, and make the backup without a passphrase");
    }
    enum mg_status status = has_file ? key_file_read(request->paths.key_encryption_key, key, error) : MG_OK;
    if (status == MG_OK && has_file) {
        status = key_wrap_check(key, content->manifest->key_check, error);
    }
    if (status == MG_OK) {
        status = write_texts(content, key, request->passphrase, error);
    }
    mg_secret_wipe(key, sizeof(key));
    return status;
}

/* ---- the archive ---- */

static enum mg_status add_hash(struct archive *archive, const struct content *content, struct mg_error *error)
{
    uint8_t hash[MANIFEST_HASH_LEN], storage[2 * MANIFEST_HASH_LEN + 1];
    struct mg_buffer text;
    enum mg_status status = hash_bytes(mg_buffer_slice(&content->manifest_text), hash, error);
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_wrap(&text, storage, sizeof(storage));
    for (size_t i = 0; i < sizeof(hash); i++) {
        mg_buffer_append_format(&text, "%02x", hash[i]);
    }
    return archive_file_add(archive, BACKUP_MANIFEST_HASH, content->manifest->made, mg_buffer_slice(&text), error);
}

static enum mg_status add_all(struct archive *archive, const struct content *content, struct mg_error *error)
{
    const struct manifest *manifest = content->manifest;
    enum mg_status status =
        archive_file_add(archive, BACKUP_MANIFEST, manifest->made, mg_buffer_slice(&content->manifest_text), error);
    for (size_t i = 0; status == MG_OK && i < manifest->num_files; i++) {
        const struct manifest_file *file = &manifest->files[i];
        status = strcmp(file->name, MANIFEST_DATABASE) == 0
                     ? archive_file_add_from(archive, file->name, manifest->made, content->database, file->size, error)
                     : archive_file_add(archive, file->name, manifest->made, mg_buffer_slice(&content->keys[i]), error);
    }
    if (status == MG_OK && manifest->has_wrapped_key) {
        status = archive_file_add(archive, BACKUP_WRAPPED_KEY, manifest->made, mg_buffer_slice(&content->wrapped_text),
                                  error);
    }
    return status == MG_OK ? add_hash(archive, content, error) : status;
}

static enum mg_status write_to(int fd, const struct content *content, const char *path, struct mg_error *error)
{
    struct archive *archive;
    enum mg_status status = archive_file_create(&archive, fd, error);
    if (status != MG_OK) {
        return status;
    }
    status = add_all(archive, content, error);
    struct mg_error later;
    enum mg_status finished = archive_file_finish(archive, status == MG_OK ? error : &later);
    status = status == MG_OK ? finished : status;
    return status == MG_OK && fsync(fd) != 0 ? mg_error_errno(error, "cannot write %s", path) : status;
}

/* write_archive writes beside |path| and gives it the name when it is whole; link, as rename would replace. */
static enum mg_status write_archive(const struct content *content, const char *path, struct mg_error *error)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof(temporary), "%s.new.%d", path, (int)getpid());
    if (len < 0 || (size_t)len >= sizeof(temporary)) {
        return mg_error_set(error, MG_INVALID, "%s: the path is too long", path);
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return mg_error_errno(error, "cannot create %s", temporary);
    }
    enum mg_status status = write_to(fd, content, temporary, error);
    if (status == MG_OK && (fchmod(fd, 0600) != 0 || link(temporary, path) != 0)) {
        bool exists = errno == EEXIST;
        status = mg_error_errno(error, "%s", path);
        status = exists ? MG_EXISTS : status;
    }
    close(fd);
    struct mg_error later;
    enum mg_status removed = mg_file_remove(temporary, status == MG_OK ? error : &later); /* syncs the directory */
    return status == MG_OK ? removed : status;
}

enum mg_status backup_make(const struct backup_request *request, struct manifest *manifest, struct mg_error *error)
{
    if (access(request->archive, F_OK) == 0) {
        return mg_error_set(error, MG_EXISTS, "%s: exists, and is not replaced", request->archive);
    }
    struct content *content = calloc(1, sizeof(*content));
    if (content == NULL) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    *manifest = (struct manifest){.made = request->now};
    content->manifest = manifest;
    mg_buffer_init(&content->manifest_text, MANIFEST_MAX_TEXT);
    mg_buffer_init(&content->wrapped_text, KEY_WRAP_MAX_TEXT);
    enum mg_status status = collect(request, content, error);
    if (status == MG_OK) {
        status = add_key_and_manifest(request, content, error);
    }
    if (status == MG_OK) {
        status = write_archive(content, request->archive, error);
    }
    size_t num_files = manifest->num_files; /* the caller's to tell */
    drop_collected(content);
    manifest->num_files = num_files;
    mg_buffer_free(&content->manifest_text);
    mg_buffer_free(&content->wrapped_text);
    free(content);
    return status;
}
