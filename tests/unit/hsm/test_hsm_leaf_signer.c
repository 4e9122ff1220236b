/* SPDX-License-Identifier: Apache-2.0 */
/* Issuers from a keystore, and requests from admission to signature, without sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "hsm/ca_certificate.h"
#include "hsm/journal_files.h"
#include "hsm/leaf_signer.h"
#include "signer_fixture.h"
#include "temp_dir.h"

struct fixture {
    struct issuers_fixture issuers;
    const struct issuer *issuer;
    struct journal *journal;
    struct leaf_signer *signer;
    struct mg_buffer tbs[BACKEND_MAX_BATCH];
    struct leaf_request requests[BACKEND_MAX_BATCH];
    struct leaf_request *pointers[BACKEND_MAX_BATCH];
};

static struct fixture *f;
static unsigned num_done;

static void count_done(struct backend_job *job)
{
    (void)job;
    num_done++;
}

static void open_with(enum wire_key_type type, bool use_lanes)
{
    temp_dir_make(NULL);
    f = calloc(1, sizeof(*f));
    issuers_open(&f->issuers, type, use_lanes);
    f->issuer = issuers_with_role(&f->issuers, WIRE_ISSUER_DEFAULT);
    struct journal_config journal_config = {.directory = temp_path("journal"), .rotate_bytes = 1 << 30};
    assert_int_equal(journal_open(&f->journal, &journal_config, mg_clock_wall_us(), NULL), MG_OK);
    struct leaf_signer_config config = {.backends = {f->issuers.backend},
                                        .num_backends = 1,
                                        .journal = f->journal,
                                        .max_validity_seconds = LEAF_POLICY_DEFAULT_MAX_VALIDITY};
    assert_int_equal(leaf_signer_new(&f->signer, &config, NULL), MG_OK);
    for (size_t i = 0; i < BACKEND_MAX_BATCH; i++) {
        char name[64];
        snprintf(name, sizeof(name), "host-%zu.example.com", i);
        mg_buffer_init(&f->tbs[i], 4096);
        fixture_write_leaf(&f->tbs[i], &f->issuer->facts, name, i);
        f->pointers[i] = &f->requests[i];
        f->requests[i].job.done = count_done;
    }
    num_done = 0;
}

static void close_fixture(void)
{
    leaf_signer_free(f->signer);
    journal_close(f->journal);
    issuers_close(&f->issuers);
    for (size_t i = 0; i < BACKEND_MAX_BATCH; i++) {
        mg_buffer_free(&f->tbs[i]);
    }
    free(f);
    temp_dir_remove(NULL);
}

static int open_p256(void **state)
{
    (void)state;
    open_with(WIRE_KEY_EC_P256, true);
    return 0;
}

static int close_any(void **state)
{
    (void)state;
    close_fixture();
    return 0;
}

static void admit(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mg_error error;
        enum wire_sign_status status =
            leaf_signer_admit(f->signer, f->issuer, mg_buffer_slice(&f->tbs[i]), time(NULL), &f->requests[i], &error);
        if (status != WIRE_SIGN_OK) {
            fail_msg("%s: %s", wire_sign_status_name(status), error.text);
        }
    }
}

static struct mg_slice issuer_certificate(void)
{
    return keystore_find0_origin(f->issuers.store, KEY_ORIGIN_BUILTIN_ISSUING)->chain[0];
}

static bool is_verified(size_t i)
{
    const struct backend_job *job = &f->requests[i].job;
    return fixture_verify(issuer_certificate(), mg_buffer_slice(&f->tbs[i]),
                          mg_slice_of(job->signature, job->signature_len));
}

static void test_what_was_admitted_is_signed_with_every_key_type(void **state)
{
    (void)state;
    for (int type = WIRE_KEY_EC_P256; type <= WIRE_KEY_RSA_4096; type++) {
        for (int use_lanes = 0; use_lanes <= 1; use_lanes++) {
            open_with((enum wire_key_type)type, use_lanes == 1);
            size_t count = type <= WIRE_KEY_EC_P384 ? 20 : 9;
            admit(count);
            assert_int_equal(leaf_signer_sign(f->signer, f->pointers, count, mg_clock_wall_us(), NULL), MG_OK);
            assert_int_equal(num_done, count);
            for (size_t i = 0; i < count; i++) {
                assert_true(is_verified(i));
            }
            close_fixture();
        }
    }
}

static void test_what_is_signed_is_in_the_journal(void **state)
{
    (void)state;
    admit(3);
    assert_int_equal(leaf_signer_sign(f->signer, f->pointers, 3, mg_clock_wall_us(), NULL), MG_OK);
    struct mg_buffer text;
    char path[PATH_MAX], issuer[33];
    journal_file_path(path, temp_path("journal"), 1);
    mg_buffer_init(&text, 1 << 20);
    assert_int_equal(mg_file_read(path, &text, NULL), MG_OK);
    journal_hex(issuer, f->issuer->key_id.bytes, 16);
    assert_non_null(memmem(text.data, text.len, "\"names\":[\"host-2.example.com\"]", 30));
    assert_non_null(memmem(text.data, text.len, "\"serial\":\"55000000000000000200000000000000\"", 42));
    assert_non_null(memmem(text.data, text.len, issuer, 32));
    assert_non_null(memmem(text.data, text.len, "{\"batch\":1,\"records\":3,", 23));
    mg_buffer_free(&text);
}

/* Fail closed: no record, no signature. */
static void test_nothing_is_signed_while_the_journal_cannot_be_written(void **state)
{
    (void)state;
    struct rlimit limit = {0, RLIM_INFINITY};
    struct mg_error error = {""};
    signal(SIGXFSZ, SIG_IGN);
    admit(8);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(leaf_signer_sign(f->signer, f->pointers, 8, mg_clock_wall_us(), &error), MG_IO);
    assert_non_null(strstr(error.text, "journal"));
    assert_int_equal(num_done, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(f->requests[i].job.signature_len, 0);
    }
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    admit(8);
    assert_int_equal(leaf_signer_sign(f->signer, f->pointers, 8, mg_clock_wall_us(), NULL), MG_OK);
    assert_true(is_verified(7));
}

