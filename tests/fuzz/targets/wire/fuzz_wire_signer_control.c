/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both directions of the signer's control socket: whatever decodes, encodes again to the very same bytes, so that
 * nothing is read that an encoder would not write; and no packet is both a request and a reply.
 */
#include <stdlib.h>

#include "wire/signer_control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const struct mg_buffer *again, struct mg_slice packet)
{
    if (!mg_buffer_ok(again) || !mg_slice_equal(packet, mg_buffer_slice(again))) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_slice packet = mg_slice_of(data, size);
    struct wire_control_request request;
    struct wire_control_reply reply;
    struct mg_error error;
    struct mg_buffer again;
    mg_buffer_init(&again, WIRE_CONTROL_MAX_PACKET);
    bool is_request = wire_control_decode_request(packet, &request, &error) == MG_OK;
    if (is_request) {
        wire_control_encode_request(&again, &request);
        expect_same(&again, packet);
    }
    if (wire_control_decode_reply(packet, &reply, &error) == MG_OK) {
        if (is_request) {
            abort();
        }
        wire_control_encode_reply(&again, &reply);
        expect_same(&again, packet);
    }
    mg_buffer_free(&again);
    return 0;
}
