/* SPDX-License-Identifier: Apache-2.0 */
/* How engines are told of stores, with engines that are sockets of the test's, and stores that are its variables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "engines_fixture.h"

#define MAX_ITEMS 200

/* ---- the stores ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t epoch_now; /* of every store; 0: there is none */
static size_t num_items;
static size_t item_len;
static size_t chain_len; /* certificates of each item */

static enum mg_status read_epoch(void *arg, const char *name, uint64_t *out, struct mg_error *error)
{
    (void)arg, (void)name, (void)error;
    pthread_mutex_lock(&lock);
    *out = epoch_now;
    pthread_mutex_unlock(&lock);
    return MG_OK;
}

static enum mg_status load(void *arg, enum wire_store_kind kind, const char *name, struct store_parts *out,
                           struct mg_error *error)
{
    static uint8_t bytes[WIRE_PUBLISH_MAX_PACKET];
    static struct wire_store_item items[MAX_ITEMS];
    (void)arg;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < num_items; i++) {
        items[i] = (struct wire_store_item){.num_certificates = chain_len};
        for (size_t c = 0; c < chain_len; c++) {
            items[i].certificates[c] = mg_slice_of(bytes, item_len);
        }
    }
    const struct store_contents contents = {.id = {kind, mg_slice_of_text(name)},
                                            .epoch = epoch_now,
                                            .missing = epoch_now == 0 ? "it is not there" : NULL,
                                            .items = items,
                                            .num_items = num_items};
    enum mg_status status = store_parts_make(out, &contents, error);
    pthread_mutex_unlock(&lock);
    return status;
}

static void set_store(uint64_t epoch, size_t num, size_t len)
{
    pthread_mutex_lock(&lock);
    epoch_now = epoch;
    num_items = num;
    item_len = len;
    pthread_mutex_unlock(&lock);
    engines_stores_changed(engines);
}

/* ---- engines ---- */

static int dial(uint16_t version)
{
    return dial_as(version, 0);
}

static void want(int engine, const char *name)
{
    struct wire_publish message = {.type = WIRE_PUBLISH_WANT};
    message.store.wants.ids[0] = (struct wire_store_id){WIRE_STORE_TRUST, mg_slice_of_text(name)};
    message.store.wants.num_ids = name[0] != '\0';
    say(engine, &message);
}

/* hear returns the next part, which must be of |epoch|; borrowed until the next call. */
static const struct wire_store_part *hear(int engine, uint64_t epoch)
{
    const struct wire_publish *message = hear_any(engine);
    assert_int_equal(message->type, WIRE_PUBLISH_STORE);
    assert_true(message->epoch == epoch);
    return &message->store.part;
}

static void answer(int engine, const char *name, uint64_t epoch, size_t num_taken, const char *reason)
{
    struct wire_publish message = {.type = WIRE_PUBLISH_STORE_TAKEN, .epoch = epoch};
    message.store.taken.id = (struct wire_store_id){WIRE_STORE_TRUST, mg_slice_of_text(name)};
    message.store.taken.num_taken = (uint16_t)num_taken;
    message.store.taken.reason = mg_slice_of_text(reason);
    say(engine, &message);
}

static int start(void **state)
{
    (void)state;
    const struct store_source source = {.epoch = read_epoch, .load = load};
    assert_int_equal(engines_new(&engines, path, NULL), MG_OK);
    chain_len = 1;
    set_store(5, 2, 100);
    engines_set_stores(engines, &source);
    return 0;
}

/* ---- tests ---- */

static void test_what_is_wanted_comes_at_once_and_again_after_each_change(void **state)
{
    (void)state;
    int engine = dial(WIRE_PUBLISH_VERSION), other = dial(WIRE_PUBLISH_VERSION);
    hear_nothing(engine); /* that has not said what it wants */
    want(engine, "servers");
    const struct wire_store_part *part = hear(engine, 5);
    assert_true(mg_slice_equal(part->id.name, mg_slice_of_text("servers")));
    assert_true(part->first == 0 && part->num_all == 2 && part->num_items == 2);
    answer(engine, "servers", 5, 2, "");
    want(engine, "servers"); /* once more: it has it */
    hear_nothing(engine);
    set_store(6, 0, 0);
    assert_int_equal(hear(engine, 6)->num_all, 0);
    answer(engine, "servers", 6, 0, "");
    set_store(0, 0, 0);
    assert_true(mg_slice_equal(hear(engine, 0)->missing, mg_slice_of_text("it is not there")));
    answer(engine, "servers", 0, 0, "");
    hear_nothing(engine);
    hear_nothing(other);
    close(engine);
    close(other);
}

