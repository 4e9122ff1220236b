/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/kek.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "ossl/openssl_error.h"

typedef enum mg_status (*file_reader)(const char *path, struct mg_buffer *out, struct mg_error *error);

static enum mg_status new_kek(struct kek **out, struct mg_error *error)
{
    *out = OPENSSL_secure_zalloc(sizeof(**out));
    return *out != NULL ? MG_OK : mg_error_set(error, MG_MEMORY, "no secure memory for the key-encryption key");
}

static enum mg_status read_with(file_reader reader, struct kek **out, const char *path, struct mg_error *error)
{
    struct mg_buffer content;
    if (!mg_secret_buffer_init(&content, KEK_LEN + 1)) {
        return mg_error_set(error, MG_MEMORY, "no memory for the key-encryption key");
    }
    enum mg_status status = reader(path, &content, error);
    if (status == MG_LIMIT || (status == MG_OK && content.len != KEK_LEN)) {
        status = mg_error_set(error, MG_INVALID, "%s: a key-encryption key is %d bytes, neither more nor less", path,
                              KEK_LEN);
    }
    if (status == MG_OK) {
        status = new_kek(out, error);
    }
    if (status == MG_OK) {
        memcpy((*out)->bytes, content.data, KEK_LEN);
    }
    mg_secret_free(&content);
    return status;
}

enum mg_status kek_read_file(struct kek **out, const char *path, struct mg_error *error)
{
    return read_with(mg_file_read_secret, out, path, error);
}

enum mg_status kek_read_credential(struct kek **out, const char *name, struct mg_error *error)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    if (directory == NULL) {
        return mg_error_set(error, MG_NOT_FOUND, "credential %s: this process was given no credentials", name);
    }
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", directory, name);
    if (name[0] == '\0' || strchr(name, '/') != NULL || len < 0 || (size_t)len >= sizeof(path)) {
        return mg_error_set(error, MG_INVALID, "credential %s: not a name of a credential", name);
    }
    return read_with(mg_file_read, out, path, error);
}

enum mg_status kek_create(struct kek **out, const char *path, struct mg_error *error)
{
    if (access(path, F_OK) == 0) {
        return mg_error_set(error, MG_EXISTS, "%s exists and is not replaced by a new key-encryption key", path);
    }
    mg_file_remove_unfinished(path);
    enum mg_status status = new_kek(out, error);
    if (status != MG_OK) {
        return status;
    }
    if (RAND_priv_bytes((*out)->bytes, KEK_LEN) != 1) {
        status = openssl_error_set(error, "no randomness for a key-encryption key");
    } else {
        status = mg_file_write_atomic(path, mg_slice_of((*out)->bytes, KEK_LEN), 0600, error);
    }
    if (status != MG_OK) {
        kek_free(*out);
        *out = NULL;
    }
    return status;
}

void kek_free(struct kek *kek)
{
    OPENSSL_secure_clear_free(kek, sizeof(*kek));
}
