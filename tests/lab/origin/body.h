/* SPDX-License-Identifier: Apache-2.0 */
/* The body of an HTTP/1.1 request as it arrives: counted and hashed, never kept. One owner. */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_BODY_H
#define MINTGATE_TESTS_LAB_ORIGIN_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/sha.h>

#include "base/slice.h"
#include "base/status.h"

/* The longest line between chunks that is accepted. */
#define BODY_MAX_LINE 1024

enum body_state { BODY_DATA, BODY_CHUNK_SIZE, BODY_CHUNK_END, BODY_TRAILER, BODY_DONE };

struct body {
    enum body_state state;
    bool chunked;
    uint64_t remaining; /* bytes of the chunk, or of the whole body */
    uint64_t num_bytes; /* seen so far */
    SHA256_CTX sha256;
};

/* body_start begins a body of |content_length| bytes, or a chunked one (RFC 9112 section 7.1). */
void body_start(struct body *body, bool chunked, uint64_t content_length);

/* body_consume takes from |in| what belongs to the body: MG_OK when the body is complete, MG_AGAIN when it wants more
 * bytes behind what is left in |in|, MG_INVALID when it is malformed. */
MG_MUST_USE enum mg_status body_consume(struct body *body, struct mg_slice *in);

#endif
