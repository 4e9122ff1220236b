/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the ClientHello library share: captured hellos, hellos built from parts, cut into records. */
#ifndef MINTGATE_TESTS_UNIT_HELLO_HELLO_FIXTURE_H
#define MINTGATE_TESTS_UNIT_HELLO_HELLO_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these first. */
#include <setjmp.h>

#include <cmocka.h>

#include <openssl/bytestring.h>

/* Room for the largest message in records of one byte, and some more. */
#define FIXTURE_SIZE (512 * 1024)

/* Results live in static buffers: each until the next call of the same function. fixture_message and
 * fixture_message_of_len share one. */

/* fixture_captured returns a file of the fuzzer's corpus: the bytes that a client sent. */
CBS fixture_captured(const char *name);

/* fixture_hex turns hexadecimal digits with spaces anywhere into bytes. */
CBS fixture_hex(const char *hex);

/* The parts of a ClientHello in hexadecimal, with the lengths that they have on the wire; NULL for a usual value. */
struct hello_parts {
    const char *legacy_version;      /* 0303 */
    const char *session_id;          /* 00 */
    const char *cipher_suites;       /* 0004 1301 c02b */
    const char *compression_methods; /* 01 00 */
    const char *extensions;          /* none; their common length is put before them */
    const char *behind;              /* nothing: bytes after the extensions, or in their place */
};

/* fixture_message returns the handshake message, its header included. */
CBS fixture_message(const struct hello_parts *parts);

/* fixture_message_of_len returns a ClientHello message of |len| bytes (51 or more), its header included, made long by
 * an extension that nobody knows. */
CBS fixture_message_of_len(size_t len);

/* fixture_records cuts |message| into TLS records of |record_len| bytes; the last may be shorter. */
CBS fixture_records(CBS message, size_t record_len);

/* fixture_random is a small generator, the same everywhere; |state| is the seed, not 0. */
uint32_t fixture_random(uint64_t *state);

void fixture_assert_equal(CBS got, CBS expected);

#endif
