/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a limit, for messages and texts. Appending past the limit, or out of memory, marks the
 * buffer as failed; later appends do nothing; the one check is mg_buffer_ok at the end, so that builders read as
 * straight lines. One owner; no locking.
 */
#ifndef MINTGATE_BASE_BUFFER_H
#define MINTGATE_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/slice.h"

struct mg_buffer {
    uint8_t *data; /* owned */
    size_t len;
    size_t capacity;
    size_t limit; /* largest len allowed */
    bool failed;
};

/* mg_buffer_init sets |buffer| to empty. It allocates nothing until the first append. */
void mg_buffer_init(struct mg_buffer *buffer, size_t limit);

/* mg_buffer_wrap makes |buffer| write into |storage| (borrowed, |size| bytes) and never grow beyond it; such a buffer
 * needs no mg_buffer_free. */
void mg_buffer_wrap(struct mg_buffer *buffer, void *storage, size_t size);

/* mg_buffer_clear empties |buffer|, keeps its memory and clears the failure. */
void mg_buffer_clear(struct mg_buffer *buffer);

/* mg_buffer_free frees the memory; the buffer may be initialised again. */
void mg_buffer_free(struct mg_buffer *buffer);

/* mg_buffer_ok tells whether every append so far fitted. */
MG_MUST_USE bool mg_buffer_ok(const struct mg_buffer *buffer);

struct mg_slice mg_buffer_slice(const struct mg_buffer *buffer);

void mg_buffer_append(struct mg_buffer *buffer, const void *data, size_t len);
void mg_buffer_append_slice(struct mg_buffer *buffer, struct mg_slice slice);
void mg_buffer_append_text(struct mg_buffer *buffer, const char *text);

/* mg_buffer_append_format appends formatted text of at most MG_BUFFER_MAX_FORMAT bytes; a longer one marks the buffer
 * as failed. No terminator is written. */
#define MG_BUFFER_MAX_FORMAT 1023
void mg_buffer_append_format(struct mg_buffer *buffer, const char *format, ...) MG_PRINTF(2, 3);

/* Big-endian integers, and a slice behind its length in as many bytes as the name says. A slice too long for its
 * prefix marks the buffer as failed. */
void mg_buffer_append_u8(struct mg_buffer *buffer, uint8_t value);
void mg_buffer_append_u16(struct mg_buffer *buffer, uint16_t value);
void mg_buffer_append_u32(struct mg_buffer *buffer, uint32_t value);
void mg_buffer_append_u64(struct mg_buffer *buffer, uint64_t value);
void mg_buffer_append_prefixed_u8(struct mg_buffer *buffer, struct mg_slice slice);
void mg_buffer_append_prefixed_u16(struct mg_buffer *buffer, struct mg_slice slice);
void mg_buffer_append_prefixed_u32(struct mg_buffer *buffer, struct mg_slice slice);

#endif