static void test_a_large_store_comes_in_parts_each_when_the_one_before_is_taken(void **state)
{
    (void)state;
    set_store(7, MAX_ITEMS, 10200);
    int engine = dial(WIRE_PUBLISH_VERSION);
    want(engine, "servers");
    size_t num_taken = 0, num_parts = 0;
    while (num_taken < MAX_ITEMS) {
        const struct wire_store_part *part = hear(engine, 7);
        assert_int_equal(part->first, num_taken);
        assert_int_equal(part->num_all, MAX_ITEMS);
        num_taken += part->num_items;
        num_parts++;
        hear_nothing(engine);
        answer(engine, "servers", 7, num_taken, "");
    }
    assert_int_equal(num_parts, (MAX_ITEMS + 11) / 12); /* 128 KiB each */
    hear_nothing(engine);
    close(engine);
}

static void test_an_item_that_no_packet_holds_is_left_out(void **state)
{
    (void)state;
    set_store(8, 3, 70000);
    int engine = dial(WIRE_PUBLISH_VERSION);
    want(engine, "servers");
    assert_int_equal(hear(engine, 8)->num_all, 0); /* a certificate that is too long */
    answer(engine, "servers", 8, 0, "");
    pthread_mutex_lock(&lock);
    chain_len = WIRE_SIGNER_MAX_CHAIN;
    pthread_mutex_unlock(&lock);
    set_store(9, 3, 20000);
    assert_int_equal(hear(engine, 9)->num_all, 0); /* too many of them */
    close(engine);
}

static void test_what_an_engine_refuses_is_not_offered_again_until_it_changes(void **state)
{
    (void)state;
    int engine = dial(WIRE_PUBLISH_VERSION);
    want(engine, "servers");
    (void)hear(engine, 5);
    answer(engine, "servers", 5, 0, "no room");
    engines_stores_changed(engines);
    hear_nothing(engine);
    set_store(6, 1, 10);
    (void)hear(engine, 6);
    close(engine);
}

static void test_what_was_not_wanted_for_a_while_is_sent_anew(void **state)
{
    (void)state;
    int engine = dial(WIRE_PUBLISH_VERSION);
    want(engine, "servers");
    (void)hear(engine, 5);
    answer(engine, "servers", 5, 2, "");
    want(engine, ""); /* from here on the engine has dropped it */
    want(engine, "servers");
    (void)hear(engine, 5);
    close(engine);
}

static void test_an_engine_of_the_version_before_is_served_without_stores(void **state)
{
    (void)state;
    int old = dial(WIRE_PUBLISH_OLDEST_VERSION);
    wait_for_engines(1);
    hear_nothing(old);
    want(old, "servers"); /* which it cannot know of */
    hear_end(old);
    hear_end(dial(WIRE_PUBLISH_OLDEST_VERSION - 1));
    hear_end(dial(WIRE_PUBLISH_VERSION + 1));
}

static void test_answers_out_of_turn_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t epoch;
        size_t num_taken;
    } wrong[] = {{"other", 5, 2}, {"servers", 4, 2}, {"servers", 5, 1}};
    for (size_t i = 0; i < MG_ARRAY_LEN(wrong); i++) {
        int engine = dial(WIRE_PUBLISH_VERSION);
        want(engine, "servers");
        (void)hear(engine, 5);
        answer(engine, wrong[i].name, wrong[i].epoch, wrong[i].num_taken, "");
        hear_end(engine);
    }
    int engine = dial(WIRE_PUBLISH_VERSION);
    want(engine, "servers");
    (void)hear(engine, 5);
    answer(engine, "servers", 5, 2, "");
    answer(engine, "servers", 5, 2, "");
    hear_end(engine);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_wanted_comes_at_once_and_again_after_each_change),
        TEST(test_a_large_store_comes_in_parts_each_when_the_one_before_is_taken),
        TEST(test_an_item_that_no_packet_holds_is_left_out),
        TEST(test_what_an_engine_refuses_is_not_offered_again_until_it_changes),
        TEST(test_what_was_not_wanted_for_a_while_is_sent_anew),
        TEST(test_an_engine_of_the_version_before_is_served_without_stores),
        TEST(test_answers_out_of_turn_end_the_connection),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
