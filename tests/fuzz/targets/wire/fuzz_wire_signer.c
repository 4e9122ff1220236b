/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of the signer's protocol: whatever decodes, encodes again to the very same bytes, so that nothing is
 * read that an encoder would not write.
 */
#include <stdlib.h>

#include "wire/signer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool recode_hello(struct mg_slice packet, struct mg_buffer *out)
{
    uint16_t version;
    if (wire_signer_decode_hello(packet, &version, NULL) != MG_OK || version != WIRE_SIGNER_VERSION) {
        return false;
    }
    wire_signer_encode_hello(out);
    return true;
}

static bool recode_issuers(struct mg_slice packet, struct mg_buffer *out)
{
    struct wire_issuers issuers;
    if (wire_signer_decode_issuers(packet, &issuers, NULL) != MG_OK) {
        return false;
    }
    wire_signer_encode_issuers(out, &issuers);
    return true;
}

static bool recode_sign(struct mg_slice packet, struct mg_buffer *out)
{
    struct wire_sign_request requests[WIRE_SIGNER_MAX_BATCH];
    size_t count;
    if (wire_signer_decode_sign(packet, requests, &count, NULL) != MG_OK) {
        return false;
    }
    wire_signer_begin_sign(out);
    for (size_t i = 0; i < count; i++) {
        if (!wire_signer_add_sign(out, &requests[i])) {
            abort();
        }
    }
    return wire_signer_end_batch(out) == count;
}

static bool recode_signed(struct mg_slice packet, struct mg_buffer *out)
{
    struct wire_sign_result results[WIRE_SIGNER_MAX_BATCH];
    size_t count;
    if (wire_signer_decode_signed(packet, results, &count, NULL) != MG_OK) {
        return false;
    }
    wire_signer_begin_signed(out);
    for (size_t i = 0; i < count; i++) {
        if (!wire_signer_add_signed(out, &results[i])) {
            abort();
        }
    }
    return wire_signer_end_batch(out) == count;
}

static bool recode_cancel(struct mg_slice packet, struct mg_buffer *out)
{
    struct wire_sign_cancel cancel;
    if (wire_signer_decode_cancel(packet, &cancel, NULL) != MG_OK) {
        return false;
    }
    wire_signer_encode_cancel(out, &cancel);
    return true;
}

static bool recode_client_sign(struct mg_slice packet, struct mg_buffer *out)
{
    struct wire_client_sign request;
    if (wire_signer_decode_client_sign(packet, &request, NULL) != MG_OK) {
        return false;
    }
    wire_signer_encode_client_sign(out, &request);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const recoders[])(struct mg_slice packet, struct mg_buffer * out) = {
        [WIRE_SIGNER_HELLO] = recode_hello,   [WIRE_SIGNER_ISSUERS] = recode_issuers,
        [WIRE_SIGNER_SIGN] = recode_sign,     [WIRE_SIGNER_SIGNED] = recode_signed,
        [WIRE_SIGNER_CANCEL] = recode_cancel, [WIRE_SIGNER_CLIENT_SIGN] = recode_client_sign,
    };
    struct mg_slice packet = mg_slice_of(data, size);
    enum wire_signer_type type;
    if (wire_signer_type_of(packet, &type) != MG_OK) {
        return 0;
    }
    struct mg_buffer again;
    mg_buffer_init(&again, WIRE_SIGNER_MAX_PACKET);
    if (recoders[type](packet, &again) && (!mg_buffer_ok(&again) || !mg_slice_equal(packet, mg_buffer_slice(&again)))) {
        abort();
    }
    mg_buffer_free(&again);
    return 0;
}
