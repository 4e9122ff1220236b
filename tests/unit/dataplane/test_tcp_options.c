/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/net/tcp_options.h"

/* ---- reading ---- */

static struct tcp_options parse(const char *hex)
{
    uint8_t bytes[64];
    size_t len = frame_hex(bytes, hex);
    uint8_t *exact = frame_exact(bytes, len);
    struct tcp_options options;
    memset(&options, 0xee, sizeof(options));
    tcp_options_parse(&options, mg_slice_of(exact, len));
    free(exact);
    return options;
}

static void assert_none(const struct tcp_options *options)
{
    assert_false(options->has_mss || options->has_window_scale || options->has_sack_permitted ||
                 options->has_timestamp);
    assert_int_equal(options->mss | options->window_scale, 0);
    assert_int_equal(options->timestamp_value | options->timestamp_echo, 0);
}

static void test_the_options_of_a_usual_syn(void **state)
{
    (void)state;
    struct tcp_options options = parse("020405b4 0402 080a 0a0b0c0d 01020304 01 030307");
    assert_true(options.has_mss && options.has_window_scale && options.has_sack_permitted && options.has_timestamp);
    assert_int_equal(options.mss, 1460);
    assert_int_equal(options.window_scale, 7);
    assert_int_equal(options.timestamp_value, 0x0a0b0c0d);
    assert_int_equal(options.timestamp_echo, 0x01020304);
}

static void test_no_options(void **state)
{
    (void)state;
    static const char *const empty[] = {"", "01010101", "00", "00020405b4", "0101 00 020405b4"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        struct tcp_options options = parse(empty[i]);
        assert_none(&options);
    }
}

static void test_unknown_options_are_passed_over(void **state)
{
    (void)state;
    struct tcp_options options = parse("1e04aaaa 2202 fe04f989 fd02 050a0000000100000002 13 12 "
                                       "11111111111111111111111111111111 020405b4");
    assert_true(options.has_mss);
    assert_int_equal(options.mss, 1460);
    assert_false(options.has_window_scale || options.has_sack_permitted || options.has_timestamp);
}

/* RFC 7323 section 2.3: "If a Window Scale option is received with a shift.cnt value larger than 14, TCP ... MUST use
 * 14". */
static void test_a_window_scale_is_at_most_14(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        uint8_t expected;
    } cases[] = {{"030300", 0}, {"03030d", 13}, {"03030e", 14}, {"03030f", 14}, {"0303ff", 14}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tcp_options options = parse(cases[i].hex);
        assert_true(options.has_window_scale);
        assert_int_equal(options.window_scale, cases[i].expected);
    }
}

/* A stack that meets an option with another length than its RFC says does as if it were not there; so must we, or we
 * would believe something negotiated that is not. */
static void test_an_option_of_the_wrong_length_is_not_there(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0203 05",                   /* MSS without its second byte */
        "0205 05b4 00",              /* and with a third */
        "0302",                      /* window scale */
        "0304 0707",                 /* */
        "0403 00",                   /* SACK permitted */
        "0809 0a0b0c0d 010203",      /* timestamps */
        "080b 0a0b0c0d 01020304 05", /* */
        "0806 0a0b0c0d",             /* */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct tcp_options options = parse(wrong[i]);
        assert_none(&options);
    }
    struct tcp_options options = parse("0205 05b4 00 0402"); /* the reading goes on behind it */
    assert_false(options.has_mss);
    assert_true(options.has_sack_permitted);
    options = parse("020405b4 0205 0102 00 03030a 0304 0707 080a 00000001 00000002 0806 0a0b0c0d");
    assert_true(options.has_mss && options.has_window_scale && options.has_timestamp); /* a right one before stays */
    assert_int_equal(options.mss, 1460);
    assert_int_equal(options.window_scale, 10);
    assert_int_equal(options.timestamp_value, 1);
    assert_int_equal(options.timestamp_echo, 2);
}

static void test_the_last_of_two_counts(void **state)
{
    (void)state;
    struct tcp_options options = parse("020405b4 02040218 030307 03030f");
    assert_int_equal(options.mss, 536);
    assert_int_equal(options.window_scale, 14);
}

static void test_what_is_malformed_ends_the_reading(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "020405b4 0800 0402 030307", /* a length of 0 */
        "020405b4 0801 0402 030307", /* and of 1: less than kind and length themselves */
        "020405b4 08ff 0402 030307", /* beyond the end */
        "020405b4 0805 0402",        /* beyond the end by one */
        "020405b4 08",               /* a kind without a length */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tcp_options options = parse(bad[i]);
        assert_true(options.has_mss);
        assert_false(options.has_window_scale || options.has_sack_permitted || options.has_timestamp);
    }
}

