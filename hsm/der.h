/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of DER (ITU-T X.690 section 10) on struct mg_slice, for bytes from the engine and from certificates. Only
 * what certificates need: single-byte tags (a high tag number is refused), definite lengths in their shortest form.
 * Each reader takes one element off the front of |in|; on failure it returns false and |in| is unchanged, or, for
 * readers that look into an element, at an unspecified place of the same view: a parser that failed stops.
 * No allocation. Pure: any thread.
 */
#ifndef MINTGATE_HSM_DER_H
#define MINTGATE_HSM_DER_H

#include "base/slice.h"

#define DER_BOOLEAN 0x01
#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OCTET_STRING 0x04
#define DER_NULL 0x05
#define DER_OID 0x06
#define DER_UTC_TIME 0x17
#define DER_GENERALIZED_TIME 0x18
#define DER_SEQUENCE 0x30
#define DER_SET 0x31
/* [number] of the context-specific class: primitive, as IMPLICIT gives it to a primitive type, or constructed. */
#define DER_CONTEXT(number) (0x80 | (number))
#define DER_CONTEXT_CONSTRUCTED(number) (0xa0 | (number))

#define DER_HIGH_TAG_NUMBER 0x1f

/* der_long_length takes the rest of a length whose first octet is |first|, at least 0x80: definite and in its shortest
 * form (X.690 sections 8.1.3 and 10.1). Four octets of length are more than any packet holds. */
MG_MUST_USE bool der_long_length(struct mg_slice *in, uint8_t first, size_t *len);

/* The readers that everything else is made of are here for the compiler's sake: a certificate has a hundred elements.
 *
 * der_any takes an element of any tag: its content, and its whole encoding where |whole| is not NULL. */
static inline MG_MUST_USE bool der_any(struct mg_slice *in, uint8_t *tag, struct mg_slice *content,
                                       struct mg_slice *whole)
{
    struct mg_slice rest = *in, head;
    if (!mg_slice_take(&rest, &head, 2) || (head.data[0] & DER_HIGH_TAG_NUMBER) == DER_HIGH_TAG_NUMBER) {
        return false;
    }
    *tag = head.data[0];
    size_t len = head.data[1];
    if (len >= 0x80 && !der_long_length(&rest, head.data[1], &len)) {
        return false;
    }
    if (!mg_slice_take(&rest, content, len)) {
        return false;
    }
    if (whole != NULL) {
        *whole = mg_slice_of(in->data, in->len - rest.len);
    }
    *in = rest;
    return true;
}

/* der_next_is tells whether an element with |tag| comes next. */
static inline bool der_next_is(struct mg_slice in, uint8_t tag)
{
    return in.len > 0 && in.data[0] == tag;
}

/* der_get takes the content of an element that must have |tag|; der_get_whole its whole encoding too. */
static inline MG_MUST_USE bool der_get_whole(struct mg_slice *in, uint8_t tag, struct mg_slice *content,
                                             struct mg_slice *whole)
{
    uint8_t found;
    return der_next_is(*in, tag) && der_any(in, &found, content, whole);
}

static inline MG_MUST_USE bool der_get(struct mg_slice *in, uint8_t tag, struct mg_slice *content)
{
    return der_get_whole(in, tag, content, NULL);
}

/* der_boolean takes a BOOLEAN: 0x00 or 0xff (X.690 section 11.1). */
MG_MUST_USE bool der_boolean(struct mg_slice *in, bool *value);

/* der_integer takes the content octets of an INTEGER, in two's complement and as few octets as it needs (section
 * 8.3.2). */
MG_MUST_USE bool der_integer(struct mg_slice *in, struct mg_slice *content);

/* der_unsigned takes an INTEGER that is not negative: its magnitude, big-endian, without a leading zero octet; empty
 * for zero. */
MG_MUST_USE bool der_unsigned(struct mg_slice *in, struct mg_slice *magnitude);

/* der_bit_string takes a BIT STRING of whole octets, such as a key or a signature. */
MG_MUST_USE bool der_bit_string(struct mg_slice *in, struct mg_slice *octets);

/* der_named_bits takes a BIT STRING that names at most eight flags, such as KeyUsage; bit 0 is the highest of |bits|.
 * Trailing zero bits must not be encoded (section 11.2.2). */
MG_MUST_USE bool der_named_bits(struct mg_slice *in, uint8_t *bits);

/* der_time takes a Time as RFC 5280 section 4.1.2.5 wants it: UTCTime through the year 2049, GeneralizedTime from 2050
 * on, with seconds, in UTC ("Z"), without fractions. |seconds| counts from 1970-01-01T00:00:00Z. */
MG_MUST_USE bool der_time(struct mg_slice *in, int64_t *seconds);

#endif
