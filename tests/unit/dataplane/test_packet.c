/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t frame[FRAME_SIZE];
static size_t frame_len;
static uint8_t *exact; /* what |packet| borrows from */
static struct packet packet;

static int forget(void **state)
{
    (void)state;
    free(exact);
    exact = NULL;
    return 0;
}

/* parse parses the first |len| bytes of |frame|. */
static enum packet_kind parse(size_t len)
{
    free(exact);
    exact = frame_exact(frame, len);
    packet_parse(&packet, mg_slice_of(exact, len));
    return packet.kind;
}

static enum packet_kind parse_tcp(const struct frame_ip *ip, const struct frame_tcp *tcp)
{
    frame_len = frame_tcp(frame, ip, tcp);
    return parse(frame_len);
}

static enum packet_kind parse_ip(const struct frame_ip *ip, const char *body)
{
    static uint8_t bytes[FRAME_SIZE];
    size_t len = frame_hex(bytes, body);
    frame_len = frame_ip(frame, ip, mg_slice_of(bytes, len));
    return parse(frame_len);
}

/* The segment that most tests send. */
static const struct frame_tcp sample = {.seq = 0x01020304,
                                        .ack = 0x05060708,
                                        .flags = TCP_ACK | TCP_PSH,
                                        .window = 0x1234,
                                        .options = "0101080a 00000001 00000002",
                                        .payload_len = 11};

/* assert_sample checks everything that can be known of |sample| with |ip| around it. */
static void assert_sample(const struct frame_ip *ip)
{
    size_t header_len = packet.ip.len - 32 - 11;
    assert_int_equal(packet.kind, PACKET_TCP);
    assert_int_equal(packet.is_ipv6, ip->is_ipv6);
    assert_true(packet.has_ports);
    assert_memory_equal(packet.source, ip->is_ipv6 ? frame_client6 : frame_client4, packet_address_len(&packet));
    assert_memory_equal(packet.destination, ip->is_ipv6 ? frame_server6 : frame_server4, packet_address_len(&packet));
    assert_int_equal(packet.source_port, FRAME_CLIENT_PORT);
    assert_int_equal(packet.destination_port, FRAME_SERVER_PORT);
    assert_ptr_equal(packet.ip.data, exact + packet.l2_len);
    assert_int_equal(packet.ip.len, frame_len - packet.l2_len - ip->padding_len);
    assert_int_equal(packet.tcp_offset, header_len);
    assert_int_equal(packet.seq, 0x01020304);
    assert_int_equal(packet.ack, 0x05060708);
    assert_int_equal(packet.tcp_flags, TCP_ACK | TCP_PSH);
    assert_int_equal(packet.window, 0x1234);
    assert_ptr_equal(packet.options.data, packet.ip.data + header_len + 20);
    assert_int_equal(packet.options.len, 12);
    assert_ptr_equal(packet.payload.data, packet.ip.data + header_len + 32);
    assert_int_equal(packet.payload.len, 11);
    assert_int_equal(packet.payload.data[10], frame_payload_byte(0x01020304 + 10));
    assert_int_equal(packet_sequence_len(&packet), 11);
}

static void assert_sample_parses(const struct frame_ip *ip)
{
    parse_tcp(ip, &sample);
    assert_sample(ip);
}

/* ---- layer 2 ---- */

static void test_a_segment_is_taken_apart(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_sample_parses(&(struct frame_ip){.is_ipv6 = i == 1});
        assert_int_equal(packet.l2_len, 14);
        assert_int_equal(packet.vlan[0], PACKET_NO_VLAN);
        assert_int_equal(packet.vlan[1], PACKET_NO_VLAN);
    }
}

static void test_tags_are_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *tags;
        uint8_t l2_len;
        uint16_t outer, inner;
    } cases[] = {
        {"8100 0064", 18, 0x064, PACKET_NO_VLAN},  {"88a8 0064", 18, 0x064, PACKET_NO_VLAN},
        {"8100 ffff", 18, 0xfff, PACKET_NO_VLAN}, /* priority and DEI are no part of the id */
        {"8100 e000", 18, 0x000, PACKET_NO_VLAN}, /* a priority tag */
        {"88a8 0065 8100 0066", 22, 0x065, 0x066}, {"8100 0065 8100 0066", 22, 0x065, 0x066},
        {"88a8 b065 88a8 3066", 22, 0x065, 0x066},
    };
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        assert_sample_parses(&(struct frame_ip){.tags = cases[i / 2].tags, .is_ipv6 = i % 2 == 1});
        assert_int_equal(packet.l2_len, cases[i / 2].l2_len);
        assert_int_equal(packet.vlan[0], cases[i / 2].outer);
        assert_int_equal(packet.vlan[1], cases[i / 2].inner);
    }
    assert_int_equal(PACKET_MAX_L2, 22);
}

