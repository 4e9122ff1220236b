/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/net/gro.h"
#include "dataplane/net/gso.h"

#define MAX_FRAMES 64

/* The frames of a test stay in place until they are written. The TUN device is a datagram socket: one write is one
 * message, as there. */
static uint8_t *frames[MAX_FRAMES];
static struct packet packets[MAX_FRAMES];
static size_t num_frames;
static int tun_fd, kernel_fd;
static struct gro gro;
static uint8_t message[FRAME_SIZE];

static int open_tun(void **state)
{
    (void)state;
    int fds[2], size = 1 << 20;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0 ||
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) != 0) {
        return -1;
    }
    tun_fd = fds[0];
    kernel_fd = fds[1];
    memset(&gro, 0, sizeof(gro));
    return 0;
}

static int close_tun(void **state)
{
    (void)state;
    while (num_frames > 0) {
        free(frames[--num_frames]);
    }
    close(tun_fd);
    close(kernel_fd);
    return 0;
}

/* make builds a frame and parses it. */
static const struct packet *make(const struct frame_ip *ip, const struct frame_tcp *tcp)
{
    static uint8_t frame[FRAME_SIZE];
    size_t len = frame_tcp(frame, ip, tcp);
    assert_true(num_frames < MAX_FRAMES);
    frames[num_frames] = frame_exact(frame, len);
    packet_parse(&packets[num_frames], mg_slice_of(frames[num_frames], len));
    assert_int_equal(packets[num_frames].kind, PACKET_TCP);
    return &packets[num_frames++];
}

/* written writes what was collected; returns the IP packet that the kernel got, and the header before it. */
static struct mg_slice written(struct virtio_net_hdr *header)
{
    assert_int_equal(gro_write(&gro, tun_fd), MG_OK);
    assert_true(gro_empty(&gro));
    ssize_t len = recv(kernel_fd, message, sizeof(message), 0);
    assert_true(len >= (ssize_t)sizeof(*header));
    memcpy(header, message, sizeof(*header));
    assert_int_equal(recv(kernel_fd, message, 0, MSG_PEEK | MSG_DONTWAIT), -1); /* that was all */
    return mg_slice_of(message + sizeof(*header), (size_t)len - sizeof(*header));
}

/* assert_written_alone checks that |packet| alone goes to the kernel, as it came. */
static void assert_written_alone(const struct packet *packet)
{
    static const struct virtio_net_hdr nothing;
    struct virtio_net_hdr header;
    assert_int_equal(gro.num_segments, 1);
    struct mg_slice ip = written(&header);
    assert_memory_equal(&header, &nothing, sizeof(header));
    assert_true(mg_slice_equal(ip, packet->ip));
}

static const struct frame_ip surroundings[] = {
    {.id = 0x1234, .fragment = 0x4000, .tos = 0x20},
    {.is_ipv6 = true, .flow_label = 0xabcde, .tos = 0x20},
    {.options = "01010101 01010100", .tags = "8100 0001", .padding_len = 3},
    {.is_ipv6 = true,
     .tags = "88a8 0001 8100 0002",
     .extensions = "3c00 0502 0000 0100 0001 0104 06060606 0106 060606060606"},
};

/* A segment of |len| bytes at |seq| of the stream that all of them belong to. */
static struct frame_tcp segment(uint32_t seq, size_t len)
{
    return (struct frame_tcp){.seq = seq,
                              .ack = 77,
                              .flags = TCP_ACK,
                              .window = 500,
                              .options = "0101080a 00000001 00000002",
                              .payload_len = len};
}

static const struct packet *make_segment(const struct frame_ip *ip, uint32_t seq, size_t len)
{
    struct frame_tcp tcp = segment(seq, len);
    return make(ip, &tcp);
}

/* ---- what is merged ---- */

/* check_merged sends |num| segments of |len| bytes and a last one of |last_len|, and checks what the kernel gets: the
 * packet that, cut again, is those segments. */
