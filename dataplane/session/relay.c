/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "dataplane/session/session_internal.h"

/* What became of an attempt to read from a half or to write to it. */
enum flow_result {
    FLOW_MOVED,
    FLOW_WAIT, /* for an event */
    FLOW_END,  /* the peer has ended what it sends */
    FLOW_ERROR,
};

/* ---- one half ---- */

static enum flow_result result_of_ssl(struct session_half *half, int result)
{
    switch (SSL_get_error(half->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return FLOW_WAIT;
    case SSL_ERROR_WANT_WRITE:
        session_watch_writes(half);
        return FLOW_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        return FLOW_END;
    case SSL_ERROR_SYSCALL:
        /* The TCP stream ended without close_notify: passed on as it is, without one. */
        return half->bio.end_of_file ? FLOW_END : FLOW_ERROR;
    default:
        return FLOW_ERROR;
    }
}

static enum flow_result half_read(struct session_half *half, uint8_t *out, size_t *out_len)
{
    if (half->ssl != NULL) {
        int result = SSL_read(half->ssl, out, RELAY_CHUNK);
        *out_len = result > 0 ? (size_t)result : 0;
        return result > 0 ? FLOW_MOVED : result_of_ssl(half, result);
    }
    enum mg_status status = socket_bio_read(&half->bio, out, RELAY_CHUNK, out_len);
    if (status == MG_AGAIN) {
        return FLOW_WAIT;
    }
    return status != MG_OK ? FLOW_ERROR : *out_len == 0 ? FLOW_END : FLOW_MOVED;
}

static enum flow_result half_write(struct session_half *half, const uint8_t *data, size_t len, size_t *out_len)
{
    if (half->ssl != NULL) {
        int result = SSL_write(half->ssl, data, (int)len);
        *out_len = result > 0 ? (size_t)result : 0;
        return result > 0 ? FLOW_MOVED : result_of_ssl(half, result);
    }
    enum mg_status status = socket_bio_write(&half->bio, data, len, out_len);
    if (status == MG_AGAIN) {
        session_watch_writes(half);
        return FLOW_WAIT;
    }
    return status == MG_OK ? FLOW_MOVED : FLOW_ERROR;
}

/* ---- bytes that were not taken ---- */

static bool keep_rest(struct relay_rest *rest, const uint8_t *data, size_t len)
{
    if (rest->bytes == NULL) {
        rest->bytes = malloc(RELAY_CHUNK);
        if (rest->bytes == NULL) {
            return false;
        }
    }
    memcpy(rest->bytes, data, len);
    rest->start = 0;
    rest->end = len;
    return true;
}

static bool has_rest(const struct session_half *half)
{
    return half->rest.start < half->rest.end;
}

static void drop_rest(struct relay_rest *rest)
{
    if (rest->bytes != NULL) {
        explicit_bzero(rest->bytes, RELAY_CHUNK); /* somebody's plaintext */
        free(rest->bytes);
    }
    *rest = (struct relay_rest){0};
}

void relay_free(struct session *session)
{
    drop_rest(&session->half[SIDE_CLIENT].rest);
    drop_rest(&session->half[SIDE_SERVER].rest);
}

/* write_all writes |data| to |half|, and keeps what it does not take. */
static enum flow_result write_all(struct session_half *half, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t written;
        enum flow_result result = half_write(half, data, len, &written);
        if (result == FLOW_WAIT) {
            return keep_rest(&half->rest, data, len) ? FLOW_WAIT : FLOW_ERROR;
        }
        if (result != FLOW_MOVED) {
            return FLOW_ERROR;
        }
        data += written;
        len -= written;
    }
    return FLOW_MOVED;
}

/* flush sends what was collected for |half|. */
static enum flow_result flush(struct session_half *half)
{
    enum mg_status status = socket_bio_flush(&half->bio);
    if (status == MG_AGAIN) {
        session_watch_writes(half);
        return FLOW_WAIT;
    }
    return status == MG_OK ? FLOW_MOVED : FLOW_ERROR;
}

static enum flow_result write_rest(struct session_half *half)
{
    struct relay_rest *rest = &half->rest;
    while (has_rest(half)) {
        size_t written;
        enum flow_result result = half_write(half, rest->bytes + rest->start, rest->end - rest->start, &written);
        if (result != FLOW_MOVED) {
            return result;
        }
        rest->start += written;
    }
    drop_rest(rest);
    return FLOW_MOVED;
}

/* ---- from one half to the other ---- */

/* inspect is where the plaintext of both directions passes by: counted now, and the place for a mirror or ICAP. */
static void inspect(struct session *session, enum side from, const uint8_t *data, size_t len)
{
    (void)data;
    if (from == SIDE_CLIENT) {
        session->record.bytes_from_client += len;
    } else {
        session->record.bytes_from_server += len;
    }
}

