/* SPDX-License-Identifier: Apache-2.0 */
/* The control plane's end of publishing, with engines that are sockets of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engines_fixture.h"

/* ---- what is published ---- */

static struct wire_publish message_of(uint64_t epoch)
{
    return (struct wire_publish){
        .type = WIRE_PUBLISH_PREPARE,
        .epoch = epoch,
        .premint_ms = 50,
        .issuers = {{.name = mg_slice_of_text("corp"),
                     .issuer = {.role = WIRE_ISSUER_DEFAULT,
                                .key_type = WIRE_KEY_EC_P256,
                                .chain = {mg_slice_of_text("certificate")},
                                .num_chain = 1}}},
        .num_issuers = 1,
    };
}

static void set_present(uint64_t epoch)
{
    const struct wire_publish present = message_of(epoch);
    assert_int_equal(engines_set_present(engines, &present, NULL), MG_OK);
}

/* A publication in a thread of its own, since it waits. */
struct publishing {
    pthread_t thread;
    struct wire_publish message;
    struct engines_publication publication;
    enum mg_status commit_status; /* what the transaction will say */
    int num_commits;
    enum mg_status status;
    struct mg_error error;
};

static enum mg_status commit(void *arg, struct mg_error *error)
{
    struct publishing *publishing = arg;
    publishing->num_commits++;
    return publishing->commit_status == MG_OK ? MG_OK : mg_error_set(error, publishing->commit_status, "a full disk");
}

static void *publish_main(void *arg)
{
    struct publishing *publishing = arg;
    publishing->status = engines_publish(engines, &publishing->publication, &publishing->error);
    return NULL;
}

static void begin(struct publishing *publishing, uint64_t epoch, bool force)
{
    publishing->message = message_of(epoch);
    publishing->publication = (struct engines_publication){
        .message = &publishing->message, .force = force, .commit = commit, .arg = publishing};
    assert_int_equal(pthread_create(&publishing->thread, NULL, publish_main, publishing), 0);
}

static void end(struct publishing *publishing, enum mg_status expected, int num_commits)
{
    pthread_join(publishing->thread, NULL);
    if (publishing->status != expected) {
        fail_msg("status %d: %s", (int)publishing->status, publishing->error.text);
    }
    assert_int_equal(publishing->num_commits, num_commits);
}

/* ---- engines ---- */

static void say_prepared(int engine, uint64_t epoch, const char *reason)
{
    struct wire_publish message = {.type = WIRE_PUBLISH_PREPARED, .epoch = epoch, .ready = reason == NULL};
    if (reason != NULL) {
        message.reason = mg_slice_of_text(reason);
    }
    say(engine, &message);
}

static void say_committed(int engine, uint64_t epoch)
{
    say(engine, &(struct wire_publish){.type = WIRE_PUBLISH_COMMITTED, .epoch = epoch});
}

static int dial(uint64_t epoch)
{
    return dial_as(WIRE_PUBLISH_VERSION, epoch);
}

/* hear waits for a message of |type| with |epoch| and returns its premint_ms. */
static uint32_t hear(int engine, enum wire_publish_type type, uint64_t epoch)
{
    const struct wire_publish *message = hear_any(engine);
    assert_int_equal(message->type, type);
    assert_true(message->epoch == epoch);
    return message->premint_ms;
}

/* prepare answers the PREPARE of |epoch|. */
static void prepare(int engine, uint64_t epoch)
{
    (void)hear(engine, WIRE_PUBLISH_PREPARE, epoch);
    say_prepared(engine, epoch, NULL);
}

static void commit_as_told(int engine, uint64_t epoch)
{
    (void)hear(engine, WIRE_PUBLISH_COMMIT, epoch);
    say_committed(engine, epoch);
}

static int start(void **state)
{
    (void)state;
    assert_int_equal(engines_new(&engines, path, NULL), MG_OK);
    set_present(1);
    return 0;
}

/* ---- tests ---- */

static void test_an_engine_that_is_behind_is_brought_up_to_what_is_present(void **state)
{
    (void)state;
    int behind = dial(0), even = dial(1);
    assert_int_equal(hear(behind, WIRE_PUBLISH_PREPARE, 1), 0); /* at once: nothing is minted ahead */
    say_prepared(behind, 1, NULL);
    commit_as_told(behind, 1);
    hear_nothing(even);
    set_present(2);
    prepare(even, 2);
    prepare(behind, 2);
    commit_as_told(even, 2);
    commit_as_told(behind, 2);
    close(behind);
    close(even);
}

static void test_what_is_present_is_served_once_every_engine_has_committed_it(void **state)
{
    (void)state;
    assert_false(engines_serve_present(engines)); /* nobody is there to serve it */
    int even = dial(1), behind = dial(0);
    prepare(behind, 1);
    (void)hear(behind, WIRE_PUBLISH_COMMIT, 1);
    wait_for_engines(2);
    assert_false(engines_serve_present(engines));
    say_committed(behind, 1);
    while (!engines_serve_present(engines)) {
        usleep(1000);
    }
    set_present(2);
    assert_false(engines_serve_present(engines));
    close(even);
    close(behind);
}