static void check_merged(const struct frame_ip *ip, size_t num, size_t len, size_t last_len, bool psh)
{
    uint32_t seq = 0xffffff00; /* wraps round */
    struct frame_ip numbered = *ip;
    for (size_t i = 0; i <= num; i++) {
        struct frame_tcp tcp = segment(seq, i < num ? len : last_len);
        tcp.flags |= psh && i == num ? TCP_PSH : 0;
        numbered.id = (uint16_t)(ip->id + i);
        assert_true(gro_add(&gro, make(&numbered, &tcp)));
        seq += (uint32_t)tcp.payload_len;
    }
    assert_int_equal(gro.num_segments, num + 1);
    const struct packet *first = &packets[num_frames - num - 1];
    size_t header_len = first->ip.len - len;

    struct virtio_net_hdr header;
    struct mg_slice merged_ip = written(&header);
    assert_int_equal(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(header.gso_type, ip->is_ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4);
    assert_int_equal(header.hdr_len, header_len);
    assert_int_equal(header.gso_size, len);
    assert_int_equal(header.csum_start, first->tcp_offset);
    assert_int_equal(header.csum_offset, 16);

    struct packet merged;
    packet_parse_ip(&merged, merged_ip);
    assert_int_equal(merged.kind, PACKET_TCP);
    assert_int_equal(merged.ip.len, merged_ip.len);
    assert_int_equal(merged.payload.len, num * len + last_len);
    if (!ip->is_ipv6) {
        assert_int_equal(frame_sum(merged_ip.data, (size_t)(merged_ip.data[0] & 0xf) * 4), 0xffff);
    }
    /* The checksum field holds the sum over the pseudo-header, which the kernel completes so. */
    uint8_t *tcp = message + sizeof(header) + merged.tcp_offset;
    uint16_t completed = (uint16_t)~frame_sum(tcp, merged_ip.len - merged.tcp_offset);
    tcp[16] = (uint8_t)(completed >> 8);
    tcp[17] = (uint8_t)completed;
    frame_assert_checksums(merged_ip, merged.tcp_offset);

    struct gso gso;
    gso_begin(&gso, &merged, (struct tun_offload){.needs_checksum = true, .gso_size = header.gso_size});
    for (size_t i = 0; i <= num; i++) {
        static uint8_t cut[FRAME_SIZE];
        size_t cut_len = gso_segment_len(&gso);
        assert_true(cut_len > 0);
        gso_next(&gso, cut);
        assert_true(mg_slice_equal(mg_slice_of(cut, cut_len), first[i].ip));
    }
    assert_int_equal(gso_segment_len(&gso), 0);
}

static void test_consecutive_segments_become_one_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        for (int psh = 0; psh < 2; psh++) {
            check_merged(&surroundings[i], 1, 1448, 1448, psh == 1);
            check_merged(&surroundings[i], 1, 1448, 1, psh == 1);
            check_merged(&surroundings[i], 9, 1000, 999, psh == 1);
            check_merged(&surroundings[i], 2, 1, 1, psh == 1);
            close_tun(state);
            open_tun(state);
        }
    }
}

static void test_a_packet_alone_is_written_as_it_came(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        assert_true(gro_empty(&gro));
        const struct packet *packet = make_segment(&surroundings[i], 1, 100);
        assert_true(gro_add(&gro, packet));
        assert_false(gro_empty(&gro));
        assert_written_alone(packet);
    }
}

static void test_anything_may_be_the_first(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags += 5) {
        const struct packet *packet = make(
            &surroundings[flags % 4],
            &(struct frame_tcp){.flags = (uint8_t)flags, .payload_len = flags % 3, .wrong_by = (uint16_t)(flags % 2)});
        assert_true(gro_add(&gro, packet));
        assert_written_alone(packet);
    }
}

/* ---- what is not ---- */

