/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/origin/body.h"

#include "bench/http_head.h"

void body_start(struct body *body, bool chunked, uint64_t content_length)
{
    *body = (struct body){.chunked = chunked, .remaining = content_length};
    body->state = chunked ? BODY_CHUNK_SIZE : content_length > 0 ? BODY_DATA : BODY_DONE;
    SHA256_Init(&body->sha256);
}

static enum mg_status consume_data(struct body *body, struct mg_slice *in)
{
    struct mg_slice data;
    size_t len = in->len < body->remaining ? in->len : (size_t)body->remaining;
    if (!mg_slice_take(in, &data, len)) {
        return MG_INTERNAL;
    }
    SHA256_Update(&body->sha256, data.data, data.len);
    body->num_bytes += len;
    body->remaining -= len;
    if (body->remaining > 0) {
        return MG_AGAIN;
    }
    body->state = body->chunked ? BODY_CHUNK_END : BODY_DONE;
    return MG_OK;
}

static enum mg_status consume_chunk_size(struct body *body, struct mg_slice line)
{
    struct mg_slice size;
    if (!http_take_word(&line, ';', &size) || !http_number(size, 16, &body->remaining)) {
        return MG_INVALID;
    }
    body->state = body->remaining > 0 ? BODY_DATA : BODY_TRAILER;
    return MG_OK;
}

static enum mg_status consume_line(struct body *body, struct mg_slice *in)
{
    struct mg_slice line;
    if (!http_take_line(in, &line)) {
        return in->len > BODY_MAX_LINE ? MG_INVALID : MG_AGAIN;
    }
    switch (body->state) {
    case BODY_CHUNK_SIZE:
        return consume_chunk_size(body, line);
    case BODY_CHUNK_END:
        body->state = BODY_CHUNK_SIZE;
        return line.len == 0 ? MG_OK : MG_INVALID;
    default:
        if (line.len == 0) {
            body->state = BODY_DONE;
        }
        return MG_OK;
    }
}

enum mg_status body_consume(struct body *body, struct mg_slice *in)
{
    while (body->state != BODY_DONE) {
        enum mg_status status = body->state == BODY_DATA ? consume_data(body, in) : consume_line(body, in);
        if (status != MG_OK) {
            return status;
        }
    }
    return MG_OK;
}
