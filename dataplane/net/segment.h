/* SPDX-License-Identifier: Apache-2.0 */
/* TCP segments that the dataplane makes itself: resets, alerts, acknowledgements. Pure. */
#ifndef MINTGATE_DATAPLANE_NET_SEGMENT_H
#define MINTGATE_DATAPLANE_NET_SEGMENT_H

#include "base/slice.h"
#include "dataplane/net/packet.h"

/* The largest packet that segment_build makes, without layer 2. */
#define SEGMENT_MAX_LEN 128

struct segment {
    bool is_ipv6;
    const uint8_t *source; /* 4 or 16 bytes */
    const uint8_t *destination;
    uint16_t source_port;
    uint16_t destination_port;
    uint32_t seq;
    uint32_t ack;
    uint16_t window; /* unscaled */
    uint8_t flags;
    bool has_timestamp;
    uint32_t timestamp_value;
    uint32_t timestamp_echo;
    struct mg_slice payload; /* at most 32 bytes */
};

/* segment_build writes an IP packet into |out| (SEGMENT_MAX_LEN bytes) and returns its length. */
size_t segment_build(uint8_t *out, const struct segment *segment);

/* segment_answer prepares |out| as the answer to |packet|: addresses and ports turned round, seq and ack so that the
 * sender of |packet| takes it (RFC 9293 section 3.5.2). */
void segment_answer(struct segment *out, const struct packet *packet, uint8_t flags);

#endif
