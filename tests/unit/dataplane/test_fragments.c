/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/worker/fragments.h"

#define START_NS UINT64_C(5000000000)

static struct fragments fragments;

/* Buffers are never looked into here: any address will do. */
static char buffers[64];
static struct rte_mbuf *mbuf(unsigned i)
{
    return (struct rte_mbuf *)(void *)&buffers[i];
}

static struct rte_mbuf *dropped[64];
static unsigned num_dropped;

static void drop(struct rte_mbuf *buffer, void *arg)
{
    assert_ptr_equal(arg, dropped);
    dropped[num_dropped++] = buffer;
}

static int start(void **state)
{
    (void)state;
    memset(&fragments, 0, sizeof(fragments));
    num_dropped = 0;
    return 0;
}

/* fragment_of parses a fragment with |id|. */
static struct packet fragment_of(const struct frame_ip *ip, uint16_t id)
{
    static uint8_t frame[FRAME_SIZE];
    struct frame_ip whole = *ip;
    char header[32];
    if (ip->is_ipv6) {
        snprintf(header, sizeof(header), "0000 0009 0000%04x", id);
        whole.extensions = header;
        whole.first_extension = PROTOCOL_FRAGMENT;
    } else {
        whole.id = id;
        whole.fragment = 1;
    }
    whole.protocol = PROTOCOL_TCP;
    struct packet packet;
    packet_parse(&packet, mg_slice_of(frame, frame_ip(frame, &whole, mg_slice_of_text("12345678"))));
    assert_int_equal(packet.kind, PACKET_TCP_FRAGMENT);
    return packet;
}

static struct datagram *find(const struct frame_ip *ip, uint16_t id, enum side side, uint64_t now_ns)
{
    struct packet packet = fragment_of(ip, id);
    return fragments_find(&fragments, &packet, side, now_ns, drop, dropped);
}

static const struct frame_ip ipv4 = {0}, ipv6 = {.is_ipv6 = true};

static void test_the_fragments_of_a_datagram_meet(void **state)
{
    (void)state;
    struct datagram *datagram = find(&ipv4, 7, SIDE_CLIENT, START_NS);
    assert_non_null(datagram);
    assert_int_equal(datagram->way, FRAGMENTS_UNKNOWN);
    assert_int_equal(datagram->num_waiting, 0);
    datagram->way = FRAGMENTS_TO_STACK;
    assert_ptr_equal(find(&ipv4, 7, SIDE_CLIENT, START_NS + 1), datagram);
    assert_int_equal(datagram->way, FRAGMENTS_TO_STACK);
    datagram = find(&ipv6, 7, SIDE_CLIENT, START_NS);
    assert_int_equal(datagram->way, FRAGMENTS_UNKNOWN);
    assert_ptr_equal(find(&ipv6, 7, SIDE_CLIENT, START_NS + 1), datagram);
}

static void test_datagrams_differ_by_id_side_and_addresses(void **state)
{
    (void)state;
    static const uint8_t other4[4] = {192, 0, 2, 9}, other6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 9};
    /* An IPv6 packet whose addresses begin as those of the IPv4 packet. */
    static const uint8_t source6[16] = {192, 0, 2, 1}, destination6[16] = {198, 51, 100, 2};
    const struct frame_ip ips[] = {
        ipv4,
        {.source = other4},
        {.destination = other4},
        ipv6,
        {.is_ipv6 = true, .source = other6},
        {.is_ipv6 = true, .destination = other6},
        {.is_ipv6 = true, .source = source6, .destination = destination6},
    };
    struct datagram *seen[28];
    size_t num = 0;
    for (size_t i = 0; i < 7; i++) {
        for (int side = 0; side < 2; side++) {
            for (uint16_t id = 1; id <= 2; id++) {
                seen[num] = find(&ips[i], id, (enum side)side, START_NS);
                for (size_t j = 0; j < num; j++) {
                    assert_ptr_not_equal(seen[j], seen[num]);
                }
                num++;
            }
        }
    }
}

