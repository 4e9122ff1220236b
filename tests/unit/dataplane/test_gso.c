/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/net/gso.h"

static uint8_t frame[FRAME_SIZE], joined[FRAME_SIZE];

/* large_packet builds a packet as the kernel hands it over; |packet| borrows from |frame|. */
static void large_packet(struct packet *packet, const struct frame_ip *ip, const struct frame_tcp *tcp)
{
    size_t len = frame_tcp(frame, ip, tcp);
    packet_parse_ip(packet, mg_slice_of(frame + 14, len - 14));
    assert_int_equal(packet->kind, PACKET_TCP);
}

/* next cuts the next packet into an exact-size buffer, which the caller frees, and parses it. */
static uint8_t *next(struct gso *gso, struct packet *out)
{
    size_t len = gso_segment_len(gso);
    assert_true(len > 0);
    uint8_t *bytes = frame_exact(frame, len);
    gso_next(gso, bytes);
    packet_parse_ip(out, mg_slice_of(bytes, len));
    assert_int_equal(out->kind, PACKET_TCP);
    assert_int_equal(out->ip.len, len);
    return bytes;
}

/* assert_same_header checks that nothing in the headers differs but what is set for each segment. */
static void assert_same_header(const struct packet *large, const struct packet *small)
{
    uint8_t expected[256], got[256];
    size_t len = large->tcp_offset + 20 + large->options.len;
    assert_int_equal(small->tcp_offset, large->tcp_offset);
    assert_int_equal(small->options.len, large->options.len);
    memcpy(expected, large->ip.data, len);
    memcpy(got, small->ip.data, len);
    for (int i = 0; i < 2; i++) {
        uint8_t *ip = i == 0 ? expected : got, *tcp = ip + large->tcp_offset;
        memset(large->is_ipv6 ? ip + 4 : ip + 2, 0, 2);
        if (!large->is_ipv6) {
            memset(ip + 4, 0, 2);  /* identification */
            memset(ip + 10, 0, 2); /* checksum */
        }
        memset(tcp + 4, 0, 4);  /* sequence number */
        memset(tcp + 13, 0, 1); /* flags */
        memset(tcp + 16, 0, 2); /* checksum */
    }
    assert_memory_equal(got, expected, len);
}

/* check_cut cuts a packet and joins what comes out. */
static void check_cut(const struct frame_ip *ip, const struct frame_tcp *tcp, uint16_t gso_size)
{
    struct packet large, small;
    struct gso gso;
    large_packet(&large, ip, tcp);
    gso_begin(&gso, &large, (struct tun_offload){.needs_checksum = true, .gso_size = gso_size});
    size_t num = 0, expected_num = (tcp->payload_len + gso_size - 1) / gso_size, at = 0;
    while (gso_segment_len(&gso) > 0) {
        bool first = num == 0, last = num + 1 == expected_num;
        uint8_t *bytes = next(&gso, &small);
        assert_same_header(&large, &small);
        frame_assert_checksums(small.ip, small.tcp_offset);
        assert_int_equal(small.seq, tcp->seq + (uint32_t)at);
        assert_int_equal(small.payload.len, last ? tcp->payload_len - at : gso_size);
        uint8_t flags = tcp->flags;
        flags &= (uint8_t)(last ? 0xff : ~(TCP_FIN | TCP_PSH));
        flags &= (uint8_t)(first ? 0xff : ~TCP_CWR);
        assert_int_equal(small.tcp_flags, flags);
        if (!ip->is_ipv6) {
            assert_int_equal(small.ip.data[4] << 8 | small.ip.data[5], (uint16_t)(ip->id + num));
        }
        memcpy(joined + at, small.payload.data, small.payload.len);
        at += small.payload.len;
        num++;
        free(bytes);
    }
    assert_int_equal(num, expected_num);
    assert_int_equal(at, tcp->payload_len);
    assert_memory_equal(joined, large.payload.data, at);
    assert_int_equal(gso_segment_len(&gso), 0);
}

static const struct frame_ip surroundings[] = {
    {.id = 0xfffe, .fragment = 0x4000, .tos = 2},
    {.is_ipv6 = true, .flow_label = 0xabcde, .tos = 2},
    {.options = "01010101 01010100", .id = 7},
    {.is_ipv6 = true, .extensions = "3c00 0502 0000 0100 0001 0104 06060606 0106 060606060606"},
};
static const char *const options[] = {"", "0101080a 00000001 00000002", "0101050a 00000001 00000002"};