/* ---- neutralising ---- */

static uint8_t before[FRAME_SIZE], after[FRAME_SIZE];

/* check_neutralized sends a SYN with |sent| through tcp_syn_neutralize, and expects the frame that a client would have
 * sent that never spoke of what is taken out: every byte of it, checksums included. */
static void check_neutralized(const struct frame_ip *ip, const struct frame_tcp *sent, const struct frame_tcp *expected)
{
    size_t len = frame_tcp(before, ip, sent), out_len = 0;
    struct frame_ip unpadded = *ip;
    unpadded.padding_len = 0;
    size_t expected_len = frame_tcp(after, &unpadded, expected);
    uint8_t *frame = frame_exact(before, len);
    struct packet packet;
    packet_parse(&packet, mg_slice_of(frame, len));
    assert_int_equal(packet.kind, PACKET_TCP);
    assert_true(tcp_syn_neutralize(frame, &packet, &out_len));
    assert_int_equal(out_len, expected_len);
    assert_memory_equal(frame, after, expected_len);
    packet_parse(&packet, mg_slice_of(frame, out_len));
    assert_int_equal(packet.kind, PACKET_TCP);
    assert_false(tcp_syn_neutralize(frame, &packet, &out_len)); /* once is enough */
    free(frame);
}

/* What may stand around a segment. */
static const struct frame_ip surroundings[] = {
    {0},
    {.is_ipv6 = true},
    {.tags = "88a8 0001 8100 0002", .options = "01010101 01010100", .id = 0x1234, .fragment = 0x4000, .tos = 0xb8},
    {.tags = "8100 0002",
     .is_ipv6 = true,
     .extensions = "3c00 0502 0000 0100 0001 0104 06060606 0106 060606060606",
     .flow_label = 0xabcde},
    {.padding_len = 6},
    {.padding_len = 2, .is_ipv6 = true},
};

static void check_everywhere(const struct frame_tcp *sent, const struct frame_tcp *expected)
{
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        check_neutralized(&surroundings[i], sent, expected);
    }
}

/* check_options does so for the options of a SYN. */
static void check_options(const char *sent, const char *expected)
{
    check_everywhere(&(struct frame_tcp){.seq = 0xfffffff0, .flags = TCP_SYN, .window = 64240, .options = sent},
                     &(struct frame_tcp){.seq = 0xfffffff0, .flags = TCP_SYN, .window = 64240, .options = expected});
}

static void test_fast_open_becomes_no_ops(void **state)
{
    (void)state;
    /* A request for a cookie, a cookie of 8 bytes, one of 16 (RFC 7413 section 4.1.1). */
    check_options("020405b4 2202 0101", "020405b4 0101 0101");
    check_options("220a 1122334455667788 020405b4 0000", "0101 0101010101010101 020405b4 0000");
    check_options("020405b4 2212 11112222333344445555666677778888 0101",
                  "020405b4 0101 01010101010101010101010101010101 0101");
}

static void test_experimental_fast_open_becomes_no_ops(void **state)
{
    (void)state;
    check_options("fe04f989 020405b4", "01010101 020405b4");
    check_options("020405b4 fe0cf989 1122334455667788", "020405b4 01010101 0101010101010101");
}

static void test_multipath_tcp_becomes_no_ops(void **state)
{
    (void)state;
    check_options("020405b4 1e040181", "020405b4 01010101"); /* MP_CAPABLE, RFC 8684 section 3.1 */
    check_options("1e0c0181 1122334455667788 020405b4", "01010101 0101010101010101 020405b4");
    check_options("1e0c1001 11223344 55667788 0402 0000", "01010101 01010101 01010101 0402 0000"); /* MP_JOIN */
}

static void test_all_of_them_at_once_become_no_ops(void **state)
{
    (void)state;
    check_options("2202 1e040181 fe04f989 2202 020405b4 0402 080a0000000100000000 030307 01",
                  "0101 01010101 01010101 0101 020405b4 0402 080a0000000100000000 030307 01");
}

