/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program itself: started, asked over its socket, stopped, killed, started again, with everything it does at a
 * start, its confinement included (but for the sanitizers' builds, which have no seccomp filter).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unix_socket.h"
#include "hsm/builtin.h"
#include "hsm/journal_files.h"
#include "hsm/signer_config.h"
#include "signer_fixture.h"
#include "signer_process.h"
#include "temp_dir.h"

static enum mg_status verify_journal(void)
{
    FILE *report = fopen("/dev/null", "w");
    enum mg_status status = journal_verify(temp_path("state/journal"), report, NULL);
    fclose(report);
    return status;
}

/* One engine: a connection and what the signer said of its issuers. */
struct engine {
    struct client client;
    struct wire_issuers issuers;
    struct wire_issuer issuer; /* the default one */
    uint8_t chain[8192];       /* what its chain borrows from */
    struct leaf_issuer facts;
};

static struct engine *engine_open(void)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    client_open(&engine->client, signer_connect_engine());
    client_hello(&engine->client, &engine->issuers);
    assert_int_equal(engine->issuers.num_issuers, 2);
    size_t used = 0;
    for (size_t i = 0; i < 2; i++) {
        if (engine->issuers.issuers[i].role == WIRE_ISSUER_DEFAULT) {
            engine->issuer = engine->issuers.issuers[i];
        }
    }
    for (size_t i = 0; i < engine->issuer.num_chain; i++) {
        struct mg_slice *certificate = &engine->issuer.chain[i];
        assert_true(used + certificate->len <= sizeof(engine->chain));
        memcpy(engine->chain + used, certificate->data, certificate->len);
        certificate->data = engine->chain + used;
        used += certificate->len;
    }
    assert_int_equal(leaf_issuer_from_certificate(engine->issuer.chain[0], WIRE_ISSUER_DEFAULT,
                                                  key_type_get0(engine->issuer.key_type), &engine->facts, NULL),
                     MG_OK);
    return engine;
}

static void engine_close(struct engine *engine)
{
    client_close(&engine->client);
    free(engine);
}

/* sign_many has |count| certificates signed, many at a time, and verifies each signature. False if the connection ends
 * before all are answered. */
static bool sign_many(struct engine *engine, size_t count)
{
    static _Atomic uint64_t next_serial;
    struct mg_buffer tbs[WIRE_SIGNER_MAX_BATCH];
    size_t num_done = 0;
    bool ok = true;
    for (size_t i = 0; i < MG_ARRAY_LEN(tbs); i++) {
        mg_buffer_init(&tbs[i], 4096);
    }
    while (ok && num_done < count) {
        size_t batch = count - num_done < MG_ARRAY_LEN(tbs) ? count - num_done : MG_ARRAY_LEN(tbs);
        client_begin(&engine->client);
        for (size_t i = 0; i < batch; i++) {
            mg_buffer_clear(&tbs[i]);
            fixture_write_leaf(&tbs[i], &engine->facts, "www.example.com", next_serial++);
            client_add(&engine->client, i, &engine->issuer.key_id, mg_buffer_slice(&tbs[i]), 0);
        }
        struct mg_slice packet = mg_buffer_slice(&engine->client.out);
        ok = send(engine->client.fd, packet.data, packet.len, MSG_NOSIGNAL) == (ssize_t)packet.len;
        for (size_t answered = 0; ok && answered < batch; answered += engine->client.num_results) {
            struct pollfd fd = {.fd = engine->client.fd, .events = POLLIN};
            ok = poll(&fd, 1, 60000) == 1 && recv(fd.fd, engine->client.in, 1, MSG_PEEK) > 0;
            engine->client.num_results = 0;
            if (ok) {
                client_receive(&engine->client);
            }
            for (size_t i = 0; i < engine->client.num_results; i++) {
                const struct wire_sign_result *result = &engine->client.results[i];
                assert_int_equal(result->status, WIRE_SIGN_OK);
                assert_true(
                    fixture_verify(engine->issuer.chain[0], mg_buffer_slice(&tbs[result->id]), result->signature));
            }
        }
        num_done += batch;
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(tbs); i++) {
        mg_buffer_free(&tbs[i]);
    }
    return ok;
}

/* prepare_state makes what the program makes at its first start, with RSA keys that are there already. */
static void prepare_state(enum wire_key_type type)
{
    struct kek *kek;
    struct keystore *store;
    assert_int_equal(kek_create(&kek, temp_path("kek"), NULL), MG_OK);
    assert_int_equal(mkdir(temp_path("state"), 0755), 0);
    assert_int_equal(keystore_open(&store, temp_path("state/keys"), kek, NULL), MG_OK);
    assert_int_equal(builtin_ensure(store, type, temp_path("state/root.pem"), time(NULL), NULL), MG_OK);
    keystore_free(store);
    kek_free(kek);
}

