/* SPDX-License-Identifier: Apache-2.0 */
/* Key-encryption key, keystore and CA certificates, over files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/file.h"
#include "hsm/ca_certificate.h"
#include "hsm/keystore.h"
#include "hsm/tbs.h"
#include "temp_dir.h"

#define NOW INT64_C(1795254060)

static const struct kek kek = {"a key-encryption key of 32 bytes"};

static struct keystore *open_store(void)
{
    struct keystore *store = NULL;
    struct mg_error error = {""};
    if (keystore_open(&store, temp_path("keys"), &kek, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    return store;
}

static const struct keystore_key *make_key(struct keystore *store, enum key_purpose purpose)
{
    const struct keystore_key *key;
    struct key_info info = {.purpose = purpose,
                            .role = purpose == KEY_MINTING ? WIRE_ISSUER_DEFAULT : 0,
                            .type = WIRE_KEY_EC_P256,
                            .created = NOW,
                            .label = "a label"};
    assert_int_equal(keystore_make(store, &info, &key, NULL), MG_OK);
    return key;
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

/* The key-encryption key */

static void test_a_key_encryption_key_is_made_once_and_read_again(void **state)
{
    (void)state;
    struct kek *made, *read;
    struct stat st;
    const char *path = temp_path("kek");
    assert_int_equal(kek_read_file(&read, path, NULL), MG_NOT_FOUND);
    assert_int_equal(kek_create(&made, path, NULL), MG_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(kek_read_file(&read, path, NULL), MG_OK);
    assert_memory_equal(made->bytes, read->bytes, KEK_LEN);
    kek_free(read);
    assert_int_equal(kek_create(&read, path, NULL), MG_EXISTS);
    kek_free(made);
}

static void test_a_key_encryption_key_that_others_may_read_is_refused(void **state)
{
    (void)state;
    struct kek *out;
    const char *path = temp_path("kek");
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of(kek.bytes, KEK_LEN), 0640, NULL), MG_OK);
    assert_int_equal(kek_read_file(&out, path, NULL), MG_DENIED);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(kek_read_file(&out, path, NULL), MG_OK);
    kek_free(out);
}

static void test_a_key_encryption_key_has_32_bytes(void **state)
{
    (void)state;
    struct kek *out;
    const char *path = temp_path("kek");
    static const uint8_t bytes[100];
    static const size_t bad[] = {0, KEK_LEN - 1, KEK_LEN + 1, sizeof(bytes)};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(mg_file_write_atomic(path, mg_slice_of(bytes, bad[i]), 0600, NULL), MG_OK);
        assert_int_equal(kek_read_file(&out, path, NULL), MG_INVALID);
    }
}

static void test_a_credential_is_read_from_systemds_directory(void **state)
{
    (void)state;
    struct kek *out;
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(kek_read_credential(&out, "kek", NULL), MG_NOT_FOUND);
    setenv("CREDENTIALS_DIRECTORY", temp_dir, 1);
    assert_int_equal(kek_read_credential(&out, "kek", NULL), MG_NOT_FOUND);
    assert_int_equal(kek_read_credential(&out, "../kek", NULL), MG_INVALID);
    assert_int_equal(kek_read_credential(&out, "", NULL), MG_INVALID);
    assert_int_equal(mg_file_write_atomic(temp_path("kek"), mg_slice_of(kek.bytes, KEK_LEN), 0440, NULL), MG_OK);
    assert_int_equal(kek_read_credential(&out, "kek", NULL), MG_OK);
    assert_memory_equal(out->bytes, kek.bytes, KEK_LEN);
    kek_free(out);
    unsetenv("CREDENTIALS_DIRECTORY");
}

/* The keystore */

static void test_keys_are_the_same_after_a_restart(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    assert_false(keystore_directory_has_keys(temp_path("keys")));
    const struct keystore_key *key = make_key(store, KEY_MINTING);
    make_key(store, KEY_PRIVATE_CA);
    struct key_info info = key->info;
    EVP_PKEY *pkey = key->pkey;
    EVP_PKEY_up_ref(pkey);
    keystore_free(store);

    assert_true(keystore_directory_has_keys(temp_path("keys")));
    store = open_store();
    assert_int_equal(keystore_num_keys(store), 2);
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        const struct keystore_key *got = keystore_get0(store, i);
        if (memcmp(&got->info.id, &info.id, sizeof(info.id)) == 0) {
            assert_int_equal(got->info.purpose, info.purpose);
            assert_int_equal(got->info.created, info.created);
            assert_string_equal(got->info.label, info.label);
            assert_int_equal(EVP_PKEY_eq(got->pkey, pkey), 1);
            assert_int_equal(got->num_chain, 0);
            found = true;
        }
    }
    assert_true(found);
    EVP_PKEY_free(pkey);
    keystore_free(store);
}

