/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DER (ITU-T X.690 section 10) written into a buffer: what is to be signed elsewhere, and what was, put together. A
 * constructed element is begun, filled and ended; its length is known at the end. A buffer that is full marks itself
 * (base/buffer.h). Pure: any thread.
 */
#ifndef MINTGATE_OSSL_DER_WRITER_H
#define MINTGATE_OSSL_DER_WRITER_H

#include "base/buffer.h"

#define DER_WRITER_SEQUENCE 0x30
#define DER_WRITER_EXPLICIT(number) (0xa0 | (number))

/* der_writer_begin returns what der_writer_end wants; that gives what was written in between |tag| and its length. */
size_t der_writer_begin(const struct mg_buffer *out);
void der_writer_end(struct mg_buffer *out, size_t begin, uint8_t tag);

/* der_writer_unsigned writes an INTEGER from its big-endian magnitude, leading zeros or not; empty: 0. */
void der_writer_unsigned(struct mg_buffer *out, struct mg_slice magnitude);
void der_writer_number(struct mg_buffer *out, uint64_t number);

/* der_writer_time writes a Time as RFC 5280 section 4.1.2.5 wants it: UTCTime through 2049, then GeneralizedTime.
 * |seconds|: since 1970, not before it. */
void der_writer_time(struct mg_buffer *out, int64_t seconds);

/* der_writer_bits writes a BIT STRING of whole octets. */
void der_writer_bits(struct mg_buffer *out, struct mg_slice octets);

/* der_writer_octets writes an OCTET STRING. */
void der_writer_octets(struct mg_buffer *out, struct mg_slice octets);

#endif
