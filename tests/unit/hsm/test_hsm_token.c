/* SPDX-License-Identifier: Apache-2.0 */
/* mintgate-token itself, on SoftHSM2, spoken to as the signer does: over the descriptors that it inherits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "hsm/key_type.h"
#include "hsm/token/calibration.h"
#include "hsm/token/launcher.h"
#include "hsm/token/workers.h"
#include "temp_dir.h"
#include "token_fixture.h"
#include "wire/token_attributes.h"

#define PATIENCE_MS 60000
#define NUM_LANES 2

/* The child under test and our ends of its descriptors. */
static struct child {
    pid_t pid;
    int control;
    int lanes[NUM_LANES];
    uint8_t in[WIRE_TOKEN_MAX_PACKET];
    struct wire_token_ready ready;
    struct wire_token_reply reply;
} child;

static int begin(void **state)
{
    child.pid = 0;
    if (softhsm_begin(state) != 0) {
        return -1;
    }
    softhsm_new_token("one");
    return 0;
}

static int wait_for_end(void)
{
    int status;
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    child.pid = 0;
    close(child.control);
    for (size_t i = 0; i < NUM_LANES; i++) {
        close(child.lanes[i]);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int end(void **state)
{
    if (child.pid > 0) {
        kill(child.pid, SIGKILL);
        (void)wait_for_end();
    }
    return temp_dir_remove(state);
}

/* exec_child runs in the new process with its five descriptors. */
static void exec_child(const int *fds, size_t num_fds, const char *module, const char *token, const char *sessions)
{
    int parked[8];
    for (size_t i = 0; i < num_fds; i++) {
        parked[i] = fcntl(fds[i], F_DUPFD, 100);
    }
    for (size_t i = 0; i < num_fds; i++) {
        dup2(parked[i], 3 + (int)i);
    }
    (void)close_range((unsigned)(3 + num_fds), ~0u, 0);
    execl(TOKEN_PROGRAM, "mintgate-token", "--module", module, "--token", token, "--lanes", "2", "--sessions", sessions,
          (char *)NULL);
    _exit(127);
}

static struct mg_slice receive(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poller, 1, PATIENCE_MS), 1);
    ssize_t len = recv(fd, child.in, sizeof(child.in), 0);
    assert_true(len > 0);
    return mg_slice_of(child.in, (size_t)len);
}

