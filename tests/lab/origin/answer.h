/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the origin answers:
 *
 *   GET /                    a page that names the SNI, TLS version and ALPN protocol it was asked with
 *   GET /info, /stats        the same, and the origin's counters, as JSON
 *   GET /bytes/N             N bytes of the pattern (pattern.h)
 *   GET /slow?ms=N           an answer after N milliseconds, a minute at most
 *   GET /half-close          an answer once the client has finished sending, which says how it did
 *   GET /reset, /truncate, /alert   half of a body, then a RST, a FIN without close_notify, a fatal alert
 *   PUT, POST anything       the length and SHA-256 of the body as JSON
 *
 * Pure but for the counters read: any thread.
 */
#ifndef MINTGATE_TESTS_LAB_ORIGIN_ANSWER_H
#define MINTGATE_TESTS_LAB_ORIGIN_ANSWER_H

#include "base/buffer.h"
#include "tests/lab/origin/http.h"

struct request {
    char method[16];
    char path[1024]; /* up to '?' */
    char query[256]; /* behind '?' */
    bool close;      /* the client asks for the connection to be closed after the answer */
    uint64_t body_len;
    uint8_t body_sha256[32];
    bool saw_close_notify; /* meaningful after ANSWER_AFTER_HALF_CLOSE */
    struct http_peer peer;
};

/* When the answer is due. */
enum answer_due { ANSWER_NOW, ANSWER_AFTER_DELAY, ANSWER_AFTER_HALF_CLOSE };

/* How it ends. */
enum answer_end { ANSWER_END_NORMAL, ANSWER_END_RESET, ANSWER_END_TRUNCATE, ANSWER_END_ALERT };

struct answer {
    unsigned status;
    const char *content_type;
    uint64_t content_length; /* as announced */
    uint64_t send_len;       /* of the body, before the end */
    bool pattern;            /* the body is the pattern, otherwise |text| */
    struct mg_buffer text;   /* writes into |storage| */
    enum answer_end end;
    char storage[4096];
};

/* answer_due_of tells when |request| is to be answered, with |delay_ms| for ANSWER_AFTER_DELAY. */
enum answer_due answer_due_of(const struct request *request, uint32_t *delay_ms);

/* answer_make fills |answer| for |request|. */
void answer_make(struct answer *answer, const struct request *request, const struct origin *origin);

/* answer_append_head writes the head (RFC 9112 section 4) to |out|. */
void answer_append_head(const struct answer *answer, bool close, struct mg_buffer *out);

#endif