static void test_cut_and_joined_again_it_is_the_same(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {1, 2, 3, 7, 100, 536, 1220, 1448, 1460, 9000, 65535};
    static const size_t lens[] = {1, 2, 3, 99, 100, 101, 1448, 2896, 2897, 14600, 40000};
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        for (size_t j = 0; j < sizeof(options) / sizeof(options[0]); j++) {
            for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
                for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
                    if (lens[l] / sizes[k] > 2000) {
                        continue;
                    }
                    check_cut(&surroundings[i],
                              &(struct frame_tcp){.seq = 0xffffffff - 1000, /* wraps round */
                                                  .ack = 0x01020304,
                                                  .flags = TCP_ACK | TCP_PSH,
                                                  .window = 500,
                                                  .options = options[j],
                                                  .payload_len = lens[l]},
                              sizes[k]);
                }
            }
        }
    }
}

static void test_fin_and_psh_are_on_the_last_and_cwr_on_the_first(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        for (size_t len = 100; len <= 400; len += 100) { /* one, two, three and four segments */
            check_cut(&surroundings[flags % 2],
                      &(struct frame_tcp){.flags = (uint8_t)flags, .reserved = 1, .payload_len = len}, 100);
        }
    }
}

static void test_the_largest_packets_are_cut(void **state)
{
    (void)state;
    check_cut(&(struct frame_ip){0}, &(struct frame_tcp){.flags = TCP_ACK, .payload_len = 65535 - 40}, 1460);
    check_cut(&(struct frame_ip){0}, &(struct frame_tcp){.flags = TCP_ACK, .payload_len = 65535 - 40}, 8);
    check_cut(&(struct frame_ip){.is_ipv6 = true}, &(struct frame_tcp){.flags = TCP_ACK, .payload_len = 65535 - 20},
              1440);
}

/* check_single passes a packet through that is one segment, and returns it. */
static uint8_t *check_single(const struct frame_ip *ip, const struct frame_tcp *tcp, struct tun_offload offload,
                             struct packet *small)
{
    struct packet large;
    struct gso gso;
    large_packet(&large, ip, tcp);
    gso_begin(&gso, &large, offload);
    assert_int_equal(gso_segment_len(&gso), large.ip.len);
    uint8_t *bytes = next(&gso, small);
    assert_int_equal(gso_segment_len(&gso), 0);
    return bytes;
}

static void test_a_packet_that_needs_nothing_comes_out_as_it_is(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 1460, 60000};
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        for (size_t j = 0; j < sizeof(lens) / sizeof(lens[0]); j++) {
            struct packet small;
            uint8_t *bytes = check_single(
                &surroundings[i],
                &(struct frame_tcp){.flags = 0xff, .payload_len = lens[j], .wrong_by = 1}, /* even a wrong checksum */
                (struct tun_offload){0}, &small);
            assert_memory_equal(bytes, frame + 14, small.ip.len);
            free(bytes);
        }
    }
}

static void test_a_checksum_that_the_kernel_left_open_is_completed(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 1459, 1460};
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        for (size_t j = 0; j < sizeof(lens) / sizeof(lens[0]); j++) {
            const struct frame_tcp right = {.flags = TCP_ACK | TCP_FIN | TCP_CWR, .payload_len = lens[j]};
            struct frame_tcp wrong = right;
            struct packet small;
            wrong.wrong_by = 0x1234;
            uint8_t *bytes =
                check_single(&surroundings[i], &wrong, (struct tun_offload){.needs_checksum = true}, &small);
            frame_tcp(frame, &surroundings[i], &right);
            assert_memory_equal(bytes, frame + 14, small.ip.len);
            free(bytes);
        }
    }
}

/* Nothing was cut: the flags and the identification stay. */
static void test_a_gso_packet_of_one_segment_keeps_its_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        for (size_t len = 0; len <= 100; len += 50) {
            const struct frame_tcp right = {.flags = TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR, .payload_len = len};
            struct frame_tcp wrong = right;
            struct packet small;
            wrong.wrong_by = 7;
            uint8_t *bytes = check_single(&surroundings[i], &wrong, (struct tun_offload){.gso_size = 100}, &small);
            frame_tcp(frame, &surroundings[i], &right);
            assert_memory_equal(bytes, frame + 14, small.ip.len);
            free(bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_and_joined_again_it_is_the_same),
        cmocka_unit_test(test_fin_and_psh_are_on_the_last_and_cwr_on_the_first),
        cmocka_unit_test(test_the_largest_packets_are_cut),
        cmocka_unit_test(test_a_packet_that_needs_nothing_comes_out_as_it_is),
        cmocka_unit_test(test_a_checksum_that_the_kernel_left_open_is_completed),
        cmocka_unit_test(test_a_gso_packet_of_one_segment_keeps_its_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
