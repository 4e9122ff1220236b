/* SPDX-License-Identifier: Apache-2.0 */
/* A connected socket, plain or under TLS, read and written the same way. Non-blocking; one thread. */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_STREAM_H
#define MINTGATE_TESTS_LAB_ORIGIN_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/base.h>

#include "base/status.h"

struct stream {
    int fd;   /* borrowed */
    SSL *ssl; /* owned; NULL: plain. Its handshake is done */
};

/* stream_read reads at most |max| bytes: MG_OK with |len| 0 when the peer has finished sending, MG_AGAIN to be called
 * when the socket is readable, MG_IO when the connection is broken. */
MG_MUST_USE enum mg_status stream_read(struct stream *stream, void *out, size_t max, size_t *len);

/* stream_write writes some of |len| bytes: MG_AGAIN to be called when the socket is writable, MG_IO. */
MG_MUST_USE enum mg_status stream_write(struct stream *stream, const void *data, size_t len, size_t *written);

/* stream_saw_close_notify tells whether the peer finished as RFC 8446 section 6.1 asks; always true without TLS. */
bool stream_saw_close_notify(const struct stream *stream);

/* stream_finish says that nothing more will be sent, close_notify included, and leaves the other direction open. */
void stream_finish(struct stream *stream);

/* stream_free frees the TLS state. */
void stream_free(struct stream *stream);

#endif