/* check_refused checks that |second| is not merged to |first|, and that nothing of it stays behind. */
static void check_refused(const struct frame_ip *first_ip, const struct frame_tcp *first, const struct frame_ip *ip,
                          const struct frame_tcp *second)
{
    const struct packet *one = make(first_ip, first), *two = make(ip, second);
    assert_true(gro_add(&gro, one));
    assert_false(gro_add(&gro, two));
    assert_written_alone(one);
    assert_true(gro_add(&gro, two)); /* where nothing is, it is taken */
    assert_written_alone(two);
    free(frames[--num_frames]);
    free(frames[--num_frames]);
}

/* check_tcp_refused does so for a second segment that differs in its TCP header. */
static void check_tcp_refused(const struct frame_tcp *second)
{
    struct frame_tcp first = segment(1000, 100);
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        check_refused(&surroundings[i], &first, &surroundings[i], second);
    }
}

/* The segment that would be merged, for tests to spoil. */
#define NEXT segment(1100, 100)

static void test_the_next_one_would_be_merged(void **state)
{
    (void)state;
    assert_true(gro_add(&gro, make_segment(&surroundings[0], 1000, 100)));
    struct frame_tcp second = NEXT;
    assert_true(gro_add(&gro, make(&surroundings[0], &second)));
}

static void test_another_flow_is_not_merged(void **state)
{
    (void)state;
    static const uint8_t other4[4] = {192, 0, 2, 9}, other6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 9};
    struct frame_tcp second = NEXT;
    second.source_port = 40001;
    check_tcp_refused(&second);
    second = NEXT;
    second.destination_port = 8443;
    check_tcp_refused(&second);
    struct frame_tcp first = segment(1000, 100);
    second = NEXT;
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        struct frame_ip ip = surroundings[i];
        ip.source = ip.is_ipv6 ? other6 : other4;
        check_refused(&surroundings[i], &first, &ip, &second);
        ip = surroundings[i];
        ip.destination = ip.is_ipv6 ? other6 : other4;
        check_refused(&surroundings[i], &first, &ip, &second);
    }
    check_refused(&surroundings[0], &first, &surroundings[1], &second);
}

static void test_a_hole_a_repetition_or_an_overlap_is_not_merged(void **state)
{
    (void)state;
    static const uint32_t seqs[] = {1101, 1099, 1000, 999, 1200, 0};
    for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
        struct frame_tcp second = segment(seqs[i], 100);
        check_tcp_refused(&second);
    }
}

static void test_another_acknowledgement_window_or_option_is_not_merged(void **state)
{
    (void)state;
    struct frame_tcp second = NEXT;
    second.ack = 78;
    check_tcp_refused(&second);
    second = NEXT;
    second.window = 501;
    check_tcp_refused(&second);
    second = NEXT;
    second.urgent = 1;
    check_tcp_refused(&second);
    second = NEXT;
    second.options = "0101080a 00000003 00000002";
    check_tcp_refused(&second);
    second.options = "0101080a 00000001 00000002 01010101";
    check_tcp_refused(&second);
    second.options = "";
    check_tcp_refused(&second);
}

static void test_flags_that_mean_something_are_not_merged(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        if ((flags & ~(unsigned)TCP_PSH) == TCP_ACK) {
            continue;
        }
        struct frame_tcp first = segment(1000, 100), second = NEXT;
        second.flags = (uint8_t)flags;
        check_refused(&surroundings[0], &first, &surroundings[0], &second);
        if ((flags & ~(unsigned)(TCP_PSH | TCP_ACK)) != 0) { /* nor to one that has them, though both are alike */
            first.flags = (uint8_t)flags;
            check_refused(&surroundings[0], &first, &surroundings[0], &second);
        }
    }
    struct frame_tcp second = NEXT;
    second.reserved = 1; /* accurate ECN's */
    check_tcp_refused(&second);
}