/* start_on starts the child and reads its READY. */
static void start_on(const char *module, const char *token, const char *pin, const char *sessions)
{
    int pairs[1 + NUM_LANES][2], pin_pipe[2], fds[2 + NUM_LANES];
    struct mg_error error = {""};
    assert_int_equal(pipe(pin_pipe), 0);
    for (size_t i = 0; i < 1 + NUM_LANES; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[i]), 0);
        fds[i == 0 ? 0 : i + 1] = pairs[i][1];
    }
    fds[1] = pin_pipe[0];
    child.pid = fork();
    if (child.pid == 0) {
        exec_child(fds, 2 + NUM_LANES, module, token, sessions);
    }
    for (size_t i = 0; i < 2 + NUM_LANES; i++) {
        close(fds[i]);
    }
    assert_int_equal(write(pin_pipe[1], pin, strlen(pin)), (ssize_t)strlen(pin));
    close(pin_pipe[1]);
    child.control = pairs[0][0];
    child.lanes[0] = pairs[1][0];
    child.lanes[1] = pairs[2][0];
    if (wire_token_decode_ready(receive(child.control), &child.ready, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
}

static void start(void)
{
    start_on(softhsm_module(), "one", TOKEN_PIN, "2");
    if (child.ready.status != WIRE_TOKEN_OK) {
        fail_msg("%.*s", (int)child.ready.text.len, (const char *)child.ready.text.data);
    }
}

static void send_to(int fd, const struct mg_buffer *packet)
{
    assert_true(mg_buffer_ok(packet));
    assert_int_equal(send(fd, packet->data, packet->len, MSG_NOSIGNAL), (ssize_t)packet->len);
}

/* call asks and fills child.reply in. */
static enum wire_token_status call(const struct wire_token_request *request)
{
    struct mg_buffer packet;
    struct mg_error error = {""};
    mg_buffer_init(&packet, WIRE_TOKEN_MAX_PACKET);
    wire_token_encode_request(&packet, request);
    send_to(child.control, &packet);
    mg_buffer_free(&packet);
    if (wire_token_decode_reply(receive(child.control), &child.reply, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    assert_true(child.reply.call == request->call && child.reply.id == request->id);
    return child.reply.status;
}

static struct wire_key_id key_id_of(uint8_t seed)
{
    struct wire_key_id id;
    memset(id.bytes, seed, sizeof(id.bytes));
    return id;
}

static enum wire_token_status call_for(enum wire_token_call what, struct wire_key_id id)
{
    return call(&(struct wire_token_request){.call = what, .id = 5, .key_id = id});
}

/* struct made is a key that the token made. */
struct made {
    struct wire_token_key_ref ref;
    const struct key_type *type;
    EVP_PKEY *pkey;
};

static enum wire_token_status try_make(struct wire_key_id id, enum wire_key_type type)
{
    struct wire_token_request request = {.call = WIRE_TOKEN_MAKE_KEY, .id = 9};
    request.make_key.id = id;
    request.make_key.type = type;
    request.make_key.label = mg_slice_of_text("Corp CA");
    return call(&request);
}

static struct made make(uint8_t seed, enum wire_key_type type)
{
    struct made made = {.ref = {.id = key_id_of(seed)}, .type = key_type_get0(type)};
    if (try_make(made.ref.id, type) != WIRE_TOKEN_OK) {
        fail_msg("%.*s", (int)child.reply.text.len, (const char *)child.reply.text.data);
    }
    const uint8_t *der = child.reply.spki.data;
    SHA256(der, child.reply.spki.len, made.ref.fingerprint);
    made.pkey = d2i_PUBKEY(NULL, &der, (long)child.reply.spki.len);
    assert_true(key_type_of_key(made.pkey) == made.type);
    return made;
}

static bool verifies(const struct made *key, const char *digest_name, struct mg_slice digest, struct mg_slice signature)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->pkey, NULL);
    bool ok = EVP_PKEY_verify_init(context) == 1 &&
              EVP_PKEY_CTX_set_signature_md(context, EVP_get_digestbyname(digest_name)) == 1 &&
              EVP_PKEY_verify(context, signature.data, signature.len, digest.data, digest.len) == 1;
    EVP_PKEY_CTX_free(context);
    return ok;
}

/* Signing sockets */

static uint8_t digests[WIRE_TOKEN_MAX_BATCH][48];

/* send_batch sends |num| digests with ids from |first_id| on. */
static void send_batch(int lane, const struct made *key, uint64_t first_id, size_t num)
{
    static struct wire_token_sign sign;
    struct mg_buffer packet;
    mg_buffer_init(&packet, WIRE_TOKEN_MAX_PACKET);
    sign.key = key->ref;
    sign.digest = key->type->digest_len == 48 ? WIRE_TOKEN_SHA384 : WIRE_TOKEN_SHA256;
    sign.num_jobs = num;
    for (size_t i = 0; i < num; i++) {
        digests[i][0] = (uint8_t)(i + 1);
        sign.jobs[i].id = first_id + i;
        sign.jobs[i].octets = mg_slice_of(digests[i], key->type->digest_len);
    }
    wire_token_encode_sign(&packet, &sign);
    send_to(lane, &packet);
    mg_buffer_free(&packet);
}

/* expect_results reads results until there are |num|, each of ids from |first_id| on once, and returns how many are
 * signatures that verify. */
static size_t expect_results(int lane, const struct made *key, uint64_t first_id, size_t num)
{
    static struct wire_token_result results[WIRE_TOKEN_MAX_BATCH];
    bool seen[WIRE_TOKEN_MAX_BATCH] = {false};
    size_t num_seen = 0, num_good = 0, count;
    while (num_seen < num) {
        assert_int_equal(wire_token_decode_signed(receive(lane), results, &count, NULL), MG_OK);
        for (size_t i = 0; i < count; i++) {
            uint64_t index = results[i].id - first_id;
            assert_true(index < num && !seen[index]);
            seen[index] = true;
            num_seen++;
            num_good += results[i].status == WIRE_TOKEN_OK &&
                        verifies(key, key->type->digest_name, mg_slice_of(digests[index], key->type->digest_len),
                                 results[i].signature);
        }
    }
    return num_good;
}

/* Tests */

static void test_token_is_found_by_label_and_says_who_it_is(void **state)
{
    (void)state;
    start();
    assert_int_equal(child.ready.num_sessions, 2);
    assert_true(mg_slice_equal(child.ready.identity.label, mg_slice_of_text("one")));
    assert_true(child.ready.identity.serial.len > 0 && child.ready.identity.module.len > 0);
    assert_int_equal(call_for(WIRE_TOKEN_PING, key_id_of(0)), WIRE_TOKEN_OK);
}

static void test_token_is_found_by_uri(void **state)
{
    (void)state;
    softhsm_new_token("other");
    start_on(softhsm_module(), "pkcs11:token=one;manufacturer=SoftHSM%20project", TOKEN_PIN, "1");
    assert_int_equal(child.ready.status, WIRE_TOKEN_OK);
}

static void test_names_that_mean_no_token_or_two_are_refused(void **state)
{
    static const char *const names[] = {
        "nobody",        "pkcs11:token=nobody", "pkcs11:", "pkcs11:token=one?pin-value=x", "pkcs11:nonsense=1",
        "pkcs11:token=%"};
    (void)state;
    softhsm_new_token("other");
    for (size_t i = 0; i < MG_ARRAY_LEN(names); i++) {
        start_on(softhsm_module(), names[i], TOKEN_PIN, "1");
        assert_int_equal(child.ready.status, WIRE_TOKEN_NO_TOKEN);
        assert_int_equal(wait_for_end(), TOKEN_EXIT_CLOSED);
    }
}

static void test_module_that_is_none_is_refused(void **state)
{
    (void)state;
    start_on(temp_path("nothing.so"), "one", TOKEN_PIN, "1");
    assert_int_equal(child.ready.status, WIRE_TOKEN_NO_MODULE);
    assert_int_equal(wait_for_end(), TOKEN_EXIT_CLOSED);
    start_on("libc.so.6", "one", TOKEN_PIN, "1");
    assert_int_equal(child.ready.status, WIRE_TOKEN_NO_MODULE);
}

static void test_wrong_pin_is_told_apart(void **state)
{
    (void)state;
    start_on(softhsm_module(), "one", "9999", "1");
    assert_true(child.ready.status == WIRE_TOKEN_PIN_WRONG && child.ready.rv == CKR_PIN_INCORRECT);
    assert_int_equal(wait_for_end(), TOKEN_EXIT_CLOSED);
}

static void test_pin_that_could_lock_the_token_is_not_tried(void **state)
{
    static const struct {
        const char *faults;
        enum wire_token_status status;
    } rows[] = {
        {"C_GetTokenInfo flags 20000\n", WIRE_TOKEN_PIN_LAST_TRY}, /* CKF_USER_PIN_FINAL_TRY */
        {"C_GetTokenInfo flags 40000\n", WIRE_TOKEN_PIN_LOCKED},   /* CKF_USER_PIN_LOCKED */
    };
    (void)state;
    for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        fault_set(rows[i].faults);
        start_on(fault_module(), "one", TOKEN_PIN, "1");
        assert_int_equal(child.ready.status, rows[i].status);
        assert_int_equal(wait_for_end(), TOKEN_EXIT_CLOSED);
    }
    assert_int_equal(fault_num_logins(), 0);
}

