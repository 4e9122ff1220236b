/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor, the backend and the managed keys in one process of the test's, with mintgate-token and SoftHSM2: what
 * the signer's program shows only from outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "hsm/token_keys.h"
#include "hsm/token_launch.h"
#include "temp_dir.h"
#include "token_fixture.h"
#include "wire/token_attributes.h"

#define PATIENCE_SECONDS 120

static const struct kek kek = {"a key-encryption key of 32 bytes"};

static struct fixture {
    struct token_config config;
    struct backend *backend;
    struct backend_session *session;
    struct token_store tokens;
} f;

static int begin(void **state)
{
    struct mg_error error = {""};
    int launcher;
    if (softhsm_begin(state) != 0) {
        return -1;
    }
    softhsm_new_token("one");
    f = (struct fixture){.config = {.name = "hsm", .token = "one", .num_sessions = 2, .partner = TOKEN_NO_PARTNER}};
    f.config.deadline_ns = UINT64_C(60000000000);
    snprintf(f.config.module, sizeof(f.config.module), "%s", fault_module());
    snprintf(f.config.pin_file, sizeof(f.config.pin_file), "%s", temp_path("pin"));
    bool ok = mg_file_write_atomic(temp_path("pin"), mg_slice_of_text(TOKEN_PIN), 0600, &error) == MG_OK &&
              keystore_open(&f.tokens.store, temp_path("keys"), &kek, &error) == MG_OK &&
              backend_pkcs11_new(&f.backend, &f.config, 1, &error) == MG_OK &&
              f.backend->ops->session_new(f.backend, &f.session, &error) == MG_OK &&
              token_launcher_start(TOKEN_PROGRAM, &launcher, &error) == MG_OK &&
              token_supervisor_start(&f.tokens.supervisor, f.backend, &f.config, 1, launcher, &error) == MG_OK;
    f.tokens.backend = f.backend;
    if (!ok) {
        print_error("%s\n", error.text);
    }
    return ok ? 0 : -1;
}

static int end(void **state)
{
    f.backend->ops->session_free(f.session);
    token_supervisor_stop(f.tokens.supervisor);
    backend_pkcs11_free(f.backend);
    keystore_free(f.tokens.store);
    return temp_dir_remove(state);
}