static void test_fragments_wait_up_to_a_bound(void **state)
{
    (void)state;
    struct datagram *datagram = find(&ipv4, 7, SIDE_CLIENT, START_NS);
    for (unsigned i = 0; i < FRAGMENTS_MAX_WAITING; i++) {
        assert_true(fragments_wait(datagram, mbuf(i)));
    }
    assert_false(fragments_wait(datagram, mbuf(FRAGMENTS_MAX_WAITING)));
    assert_int_equal(datagram->num_waiting, FRAGMENTS_MAX_WAITING);
    for (unsigned i = 0; i < FRAGMENTS_MAX_WAITING; i++) {
        assert_ptr_equal(datagram->waiting[i], mbuf(i)); /* in order */
    }
}

static void test_an_old_datagram_gives_way_and_drops_what_waits(void **state)
{
    (void)state;
    struct datagram *datagram = find(&ipv4, 7, SIDE_CLIENT, START_NS);
    assert_true(fragments_wait(datagram, mbuf(1)));
    assert_true(fragments_wait(datagram, mbuf(2)));
    datagram->way = FRAGMENTS_DROP;
    find(&ipv4, 8, SIDE_CLIENT, START_NS + FRAGMENTS_TIMEOUT_NS);
    assert_int_equal(num_dropped, 0); /* not yet */
    find(&ipv4, 9, SIDE_CLIENT, START_NS + FRAGMENTS_TIMEOUT_NS + 1);
    assert_int_equal(num_dropped, 2);
    assert_ptr_equal(dropped[0], mbuf(1));
    assert_ptr_equal(dropped[1], mbuf(2));
    find(&ipv4, 9, SIDE_CLIENT, START_NS + FRAGMENTS_TIMEOUT_NS + 2);
    assert_int_equal(num_dropped, 2); /* once */
}

static void test_an_id_that_comes_again_later_is_a_new_datagram(void **state)
{
    (void)state;
    struct datagram *datagram = find(&ipv4, 7, SIDE_CLIENT, START_NS);
    datagram->way = FRAGMENTS_FORWARD;
    assert_true(fragments_wait(datagram, mbuf(1)));
    datagram = find(&ipv4, 7, SIDE_CLIENT, START_NS + FRAGMENTS_TIMEOUT_NS + 1);
    assert_int_equal(datagram->way, FRAGMENTS_UNKNOWN);
    assert_int_equal(datagram->num_waiting, 0);
    assert_int_equal(num_dropped, 1);
}

static void test_when_all_places_are_taken_by_young_ones_there_is_none(void **state)
{
    (void)state;
    struct datagram *datagrams[FRAGMENTS_MAX_DATAGRAMS];
    for (uint16_t i = 0; i < FRAGMENTS_MAX_DATAGRAMS; i++) {
        datagrams[i] = find(&ipv4, i, SIDE_CLIENT, START_NS + i);
        assert_non_null(datagrams[i]);
    }
    assert_null(find(&ipv4, 1000, SIDE_CLIENT, START_NS + FRAGMENTS_TIMEOUT_NS));
    for (uint16_t i = 0; i < FRAGMENTS_MAX_DATAGRAMS; i++) {
        assert_ptr_equal(find(&ipv4, i, SIDE_CLIENT, START_NS + FRAGMENTS_TIMEOUT_NS), datagrams[i]);
    }
    /* The oldest one goes, and only that. */
    assert_ptr_equal(find(&ipv4, 1000, SIDE_CLIENT, START_NS + FRAGMENTS_TIMEOUT_NS + 1), datagrams[0]);
    assert_null(find(&ipv4, 1001, SIDE_CLIENT, START_NS + FRAGMENTS_TIMEOUT_NS + 1));
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_fragments_of_a_datagram_meet),
        TEST(test_datagrams_differ_by_id_side_and_addresses),
        TEST(test_fragments_wait_up_to_a_bound),
        TEST(test_an_old_datagram_gives_way_and_drops_what_waits),
        TEST(test_an_id_that_comes_again_later_is_a_new_datagram),
        TEST(test_when_all_places_are_taken_by_young_ones_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
