/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of one direction of a TCP connection, put together from segments that come in any order, overlapping
 * or repeated, in memory of the caller: what is held until the ClientHello in it is complete.
 *
 * Two segments that give different bytes for the same place are a conflict, never a choice: the server may keep the
 * ones that we drop, and would then see another ClientHello than the one that was judged here.
 *
 * A first segment that holds the whole ClientHello needs no stream: give it to hello_record_parse as it is.
 *
 * Pure: no I/O, no allocation. A stream has one owner, the worker of its flow.
 */
#ifndef MINTGATE_DATAPLANE_HELLO_HELLO_STREAM_H
#define MINTGATE_DATAPLANE_HELLO_HELLO_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/bytestring.h>

#include "base/attr.h"

/* How many pieces with holes between them a stream can be in. Loss and reordering leave a handful at most. */
#define HELLO_STREAM_MAX_RANGES 32

struct hello_stream_range {
    uint32_t start;
    uint32_t end; /* one past the last byte */
};

/* Read-only for others. Zero state: no capacity. */
struct hello_stream {
    uint8_t *bytes; /* borrowed, |capacity| of them */
    uint32_t capacity;
    uint32_t num_ranges;
    struct hello_stream_range ranges[HELLO_STREAM_MAX_RANGES]; /* what is there: ascending, none touching the next */
};

enum hello_stream_result {
    HELLO_STREAM_OK,
    HELLO_STREAM_TOO_LARGE, /* the segment reaches beyond the capacity */
    HELLO_STREAM_TOO_MANY,  /* it would be one piece more than HELLO_STREAM_MAX_RANGES */
    HELLO_STREAM_CONFLICT,  /* it disagrees with a byte that is there already */
};

/* hello_stream_init makes |stream| empty. It will write into |bytes|, which the caller keeps for as long. */
void hello_stream_init(struct hello_stream *stream, uint8_t *bytes, uint32_t capacity);

/* hello_stream_add copies a segment of |len| bytes whose first byte is |offset| bytes after the first byte of the
 * stream. What lies before that first byte is for the caller to cut off: a keep-alive probe may carry one byte of
 * garbage there (RFC 9293 section 3.8.4). After any result but HELLO_STREAM_OK the stream is as it was. */
MG_MUST_USE enum hello_stream_result hello_stream_add(struct hello_stream *stream, size_t offset, const uint8_t *bytes,
                                                      size_t len);

/* hello_stream_has tells whether every byte from |offset| on, |len| of them, is there already: a segment sent again. */
bool hello_stream_has(const struct hello_stream *stream, size_t offset, size_t len);

/* hello_stream_prefix returns the bytes from the first one up to the first hole. They stay where they are, so what was
 * parsed out of a prefix stays valid while the stream grows. */
CBS hello_stream_prefix(const struct hello_stream *stream);

/* hello_stream_result_name returns a static word such as "conflict". */
const char *hello_stream_result_name(enum hello_stream_result result);

#endif
