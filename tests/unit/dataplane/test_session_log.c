/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "dataplane/session/session_log.h"

static char directory[] = "/tmp/test_session_log.XXXXXX";
static char path[64], rotated[64];

/* new_log opens |path|; the text that it borrows lives on. */
static struct session_log *new_log(const char *file, unsigned num_channels, unsigned max_records)
{
    struct session_log *log;
    struct mg_error error = {""};
    if (session_log_new(&log, file, num_channels, max_records, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return log;
}

/* record_of makes a record that says |channel| and |number|. */
static struct session_record record_of(unsigned channel, uint64_t number)
{
    static const struct flow_key flow = {.vlan = {PACKET_NO_VLAN, PACKET_NO_VLAN}};
    struct session_record record;
    session_record_init(&record, &flow);
    record.client_alert = (int)channel;
    record.bytes_from_client = number;
    return record;
}

static bool put(struct session_log *log, unsigned channel, uint64_t number)
{
    struct session_record record = record_of(channel, number);
    return session_log_put(session_log_channel(log, channel), &record);
}

#define MAX_CHANNELS 4
/* What a file holds: lines by channel; each channel's numbers go up by one from |first|. */
struct content {
    unsigned num[MAX_CHANNELS];
    uint64_t first[MAX_CHANNELS];
};

static struct content read_log(const char *file)
{
    struct content content = {{0}, {0}};
    char line[4096];
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in) != NULL) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        if (object == NULL) {
            fail_msg("no record: %s", line);
        }
        json_int_t channel = json_integer_value(json_object_get(object, "client_alert"));
        uint64_t number = (uint64_t)json_integer_value(json_object_get(object, "bytes_from_client"));
        assert_in_range(channel, 0, MAX_CHANNELS - 1);
        if (content.num[channel] == 0) {
            content.first[channel] = number;
        }
        assert_int_equal(number, content.first[channel] + content.num[channel]);
        content.num[channel]++;
        json_decref(object);
    }
    fclose(in);
    return content;
}

static off_t size_of(const char *file)
{
    struct stat status;
    return stat(file, &status) == 0 ? status.st_size : -1;
}

/* ---- writing ---- */

static void test_what_was_put_is_written_before_the_log_is_freed(void **state)
{
    (void)state;
    struct session_log *log = new_log(path, 1, 64);
    for (uint64_t i = 0; i < 40; i++) {
        assert_true(put(log, 0, i));
    }
    session_log_free(log);
    assert_int_equal(read_log(path).num[0], 40);
    log = new_log(path, 1, 64); /* a restart appends */
    assert_true(put(log, 0, 40));
    session_log_free(log);
    assert_int_equal(read_log(path).num[0], 41);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
}

static void test_a_record_is_written_soon_without_anybodys_help(void **state)
{
    (void)state;
    struct session_log *log = new_log(path, 1, 64);
    assert_true(put(log, 0, 0));
    while (size_of(path) == 0) {
        usleep(1000);
    }
    assert_int_equal(read_log(path).num[0], 1);
    session_log_free(log);
}

static void test_the_queue_is_empty_when_all_is_in_the_file(void **state)
{
    (void)state;
    struct session_log *log = new_log(path, 2, 4096);
    for (unsigned round = 1; round <= 20; round++) {
        for (uint64_t i = 0; i < 50; i++) {
            assert_true(put(log, 0, round * 50 + i) && put(log, 1, round * 50 + i));
        }
        while (session_log_queue(log) > 0) {
        }
        struct content content = read_log(path);
        assert_int_equal(content.num[0] + content.num[1], 100 * round);
    }
    session_log_free(log);
}

static void test_without_a_file_records_are_taken_and_thrown_away(void **state)
{
    (void)state;
    struct session_log *log = new_log("", 1, 8);
    for (uint64_t i = 0; i < 100; i++) {
        while (!put(log, 0, i)) {
            usleep(1000);
        }
    }
    session_log_reopen(log);
    session_log_free(log);
}

/* ---- bounds ---- */

static void test_a_full_channel_loses_the_newest_says_so_and_goes_on(void **state)
{
    (void)state;
    /* A named pipe that nobody reads from holds the writer up. */
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    struct session_log *log = new_log(path, 2, 16); /* 8 each */
    uint64_t accepted = 0;
    uint64_t until = mg_clock_monotonic_ns() + 20 * MG_NS_PER_SECOND;
    bool lost = false;
    while (!lost && mg_clock_monotonic_ns() < until) {
        lost = !put(log, 0, accepted);
        accepted += !lost;
        if (accepted > 5000) {
            usleep(1000);
        }
    }
    assert_true(lost);
    assert_true(put(log, 1, 0)); /* the other channel has places of its own */
    char byte[65536];
    uint64_t lines = 0;
    assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
    while (lines < accepted + 1) {
        ssize_t len = read(reader, byte, sizeof(byte));
        assert_true(len > 0);
        for (ssize_t i = 0; i < len; i++) {
            lines += byte[i] == '\n';
        }
    }
    assert_int_equal(lines, accepted + 1); /* whatever was taken was written, and nothing else */
    while (!put(log, 0, accepted)) {
        usleep(1000);
    }
    session_log_free(log);
    close(reader);
}

static void test_channels_share_the_bound(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    struct session_log *log = new_log(path, 3, 2); /* less than one each: one each */
    for (unsigned i = 0; i < 3; i++) {
        while (!put(log, i, 0)) {
            usleep(1000);
        }
    }
    session_log_free(log);
    close(reader);
}