static void test_each_type_of_key_signs_batches_that_verify(void **state)
{
    static const struct {
        enum wire_key_type type;
        size_t num;
    } rows[] = {{WIRE_KEY_EC_P256, 64}, {WIRE_KEY_EC_P384, 64}, {WIRE_KEY_RSA_2048, 16}, {WIRE_KEY_RSA_3072, 4}};
    (void)state;
    start();
    for (uint8_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
        struct made key = make((uint8_t)(i + 1), rows[i].type);
        send_batch(child.lanes[i % 2], &key, 1000, rows[i].num);
        assert_int_equal(expect_results(child.lanes[i % 2], &key, 1000, rows[i].num), rows[i].num);
        EVP_PKEY_free(key.pkey);
    }
}

static void test_several_batches_are_in_flight_on_both_lanes(void **state)
{
    (void)state;
    start();
    struct made key = make(1, WIRE_KEY_EC_P256);
    for (uint64_t i = 0; i < 4; i++) {
        send_batch(child.lanes[i % 2], &key, 1000 * i, 64);
    }
    /* each lane's batches come back in order of their jobs, one after the other: ids tell them apart */
    static struct wire_token_result results[WIRE_TOKEN_MAX_BATCH];
    for (size_t lane = 0; lane < 2; lane++) {
        size_t num_seen = 0, count;
        while (num_seen < 128) {
            assert_int_equal(wire_token_decode_signed(receive(child.lanes[lane]), results, &count, NULL), MG_OK);
            for (size_t i = 0; i < count; i++) {
                assert_true(results[i].status == WIRE_TOKEN_OK && results[i].id / 1000 % 2 == lane);
            }
            num_seen += count;
        }
        assert_int_equal(num_seen, 128);
    }
    assert_int_equal(call_for(WIRE_TOKEN_PING, key_id_of(0)), WIRE_TOKEN_OK);
    assert_true(child.reply.health.signatures == 256 && child.reply.health.failures == 0);
    EVP_PKEY_free(key.pkey);
}

