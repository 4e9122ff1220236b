/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/net/checksum.h"

static uint8_t frame[FRAME_SIZE];

/* The sum that the other tests compare with, checked against RFC 1071 section 3 itself. */
static void test_the_tests_own_sum_is_that_of_rfc_1071(void **state)
{
    (void)state;
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(frame_sum(example, 8), 0xddf2);
    assert_int_equal(frame_sum(example, 7), 0xddf2 - 0xf7);
    assert_int_equal(frame_sum(example, 0), 0);
}

/* A header that is in many textbooks. */
static void test_a_known_ipv4_header(void **state)
{
    (void)state;
    uint8_t header[20];
    frame_hex(header, "45000073 00004000 4011ffff c0a80001 c0a800c7");
    checksum_ip_fill(header);
    assert_int_equal(header[10] << 8 | header[11], 0xb861);
}

static void test_ipv4_options_are_in_the_sum(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (size_t words = 5; words <= 15; words++) {
        uint8_t *header = malloc(words * 4);
        for (size_t i = 0; i < words * 4; i++) {
            header[i] = (uint8_t)test_random(&random);
        }
        header[0] = (uint8_t)(0x40 | words);
        checksum_ip_fill(header);
        assert_int_equal(frame_sum(header, words * 4), 0xffff);
        free(header);
    }
}

static void test_ipv6_has_no_header_checksum(void **state)
{
    (void)state;
    uint8_t header[40], before[40];
    memset(header, 0x66, sizeof(header));
    memcpy(before, header, sizeof(header));
    checksum_ip_fill(header);
    assert_memory_equal(header, before, sizeof(header));
}

/* random_segment writes a packet with a TCP segment of |tcp_len| random bytes; returns where it begins. */
static size_t random_segment(const struct frame_ip *ip, size_t tcp_len, uint64_t *random)
{
    static uint8_t body[FRAME_SIZE];
    for (size_t i = 0; i < tcp_len; i++) {
        body[i] = (uint8_t)(test_random_below(random, 4) == 0 ? 0xff : test_random(random));
    }
    struct frame_ip whole = *ip;
    whole.protocol = PROTOCOL_TCP;
    size_t len = frame_ip(frame, &whole, mg_slice_of(body, tcp_len));
    return len - tcp_len - 14;
}

static const struct frame_ip kinds[] = {
    {0}, {.options = "01010101"}, {.is_ipv6 = true}, {.is_ipv6 = true, .extensions = "0000 0502 0000 0100"}};

static void test_tcp_checksums_are_those_of_the_rfc_for_every_length(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        for (size_t tcp_len = 20; tcp_len < 1600; tcp_len += tcp_len < 300 ? 1 : 37) {
            size_t tcp_offset = random_segment(&kinds[kind], tcp_len, &random);
            uint8_t *ip = frame_exact(frame + 14, tcp_offset + tcp_len);
            checksum_tcp_fill(ip, tcp_offset, tcp_len);
            frame_assert_checksums(mg_slice_of(ip, tcp_offset + tcp_len), tcp_offset);
            assert_true(checksum_tcp_ok(ip, tcp_offset, tcp_len));
            /* Nothing but the checksum was written. */
            memcpy(ip + tcp_offset + 16, frame + 14 + tcp_offset + 16, 2);
            assert_memory_equal(ip, frame + 14, tcp_offset + tcp_len);
            free(ip);
        }
    }
}

static void test_the_largest_segment(void **state)
{
    (void)state;
    uint64_t random = 3;
    static const size_t lens[] = {65514, 65515}; /* of an IPv4 packet of 65,535 bytes, and one byte less */
    for (size_t i = 0; i < 2; i++) {
        size_t tcp_offset = random_segment(&kinds[0], lens[i], &random);
        checksum_tcp_fill(frame + 14, tcp_offset, lens[i]);
        frame_assert_checksums(mg_slice_of(frame + 14, tcp_offset + lens[i]), tcp_offset);
        assert_true(checksum_tcp_ok(frame + 14, tcp_offset, lens[i]));
    }
    size_t tcp_offset = random_segment(&kinds[2], 65535, &random);
    memset(frame + 14 + tcp_offset, 0xff, 65535); /* the largest sum there is */
    checksum_tcp_fill(frame + 14, tcp_offset, 65535);
    frame_assert_checksums(mg_slice_of(frame + 14, tcp_offset + 65535), tcp_offset);
}

static void test_every_wrong_bit_is_noticed(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        size_t tcp_len = 53, tcp_offset = random_segment(&kinds[kind], tcp_len, &random);
        uint8_t *ip = frame + 14;
        size_t addresses = kind < 2 ? 12 : 8, addresses_len = kind < 2 ? 8 : 32;
        checksum_tcp_fill(ip, tcp_offset, tcp_len);
        for (size_t i = 0; i < tcp_offset + tcp_len; i++) {
            if (i >= tcp_offset || (i >= addresses && i < addresses + addresses_len)) {
                for (int bit = 0; bit < 8; bit++) {
                    ip[i] ^= (uint8_t)(1 << bit);
                    assert_false(checksum_tcp_ok(ip, tcp_offset, tcp_len));
                    ip[i] ^= (uint8_t)(1 << bit);
                }
            }
        }
        assert_true(checksum_tcp_ok(ip, tcp_offset, tcp_len));
        assert_false(checksum_tcp_ok(ip, tcp_offset, tcp_len - 1));
    }
}

/* Linux wants the folded sum, not its complement, and completes it by summing from the TCP header to the end. */
static void test_the_pseudo_sum_is_what_is_missing_from_the_segments_own(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        for (size_t tcp_len = 20; tcp_len < 60; tcp_len++) {
            size_t tcp_offset = random_segment(&kinds[kind], tcp_len, &random);
            uint8_t *ip = frame + 14, *place = ip + tcp_offset + 16;
            checksum_tcp_pseudo_fill(ip, tcp_offset, tcp_len);
            uint16_t checksum = (uint16_t)~frame_sum(ip + tcp_offset, tcp_len);
            place[0] = (uint8_t)(checksum >> 8);
            place[1] = (uint8_t)checksum;
            frame_assert_checksums(mg_slice_of(ip, tcp_offset + tcp_len), tcp_offset);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_tests_own_sum_is_that_of_rfc_1071),
        cmocka_unit_test(test_a_known_ipv4_header),
        cmocka_unit_test(test_ipv4_options_are_in_the_sum),
        cmocka_unit_test(test_ipv6_has_no_header_checksum),
        cmocka_unit_test(test_tcp_checksums_are_those_of_the_rfc_for_every_length),
        cmocka_unit_test(test_the_largest_segment),
        cmocka_unit_test(test_every_wrong_bit_is_noticed),
        cmocka_unit_test(test_the_pseudo_sum_is_what_is_missing_from_the_segments_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