static void test_a_third_tag_is_not_of_interest(void **state)
{
    (void)state;
    assert_int_equal(parse_tcp(&(struct frame_ip){.tags = "8100 0001 8100 0002 8100 0003"}, &sample), PACKET_OTHER);
    assert_int_equal(parse_tcp(&(struct frame_ip){.tags = "9100 0001"}, &sample), PACKET_OTHER);
}

static void test_other_ethertypes_are_not_of_interest(void **state)
{
    (void)state;
    static const uint16_t types[] = {0x0806, 0x8847, 0x88cc, 0x0026, 0x0801};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(parse_tcp(&(struct frame_ip){.ethertype = types[i]}, &sample), PACKET_OTHER);
        assert_int_equal(packet.l2_len, 0);
    }
}

static void test_the_ethertype_and_the_version_agree_or_it_is_no_ip(void **state)
{
    (void)state;
    assert_int_equal(parse_tcp(&(struct frame_ip){.ethertype = 0x86dd}, &sample), PACKET_OTHER);
    assert_int_equal(parse_tcp(&(struct frame_ip){.ethertype = 0x0800, .is_ipv6 = true}, &sample), PACKET_OTHER);
    for (unsigned version = 0; version < 16; version++) {
        for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
            frame_len = frame_tcp(frame, &(struct frame_ip){.is_ipv6 = is_ipv6 == 1}, &sample);
            frame[14] = (uint8_t)(version << 4 | (frame[14] & 0xf));
            assert_int_equal(parse(frame_len), version == (is_ipv6 == 1 ? 6 : 4) ? PACKET_TCP : PACKET_OTHER);
        }
    }
}

static void test_ethernet_padding_is_cut_off(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 46; len++) {
        assert_sample_parses(&(struct frame_ip){.padding_len = len});
        assert_sample_parses(&(struct frame_ip){.padding_len = len, .is_ipv6 = true, .tags = "8100 0001"});
    }
}

/* ---- layer 3 ---- */

static void test_ipv4_options_are_passed_over(void **state)
{
    (void)state;
    char options[2 * 40 + 1] = "";
    for (int words = 1; words <= 10; words++) {
        strcat(options, "01010101");
        assert_sample_parses(&(struct frame_ip){.options = options});
        assert_int_equal(packet.tcp_offset, 20 + 4 * words);
    }
}

/* Each extension header with something in it that is none of its fields, and its "next header" field left open. */
static const struct {
    uint8_t kind;
    const char *rest;
    size_t len;
} extensions[] = {
    {PROTOCOL_HOP_BY_HOP, "00 0502 0000 0100", 8},
    {PROTOCOL_ROUTING, "02 0400 06060606 11111111111111111111111111111111", 24},
    {PROTOCOL_DESTINATION, "01 0104 06060606 0106 060606060606", 16},
    {PROTOCOL_AH, "04 0000 00000001 00000002 060606060606060606060606", 24},
    {PROTOCOL_FRAGMENT, "06 0000 00000007", 8}, /* atomic */
};
#define NUM_EXTENSIONS 5

/* chain_of writes the extension headers number |order[0]|... as hexadecimal; returns their length. */
static size_t chain_of(char *out, const unsigned *order, size_t num)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < num; i++) {
        uint8_t next = i + 1 < num ? extensions[order[i + 1]].kind : 0;
        out += sprintf(out, "%02x %s ", next, extensions[order[i]].rest);
        len += extensions[order[i]].len;
    }
    return len;
}