static void test_files_are_private(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *key = make_key(store, KEY_MINTING);
    struct stat st;
    assert_int_equal(stat(temp_path("keys"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(file_of(key, ".key"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    keystore_free(store);
}

static void assert_store_refused(enum mg_status expected)
{
    struct keystore *store;
    struct mg_error error = {""};
    assert_int_equal(keystore_open(&store, temp_path("keys"), &kek, &error), expected);
    assert_non_null(strstr(error.text, "/keys/")); /* it says which file */
}

static void test_a_changed_key_file_stops_the_start(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", file_of(make_key(store, KEY_MINTING), ".key"));
    keystore_free(store);
    temp_flip_byte(path, temp_file_size(path) - 1); /* body */
    assert_store_refused(MG_DENIED);
    temp_flip_byte(path, temp_file_size(path) - 1);
    temp_flip_byte(path, 30); /* header: the time of creation */
    assert_store_refused(MG_DENIED);
    temp_flip_byte(path, 30);
    keystore_free(open_store());
    assert_int_equal(chmod(path, 0644), 0);
    assert_store_refused(MG_DENIED);
}

static void test_a_key_under_another_keys_name_is_refused(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    char a[PATH_MAX], b[PATH_MAX];
    snprintf(a, sizeof(a), "%s", file_of(make_key(store, KEY_MINTING), ".key"));
    snprintf(b, sizeof(b), "%s", file_of(make_key(store, KEY_MINTING), ".key"));
    keystore_free(store);
    assert_int_equal(rename(a, b), 0);
    assert_store_refused(MG_DENIED);
}

static void test_what_a_crash_left_unfinished_is_removed(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *key = make_key(store, KEY_MINTING);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", file_of(key, ".key.new.123"));
    assert_int_equal(mg_file_write_atomic(path, mg_slice_of_text("half a k"), 0600, NULL), MG_OK);
    keystore_free(store);
    store = open_store();
    assert_int_equal(keystore_num_keys(store), 1);
    assert_int_equal(temp_file_size(path), -1);
    keystore_free(store);
}

static void test_a_full_keystore_says_so(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    for (size_t i = 0; i < KEYSTORE_MAX_KEYS; i++) {
        make_key(store, KEY_SKA);
    }
    const struct keystore_key *key;
    struct key_info info = {.purpose = KEY_SKA, .type = WIRE_KEY_EC_P256};
    assert_int_equal(keystore_make(store, &info, &key, NULL), MG_LIMIT);
    keystore_free(store);
    store = open_store();
    assert_int_equal(keystore_num_keys(store), KEYSTORE_MAX_KEYS);
    keystore_free(store);
}

static void test_a_key_is_found_by_id_and_token(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    struct key_info info = {
        .purpose = KEY_MINTING, .role = WIRE_ISSUER_OFFERED, .type = WIRE_KEY_EC_P256, .token = {"a token of 16 b"}};
    const struct keystore_key *key, *other = make_key(store, KEY_SKA);
    struct wire_control_token unknown = {"another of 16 b"};
    struct wire_key_id no_id = {{0}};
    assert_int_equal(keystore_make(store, &info, &key, NULL), MG_OK);
    assert_ptr_equal(keystore_find0(store, &key->info.id), key);
    assert_ptr_equal(keystore_find0(store, &other->info.id), other);
    assert_null(keystore_find0(store, &no_id));
    assert_ptr_equal(keystore_find0_token(store, &info.token), key);
    assert_null(keystore_find0_token(store, &unknown));
    keystore_free(store);
    store = open_store();
    assert_non_null(keystore_find0_token(store, &info.token));
    keystore_free(store);
}

static void test_keys_are_listed_in_the_order_of_their_ids(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    struct wire_key_id at = {{0}};
    size_t count = 0;
    for (int i = 0; i < 20; i++) {
        make_key(store, KEY_SKA);
    }
    for (const struct keystore_key *key; (key = keystore_next0(store, &at)) != NULL; count++) {
        assert_true(memcmp(&key->info.id, &at, sizeof(at)) > 0);
        at = key->info.id;
    }
    assert_int_equal(count, 20);
    keystore_free(store);
}

static void test_a_destroyed_key_is_gone_for_good(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *first = make_key(store, KEY_MINTING), *key = make_key(store, KEY_MINTING),
                              *last = make_key(store, KEY_MINTING);
    struct wire_key_id id = key->info.id;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", file_of(key, ".key"));
    assert_int_equal(keystore_destroy(store, &key->info.id, NULL), MG_OK);
    assert_int_equal(temp_file_size(path), -1);
    assert_null(keystore_find0(store, &id));
    assert_ptr_equal(keystore_find0(store, &first->info.id), first); /* the others stay, and stay where they are */
    assert_ptr_equal(keystore_find0(store, &last->info.id), last);
    assert_int_equal(keystore_num_keys(store), 2);
    assert_int_equal(keystore_destroy(store, &id, NULL), MG_OK); /* again: nothing to do */
    keystore_free(store);
    store = open_store();
    assert_int_equal(keystore_num_keys(store), 2);
    assert_null(keystore_find0(store, &id));
    keystore_free(store);
}

static void test_a_key_that_a_token_holds_is_recorded_by_its_public_key(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *key, *again;
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    struct key_info info = {.id = {{7}},
                            .purpose = KEY_MINTING,
                            .role = WIRE_ISSUER_OFFERED,
                            .type = WIRE_KEY_EC_P256,
                            .created = NOW,
                            .holder = "hsm-a"};
    assert_int_equal(keystore_add_held(store, &info, pkey, &key, NULL), MG_OK);
    assert_int_equal(keystore_add_held(store, &info, pkey, &again, NULL), MG_EXISTS);
    info.id.bytes[0]++;
    info.type = WIRE_KEY_RSA_2048;
    assert_int_equal(keystore_add_held(store, &info, pkey, &again, NULL), MG_INVALID);
    assert_int_equal(keystore_num_keys(store), 1);
    keystore_free(store);
    store = open_store();
    key = keystore_get0(store, 0);
    assert_string_equal(key->info.holder, "hsm-a");
    assert_int_equal(EVP_PKEY_eq(key->pkey, pkey), 1);
    BIGNUM *private_value = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key->pkey, "priv", &private_value), 0);
    assert_int_equal(keystore_destroy(store, &key->info.id, NULL), MG_OK);
    keystore_free(store);
    EVP_PKEY_free(pkey);
}

/* What a crash in the middle of keystore_destroy leaves: the next start goes on with it, and does not load the key. */
static void test_a_destruction_cut_short_is_finished_at_the_next_start(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *key = make_key(store, KEY_MINTING);
    char from[PATH_MAX], to[PATH_MAX], chain[PATH_MAX];
    snprintf(from, sizeof(from), "%s", file_of(key, ".key"));
    snprintf(to, sizeof(to), "%s", file_of(key, ".key.destroyed"));
    snprintf(chain, sizeof(chain), "%s", file_of(key, ".removed.pem"));
    assert_int_equal(mg_file_write_atomic(chain, mg_slice_of_text("a certificate"), 0600, NULL), MG_OK);
    assert_int_equal(rename(from, to), 0);
    keystore_free(store);
    store = open_store();
    assert_int_equal(keystore_num_keys(store), 0);
    assert_int_equal(temp_file_size(to), -1);
    assert_int_equal(temp_file_size(chain), -1);
    keystore_free(store);
}

/* Certificates */

static struct mg_buffer certificate;

static struct mg_slice self_sign(const struct keystore_key *key)
{
    struct ca_profile profile = {.common_name = "A Root",
                                 .not_before = NOW - 100,
                                 .not_after = NOW + 1000,
                                 .path_len = CA_CERTIFICATE_NO_PATH_LEN};
    mg_buffer_free(&certificate);
    mg_buffer_init(&certificate, KEYSTORE_MAX_CERTIFICATE);
    assert_int_equal(ca_certificate_self_sign(key, &profile, &certificate, NULL), MG_OK);
    return mg_buffer_slice(&certificate);
}

static X509 *parse(struct mg_slice der)
{
    const uint8_t *in = der.data;
    X509 *x509 = d2i_X509(NULL, &in, (long)der.len);
    assert_non_null(x509);
    return x509;
}

static void test_a_chain_is_kept_beside_its_key(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *key = make_key(store, KEY_PRIVATE_CA);
    struct mg_slice chain = self_sign(key);
    assert_int_equal(keystore_set1_chain(store, key, &chain, 1, NULL), MG_OK);
    assert_int_equal(key->num_chain, 1);
    assert_true(mg_slice_equal(key->chain[0], chain));
    keystore_free(store);
    store = open_store();
    assert_int_equal(keystore_get0(store, 0)->num_chain, 1);
    assert_true(mg_slice_equal(keystore_get0(store, 0)->chain[0], chain));
    keystore_free(store);
}

static void test_a_certificate_for_another_key_is_refused(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *key = make_key(store, KEY_PRIVATE_CA), *other = make_key(store, KEY_PRIVATE_CA);
    struct mg_slice chain = self_sign(key);
    assert_int_equal(keystore_set1_chain(store, other, &chain, 1, NULL), MG_INVALID);
    assert_int_equal(other->num_chain, 0);
    struct mg_slice broken = mg_slice_of(chain.data, chain.len - 1);
    assert_int_equal(keystore_set1_chain(store, key, &broken, 1, NULL), MG_INVALID);
    assert_int_equal(key->num_chain, 0);
    uint8_t longer[KEYSTORE_MAX_CERTIFICATE];
    memcpy(longer, chain.data, chain.len);
    longer[chain.len] = 0;
    broken = mg_slice_of(longer, chain.len + 1); /* a byte left over */
    assert_int_equal(keystore_set1_chain(store, key, &broken, 1, NULL), MG_INVALID);
    assert_int_equal(keystore_set1_chain(store, key, &chain, 1, NULL), MG_OK);
    /* The same swap behind the signer's back. */
    char from[PATH_MAX];
    snprintf(from, sizeof(from), "%s", file_of(key, ".pem"));
    assert_int_equal(rename(from, file_of(other, ".pem")), 0);
    keystore_free(store);
    assert_store_refused(MG_INVALID);
}

static void test_a_removed_key_keeps_its_certificate_and_stays_removed(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *key = make_key(store, KEY_MINTING);
    struct mg_slice chain = self_sign(key);
    assert_int_equal(keystore_set1_chain(store, key, &chain, 1, NULL), MG_OK);
    assert_false(key->is_removed);
    assert_int_equal(keystore_remove(store, key, NULL), MG_OK);
    assert_true(key->is_removed);
    assert_int_equal(keystore_remove(store, key, NULL), MG_OK); /* again: nothing to do */
    keystore_free(store);

    store = open_store();
    key = keystore_get0(store, 0);
    assert_true(key->is_removed);
    assert_true(mg_slice_equal(key->chain[0], chain));
    assert_int_equal(keystore_set1_chain(store, key, &chain, 1, NULL), MG_OK);
    assert_false(key->is_removed);
    keystore_free(store);

    store = open_store(); /* the file of its removal may still be there */
    key = keystore_get0(store, 0);
    assert_false(key->is_removed);
    assert_int_equal(keystore_remove(store, key, NULL), MG_OK);
    assert_int_equal(keystore_destroy(store, &key->info.id, NULL), MG_OK);
    keystore_free(store);
    assert_int_equal(rmdir(temp_path("keys")), 0); /* nothing of it is left */
}

static void test_a_chain_longer_than_the_bound_is_refused(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *key = make_key(store, KEY_PRIVATE_CA);
    struct mg_slice one = self_sign(key), chain[WIRE_SIGNER_MAX_CHAIN + 1];
    for (size_t i = 0; i < MG_ARRAY_LEN(chain); i++) {
        chain[i] = one;
    }
    assert_int_equal(keystore_set1_chain(store, key, chain, WIRE_SIGNER_MAX_CHAIN + 1, NULL), MG_INVALID);
    assert_int_equal(keystore_set1_chain(store, key, chain, WIRE_SIGNER_MAX_CHAIN, NULL), MG_OK);
    assert_int_equal(key->num_chain, WIRE_SIGNER_MAX_CHAIN);
    keystore_free(store);
}

static void test_an_issuer_certificate_is_below_its_root(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *root = make_key(store, KEY_PRIVATE_CA), *issuer = make_key(store, KEY_MINTING);
    struct mg_slice chain = self_sign(root);
    assert_int_equal(keystore_set1_chain(store, root, &chain, 1, NULL), MG_OK);
    struct ca_profile profile = {.common_name = "An Issuer",
                                 .not_before = NOW - 5000, /* before the root: cut */
                                 .not_after = NOW + 5000,  /* behind the root: cut */
                                 .path_len = 0,
                                 .for_servers = true};
    struct mg_buffer der;
    mg_buffer_init(&der, KEYSTORE_MAX_CERTIFICATE);
    assert_int_equal(ca_certificate_issue(root, issuer, &profile, &der, NULL), MG_OK);
    assert_int_equal(ca_certificate_check_issued(mg_buffer_slice(&der), root->chain[0], NULL), MG_OK);
    assert_int_equal(ca_certificate_check_issued(root->chain[0], mg_buffer_slice(&der), NULL), MG_INVALID);

    struct tbs tbs;
    assert_int_equal(tbs_parse_certificate(mg_buffer_slice(&der), &tbs, NULL), MG_OK);
    assert_int_equal(tbs.not_before, NOW - 100);
    assert_int_equal(tbs.not_after, NOW + 1000);
    assert_int_equal(tbs.serial.len, 16);
    X509 *x509 = parse(mg_buffer_slice(&der)), *by = parse(root->chain[0]);
    assert_int_equal(X509_get_pathlen(x509), 0);
    assert_int_equal(X509_get_pathlen(by), -1);
    assert_int_equal(X509_get_key_usage(x509), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_extended_key_usage(x509), XKU_SSL_SERVER);
    assert_true((X509_get_extension_flags(x509) & (EXFLAG_CA | EXFLAG_INVALID)) == EXFLAG_CA);
    assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(x509), X509_get0_subject_key_id(by)), 0);
    X509_free(x509);
    X509_free(by);
    mg_buffer_free(&der);
    keystore_free(store);
}

static void test_only_a_private_ca_key_certifies_issuers(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    const struct keystore_key *subject = make_key(store, KEY_MINTING);
    for (int purpose = KEY_PURPOSE_FIRST; purpose <= KEY_PURPOSE_LAST; purpose++) {
        const struct keystore_key *key = make_key(store, (enum key_purpose)purpose);
        struct mg_slice chain = self_sign(key);
        assert_int_equal(keystore_set1_chain(store, key, &chain, 1, NULL), MG_OK);
        struct ca_profile profile = {.common_name = "x", .not_before = NOW, .not_after = NOW + 1};
        struct mg_buffer der;
        mg_buffer_init(&der, KEYSTORE_MAX_CERTIFICATE);
        assert_int_equal(ca_certificate_issue(key, subject, &profile, &der, NULL),
                         purpose == KEY_PRIVATE_CA ? MG_OK : MG_DENIED);
        mg_buffer_free(&der);
    }
    keystore_free(store);
}

static void test_a_key_identifier_is_as_rfc_7093_method_1(void **state)
{
    (void)state;
    struct keystore *store = open_store();
    X509 *x509 = parse(self_sign(make_key(store, KEY_PRIVATE_CA)));
    uint8_t hash[32];
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x509);
    EVP_Digest(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), hash, NULL, EVP_sha256(), NULL);
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(x509);
    assert_int_equal(ASN1_STRING_length(id), 20);
    assert_memory_equal(ASN1_STRING_get0_data(id), hash, 20);
    X509_free(x509);
    keystore_free(store);
}