static void test_all_prepare_then_the_transaction_then_all_commit(void **state)
{
    (void)state;
    struct publishing publishing = {.num_commits = 0};
    int one = dial(1), two = dial(1);
    wait_for_engines(2);
    begin(&publishing, 2, false);
    assert_int_equal(hear(one, WIRE_PUBLISH_PREPARE, 2), 50);
    assert_int_equal(hear(two, WIRE_PUBLISH_PREPARE, 2), 50);
    say_prepared(one, 2, NULL);
    hear_nothing(one); /* while the other is not ready */
    assert_int_equal(publishing.num_commits, 0);
    say_prepared(two, 2, NULL);
    (void)hear(one, WIRE_PUBLISH_COMMIT, 2);
    (void)hear(two, WIRE_PUBLISH_COMMIT, 2);
    say_committed(one, 2);
    say_committed(two, 2);
    end(&publishing, MG_OK, 1);
    struct engine_status status[2];
    assert_int_equal(engines_list(engines, status, 2), 2);
    assert_true(status[0].epoch == 2 && status[1].epoch == 2);
    close(one);
    close(two);
}

static void test_without_engines_the_transaction_is_all(void **state)
{
    (void)state;
    struct publishing publishing = {.num_commits = 0};
    begin(&publishing, 2, false);
    end(&publishing, MG_OK, 1);
    int late = dial(1);
    prepare(late, 2);
    commit_as_told(late, 2);
    close(late);
}

static void test_one_that_cannot_stops_it_for_all_and_is_named(void **state)
{
    (void)state;
    struct publishing publishing = {.num_commits = 0};
    int one = dial(1), two = dial(1);
    wait_for_engines(2);
    begin(&publishing, 2, false);
    prepare(one, 2);
    (void)hear(two, WIRE_PUBLISH_PREPARE, 2);
    say_prepared(two, 2, "no such key");
    end(&publishing, MG_DENIED, 0);
    assert_non_null(strstr(publishing.error.text, "no such key"));
    (void)hear(one, WIRE_PUBLISH_ABORT, 2);
    int late = dial(1); /* what was present is present */
    hear_nothing(late);
    close(one);
    close(two);
    close(late);
}

static void test_by_force_it_goes_on_without_that_one(void **state)
{
    (void)state;
    struct publishing publishing = {.num_commits = 0};
    int one = dial(1), two = dial(1);
    wait_for_engines(2);
    begin(&publishing, 2, true);
    prepare(one, 2);
    (void)hear(two, WIRE_PUBLISH_PREPARE, 2);
    say_prepared(two, 2, "no such key");
    commit_as_told(one, 2);
    end(&publishing, MG_OK, 1);
    struct engine_status status[2];
    assert_int_equal(engines_list(engines, status, 2), 2);
    assert_true(status[0].epoch == 2 && status[1].epoch == 1);
    assert_string_equal(status[1].trouble, "no such key");
    close(one);
    close(two);
}

static void test_a_transaction_that_fails_changes_nothing(void **state)
{
    (void)state;
    struct publishing publishing = {.commit_status = MG_IO};
    int one = dial(1);
    wait_for_engines(1);
    begin(&publishing, 2, false);
    prepare(one, 2);
    end(&publishing, MG_IO, 1);
    assert_string_equal(publishing.error.text, "a full disk");
    (void)hear(one, WIRE_PUBLISH_ABORT, 2);
    int late = dial(1);
    hear_nothing(late);
    close(one);
    close(late);
}

static void test_an_engine_that_dies_is_not_waited_for(void **state)
{
    (void)state;
    struct publishing publishing = {.num_commits = 0};
    int one = dial(1), two = dial(1);
    wait_for_engines(2);
    begin(&publishing, 2, false);
    prepare(one, 2);
    (void)hear(two, WIRE_PUBLISH_PREPARE, 2);
    close(two); /* before it has prepared */
    (void)hear(one, WIRE_PUBLISH_COMMIT, 2);
    close(one); /* before it has confirmed */
    end(&publishing, MG_OK, 1);
}

static void test_an_engine_that_comes_meanwhile_takes_part(void **state)
{
    (void)state;
    struct publishing publishing = {.num_commits = 0};
    int one = dial(1);
    wait_for_engines(1);
    begin(&publishing, 2, false);
    (void)hear(one, WIRE_PUBLISH_PREPARE, 2);
    int late = dial(0);
    assert_int_equal(hear(late, WIRE_PUBLISH_PREPARE, 2), 50);
    say_prepared(one, 2, NULL);
    hear_nothing(one);
    say_prepared(late, 2, NULL);
    commit_as_told(one, 2);
    commit_as_told(late, 2);
    end(&publishing, MG_OK, 1);
    close(one);
    close(late);
}