static void test_key_of_another_fingerprint_or_id_does_not_sign(void **state)
{
    (void)state;
    start();
    struct made key = make(1, WIRE_KEY_EC_P256), other = key, none = key;
    other.ref.fingerprint[0] ^= 1;
    none.ref.id.bytes[3] ^= 1;
    send_batch(child.lanes[0], &other, 1, 3);
    assert_int_equal(expect_results(child.lanes[0], &key, 1, 3), 0);
    send_batch(child.lanes[0], &none, 1, 3);
    assert_int_equal(expect_results(child.lanes[0], &key, 1, 3), 0);
    send_batch(child.lanes[0], &key, 1, 3);
    assert_int_equal(expect_results(child.lanes[0], &key, 1, 3), 3);
    EVP_PKEY_free(key.pkey);
}

static void test_keys_outlive_the_process_and_are_listed(void **state)
{
    (void)state;
    start();
    struct made key = make(7, WIRE_KEY_EC_P384);
    kill(child.pid, SIGKILL);
    (void)wait_for_end();
    start();
    assert_int_equal(call_for(WIRE_TOKEN_LIST, key_id_of(0)), WIRE_TOKEN_OK);
    assert_int_equal(child.reply.list.num_keys, 1);
    const struct wire_token_listed *listed = &child.reply.list.keys[0];
    assert_int_equal(memcmp(&listed->id, &key.ref.id, sizeof(listed->id)), 0);
    assert_true(listed->type == WIRE_KEY_EC_P384 && mg_slice_equal(listed->label, mg_slice_of_text("Corp CA")));
    send_batch(child.lanes[0], &key, 1, 2);
    assert_int_equal(expect_results(child.lanes[0], &key, 1, 2), 2);
    EVP_PKEY_free(key.pkey);
}