/* Every order of every choice of up to five headers, with repetitions: 5 + 25 + 125 + 625 + 3125 chains. */
static void test_every_chain_of_ipv6_extension_headers_is_passed_over(void **state)
{
    (void)state;
    static char hex[2048];
    unsigned num_chains = 0;
    for (size_t num = 1; num <= 5; num++) {
        unsigned total = 1;
        for (size_t i = 0; i < num; i++) {
            total *= NUM_EXTENSIONS;
        }
        for (unsigned number = 0; number < total; number++) {
            unsigned order[5], rest = number;
            for (size_t i = 0; i < num; i++, rest /= NUM_EXTENSIONS) {
                order[i] = rest % NUM_EXTENSIONS;
            }
            size_t len = chain_of(hex, order, num);
            const struct frame_ip ip = {
                .is_ipv6 = true, .extensions = hex, .first_extension = extensions[order[0]].kind};
            assert_sample_parses(&ip);
            assert_int_equal(packet.tcp_offset, 40 + len);
            num_chains++;
        }
    }
    assert_int_equal(num_chains, 3905);
}

static void test_eight_extension_headers_are_passed_over_and_nine_are_not(void **state)
{
    (void)state;
    static char hex[2048];
    static const unsigned order[9] = {0, 2, 2, 2, 2, 2, 2, 2, 2};
    chain_of(hex, order, 8);
    assert_sample_parses(&(struct frame_ip){.is_ipv6 = true, .extensions = hex});
    chain_of(hex, order, 9);
    assert_int_equal(parse_tcp(&(struct frame_ip){.is_ipv6 = true, .extensions = hex}, &sample), PACKET_OTHER);
}

static void test_an_extension_header_of_the_greatest_length_is_passed_over(void **state)
{
    (void)state;
    static char hex[2 * 2048 + 1];
    memset(hex, '0', sizeof(hex) - 1);
    memcpy(hex, "00ff", 4);
    assert_sample_parses(&(struct frame_ip){.is_ipv6 = true, .extensions = hex, .first_extension = 60});
    hex[(255 + 2) * 8] = '\0'; /* an Authentication Header counts in words of four bytes */
    assert_sample_parses(&(struct frame_ip){.is_ipv6 = true, .extensions = hex, .first_extension = PROTOCOL_AH});
}

static void test_what_follows_no_known_header_is_not_of_interest(void **state)
{
    (void)state;
    static const uint8_t protocols[] = {50, 59, 135, 139, 47, 132, 253};
    for (size_t i = 0; i < sizeof(protocols); i++) {
        const char *looks_like_tcp = "9c40 01bb 00000001 00000002 5010 0000 0000 0000";
        assert_int_equal(parse_ip(&(struct frame_ip){.protocol = protocols[i]}, looks_like_tcp), PACKET_OTHER);
        assert_int_equal(parse_ip(&(struct frame_ip){.protocol = protocols[i], .is_ipv6 = true}, looks_like_tcp),
                         PACKET_OTHER);
    }
}

/* IPv4 knows no extension headers but the one for authentication, which is a protocol of its own there. */
static void test_ipv6_extension_headers_in_ipv4_are_not_of_interest(void **state)
{
    (void)state;
    static const uint8_t protocols[] = {0, 43, 44, 51, 60};
    for (size_t i = 0; i < sizeof(protocols); i++) {
        assert_int_equal(parse_ip(&(struct frame_ip){.protocol = protocols[i]},
                                  "0600 0000 00000000 9c40 01bb 00000001 00000002 5010 0000 0000 0000"),
                         PACKET_OTHER);
    }
}

/* ---- fragments ---- */

static void assert_fragment(uint32_t id, bool first, bool has_ports)
{
    assert_int_equal(packet.kind, PACKET_TCP_FRAGMENT);
    assert_int_equal(packet.fragment_id, id);
    assert_int_equal(packet.fragment_first, first);
    assert_int_equal(packet.has_ports, has_ports);
    assert_memory_equal(packet.source, packet.is_ipv6 ? frame_client6 : frame_client4, packet_address_len(&packet));
    assert_ptr_equal(packet.ip.data, exact + 14);
    assert_int_equal(packet.ip.len, frame_len - 14);
    if (has_ports) {
        assert_int_equal(packet.source_port, FRAME_CLIENT_PORT);
        assert_int_equal(packet.destination_port, FRAME_SERVER_PORT);
    }
}

#define MORE_FRAGMENTS 0x2000
#define DONT_FRAGMENT 0x4000
#define RESERVED_BIT 0x8000