static int free_certificate(void **state)
{
    (void)state;
    mg_buffer_free(&certificate);
    return 0;
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, temp_dir_make, temp_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_a_key_encryption_key_is_made_once_and_read_again),
        STORE_TEST(test_a_key_encryption_key_that_others_may_read_is_refused),
        STORE_TEST(test_a_key_encryption_key_has_32_bytes),
        STORE_TEST(test_a_credential_is_read_from_systemds_directory),
        STORE_TEST(test_keys_are_the_same_after_a_restart),
        STORE_TEST(test_files_are_private),
        STORE_TEST(test_a_changed_key_file_stops_the_start),
        STORE_TEST(test_a_key_under_another_keys_name_is_refused),
        STORE_TEST(test_what_a_crash_left_unfinished_is_removed),
        STORE_TEST(test_a_full_keystore_says_so),
        STORE_TEST(test_a_key_is_found_by_id_and_token),
        STORE_TEST(test_keys_are_listed_in_the_order_of_their_ids),
        STORE_TEST(test_a_key_that_a_token_holds_is_recorded_by_its_public_key),
        STORE_TEST(test_a_destroyed_key_is_gone_for_good),
        STORE_TEST(test_a_destruction_cut_short_is_finished_at_the_next_start),
        STORE_TEST(test_a_chain_is_kept_beside_its_key),
        STORE_TEST(test_a_removed_key_keeps_its_certificate_and_stays_removed),
        STORE_TEST(test_a_certificate_for_another_key_is_refused),
        STORE_TEST(test_a_chain_longer_than_the_bound_is_refused),
        STORE_TEST(test_an_issuer_certificate_is_below_its_root),
        STORE_TEST(test_only_a_private_ca_key_certifies_issuers),
        STORE_TEST(test_a_key_identifier_is_as_rfc_7093_method_1),
    };
    return cmocka_run_group_tests(tests, NULL, free_certificate);
}
