/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's program with keys on PKCS#11 tokens: made, certified, signed with, and each way in which a token can
 * fail, under load. SoftHSM2 is the token; the module in front of it fails on demand (tests/hsm/pkcs11_fault.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unix_socket.h"
#include "signer_fixture.h"
#include "signer_process.h"
#include "temp_dir.h"
#include "token_fixture.h"
#include "token_minter.h"

#define BATCH 32

/* Configuration */

static void write_pin(const char *pin)
{
    assert_int_equal(mg_file_write_atomic(temp_path("pin"), mg_slice_of_text(pin), 0600, NULL), MG_OK);
}

/* write_tokens configures the token "faulty" behind the fault module, and "steady" without it, each the other's partner
 * if |are_partners|. */
static void write_tokens(const char *deadline, bool are_partners)
{
    char text[4096];
    snprintf(text, sizeof(text),
             "  tokens:\n"
             "    - name: faulty\n      module: %s\n      token: one\n      pin_file: %s\n      sessions: 2\n"
             "      deadline: %s\n%s"
             "    - name: steady\n      module: %s\n      token: one\n      pin_file: %s\n      sessions: 2\n"
             "      deadline: 60s\n",
             fault_module(), temp_path("pin"), deadline, are_partners ? "      partner: steady\n" : "",
             softhsm_module(), temp_path("pin"));
    signer_write_config(text);
}

static int begin(void **state)
{
    if (softhsm_begin(state) != 0) {
        return -1;
    }
    softhsm_new_token("one");
    write_pin(TOKEN_PIN "\n");
    write_tokens("60s", false);
    return 0;
}

/* The engine's side */

static struct client *engine_open(void)
{
    struct client *client = calloc(1, sizeof(*client));
    struct wire_issuers issuers;
    client_open(client, signer_connect_engine());
    client_hello(client, &issuers);
    return client;
}

static void engine_close(struct client *client)
{
    client_close(client);
    free(client);
}

static uint64_t next_serial = 1;

/* sign_batch has BATCH leaves signed and counts the results by status; each is answered once, and each signature
 * verifies. */
static void sign_batch(struct client *client, const struct minter *minter, size_t counts[WIRE_SIGN_NUM_STATUSES])
{
    struct mg_buffer tbs[BATCH];
    bool seen[BATCH] = {false};
    client_begin(client);
    for (size_t i = 0; i < BATCH; i++) {
        mg_buffer_init(&tbs[i], 4096);
        fixture_write_leaf(&tbs[i], &minter->facts, "www.example.com", next_serial++);
        client_add(client, i, &minter->id, mg_buffer_slice(&tbs[i]), 0);
    }
    client_send(client);
    for (size_t answered = 0; answered < BATCH; answered += client->num_results) {
        client_receive(client);
        for (size_t i = 0; i < client->num_results; i++) {
            const struct wire_sign_result *result = &client->results[i];
            assert_true(result->id < BATCH && !seen[result->id]);
            seen[result->id] = true;
            counts[result->status]++;
            if (result->status == WIRE_SIGN_OK) {
                assert_true(fixture_verify(mg_slice_of(minter->certificate, minter->certificate_len),
                                           mg_buffer_slice(&tbs[result->id]), result->signature));
            }
        }
    }
    for (size_t i = 0; i < BATCH; i++) {
        mg_buffer_free(&tbs[i]);
    }
}

static void assert_all_signed(struct client *client, const struct minter *minter)
{
    size_t counts[WIRE_SIGN_NUM_STATUSES] = {0};
    sign_batch(client, minter, counts);
    if (counts[WIRE_SIGN_OK] != BATCH) {
        fail_msg("%zu signed, %zu busy, %zu failed: %s", counts[WIRE_SIGN_OK], counts[WIRE_SIGN_BUSY],
                 counts[WIRE_SIGN_FAILED], signer_output());
    }
}

/* sign_until has batches signed until one has |status| among its results, at most for PATIENCE_SECONDS; nothing but
 * OK, BUSY and FAILED may occur. */
static void sign_until(struct client *client, const struct minter *minter, enum wire_sign_status status, size_t wanted)
{
    time_t end = time(NULL) + PATIENCE_SECONDS;
    for (;;) {
        size_t counts[WIRE_SIGN_NUM_STATUSES] = {0};
        sign_batch(client, minter, counts);
        assert_int_equal(counts[WIRE_SIGN_OK] + counts[WIRE_SIGN_BUSY] + counts[WIRE_SIGN_FAILED], BATCH);
        if (counts[status] >= wanted) {
            return;
        }
        if (time(NULL) >= end) {
            fail_msg("waited in vain for %s: %s", wire_sign_status_name(status), signer_output());
        }
        usleep(1000);
    }
}

/* Tests */

static void test_keys_on_a_token_sign_leaves_and_outlive_a_restart(void **state)
{
    static const enum wire_key_type types[] = {WIRE_KEY_EC_P256, WIRE_KEY_EC_P384, WIRE_KEY_RSA_2048};
    struct minter *minters[MG_ARRAY_LEN(types)];
    (void)state;
    signer_start();
    wait_until_up("steady");
    struct client *client = engine_open();
    for (uint8_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        minters[i] = make_minter("steady", types[i], (uint8_t)(i + 1));
        client_close(client);
        struct wire_issuers issuers;
        client_open(client, signer_connect_engine());
        client_hello(client, &issuers);
        assert_all_signed(client, minters[i]);
    }
    engine_close(client);
    signer_assert_stopped_well();
    signer_start();
    wait_until_up("steady");
    client = engine_open();
    for (size_t i = 0; i < MG_ARRAY_LEN(types); i++) {
        assert_all_signed(client, minters[i]);
        free(minters[i]);
    }
    engine_close(client);
    signer_assert_stopped_well();
}

static void test_wish_made_again_is_the_same_key_and_says_where_it_is(void **state)
{
    (void)state;
    signer_start();
    wait_until_up("steady");
    struct wire_control_request wish = wish_of("steady", WIRE_KEY_EC_P256, 1);
    ask_well(&wish);
    struct wire_key_id first = control.reply.made;
    ask_well(&wish);
    assert_int_equal(memcmp(&first, &control.reply.made, sizeof(first)), 0);
    wish.make_key.holder = mg_slice_of_text("");
    assert_int_equal(ask(&wish), WIRE_CONTROL_EXISTS);
    wish = wish_of("nowhere", WIRE_KEY_EC_P256, 2);
    assert_int_equal(ask(&wish), WIRE_CONTROL_NOT_FOUND);
    struct wire_control_request list = {.call = WIRE_CONTROL_LIST, .key_id = {{0}}};
    size_t num_held = 0;
    while (ask(&list) == WIRE_CONTROL_OK) {
        list.key_id = control.reply.key.key_id;
        num_held += mg_slice_equal(control.reply.key.holder, mg_slice_of_text("steady"));
    }
    assert_int_equal(num_held, 2); /* and that of wait_until_up */
}

static void test_key_left_on_the_token_by_a_crash_is_found_again(void **state)
{
    char command[PATH_MAX];
    (void)state;
    signer_start();
    wait_until_up("steady");
    struct wire_control_request wish = wish_of("steady", WIRE_KEY_EC_P256, 1);
    ask_well(&wish);
    struct wire_key_id first = control.reply.made;
    (void)signer_stop(SIGKILL);
    snprintf(command, sizeof(command), "rm %s/*.key", temp_path("state/keys")); /* as if none had been recorded */
    assert_int_equal(system(command), 0);
    signer_start();
    wait_until_up("steady");
    ask_well(&wish);
    assert_int_equal(memcmp(&first, &control.reply.made, sizeof(first)), 0);
}

static void test_destroyed_key_is_gone_from_the_token(void **state)
{
    char command[PATH_MAX];
    (void)state;
    signer_start();
    wait_until_up("steady");
    struct minter *minter = make_minter("steady", WIRE_KEY_EC_P256, 1);
    struct wire_control_request request = {.call = WIRE_CONTROL_DESTROY, .key_id = minter->id};
    snprintf(
        command, sizeof(command),
        "pkcs11-tool --module %s --token-label one --login --pin %s --list-objects 2>/dev/null | grep -c 'Private'",
        softhsm_module(), TOKEN_PIN);
    ask_well(&request);
    ask_well(&request);
    FILE *tool = popen(command, "r");
    char count[16] = "";
    assert_non_null(fgets(count, sizeof(count), tool));
    pclose(tool);
    assert_string_equal(count, "1\n"); /* that of wait_until_up */
    struct client *client = engine_open();
    size_t counts[WIRE_SIGN_NUM_STATUSES] = {0};
    sign_batch(client, minter, counts);
    assert_int_equal(counts[WIRE_SIGN_UNKNOWN_KEY], BATCH);
    engine_close(client);
    free(minter);
}

/* with_fault starts the signer with a key on "faulty" and one on "steady" and has both sign; then |fault| strikes
 * "faulty" under load: what it works on is answered, nothing but OK, BUSY and FAILED, until |expected| is seen
 * |wanted| times in a batch. When the fault is over, it signs again. Meanwhile the other key never fails. */
static void with_fault(const char *fault, enum wire_sign_status expected, size_t wanted)
{
    signer_start();
    wait_until_up("faulty");
    wait_until_up("steady");
    struct minter *faulty = make_minter("faulty", WIRE_KEY_EC_P256, 1);
    struct minter *steady = make_minter("steady", WIRE_KEY_EC_P256, 2);
    struct client *client = engine_open(), *other = engine_open();
    pid_t pid = signer_process.pid;
    assert_all_signed(client, faulty);
    fault_set(fault);
    sign_until(client, faulty, expected, wanted);
    assert_all_signed(other, steady);
    fault_set("");
    sign_until(client, faulty, WIRE_SIGN_OK, BATCH);
    assert_all_signed(other, steady);
    assert_int_equal(kill(pid, 0), 0);
    engine_close(client);
    engine_close(other);
    free(faulty);
    free(steady);
    signer_assert_stopped_well();
}

static void test_token_that_crashes_fails_clearly_and_comes_back(void **state)
{
    (void)state;
    with_fault("C_Sign crash\n", WIRE_SIGN_FAILED, BATCH);
    assert_non_null(strstr(signer_output(), "ended by signal 11"));
}

static void test_token_that_hangs_is_killed_and_comes_back(void **state)
{
    (void)state;
    write_tokens("300ms", false);
    with_fault("C_Sign hang\n", WIRE_SIGN_FAILED, BATCH);
    assert_non_null(strstr(signer_output(), "it does not sign"));
}

static void test_token_that_hangs_at_a_ping_is_killed(void **state)
{
    (void)state;
    write_tokens("300ms", false);
    with_fault("C_GetSessionInfo hang\n", WIRE_SIGN_FAILED, BATCH); /* which only a ping calls */
    assert_non_null(strstr(signer_output(), "it does not answer"));
}

static void test_token_that_only_returns_errors_fails_clearly_and_comes_back(void **state)
{
    (void)state;
    with_fault("C_Sign fail 5\n", WIRE_SIGN_FAILED, BATCH);
}

static void test_token_that_logs_out_or_is_pulled_comes_back(void **state)
{
    (void)state;
    with_fault("C_Sign fail 101\n", WIRE_SIGN_FAILED, BATCH); /* CKR_USER_NOT_LOGGED_IN */
    fault_set("");
    with_fault("C_GetSessionInfo fail 32\n", WIRE_SIGN_BUSY, 1); /* CKR_DEVICE_REMOVED, seen by a ping */
}

static void test_rsa_signature_gone_wrong_does_not_leave_the_signer(void **state)
{
    (void)state;
    signer_start();
    wait_until_up("faulty");
    struct minter *minter = make_minter("faulty", WIRE_KEY_RSA_2048, 1);
    struct client *client = engine_open();
    size_t counts[WIRE_SIGN_NUM_STATUSES] = {0};
    assert_all_signed(client, minter);
    fault_set("C_Sign wrong\n");
    sign_batch(client, minter, counts);
    assert_int_equal(counts[WIRE_SIGN_FAILED], BATCH);
    fault_set("");
    assert_all_signed(client, minter);
    engine_close(client);
    free(minter);
}

static void test_making_a_key_may_take_longer_than_the_deadline(void **state)
{
    (void)state;
    write_tokens("300ms", false);
    signer_start();
    wait_until_up("faulty");
    fault_set("C_GenerateKeyPair delay 1500\n");
    struct wire_control_request wish = wish_of("faulty", WIRE_KEY_EC_P256, 9);
    ask_well(&wish);
    assert_null(strstr(signer_output(), "its process is killed"));
}

static void test_pin_comes_from_a_credential(void **state)
{
    char text[4096];
    (void)state;
    snprintf(text, sizeof(text),
             "  tokens:\n    - {name: steady, module: %s, token: one, pin_credential: pin, sessions: 1}\n",
             softhsm_module());
    signer_write_config(text);
    setenv("CREDENTIALS_DIRECTORY", temp_dir, 1);
    signer_start();
    unsetenv("CREDENTIALS_DIRECTORY");
    wait_until_up("steady");
}

static void test_pin_comes_from_an_inherited_descriptor_as_often_as_it_is_needed(void **state)
{
    char text[4096];
    int fd = memfd_create("pin", 0);
    (void)state;
    assert_true(fd > 2 && write(fd, TOKEN_PIN "\n", sizeof(TOKEN_PIN)) == sizeof(TOKEN_PIN));
    snprintf(text, sizeof(text),
             "  tokens:\n    - {name: faulty, module: %s, token: one, pin_descriptor: %d, sessions: 1}\n",
             fault_module(), fd);
    signer_write_config(text);
    signer_start();
    close(fd);
    wait_until_up("faulty");
    fault_set("C_GenerateKeyPair crash\n");
    struct wire_control_request wish = wish_of("faulty", WIRE_KEY_EC_P256, 9);
    assert_int_equal(ask(&wish), WIRE_CONTROL_AWAY);
    fault_set("");
    wait_until_up("faulty"); /* another process, which needed the PIN too */
}

static void test_signer_stops_while_a_token_makes_a_key(void **state)
{
    (void)state;
    signer_start();
    wait_until_up("faulty");
    fault_set("C_GenerateKeyPair hang\n");
    struct wire_control_request wish = wish_of("faulty", WIRE_KEY_RSA_4096, 9);
    struct mg_buffer packet;
    int fd;
    mg_buffer_init(&packet, WIRE_CONTROL_MAX_PACKET);
    wire_control_encode_request(&packet, &wish);
    assert_int_equal(mg_unix_connect(temp_path("control.sock"), SOCK_SEQPACKET, &fd, NULL), MG_OK);
    assert_int_equal(send(fd, packet.data, packet.len, MSG_NOSIGNAL), (ssize_t)packet.len);
    mg_buffer_free(&packet);
    sleep(1); /* the call is under way by then, or will be refused: either way the signer ends */
    signer_assert_stopped_well();
    close(fd);
}

static void test_partner_takes_over_so_that_nothing_fails(void **state)
{
    static const char *const faults[] = {"C_Sign crash\n", "C_Sign fail 5\n", "C_Sign fail 101\n", "C_Sign hang\n"};
    (void)state;
    write_tokens("500ms", true);
    signer_start();
    wait_until_up("faulty");
    wait_until_up("steady");
    /* both look at one store, as two tokens that replication keeps equal */
    struct minter *minter = make_minter("faulty", WIRE_KEY_EC_P256, 1);
    struct client *client = engine_open();
    assert_all_signed(client, minter);
    for (size_t i = 0; i < MG_ARRAY_LEN(faults); i++) {
        wait_until_up("faulty");
        fault_set(faults[i]);
        for (int batch = 0; batch < 5; batch++) {
            assert_all_signed(client, minter);
        }
        fault_set("");
        assert_all_signed(client, minter);
    }
    engine_close(client);
    free(minter);
    signer_assert_stopped_well();
}

static void test_wrong_pin_is_tried_once_until_it_changes(void **state)
{
    (void)state;
    write_pin("0000");
    signer_start();
    for (time_t end = time(NULL) + PATIENCE_SECONDS; strstr(signer_output(), "pin_wrong") == NULL;) {
        assert_true(time(NULL) < end);
        usleep(20000);
    }
    sleep(4); /* twice as long as between two looks at the file, many times the first pauses */
    assert_int_equal(fault_num_logins(), 1);
    struct wire_control_request wish = wish_of("faulty", WIRE_KEY_EC_P256, 1);
    assert_int_equal(ask(&wish), WIRE_CONTROL_AWAY);
    write_pin(TOKEN_PIN);
    wait_until_up("faulty");
    assert_int_equal(fault_num_logins(), 2);
}

static void test_metrics_tell_of_each_token(void **state)
{
    static const char *const wanted[] = {
        "mintgate_hsm_token_results_total{token=\"steady\",status=\"ok\"} 32",
        "mintgate_hsm_token_latency_seconds_count{token=\"steady\"} 32",
        "mintgate_hsm_token_mode{token=\"steady\"} 0",
        "mintgate_hsm_token_sessions{token=\"steady\"} 2",
    };
    char command[PATH_MAX];
    (void)state;
    signer_start();
    wait_until_up("steady");
    struct minter *minter = make_minter("steady", WIRE_KEY_RSA_2048, 1);
    struct client *client = engine_open();
    assert_all_signed(client, minter);
    snprintf(command, sizeof(command), "curl -s --unix-socket %s http://localhost/metrics > %s",
             temp_path("metrics.sock"), temp_path("metrics"));
    assert_int_equal(system(command), 0);
    struct mg_buffer text;
    mg_buffer_init(&text, 1 << 20);
    assert_int_equal(mg_file_read(temp_path("metrics"), &text, NULL), MG_OK);
    mg_buffer_append_u8(&text, 0);
    for (size_t i = 0; i < MG_ARRAY_LEN(wanted); i++) {
        if (strstr((const char *)text.data, wanted[i]) == NULL) {
            fail_msg("no %s in %s", wanted[i], (const char *)text.data);
        }
    }
    mg_buffer_free(&text);
    engine_close(client);
    free(minter);
}

/* children_of puts the children of |pid| into |out| and returns how many there are. */
static size_t children_of(pid_t pid, pid_t out[8])
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (count < 8 && fscanf(file, "%d", &out[count]) == 1) {
        count++;
    }
    fclose(file);
    return count;
}