static void test_ipv4_fragments(void **state)
{
    (void)state;
    static const struct {
        uint16_t fragment;
        bool first;
    } cases[] = {{1, false},
                 {MORE_FRAGMENTS, true},
                 {MORE_FRAGMENTS | 1, false},
                 {185, false},
                 {MORE_FRAGMENTS | 185, false},
                 {0x1fff, false},
                 {MORE_FRAGMENTS | DONT_FRAGMENT, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse_tcp(&(struct frame_ip){.id = 0xbeef, .fragment = cases[i].fragment}, &sample);
        assert_fragment(0xbeef, cases[i].first, cases[i].first);
    }
    assert_sample_parses(&(struct frame_ip){.id = 0xbeef, .fragment = DONT_FRAGMENT});
    assert_sample_parses(&(struct frame_ip){.id = 0xbeef, .fragment = RESERVED_BIT});
}

static void test_ipv6_fragments(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool first;
    } cases[] = {{"0000 0001 deadbeef", true},
                 {"0000 0009 deadbeef", false},
                 {"0000 0008 deadbeef", false},
                 {"0000 fff8 deadbeef", false},
                 {"0000 05a9 deadbeef", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse_tcp(
            &(struct frame_ip){.is_ipv6 = true, .first_extension = PROTOCOL_FRAGMENT, .extensions = cases[i].header},
            &sample);
        assert_fragment(0xdeadbeef, cases[i].first, cases[i].first);
    }
}

static void test_an_atomic_ipv6_fragment_is_a_packet(void **state)
{
    (void)state;
    /* RFC 6946; the two reserved bits mean nothing (RFC 8200 section 4.5). */
    assert_sample_parses(
        &(struct frame_ip){.is_ipv6 = true, .first_extension = PROTOCOL_FRAGMENT, .extensions = "0000 0000 deadbeef"});
    assert_sample_parses(
        &(struct frame_ip){.is_ipv6 = true, .first_extension = PROTOCOL_FRAGMENT, .extensions = "00ff 0006 deadbeef"});
}

/* A second fragment header, atomic or not, must not make a packet of a fragment. */
static void test_a_fragment_in_a_fragment_stays_one(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        uint32_t id;
        bool first;
    } cases[] = {
        {"2c00 0001 00000001 0000 0000 00000002", 1, true},  /* the first of several, atomic inside */
        {"2c00 0000 00000001 0000 0001 00000002", 2, true},  /* atomic outside */
        {"2c00 0001 00000001 0000 0001 00000002", 1, true},  /* the first of the first */
        {"2c00 0001 00000001 0000 0009 00000002", 1, false}, /* no transport header follows */
        {"2c00 0009 00000001 0000 0000 00000002", 1, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse_tcp(
            &(struct frame_ip){.is_ipv6 = true, .first_extension = PROTOCOL_FRAGMENT, .extensions = cases[i].headers},
            &sample);
        if (i == 4) { /* what follows is not read: it is a fragment of nobody knows what */
            assert_int_equal(packet.kind, PACKET_OTHER);
        } else {
            assert_fragment(cases[i].id, cases[i].first, cases[i].first);
        }
    }
}

static void test_a_first_fragment_may_be_too_short_for_ports(void **state)
{
    (void)state;
    parse_ip(&(struct frame_ip){.protocol = PROTOCOL_TCP, .id = 1, .fragment = MORE_FRAGMENTS}, "9c40 01");
    assert_fragment(1, true, false);
    parse_ip(&(struct frame_ip){.protocol = PROTOCOL_TCP, .id = 1, .fragment = MORE_FRAGMENTS}, "9c40 01bb");
    assert_fragment(1, true, true);
    parse_ip(&(struct frame_ip){.protocol = PROTOCOL_TCP, .id = 1, .fragment = MORE_FRAGMENTS}, "");
    assert_fragment(1, true, false);
    parse_ip(&(struct frame_ip){.protocol = PROTOCOL_TCP, .id = 1, .fragment = 9}, "");
    assert_fragment(1, false, false);
}

static void test_a_first_fragment_tells_its_flags_or_counts_as_a_syn(void **state)
{
    (void)state;
    const struct frame_ip ip = {.protocol = PROTOCOL_TCP, .id = 1, .fragment = MORE_FRAGMENTS};
    parse_ip(&ip, "9c40 01bb 00000001 00000002 5018");
    assert_int_equal(packet.tcp_flags, TCP_PSH | TCP_ACK);
    parse_ip(&ip, "9c40 01bb 00000001 00000002 50");
    assert_int_equal(packet.tcp_flags, TCP_SYN);
    parse_ip(&ip, "9c40 01bb");
    assert_int_equal(packet.tcp_flags, TCP_SYN);
    parse_ip(&(struct frame_ip){.protocol = PROTOCOL_TCP, .id = 1, .fragment = 9}, "9c40 01bb 00000001 00000002 5018");
    assert_int_equal(packet.tcp_flags, 0);
}

static void test_fragments_of_other_protocols_are_not_of_interest(void **state)
{
    (void)state;
    static const uint8_t protocols[] = {PROTOCOL_UDP, PROTOCOL_ICMP, 50};
    for (size_t i = 0; i < sizeof(protocols); i++) {
        assert_int_equal(parse_ip(&(struct frame_ip){.protocol = protocols[i], .fragment = MORE_FRAGMENTS},
                                  "9c40 01bb 0010 0000 0000000000000000"),
                         PACKET_OTHER);
        assert_int_equal(parse_ip(&(struct frame_ip){.protocol = protocols[i], .fragment = 9}, "9c40 01bb 0010 0000"),
                         PACKET_OTHER);
    }
}

/* ---- UDP ---- */

static void test_udp_has_ports(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct frame_ip ip = {.protocol = PROTOCOL_UDP, .is_ipv6 = i == 1};
        assert_int_equal(parse_ip(&ip, "9c40 01bb 0009 0000 c0"), PACKET_UDP);
        assert_true(packet.has_ports);
        assert_int_equal(packet.source_port, 0x9c40);
        assert_int_equal(packet.destination_port, 443);
        assert_memory_equal(packet.destination, i == 1 ? frame_server6 : frame_server4, packet_address_len(&packet));
        assert_int_equal(parse_ip(&ip, "9c40 01"), PACKET_OTHER);
    }
}

