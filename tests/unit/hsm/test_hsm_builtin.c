/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "base/log.h"
#include "hsm/builtin.h"
#include "hsm/ca_certificate.h"
#include "hsm/leaf_policy.h"
#include "temp_dir.h"

#define NOW INT64_C(1795254060)
#define YEAR (INT64_C(365) * 86400)

static const struct kek kek = {"a key-encryption key of 32 bytes"};

static struct keystore *start(enum wire_key_type type)
{
    struct keystore *store = NULL;
    struct mg_error error = {""};
    if (keystore_open(&store, temp_path("keys"), &kek, &error) != MG_OK ||
        builtin_ensure(store, type, temp_path("root.pem"), NOW, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return store;
}

static struct tbs facts_of(const struct keystore_key *key)
{
    struct tbs tbs;
    assert_int_equal(tbs_parse_certificate(key->chain[0], &tbs, NULL), MG_OK);
    return tbs;
}

static void assert_chains(struct keystore *store, enum wire_key_type type)
{
    const struct keystore_key *root = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ROOT);
    const struct keystore_key *issuing = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ISSUING);
    const struct keystore_key *untrust = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_UNTRUST);
    assert_int_equal(keystore_num_keys(store), 3);
    assert_true(root != NULL && issuing != NULL && untrust != NULL);
    assert_int_equal(root->info.purpose, KEY_PRIVATE_CA);
    assert_int_equal(issuing->info.purpose, KEY_MINTING);
    assert_int_equal(issuing->info.role, WIRE_ISSUER_DEFAULT);
    assert_int_equal(issuing->info.type, type);
    assert_int_equal(untrust->info.purpose, KEY_MINTING);
    assert_int_equal(untrust->info.role, WIRE_ISSUER_UNTRUST);
    assert_int_equal(root->num_chain, 1);
    assert_int_equal(issuing->num_chain, 2);
    assert_true(mg_slice_equal(issuing->chain[1], root->chain[0]));
    assert_int_equal(untrust->num_chain, 1); /* never below the root that clients are given */
    assert_int_equal(ca_certificate_check_issued(root->chain[0], root->chain[0], NULL), MG_OK);
    assert_int_equal(ca_certificate_check_issued(issuing->chain[0], root->chain[0], NULL), MG_OK);
    assert_int_equal(ca_certificate_check_issued(untrust->chain[0], untrust->chain[0], NULL), MG_OK);
    assert_int_equal(ca_certificate_check_issued(untrust->chain[0], root->chain[0], NULL), MG_INVALID);
}

static void test_a_first_start_makes_root_issuer_and_untrust(void **state)
{
    (void)state;
    for (int type = WIRE_KEY_EC_P256; type <= WIRE_KEY_RSA_2048; type++) {
        temp_dir_make(NULL);
        struct keystore *store = start((enum wire_key_type)type);
        assert_chains(store, (enum wire_key_type)type);
        keystore_free(store);
        temp_dir_remove(NULL);
    }
    temp_dir_make(NULL);
}

static void test_validities_allow_for_clocks_that_differ(void **state)
{
    (void)state;
    struct keystore *store = start(WIRE_KEY_EC_P256);
    struct tbs root = facts_of(keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ROOT));
    struct tbs issuing = facts_of(keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ISSUING));
    struct tbs untrust = facts_of(keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_UNTRUST));
    assert_int_equal(root.not_before, NOW - 3600);
    assert_int_equal(root.not_after, NOW + 10 * YEAR);
    assert_int_equal(issuing.not_before, NOW - 3600);
    assert_int_equal(issuing.not_after, NOW + 3 * YEAR);
    assert_true(untrust.not_before <= NOW - 10 * YEAR); /* its leaves mimic certificates long expired */
    assert_true(untrust.not_after >= NOW + 3 * YEAR);
    keystore_free(store);
}

static void test_names_say_what_they_are_and_differ_between_installations(void **state)
{
    (void)state;
    struct keystore *store = start(WIRE_KEY_EC_P256);
    static const struct {
        enum key_origin origin;
        const char *name;
    } expected[] = {{KEY_ORIGIN_BUILTIN_ROOT, "Mintgate Root CA "},
                    {KEY_ORIGIN_BUILTIN_ISSUING, "Mintgate Issuing CA "},
                    {KEY_ORIGIN_BUILTIN_UNTRUST, "Mintgate Untrusted Issuer "}};
    for (size_t i = 0; i < MG_ARRAY_LEN(expected); i++) {
        const struct keystore_key *key = keystore_find0_origin(store, expected[i].origin);
        struct tbs tbs = facts_of(key);
        char name[64];
        snprintf(name, sizeof(name), "%s%02x%02x%02x%02x", expected[i].name, key->info.id.bytes[0],
                 key->info.id.bytes[1], key->info.id.bytes[2], key->info.id.bytes[3]);
        assert_non_null(memmem(tbs.subject.data, tbs.subject.len, name, strlen(name)));
    }
    keystore_free(store);
}

