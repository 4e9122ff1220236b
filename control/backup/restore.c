/* SPDX-License-Identifier: Apache-2.0 */
#include "control/backup/restore.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "control/backup/archive_file.h"
#include "control/backup/hex.h"
#include "control/backup/key_file.h"
#include "control/backup/stage.h"

struct restoring {
    const struct restore_request *request;
    struct archive *archive;
    struct stage stage;
    struct manifest *manifest;
    struct mg_buffer manifest_text;
    uint8_t key[KEY_WRAP_KEY_LEN];
    bool write_key; /* |key| is to be put in place */
};

/* read_entry reads the next entry, which must be |name|, into |out|. */
static enum mg_status read_entry(struct restoring *restoring, const char *name, struct mg_buffer *out,
                                 struct mg_error *error)
{
    uint64_t size;
    enum mg_status status = archive_file_next(restoring->archive, name, &size, error);
    return status == MG_OK ? archive_file_read(restoring->archive, out, error) : status;
}

static enum mg_status read_manifest(struct restoring *restoring, struct mg_error *error)
{
    enum mg_status status = read_entry(restoring, BACKUP_MANIFEST, &restoring->manifest_text, error);
    return status == MG_OK ? manifest_parse(mg_buffer_slice(&restoring->manifest_text), restoring->manifest, error)
                           : status;
}

/* ---- the files ---- */

static enum mg_status write_file(struct restoring *restoring, const struct manifest_file *file, int fd,
                                 struct mg_error *error)
{
    uint8_t hash[MANIFEST_HASH_LEN];
    enum mg_status status = archive_file_read_to(restoring->archive, fd, file->size, hash, error);
    if (status == MG_OK && memcmp(hash, file->sha256, sizeof(hash)) != 0) {
        status =
            mg_error_set(error, MG_INVALID, "archive: %s is damaged: its SHA-256 is not the manifest's", file->name);
    }
    return status == MG_OK && fsync(fd) != 0 ? mg_error_errno(error, "cannot write %s", file->name) : status;
}

static enum mg_status stage_file(struct restoring *restoring, const struct manifest_file *file, struct mg_error *error)
{
    uint64_t size;
    int fd;
    enum mg_status status = archive_file_next(restoring->archive, file->name, &size, error);
    if (status == MG_OK) {
        status = stage_create(&restoring->stage, file->name, &fd, error);
    }
    if (status == MG_OK) {
        status = write_file(restoring, file, fd, error);
        close(fd);
    }
    return status;
}

static enum mg_status stage_files(struct restoring *restoring, struct mg_error *error)
{
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < restoring->manifest->num_files; i++) {
        status = stage_file(restoring, &restoring->manifest->files[i], error);
    }
    return status;
}

/* ---- the key-encryption key ---- */

/* is_known tells whether the manifest says which key it was. */
static bool is_known(const struct manifest *manifest)
{
    static const uint8_t unknown[sizeof(manifest->key_check)];
    return memcmp(manifest->key_check, unknown, sizeof(unknown)) != 0;
}

/* check_key_in_place compares the key that is in its place: MG_NOT_FOUND, there is none. */
static enum mg_status check_key_in_place(const struct restoring *restoring, struct mg_error *error)
{
    const char *path = restoring->request->paths.key_encryption_key;
    uint8_t key[KEY_WRAP_KEY_LEN], check[KEY_WRAP_CHECK_LEN];
    enum mg_status status = key_file_read(path, key, error);
    if (status == MG_OK) {
        status = key_wrap_check(key, check, error);
    }
    mg_secret_wipe(key, sizeof(key));
    if (status == MG_OK && is_known(restoring->manifest) &&
        CRYPTO_memcmp(check, restoring->manifest->key_check, sizeof(check)) != 0) {
        status = mg_error_set(error, MG_EXISTS, "%s: is not the key-encryption key of this backup", path);
    }
    return status;
}