static void test_the_program_signs_with_every_key_type(void **state)
{
    (void)state;
    static const struct {
        enum wire_key_type type;
        const char *crypto_mb;
        size_t count;
        bool is_prepared; /* else the program makes the keys itself */
    } rows[] = {{WIRE_KEY_EC_P256, "auto", 2000, false}, {WIRE_KEY_EC_P256, "off", 500, false},
                {WIRE_KEY_EC_P384, "auto", 200, false},  {WIRE_KEY_RSA_2048, "auto", 200, false},
                {WIRE_KEY_RSA_3072, "off", 20, true},    {WIRE_KEY_RSA_4096, "auto", 40, true}};
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        temp_dir_make(NULL);
        signer_process.key_type = key_type_get0(rows[i].type)->name;
        signer_process.crypto_mb = rows[i].crypto_mb;
        signer_write_config("");
        if (rows[i].is_prepared) {
            prepare_state(rows[i].type);
        }
        signer_start();
        struct engine *engine = engine_open();
        assert_int_equal(engine->issuer.key_type, rows[i].type);
        assert_true(sign_many(engine, rows[i].count));
        engine_close(engine);
        signer_assert_stopped_well();
        assert_int_equal(verify_journal(), MG_OK);
        temp_dir_remove(NULL);
    }
    signer_process.key_type = "EC_P256";
    signer_process.crypto_mb = "auto";
}

static void test_issuers_are_the_same_after_kill_9(void **state)
{
    (void)state;
    struct engine *before = engine_open();
    assert_true(sign_many(before, 100));
    int status = signer_stop(SIGKILL);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(verify_journal(), MG_OK);
    signer_start();
    struct engine *after = engine_open();
    assert_memory_equal(&before->issuer.key_id, &after->issuer.key_id, sizeof(before->issuer.key_id));
    assert_int_equal(before->issuer.num_chain, after->issuer.num_chain);
    for (size_t i = 0; i < before->issuer.num_chain; i++) {
        assert_true(mg_slice_equal(before->issuer.chain[i], after->issuer.chain[i]));
    }
    assert_true(sign_many(after, 100));
    engine_close(before);
    engine_close(after);
    signer_assert_stopped_well();
    assert_int_equal(verify_journal(), MG_OK);
}

static void *sign_until_killed(void *arg)
{
    (void)sign_many(arg, 1000000);
    return NULL;
}

/* Killed in the middle of work, several times: the journal is whole each time, and so is the next start. */
static void test_kill_9_under_load_leaves_a_journal_that_verifies(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct engine *engine = engine_open();
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, sign_until_killed, engine), 0);
        usleep(100000 + 37000 * (useconds_t)i);
        (void)signer_stop(SIGKILL);
        pthread_join(thread, NULL);
        engine_close(engine);
        assert_int_equal(verify_journal(), MG_OK);
        signer_start();
    }
    signer_assert_stopped_well();
    assert_int_equal(verify_journal(), MG_OK);
}

static void test_a_torn_journal_is_repaired_and_said(void **state)
{
    (void)state;
    struct engine *engine = engine_open();
    assert_true(sign_many(engine, 10));
    engine_close(engine);
    (void)signer_stop(SIGKILL);
    char path[PATH_MAX];
    journal_file_path(path, temp_path("state/journal"), 1);
    assert_int_equal(truncate(path, temp_file_size(path) - 20), 0);
    signer_start();
    assert_non_null(strstr(signer_output(), "of an unfinished write off "));
    assert_int_equal(verify_journal(), MG_OK);
    engine = engine_open();
    assert_true(sign_many(engine, 10));
    engine_close(engine);
    signer_assert_stopped_well();
    assert_int_equal(verify_journal(), MG_OK);
}

static void test_two_threads_serve_several_engines(void **state)
{
    (void)state;
    signer_assert_stopped_well();
    signer_process.num_threads = 2;
    signer_write_config("");
    signer_process.num_threads = 1;
    signer_start();
    struct engine *engines[4];
    for (size_t i = 0; i < MG_ARRAY_LEN(engines); i++) {
        engines[i] = engine_open();
    }
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < MG_ARRAY_LEN(engines); i++) {
            assert_true(sign_many(engines[i], 50));
        }
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(engines); i++) {
        engine_close(engines[i]);
    }
    signer_assert_stopped_well();
    assert_int_equal(verify_journal(), MG_OK);
}

