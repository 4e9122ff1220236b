/* SPDX-License-Identifier: Apache-2.0 */
/* TCP options (RFC 9293 section 3.1, RFC 7323, RFC 2018), read from a segment and neutralised in a SYN. Pure. */
#ifndef MINTGATE_DATAPLANE_NET_TCP_OPTIONS_H
#define MINTGATE_DATAPLANE_NET_TCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "dataplane/net/packet.h"

struct tcp_options {
    bool has_mss, has_window_scale, has_sack_permitted, has_timestamp;
    uint16_t mss;
    uint8_t window_scale; /* at most 14, RFC 7323 section 2.3 */
    uint32_t timestamp_value;
    uint32_t timestamp_echo;
};

/* tcp_options_parse reads |options| as every TCP stack does: an option of an unknown kind, or of another length than
 * its RFC says, is passed over; a length that cannot be ends the reading; of two the last counts. */
void tcp_options_parse(struct tcp_options *out, struct mg_slice options);

/* tcp_syn_neutralize takes out of a SYN what would let the flow escape inspection or adoption: Fast Open (kind 34, RFC
 * 7413, and the experimental 254 with magic F989) and Multipath TCP (kind 30, RFC 8684) become no-ops, ECN's flags
 * (RFC 3168, RFC 9768) are cleared, and data carried by the SYN is cut off, which the client then sends again. |frame|
 * are the writable bytes that |packet| was parsed from. The checksums are put right, but a SYN that came with a wrong
 * one is left alone, since no host takes it. Returns whether anything was changed; then |out_len| is the frame's new
 * length and |packet| must be parsed again. */
bool tcp_syn_neutralize(uint8_t *frame, const struct packet *packet, size_t *out_len);

#endif