static void test_what_is_no_leaf_of_the_issuer_is_refused(void **state)
{
    (void)state;
    struct mg_error error;
    struct mg_slice good = mg_buffer_slice(&f->tbs[0]);
    struct mg_slice cut = mg_slice_of(good.data, good.len - 1);
    assert_int_equal(leaf_signer_admit(f->signer, f->issuer, cut, time(NULL), &f->requests[0], &error),
                     WIRE_SIGN_BAD_TBS);
    const struct issuer *other = issuers_with_role(&f->issuers, WIRE_ISSUER_UNTRUST);
    assert_int_equal(leaf_signer_admit(f->signer, other, good, time(NULL), &f->requests[0], &error),
                     WIRE_SIGN_BAD_ISSUER);
    int64_t later = time(NULL) + INT64_C(365) * 86400;
    assert_int_equal(leaf_signer_admit(f->signer, f->issuer, good, later, &f->requests[0], &error),
                     WIRE_SIGN_BAD_VALIDITY);
}

static void test_issuers_are_the_certified_minting_keys_alone(void **state)
{
    (void)state;
    const struct keystore *store = f->issuers.store;
    assert_int_equal(f->issuers.issuers->num_issuers, 2);
    for (size_t i = 0; i < keystore_num_keys(store); i++) {
        const struct keystore_key *key = keystore_get0(store, i);
        const struct issuer *issuer = issuer_set_find0(f->issuers.issuers, &key->info.id);
        assert_int_equal(issuer != NULL, key->info.purpose == KEY_MINTING);
    }
    struct wire_issuers message;
    assert_int_equal(wire_signer_decode_issuers(mg_buffer_slice(&f->issuers.issuers->packet), &message, NULL), MG_OK);
    assert_int_equal(message.num_issuers, 2);
    for (size_t i = 0; i < 2; i++) {
        bool is_default = message.issuers[i].role == WIRE_ISSUER_DEFAULT;
        assert_int_equal(message.issuers[i].num_chain, is_default ? 2 : 1);
        assert_int_equal(message.issuers[i].key_type, WIRE_KEY_EC_P256);
    }
}