static const struct keystore_key *make(enum wire_key_type type, uint8_t seed)
{
    const struct keystore_key *key = NULL;
    struct mg_error error = {""};
    struct key_info info = {.purpose = KEY_MINTING,
                            .role = WIRE_ISSUER_OFFERED,
                            .type = type,
                            .created = 1,
                            .label = "Corp CA",
                            .token = {{seed}},
                            .holder = "hsm"};
    if (token_keys_make(&f.tokens, &info, &key, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return key;
}

static void test_evidence_of_a_key_is_read_from_the_token(void **state)
{
    static struct token_answer answer;
    struct wire_token_identity identity;
    struct mg_error error = {""};
    (void)state;
    const struct keystore_key *key = make(WIRE_KEY_EC_P256, 1);
    assert_int_equal(token_keys_attributes(&f.tokens, key, &answer, &error), MG_OK);
    assert_int_equal(token_attributes_check(&answer.reply.attributes, &error), MG_OK);
    assert_true(mg_slice_equal(answer.reply.attributes.label, mg_slice_of_text("Corp CA")));
    assert_int_equal(token_supervisor_identity(f.tokens.supervisor, 0, &answer, &identity, &error), MG_OK);
    assert_true(mg_slice_equal(identity.label, mg_slice_of_text("one")) && identity.serial.len > 0);
}

static void test_evidence_of_another_key_under_this_id_is_refused(void **state)
{
    static struct token_answer answer;
    const struct keystore_key *other;
    (void)state;
    const struct keystore_key *key = make(WIRE_KEY_EC_P256, 1);
    struct key_info info = key->info;
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    assert_int_equal(keystore_destroy(f.tokens.store, &key->info.id, NULL), MG_OK);
    assert_int_equal(keystore_add_held(f.tokens.store, &info, pkey, &other, NULL), MG_OK);
    assert_int_equal(token_keys_attributes(&f.tokens, other, &answer, NULL), MG_DENIED);
    EVP_PKEY_free(pkey);
}

static void test_very_key_signs_a_nonce(void **state)
{
    uint8_t nonce[32] = {1, 2, 3}, signature[WIRE_TOKEN_MAX_SIGNATURE];
    size_t len;
    (void)state;
    static const enum wire_key_type types[] = {WIRE_KEY_EC_P384, WIRE_KEY_RSA_2048};
    for (uint8_t i = 0; i < 2; i++) {
        const struct keystore_key *key = make(types[i], (uint8_t)(i + 1));
        struct mg_error error = {""};
        if (token_keys_sign(&f.tokens, key, WIRE_TOKEN_SHA256, mg_slice_of(nonce, 32), signature, &len, &error) !=
            MG_OK) {
            fail_msg("%s", error.text);
        }
        fault_set("C_Sign wrong\n");
        assert_int_equal(
            token_keys_sign(&f.tokens, key, WIRE_TOKEN_SHA256, mg_slice_of(nonce, 32), signature, &len, NULL),
            MG_DENIED);
        fault_set("");
    }
}

static void test_destroyed_key_is_gone_and_unknown_tokens_are_told(void **state)
{
    static struct token_answer answer;
    (void)state;
    const struct keystore_key *key = make(WIRE_KEY_EC_P256, 1);
    assert_int_equal(token_keys_destroy(&f.tokens, key, NULL), MG_OK);
    assert_int_equal(token_keys_destroy(&f.tokens, key, NULL), MG_OK);
    assert_int_equal(token_keys_attributes(&f.tokens, key, &answer, NULL), MG_NOT_FOUND);
    struct token_store none = {.store = f.tokens.store};
    assert_int_equal(token_keys_destroy(&none, key, NULL), MG_NOT_FOUND);
}

/* The backend */

static struct backend_job jobs[4 * BACKEND_MAX_BATCH];
static size_t num_done, num_signed;

static void on_done(struct backend_job *job)
{
    num_done++;
    num_signed += job->signature_len > 0;
}

static size_t send_turns(const struct backend_key *key, size_t first)
{
    struct backend_job *pointers[BACKEND_MAX_BATCH];
    while (first + key->type->turn <= MG_ARRAY_LEN(jobs) && f.backend->ops->has_room(f.session, key)) {
        for (size_t i = 0; i < key->type->turn; i++) {
            jobs[first + i] = (struct backend_job){.digest = {(uint8_t)i}, .done = on_done};
            pointers[i] = &jobs[first + i];
        }
        f.backend->ops->sign(f.session, key, pointers, key->type->turn);
        first += key->type->turn;
    }
    return first;
}

static void wait_for_results(size_t wanted)
{
    struct pollfd fd = {.fd = f.backend->ops->poll_fd(f.session), .events = POLLIN};
    for (time_t limit = time(NULL) + PATIENCE_SECONDS; num_done < wanted;) {
        assert_true(time(NULL) < limit);
        (void)poll(&fd, 1, 1000);
        f.backend->ops->ready(f.session);
    }
}

static void test_work_beyond_the_window_is_told_to_wait(void **state)
{
    struct backend_key *key;
    (void)state;
    const struct keystore_key *held = make(WIRE_KEY_EC_P256, 1);
    num_done = num_signed = 0;
    assert_int_equal(backend_pkcs11_add_key(f.backend, 0, &held->info.id, held->pkey, &key, NULL), MG_OK);
    f.backend->ops->ready(f.session); /* the news that the token is up */
    fault_set("C_Sign delay 20\n");
    size_t num_sent = send_turns(key, 0);
    assert_int_equal(num_sent, BACKEND_PKCS11_WINDOW);
    assert_int_not_equal(backend_pkcs11_oldest_ns(f.backend, 0), 0);
    fault_set("");
    wait_for_results(num_sent);
    assert_true(f.backend->ops->has_room(f.session, key));
    assert_int_equal(num_signed, num_sent);
    assert_int_equal(backend_pkcs11_oldest_ns(f.backend, 0), 0);
    f.backend->ops->key_free(key);
}

static void test_work_for_a_token_that_is_not_up_is_answered_at_once(void **state)
{
    struct backend_key *key;
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    struct wire_key_id id = {{1}};
    struct backend_job job = {.done = on_done}, *pointer = &job;
    (void)state;
    num_done = num_signed = 0;
    assert_int_equal(backend_pkcs11_add_key(f.backend, 0, &id, pkey, &key, NULL), MG_OK);
    assert_true(f.backend->ops->has_room(f.session, key)); /* no news was read */
    f.backend->ops->sign(f.session, key, &pointer, 1);
    assert_true(num_done == 1 && job.signature_len == 0 && job.is_busy);
    f.backend->ops->key_free(key);
    EVP_PKEY_free(pkey);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_evidence_of_a_key_is_read_from_the_token),
        TEST(test_evidence_of_another_key_under_this_id_is_refused),
        TEST(test_very_key_signs_a_nonce),
        TEST(test_destroyed_key_is_gone_and_unknown_tokens_are_told),
        TEST(test_work_beyond_the_window_is_told_to_wait),
        TEST(test_work_for_a_token_that_is_not_up_is_answered_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
