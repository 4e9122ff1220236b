/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that nobody wants any more: with the signer's own program, and engines that are sockets of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "control/audit.h"
#include "control/doomed_key.h"
#include "control/key_wish.h"
#include "control/service/key_sweep.h"
#include "tests/unit/hsm/signer_process.h"
#include "tests/unit/hsm/temp_dir.h"

#define FOR_EVER_MS (UINT32_C(1) << 30)
#define PRESENT 3

static struct key_sweep_config config;
static struct key_sweep *sweep;
static struct mg_error error;
/* Not in the store: it has been deleted. */
static const struct intermediate record = {.id = 7, .created_us = 77, .key_type = WIRE_KEY_EC_P256};

/* ---- around it ---- */

static void set_present(void)
{
    const struct wire_publish present = {
        .type = WIRE_PUBLISH_PREPARE,
        .epoch = PRESENT,
        .issuers = {{.name = mg_slice_of_text("corp"),
                     .issuer = {.role = WIRE_ISSUER_DEFAULT,
                                .key_type = WIRE_KEY_EC_P256,
                                .chain = {mg_slice_of_text("certificate")},
                                .num_chain = 1}}},
        .num_issuers = 1,
    };
    assert_int_equal(engines_set_present(config.engines, &present, &error), MG_OK);
}

/* begin_with makes a sweep for which engines have |engines_ms| to dial. */
static void begin_with(uint32_t engines_ms)
{
    config.engines_ms = engines_ms;
    assert_int_equal(key_sweep_new(&sweep, &config, &error), MG_OK);
}

static int begin(void **state)
{
    static const struct store_migrations *const modules[] = {&audit_migrations, &intermediate_migrations};
    signer_begin(state);
    assert_int_equal(store_open(&config.store, temp_path("control.db"), modules, MG_ARRAY_LEN(modules), &error), MG_OK);
    assert_int_equal(
        signer_client_new(&config.signer, temp_path("control.sock"), SIGNER_CLIENT_DEFAULT_TIMEOUT_MS, &error), MG_OK);
    assert_int_equal(engines_new(&config.engines, temp_path("engines.sock"), &error), MG_OK);
    set_present();
    return 0;
}

static int end(void **state)
{
    key_sweep_free(sweep);
    sweep = NULL;
    engines_free(config.engines);
    signer_client_free(config.signer);
    store_close(config.store);
    return signer_end(state);
}

/* dial_engine returns an engine that serves |epoch|, once it is known. */
static int dial_engine(uint64_t epoch)
{
    const struct wire_publish hello = {.type = WIRE_PUBLISH_HELLO, .epoch = epoch, .version = WIRE_PUBLISH_VERSION};
    struct mg_buffer packet;
    int engine;
    mg_buffer_init(&packet, WIRE_PUBLISH_MAX_PACKET);
    wire_publish_encode(&packet, &hello);
    assert_int_equal(mg_unix_connect(temp_path("engines.sock"), SOCK_SEQPACKET, &engine, &error), MG_OK);
    assert_int_equal(send(engine, packet.data, packet.len, 0), packet.len);
    mg_buffer_free(&packet);
    while (engines_list(config.engines, NULL, 0) == 0) {
        usleep(1000);
    }
    return engine;
}

static enum mg_status count_made(void *arg, const struct wire_control_key *key)
{
    size_t *num = arg;
    *num += key->origin == WIRE_ORIGIN_CONTROL;
    return MG_OK;
}

/* num_keys counts the keys that the signer has made for control. */
static size_t num_keys(void)
{
    size_t num = 0;
    assert_int_equal(signer_client_list(config.signer, count_made, &num, &error), MG_OK);
    return num;
}

static void wait_for_the_end_of_keys(void)
{
    while (num_keys() > 0) {
        usleep(1000);
    }
}

static struct wire_key_id make_key(void)
{
    struct wire_key_id key;
    enum mg_status status = key_sweep_make_key(sweep, &record, "", &key, &error);
    key_sweep_end_wish(sweep);
    assert_int_equal(status, MG_OK);
    return key;
}

/* ---- tests ---- */

static void test_a_key_that_was_wished_for_in_vain_is_found_again_and_destroyed(void **state)
{
    (void)state;
    begin_with(0);
    struct wire_key_id key = make_key(), again = make_key();
    assert_memory_equal(&key, &again, sizeof(key));
    assert_int_equal(num_keys(), 1);
    key_sweep_now(sweep);
    assert_int_equal(num_keys(), 0);
    again = make_key(); /* nothing is remembered of the first one */
    assert_memory_not_equal(&key, &again, sizeof(key));
}

static void test_a_wish_that_the_signer_never_heard_of_leaves_nothing(void **state)
{
    (void)state;
    struct store_tx *tx;
    struct key_wish wish = {.intermediate_id = record.id, .key_type = WIRE_KEY_EC_P256};
    struct key_wish left;
    begin_with(0);
    assert_int_equal(store_begin(config.store, STORE_WRITE, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, key_wish_add(tx, &wish, &error), &error), MG_OK);
    key_sweep_now(sweep);
    assert_int_equal(num_keys(), 0);
    assert_int_equal(store_begin(config.store, STORE_READ, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, key_wish_next_unwanted(tx, 0, &left, &error), &error), MG_NOT_FOUND);
}

static void test_after_a_start_no_key_is_destroyed_before_engines_serve_what_is_present(void **state)
{
    (void)state;
    begin_with(FOR_EVER_MS);
    (void)make_key();
    int engine = dial_engine(PRESENT - 1);
    assert_int_equal(key_sweep_start(sweep, &error), MG_OK);
    key_sweep_now(sweep);
    assert_int_equal(num_keys(), 1);
    close(engine);
    engine = dial_engine(PRESENT);
    wait_for_the_end_of_keys();
    close(engine);
}

static void test_engines_that_do_not_come_are_not_waited_for(void **state)
{
    (void)state;
    begin_with(0);
    (void)make_key();
    assert_int_equal(key_sweep_start(sweep, &error), MG_OK);
    wait_for_the_end_of_keys();
}

static void test_what_fails_while_the_signer_is_away_is_tried_again(void **state)
{
    (void)state;
    begin_with(0);
    (void)make_key();
    assert_int_equal(key_sweep_start(sweep, &error), MG_OK);
    wait_for_the_end_of_keys(); /* the thread has nothing to do any more */
    struct wire_key_id key = make_key();
    struct store_tx *tx;
    assert_int_equal(store_begin(config.store, STORE_WRITE, &tx, &error), MG_OK);
    assert_int_equal(store_end(tx, doomed_key_add(tx, &key, 1, &error), &error), MG_OK);
    (void)signer_stop(SIGKILL);
    key_sweep_now(sweep);
    signer_start();
    wait_for_the_end_of_keys();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_key_that_was_wished_for_in_vain_is_found_again_and_destroyed),
        TEST(test_a_wish_that_the_signer_never_heard_of_leaves_nothing),
        TEST(test_after_a_start_no_key_is_destroyed_before_engines_serve_what_is_present),
        TEST(test_engines_that_do_not_come_are_not_waited_for),
        TEST(test_what_fails_while_the_signer_is_away_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
