/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/hello/hello_stream.h"

#include <stdbool.h>
#include <string.h>

void hello_stream_init(struct hello_stream *stream, uint8_t *bytes, uint32_t capacity)
{
    stream->bytes = bytes;
    stream->capacity = capacity;
    stream->num_ranges = 0;
}

/* The ranges [first, end) of a stream: those that an added range overlaps or touches, possibly none. */
struct neighbours {
    uint32_t first;
    uint32_t end;
};

static struct neighbours find_neighbours(const struct hello_stream *stream, struct hello_stream_range added)
{
    struct neighbours found = {0, 0};
    while (found.first < stream->num_ranges && stream->ranges[found.first].end < added.start) {
        found.first++;
    }
    found.end = found.first;
    while (found.end < stream->num_ranges && stream->ranges[found.end].start <= added.end) {
        found.end++;
    }
    return found;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t max_u32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* agrees tells whether |segment|, to be stored at |added|, equals the stream wherever the two overlap. */
static bool agrees(const struct hello_stream *stream, struct neighbours near, struct hello_stream_range added,
                   CBS segment)
{
    uint32_t position = added.start;
    for (uint32_t i = near.first; i < near.end; i++) {
        uint32_t start = max_u32(stream->ranges[i].start, added.start);
        uint32_t end = min_u32(stream->ranges[i].end, added.end);
        CBS overlap;
        if (!CBS_skip(&segment, start - position) || !CBS_get_bytes(&segment, &overlap, end - start) ||
            memcmp(CBS_data(&overlap), stream->bytes + start, end - start) != 0) {
            return false;
        }
        position = end;
    }
    return true;
}

/* merge puts |added| in the place of its neighbours. There is room for it. */
static void merge(struct hello_stream *stream, struct neighbours near, struct hello_stream_range added)
{
    if (near.first < near.end) {
        added.start = min_u32(added.start, stream->ranges[near.first].start);
        added.end = max_u32(added.end, stream->ranges[near.end - 1].end);
    }
    memmove(&stream->ranges[near.first + 1], &stream->ranges[near.end],
            (stream->num_ranges - near.end) * sizeof(stream->ranges[0]));
    stream->ranges[near.first] = added;
    stream->num_ranges += 1 - (near.end - near.first);
}

enum hello_stream_result hello_stream_add(struct hello_stream *stream, size_t offset, const uint8_t *bytes, size_t len)
{
    if (offset > stream->capacity || len > stream->capacity - offset) {
        return HELLO_STREAM_TOO_LARGE;
    }
    if (len == 0) {
        return HELLO_STREAM_OK;
    }
    struct hello_stream_range added = {.start = (uint32_t)offset, .end = (uint32_t)(offset + len)};
    struct neighbours near = find_neighbours(stream, added);
    CBS segment;
    CBS_init(&segment, bytes, len);
    if (!agrees(stream, near, added, segment)) {
        return HELLO_STREAM_CONFLICT;
    }
    if (near.first == near.end && stream->num_ranges == HELLO_STREAM_MAX_RANGES) {
        return HELLO_STREAM_TOO_MANY;
    }
    /* The overlapped part is written again, with the same bytes. */
    memcpy(stream->bytes + added.start, bytes, len);
    merge(stream, near, added);
    return HELLO_STREAM_OK;
}

bool hello_stream_has(const struct hello_stream *stream, size_t offset, size_t len)
{
    for (uint32_t i = 0; i < stream->num_ranges; i++) {
        const struct hello_stream_range *range = &stream->ranges[i];
        if (offset >= range->start && offset <= range->end) {
            return len <= range->end - offset;
        }
    }
    return false;
}

CBS hello_stream_prefix(const struct hello_stream *stream)
{
    bool begun = stream->num_ranges > 0 && stream->ranges[0].start == 0;
    CBS prefix;
    CBS_init(&prefix, stream->bytes, begun ? stream->ranges[0].end : 0);
    return prefix;
}

const char *hello_stream_result_name(enum hello_stream_result result)
{
    switch (result) {
    case HELLO_STREAM_OK:
        return "ok";
    case HELLO_STREAM_TOO_LARGE:
        return "too_large";
    case HELLO_STREAM_TOO_MANY:
        return "too_many";
    case HELLO_STREAM_CONFLICT:
        return "conflict";
    }
    return "unknown";
}