static void test_making_a_key_again_finds_it(void **state)
{
    (void)state;
    start();
    struct made first = make(1, WIRE_KEY_EC_P256), second = make(1, WIRE_KEY_EC_P256);
    assert_int_equal(memcmp(&first.ref, &second.ref, sizeof(first.ref)), 0);
    assert_int_equal(try_make(key_id_of(1), WIRE_KEY_RSA_2048), WIRE_TOKEN_EXISTS);
    EVP_PKEY_free(first.pkey);
    EVP_PKEY_free(second.pkey);
}

static void test_key_was_made_on_the_token_and_cannot_be_read(void **state)
{
    (void)state;
    start();
    for (uint8_t i = 0; i < 2; i++) {
        struct made key = make(i, i == 0 ? WIRE_KEY_EC_P256 : WIRE_KEY_RSA_2048);
        struct mg_error why = {""};
        assert_int_equal(call_for(WIRE_TOKEN_ATTRIBUTES, key.ref.id), WIRE_TOKEN_OK);
        if (token_attributes_check(&child.reply.attributes, &why) != MG_OK) {
            fail_msg("%s", why.text);
        }
        assert_int_equal(child.reply.attributes.mechanism, i == 0 ? CKM_EC_KEY_PAIR_GEN : CKM_RSA_PKCS_KEY_PAIR_GEN);
        EVP_PKEY_free(key.pkey);
    }
}

static void run_tool(const char *arguments, const char *output)
{
    char command[PATH_MAX];
    snprintf(command, sizeof(command), "pkcs11-tool --module %s --token-label one --login --pin %s %s > %s 2>&1",
             softhsm_module(), TOKEN_PIN, arguments, temp_path(output));
    (void)!system(command); /* what it says is looked at */
}

static bool output_has(const char *output, const char *word)
{
    struct mg_buffer text;
    mg_buffer_init(&text, 1 << 20);
    assert_int_equal(mg_file_read(temp_path(output), &text, NULL), MG_OK);
    mg_buffer_append_u8(&text, 0);
    bool found = strstr((const char *)text.data, word) != NULL;
    mg_buffer_free(&text);
    return found;
}

static void test_pkcs11_tool_sees_a_key_that_cannot_be_read(void **state)
{
    (void)state;
    start();
    struct made key = make(0xab, WIRE_KEY_EC_P256);
    run_tool("--list-objects --type privkey", "list");
    assert_true(output_has("list", "abababababababababababababababab"));
    assert_true(output_has("list", "sensitive, always sensitive, never extractable, local"));
    assert_false(output_has("list", "decrypt"));
    EVP_PKEY_free(key.pkey);
}

static void test_key_that_was_imported_is_refused(void **state)
{
    char command[PATH_MAX];
    (void)state;
    snprintf(command, sizeof(command),
             "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %s 2>/dev/null && softhsm2-util "
             "--import %s --token one --label planted --id 11111111111111111111111111111111 --pin %s >/dev/null",
             temp_path("key.pem"), temp_path("key.pem"), TOKEN_PIN);
    assert_int_equal(system(command), 0);
    start();
    assert_int_equal(try_make(key_id_of(0x11), WIRE_KEY_EC_P256), WIRE_TOKEN_REFUSED);
    assert_int_equal(call_for(WIRE_TOKEN_ATTRIBUTES, key_id_of(0x11)), WIRE_TOKEN_OK);
    assert_int_equal(child.reply.attributes.answers[WIRE_TOKEN_IS_LOCAL], WIRE_TOKEN_NO);
    assert_int_equal(token_attributes_check(&child.reply.attributes, NULL), MG_DENIED);
}

