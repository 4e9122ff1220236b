/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void mg_buffer_init(struct mg_buffer *buffer, size_t limit)
{
    *buffer = (struct mg_buffer){.limit = limit};
}

void mg_buffer_wrap(struct mg_buffer *buffer, void *storage, size_t size)
{
    *buffer = (struct mg_buffer){.data = storage, .capacity = size, .limit = size};
}

void mg_buffer_clear(struct mg_buffer *buffer)
{
    buffer->len = 0;
    buffer->failed = false;
}

void mg_buffer_free(struct mg_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct mg_buffer){.limit = buffer->limit};
}

bool mg_buffer_ok(const struct mg_buffer *buffer)
{
    return !buffer->failed;
}

struct mg_slice mg_buffer_slice(const struct mg_buffer *buffer)
{
    return mg_slice_of(buffer->data, buffer->len);
}

/* reserve returns where |len| more bytes go, or NULL once the buffer has failed. */
static uint8_t *reserve(struct mg_buffer *buffer, size_t len)
{
    if (buffer->failed || len > buffer->limit - buffer->len) {
        buffer->failed = true;
        return NULL;
    }
    size_t needed = buffer->len + len;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity * 2;
        if (capacity < needed) {
            capacity = needed;
        }
        if (capacity > buffer->limit) {
            capacity = buffer->limit;
        }
        uint8_t *data = realloc(buffer->data, capacity);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity = capacity;
    }
    uint8_t *place = buffer->data + buffer->len;
    buffer->len = needed;
    return place;
}

void mg_buffer_append(struct mg_buffer *buffer, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    uint8_t *place = reserve(buffer, len);
    if (place != NULL) {
        memcpy(place, data, len);
    }
}

void mg_buffer_append_slice(struct mg_buffer *buffer, struct mg_slice slice)
{
    mg_buffer_append(buffer, slice.data, slice.len);
}

void mg_buffer_append_text(struct mg_buffer *buffer, const char *text)
{
    mg_buffer_append(buffer, text, strlen(text));
}

void mg_buffer_append_format(struct mg_buffer *buffer, const char *format, ...)
{
    char text[MG_BUFFER_MAX_FORMAT + 1];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof(text)) {
        buffer->failed = true;
        return;
    }
    mg_buffer_append(buffer, text, (size_t)len);
}

static void append_integer(struct mg_buffer *buffer, uint64_t value, size_t num_bytes)
{
    uint8_t *place = reserve(buffer, num_bytes);
    if (place == NULL) {
        return;
    }
    for (size_t i = num_bytes; i-- > 0; value >>= 8) {
        place[i] = (uint8_t)value;
    }
}

void mg_buffer_append_u8(struct mg_buffer *buffer, uint8_t value)
{
    append_integer(buffer, value, 1);
}

void mg_buffer_append_u16(struct mg_buffer *buffer, uint16_t value)
{
    append_integer(buffer, value, 2);
}

void mg_buffer_append_u32(struct mg_buffer *buffer, uint32_t value)
{
    append_integer(buffer, value, 4);
}

void mg_buffer_append_u64(struct mg_buffer *buffer, uint64_t value)
{
    append_integer(buffer, value, 8);
}

static void append_prefixed(struct mg_buffer *buffer, struct mg_slice slice, size_t num_bytes)
{
    if (slice.len >= UINT64_C(1) << (8 * num_bytes)) {
        buffer->failed = true;
        return;
    }
    append_integer(buffer, slice.len, num_bytes);
    mg_buffer_append_slice(buffer, slice);
}

void mg_buffer_append_prefixed_u8(struct mg_buffer *buffer, struct mg_slice slice)
{
    append_prefixed(buffer, slice, 1);
}

void mg_buffer_append_prefixed_u16(struct mg_buffer *buffer, struct mg_slice slice)
{
    append_prefixed(buffer, slice, 2);
}

void mg_buffer_append_prefixed_u32(struct mg_buffer *buffer, struct mg_slice slice)
{
    append_prefixed(buffer, slice, 4);
}
