/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/hello/hello_record.h"

#include <stdbool.h>
#include <string.h>

/* RFC 8446 sections 5.1 and 4 */
#define CONTENT_TYPE_HANDSHAKE 22
#define MAX_FRAGMENT (1 << 14)
#define RECORD_HEADER_LEN 5
#define HANDSHAKE_TYPE_CLIENT_HELLO 1
#define MESSAGE_HEADER_LEN 4

struct walk {
    CBS rest;             /* of the stream, behind what was read */
    size_t num_records;   /* begun */
    size_t header_len;    /* bytes read of the last record's header */
    size_t fragment_left; /* bytes of the last record that are still to come */
    CBS first_fragment;   /* as far as it is there */
    uint8_t *scratch;     /* the fragments so far, once there are two */
    size_t message_have;  /* bytes of the message in the fragments so far */
    size_t message_len;   /* with its header; 0 while that is incomplete */
    uint8_t message_header[MESSAGE_HEADER_LEN];
};

static bool get_record_byte(struct walk *walk, uint8_t *out)
{
    if (!CBS_get_u8(&walk->rest, out)) {
        return false;
    }
    walk->header_len++;
    return true;
}

/* read_record_header judges each byte of a TLSPlaintext header as it comes. The minor version is to be ignored (RFC
 * 8446 section 5.1, legacy_record_version). */
static enum hello_record_result read_record_header(struct walk *walk, size_t *out_fragment_len)
{
    uint8_t type, major, minor, high, low;
    walk->header_len = 0;
    if (!get_record_byte(walk, &type)) {
        return HELLO_RECORD_NEED_MORE;
    }
    if (type != CONTENT_TYPE_HANDSHAKE) {
        return HELLO_RECORD_MALFORMED;
    }
    if (!get_record_byte(walk, &major)) {
        return HELLO_RECORD_NEED_MORE;
    }
    if (major != 3) {
        return HELLO_RECORD_MALFORMED;
    }
    if (!get_record_byte(walk, &minor) || !get_record_byte(walk, &high)) {
        return HELLO_RECORD_NEED_MORE;
    }
    if (high > MAX_FRAGMENT >> 8) {
        return HELLO_RECORD_MALFORMED;
    }
    if (!get_record_byte(walk, &low)) {
        return HELLO_RECORD_NEED_MORE;
    }
    *out_fragment_len = (size_t)high << 8 | low;
    return *out_fragment_len > 0 && *out_fragment_len <= MAX_FRAGMENT ? HELLO_RECORD_COMPLETE : HELLO_RECORD_MALFORMED;
}

/* read_message_header takes what |fragment| brings of the message's header, which may come in as many records as it has
 * bytes, and judges each byte. COMPLETE: nothing wrong so far. */
static enum hello_record_result read_message_header(struct walk *walk, CBS fragment)
{
    uint8_t *header = walk->message_header;
    for (size_t i = walk->message_have; i < MESSAGE_HEADER_LEN && CBS_get_u8(&fragment, &header[i]); i++) {
        if (i == 0 && header[0] != HANDSHAKE_TYPE_CLIENT_HELLO) {
            return HELLO_RECORD_NOT_TLS;
        }
        if (i == 1 && header[1] != 0) {
            return HELLO_RECORD_TOO_LARGE;
        }
        if (i == 3) {
            walk->message_len = MESSAGE_HEADER_LEN + ((size_t)header[2] << 8 | header[3]);
        }
    }
    return walk->message_len > HELLO_RECORD_MAX_MESSAGE ? HELLO_RECORD_TOO_LARGE : HELLO_RECORD_COMPLETE;
}

/* keep_fragment appends to the message: by reference while there is one record, by copy from the second one on. */
static void keep_fragment(struct walk *walk, CBS fragment)
{
    size_t len = CBS_len(&fragment);
    if (walk->num_records == 1) {
        walk->first_fragment = fragment;
    } else {
        if (walk->num_records == 2) {
            memcpy(walk->scratch, CBS_data(&walk->first_fragment), CBS_len(&walk->first_fragment));
        }
        memcpy(walk->scratch + walk->message_have, CBS_data(&fragment), len);
    }
    walk->message_have += len;
}

/* read_record reads one record as far as it is there. COMPLETE: it is all there, and good. */
static enum hello_record_result read_record(struct walk *walk)
{
    size_t fragment_len;
    enum hello_record_result result = read_record_header(walk, &fragment_len);
    if (walk->header_len > 0) {
        walk->num_records++;
    }
    if (result != HELLO_RECORD_COMPLETE) {
        return result == HELLO_RECORD_MALFORMED && walk->num_records == 1 ? HELLO_RECORD_NOT_TLS : result;
    }
    CBS fragment;
    size_t available = CBS_len(&walk->rest) < fragment_len ? CBS_len(&walk->rest) : fragment_len;
    if (!CBS_get_bytes(&walk->rest, &fragment, available)) {
        return HELLO_RECORD_NEED_MORE;
    }
    result = read_message_header(walk, fragment);
    if (result != HELLO_RECORD_COMPLETE) {
        return result;
    }
    if (walk->message_len > 0 && fragment_len > walk->message_len - walk->message_have) {
        return HELLO_RECORD_MALFORMED;
    }
    keep_fragment(walk, fragment);
    walk->fragment_left = fragment_len - available;
    return walk->fragment_left > 0 ? HELLO_RECORD_NEED_MORE : HELLO_RECORD_COMPLETE;
}

/* missing_len returns how many bytes at least are missing to a complete message. */
static size_t missing_len(const struct walk *walk)
{
    if (walk->message_len == 0) {
        return 1;
    }
    size_t message_left = walk->message_len - walk->message_have;
    if (walk->header_len < RECORD_HEADER_LEN) {
        return RECORD_HEADER_LEN - walk->header_len + message_left;
    }
    return message_left + (message_left > walk->fragment_left ? RECORD_HEADER_LEN : 0);
}

enum hello_record_result hello_record_parse(struct hello_record *out, CBS stream, uint8_t *scratch)
{
    struct walk walk = {.rest = stream, .scratch = scratch};
    enum hello_record_result result;
    do {
        result = read_record(&walk);
    } while (result == HELLO_RECORD_COMPLETE && (walk.message_len == 0 || walk.message_have < walk.message_len));

    *out = (struct hello_record){.num_records = walk.num_records};
    if (result == HELLO_RECORD_COMPLETE) {
        out->message = walk.first_fragment;
        if (walk.num_records > 1) {
            CBS_init(&out->message, scratch, walk.message_len);
        }
        out->stream_len = CBS_len(&stream) - CBS_len(&walk.rest);
    } else if (result == HELLO_RECORD_NEED_MORE) {
        out->needed_len = CBS_len(&stream) + missing_len(&walk);
    }
    return result;
}

const char *hello_record_result_name(enum hello_record_result result)
{
    switch (result) {
    case HELLO_RECORD_COMPLETE:
        return "complete";
    case HELLO_RECORD_NEED_MORE:
        return "need_more";
    case HELLO_RECORD_NOT_TLS:
        return "not_tls";
    case HELLO_RECORD_TOO_LARGE:
        return "too_large";
    case HELLO_RECORD_MALFORMED:
        return "malformed";
    }
    return "unknown";
}