static void test_one_publication_at_a_time_whose_progress_can_be_seen(void **state)
{
    (void)state;
    struct publishing first = {.num_commits = 0}, second = {.num_commits = 0};
    struct engines_progress progress;
    int one = dial(1);
    wait_for_engines(1);
    engines_progress(engines, &progress);
    assert_false(progress.under_way);
    begin(&first, 2, false);
    (void)hear(one, WIRE_PUBLISH_PREPARE, 2);
    begin(&second, 3, false);
    end(&second, MG_EXISTS, 0);
    say(one, &(struct wire_publish){.type = WIRE_PUBLISH_PROGRESS, .epoch = 2, .num_done = 3, .num_all = 9});
    do {
        engines_progress(engines, &progress);
    } while (progress.num_done != 3);
    assert_true(progress.under_way && progress.epoch == 2 && progress.num_all == 9);
    say_prepared(one, 2, NULL);
    commit_as_told(one, 2);
    end(&first, MG_OK, 1);
    close(one);
}

static void test_what_is_out_of_turn_or_garbage_ends_that_connection_alone(void **state)
{
    (void)state;
    int good = dial(1);
    int hello_twice = dial(1), commits = dial(1), prepares = dial(1), garbage = dial(1);
    say(hello_twice, &(struct wire_publish){.type = WIRE_PUBLISH_HELLO, .epoch = 1, .version = WIRE_PUBLISH_VERSION});
    say_committed(commits, 1);
    const struct wire_publish message = message_of(2);
    say(prepares, &message);
    assert_int_equal(send(garbage, "garbage", 7, 0), 7);
    hear_end(hello_twice);
    hear_end(commits);
    hear_end(prepares);
    hear_end(garbage);
    hear_nothing(good);
    close(good);
}

static void test_more_engines_than_there_is_room_for_are_turned_away(void **state)
{
    (void)state;
    int all[ENGINES_MAX];
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        all[i] = dial(1);
        wait_for_engines(i + 1);
    }
    hear_end(connect_engine());
    for (size_t i = 0; i < ENGINES_MAX; i++) {
        close(all[i]);
    }
}

static void assert_counted(const char *line)
{
    struct mg_buffer text;
    mg_buffer_init(&text, 8192);
    engines_metrics(engines, &text);
    mg_buffer_append_u8(&text, 0);
    assert_non_null(strstr((const char *)text.data, line));
    mg_buffer_free(&text);
}

static void test_engines_and_publications_are_counted(void **state)
{
    (void)state;
    struct publishing done = {.num_commits = 0}, refused = {.num_commits = 0};
    struct engines_count count;
    int one = dial(1), two = dial(1);
    wait_for_engines(2);
    begin(&done, 2, false);
    prepare(one, 2);
    prepare(two, 2);
    commit_as_told(one, 2);
    commit_as_told(two, 2);
    end(&done, MG_OK, 1);
    begin(&refused, 3, false);
    prepare(one, 3);
    (void)hear(two, WIRE_PUBLISH_PREPARE, 3);
    say_prepared(two, 3, "no such key");
    end(&refused, MG_DENIED, 0);
    assert_counted("mintgate_control_publications_total{end=\"committed\"} 1\n");
    assert_counted("mintgate_control_publications_total{end=\"refused\"} 1\n");
    assert_counted("mintgate_control_publications_total{end=\"failed\"} 0\n");
    assert_counted("mintgate_control_publication_seconds_count 2\n");
    engines_count(engines, &count);
    assert_true(count.num_connected == 2 && count.num_behind == 0);
    int behind = dial(1);
    (void)hear(behind, WIRE_PUBLISH_PREPARE, 2);
    say_prepared(behind, 2, "no such key");
    wait_for_engines(3);
    engines_count(engines, &count);
    assert_true(count.num_connected == 3 && count.num_behind == 1);
    assert_counted("mintgate_control_engines_behind 1\n");
    close(one);
    close(two);
    close(behind);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_engine_that_is_behind_is_brought_up_to_what_is_present),
        TEST(test_what_is_present_is_served_once_every_engine_has_committed_it),
        TEST(test_all_prepare_then_the_transaction_then_all_commit),
        TEST(test_without_engines_the_transaction_is_all),
        TEST(test_one_that_cannot_stops_it_for_all_and_is_named),
        TEST(test_by_force_it_goes_on_without_that_one),
        TEST(test_a_transaction_that_fails_changes_nothing),
        TEST(test_an_engine_that_dies_is_not_waited_for),
        TEST(test_an_engine_that_comes_meanwhile_takes_part),
        TEST(test_one_publication_at_a_time_whose_progress_can_be_seen),
        TEST(test_what_is_out_of_turn_or_garbage_ends_that_connection_alone),
        TEST(test_engines_and_publications_are_counted),
        TEST(test_more_engines_than_there_is_room_for_are_turned_away),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