static void test_a_segment_without_payload_is_not_merged(void **state)
{
    (void)state;
    struct frame_tcp first = segment(1000, 0), second = segment(1000, 0);
    check_refused(&surroundings[0], &first, &surroundings[0], &second);
    second = segment(1000, 100);
    check_refused(&surroundings[0], &first, &surroundings[0], &second);
    first = segment(1000, 100);
    second = segment(1100, 0);
    check_refused(&surroundings[0], &first, &surroundings[0], &second);
}

static void test_a_longer_segment_is_not_merged(void **state)
{
    (void)state;
    struct frame_tcp second = segment(1100, 101);
    check_tcp_refused(&second);
}

/* What differs in the IP header would be lost: a CE mark, a time to live, a flow label. */
static void test_another_ip_header_is_not_merged(void **state)
{
    (void)state;
    struct frame_tcp first = segment(1000, 100), second = NEXT;
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        struct frame_ip ip = surroundings[i];
        ip.tos ^= 3;
        check_refused(&surroundings[i], &first, &ip, &second);
        ip = surroundings[i];
        ip.ttl = 63;
        check_refused(&surroundings[i], &first, &ip, &second);
    }
    struct frame_ip ip = surroundings[0];
    ip.fragment = 0; /* may be fragmented on its way */
    check_refused(&surroundings[0], &first, &ip, &second);
    ip = surroundings[1];
    ip.flow_label = 1;
    check_refused(&surroundings[1], &first, &ip, &second);
    ip = surroundings[2];
    ip.options = "01010101 01010000";
    check_refused(&surroundings[2], &first, &ip, &second);
    ip.options = "01010100";
    check_refused(&surroundings[2], &first, &ip, &second);
    ip = surroundings[3];
    ip.extensions = "3c00 0502 0000 0100 0001 0104 06060606 0106 060606060607";
    check_refused(&surroundings[3], &first, &ip, &second);
}

static void test_nothing_is_merged_behind_a_short_one(void **state)
{
    (void)state;
    assert_true(gro_add(&gro, make_segment(&surroundings[0], 1000, 100)));
    assert_true(gro_add(&gro, make_segment(&surroundings[0], 1100, 99)));
    assert_false(gro_add(&gro, make_segment(&surroundings[0], 1199, 99)));
    assert_false(gro_add(&gro, make_segment(&surroundings[0], 1199, 100)));
    assert_int_equal(gro.num_segments, 2);
}

/* RFC 9293 section 3.9.1.2: PSH marks no boundary that a receiver would have to keep. */
static void test_segments_are_merged_behind_psh_which_is_kept(void **state)
{
    (void)state;
    struct frame_tcp first = segment(1000, 100);
    first.flags |= TCP_PSH;
    assert_true(gro_add(&gro, make(&surroundings[0], &first)));
    assert_true(gro_add(&gro, make_segment(&surroundings[0], 1100, 100)));
    assert_true(gro_add(&gro, make_segment(&surroundings[0], 1200, 100)));
    struct virtio_net_hdr header;
    struct packet merged;
    packet_parse_ip(&merged, written(&header));
    assert_int_equal(merged.payload.len, 300);
    assert_int_equal(merged.tcp_flags, TCP_ACK | TCP_PSH);
}

static void test_a_wrong_checksum_is_never_merged(void **state)
{
    (void)state;
    struct frame_tcp first = segment(1000, 100), second = NEXT;
    second.wrong_by = 1;
    check_tcp_refused(&second);
    for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++) {
        second = NEXT;
        first.wrong_by = 1; /* also where it comes first, and would be made good by the join */
        check_refused(&surroundings[i], &first, &surroundings[i], &second);
    }
}