static void test_destroyed_key_signs_no_more(void **state)
{
    (void)state;
    start();
    struct made key = make(1, WIRE_KEY_EC_P256);
    send_batch(child.lanes[0], &key, 1, 1);
    assert_int_equal(expect_results(child.lanes[0], &key, 1, 1), 1);
    assert_int_equal(call_for(WIRE_TOKEN_DESTROY, key.ref.id), WIRE_TOKEN_OK);
    assert_int_equal(call_for(WIRE_TOKEN_DESTROY, key.ref.id), WIRE_TOKEN_OK);
    send_batch(child.lanes[0], &key, 1, 1);
    assert_int_equal(expect_results(child.lanes[0], &key, 1, 1), 0);
    assert_int_equal(call_for(WIRE_TOKEN_PUBLIC_KEY, key.ref.id), WIRE_TOKEN_NOT_FOUND);
    EVP_PKEY_free(key.pkey);
}

static void test_one_digest_is_signed_with_any_hash(void **state)
{
    static const struct {
        enum wire_token_digest digest;
        const char *name;
    } rows[] = {{WIRE_TOKEN_SHA256, "SHA256"}, {WIRE_TOKEN_SHA384, "SHA384"}, {WIRE_TOKEN_SHA512, "SHA512"}};
    static const enum wire_key_type types[] = {WIRE_KEY_EC_P256, WIRE_KEY_RSA_2048};
    uint8_t digest[64] = {3, 4, 5};
    (void)state;
    start();
    for (uint8_t t = 0; t < MG_ARRAY_LEN(types); t++) {
        struct made key = make((uint8_t)(t + 1), types[t]);
        for (size_t i = 0; i < MG_ARRAY_LEN(rows); i++) {
            struct wire_token_request request = {.call = WIRE_TOKEN_SIGN_ONE};
            request.sign_one =
                (struct wire_token_sign_one){.key = key.ref,
                                             .digest = rows[i].digest,
                                             .octets = mg_slice_of(digest, wire_token_digest_len(rows[i].digest))};
            assert_int_equal(call(&request), WIRE_TOKEN_OK);
            assert_true(verifies(&key, rows[i].name, request.sign_one.octets, child.reply.signature));
        }
        EVP_PKEY_free(key.pkey);
    }
}

static void test_calibration_finds_a_number_of_sessions_and_leaves_no_key(void **state)
{
    (void)state;
    start_on(softhsm_module(), "one", TOKEN_PIN, "0");
    assert_int_equal(child.ready.status, WIRE_TOKEN_OK);
    assert_in_range(child.ready.num_sessions, 1, CALIBRATION_MAX_SESSIONS);
    assert_true(child.ready.rate > 0);
    run_tool("--list-objects", "list");
    assert_false(output_has("list", "calibration"));
}

static void test_calibration_takes_the_fewest_sessions_near_the_best_rate(void **state)
{
    static const size_t counts[] = {1, 2, 4, 8};
    static const double grows[] = {100, 200, 390, 400}, level[] = {100, 101, 99, 98}, falls[] = {100, 180, 90, 40};
    (void)state;
    assert_int_equal(calibration_choose(counts, grows, 4), 4);
    assert_int_equal(calibration_choose(counts, level, 4), 1);
    assert_int_equal(calibration_choose(counts, falls, 4), 2);
    assert_int_equal(calibration_choose(counts, grows, 0), 1);
}

static void test_lost_token_ends_the_process(void **state)
{
    (void)state;
    start_on(fault_module(), "one", TOKEN_PIN, "2");
    struct made key = make(1, WIRE_KEY_EC_P256);
    fault_set("C_Sign fail 101\n"); /* CKR_USER_NOT_LOGGED_IN */
    send_batch(child.lanes[0], &key, 1, 8);
    assert_int_equal(wait_for_end(), TOKEN_EXIT_LOST);
    EVP_PKEY_free(key.pkey);
}

static void test_ping_finds_a_lost_token(void **state)
{
    (void)state;
    start_on(fault_module(), "one", TOKEN_PIN, "1");
    fault_set("C_GetTokenInfo fail 32\n"); /* CKR_DEVICE_REMOVED */
    assert_int_equal(call_for(WIRE_TOKEN_PING, key_id_of(0)), WIRE_TOKEN_FAILED);
    assert_int_equal(child.reply.rv, CKR_DEVICE_REMOVED);
    assert_int_equal(wait_for_end(), TOKEN_EXIT_LOST);
}

