/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one type for bytes from outside in programs that have no CBS (BoringSSL's): a read-only view that shrinks from
 * the front as it is read. A read that asks for more than is left returns false and changes nothing; a parser that
 * is done checks that nothing is left over. No function here reads outside the view, whatever the lengths say.
 * Pure: any thread.
 */
#ifndef MINTGATE_BASE_SLICE_H
#define MINTGATE_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

struct mg_slice {
    const uint8_t *data; /* borrowed */
    size_t len;
};

static inline struct mg_slice mg_slice_of(const void *data, size_t len)
{
    return (struct mg_slice){.data = (const uint8_t *)data, .len = len};
}

static inline struct mg_slice mg_slice_of_text(const char *text)
{
    return mg_slice_of(text, strlen(text));
}

static inline bool mg_slice_equal(struct mg_slice a, struct mg_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* mg_slice_dup_text returns a copy with a NUL behind it, for the caller to free. NULL: no memory. */
static inline char *mg_slice_dup_text(struct mg_slice slice)
{
    char *copy = (char *)malloc(slice.len + 1);
    if (copy != NULL) {
        if (slice.len > 0) {
            memcpy(copy, slice.data, slice.len);
        }
        copy[slice.len] = '\0';
    }
    return copy;
}

/* mg_slice_take moves the first |len| bytes of |in| to |out|. */
static inline MG_MUST_USE bool mg_slice_take(struct mg_slice *in, struct mg_slice *out, size_t len)
{
    if (in->len < len) {
        return false;
    }
    *out = mg_slice_of(in->data, len);
    if (len > 0) { /* an empty slice may have no memory, and C has no NULL + 0 */
        in->data += len;
        in->len -= len;
    }
    return true;
}

/* mg_slice_copy moves the first |len| bytes of |in| into |out|. */
static inline MG_MUST_USE bool mg_slice_copy(struct mg_slice *in, void *out, size_t len)
{
    struct mg_slice bytes;
    if (!mg_slice_take(in, &bytes, len)) {
        return false;
    }
    if (len > 0) {
        memcpy(out, bytes.data, len);
    }
    return true;
}

/* The integers are big-endian, as everywhere on the wire. */
static inline MG_MUST_USE bool mg_slice_u64_of(struct mg_slice *in, size_t num_bytes, uint64_t *out)
{
    struct mg_slice bytes;
    if (!mg_slice_take(in, &bytes, num_bytes)) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < num_bytes; i++) {
        value = value << 8 | bytes.data[i];
    }
    *out = value;
    return true;
}

#define MG_SLICE_DEFINE_INTEGER(name, type, num_bytes)                                                                 \
    static inline MG_MUST_USE bool name(struct mg_slice *in, type *out)                                                \
    {                                                                                                                  \
        uint64_t value;                                                                                                \
        if (!mg_slice_u64_of(in, num_bytes, &value)) {                                                                 \
            return false;                                                                                              \
        }                                                                                                              \
        *out = (type)value;                                                                                            \
        return true;                                                                                                   \
    }
MG_SLICE_DEFINE_INTEGER(mg_slice_u8, uint8_t, 1)
MG_SLICE_DEFINE_INTEGER(mg_slice_u16, uint16_t, 2)
MG_SLICE_DEFINE_INTEGER(mg_slice_u24, uint32_t, 3)
MG_SLICE_DEFINE_INTEGER(mg_slice_u32, uint32_t, 4)
MG_SLICE_DEFINE_INTEGER(mg_slice_u64, uint64_t, 8)
#undef MG_SLICE_DEFINE_INTEGER

/* The prefixed readers take a length of 1, 2 or 3 bytes and then that many bytes. On failure |in| is unchanged. */
#define MG_SLICE_DEFINE_PREFIXED(name, num_bytes)                                                                      \
    static inline MG_MUST_USE bool name(struct mg_slice *in, struct mg_slice *out)                                     \
    {                                                                                                                  \
        struct mg_slice rest = *in;                                                                                    \
        uint64_t len;                                                                                                  \
        if (!mg_slice_u64_of(&rest, num_bytes, &len) || !mg_slice_take(&rest, out, (size_t)len)) {                     \
            return false;                                                                                              \
        }                                                                                                              \
        *in = rest;                                                                                                    \
        return true;                                                                                                   \
    }
MG_SLICE_DEFINE_PREFIXED(mg_slice_prefixed_u8, 1)
MG_SLICE_DEFINE_PREFIXED(mg_slice_prefixed_u16, 2)
MG_SLICE_DEFINE_PREFIXED(mg_slice_prefixed_u24, 3)
MG_SLICE_DEFINE_PREFIXED(mg_slice_prefixed_u32, 4)
#undef MG_SLICE_DEFINE_PREFIXED

#endif
