/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/tls/socket_bio.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/bio.h>

/* Unused buffers kept by a thread. */
#define MAX_FREE_BUFFERS 64

void socket_bio_init(struct socket_bio *bio, int fd, struct socket_buffers *buffers)
{
    *bio = (struct socket_bio){.fd = fd, .buffers = buffers, .readable = true};
}

/* take_buffer returns NULL if memory is short. */
static struct socket_buffer *take_buffer(struct socket_buffers *buffers)
{
    struct socket_buffer *buffer = buffers->free;
    if (buffer != NULL) {
        buffers->free = buffer->next_free;
        buffers->num_free--;
    } else {
        buffer = malloc(sizeof(*buffer));
    }
    buffers->num_in_use += buffer != NULL;
    return buffer;
}

/* give_back takes the buffer at |place|, if there is one. */
static void give_back(struct socket_buffers *buffers, struct socket_buffer **place)
{
    struct socket_buffer *buffer = *place;
    *place = NULL;
    if (buffer == NULL) {
        return;
    }
    buffers->num_in_use--;
    if (buffers->num_free >= MAX_FREE_BUFFERS) {
        free(buffer);
        return;
    }
    buffer->next_free = buffers->free;
    buffers->free = buffer;
    buffers->num_free++;
}

void socket_bio_release(struct socket_bio *bio)
{
    give_back(bio->buffers, &bio->buffer);
    give_back(bio->buffers, &bio->unsent);
}

void socket_buffers_free(struct socket_buffers *buffers)
{
    while (buffers->free != NULL) {
        struct socket_buffer *buffer = buffers->free;
        buffers->free = buffer->next_free;
        free(buffer);
    }
    buffers->num_free = 0;
}

/* receive reads from the socket itself. */
static enum mg_status receive(struct socket_bio *bio, void *out, size_t len, size_t *out_len)
{
    if (bio->end_of_file) {
        *out_len = 0;
        return MG_OK;
    }
    if (!bio->readable) {
        return MG_AGAIN;
    }
    ssize_t got;
    do {
        got = recv(bio->fd, out, len, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN) {
            bio->readable = false;
            return MG_AGAIN;
        }
        bio->reset = true;
        return MG_IO;
    }
    if (got == 0 && bio->reset) {
        return MG_IO; /* the kernel tells a reset once, and from then on an end */
    }
    bio->end_of_file = got == 0;
    /* Short: nothing more is there, and epoll tells when more comes. But an end that it told already is told once. */
    bio->readable = (size_t)got == len || bio->hung_up;
    *out_len = (size_t)got;
    return MG_OK;
}

static void note_last(struct socket_bio *bio, const uint8_t *data, size_t len)
{
    size_t num_new = len < SOCKET_BIO_LAST ? len : SOCKET_BIO_LAST;
    size_t num_kept = SOCKET_BIO_LAST - num_new;
    memmove(bio->last, bio->last + num_new, num_kept);
    memcpy(bio->last + num_kept, data + len - num_new, num_new);
}

enum mg_status socket_bio_read(struct socket_bio *bio, void *out, size_t len, size_t *out_len)
{
    if (bio->buffer == NULL && len >= SOCKET_BIO_BUFFER) {
        return receive(bio, out, len, out_len);
    }
    if (bio->buffer == NULL) {
        if (!bio->readable && !bio->end_of_file) {
            return MG_AGAIN;
        }
        bio->buffer = take_buffer(bio->buffers);
        if (bio->buffer == NULL) {
            return MG_MEMORY;
        }
        bio->start = bio->end = 0;
        enum mg_status status = receive(bio, bio->buffer->bytes, sizeof(bio->buffer->bytes), &bio->end);
        if (status != MG_OK || bio->end == 0) {
            give_back(bio->buffers, &bio->buffer);
            *out_len = 0;
            return status;
        }
    }
    size_t there = bio->end - bio->start;
    *out_len = len < there ? len : there;
    memcpy(out, bio->buffer->bytes + bio->start, *out_len);
    note_last(bio, bio->buffer->bytes + bio->start, *out_len);
    bio->start += *out_len;
    if (bio->start == bio->end) {
        give_back(bio->buffers, &bio->buffer);
    }
    return MG_OK;
}