static void test_errors_are_results_until_too_many_follow_each_other(void **state)
{
    (void)state;
    start_on(fault_module(), "one", TOKEN_PIN, "1");
    struct made key = make(1, WIRE_KEY_EC_P256);
    fault_set("C_Sign fail 5\n"); /* CKR_GENERAL_ERROR */
    send_batch(child.lanes[0], &key, 1, WORKERS_MAX_FAILURES - 1);
    assert_int_equal(expect_results(child.lanes[0], &key, 1, WORKERS_MAX_FAILURES - 1), 0);
    fault_set("");
    send_batch(child.lanes[0], &key, 1, 2);
    assert_int_equal(expect_results(child.lanes[0], &key, 1, 2), 2);
    fault_set("C_Sign fail 5\n");
    send_batch(child.lanes[0], &key, 1, WORKERS_MAX_FAILURES);
    assert_int_equal(wait_for_end(), TOKEN_EXIT_FAILING);
    EVP_PKEY_free(key.pkey);
}

static void test_packet_that_is_none_ends_the_process(void **state)
{
    (void)state;
    start();
    assert_int_equal(send(child.lanes[1], "nonsense", 8, MSG_NOSIGNAL), 8);
    assert_int_equal(wait_for_end(), TOKEN_EXIT_BROKEN);
}

static void test_process_ends_when_the_signer_does(void **state)
{
    (void)state;
    start();
    shutdown(child.control, SHUT_RDWR);
    assert_int_equal(wait_for_end(), TOKEN_EXIT_DONE);
}

static void test_process_may_not_look_into_others_and_pin_is_nowhere_to_be_seen(void **state)
{
    char path[64], command[PATH_MAX];
    (void)state;
    start();
    snprintf(path, sizeof(path), "/proc/%d/status", (int)child.pid);
    snprintf(command, sizeof(command),
             "grep -q '^NoNewPrivs:\t1' %s && grep -q '^CapEff:\t0*$' %s && grep -q "
             "'^Seccomp:\t2' %s",
             path, path, path);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "! grep -q %s /proc/%d/cmdline && ! grep -q %s /proc/%d/environ", TOKEN_PIN,
             (int)child.pid, TOKEN_PIN, (int)child.pid);
    assert_int_equal(system(command), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token_is_found_by_label_and_says_who_it_is),
        TEST(test_token_is_found_by_uri),
        TEST(test_names_that_mean_no_token_or_two_are_refused),
        TEST(test_module_that_is_none_is_refused),
        TEST(test_wrong_pin_is_told_apart),
        TEST(test_pin_that_could_lock_the_token_is_not_tried),
        TEST(test_each_type_of_key_signs_batches_that_verify),
        TEST(test_several_batches_are_in_flight_on_both_lanes),
        TEST(test_key_of_another_fingerprint_or_id_does_not_sign),
        TEST(test_keys_outlive_the_process_and_are_listed),
        TEST(test_making_a_key_again_finds_it),
        TEST(test_key_was_made_on_the_token_and_cannot_be_read),
        TEST(test_pkcs11_tool_sees_a_key_that_cannot_be_read),
        TEST(test_key_that_was_imported_is_refused),
        TEST(test_destroyed_key_signs_no_more),
        TEST(test_one_digest_is_signed_with_any_hash),
        TEST(test_calibration_finds_a_number_of_sessions_and_leaves_no_key),
        cmocka_unit_test(test_calibration_takes_the_fewest_sessions_near_the_best_rate),
        TEST(test_lost_token_ends_the_process),
        TEST(test_ping_finds_a_lost_token),
        TEST(test_errors_are_results_until_too_many_follow_each_other),
        TEST(test_packet_that_is_none_ends_the_process),
        TEST(test_process_ends_when_the_signer_does),
        TEST(test_process_may_not_look_into_others_and_pin_is_nowhere_to_be_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