/* ---- ICMP ---- */

/* What a router quotes: a segment from server to client. */
static const char quoted4[] = "45000028 00010000 40060000 c6336402 c0000201 01bb9c40 00000001";
static const char quoted6[] = "60000000 00140640 20010db8000100000000000000000002 20010db8000000000000000000000001"
                              "01bb9c40 00000001";

static enum packet_kind parse_icmp(bool is_ipv6, unsigned type, unsigned code, const char *quoted)
{
    static char hex[FRAME_SIZE];
    sprintf(hex, "%02x%02x 0000 00000578 %s", type, code, quoted);
    return parse_ip(&(struct frame_ip){.protocol = is_ipv6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP, .is_ipv6 = is_ipv6}, hex);
}

static void assert_quoted(bool is_ipv6)
{
    assert_int_equal(packet.kind, PACKET_ICMP_ERROR);
    assert_true(packet.has_ports);
    assert_int_equal(packet.is_ipv6, is_ipv6);
    assert_memory_equal(packet.source, is_ipv6 ? frame_server6 : frame_server4, packet_address_len(&packet));
    assert_memory_equal(packet.destination, is_ipv6 ? frame_client6 : frame_client4, packet_address_len(&packet));
    assert_int_equal(packet.source_port, FRAME_SERVER_PORT);
    assert_int_equal(packet.destination_port, FRAME_CLIENT_PORT);
    assert_ptr_equal(packet.ip.data, exact + 14); /* of the message itself */
    assert_int_equal(packet.ip.len, frame_len - 14);
}

static void test_icmp_errors_are_about_the_segment_that_they_quote(void **state)
{
    (void)state;
    static const uint8_t errors4[] = {3, 11, 12}, errors6[] = {1, 2, 3, 4};
    for (unsigned type = 0; type < 256; type++) {
        enum packet_kind kind = parse_icmp(false, type, 4, quoted4);
        if (memchr(errors4, (int)type, sizeof(errors4)) != NULL) {
            assert_quoted(false);
        } else {
            assert_int_equal(kind, PACKET_OTHER);
        }
        kind = parse_icmp(true, type, 0, quoted6);
        if (memchr(errors6, (int)type, sizeof(errors6)) != NULL) {
            assert_quoted(true);
        } else {
            assert_int_equal(kind, PACKET_OTHER);
        }
    }
}

