/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "hsm/journal.h"
#include "hsm/journal_files.h"
#include "temp_dir.h"

#define NOW_US INT64_C(1795254060123456)
#define NEVER_ROTATE (UINT64_C(1) << 40)

static const struct wire_key_id issuer = {{0x0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff}};
static const char spki[] = "a public key";
static const char names[] = "\x82\x09"
                            "a.example\x87\x04\xc0\x00\x02\x01";

static struct journal *open_journal(uint64_t rotate_bytes)
{
    struct journal *journal = NULL;
    struct journal_config config = {.directory = temp_path("journal"), .rotate_bytes = rotate_bytes};
    struct mg_error error = {""};
    if (journal_open(&journal, &config, NOW_US, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return journal;
}

static struct journal_record record_of(const char *serial)
{
    return (struct journal_record){.issuer = &issuer,
                                   .serial = mg_slice_of_text(serial),
                                   .names = mg_slice_of(names, sizeof(names) - 1),
                                   .spki = mg_slice_of_text(spki)};
}

static enum mg_status commit(struct journal *journal, size_t num_records)
{
    struct journal_batch batch;
    struct journal_record record = record_of("\x12\x34");
    assert_int_equal(journal_batch_init(&batch, NULL), MG_OK);
    journal_batch_start(&batch, NOW_US);
    for (size_t i = 0; i < num_records; i++) {
        assert_true(journal_batch_add(&batch, &record));
    }
    enum mg_status status = journal_commit(journal, &batch, NOW_US, NULL);
    journal_batch_free(&batch);
    return status;
}

/* make_journal writes |num_batches| batches of one, two, three, ... records and closes. */
static void make_journal(uint64_t rotate_bytes, size_t num_batches)
{
    struct journal *journal = open_journal(rotate_bytes);
    for (size_t i = 1; i <= num_batches; i++) {
        assert_int_equal(commit(journal, i), MG_OK);
    }
    journal_close(journal);
}

static char report[1 << 16];

static enum mg_status verify(void)
{
    struct mg_error error = {""};
    memset(report, 0, sizeof(report));
    FILE *out = fmemopen(report, sizeof(report) - 1, "w");
    enum mg_status status = journal_verify(temp_path("journal"), out, &error);
    fclose(out);
    return status;
}

static bool reported(const char *text)
{
    return strstr(report, text) != NULL;
}

static const char *file_path(unsigned number)
{
    char name[64];
    snprintf(name, sizeof(name), "journal/issuance-%08u.jsonl", number);
    return temp_path(name);
}

static struct mg_buffer content;

static void read_content(const char *path)
{
    mg_buffer_free(&content);
    mg_buffer_init(&content, 1 << 20);
    assert_int_equal(mg_file_read(path, &content, NULL), MG_OK);
}

static void write_content(const char *path, struct mg_slice bytes)
{
    assert_int_equal(mg_file_write_atomic(path, bytes, 0600, NULL), MG_OK);
}

static void test_a_record_is_one_line_of_json(void **state)
{
    (void)state;
    make_journal(NEVER_ROTATE, 1);
    read_content(file_path(1));
    mg_buffer_append_u8(&content, 0);
    uint8_t key_hash[32];
    char key_text[65], expected[512];
    SHA256((const uint8_t *)spki, strlen(spki), key_hash);
    journal_hex(key_text, key_hash, sizeof(key_hash));
    snprintf(expected, sizeof(expected),
             "\n{\"time\":\"2026-11-21T09:41:00.123456Z\",\"issuer\":\"0f0102030405060708090a0b0c0d0eff\","
             "\"serial\":\"1234\",\"key_sha256\":\"%s\",\"names\":[\"a.example\",\"192.0.2.1\"]}\n"
             "{\"batch\":1,\"records\":1,\"chain\":\"",
             key_text);
    assert_non_null(strstr((const char *)content.data, expected));
}

/* The chain value, computed here from its definition. */
static void test_the_chain_is_as_defined(void **state)
{
    (void)state;
    make_journal(NEVER_ROTATE, 1);
    read_content(file_path(1));
    mg_buffer_append_u8(&content, 0);
    const char *text = (const char *)content.data;
    const char *records = strchr(text, '\n') + 1, *closing = strstr(text, "{\"batch\"");
    const char *header_end = strstr(text, ",\"chain\"");
    uint8_t input[80] = {0}, value[32];
    char hex[65];
    SHA256((const uint8_t *)text, (size_t)(header_end - text), input + 48);
    SHA256(input, sizeof(input), value);
    journal_hex(hex, value, 32);
    assert_memory_equal(header_end + strlen(",\"chain\":\""), hex, 64);

    memcpy(input, value, 32);
    input[39] = input[47] = 1; /* batch 1, one record */
    SHA256((const uint8_t *)records, (size_t)(closing - records), input + 48);
    SHA256(input, sizeof(input), value);
    journal_hex(hex, value, 32);
    assert_memory_equal(strstr(closing, "chain") + strlen("chain\":\""), hex, 64);
}

static void test_odd_bytes_in_names_are_escaped(void **state)
{
    (void)state;
    static const char odd[] = "\x82\x08"
                              "a\"b\\c\nd\xff";
    struct mg_buffer line;
    mg_buffer_init(&line, 4096);
    EVP_MD_CTX *sha256 = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex2(sha256, EVP_sha256(), NULL), 1);
    struct journal_record record = record_of("\x01");
    record.names = mg_slice_of_text(odd);
    struct journal_keys keys = {.next = 0};
    assert_true(journal_chain_record(&line, sha256, &keys, "t", &record));
    mg_buffer_append_u8(&line, 0);
    assert_non_null(strstr((const char *)line.data, "\"names\":[\"a\\u0022b\\u005cc\\u000ad\\u00ff\"]}\n"));
    EVP_MD_CTX_free(sha256);
    mg_buffer_free(&line);
}

/* assert_names_key checks the hash that a record of |key| has. */
static void assert_names_key(struct mg_buffer *line, EVP_MD_CTX *sha256, struct journal_keys *keys, struct mg_slice key)
{
    uint8_t hash[32];
    char hex[65];
    struct journal_record record = record_of("\x01");
    record.spki = key;
    mg_buffer_clear(line);
    assert_true(journal_chain_record(line, sha256, keys, "t", &record));
    mg_buffer_append_u8(line, 0);
    SHA256(key.data, key.len, hash);
    journal_hex(hex, hash, sizeof(hash));
    assert_non_null(strstr((const char *)line->data, hex));
}

/* The last few keys' hashes are remembered: more keys than that, one too long for it, one that begins as another does,
 * and none, each twice and then all again. */
static void test_each_record_has_the_hash_of_its_own_key(void **state)
{
    (void)state;
    uint8_t bytes[JOURNAL_MAX_KEY_LEN + 1];
    struct journal_keys keys = {.next = 0};
    struct mg_buffer line;
    mg_buffer_init(&line, 4096);
    EVP_MD_CTX *sha256 = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex2(sha256, EVP_sha256(), NULL), 1);
    memset(bytes, 0x5a, sizeof(bytes));
    for (size_t i = 0; i < 6 * (size_t)JOURNAL_NUM_KEYS; i++) {
        size_t number = i / 2 % (JOURNAL_NUM_KEYS + 2);
        bytes[0] = (uint8_t)number;
        assert_names_key(&line, sha256, &keys, mg_slice_of(bytes, 91));
        assert_names_key(&line, sha256, &keys, mg_slice_of(bytes, 92));
        assert_names_key(&line, sha256, &keys, mg_slice_of(bytes, 0));
        assert_names_key(&line, sha256, &keys, mg_slice_of(bytes, sizeof(bytes)));
        assert_names_key(&line, sha256, &keys, mg_slice_of(bytes, JOURNAL_MAX_KEY_LEN));
    }
    EVP_MD_CTX_free(sha256);
    mg_buffer_free(&line);
}

