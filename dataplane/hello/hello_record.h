/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the first bytes of a TCP stream to the ClientHello handshake message in them, which may lie in several TLS
 * records (RFC 8446 section 5.1; RFC 5246 section 6.2.1 for older versions).
 *
 * Pure: any thread, no I/O, no allocation, no copying where the message lies in one record.
 */
#ifndef MINTGATE_DATAPLANE_HELLO_HELLO_RECORD_H
#define MINTGATE_DATAPLANE_HELLO_HELLO_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/bytestring.h>

#include "base/attr.h"

/* The largest handshake message accepted, counted with its own header of 4 bytes and without record headers. */
#define HELLO_RECORD_MAX_MESSAGE (64 * 1024)

enum hello_record_result {
    HELLO_RECORD_COMPLETE,
    HELLO_RECORD_NEED_MORE, /* good so far */
    HELLO_RECORD_NOT_TLS,   /* does not begin as a TLS client does; a ClientHello in SSL 2.0 format neither */
    HELLO_RECORD_TOO_LARGE, /* TLS, but the message is larger than HELLO_RECORD_MAX_MESSAGE */
    HELLO_RECORD_MALFORMED, /* TLS, but no handshake records follow on each other as they must */
};

struct hello_record {
    CBS message; /* COMPLETE: the handshake message with its header; borrows from the stream or from the scratch */
    size_t stream_len;  /* COMPLETE: bytes of the stream up to the end of the message's last record */
    size_t needed_len;  /* NEED_MORE: a stream shorter than this cannot be complete */
    size_t num_records; /* records begun so far */
};

/* hello_record_parse looks for the ClientHello at the start of |stream|, which may go on behind it. |scratch| has room
 * for HELLO_RECORD_MAX_MESSAGE bytes and is written only where the message spans records; one for each worker will do.
 *
 * The verdict falls on the first byte that decides it, and no later byte changes it. Each of these is refused: a record
 * of another type or another major version than 3, an empty record or one of more than 2^14 bytes (RFC 8446 section
 * 5.1), a message of another type than ClientHello, and more handshake bytes behind it in its last record (RFC 8446
 * section 5.1: a ClientHello ends its record). In the first record these mean NOT_TLS, but for the last.
 *
 * It keeps no state: each call reads the records from the start. A caller that waits for |needed_len| bytes before it
 * calls again makes a number of calls that grows with the logarithm of the message's length, however it dribbles in.
 * Up to the message's header |needed_len| asks for one byte more only, so that what is not TLS is told at once. */
MG_MUST_USE enum hello_record_result hello_record_parse(struct hello_record *out, CBS stream, uint8_t *scratch);

/* hello_record_result_name returns a static word such as "need_more". */
const char *hello_record_result_name(enum hello_record_result result);

#endif