static void test_a_quote_may_be_cut_behind_the_ports(void **state)
{
    (void)state;
    char hex[512];
    for (int i = 0; i < 2; i++) {
        bool is_ipv6 = i == 1;
        const char *ports = strstr(is_ipv6 ? quoted6 : quoted4, "01bb9c40");
        const char *quoted = is_ipv6 ? quoted6 : quoted4;
        snprintf(hex, sizeof(hex), "%.*s", (int)(ports - quoted) + 8, quoted);
        parse_icmp(is_ipv6, 3, 0, hex);
        assert_quoted(is_ipv6);
        for (int cut = 2; cut <= 8; cut += 2) {
            hex[(ports - quoted) + 8 - cut] = '\0';
            assert_int_equal(parse_icmp(is_ipv6, 3, 0, hex), PACKET_OTHER);
            assert_false(packet.has_ports);
        }
    }
}

static void test_a_quote_may_have_options_and_extension_headers(void **state)
{
    (void)state;
    parse_icmp(false, 3, 4, "4600002c 00010000 40060000 c6336402 c0000201 01010101 01bb9c40 00000001");
    assert_quoted(false);
    parse_icmp(true, 2, 0,
               "60000000 002c3c40 20010db8000100000000000000000002 20010db8000000000000000000000001"
               "2c00000000000000 0600000100000007 01bb9c40 00000001");
    assert_quoted(true);
}

static void test_a_quote_of_anything_else_is_not_of_interest(void **state)
{
    (void)state;
    static const char *const quotes4[] = {
        "45000028 00010000 40110000 c6336402 c0000201 01bb9c40 00000001", /* UDP */
        "45000028 00010009 40060000 c6336402 c0000201 01bb9c40 00000001", /* not the first fragment */
        "35000028 00010000 40060000 c6336402 c0000201 01bb9c40 00000001", /* version 3 */
        "44000028 00010000 40060000 c6336402 c0000201 01bb9c40 00000001", /* a header of 16 bytes */
        "45000013 00010000 40060000 c6336402 c0000201 01bb9c40 00000001", /* shorter than its header */
        "45000016 00010000 40060000 c6336402 c0000201 01bb9c40 00000001", /* ends within the ports */
        "45000028 00010000 40060000 c6336402 c00002",
        "",
        quoted6,
    };
    for (size_t i = 0; i < sizeof(quotes4) / sizeof(quotes4[0]); i++) {
        assert_int_equal(parse_icmp(false, 3, 4, quotes4[i]), PACKET_OTHER);
    }
    assert_int_equal(parse_icmp(true, 2, 0, quoted4), PACKET_OTHER);
    assert_int_equal(parse_icmp(true, 2, 0, ""), PACKET_OTHER);
}

static void test_a_quoted_first_fragment_has_ports(void **state)
{
    (void)state;
    parse_icmp(false, 3, 4, "45000028 00012000 40060000 c6336402 c0000201 01bb9c40 00000001");
    assert_quoted(false);
}

static void test_icmp_of_the_other_version_is_not_of_interest(void **state)
{
    (void)state;
    char hex[512];
    snprintf(hex, sizeof(hex), "0300 0000 00000000 %s", quoted4);
    assert_int_equal(parse_ip(&(struct frame_ip){.protocol = PROTOCOL_ICMPV6}, hex), PACKET_OTHER);
    snprintf(hex, sizeof(hex), "0300 0000 00000000 %s", quoted6);
    assert_int_equal(parse_ip(&(struct frame_ip){.protocol = PROTOCOL_ICMP, .is_ipv6 = true}, hex), PACKET_OTHER);
}

static void test_an_icmp_error_in_fragments_is_not_of_interest(void **state)
{
    (void)state;
    char hex[512];
    snprintf(hex, sizeof(hex), "0304 0000 00000578 %s", quoted4);
    assert_int_equal(parse_ip(&(struct frame_ip){.protocol = PROTOCOL_ICMP, .fragment = MORE_FRAGMENTS}, hex),
                     PACKET_OTHER);
}

/* ---- what is cut off, and what lies ---- */

static void assert_every_truncation_is_refused(void)
{
    size_t whole = frame_len;
    assert_int_not_equal(parse(whole), PACKET_OTHER);
    for (size_t len = 0; len < whole; len++) {
        assert_int_equal(parse(len), PACKET_OTHER);
    }
}

