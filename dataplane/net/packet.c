/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/packet.h"

#include <netinet/in.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define MAX_EXTENSION_HEADERS 8

#define ICMP_UNREACHABLE 3
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
/* RFC 4443: error messages have types below 128; 1 to 4 are defined. */
#define ICMPV6_LAST_ERROR 4

/* What an IP header says, before the transport header is read. */
struct ip_header {
    uint8_t protocol;
    bool is_fragment;
    bool fragment_first;
    uint32_t fragment_id;
    struct mg_slice rest; /* the transport header and what follows */
};

static bool parse_ipv4(struct packet *out, struct ip_header *header, struct mg_slice *in, bool whole)
{
    struct mg_slice rest = *in, addresses, options;
    uint8_t version_len, tos, ttl;
    uint16_t total_len, id, fragment, checksum;
    if (!mg_slice_u8(&rest, &version_len) || !mg_slice_u8(&rest, &tos) || !mg_slice_u16(&rest, &total_len) ||
        !mg_slice_u16(&rest, &id) || !mg_slice_u16(&rest, &fragment) || !mg_slice_u8(&rest, &ttl) ||
        !mg_slice_u8(&rest, &header->protocol) || !mg_slice_u16(&rest, &checksum) ||
        !mg_slice_take(&rest, &addresses, 8)) {
        return false;
    }
    size_t header_len = (size_t)(version_len & 0xf) * 4;
    if (version_len >> 4 != 4 || header_len < 20 || total_len < header_len ||
        !mg_slice_take(&rest, &options, header_len - 20)) {
        return false;
    }
    if (total_len <= in->len) {
        in->len = total_len; /* what follows is Ethernet padding */
        rest.len = total_len - header_len;
    } else if (whole) {
        return false;
    }
    out->is_ipv6 = false;
    out->source = addresses.data;
    out->destination = addresses.data + 4;
    header->is_fragment = (fragment & 0x3fff) != 0; /* more fragments, or an offset */
    header->fragment_first = (fragment & 0x1fff) == 0;
    header->fragment_id = id;
    header->rest = rest;
    return true;
}

/* read_fragment_header reads a Fragment header (RFC 8200 section 4.5). Where one stands inside another, the outer one
 * says what the packet is a fragment of: an atomic one inside makes no packet of it. */
static bool read_fragment_header(struct ip_header *header)
{
    uint8_t reserved;
    uint16_t offset_more;
    uint32_t id;
    if (!mg_slice_u8(&header->rest, &header->protocol) || !mg_slice_u8(&header->rest, &reserved) ||
        !mg_slice_u16(&header->rest, &offset_more) || !mg_slice_u32(&header->rest, &id)) {
        return false;
    }
    bool first = (offset_more & 0xfff8) == 0;
    if (!header->is_fragment) {
        /* RFC 6946: a fragment that is the whole packet is treated as a packet. */
        header->is_fragment = (offset_more & 0xfff9) != 0;
        header->fragment_first = first;
        header->fragment_id = id;
    } else if (!first) {
        header->fragment_first = false;
    }
    return true;
}

/* skip_extensions walks the extension headers to the transport header. */
static bool skip_extensions(struct ip_header *header)
{
    for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
        struct mg_slice *rest = &header->rest, body;
        uint8_t next, len;
        switch (header->protocol) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
            if (!mg_slice_u8(rest, &next) || !mg_slice_u8(rest, &len) ||
                !mg_slice_take(rest, &body, (size_t)len * 8 + 6)) {
                return false;
            }
            header->protocol = next;
            break;
        case IPPROTO_AH: /* RFC 4302 section 2.2: length in words of four bytes, less two */
            if (!mg_slice_u8(rest, &next) || !mg_slice_u8(rest, &len) ||
                !mg_slice_take(rest, &body, (size_t)len * 4 + 6)) {
                return false;
            }
            header->protocol = next;
            break;
        case IPPROTO_FRAGMENT:
            if (!read_fragment_header(header)) {
                return false;
            }
            if (header->is_fragment && !header->fragment_first) {
                return true; /* what follows is not a header */
            }
            break;
        default:
            return true;
        }
    }
    return false;
}

static bool parse_ipv6(struct packet *out, struct ip_header *header, struct mg_slice *in, bool whole)
{
    struct mg_slice rest = *in, addresses;
    uint32_t version_class_label;
    uint16_t payload_len;
    uint8_t hop_limit;
    if (!mg_slice_u32(&rest, &version_class_label) || version_class_label >> 28 != 6 ||
        !mg_slice_u16(&rest, &payload_len) || !mg_slice_u8(&rest, &header->protocol) ||
        !mg_slice_u8(&rest, &hop_limit) || !mg_slice_take(&rest, &addresses, 32)) {
        return false;
    }
    if (payload_len <= rest.len) {
        in->len = 40 + (size_t)payload_len;
        rest.len = payload_len;
    } else if (whole) {
        return false;
    }
    out->is_ipv6 = true;
    out->source = addresses.data;
    out->destination = addresses.data + 16;
    header->is_fragment = false;
    header->rest = rest;
    return skip_extensions(header);
}

/* parse_ip reads the IP header at the front of |*in| and cuts |*in| to the packet's own length. Unless |whole|, a
 * packet that was cut off (quoted in an ICMP message) is accepted. */
