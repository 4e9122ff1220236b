/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/bio.h>

#include "dataplane/tls/socket_bio.h"

static struct socket_buffers buffers;
static struct socket_bio bio;
static int peer;

/* connect_pair makes a TCP connection over the loopback interface: only TCP is reset as the real ones are. */
static void connect_pair(int *ours, int *theirs)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), room = 3 * SOCKET_BIO_BUFFER; /* the kernel doubles it */
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    *theirs = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*theirs, (struct sockaddr *)&address, sizeof(address)), 0);
    *ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(*ours >= 0);
    close(listener);
}

static int start(void **state)
{
    (void)state;
    int ours;
    connect_pair(&ours, &peer);
    socket_bio_init(&bio, ours, &buffers);
    return 0;
}

static void close_peer(void)
{
    close(peer);
    peer = -1;
}

static int stop(void **state)
{
    (void)state;
    socket_bio_release(&bio);
    assert_int_equal(buffers.num_in_use, 0);
    socket_buffers_free(&buffers);
    assert_int_equal(buffers.num_free, 0);
    close(bio.fd);
    if (peer >= 0) {
        close_peer();
    }
    return 0;
}

static uint8_t stream[3 * SOCKET_BIO_BUFFER + 1000];

static void fill_stream(void)
{
    for (size_t i = 0; i < sizeof(stream); i++) {
        stream[i] = frame_payload_byte((uint32_t)i);
    }
}

static void send_bytes(size_t start_at, size_t len)
{
    fill_stream();
    for (size_t sent = 0; sent < len;) {
        ssize_t now = send(peer, stream + start_at + sent, len - sent, 0);
        assert_true(now > 0);
        sent += (size_t)now;
    }
}

/* readable does what the session thread does when epoll reports. It waits until |len| bytes are there. */
static void readable(size_t len)
{
    uint8_t *seen = malloc(len + 1);
    while (recv(bio.fd, seen, len, MSG_PEEK) < (ssize_t)len) {
    }
    free(seen);
    bio.readable = true;
}

static void assert_reads(size_t ask, size_t start_at, size_t len)
{
    uint8_t *out = malloc(ask); /* of exactly that size, for the sanitizers */
    size_t got;
    assert_int_equal(socket_bio_read(&bio, out, ask, &got), MG_OK);
    assert_int_equal(got, len);
    assert_memory_equal(out, stream + start_at, len);
    free(out);
}

static enum mg_status try_read(size_t *len)
{
    uint8_t byte;
    return socket_bio_read(&bio, &byte, 1, len);
}

static void test_many_small_reads_cost_one_and_the_buffer_goes_back(void **state)
{
    (void)state;
    size_t len;
    send_bytes(0, 100);
    readable(100);
    assert_reads(5, 0, 5);
    assert_int_equal(buffers.num_in_use, 1);
    assert_false(bio.readable); /* the read came back short: nothing more is there */
    send_bytes(100, 50);        /* what comes now waits for epoll's word */
    assert_reads(95, 5, 95);
    assert_int_equal(buffers.num_in_use, 0);
    assert_int_equal(buffers.num_free, 1);
    assert_int_equal(try_read(&len), MG_AGAIN);
    assert_int_equal(buffers.num_in_use, 0);
    readable(50);
    assert_reads(1000, 100, 50);
    assert_int_equal(buffers.num_in_use, 0);
    assert_int_equal(buffers.num_free, 1);
}

static void test_a_read_gets_at_most_what_was_read_ahead(void **state)
{
    (void)state;
    send_bytes(0, 10);
    readable(10);
    assert_reads(4, 0, 4);
    send_bytes(10, 10);
    assert_reads(100, 4, 6);
}

