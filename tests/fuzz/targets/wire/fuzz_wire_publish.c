/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of the publishing protocol: whatever decodes, encodes again to the very same bytes. */
#include <stdlib.h>

#include "wire/publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_publish message;
    struct mg_slice packet = mg_slice_of(data, size);
    if (wire_publish_decode(&message, packet, NULL) != MG_OK) {
        return 0;
    }
    struct mg_buffer again;
    mg_buffer_init(&again, WIRE_PUBLISH_MAX_PACKET);
    wire_publish_encode(&again, &message);
    if (!mg_buffer_ok(&again) || !mg_slice_equal(packet, mg_buffer_slice(&again))) {
        abort();
    }
    mg_buffer_free(&again);
    return 0;
}