static bool parse_ip(struct packet *out, struct ip_header *header, struct mg_slice *in, bool whole)
{
    if (in->len == 0) {
        return false;
    }
    return in->data[0] >> 4 == 6 ? parse_ipv6(out, header, in, whole) : parse_ipv4(out, header, in, whole);
}

static bool parse_ports(struct packet *out, struct mg_slice *in)
{
    out->has_ports = mg_slice_u16(in, &out->source_port) && mg_slice_u16(in, &out->destination_port);
    return out->has_ports;
}

static void parse_tcp(struct packet *out, struct mg_slice in)
{
    struct mg_slice segment = in;
    uint16_t offset_flags, checksum, urgent;
    if (!parse_ports(out, &in) || !mg_slice_u32(&in, &out->seq) || !mg_slice_u32(&in, &out->ack) ||
        !mg_slice_u16(&in, &offset_flags) || !mg_slice_u16(&in, &out->window) || !mg_slice_u16(&in, &checksum) ||
        !mg_slice_u16(&in, &urgent)) {
        return;
    }
    size_t header_len = (size_t)(offset_flags >> 12) * 4;
    if (header_len < 20 || !mg_slice_take(&in, &out->options, header_len - 20)) {
        return;
    }
    out->tcp_flags = (uint8_t)offset_flags;
    out->tcp_offset = (uint16_t)(segment.data - out->ip.data);
    out->payload = in;
    out->kind = PACKET_TCP;
}

/* parse_quoted reads the segment that an ICMP error is about: RFC 792 quotes at least the ports and the sequence
 * number, RFC 4443 section 2.4 as much as fits. */
static void parse_quoted(struct packet *out, struct mg_slice in)
{
    struct packet quoted = {0};
    struct ip_header header = {0};
    if (!parse_ip(&quoted, &header, &in, false) || quoted.is_ipv6 != out->is_ipv6 || header.protocol != IPPROTO_TCP ||
        (header.is_fragment && !header.fragment_first) || !parse_ports(&quoted, &header.rest)) {
        return;
    }
    out->source = quoted.source;
    out->destination = quoted.destination;
    out->source_port = quoted.source_port;
    out->destination_port = quoted.destination_port;
    out->has_ports = true;
    out->kind = PACKET_ICMP_ERROR;
}

static void parse_icmp(struct packet *out, struct mg_slice in)
{
    uint8_t type, code;
    uint16_t checksum;
    uint32_t specific;
    if (!mg_slice_u8(&in, &type) || !mg_slice_u8(&in, &code) || !mg_slice_u16(&in, &checksum) ||
        !mg_slice_u32(&in, &specific)) {
        return;
    }
    bool is_error = out->is_ipv6
                        ? type >= 1 && type <= ICMPV6_LAST_ERROR
                        : type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
    if (is_error) {
        parse_quoted(out, in);
    }
}

static void parse_fragment(struct packet *out, const struct ip_header *header)
{
    if (header->protocol != IPPROTO_TCP) {
        return;
    }
    struct mg_slice rest = header->rest, sequence;
    uint16_t offset_flags;
    out->kind = PACKET_TCP_FRAGMENT;
    out->fragment_id = header->fragment_id;
    out->fragment_first = header->fragment_first;
    if (header->fragment_first && parse_ports(out, &rest)) {
        bool has_flags = mg_slice_take(&rest, &sequence, 8) && mg_slice_u16(&rest, &offset_flags);
        out->tcp_flags = has_flags ? (uint8_t)offset_flags : TCP_SYN;
    }
}

static void parse_packet(struct packet *out, struct mg_slice ip)
{
    struct ip_header header = {0};
    if (!parse_ip(out, &header, &ip, true)) {
        return;
    }
    out->ip = ip;
    if (header.is_fragment) {
        parse_fragment(out, &header);
        return;
    }
    switch (header.protocol) {
    case IPPROTO_TCP:
        parse_tcp(out, header.rest);
        break;
    case IPPROTO_UDP:
        if (parse_ports(out, &header.rest)) {
            out->kind = PACKET_UDP;
        }
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if ((header.protocol == IPPROTO_ICMPV6) == out->is_ipv6) {
            parse_icmp(out, header.rest);
        }
        break;
    default:
        break;
    }
}

static void clear(struct packet *out)
{
    *out = (struct packet){.kind = PACKET_OTHER, .vlan = {PACKET_NO_VLAN, PACKET_NO_VLAN}};
}

void packet_parse_ip(struct packet *out, struct mg_slice ip)
{
    clear(out);
    parse_packet(out, ip);
}

void packet_parse(struct packet *out, struct mg_slice frame)
{
    clear(out);
    struct mg_slice rest = frame, macs;
    uint16_t ethertype;
    if (!mg_slice_take(&rest, &macs, 12) || !mg_slice_u16(&rest, &ethertype)) {
        return;
    }
    for (int i = 0; i < 2 && (ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ); i++) {
        uint16_t tag;
        if (!mg_slice_u16(&rest, &tag) || !mg_slice_u16(&rest, &ethertype)) {
            return;
        }
        out->vlan[i] = tag & 0xfff;
    }
    if (ethertype != ETHERTYPE_IPV4 && ethertype != ETHERTYPE_IPV6) {
        return;
    }
    out->l2_len = (uint8_t)(frame.len - rest.len);
    /* The version nibble must agree with the ethertype. */
    if (rest.len > 0 && (rest.data[0] >> 4 == 6) == (ethertype == ETHERTYPE_IPV6)) {
        parse_packet(out, rest);
    }
}