/* transmit writes to the socket itself. */
static enum mg_status transmit(struct socket_bio *bio, const void *data, size_t len, size_t *out_len)
{
    ssize_t sent;
    do {
        sent = send(bio->fd, data, len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        bio->write_blocked = errno == EAGAIN;
        bio->reset = bio->reset || errno == ECONNRESET;
        return bio->write_blocked ? MG_AGAIN : MG_IO;
    }
    bio->write_blocked = false;
    *out_len = (size_t)sent;
    return MG_OK;
}

enum mg_status socket_bio_flush(struct socket_bio *bio)
{
    while (bio->unsent != NULL) {
        size_t sent;
        enum mg_status status =
            transmit(bio, bio->unsent->bytes + bio->unsent_start, bio->unsent_end - bio->unsent_start, &sent);
        if (status != MG_OK) {
            return status;
        }
        bio->unsent_start += sent;
        if (bio->unsent_start == bio->unsent_end) {
            give_back(bio->buffers, &bio->unsent);
        }
    }
    return MG_OK;
}

void socket_bio_cork(struct socket_bio *bio)
{
    bio->corked = true;
}

void socket_bio_uncork(struct socket_bio *bio)
{
    bio->corked = false;
}

/* collect keeps as much of |data| as there is room for. */
static enum mg_status collect(struct socket_bio *bio, const void *data, size_t len, size_t *out_len)
{
    if (bio->unsent != NULL && bio->unsent_end == sizeof(bio->unsent->bytes)) {
        enum mg_status status = socket_bio_flush(bio);
        if (status != MG_OK) {
            return status;
        }
    }
    if (bio->unsent == NULL) {
        bio->unsent = take_buffer(bio->buffers);
        if (bio->unsent == NULL) {
            return MG_MEMORY;
        }
        bio->unsent_start = bio->unsent_end = 0;
    }
    size_t room = sizeof(bio->unsent->bytes) - bio->unsent_end;
    *out_len = len < room ? len : room;
    memcpy(bio->unsent->bytes + bio->unsent_end, data, *out_len);
    bio->unsent_end += *out_len;
    return MG_OK;
}

enum mg_status socket_bio_write(struct socket_bio *bio, const void *data, size_t len, size_t *out_len)
{
    if (bio->corked) {
        return collect(bio, data, len, out_len);
    }
    enum mg_status status = socket_bio_flush(bio);
    return status == MG_OK ? transmit(bio, data, len, out_len) : status;
}

/* ---- as a BIO ---- */

static int bio_read(BIO *b, char *out, int len)
{
    BIO_clear_retry_flags(b);
    size_t got;
    enum mg_status status = socket_bio_read(BIO_get_data(b), out, (size_t)len, &got);
    if (status == MG_AGAIN) {
        BIO_set_retry_read(b);
    }
    return status == MG_OK ? (int)got : -1;
}

static int bio_write(BIO *b, const char *data, int len)
{
    BIO_clear_retry_flags(b);
    size_t sent;
    enum mg_status status = socket_bio_write(BIO_get_data(b), data, (size_t)len, &sent);
    if (status == MG_AGAIN) {
        BIO_set_retry_write(b);
    }
    return status == MG_OK ? (int)sent : -1;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_TYPE_SOCKET, "socket with read-ahead");
    if (method != NULL) {
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
    }
}

BIO *socket_bio_new(struct socket_bio *bio)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *b = method == NULL ? NULL : BIO_new(method);
    if (b != NULL) {
        BIO_set_data(b, bio);
        BIO_set_init(b, 1);
    }
    return b;
}