static void test_a_socket_that_says_nothing_is_asked_once(void **state)
{
    (void)state;
    size_t len;
    assert_true(bio.readable); /* a new one may have data that epoll told before */
    assert_int_equal(try_read(&len), MG_AGAIN);
    assert_false(bio.readable);
    assert_int_equal(buffers.num_in_use, 0);
    send_bytes(0, 1);
    assert_int_equal(try_read(&len), MG_AGAIN); /* not asked again */
    readable(1);
    assert_reads(1, 0, 1);
}

static void test_a_full_buffer_says_that_more_may_be_there(void **state)
{
    (void)state;
    send_bytes(0, SOCKET_BIO_BUFFER + 7);
    readable(SOCKET_BIO_BUFFER + 7);
    assert_reads(1, 0, 1);
    assert_true(bio.readable);
    assert_reads(SOCKET_BIO_BUFFER, 1, SOCKET_BIO_BUFFER - 1);
    assert_reads(100, SOCKET_BIO_BUFFER, 7);
    assert_false(bio.readable);
}

static void test_a_large_read_needs_no_buffer(void **state)
{
    (void)state;
    send_bytes(0, 3 * SOCKET_BIO_BUFFER);
    readable(3 * SOCKET_BIO_BUFFER);
    assert_reads(2 * SOCKET_BIO_BUFFER, 0, 2 * SOCKET_BIO_BUFFER);
    assert_true(bio.readable);
    assert_reads(2 * SOCKET_BIO_BUFFER, 2 * SOCKET_BIO_BUFFER, SOCKET_BIO_BUFFER);
    assert_false(bio.readable);
    assert_int_equal(buffers.num_in_use, 0);
    assert_int_equal(buffers.num_free, 0);
}

static void test_a_read_as_large_as_the_buffer_needs_none(void **state)
{
    (void)state;
    send_bytes(0, 10);
    readable(10);
    bio.hung_up = true;
    assert_reads(SOCKET_BIO_BUFFER, 0, 10);
    assert_int_equal(buffers.num_free, 0);
}

static void test_the_last_bytes_read_are_kept_whatever_the_reads_were(void **state)
{
    (void)state;
    static const size_t reads[] = {1, SOCKET_BIO_LAST - 1, 2, 1, SOCKET_BIO_LAST, 40, 3};
    size_t total = 0;
    send_bytes(0, 1000);
    readable(1000);
    for (size_t i = 0; i < MG_ARRAY_LEN(reads); i++) {
        assert_reads(reads[i], total, reads[i]);
        total += reads[i];
        size_t kept = total < SOCKET_BIO_LAST ? total : SOCKET_BIO_LAST;
        assert_memory_equal(bio.last + SOCKET_BIO_LAST - kept, stream + total - kept, kept);
    }
}

static void test_a_large_read_first_gets_what_was_read_ahead(void **state)
{
    (void)state;
    send_bytes(0, 50);
    readable(50);
    assert_reads(1, 0, 1);
    send_bytes(50, 50);
    readable(50);
    assert_reads(2 * SOCKET_BIO_BUFFER, 1, 49);
    assert_reads(2 * SOCKET_BIO_BUFFER, 50, 50);
}

/* ---- ends ---- */

static void assert_end(void)
{
    size_t len = 99;
    assert_int_equal(try_read(&len), MG_OK);
    assert_int_equal(len, 0);
    assert_true(bio.end_of_file);
    assert_int_equal(buffers.num_in_use, 0);
}

static void test_an_end_behind_data_is_read_though_the_read_was_short(void **state)
{
    (void)state;
    send_bytes(0, 10);
    close_peer();
    readable(10);
    bio.hung_up = true; /* as epoll says with the data, and only once */
    assert_reads(4, 0, 4);
    assert_reads(100, 4, 6);
    assert_false(bio.end_of_file);
    assert_end();
    assert_end();
    assert_false(bio.reset);
}