static enum mg_status unwrap(struct restoring *restoring, struct mg_slice text, struct mg_error *error)
{
    const struct restore_request *request = restoring->request;
    struct mg_buffer passphrase;
    if (!mg_secret_buffer_init(&passphrase, RESTORE_MAX_PASSPHRASE)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    enum mg_status status = request->ask_passphrase(request->arg, &passphrase, error);
    if (status == MG_OK) {
        status = key_unwrap(text, mg_buffer_slice(&passphrase), mg_buffer_slice(&restoring->manifest_text),
                            restoring->key, error);
    }
    mg_secret_free(&passphrase);
    return status;
}

/* take_wrapped_key opens the key in the archive, which must be the one in place if there is one. */
static enum mg_status take_wrapped_key(struct restoring *restoring, struct mg_error *error)
{
    struct mg_buffer text;
    if (restoring->request->paths.key_encryption_key[0] == '\0') {
        return mg_error_set(
            error, MG_INVALID,
            "signer.key_encryption_credential: this backup brings the key-encryption key as a file: set "
            "signer.key_encryption_key instead");
    }
    mg_buffer_init(&text, KEY_WRAP_MAX_TEXT);
    enum mg_status status = read_entry(restoring, BACKUP_WRAPPED_KEY, &text, error);
    if (status == MG_OK) {
        status = unwrap(restoring, mg_buffer_slice(&text), error);
    }
    mg_buffer_free(&text);
    if (status == MG_OK) {
        status = check_key_in_place(restoring, error);
        restoring->write_key = status == MG_NOT_FOUND;
    }
    return restoring->write_key ? MG_OK : status;
}

static enum mg_status take_key(struct restoring *restoring, struct mg_error *error)
{
    const char *path = restoring->request->paths.key_encryption_key;
    if (restoring->manifest->has_wrapped_key) {
        return take_wrapped_key(restoring, error);
    }
    if (path[0] == '\0') {
        return MG_OK; /* the credential is systemd's business */
    }
    enum mg_status status = check_key_in_place(restoring, error);
    return status == MG_NOT_FOUND
               ? mg_error_set(error, status,
                              "%s: is missing, and not in this backup: put your copy of it there first (0600)", path)
               : status;
}

/* ---- the end ---- */

static enum mg_status check_end(struct restoring *restoring, struct mg_error *error)
{
    uint8_t told[MANIFEST_HASH_LEN], computed[MANIFEST_HASH_LEN];
    struct mg_slice manifest = mg_buffer_slice(&restoring->manifest_text);
    struct mg_buffer text;
    mg_buffer_init(&text, 2 * MANIFEST_HASH_LEN + 1);
    enum mg_status status = read_entry(restoring, BACKUP_MANIFEST_HASH, &text, error);
    mg_buffer_append_u8(&text, '\0');
    if (status == MG_OK && (!mg_buffer_ok(&text) || !hex_read((const char *)text.data, told, sizeof(told)) ||
                            EVP_Digest(manifest.data, manifest.len, computed, NULL, EVP_sha256(), NULL) != 1 ||
                            memcmp(told, computed, sizeof(told)) != 0)) {
        status = mg_error_set(error, MG_INVALID, "archive: the manifest is damaged: its SHA-256 is another");
    }
    mg_buffer_free(&text);
    return status == MG_OK ? archive_file_end(restoring->archive, error) : status;
}

static enum mg_status restore_staged(struct restoring *restoring, struct mg_error *error)
{
    static enum mg_status (*const steps[])(struct restoring * restoring,
                                           struct mg_error * error) = {read_manifest, stage_files, take_key, check_end};
    enum mg_status status = MG_OK;
    for (size_t i = 0; status == MG_OK && i < MG_ARRAY_LEN(steps); i++) {
        status = steps[i](restoring, error);
    }
    return status == MG_OK ? stage_commit(&restoring->stage, restoring->write_key ? restoring->key : NULL, error)
                           : status;
}

static enum mg_status restore_from(int fd, struct restoring *restoring, struct mg_error *error)
{
    const struct restore_request *request = restoring->request;
    enum mg_status status = archive_file_open(&restoring->archive, fd, error);
    if (status != MG_OK) {
        return status;
    }
    mg_buffer_init(&restoring->manifest_text, MANIFEST_MAX_TEXT);
    status = stage_begin(&restoring->stage, &request->paths, error);
    if (status == MG_OK) {
        status = restore_staged(restoring, error);
        stage_drop(&restoring->stage);
    }
    mg_buffer_free(&restoring->manifest_text);
    archive_file_free(restoring->archive);
    return status;
}

enum mg_status restore_run(const struct restore_request *request, struct manifest *manifest, struct mg_error *error)
{
    struct restoring restoring = {.request = request, .manifest = manifest};
    int fd = open(request->archive, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return mg_error_errno(error, "cannot open %s", request->archive);
    }
    *manifest = (struct manifest){.made = 0};
    enum mg_status status = restore_from(fd, &restoring, error);
    mg_secret_wipe(restoring.key, sizeof(restoring.key));
    close(fd);
    return status;
}
