/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hsm/connection.h"

static struct connection *connection;
static int peer;
static uint8_t buffer[WIRE_SIGNER_MAX_PACKET];

static int open_pair(void **state)
{
    (void)state;
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sockets) != 0) {
        return -1;
    }
    peer = sockets[1];
    connection = connection_new(sockets[0], NULL);
    return connection != NULL ? 0 : -1;
}

static int close_pair(void **state)
{
    (void)state;
    connection_free(connection);
    close(peer);
    return 0;
}

/* add adds |count| results with rising ids. */
static enum mg_status add(uint64_t *id, size_t count)
{
    static const uint8_t signature[WIRE_SIGNER_MAX_SIGNATURE];
    enum mg_status status = MG_OK;
    for (size_t i = 0; i < count && status == MG_OK; i++) {
        struct wire_sign_result result = {
            .id = (*id)++, .status = WIRE_SIGN_OK, .signature = mg_slice_of(signature, sizeof(signature))};
        status = connection_add_result(connection, &result);
    }
    return status;
}

/* read_results reads packets until none is there, checks that ids rise from *id on, and returns how many packets. */
static size_t read_results(uint64_t *id)
{
    static uint8_t packet[WIRE_SIGNER_MAX_PACKET];
    struct wire_sign_result results[WIRE_SIGNER_MAX_BATCH];
    size_t num_packets = 0, num_results;
    for (;; num_packets++) {
        ssize_t len = recv(peer, packet, sizeof(packet), MSG_DONTWAIT);
        if (len < 0) {
            assert_int_equal(errno, EAGAIN);
            return num_packets;
        }
        assert_int_equal(wire_signer_decode_signed(mg_slice_of(packet, (size_t)len), results, &num_results, NULL),
                         MG_OK);
        for (size_t i = 0; i < num_results; i++) {
            assert_int_equal(results[i].id, (*id)++);
        }
    }
}

static void test_results_are_gathered_into_packets(void **state)
{
    (void)state;
    uint64_t id = 0, seen = 0;
    assert_int_equal(connection_flush(connection), MG_OK);
    assert_int_equal(read_results(&seen), 0); /* nothing, not an empty batch */
    assert_int_equal(add(&id, 3), MG_OK);
    assert_int_equal(read_results(&seen), 0);
    assert_int_equal(connection_flush(connection), MG_OK);
    assert_int_equal(read_results(&seen), 1);
    assert_int_equal(add(&id, WIRE_SIGNER_MAX_BATCH + 1), MG_OK); /* one more than a packet takes */
    assert_int_equal(read_results(&seen), 1);
    assert_int_equal(connection_flush(connection), MG_OK);
    assert_int_equal(read_results(&seen), 1);
    assert_int_equal(seen, id);
}

static void test_a_peer_that_reads_late_gets_everything_in_order(void **state)
{
    (void)state;
    uint64_t id = 0, seen = 0;
    while (connection->backlog < CONNECTION_MAX_BACKLOG / 2) {
        assert_int_equal(add(&id, WIRE_SIGNER_MAX_BATCH), MG_OK);
    }
    assert_true(read_results(&seen) > 0); /* the socket has room, but what came before goes first */
    assert_int_equal(add(&id, WIRE_SIGNER_MAX_BATCH), MG_OK);
    assert_int_equal(connection_flush(connection), MG_OK);
    while (seen < id) {
        assert_int_equal(connection_send_backlog(connection), MG_OK);
        assert_true(read_results(&seen) > 0);
    }
    assert_int_equal(connection->backlog, 0);
}

static void test_a_peer_that_does_not_read_is_bounded(void **state)
{
    (void)state;
    uint64_t id = 0;
    enum mg_status status = MG_OK;
    while (status == MG_OK) {
        status = add(&id, WIRE_SIGNER_MAX_BATCH);
        assert_true(connection->backlog <= CONNECTION_MAX_BACKLOG);
        assert_true(id < 100000);
    }
    assert_int_equal(status, MG_LIMIT);
}

static void test_packets_are_received_whole(void **state)
{
    (void)state;
    struct mg_slice packet;
    assert_int_equal(connection_receive(connection, buffer, &packet), MG_AGAIN);
    assert_int_equal(send(peer, "abc", 3, 0), 3);
    assert_int_equal(send(peer, "de", 2, 0), 2);
    assert_int_equal(connection_receive(connection, buffer, &packet), MG_OK);
    assert_true(mg_slice_equal(packet, mg_slice_of_text("abc")));
    assert_int_equal(connection_receive(connection, buffer, &packet), MG_OK);
    assert_true(mg_slice_equal(packet, mg_slice_of_text("de")));
}

static void test_a_packet_over_the_limit_is_refused(void **state)
{
    (void)state;
    static const uint8_t large[WIRE_SIGNER_MAX_PACKET + 1];
    struct mg_slice packet;
    assert_int_equal(send(peer, large, WIRE_SIGNER_MAX_PACKET, 0), WIRE_SIGNER_MAX_PACKET);
    assert_int_equal(connection_receive(connection, buffer, &packet), MG_OK);
    assert_int_equal(send(peer, large, sizeof(large), 0), sizeof(large));
    assert_int_equal(connection_receive(connection, buffer, &packet), MG_INVALID);
}

static void test_a_peer_that_goes_is_noticed(void **state)
{
    (void)state;
    struct mg_slice packet;
    uint64_t id = 0;
    close(peer);
    peer = dup(STDIN_FILENO);
    assert_int_equal(connection_receive(connection, buffer, &packet), MG_NOT_FOUND);
    assert_int_equal(add(&id, 1), MG_OK);
    assert_int_equal(connection_flush(connection), MG_IO);
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_results_are_gathered_into_packets),
        PAIR_TEST(test_a_peer_that_reads_late_gets_everything_in_order),
        PAIR_TEST(test_a_peer_that_does_not_read_is_bounded),
        PAIR_TEST(test_packets_are_received_whole),
        PAIR_TEST(test_a_packet_over_the_limit_is_refused),
        PAIR_TEST(test_a_peer_that_goes_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