/* pass_close_notify_on tells |to| by close_notify that |from| has ended, if |from| said so itself. FLOW_WAIT: |to| has
 * no room for it yet. */
static enum flow_result pass_close_notify_on(const struct session_half *from, struct session_half *to)
{
    bool notified = from->ssl != NULL && (SSL_get_shutdown(from->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    if (notified && to->ssl != NULL) {
        int result = SSL_shutdown(to->ssl);
        if (result < 0 && SSL_get_error(to->ssl, result) == SSL_ERROR_WANT_WRITE) {
            session_watch_writes(to);
            return FLOW_WAIT; /* the next call goes on with it */
        }
        ERR_clear_error();
    }
    to->write_closed = true;
    return FLOW_END;
}

/* pass_end_on tells |to| that |from| has ended: by close_notify where it said so, and by FIN where its TCP stream
 * ended, both in one packet if they came together. A client may close its sending half and go on reading (RFC 8446
 * section 6.1). */
static enum flow_result pass_end_on(struct session_half *from, struct session_half *to)
{
    /* Behind a close_notify the FIN may come later, and may have been read ahead of by nobody. */
    if (!from->bio.end_of_file && from->bio.readable) {
        char byte;
        from->bio.end_of_file = recv(from->bio.fd, &byte, 1, MSG_PEEK) == 0;
    }
    to->bio.more_follows = from->bio.end_of_file;
    enum flow_result notified = to->write_closed ? FLOW_END : pass_close_notify_on(from, to);
    to->bio.more_follows = false;
    if (notified == FLOW_WAIT) {
        return FLOW_WAIT;
    }
    if (from->bio.end_of_file && !from->fin_passed_on) {
        from->fin_passed_on = true;
        (void)shutdown(to->bio.fd, SHUT_WR);
    }
    return FLOW_END;
}

/* pump moves bytes from |from_side| to the other until one of them has to wait; FLOW_MOVED: there may be more. */
static enum flow_result pump(struct session *session, enum side from_side)
{
    struct session_half *from = &session->half[from_side], *to = &session->half[side_other(from_side)];
    size_t budget = RELAY_BUDGET;
    enum flow_result result = write_rest(to);
    while (result == FLOW_MOVED && !from->read_closed && budget > 0) {
        uint8_t *chunk = session->thread->chunk;
        size_t len;
        result = half_read(from, chunk, &len);
        if (result == FLOW_MOVED) {
            inspect(session, from_side, chunk, len);
            session->last_byte_ns = session->thread->now_ns;
            result = write_all(to, chunk, len);
            budget -= len < budget ? len : budget;
        } else if (result == FLOW_END) {
            from->read_closed = true;
        }
    }
    return result;
}

/* move pumps with the records collected, passes the end on when there is no more to come, and tells how it stands. */
static enum flow_result move(struct session *session, enum side from_side)
{
    struct session_half *from = &session->half[from_side], *to = &session->half[side_other(from_side)];
    socket_bio_cork(&to->bio);
    enum flow_result result = pump(session, from_side);
    socket_bio_uncork(&to->bio);
    if (result == FLOW_ERROR) {
        return FLOW_ERROR;
    }
    enum flow_result flushed = flush(to);
    if (flushed != FLOW_MOVED) {
        return flushed;
    }
    return from->read_closed && !has_rest(to) ? pass_end_on(from, to) : result;
}

/* ---- ending ---- */

/* abort_session ends both halves as the broken one ended: an alert is passed on as that alert, anything else as a
 * reset. */
static void abort_session(struct session *session)
{
    ERR_clear_error();
    int alert = session->record.client_alert >= 0 ? session->record.client_alert : session->record.server_alert;
    struct session_half *other =
        session->record.client_alert >= 0 ? &session->half[SIDE_SERVER] : &session->half[SIDE_CLIENT];
    bool passed_on = alert >= 0 && other->ssl != NULL && SSL_send_fatal_alert(other->ssl, (uint8_t)alert) == 1;
    session->record.reason = session->record.client_alert >= 0  ? "client_alert"
                             : session->record.server_alert < 0 ? "reset"
                             : proof_was_refused(session)       ? PROOF_REFUSED_REASON
                                                                : "server_alert";
    ERR_clear_error();
    session_end(session, !passed_on);
}

void relay_advance(struct session *session)
{
    enum flow_result up = move(session, SIDE_CLIENT);
    enum flow_result down = up == FLOW_ERROR ? FLOW_ERROR : move(session, SIDE_SERVER);
    if (up == FLOW_ERROR || down == FLOW_ERROR) {
        abort_session(session);
    } else if (up == FLOW_END && down == FLOW_END) {
        session_end(session, false);
    } else if (up == FLOW_MOVED || down == FLOW_MOVED) {
        session_run_again(session);
    } else if (session->half[SIDE_CLIENT].read_closed || session->half[SIDE_SERVER].read_closed) {
        session_half_open(session);
    }
}