/* ---- rotation ---- */

static void test_after_reopening_records_go_to_the_new_file(void **state)
{
    (void)state;
    struct session_log *log = new_log(path, 1, 64);
    assert_true(put(log, 0, 0));
    while (size_of(path) == 0) {
        usleep(1000);
    }
    assert_int_equal(rename(path, rotated), 0);
    assert_true(put(log, 0, 1)); /* to the old file still, or to the new one */
    session_log_reopen(log);
    while (size_of(path) < 0) {
        usleep(1000);
    }
    assert_true(put(log, 0, 2));
    session_log_free(log);
    struct content old = read_log(rotated), new = read_log(path);
    assert_int_equal(old.num[0] + new.num[0], 3);
    assert_int_equal(new.first[0] + new.num[0], 3);
    assert_in_range(new.num[0], 1, 2);
}

static void test_where_the_new_file_cannot_be_opened_the_old_one_goes_on(void **state)
{
    (void)state;
    struct session_log *log = new_log(path, 1, 64);
    assert_int_equal(rename(path, rotated), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    session_log_reopen(log);
    usleep(50000);
    assert_true(put(log, 0, 0));
    session_log_free(log);
    assert_int_equal(read_log(rotated).num[0], 1);
}

static void test_a_file_that_cannot_be_opened_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct session_log *log = NULL;
    struct mg_error error;
    assert_int_equal(session_log_new(&log, "/no/such/directory/log", 1, 64, &error), MG_IO);
    assert_non_null(strstr(error.text, "/no/such/directory/log"));
    assert_null(log);
    assert_int_equal(symlink("/etc/passwd", path), 0); /* nobody turns the log against another file */
    assert_int_equal(session_log_new(&log, path, 1, 64, &error), MG_IO);
}

/* ---- a full disk ---- */

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_record_cut_by_a_full_disk_spoils_no_other(void **state)
{
    (void)state;
    struct session_log *log = new_log(path, 1, 1024);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(1000); /* within a record */
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(put(log, 0, i));
    }
    while (size_of(path) < 1000) {
        usleep(1000);
    }
    usleep(100000); /* the next write has failed by then */
    uint64_t num_errors = session_log_write_errors(log);
    assert_true(num_errors > 0);
    limit_file_size(RLIM_INFINITY);
    assert_true(put(log, 0, 100));
    session_log_free(log);
    char line[4096];
    FILE *in = fopen(path, "r");
    unsigned num = 0, num_bad = 0;
    uint64_t last = 0;
    while (fgets(line, sizeof(line), in) != NULL) {
        json_t *object = json_loads(line, 0, NULL);
        num++;
        num_bad += object == NULL;
        last = (uint64_t)json_integer_value(json_object_get(object, "bytes_from_client"));
        json_decref(object);
    }
    fclose(in);
    assert_in_range(num, 3, 20);
    assert_int_equal(num_bad, 1);
    assert_int_equal(last, 100);
}

/* ---- many producers ---- */

#define RECORDS_EACH 20000

struct producer {
    pthread_t id;
    struct session_log *log;
    unsigned channel;
    uint64_t accepted;
};

static void *produce(void *arg)
{
    struct producer *producer = arg;
    while (producer->accepted < RECORDS_EACH) {
        if (put(producer->log, producer->channel, producer->accepted)) {
            producer->accepted++;
        } else {
            usleep(100);
        }
    }
    return NULL;
}

static void test_producers_lose_nothing_that_was_taken_while_files_rotate(void **state)
{
    (void)state;
    struct session_log *log = new_log(path, MAX_CHANNELS, 1024);
    struct producer producers[MAX_CHANNELS];
    for (unsigned i = 0; i < MAX_CHANNELS; i++) {
        producers[i] = (struct producer){.log = log, .channel = i};
        assert_int_equal(pthread_create(&producers[i].id, NULL, produce, &producers[i]), 0);
    }
    while (size_of(path) < 100000) {
        usleep(1000);
    }
    assert_int_equal(rename(path, rotated), 0);
    session_log_reopen(log);
    for (unsigned i = 0; i < MAX_CHANNELS; i++) {
        pthread_join(producers[i].id, NULL);
    }
    session_log_free(log);
    struct content old = read_log(rotated), new = read_log(path);
    for (unsigned i = 0; i < MAX_CHANNELS; i++) {
        assert_int_equal(old.num[i] + new.num[i], RECORDS_EACH);
        assert_true(new.num[i] == 0 || new.first[i] == old.num[i]);
    }
}

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/log", directory);
    snprintf(rotated, sizeof(rotated), "%s/log.1", directory);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    (void)remove(path);
    (void)remove(rotated);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_put_is_written_before_the_log_is_freed),
        TEST(test_a_record_is_written_soon_without_anybodys_help),
        TEST(test_the_queue_is_empty_when_all_is_in_the_file),
        TEST(test_without_a_file_records_are_taken_and_thrown_away),
        TEST(test_a_full_channel_loses_the_newest_says_so_and_goes_on),
        TEST(test_channels_share_the_bound),
        TEST(test_after_reopening_records_go_to_the_new_file),
        TEST(test_where_the_new_file_cannot_be_opened_the_old_one_goes_on),
        TEST(test_a_file_that_cannot_be_opened_is_an_error_that_names_it),
        TEST(test_a_record_cut_by_a_full_disk_spoils_no_other),
        TEST(test_producers_lose_nothing_that_was_taken_while_files_rotate),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
