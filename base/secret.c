/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

void mg_secret_wipe(void *data, size_t len)
{
    explicit_bzero(data, len);
}

bool mg_secret_buffer_init(struct mg_buffer *buffer, size_t limit)
{
    mg_buffer_init(buffer, limit);
    buffer->data = malloc(limit);
    if (buffer->data == NULL) {
        return false;
    }
    buffer->capacity = limit;
    return true;
}

void mg_secret_free(struct mg_buffer *buffer)
{
    if (buffer->data != NULL) {
        mg_secret_wipe(buffer->data, buffer->capacity);
    }
    mg_buffer_free(buffer);
}
