/* SPDX-License-Identifier: Apache-2.0 */
#include "engines_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"

static char directory[] = "/tmp/test_engines.XXXXXX";

struct engines *engines;
char path[64];

int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/engines.sock", directory);
    return 0;
}

int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

int stop(void **state)
{
    (void)state;
    engines_free(engines);
    return 0;
}

int connect_engine(void)
{
    int engine;
    assert_int_equal(mg_unix_connect(path, SOCK_SEQPACKET, &engine, NULL), MG_OK);
    return engine;
}

int dial_as(uint16_t version, uint64_t epoch)
{
    int engine = connect_engine();
    say(engine, &(struct wire_publish){.type = WIRE_PUBLISH_HELLO, .epoch = epoch, .version = version});
    return engine;
}

void say(int engine, const struct wire_publish *message)
{
    struct mg_buffer packet;
    mg_buffer_init(&packet, WIRE_PUBLISH_MAX_PACKET);
    wire_publish_encode(&packet, message);
    assert_int_equal(send(engine, packet.data, packet.len, 0), packet.len);
    mg_buffer_free(&packet);
}

static bool is_readable(int engine, int patience_ms)
{
    struct pollfd fd = {.fd = engine, .events = POLLIN};
    return poll(&fd, 1, patience_ms) == 1;
}

const struct wire_publish *hear_any(int engine)
{
    static uint8_t bytes[WIRE_PUBLISH_MAX_PACKET];
    static struct wire_publish message;
    struct mg_error error = {"hung up, or silent"};
    ssize_t len = is_readable(engine, PATIENCE_MS) ? recv(engine, bytes, sizeof(bytes), 0) : 0;
    if (len <= 0 || wire_publish_decode(&message, mg_slice_of(bytes, (size_t)len), &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return &message;
}

void hear_nothing(int engine)
{
    assert_false(is_readable(engine, 50));
}

void hear_end(int engine)
{
    uint8_t byte;
    assert_true(is_readable(engine, PATIENCE_MS));
    assert_int_equal(recv(engine, &byte, 1, 0), 0);
    close(engine);
}

void wait_for_engines(size_t num)
{
    while (engines_list(engines, NULL, 0) != num) {
        usleep(1000);
    }
}