static void test_a_journal_verifies_and_goes_on_after_a_restart(void **state)
{
    (void)state;
    make_journal(NEVER_ROTATE, 3);
    assert_int_equal(verify(), MG_OK);
    assert_true(reported("issuance-00000001.jsonl: 6 records in 3 batches, OK"));
    make_journal(NEVER_ROTATE, 2);
    assert_int_equal(verify(), MG_OK);
    assert_true(reported("9 records in 5 batches, OK"));
    assert_true(reported("1 files OK, last batch 5, chain value "));
    struct stat st;
    assert_int_equal(stat(file_path(1), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(temp_path("journal"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_counters_count(void **state)
{
    (void)state;
    struct journal *journal = open_journal(NEVER_ROTATE);
    assert_int_equal(commit(journal, 3), MG_OK);
    assert_int_equal(commit(journal, 4), MG_OK);
    const struct journal_counters *counters = journal_counters(journal);
    assert_int_equal(mg_counter_get(&counters->records), 7);
    assert_int_equal(mg_counter_get(&counters->batches), 2);
    assert_int_equal(mg_counter_get(&counters->files), 1);
    assert_true(mg_counter_get(&counters->bytes) > 7 * 200);
    assert_int_equal(mg_counter_get(&counters->write_errors), 0);
    assert_true(journal_is_writable(journal));
    journal_close(journal);
}

static void test_a_full_file_is_followed_by_another(void **state)
{
    (void)state;
    make_journal(1000, 5);
    assert_true(temp_file_size(file_path(3)) > 0);
    assert_int_equal(verify(), MG_OK);
    assert_true(reported("issuance-00000002.jsonl: "));
    assert_true(reported("last batch 5"));
    make_journal(1000, 2);
    assert_int_equal(verify(), MG_OK);
    assert_true(reported("last batch 7"));
}

static void test_the_oldest_files_may_be_archived_away(void **state)
{
    (void)state;
    make_journal(1000, 8);
    assert_true(temp_file_size(file_path(4)) > 0);
    assert_int_equal(unlink(file_path(1)), 0);
    assert_int_equal(verify(), MG_OK);
    assert_int_equal(unlink(file_path(3)), 0); /* but not one from the middle */
    assert_int_equal(verify(), MG_INVALID);
}

/* Every bit matters; only the last line can be taken for an unfinished write, as if the end had been removed. */
static void test_any_changed_byte_is_noticed(void **state)
{
    (void)state;
    make_journal(NEVER_ROTATE, 2);
    read_content(file_path(1));
    size_t last_line = content.len - 2;
    while (content.data[last_line] != '\n') {
        last_line--;
    }
    for (size_t i = 0; i < content.len; i++) {
        content.data[i] ^= 1;
        write_content(file_path(1), mg_buffer_slice(&content));
        enum mg_status status = verify();
        if (i < last_line) {
            assert_int_equal(status, MG_INVALID);
            assert_true(reported("BROKEN"));
        } else {
            assert_true(status == MG_INVALID || reported("unfinished"));
        }
        content.data[i] ^= 1;
    }
}

/* "batch":01 says the same as "batch":1, but it is not what was written. */
static void test_a_number_spelled_otherwise_is_noticed(void **state)
{
    (void)state;
    static const char *const numbers[] = {"{\"batch\":", "\"records\":", "\"file\":"};
    make_journal(NEVER_ROTATE, 2);
    for (size_t i = 0; i < MG_ARRAY_LEN(numbers); i++) {
        struct mg_buffer changed;
        mg_buffer_init(&changed, 1 << 20);
        read_content(file_path(1));
        const uint8_t *place = memmem(content.data, content.len, numbers[i], strlen(numbers[i]));
        size_t before = (size_t)(place - content.data) + strlen(numbers[i]);
        mg_buffer_append(&changed, content.data, before);
        mg_buffer_append_text(&changed, "0");
        mg_buffer_append(&changed, content.data + before, content.len - before);
        write_content(file_path(1), mg_buffer_slice(&changed));
        assert_int_equal(verify(), MG_INVALID);
        write_content(file_path(1), mg_buffer_slice(&content));
        assert_int_equal(verify(), MG_OK);
        mg_buffer_free(&changed);
    }
}

/* line_at returns line |index| of |content|. */
static struct mg_slice line_at(size_t index)
{
    struct mg_slice rest = mg_buffer_slice(&content), line = rest;
    for (size_t i = 0; i <= index; i++) {
        const uint8_t *feed = memchr(rest.data, '\n', rest.len);
        assert_true(mg_slice_take(&rest, &line, (size_t)(feed - rest.data) + 1));
    }
    return line;
}

static void write_lines(const size_t *indices, size_t count)
{
    struct mg_buffer lines;
    mg_buffer_init(&lines, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        mg_buffer_append_slice(&lines, line_at(indices[i]));
    }
    write_content(file_path(1), mg_buffer_slice(&lines));
    mg_buffer_free(&lines);
}

static void test_lines_removed_moved_or_repeated_are_noticed(void **state)
{
    (void)state;
    make_journal(NEVER_ROTATE, 3); /* header; r b; r r b; r r r b */
    read_content(file_path(1));
    static const size_t whole[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    write_lines(whole, 10);
    assert_int_equal(verify(), MG_OK);
    static const size_t changed[][11] = {
        {9, 0, 1, 2, 4, 5, 6, 7, 8, 9},     /* a record removed */
        {7, 0, 1, 2, 6, 7, 8, 9},           /* a batch removed */
        {8, 0, 3, 4, 5, 6, 7, 8, 9},        /* the first batch removed */
        {10, 0, 3, 4, 5, 1, 2, 6, 7, 8, 9}, /* batches in another order */
        {10, 0, 1, 1, 2, 3, 4, 5, 6, 7, 9}, /* a record repeated, another removed */
        {9, 1, 2, 3, 4, 5, 6, 7, 8, 9},     /* no header */
        {10, 0, 0, 1, 2, 3, 4, 5, 6, 7, 9}, /* two headers */
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(changed); i++) {
        write_lines(&changed[i][1], changed[i][0]);
        assert_int_equal(verify(), MG_INVALID);
    }
}

/* kill -9 or a power cut in the middle of a write: wherever it was cut, the next start cuts back to the last batch. */
static void test_an_unfinished_write_is_cut_off_at_the_start(void **state)
{
    (void)state;
    make_journal(NEVER_ROTATE, 2);
    long whole = temp_file_size(file_path(1));
    make_journal(NEVER_ROTATE, 2);
    read_content(file_path(1));
    struct mg_slice first = line_at(0);
    for (size_t len = (size_t)whole + 1; len < content.len; len += 7) {
        struct mg_slice torn = mg_slice_of(content.data, len);
        write_content(file_path(1), torn);
        assert_int_equal(verify(), MG_OK);
        journal_close(open_journal(NEVER_ROTATE));
        assert_int_equal(verify(), MG_OK);
        assert_false(reported("unfinished"));
        assert_true(temp_file_size(file_path(1)) < (long)len || reported("last batch 3"));
    }
    /* Blocks that were allocated and never written read as zeros. */
    static const uint8_t zeros[5000];
    struct mg_buffer with_zeros;
    mg_buffer_init(&with_zeros, 1 << 20);
    mg_buffer_append(&with_zeros, content.data, (size_t)whole);
    mg_buffer_append(&with_zeros, zeros, sizeof(zeros));
    write_content(file_path(1), mg_buffer_slice(&with_zeros));
    make_journal(NEVER_ROTATE, 1);
    assert_int_equal(verify(), MG_OK);
    assert_true(reported("last batch 3"));
    mg_buffer_free(&with_zeros);
    assert_true(first.len > 0);
}

static void test_a_file_left_without_its_header_is_removed_at_the_start(void **state)
{
    (void)state;
    make_journal(1000, 5);
    read_content(file_path(2));
    for (size_t len = 0; len < 100; len += 33) {
        write_content(file_path(4), mg_slice_of(content.data, len));
        assert_int_equal(verify(), MG_OK);
        make_journal(NEVER_ROTATE, 1);
        assert_int_equal(temp_file_size(file_path(4)), -1);
        assert_int_equal(verify(), MG_OK);
    }
    assert_true(reported("last batch 9"));
}

static void test_a_broken_file_is_kept_and_shown_for_ever(void **state)
{
    (void)state;
    make_journal(NEVER_ROTATE, 3);
    temp_flip_byte(file_path(1), temp_file_size(file_path(1)) / 2);
    long size = temp_file_size(file_path(1));
    make_journal(NEVER_ROTATE, 1);
    assert_int_equal(temp_file_size(file_path(1)), size);
    assert_true(temp_file_size(file_path(2)) > 0);
    assert_int_equal(verify(), MG_INVALID);
    make_journal(NEVER_ROTATE, 1);
    assert_int_equal(verify(), MG_INVALID);
    assert_true(reported("issuance-00000001.jsonl") && reported("BROKEN"));
}

static void set_file_size_limit(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Fail closed: nothing is signed that is not recorded. */
static void test_a_journal_that_cannot_be_written_says_so_and_recovers(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct journal *journal = open_journal(NEVER_ROTATE);
    assert_int_equal(commit(journal, 1), MG_OK);
    set_file_size_limit((rlim_t)temp_file_size(file_path(1)) + 100); /* the next write is cut short */
    assert_int_equal(commit(journal, 2), MG_IO);
    assert_false(journal_is_writable(journal));
    assert_int_equal(commit(journal, 2), MG_IO);
    assert_int_equal(mg_counter_get(&journal_counters(journal)->write_errors), 2);
    assert_int_equal(mg_counter_get(&journal_counters(journal)->records), 1);
    set_file_size_limit(RLIM_INFINITY);
    assert_int_equal(verify(), MG_OK);
    assert_false(reported("unfinished"));
    assert_int_equal(commit(journal, 3), MG_OK);
    assert_true(journal_is_writable(journal));
    journal_close(journal);
    assert_int_equal(verify(), MG_OK);
    assert_true(reported("4 records in 2 batches"));
}

static void test_a_journal_that_cannot_be_synced_stays_closed(void **state)
{
    (void)state;
    struct journal *journal = open_journal(NEVER_ROTATE);
    assert_int_equal(journal_sync(journal, NULL), MG_OK);
    assert_int_equal(commit(journal, 1), MG_OK);
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0; /* no descriptor for the sync */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(journal_sync(journal, NULL), MG_IO);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_false(journal_is_writable(journal));
    assert_int_equal(commit(journal, 1), MG_IO);
    assert_int_equal(mg_counter_get(&journal_counters(journal)->sync_errors), 1);
    journal_close(journal);
}

/* Several signing threads and the one that syncs. */
#define NUM_THREADS 3
#define NUM_COMMITS 200

static void *commit_many(void *arg)
{
    struct journal_batch batch;
    struct journal_record record = record_of("\x05\x06");
    if (journal_batch_init(&batch, NULL) != MG_OK) {
        return NULL;
    }
    for (int i = 0; i < NUM_COMMITS; i++) {
        journal_batch_start(&batch, NOW_US);
        if (!journal_batch_add(&batch, &record) || journal_commit(arg, &batch, NOW_US, NULL) != MG_OK) {
            break;
        }
    }
    journal_batch_free(&batch);
    return NULL;
}

static void test_threads_share_a_journal(void **state)
{
    (void)state;
    struct journal *journal = open_journal(20000);
    pthread_t threads[NUM_THREADS];
    for (int i = 0; i < NUM_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, commit_many, journal), 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(journal_sync(journal, NULL), MG_OK);
    }
    for (int i = 0; i < NUM_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    journal_close(journal);
    assert_int_equal(verify(), MG_OK);
    char expected[64];
    snprintf(expected, sizeof(expected), "last batch %d,", NUM_THREADS * NUM_COMMITS);
    assert_true(reported(expected));
}

static int free_content(void **state)
{
    (void)state;
    mg_buffer_free(&content);
    return 0;
}

#define JOURNAL_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    mg_log_init("test", MG_LOG_ERROR); /* warnings are provoked here on purpose */
    const struct CMUnitTest tests[] = {
        JOURNAL_TEST(test_a_record_is_one_line_of_json),
        JOURNAL_TEST(test_the_chain_is_as_defined),
        JOURNAL_TEST(test_odd_bytes_in_names_are_escaped),
        JOURNAL_TEST(test_each_record_has_the_hash_of_its_own_key),
        JOURNAL_TEST(test_a_journal_verifies_and_goes_on_after_a_restart),
        JOURNAL_TEST(test_counters_count),
        JOURNAL_TEST(test_a_full_file_is_followed_by_another),
        JOURNAL_TEST(test_the_oldest_files_may_be_archived_away),
        JOURNAL_TEST(test_any_changed_byte_is_noticed),
        JOURNAL_TEST(test_a_number_spelled_otherwise_is_noticed),
        JOURNAL_TEST(test_lines_removed_moved_or_repeated_are_noticed),
        JOURNAL_TEST(test_an_unfinished_write_is_cut_off_at_the_start),
        JOURNAL_TEST(test_a_file_left_without_its_header_is_removed_at_the_start),
        JOURNAL_TEST(test_a_broken_file_is_kept_and_shown_for_ever),
        JOURNAL_TEST(test_a_journal_that_cannot_be_written_says_so_and_recovers),
        JOURNAL_TEST(test_a_journal_that_cannot_be_synced_stays_closed),
        JOURNAL_TEST(test_threads_share_a_journal),
    };
    return cmocka_run_group_tests(tests, NULL, free_content);
}
