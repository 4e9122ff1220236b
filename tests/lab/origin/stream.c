/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/stream.h"

#include <errno.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static enum mg_status plain_result(ssize_t result, size_t *len)
{
    if (result >= 0) {
        *len = (size_t)result;
        return MG_OK;
    }
    return errno == EAGAIN || errno == EINTR ? MG_AGAIN : MG_IO;
}

static enum mg_status tls_result(const struct stream *stream, int result, size_t *len)
{
    if (result > 0) {
        *len = (size_t)result;
        return MG_OK;
    }
    *len = 0;
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_ZERO_RETURN:
        return MG_OK;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return MG_AGAIN;
    case SSL_ERROR_SYSCALL:
        return result == 0 ? MG_OK : MG_IO; /* 0: end of file without close_notify */
    default:
        return MG_IO;
    }
}

enum mg_status stream_read(struct stream *stream, void *out, size_t max, size_t *len)
{
    if (stream->ssl == NULL) {
        return plain_result(recv(stream->fd, out, max, 0), len);
    }
    ERR_clear_error();
    return tls_result(stream, SSL_read(stream->ssl, out, (int)max), len);
}

enum mg_status stream_write(struct stream *stream, const void *data, size_t len, size_t *written)
{
    if (stream->ssl == NULL) {
        return plain_result(send(stream->fd, data, len, MSG_NOSIGNAL), written);
    }
    ERR_clear_error();
    return tls_result(stream, SSL_write(stream->ssl, data, (int)len), written);
}

bool stream_saw_close_notify(const struct stream *stream)
{
    return stream->ssl == NULL || (SSL_get_shutdown(stream->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void stream_finish(struct stream *stream)
{
    if (stream->ssl != NULL) {
        ERR_clear_error();
        (void)SSL_shutdown(stream->ssl);
    }
    shutdown(stream->fd, SHUT_WR);
}

void stream_free(struct stream *stream)
{
    SSL_free(stream->ssl);
    stream->ssl = NULL;
}