static void test_at_most_so_many_segments_are_merged(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < GRO_MAX_SEGMENTS; i++) {
        assert_true(gro_add(&gro, make_segment(&surroundings[0], 1000 + 10 * i, 10)));
    }
    assert_false(gro_add(&gro, make_segment(&surroundings[0], 1000 + 10 * GRO_MAX_SEGMENTS, 10)));
    struct virtio_net_hdr header;
    assert_int_equal(written(&header).len, 52 + 10 * GRO_MAX_SEGMENTS);
}

static void test_the_joined_packet_has_at_most_65535_bytes(void **state)
{
    (void)state;
    size_t len = (65535 - 52) / 7; /* seven fit, with five bytes left */
    for (uint32_t i = 0; i < 7; i++) {
        assert_true(gro_add(&gro, make_segment(&surroundings[0], (uint32_t)len * i, len)));
    }
    assert_false(gro_add(&gro, make_segment(&surroundings[0], (uint32_t)len * 7, 65535 - 52 - 7 * len + 1)));
    assert_true(gro_add(&gro, make_segment(&surroundings[0], (uint32_t)len * 7, 65535 - 52 - 7 * len)));
    struct virtio_net_hdr header;
    assert_int_equal(written(&header).len, 65535);
}

static void test_headers_too_long_for_the_copy_are_not_merged(void **state)
{
    (void)state;
    char extensions[2 * 72 + 1];
    memset(extensions, '0', sizeof(extensions) - 1);
    extensions[sizeof(extensions) - 1] = '\0';
    struct frame_ip ip = {.is_ipv6 = true, .extensions = extensions, .first_extension = PROTOCOL_DESTINATION};
    struct frame_tcp first = segment(1000, 100), second = NEXT;
    memcpy(extensions, "0008", 4); /* 40 + 72 + 32 bytes */
    check_refused(&ip, &first, &ip, &second);
    extensions[2 * 56] = '\0';
    memcpy(extensions, "0006", 4); /* 40 + 56 + 32: exactly the bound */
    check_merged(&ip, 1, 100, 100, false);
}

/* ---- writing ---- */

static void test_a_full_queue_loses_the_packet_and_empties_the_collection(void **state)
{
    (void)state;
    const struct packet *packet = make_segment(&surroundings[0], 1, 1000);
    enum mg_status status;
    int num = 0;
    do {
        assert_true(gro_add(&gro, packet));
        status = gro_write(&gro, tun_fd);
        assert_true(gro_empty(&gro));
    } while (status == MG_OK && ++num < 100000);
    assert_int_equal(status, MG_AGAIN);
    assert_true(num > 0);
}

static void test_a_broken_device_is_told(void **state)
{
    (void)state;
    assert_true(gro_add(&gro, make_segment(&surroundings[0], 1, 1000)));
    assert_int_equal(gro_write(&gro, -1), MG_IO);
    assert_true(gro_empty(&gro));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_tun, close_tun)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_consecutive_segments_become_one_packet),
        TEST(test_a_packet_alone_is_written_as_it_came),
        TEST(test_anything_may_be_the_first),
        TEST(test_the_next_one_would_be_merged),
        TEST(test_another_flow_is_not_merged),
        TEST(test_a_hole_a_repetition_or_an_overlap_is_not_merged),
        TEST(test_another_acknowledgement_window_or_option_is_not_merged),
        TEST(test_flags_that_mean_something_are_not_merged),
        TEST(test_a_segment_without_payload_is_not_merged),
        TEST(test_a_longer_segment_is_not_merged),
        TEST(test_another_ip_header_is_not_merged),
        TEST(test_nothing_is_merged_behind_a_short_one),
        TEST(test_segments_are_merged_behind_psh_which_is_kept),
        TEST(test_a_wrong_checksum_is_never_merged),
        TEST(test_at_most_so_many_segments_are_merged),
        TEST(test_the_joined_packet_has_at_most_65535_bytes),
        TEST(test_headers_too_long_for_the_copy_are_not_merged),
        TEST(test_a_full_queue_loses_the_packet_and_empties_the_collection),
        TEST(test_a_broken_device_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
