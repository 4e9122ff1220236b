/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message between the signer and its token processes: whatever decodes, encodes again to the very same bytes, so
 * that nothing is read that an encoder would not write; and no packet is of two types.
 */
#include <stdlib.h>

#include "wire/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each function tells whether |packet| is of its type, and if so appends it again. */
static bool again_launch(struct mg_slice packet, struct mg_buffer *again)
{
    struct wire_token_launch launch;
    if (wire_token_decode_launch(packet, &launch, NULL) != MG_OK) {
        return false;
    }
    wire_token_encode_launch(again, &launch);
    return true;
}

static bool again_kill(struct mg_slice packet, struct mg_buffer *again)
{
    uint8_t place;
    if (wire_token_decode_kill(packet, &place, NULL) != MG_OK) {
        return false;
    }
    wire_token_encode_kill(again, place);
    return true;
}

static bool again_exited(struct mg_slice packet, struct mg_buffer *again)
{
    struct wire_token_exited exited;
    if (wire_token_decode_exited(packet, &exited, NULL) != MG_OK) {
        return false;
    }
    wire_token_encode_exited(again, &exited);
    return true;
}

static bool again_ready(struct mg_slice packet, struct mg_buffer *again)
{
    struct wire_token_ready ready;
    if (wire_token_decode_ready(packet, &ready, NULL) != MG_OK) {
        return false;
    }
    wire_token_encode_ready(again, &ready);
    return true;
}

static bool again_request(struct mg_slice packet, struct mg_buffer *again)
{
    struct wire_token_request request;
    if (wire_token_decode_request(packet, &request, NULL) != MG_OK) {
        return false;
    }
    wire_token_encode_request(again, &request);
    return true;
}

static bool again_reply(struct mg_slice packet, struct mg_buffer *again)
{
    static struct wire_token_reply reply;
    if (wire_token_decode_reply(packet, &reply, NULL) != MG_OK) {
        return false;
    }
    wire_token_encode_reply(again, &reply);
    return true;
}

static bool again_sign(struct mg_slice packet, struct mg_buffer *again)
{
    static struct wire_token_sign sign;
    if (wire_token_decode_sign(packet, &sign, NULL) != MG_OK) {
        return false;
    }
    wire_token_encode_sign(again, &sign);
    return true;
}

static bool again_signed(struct mg_slice packet, struct mg_buffer *again)
{
    static struct wire_token_result results[WIRE_TOKEN_MAX_BATCH];
    size_t num_results;
    if (wire_token_decode_signed(packet, results, &num_results, NULL) != MG_OK) {
        return false;
    }
    wire_token_begin_signed(again);
    for (size_t i = 0; i < num_results; i++) {
        if (!wire_token_add_signed(again, &results[i])) {
            abort();
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const types[])(struct mg_slice packet, struct mg_buffer * again) = {
        again_launch, again_kill, again_exited, again_ready, again_request, again_reply, again_sign, again_signed,
    };
    struct mg_slice packet = mg_slice_of(data, size);
    struct mg_buffer again;
    size_t num_types = 0;
    mg_buffer_init(&again, WIRE_TOKEN_MAX_PACKET);
    for (size_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        num_types += types[i](packet, &again) ? 1 : 0;
    }
    if (num_types > 1 || (num_types == 1 && size <= WIRE_TOKEN_MAX_PACKET &&
                          (!mg_buffer_ok(&again) || !mg_slice_equal(packet, mg_buffer_slice(&again))))) {
        abort();
    }
    mg_buffer_free(&again);
    return 0;
}