/* metrics returns the page of the metrics socket. */
static const char *metrics(void)
{
    static char page[65536];
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    size_t len = 0;
    int fd;
    assert_int_equal(mg_unix_connect(temp_path("metrics.sock"), SOCK_STREAM, &fd, NULL), MG_OK);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, 20000), 1);
        ssize_t got = recv(fd, page + len, sizeof(page) - 1 - len, 0);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    close(fd);
    page[len] = '\0';
    return page;
}

static void test_metrics_count_what_was_done(void **state)
{
    (void)state;
    struct engine *engine = engine_open();
    struct wire_key_id unknown = {{0}};
    assert_true(sign_many(engine, 123));
    assert_int_equal(client_ask(&engine->client, 1, &unknown, mg_slice_of_text("x"), 0).status, WIRE_SIGN_UNKNOWN_KEY);
    const char *page = metrics();
    assert_non_null(strstr(page, "mintgate_hsm_results_total{status=\"ok\"} 123\n"));
    assert_non_null(strstr(page, "mintgate_hsm_results_total{status=\"unknown_key\"} 1\n"));
    assert_non_null(strstr(page, "mintgate_hsm_journal_records_total 123\n"));
    engine_close(engine);
}

static void test_nothing_secret_is_readable(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        mode_t mode;
    } expected[] = {
        {"kek", 0600}, {"state", 0755}, {"state/keys", 0700}, {"state/journal", 0700}, {"state/root.pem", 0644}};
    for (size_t i = 0; i < MG_ARRAY_LEN(expected); i++) {
        struct stat st;
        assert_int_equal(stat(temp_path(expected[i].path), &st), 0);
        assert_int_equal(st.st_mode & 07777, expected[i].mode);
    }
    assert_null(strstr(signer_output(), "PRIVATE"));
}

/* proc_status returns the number, in |base|, behind |name| in /proc/PID/status. */
static unsigned long long proc_status(const char *name, int base)
{
    char path[64], line[256];
    unsigned long long value = ~0ull;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)signer_process.pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtoull(line + strlen(name), NULL, base);
        }
    }
    fclose(file);
    return value;
}

static void test_the_process_has_given_up_its_privileges(void **state)
{
    (void)state;
    engine_close(engine_open()); /* it is confined before it serves anybody, but may listen before */
    assert_int_equal(proc_status("CapEff:", 16), 0);
    assert_int_equal(proc_status("CapBnd:", 16), 0);
    assert_int_equal(proc_status("NoNewPrivs:", 10), 1);
#ifndef UNDER_SANITIZER
    assert_int_equal(proc_status("Seccomp:", 10), 2);
#endif
}

static void test_a_second_signer_on_the_same_state_is_refused(void **state)
{
    (void)state;
    const char *const argv[] = {"--config", temp_path("mintgate.yaml"), NULL};
    int status = signer_wait_for(signer_run_program(argv));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_non_null(strstr(signer_output(), "another signer runs on this state directory"));
    struct engine *engine = engine_open();
    assert_true(sign_many(engine, 1)); /* the first is not disturbed */
    engine_close(engine);
}

static void test_a_lost_key_encryption_key_stops_the_start(void **state)
{
    (void)state;
    signer_assert_stopped_well();
    assert_int_equal(unlink(temp_path("kek")), 0);
    const char *const argv[] = {"--config", temp_path("mintgate.yaml"), NULL};
    int status = signer_wait_for(signer_run_program(argv));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_non_null(strstr(signer_output(), "is missing"));
    assert_int_equal(temp_file_size(temp_path("kek")), -1); /* and no other is made in its place */
}

static void test_hangup_reloads_and_does_not_stop(void **state)
{
    (void)state;
    assert_int_equal(kill(signer_process.pid, SIGHUP), 0);
    for (int tries = 0; tries < 2000 && strstr(signer_output(), "reloaded") == NULL; tries++) {
        usleep(10000);
    }
    assert_non_null(strstr(signer_output(), "reloaded"));
    assert_int_equal(mg_file_write_atomic(temp_path("mintgate.yaml"), mg_slice_of_text("nonsense: 1\n"), 0600, NULL),
                     MG_OK);
    assert_int_equal(kill(signer_process.pid, SIGHUP), 0);
    for (int tries = 0; tries < 2000 && strstr(signer_output(), "not reloaded") == NULL; tries++) {
        usleep(10000);
    }
    assert_non_null(strstr(signer_output(), "not reloaded"));
    struct engine *engine = engine_open();
    assert_true(sign_many(engine, 1));
    engine_close(engine);
}