static void test_an_end_stays_one_without_epolls_word(void **state)
{
    (void)state;
    close_peer();
    readable(0);
    assert_end();
    bio.readable = false;
    assert_end();
    uint8_t *large = malloc(SOCKET_BIO_BUFFER);
    size_t len = 99;
    assert_int_equal(socket_bio_read(&bio, large, SOCKET_BIO_BUFFER, &len), MG_OK);
    assert_int_equal(len, 0);
    free(large);
}

static void reset_by_peer(void)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close_peer();
}

static void test_data_before_a_reset_is_read_and_a_reset_stays_one(void **state)
{
    (void)state;
    size_t len;
    send_bytes(0, 10);
    readable(10);
    assert_reads(4, 0, 4);
    reset_by_peer();
    bio.readable = bio.hung_up = true;
    assert_reads(100, 4, 6);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(try_read(&len), MG_IO); /* never the clean end that a truncation attack wants */
        assert_true(bio.reset);
        assert_false(bio.end_of_file);
        assert_int_equal(buffers.num_in_use, 0);
    }
}

static void test_a_reset_that_a_write_met_is_none_of_a_clean_end(void **state)
{
    (void)state;
    size_t len;
    reset_by_peer();
    while (socket_bio_write(&bio, "x", 1, &len) == MG_OK) {
    }
    assert_true(bio.reset);
    assert_false(bio.write_blocked);
    bio.readable = bio.hung_up = true;
    assert_int_equal(try_read(&len), MG_IO);
    assert_false(bio.end_of_file);
}

/* ---- writing ---- */

static void test_a_write_that_finds_no_room_waits_for_it(void **state)
{
    (void)state;
    size_t len, total = 0, received = 0;
    enum mg_status status;
    while ((status = socket_bio_write(&bio, stream, sizeof(stream), &len)) == MG_OK) {
        total += len;
    }
    assert_int_equal(status, MG_AGAIN);
    assert_true(bio.write_blocked);
    while (received < total) {
        ssize_t got = recv(peer, stream, sizeof(stream), 0);
        assert_true(got > 0);
        received += (size_t)got;
    }
    while ((status = socket_bio_write(&bio, "x", 1, &len)) == MG_AGAIN) {
    }
    assert_int_equal(status, MG_OK);
    assert_int_equal(len, 1);
    assert_false(bio.write_blocked);
}

/* ---- collecting ---- */

static void write_corked(size_t start_at, size_t len)
{
    size_t taken;
    assert_int_equal(socket_bio_write(&bio, stream + start_at, len, &taken), MG_OK);
    assert_int_equal(taken, len);
}

/* assert_peer_gets checks that |len| bytes of the stream from |start_at| on come to the peer. */
static void assert_peer_gets(size_t start_at, size_t len)
{
    uint8_t *seen = malloc(len);
    assert_int_equal(recv(peer, seen, len, MSG_WAITALL), len);
    assert_memory_equal(seen, stream + start_at, len);
    free(seen);
}

