/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the messages of all protocols here are made of: a reader that takes fields off a packet, which is hostile, and
 * batches of entries, of which a packet is filled with as many as it takes.
 *
 * What goes wrong first in a reader stays: from then on it takes nothing, and every field is read as zero, empty, or
 * the first value of its range, and a count as 0. So a decoder reads all its fields and asks once, at the end. |what|
 * names the field in the error, which is always MG_INVALID.
 *
 * Integers are big-endian. Pure, no I/O: any thread.
 */
#ifndef MINTGATE_WIRE_PACKET_H
#define MINTGATE_WIRE_PACKET_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

/* wire_key_id names a key in the signer: random, given when the key is made, never reused. */
struct wire_key_id {
    uint8_t bytes[16];
};

struct wire_reader {
    struct mg_slice rest;   /* borrowed, as is every slice that is read from it */
    enum mg_status status;  /* MG_OK as long as nothing is wrong */
    struct mg_error *error; /* may be NULL */
};

/* wire_reader_of begins with |packet|, of at most |max_len| bytes. */
struct wire_reader wire_reader_of(struct mg_slice packet, size_t max_len, struct mg_error *error);

/* wire_reader_expect takes the byte that a packet begins with, which must be |type|. */
void wire_reader_expect(struct wire_reader *in, unsigned type);

/* wire_refuse says what is wrong with what was read, if nothing was before. */
void wire_refuse(struct wire_reader *in, const char *format, ...) MG_PRINTF(2, 3);

static inline bool wire_reader_ok(const struct wire_reader *in)
{
    return in->status == MG_OK;
}

/* wire_reader_end refuses what is left over, and returns how the whole went. */
MG_MUST_USE enum mg_status wire_reader_end(struct wire_reader *in);

uint8_t wire_read_u8(struct wire_reader *in, const char *what);
uint16_t wire_read_u16(struct wire_reader *in, const char *what);
uint32_t wire_read_u32(struct wire_reader *in, const char *what);
uint64_t wire_read_u64(struct wire_reader *in, const char *what);

/* wire_read_number reads a byte between |first| and |last|; wire_read_flag one that is 0 or 1. */
unsigned wire_read_number(struct wire_reader *in, const char *what, unsigned first, unsigned last);
bool wire_read_flag(struct wire_reader *in, const char *what);

/* wire_read_count reads a u16 between |first| and |last|: entries that follow. */
size_t wire_read_count(struct wire_reader *in, const char *what, size_t first, size_t last);

/* wire_read_bytes reads |len| bytes into |out|; wire_read_slice borrows them. */
void wire_read_bytes(struct wire_reader *in, const char *what, void *out, size_t len);
struct mg_slice wire_read_slice(struct wire_reader *in, const char *what, size_t len);

/* wire_read_octets reads |min| to |max| bytes behind a length of |prefix| bytes: 1, 2 or 4. wire_read_text reads at
 * most |max| bytes of UTF-8 without control characters (base/utf8.h). */
struct mg_slice wire_read_octets(struct wire_reader *in, const char *what, size_t prefix, size_t min, size_t max);
struct mg_slice wire_read_text(struct wire_reader *in, const char *what, size_t prefix, size_t max);

/* wire_read_chain reads |min| to |max| certificates, none of them empty, behind their number u8, and returns it; each
 * stands behind a u16. */
size_t wire_read_chain(struct wire_reader *in, size_t min, size_t max, struct mg_slice *certificates);
void wire_put_chain(struct mg_buffer *out, const struct mg_slice *certificates, size_t count);

struct wire_key_id wire_read_key_id(struct wire_reader *in);
void wire_put_key_id(struct mg_buffer *out, const struct wire_key_id *key_id);

/* A batch is a type u8, the count of its entries u16, and these. The count is 0 when it is begun;
 * wire_batch_make_room counts an entry of |len| bytes if it still fits, as one of at most |max|. */
#define WIRE_BATCH_HEADER_LEN 3
void wire_batch_begin(struct mg_buffer *out, unsigned type);
MG_MUST_USE bool wire_batch_make_room(struct mg_buffer *out, size_t max, size_t len);
size_t wire_batch_count(const struct mg_buffer *out);

#endif
