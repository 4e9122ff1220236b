/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <string.h>

#include "dataplane/net/segment.h"

static uint8_t expected[FRAME_SIZE], frame[FRAME_SIZE];

static struct segment segment_of(bool is_ipv6)
{
    return (struct segment){.is_ipv6 = is_ipv6,
                            .source = is_ipv6 ? frame_client6 : frame_client4,
                            .destination = is_ipv6 ? frame_server6 : frame_server4,
                            .source_port = FRAME_CLIENT_PORT,
                            .destination_port = FRAME_SERVER_PORT,
                            .seq = 0x89abcdef,
                            .ack = 0x01234567,
                            .window = 0xfedc,
                            .flags = TCP_ACK | TCP_PSH};
}

/* assert_built checks that |segment| makes exactly the IP packet of |tcp|. */
static void assert_built(const struct segment *segment, const struct frame_tcp *tcp)
{
    uint8_t out[SEGMENT_MAX_LEN];
    const struct frame_ip ip = {.is_ipv6 = segment->is_ipv6, .fragment = 0x4000};
    size_t len = frame_tcp(expected, &ip, tcp) - 14;
    assert_int_equal(segment_build(out, segment), len);
    assert_memory_equal(out, expected + 14, len);
}

static void test_a_segment_is_built_byte_for_byte(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct segment segment = segment_of(i == 1);
        struct frame_tcp tcp = {.seq = 0x89abcdef, .ack = 0x01234567, .window = 0xfedc, .flags = TCP_ACK | TCP_PSH};
        assert_built(&segment, &tcp);
        segment.has_timestamp = true;
        segment.timestamp_value = 0x0a0b0c0d;
        segment.timestamp_echo = 0x11121314;
        tcp.options = "0101080a 0a0b0c0d 11121314";
        assert_built(&segment, &tcp);
        for (unsigned flags = 0; flags < 256; flags++) {
            segment.flags = tcp.flags = (uint8_t)flags;
            assert_built(&segment, &tcp);
        }
    }
}

static void test_payloads_of_every_promised_length_fit(void **state)
{
    (void)state;
    static uint8_t payload[33];
    for (size_t i = 0; i < sizeof(payload); i++) {
        payload[i] = frame_payload_byte(0x89abcdef + (uint32_t)i);
    }
    for (int i = 0; i < 2; i++) {
        for (size_t len = 0; len <= 32; len++) {
            struct segment segment = segment_of(i == 1);
            segment.has_timestamp = true;
            segment.payload = mg_slice_of(payload, len);
            assert_built(&segment, &(struct frame_tcp){.seq = 0x89abcdef,
                                                       .ack = 0x01234567,
                                                       .window = 0xfedc,
                                                       .flags = TCP_ACK | TCP_PSH,
                                                       .options = "0101080a 00000000 00000000",
                                                       .payload_len = len});
        }
    }
}

static void test_what_does_not_fit_is_not_built(void **state)
{
    (void)state;
    static uint8_t payload[SEGMENT_MAX_LEN];
    uint8_t out[SEGMENT_MAX_LEN];
    struct segment segment = segment_of(false);
    segment.payload = mg_slice_of(payload, SEGMENT_MAX_LEN - 40);
    assert_int_equal(segment_build(out, &segment), SEGMENT_MAX_LEN);
    segment.payload = mg_slice_of(payload, SEGMENT_MAX_LEN - 40 + 1);
    assert_int_equal(segment_build(out, &segment), 0);
    segment.payload = mg_slice_of(payload, SEGMENT_MAX_LEN);
    assert_int_equal(segment_build(out, &segment), 0);
}

static struct segment answer_to(const struct frame_ip *ip, const struct frame_tcp *tcp, uint8_t flags)
{
    struct packet packet;
    struct segment segment;
    packet_parse(&packet, mg_slice_of(frame, frame_tcp(frame, ip, tcp)));
    assert_int_equal(packet.kind, PACKET_TCP);
    segment_answer(&segment, &packet, flags);
    return segment;
}

static void test_an_answer_goes_the_other_way(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool is_ipv6 = i == 1;
        struct segment segment = answer_to(&(struct frame_ip){.is_ipv6 = is_ipv6, .tags = "8100 0001"},
                                           &(struct frame_tcp){.flags = TCP_ACK}, TCP_RST);
        assert_int_equal(segment.is_ipv6, is_ipv6);
        assert_memory_equal(segment.source, is_ipv6 ? frame_server6 : frame_server4, is_ipv6 ? 16 : 4);
        assert_memory_equal(segment.destination, is_ipv6 ? frame_client6 : frame_client4, is_ipv6 ? 16 : 4);
        assert_int_equal(segment.source_port, FRAME_SERVER_PORT);
        assert_int_equal(segment.destination_port, FRAME_CLIENT_PORT);
        assert_int_equal(segment.payload.len, 0);
        assert_false(segment.has_timestamp);
        assert_int_equal(segment.window, 0);
    }
}

/* RFC 9293 section 3.5.2: where the segment has an acknowledgement, the reset takes its sequence number from there;
 * else it has 0, and acknowledges what came, SYN and FIN included. */
static void test_an_answer_has_the_numbers_that_its_receiver_takes(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags;
        size_t payload_len;
        uint32_t seq, ack;
    } cases[] = {
        {TCP_SYN, 0, 0, 1001},
        {TCP_SYN, 10, 0, 1011},
        {TCP_SYN | TCP_ACK, 0, 5000, 1001},
        {TCP_ACK, 0, 5000, 1000},
        {TCP_ACK | TCP_PSH, 100, 5000, 1100},
        {TCP_ACK | TCP_FIN, 0, 5000, 1001},
        {TCP_ACK | TCP_FIN, 7, 5000, 1008},
        {TCP_FIN, 0, 0, 1001},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct segment segment = answer_to(
            &(struct frame_ip){0},
            &(struct frame_tcp){.flags = cases[i].flags, .seq = 1000, .ack = 5000, .payload_len = cases[i].payload_len},
            TCP_RST);
        assert_int_equal(segment.seq, cases[i].seq);
        assert_int_equal(segment.ack, cases[i].ack);
        assert_int_equal(segment.flags, TCP_RST | TCP_ACK);
    }
    struct segment wrapped =
        answer_to(&(struct frame_ip){0}, &(struct frame_tcp){.flags = TCP_SYN, .seq = 0xffffffff}, TCP_FIN);
    assert_int_equal(wrapped.ack, 0);
    assert_int_equal(wrapped.flags, TCP_FIN | TCP_ACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment_is_built_byte_for_byte),
        cmocka_unit_test(test_payloads_of_every_promised_length_fit),
        cmocka_unit_test(test_what_does_not_fit_is_not_built),
        cmocka_unit_test(test_an_answer_goes_the_other_way),
        cmocka_unit_test(test_an_answer_has_the_numbers_that_its_receiver_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