static bool peer_has_something(void)
{
    uint8_t byte;
    return recv(peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void test_what_is_written_corked_is_sent_in_one_go(void **state)
{
    (void)state;
    fill_stream();
    socket_bio_cork(&bio);
    write_corked(0, 1000);
    write_corked(1000, 500);
    socket_bio_uncork(&bio);
    assert_true(socket_bio_has_unsent(&bio));
    assert_false(peer_has_something());
    assert_int_equal(socket_bio_flush(&bio), MG_OK);
    assert_false(socket_bio_has_unsent(&bio));
    assert_int_equal(buffers.num_in_use, 0);
    assert_peer_gets(0, 1500);
    assert_int_equal(socket_bio_flush(&bio), MG_OK); /* of nothing */
}

static void test_a_full_buffer_is_sent_while_corked(void **state)
{
    (void)state;
    size_t taken;
    fill_stream();
    socket_bio_cork(&bio);
    assert_int_equal(socket_bio_write(&bio, stream, SOCKET_BIO_BUFFER + 7, &taken), MG_OK);
    assert_int_equal(taken, SOCKET_BIO_BUFFER);
    assert_false(peer_has_something());
    write_corked(SOCKET_BIO_BUFFER, 7);
    assert_peer_gets(0, SOCKET_BIO_BUFFER);
    assert_false(peer_has_something());
    assert_int_equal(socket_bio_flush(&bio), MG_OK);
    assert_peer_gets(SOCKET_BIO_BUFFER, 7);
}

static void test_a_write_behind_what_is_collected_comes_after_it(void **state)
{
    (void)state;
    fill_stream();
    socket_bio_cork(&bio);
    write_corked(0, 100);
    socket_bio_uncork(&bio);
    write_corked(100, 20); /* not corked any more: an alert, say */
    assert_false(socket_bio_has_unsent(&bio));
    assert_peer_gets(0, 120);
}

/* fill_up writes the stream over and over until there is no room, and returns how much was taken. */
static size_t fill_up(void)
{
    size_t len, total = 0;
    enum mg_status status;
    while ((status = socket_bio_write(&bio, stream + total % sizeof(stream), sizeof(stream) - total % sizeof(stream),
                                      &len)) == MG_OK) {
        total += len;
    }
    assert_int_equal(status, MG_AGAIN);
    assert_true(bio.write_blocked);
    return total;
}

static void test_nothing_overtakes_what_finds_no_room(void **state)
{
    (void)state;
    size_t len;
    fill_stream();
    socket_bio_cork(&bio);
    size_t total = fill_up();
    socket_bio_uncork(&bio);
    assert_int_equal(socket_bio_flush(&bio), MG_AGAIN);
    assert_int_equal(socket_bio_write(&bio, "x", 1, &len), MG_AGAIN);
    for (size_t seen = 0; seen < total;) {
        size_t piece = total - seen < 1000 ? total - seen : 1000;
        size_t until_wrap = sizeof(stream) - seen % sizeof(stream);
        piece = piece < until_wrap ? piece : until_wrap;
        enum mg_status status = socket_bio_flush(&bio);
        assert_true(status == MG_OK || status == MG_AGAIN);
        assert_peer_gets(seen % sizeof(stream), piece);
        seen += piece;
    }
    assert_int_equal(socket_bio_flush(&bio), MG_OK);
    assert_int_equal(buffers.num_in_use, 0);
}

static void test_a_write_to_nobody_is_an_error_and_no_signal(void **state)
{
    (void)state;
    size_t len;
    assert_int_equal(shutdown(bio.fd, SHUT_WR), 0);
    assert_int_equal(socket_bio_write(&bio, "x", 1, &len), MG_IO);
    assert_false(bio.write_blocked);
}

/* ---- the shared buffers ---- */

static void test_no_more_than_some_unused_buffers_are_kept(void **state)
{
    (void)state;
    enum { NUM = 80 };
    static struct socket_bio bios[NUM];
    int peers[NUM];
    size_t len;
    uint8_t byte;
    for (size_t i = 0; i < NUM; i++) {
        int ours;
        connect_pair(&ours, &peers[i]);
        socket_bio_init(&bios[i], ours, &buffers);
        assert_int_equal(send(peers[i], "ab", 2, 0), 2);
        while (socket_bio_read(&bios[i], &byte, 1, &len) == MG_AGAIN) {
            bios[i].readable = true;
        }
    }
    assert_int_equal(buffers.num_in_use, NUM);
    for (size_t i = 0; i < NUM; i++) {
        assert_int_equal(socket_bio_read(&bios[i], &byte, 1, &len), MG_OK);
        assert_int_equal(byte, 'b');
        close(peers[i]);
        close(bios[i].fd);
    }
    assert_int_equal(buffers.num_in_use, 0);
    assert_int_equal(buffers.num_free, 64);
    send_bytes(0, 1);
    readable(1);
    assert_reads(1, 0, 1); /* takes one of them and gives it back */
    assert_int_equal(buffers.num_free, 64);
}

static void test_releasing_gives_the_buffer_back_and_forgets_what_was_in_it(void **state)
{
    (void)state;
    size_t len;
    send_bytes(0, 10);
    readable(10);
    assert_reads(1, 0, 1);
    socket_bio_release(&bio);
    assert_int_equal(buffers.num_in_use, 0);
    assert_int_equal(try_read(&len), MG_AGAIN);
    socket_bio_release(&bio);
    assert_int_equal(buffers.num_free, 1);
}

/* ---- as BoringSSL sees it ---- */

static void test_the_bio_says_when_to_come_again(void **state)
{
    (void)state;
    BIO *b = socket_bio_new(&bio);
    char text[100];
    assert_non_null(b);
    assert_int_equal(BIO_read(b, text, sizeof(text)), -1);
    assert_true(BIO_should_retry(b) && BIO_should_read(b));
    send_bytes(0, 10);
    readable(10);
    assert_int_equal(BIO_read(b, text, 3), 3);
    assert_false(BIO_should_retry(b));
    assert_int_equal(BIO_read(b, text, sizeof(text)), 7);
    assert_memory_equal(text, stream + 3, 7);
    assert_int_equal(BIO_write(b, "hello", 5), 5);
    assert_int_equal(recv(peer, text, sizeof(text), 0), 5);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(BIO_flush(b), 1);
    while (BIO_write(b, stream, sizeof(stream)) > 0) {
    }
    assert_true(BIO_should_retry(b) && BIO_should_write(b));
    close_peer();
    BIO_free(b);
}

static void test_the_bio_tells_an_end_from_a_reset(void **state)
{
    (void)state;
    BIO *b = socket_bio_new(&bio);
    char byte;
    close_peer();
    readable(0);
    assert_int_equal(BIO_read(b, &byte, 1), 0);
    assert_false(BIO_should_retry(b));
    BIO_free(b);
    close(bio.fd);
    connect_pair(&bio.fd, &peer);
    socket_bio_init(&bio, bio.fd, &buffers);
    b = socket_bio_new(&bio);
    reset_by_peer();
    int got;
    while ((got = BIO_read(b, &byte, 1)) == -1 && BIO_should_retry(b)) {
        bio.readable = true;
    }
    assert_int_equal(got, -1);
    BIO_free(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_many_small_reads_cost_one_and_the_buffer_goes_back),
        TEST(test_a_read_gets_at_most_what_was_read_ahead),
        TEST(test_a_socket_that_says_nothing_is_asked_once),
        TEST(test_a_full_buffer_says_that_more_may_be_there),
        TEST(test_a_large_read_needs_no_buffer),
        TEST(test_a_read_as_large_as_the_buffer_needs_none),
        TEST(test_the_last_bytes_read_are_kept_whatever_the_reads_were),
        TEST(test_a_large_read_first_gets_what_was_read_ahead),
        TEST(test_an_end_behind_data_is_read_though_the_read_was_short),
        TEST(test_an_end_stays_one_without_epolls_word),
        TEST(test_data_before_a_reset_is_read_and_a_reset_stays_one),
        TEST(test_a_reset_that_a_write_met_is_none_of_a_clean_end),
        TEST(test_a_write_that_finds_no_room_waits_for_it),
        TEST(test_what_is_written_corked_is_sent_in_one_go),
        TEST(test_a_full_buffer_is_sent_while_corked),
        TEST(test_a_write_behind_what_is_collected_comes_after_it),
        TEST(test_nothing_overtakes_what_finds_no_room),
        TEST(test_a_write_to_nobody_is_an_error_and_no_signal),
        TEST(test_no_more_than_some_unused_buffers_are_kept),
        TEST(test_releasing_gives_the_buffer_back_and_forgets_what_was_in_it),
        TEST(test_the_bio_says_when_to_come_again),
        TEST(test_the_bio_tells_an_end_from_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