static void test_sockets_go_when_it_stops(void **state)
{
    (void)state;
    signer_assert_stopped_well();
    assert_int_equal(temp_file_size(temp_path("engine.sock")), -1);
    assert_int_equal(temp_file_size(temp_path("control.sock")), -1);
    assert_int_equal(temp_file_size(temp_path("metrics.sock")), -1);
}

static int exit_code(const char *const *argv)
{
    int status = signer_wait_for(signer_run_program(argv));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_the_command_line(void **state)
{
    (void)state;
    signer_write_config("");
    assert_int_equal(exit_code((const char *const[]){"--help", NULL}), 0);
    assert_non_null(strstr(signer_output(), "--verify-journal DIRECTORY"));
    assert_int_equal(exit_code((const char *const[]){"--version", NULL}), 0);
    assert_non_null(strstr(signer_output(), "mintgate-signer " MINTGATE_VERSION "\n"));
    assert_int_equal(exit_code((const char *const[]){"--nonsense", NULL}), 2);
    assert_int_equal(exit_code((const char *const[]){"argument", NULL}), 2);
    assert_int_equal(exit_code((const char *const[]){"--check", "--config", temp_path("mintgate.yaml"), NULL}), 0);
    assert_int_equal(temp_file_size(temp_path("state")), -1); /* a check makes nothing */
    signer_write_config("  nonsense: 1\n");
    assert_int_equal(exit_code((const char *const[]){"--check", "--config", temp_path("mintgate.yaml"), NULL}), 1);
    assert_int_equal(exit_code((const char *const[]){"--config", temp_path("missing.yaml"), NULL}), 1);
}

static void test_the_journal_is_verified_from_the_command_line(void **state)
{
    (void)state;
    struct engine *engine = engine_open();
    assert_true(sign_many(engine, 64));
    engine_close(engine);
    signer_assert_stopped_well();
    const char *const argv[] = {"--verify-journal", temp_path("state/journal"), NULL};
    assert_int_equal(exit_code(argv), 0);
    assert_non_null(strstr(signer_output(), "64 records in "));
    char path[PATH_MAX];
    journal_file_path(path, temp_path("state/journal"), 1);
    temp_flip_byte(path, temp_file_size(path) / 2);
    assert_int_equal(exit_code(argv), 1);
    assert_non_null(strstr(signer_output(), "BROKEN"));
    assert_int_equal(exit_code((const char *const[]){"--verify-journal", temp_path("nowhere"), NULL}), 1);
}

static void test_a_key_encryption_key_below_the_state_is_refused(void **state)
{
    (void)state;
    struct signer_config config;
    struct mg_error error = {""};
    char text[PATH_MAX * 2];
    signer_write_config("");
    assert_int_equal(signer_config_load(&config, temp_path("mintgate.yaml"), &error), MG_OK);
    assert_string_equal(config.keys_dir, temp_path("state/keys"));
    assert_int_equal(config.builtin_key_type, WIRE_KEY_EC_P256);
    assert_true(config.use_crypto_mb);
    snprintf(text, sizeof(text), "signer:\n  state_dir: %s\n  key_encryption_key: %s\n", temp_path("state"),
             temp_path("state/kek"));
    assert_int_equal(mg_file_write_atomic(temp_path("mintgate.yaml"), mg_slice_of_text(text), 0600, NULL), MG_OK);
    assert_int_equal(signer_config_load(&config, temp_path("mintgate.yaml"), &error), MG_INVALID);
    assert_non_null(strstr(error.text, "key_encryption_key"));
}

#define RUNNING_TEST(name) cmocka_unit_test_setup_teardown(name, signer_begin, signer_end)
#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_program_signs_with_every_key_type),
        RUNNING_TEST(test_issuers_are_the_same_after_kill_9),
        RUNNING_TEST(test_kill_9_under_load_leaves_a_journal_that_verifies),
        RUNNING_TEST(test_a_torn_journal_is_repaired_and_said),
        RUNNING_TEST(test_two_threads_serve_several_engines),
        RUNNING_TEST(test_metrics_count_what_was_done),
        RUNNING_TEST(test_nothing_secret_is_readable),
        RUNNING_TEST(test_the_process_has_given_up_its_privileges),
        RUNNING_TEST(test_a_second_signer_on_the_same_state_is_refused),
        RUNNING_TEST(test_a_lost_key_encryption_key_stops_the_start),
        RUNNING_TEST(test_hangup_reloads_and_does_not_stop),
        RUNNING_TEST(test_sockets_go_when_it_stops),
        RUNNING_TEST(test_the_journal_is_verified_from_the_command_line),
        FILES_TEST(test_the_command_line),
        FILES_TEST(test_a_key_encryption_key_below_the_state_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