static void test_a_second_start_changes_nothing(void **state)
{
    (void)state;
    struct keystore *store = start(WIRE_KEY_EC_P256);
    const struct keystore_key *issuing = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ISSUING);
    uint8_t before[2048];
    size_t len = issuing->chain[0].len;
    memcpy(before, issuing->chain[0].data, len);
    keystore_free(store);
    store = start(WIRE_KEY_RSA_2048); /* the configured type is for keys to be made */
    assert_chains(store, WIRE_KEY_EC_P256);
    issuing = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ISSUING);
    assert_true(mg_slice_equal(issuing->chain[0], mg_slice_of(before, len)));
    keystore_free(store);
}

static const char *file_of(const struct keystore_key *key, const char *suffix)
{
    char name[64] = "keys/";
    for (size_t i = 0; i < 16; i++) {
        snprintf(name + 5 + 2 * i, 3, "%02x", key->info.id.bytes[i]);
    }
    memcpy(name + 37, suffix, strlen(suffix) + 1);
    return temp_path(name);
}

/* A crash may come between any two files: each is taken away with what was made behind it. */
static void test_a_start_that_crashed_half_way_is_completed(void **state)
{
    (void)state;
    for (size_t num_lost = 1; num_lost <= 7; num_lost++) {
        temp_dir_make(NULL);
        struct keystore *store = start(WIRE_KEY_EC_P256);
        const struct keystore_key *root = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ROOT);
        const struct keystore_key *issuing = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ISSUING);
        const struct keystore_key *untrust = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_UNTRUST);
        struct wire_key_id root_id = root->info.id;
        char made[7][PATH_MAX]; /* the last made first */
        snprintf(made[0], PATH_MAX, "%s", temp_path("root.pem"));
        snprintf(made[1], PATH_MAX, "%s", file_of(untrust, ".pem"));
        snprintf(made[2], PATH_MAX, "%s", file_of(untrust, ".key"));
        snprintf(made[3], PATH_MAX, "%s", file_of(issuing, ".pem"));
        snprintf(made[4], PATH_MAX, "%s", file_of(issuing, ".key"));
        snprintf(made[5], PATH_MAX, "%s", file_of(root, ".pem"));
        snprintf(made[6], PATH_MAX, "%s", file_of(root, ".key"));
        keystore_free(store);
        for (size_t i = 0; i < num_lost; i++) {
            assert_int_equal(unlink(made[i]), 0);
        }
        store = start(WIRE_KEY_EC_P256);
        assert_chains(store, WIRE_KEY_EC_P256);
        root = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ROOT);
        assert_int_equal(memcmp(&root->info.id, &root_id, sizeof(root_id)) == 0, num_lost < 7);
        keystore_free(store);
        temp_dir_remove(NULL);
    }
    temp_dir_make(NULL);
}

static void test_clients_are_given_the_root_alone(void **state)
{
    (void)state;
    struct keystore *store = start(WIRE_KEY_EC_P256);
    const struct keystore_key *root = keystore_find0_origin(store, KEY_ORIGIN_BUILTIN_ROOT);
    struct stat st;
    assert_int_equal(stat(temp_path("root.pem"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    FILE *file = fopen(temp_path("root.pem"), "r");
    X509 *x509 = PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(x509);
    uint8_t *der = NULL;
    int len = i2d_X509(x509, &der);
    assert_true(mg_slice_equal(mg_slice_of(der, (size_t)len), root->chain[0]));
    assert_null(PEM_read_X509(file, NULL, NULL, NULL));
    OPENSSL_free(der);
    X509_free(x509);
    fclose(file);
    keystore_free(store);
}

static void test_a_damaged_root_file_is_written_anew(void **state)
{
    (void)state;
    keystore_free(start(WIRE_KEY_EC_P256));
    long size = temp_file_size(temp_path("root.pem"));
    assert_int_equal(mg_file_write_atomic(temp_path("root.pem"), mg_slice_of_text("x"), 0644, NULL), MG_OK);
    keystore_free(start(WIRE_KEY_EC_P256));
    assert_int_equal(temp_file_size(temp_path("root.pem")), size);
}

/* Both minting issuers can be checked against by the leaf policy. */
static void test_issuers_have_what_the_leaf_policy_needs(void **state)
{
    (void)state;
    struct keystore *store = start(WIRE_KEY_EC_P384);
    for (size_t i = 0; i < keystore_num_keys(store); i++) {
        const struct keystore_key *key = keystore_get0(store, i);
        struct leaf_issuer issuer;
        assert_int_equal(leaf_issuer_from_certificate(key->chain[0], key->info.role, key->type, &issuer, NULL), MG_OK);
        assert_int_equal(issuer.ski.len, 20);
    }
    keystore_free(store);
}

#define BUILTIN_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    mg_log_init("test", MG_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_first_start_makes_root_issuer_and_untrust, temp_dir_remove),
        BUILTIN_TEST(test_validities_allow_for_clocks_that_differ),
        BUILTIN_TEST(test_names_say_what_they_are_and_differ_between_installations),
        BUILTIN_TEST(test_a_second_start_changes_nothing),
        cmocka_unit_test_teardown(test_a_start_that_crashed_half_way_is_completed, temp_dir_remove),
        BUILTIN_TEST(test_clients_are_given_the_root_alone),
        BUILTIN_TEST(test_a_damaged_root_file_is_written_anew),
        BUILTIN_TEST(test_issuers_have_what_the_leaf_policy_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
