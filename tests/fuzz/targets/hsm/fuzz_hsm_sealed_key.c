/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the keystore, as somebody with write access to the disk might leave them. The seeds are sealed under the
 * key below; nothing but such a file opens. */
#include <stdlib.h>

#include "base/secret.h"
#include "hsm/sealed_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct kek kek = {"a key-encryption key of 32 bytes"};
    struct key_info info;
    struct mg_buffer secret;
    struct mg_error error;
    if (!mg_secret_buffer_init(&secret, SEALED_KEY_MAX_SECRET)) {
        abort();
    }
    if (sealed_key_open(&kek, mg_slice_of(data, size), &info, &secret, &error) == MG_OK) {
        if (secret.len == 0 || memchr(info.label, '\0', sizeof(info.label)) == NULL ||
            !key_purpose_is_known((uint8_t)info.purpose)) {
            abort();
        }
    } else if (secret.len != 0) {
        abort();
    }
    mg_secret_free(&secret);
    return 0;
}