static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    static char hex[2048];
    static const unsigned all[] = {0, 1, 2, 3, 4};
    parse_tcp(&(struct frame_ip){.tags = "88a8 0001 8100 0002", .options = "01010101 00000000"}, &sample);
    assert_every_truncation_is_refused();
    chain_of(hex, all, 5);
    parse_tcp(&(struct frame_ip){.is_ipv6 = true, .extensions = hex}, &sample);
    assert_every_truncation_is_refused();
    parse_tcp(&(struct frame_ip){.fragment = MORE_FRAGMENTS}, &sample);
    assert_every_truncation_is_refused();
    parse_ip(&(struct frame_ip){.protocol = PROTOCOL_UDP}, "9c40 01bb 0009 0000 c0");
    assert_every_truncation_is_refused();
    parse_icmp(false, 3, 4, quoted4);
    assert_every_truncation_is_refused();
    parse_icmp(true, 2, 0, quoted6);
    assert_every_truncation_is_refused();
}

/* The frame is as long as its length field says, and that is too short for what its headers say. */
static void test_a_packet_too_short_for_its_headers_is_refused(void **state)
{
    (void)state;
    static uint8_t segment[64];
    size_t len = frame_hex(segment, "9c40 01bb 00000001 00000002 6010 0000 0000 0000 01010101");
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        const struct frame_ip ip = {.is_ipv6 = is_ipv6 == 1, .protocol = PROTOCOL_TCP};
        for (size_t cut = 0; cut <= len; cut++) {
            frame_len = frame_ip(frame, &ip, mg_slice_of(segment, cut));
            assert_int_equal(parse(frame_len), cut == len ? PACKET_TCP : PACKET_OTHER);
        }
    }
}

static void test_extension_headers_too_short_for_their_lengths_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUM_EXTENSIONS; i++) {
        uint8_t header[64] = {PROTOCOL_TCP};
        frame_hex(header + 1, extensions[i].rest);
        for (size_t len = 0; len < extensions[i].len; len++) {
            frame_len = frame_ip(frame, &(struct frame_ip){.is_ipv6 = true, .protocol = extensions[i].kind},
                                 mg_slice_of(header, len));
            assert_int_equal(parse(frame_len), PACKET_OTHER);
        }
    }
}

static void test_lengths_that_lie_are_refused(void **state)
{
    (void)state;
    static const int lies[] = {1, 2, 1000};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        assert_int_equal(parse_tcp(&(struct frame_ip){.length_lie = lies[i]}, &sample), PACKET_OTHER);
        assert_int_equal(parse_tcp(&(struct frame_ip){.length_lie = lies[i], .is_ipv6 = true}, &sample), PACKET_OTHER);
    }
    /* IPv4: shorter than its own header. */
    assert_int_equal(parse_tcp(&(struct frame_ip){.length_lie = -(20 + 32 + 11)}, &sample), PACKET_OTHER);
    assert_int_equal(parse_tcp(&(struct frame_ip){.length_lie = -(1 + 32 + 11)}, &sample), PACKET_OTHER);
    for (uint8_t words = 0; words < 5; words++) {
        frame_len = frame_tcp(frame, &(struct frame_ip){0}, &sample);
        frame[14] = (uint8_t)(0x40 | words);
        assert_int_equal(parse(frame_len), PACKET_OTHER);
    }
    /* TCP: a header of less than 20 bytes, and one longer than the segment. */
    for (uint8_t words = 1; words < 16; words++) {
        struct frame_tcp tcp = sample;
        tcp.header_words = words;
        assert_int_equal(parse_tcp(&(struct frame_ip){0}, &tcp), words < 5 || words > 10 ? PACKET_OTHER : PACKET_TCP);
    }
}

static void test_a_length_field_that_says_less_cuts_the_packet(void **state)
{
    (void)state;
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        parse_tcp(&(struct frame_ip){.length_lie = -5, .is_ipv6 = is_ipv6 == 1}, &sample);
        assert_int_equal(packet.kind, PACKET_TCP);
        assert_int_equal(packet.payload.len, 6);
        assert_int_equal(packet.ip.len, frame_len - 14 - 5);
    }
}

/* ---- the rest ---- */

