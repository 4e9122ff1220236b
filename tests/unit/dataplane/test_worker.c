/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker makes of frames that come in one burst, between two ports made of rings. */
#include "frames.h"

#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "tests/unit/dataplane/worker_fixture.h"

static struct worker_fixture engine;

static int start(void **state)
{
    (void)state;
    worker_fixture_start(&engine, WORKER_FIXTURE_RING);
    worker_fixture_enter();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    worker_fixture_leave();
    worker_fixture_stop(&engine);
    return 0;
}

/* comes_in has a segment wait at the client's port. */
static void comes_in(uint16_t client_port, uint32_t seq, uint8_t flags)
{
    uint8_t frame[FRAME_SIZE];
    size_t len = frame_tcp(frame, &(struct frame_ip){.protocol = PROTOCOL_TCP},
                           &(struct frame_tcp){.source_port = client_port, .seq = seq, .flags = flags});
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(engine.dataplane.ports.pool);
    assert_non_null(mbuf);
    memcpy(rte_pktmbuf_append(mbuf, (uint16_t)len), frame, len);
    assert_int_equal(rte_ring_enqueue(engine.received[SIDE_CLIENT], mbuf), 0);
}

/* one_turn has the worker take what waits, and returns how many frames it has sent to the server. */
static unsigned one_turn(void)
{
    uint64_t before = worker_fixture_counted(&engine, COUNT_TX_SERVER);
    assert_true(worker_turn(engine.worker) > 0);
    worker_fixture_empty(&engine);
    return (unsigned)(worker_fixture_counted(&engine, COUNT_TX_SERVER) - before);
}

static uint64_t flows(enum counter counter)
{
    return worker_fixture_counted(&engine, counter);
}

static void test_a_flow_is_known_to_the_burst_that_opens_it(void **state)
{
    (void)state;
    uint64_t opened = flows(COUNT_FLOWS_OPENED), closed = flows(COUNT_FLOWS_CLOSED);
    uint32_t count = worker_flow_count(engine.worker);
    comes_in(1000, 100, TCP_SYN);
    comes_in(1000, 100, TCP_SYN); /* sent again: of the flow that the one before it has opened */
    assert_int_equal(one_turn(), 2);
    assert_int_equal(flows(COUNT_FLOWS_OPENED), opened + 1);
    assert_int_equal(flows(COUNT_FLOWS_CLOSED), closed);
    assert_int_equal(worker_flow_count(engine.worker), count + 1);
}

static void test_a_flow_is_forgotten_by_the_burst_that_ends_it(void **state)
{
    (void)state;
    uint64_t opened = flows(COUNT_FLOWS_OPENED), closed = flows(COUNT_FLOWS_CLOSED);
    uint32_t count = worker_flow_count(engine.worker);
    comes_in(2000, 100, TCP_SYN);
    assert_int_equal(one_turn(), 1);
    comes_in(2000, 101, TCP_RST);
    comes_in(2001, 500, TCP_SYN); /* takes the place of the flow that has ended */
    comes_in(2000, 102, TCP_RST); /* of no flow */
    comes_in(2001, 501, TCP_RST);
    assert_int_equal(one_turn(), 4);
    assert_int_equal(flows(COUNT_FLOWS_OPENED), opened + 2);
    assert_int_equal(flows(COUNT_FLOWS_CLOSED), closed + 2);
    assert_int_equal(worker_flow_count(engine.worker), count);
}

static void test_a_burst_goes_on_in_its_order(void **state)
{
    (void)state;
    const uint16_t ports[] = {3000, 3001, 3000, 3002, 3001, 3003};
    for (size_t i = 0; i < MG_ARRAY_LEN(ports); i++) {
        comes_in(ports[i], 100, TCP_SYN);
    }
    assert_true(worker_turn(engine.worker) > 0);
    for (size_t i = 0; i < MG_ARRAY_LEN(ports); i++) {
        void *mbuf; /* what went out to the server has come round */
        struct packet packet;
        assert_int_equal(rte_ring_dequeue(engine.received[SIDE_CLIENT], &mbuf), 0);
        packet_parse(&packet, mg_slice_of(rte_pktmbuf_mtod((struct rte_mbuf *)mbuf, uint8_t *),
                                          rte_pktmbuf_data_len((struct rte_mbuf *)mbuf)));
        assert_int_equal(packet.source_port, ports[i]);
        rte_pktmbuf_free(mbuf);
    }
    worker_fixture_empty(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flow_is_known_to_the_burst_that_opens_it),
        cmocka_unit_test(test_a_flow_is_forgotten_by_the_burst_that_ends_it),
        cmocka_unit_test(test_a_burst_goes_on_in_its_order),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
