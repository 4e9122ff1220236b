/* SPDX-License-Identifier: Apache-2.0 */
#include "control/backup/key_file.h"

#include <string.h>

#include "base/file.h"
#include "base/secret.h"

enum mg_status key_file_read(const char *path, uint8_t out[KEY_WRAP_KEY_LEN], struct mg_error *error)
{
    struct mg_buffer bytes;
    if (!mg_secret_buffer_init(&bytes, KEY_WRAP_KEY_LEN + 1)) {
        return mg_error_set(error, MG_MEMORY, "out of memory");
    }
    enum mg_status status = mg_file_read_secret(path, &bytes, error);
    if (status == MG_LIMIT || (status == MG_OK && bytes.len != KEY_WRAP_KEY_LEN)) {
        status = mg_error_set(error, MG_INVALID, "%s: a key-encryption key has %d bytes", path, KEY_WRAP_KEY_LEN);
    }
    if (status == MG_OK) {
        memcpy(out, bytes.data, KEY_WRAP_KEY_LEN);
    }
    mg_secret_free(&bytes);
    return status;
}