static void test_other_options_are_left_alone(void **state)
{
    (void)state;
    static const char *const untouched[] = {
        "020405b4 0402 080a0000000100000000 01 030307",
        "fe04e2d4 020405b4",  /* another experiment */
        "fe02 0101 020405b4", /* an experiment without a magic */
        "fe03f9 01 020405b4", /* with half of one */
        "fd04f989 020405b4",  /* the other number for experiments has no Fast Open */
        "1304aaaa 1d04bbbb",  /* MD5 and authentication */
        "00 2202 01",         /* nobody reads behind the end */
        "08ff 2202",          /* nor behind what is malformed */
        "1e01 2202",          /* a length of 1 */
        "0101 221e",          /* Fast Open beyond the end is no option */
        "",
    };
    for (size_t i = 0; i < sizeof(untouched) / sizeof(untouched[0]); i++) {
        for (size_t j = 0; j < sizeof(surroundings) / sizeof(surroundings[0]); j++) {
            size_t len = frame_tcp(before, &surroundings[j],
                                   &(struct frame_tcp){.flags = TCP_SYN, .options = untouched[i], .reserved = 0xe});
            size_t out_len = 0;
            uint8_t *frame = frame_exact(before, len);
            struct packet packet;
            packet_parse(&packet, mg_slice_of(frame, len));
            assert_int_equal(packet.kind, PACKET_TCP);
            assert_false(tcp_syn_neutralize(frame, &packet, &out_len));
            assert_memory_equal(frame, before, len);
            free(frame);
        }
    }
}

static void test_ecn_is_cleared(void **state)
{
    (void)state;
    static const uint8_t asks[] = {TCP_ECE, TCP_CWR, TCP_ECE | TCP_CWR};
    for (size_t i = 0; i < sizeof(asks); i++) {
        check_everywhere(&(struct frame_tcp){.flags = TCP_SYN | asks[i], .options = "020405b4"},
                         &(struct frame_tcp){.flags = TCP_SYN, .options = "020405b4"});
    }
    /* Accurate ECN (RFC 9768) asks with the bit beside them too; the other reserved bits are not its. */
    check_everywhere(&(struct frame_tcp){.flags = TCP_SYN | TCP_ECE | TCP_CWR, .reserved = 0xf},
                     &(struct frame_tcp){.flags = TCP_SYN, .reserved = 0xe});
    check_everywhere(&(struct frame_tcp){.flags = TCP_SYN, .reserved = 1}, &(struct frame_tcp){.flags = TCP_SYN});
    check_everywhere(&(struct frame_tcp){.flags = 0xff, .urgent = 3}, &(struct frame_tcp){.flags = 0x3f, .urgent = 3});
}

static void test_data_in_the_syn_is_cut_off(void **state)
{
    (void)state;
    static const size_t lens[] = {1, 2, 517, 1400};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        check_everywhere(
            &(struct frame_tcp){.flags = TCP_SYN, .options = "220a1122334455667788 0101", .payload_len = lens[i]},
            &(struct frame_tcp){.flags = TCP_SYN, .options = "010101010101010101010101"});
        check_everywhere(&(struct frame_tcp){.flags = TCP_SYN, .payload_len = lens[i]},
                         &(struct frame_tcp){.flags = TCP_SYN});
    }
}

/* Neutralising it would make it good. */
static void test_a_syn_with_a_wrong_checksum_stays_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        size_t out_len = 0, len = frame_tcp(before, &surroundings[i],
                                            &(struct frame_tcp){.flags = TCP_SYN | TCP_ECE | TCP_CWR,
                                                                .options = "2202 0101",
                                                                .payload_len = 9,
                                                                .wrong_by = 1});
        uint8_t *frame = frame_exact(before, len);
        struct packet packet;
        packet_parse(&packet, mg_slice_of(frame, len));
        assert_false(tcp_syn_neutralize(frame, &packet, &out_len));
        assert_memory_equal(frame, before, len);
        free(frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_options_of_a_usual_syn),
        cmocka_unit_test(test_no_options),
        cmocka_unit_test(test_unknown_options_are_passed_over),
        cmocka_unit_test(test_a_window_scale_is_at_most_14),
        cmocka_unit_test(test_an_option_of_the_wrong_length_is_not_there),
        cmocka_unit_test(test_the_last_of_two_counts),
        cmocka_unit_test(test_what_is_malformed_ends_the_reading),
        cmocka_unit_test(test_fast_open_becomes_no_ops),
        cmocka_unit_test(test_experimental_fast_open_becomes_no_ops),
        cmocka_unit_test(test_multipath_tcp_becomes_no_ops),
        cmocka_unit_test(test_all_of_them_at_once_become_no_ops),
        cmocka_unit_test(test_other_options_are_left_alone),
        cmocka_unit_test(test_ecn_is_cleared),
        cmocka_unit_test(test_data_in_the_syn_is_cut_off),
        cmocka_unit_test(test_a_syn_with_a_wrong_checksum_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
