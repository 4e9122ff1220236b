/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream assembler beside the plainest model of it: a byte and a flag for each place. The input is a list of
 * segments, four bytes each: offset (16 bits), length, and what is in it (equal values give equal bytes).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/hello/hello_stream.h"

#define CAPACITY 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

struct model {
    uint8_t bytes[CAPACITY];
    bool there[CAPACITY];
};

static unsigned count_ranges(const struct model *model)
{
    unsigned num_ranges = 0;
    for (size_t i = 0; i < CAPACITY; i++) {
        num_ranges += model->there[i] && (i == 0 || !model->there[i - 1]);
    }
    return num_ranges;
}

/* model_add changes the model only if the result is HELLO_STREAM_OK. */
static enum hello_stream_result model_add(struct model *model, size_t offset, const uint8_t *bytes, size_t len)
{
    if (offset + len > CAPACITY) {
        return HELLO_STREAM_TOO_LARGE;
    }
    struct model changed = *model;
    for (size_t i = 0; i < len; i++) {
        if (model->there[offset + i] && model->bytes[offset + i] != bytes[i]) {
            return HELLO_STREAM_CONFLICT;
        }
        changed.there[offset + i] = true;
        changed.bytes[offset + i] = bytes[i];
    }
    if (count_ranges(&changed) > HELLO_STREAM_MAX_RANGES) {
        return HELLO_STREAM_TOO_MANY;
    }
    *model = changed;
    return HELLO_STREAM_OK;
}

static void compare(const struct hello_stream *stream, const struct model *model)
{
    size_t prefix_len = 0;
    while (prefix_len < CAPACITY && model->there[prefix_len]) {
        prefix_len++;
    }
    CBS prefix = hello_stream_prefix(stream);
    require(CBS_len(&prefix) == prefix_len && memcmp(CBS_data(&prefix), model->bytes, prefix_len) == 0);
    require(stream->num_ranges == count_ranges(model));
    for (uint32_t i = 0; i < stream->num_ranges; i++) {
        uint32_t start = stream->ranges[i].start;
        require(memcmp(stream->bytes + start, model->bytes + start, stream->ranges[i].end - start) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[CAPACITY];
    struct hello_stream stream;
    struct model model = {.there = {false}};
    hello_stream_init(&stream, memory, CAPACITY);

    CBS segments;
    uint16_t offset;
    uint8_t len, fill;
    CBS_init(&segments, data, size < 4096 ? size : 4096);
    while (CBS_get_u16(&segments, &offset) && CBS_get_u8(&segments, &len) && CBS_get_u8(&segments, &fill)) {
        uint8_t bytes[UINT8_MAX];
        offset %= CAPACITY + 2;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)(offset + i + (fill % 4 == 3 ? fill : 0));
        }
        enum hello_stream_result expected = model_add(&model, offset, bytes, len);
        require(hello_stream_add(&stream, offset, bytes, len) == expected);
        compare(&stream, &model);
    }
    return 0;
}