static bool has_ended(pid_t pid)
{
    char command[128];
    snprintf(command, sizeof(command), "test ! -e /proc/%d || grep -q '^State:.Z' /proc/%d/status", (int)pid, (int)pid);
    return system(command) == 0;
}

static void test_no_process_is_left_behind_by_a_signer_that_is_killed(void **state)
{
    pid_t launcher[8], tokens[8];
    (void)state;
    signer_start();
    wait_until_up("steady");
    wait_until_up("faulty");
    assert_int_equal(children_of(signer_process.pid, launcher), 1);
    size_t num_tokens = children_of(launcher[0], tokens);
    assert_int_equal(num_tokens, 2);
    (void)signer_stop(SIGKILL);
    for (time_t end = time(NULL) + PATIENCE_SECONDS;
         !has_ended(launcher[0]) || !has_ended(tokens[0]) || !has_ended(tokens[1]);) {
        assert_true(time(NULL) < end);
        usleep(20000);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, signer_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_on_a_token_sign_leaves_and_outlive_a_restart),
        TEST(test_wish_made_again_is_the_same_key_and_says_where_it_is),
        TEST(test_key_left_on_the_token_by_a_crash_is_found_again),
        TEST(test_destroyed_key_is_gone_from_the_token),
        TEST(test_token_that_crashes_fails_clearly_and_comes_back),
        TEST(test_token_that_hangs_is_killed_and_comes_back),
        TEST(test_token_that_hangs_at_a_ping_is_killed),
        TEST(test_token_that_only_returns_errors_fails_clearly_and_comes_back),
        TEST(test_token_that_logs_out_or_is_pulled_comes_back),
        TEST(test_rsa_signature_gone_wrong_does_not_leave_the_signer),
        TEST(test_making_a_key_may_take_longer_than_the_deadline),
        TEST(test_pin_comes_from_a_credential),
        TEST(test_pin_comes_from_an_inherited_descriptor_as_often_as_it_is_needed),
        TEST(test_signer_stops_while_a_token_makes_a_key),
        TEST(test_partner_takes_over_so_that_nothing_fails),
        TEST(test_wrong_pin_is_tried_once_until_it_changes),
        TEST(test_metrics_tell_of_each_token),
        TEST(test_no_process_is_left_behind_by_a_signer_that_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