static void test_a_packet_without_layer_2_reads_the_same(void **state)
{
    (void)state;
    for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
        parse_tcp(&(struct frame_ip){.is_ipv6 = is_ipv6 == 1}, &sample);
        struct packet whole = packet;
        packet_parse_ip(&packet, whole.ip);
        assert_int_equal(packet.l2_len, 0);
        assert_int_equal(packet.vlan[0], PACKET_NO_VLAN);
        assert_int_equal(packet.vlan[1], PACKET_NO_VLAN);
        packet.l2_len = whole.l2_len;
        assert_int_equal(packet.kind, PACKET_TCP);
        assert_ptr_equal(packet.ip.data, whole.ip.data);
        assert_int_equal(packet.ip.len, whole.ip.len);
        assert_ptr_equal(packet.payload.data, whole.payload.data);
        assert_int_equal(packet.seq, whole.seq);
    }
    packet_parse_ip(&packet, mg_slice_of(NULL, 0));
    assert_int_equal(packet.kind, PACKET_OTHER);
}

static void test_syn_and_fin_count_in_the_sequence(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        size_t payload_len;
        uint32_t expected;
    } cases[] = {{TCP_ACK, 0, 0},           {TCP_SYN, 0, 1}, {TCP_FIN | TCP_ACK, 0, 1},
                 {TCP_SYN | TCP_FIN, 5, 7}, {TCP_PSH, 9, 9}, {TCP_RST, 3, 3}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parse_tcp(&(struct frame_ip){0},
                  &(struct frame_tcp){.flags = cases[i].flags, .payload_len = cases[i].payload_len});
        assert_int_equal(packet_sequence_len(&packet), cases[i].expected);
    }
}

static void test_every_flag_is_read(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        parse_tcp(&(struct frame_ip){0}, &(struct frame_tcp){.flags = (uint8_t)flags, .reserved = 0xf});
        assert_int_equal(packet.kind, PACKET_TCP);
        assert_int_equal(packet.tcp_flags, flags);
    }
}

static void test_the_sides_are_each_others(void **state)
{
    (void)state;
    assert_int_equal(side_other(SIDE_CLIENT), SIDE_SERVER);
    assert_int_equal(side_other(SIDE_SERVER), SIDE_CLIENT);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_segment_is_taken_apart),
        TEST(test_tags_are_passed_over),
        TEST(test_a_third_tag_is_not_of_interest),
        TEST(test_other_ethertypes_are_not_of_interest),
        TEST(test_the_ethertype_and_the_version_agree_or_it_is_no_ip),
        TEST(test_ethernet_padding_is_cut_off),
        TEST(test_ipv4_options_are_passed_over),
        TEST(test_every_chain_of_ipv6_extension_headers_is_passed_over),
        TEST(test_eight_extension_headers_are_passed_over_and_nine_are_not),
        TEST(test_an_extension_header_of_the_greatest_length_is_passed_over),
        TEST(test_what_follows_no_known_header_is_not_of_interest),
        TEST(test_ipv6_extension_headers_in_ipv4_are_not_of_interest),
        TEST(test_ipv4_fragments),
        TEST(test_ipv6_fragments),
        TEST(test_an_atomic_ipv6_fragment_is_a_packet),
        TEST(test_a_fragment_in_a_fragment_stays_one),
        TEST(test_a_first_fragment_may_be_too_short_for_ports),
        TEST(test_a_first_fragment_tells_its_flags_or_counts_as_a_syn),
        TEST(test_fragments_of_other_protocols_are_not_of_interest),
        TEST(test_udp_has_ports),
        TEST(test_icmp_errors_are_about_the_segment_that_they_quote),
        TEST(test_a_quote_may_be_cut_behind_the_ports),
        TEST(test_a_quote_may_have_options_and_extension_headers),
        TEST(test_a_quote_of_anything_else_is_not_of_interest),
        TEST(test_a_quoted_first_fragment_has_ports),
        TEST(test_icmp_of_the_other_version_is_not_of_interest),
        TEST(test_an_icmp_error_in_fragments_is_not_of_interest),
        TEST(test_every_truncation_is_refused),
        TEST(test_a_packet_too_short_for_its_headers_is_refused),
        TEST(test_extension_headers_too_short_for_their_lengths_are_refused),
        TEST(test_lengths_that_lie_are_refused),
        TEST(test_a_length_field_that_says_less_cuts_the_packet),
        TEST(test_a_packet_without_layer_2_reads_the_same),
        TEST(test_syn_and_fin_count_in_the_sequence),
        TEST(test_every_flag_is_read),
        TEST(test_the_sides_are_each_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
