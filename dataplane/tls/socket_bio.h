/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BIO over a non-blocking socket that reads ahead, and writes behind where it is told to. BoringSSL asks for five
 * bytes, then for the rest of a record; a handshake flight of six records would cost a dozen system calls. Here one
 * read takes what is there, and a short read says that nothing more is, so that the next one waits for epoll's word.
 * While it is corked, records to be sent are collected, and go to the kernel several at a time. One session thread owns
 * it.
 */
#ifndef MINTGATE_DATAPLANE_TLS_SOCKET_BIO_H
#define MINTGATE_DATAPLANE_TLS_SOCKET_BIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/base.h>

#include "base/status.h"

/* A record of 2^14 bytes with the most that encryption may add (RFC 8446 section 5.2, RFC 5246 section 6.2.3). */
#define SOCKET_BIO_RECORD (5 + 16384 + 2048)
/* Room for several: each system call has the kernel's TCP make a packet, and wakes a worker. */
#define SOCKET_BIO_BUFFER (4 * SOCKET_BIO_RECORD)

/* An alert in the clear (RFC 8446 section 6): as long as that is what a bio remembers of what it read. */
#define SOCKET_BIO_LAST 7

/* Buffers shared by the sessions of one thread: one has a buffer only while unread or unsent bytes are in it. */
struct socket_buffer {
    struct socket_buffer *next_free;
    uint8_t bytes[SOCKET_BIO_BUFFER];
};

struct socket_buffers {
    struct socket_buffer *free;
    size_t num_free;
    size_t num_in_use;
};

/* The state of one socket. Zero state with |fd| -1: none. */
struct socket_bio {
    int fd;
    struct socket_buffers *buffers;
    struct socket_buffer *buffer; /* NULL: nothing is read ahead */
    size_t start, end;
    struct socket_buffer *unsent; /* NULL: nothing is collected */
    size_t unsent_start, unsent_end;
    uint8_t last[SOCKET_BIO_LAST]; /* the last bytes read through the buffer, the newest at the end */
    bool readable;                 /* epoll said so, and no read has come back short since */
    bool hung_up;                  /* epoll said that an end or an error is there to be read */
    bool end_of_file;              /* the peer's FIN was read */
    bool reset;                    /* the connection was reset */
    bool write_blocked;            /* the last write wants to wait for room */
    bool corked;                   /* writes are collected */
};

/* socket_bio_init prepares |bio| for |fd|, which stays the caller's. */
void socket_bio_init(struct socket_bio *bio, int fd, struct socket_buffers *buffers);

/* socket_bio_new returns a BIO that works on |bio|, which outlives it. NULL: out of memory. */
BIO *socket_bio_new(struct socket_bio *bio);

/* socket_bio_read and socket_bio_write are the same without TLS: MG_OK with *out_len bytes (0 on a read: end),
 * MG_AGAIN, MG_IO (a reset stays one, and never looks like an end), MG_MEMORY. What came before an end or a reset is
 * read before it. */
MG_MUST_USE enum mg_status socket_bio_read(struct socket_bio *bio, void *out, size_t len, size_t *out_len);
MG_MUST_USE enum mg_status socket_bio_write(struct socket_bio *bio, const void *data, size_t len, size_t *out_len);

/* socket_bio_cork has what is written from now on collected; where the buffer is full it is sent. */
void socket_bio_cork(struct socket_bio *bio);

/* socket_bio_uncork ends that. socket_bio_flush sends what was collected: MG_OK when all of it is sent, MG_AGAIN,
 * MG_IO. While something is left, a write that is not corked is MG_AGAIN too. */
void socket_bio_uncork(struct socket_bio *bio);
MG_MUST_USE enum mg_status socket_bio_flush(struct socket_bio *bio);

static inline bool socket_bio_has_unsent(const struct socket_bio *bio)
{
    return bio->unsent != NULL;
}

/* socket_bio_release gives the buffers back; what was read ahead or collected is lost. */
void socket_bio_release(struct socket_bio *bio);

/* socket_buffers_free frees the unused buffers. */
void socket_buffers_free(struct socket_buffers *buffers);

#endif