/* Every purpose but minting, each as a certified key: none of them signs a leaf. */
static void test_a_key_of_another_purpose_is_no_issuer(void **state)
{
    (void)state;
    struct keystore *store = f->issuers.store;
    const struct keystore_key *root = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ROOT);
    struct issuer_set *set;
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        const struct keystore_key *key;
        struct key_info info = {.purpose = (enum key_purpose)purpose,
                                .role = purpose == KEY_MINTING ? WIRE_ISSUER_DEFAULT : 0,
                                .type = WIRE_KEY_EC_P256};
        struct ca_profile profile = {.common_name = "x", .not_before = time(NULL), .not_after = time(NULL) + 99};
        struct mg_buffer der;
        mg_buffer_init(&der, KEYSTORE_MAX_CERTIFICATE);
        assert_int_equal(keystore_make(store, &info, &key, NULL), MG_OK);
        assert_int_equal(ca_certificate_issue(root, key, &profile, &der, NULL), MG_OK);
        struct mg_slice chain = mg_buffer_slice(&der);
        assert_int_equal(keystore_set1_chain(store, key, &chain, 1, NULL), MG_OK);
        mg_buffer_free(&der);
        assert_int_equal(issuer_set_new(&set, store, &f->issuers.backends, NULL), MG_OK);
        assert_int_equal(issuer_set_find0(set, &key->info.id) != NULL, purpose == KEY_MINTING);
        issuer_set_free(set);
    }
}

static void test_more_issuers_than_an_engine_takes_are_refused(void **state)
{
    (void)state;
    struct keystore *store = f->issuers.store;
    const struct keystore_key *root = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ROOT);
    struct issuer_set *set;
    for (size_t i = 2; i <= WIRE_SIGNER_MAX_ISSUERS; i++) {
        const struct keystore_key *key;
        struct key_info info = {.purpose = KEY_MINTING, .role = WIRE_ISSUER_DEFAULT, .type = WIRE_KEY_EC_P256};
        assert_int_equal(issuer_set_new(&set, store, &f->issuers.backends, NULL), MG_OK);
        issuer_set_free(set);
        assert_int_equal(keystore_make(store, &info, &key, NULL), MG_OK);
        struct ca_profile profile = {.common_name = "x", .not_before = time(NULL), .not_after = time(NULL) + 99};
        struct mg_buffer der;
        mg_buffer_init(&der, KEYSTORE_MAX_CERTIFICATE);
        assert_int_equal(ca_certificate_issue(root, key, &profile, &der, NULL), MG_OK);
        struct mg_slice chain = mg_buffer_slice(&der);
        assert_int_equal(keystore_set1_chain(store, key, &chain, 1, NULL), MG_OK);
        mg_buffer_free(&der);
    }
    assert_int_equal(issuer_set_new(&set, store, &f->issuers.backends, NULL), MG_LIMIT);
}

#define SIGNER_TEST(name) cmocka_unit_test_setup_teardown(name, open_p256, close_any)

int main(void)
{
    mg_log_init("test", MG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_admitted_is_signed_with_every_key_type),
        SIGNER_TEST(test_what_is_signed_is_in_the_journal),
        SIGNER_TEST(test_nothing_is_signed_while_the_journal_cannot_be_written),
        SIGNER_TEST(test_what_is_no_leaf_of_the_issuer_is_refused),
        SIGNER_TEST(test_issuers_are_the_certified_minting_keys_alone),
        SIGNER_TEST(test_a_key_of_another_purpose_is_no_issuer),
        SIGNER_TEST(test_more_issuers_than_an_engine_takes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
