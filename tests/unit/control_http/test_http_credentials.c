/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

#include "../hsm/temp_dir.h"
#include "base/file.h"
#include "control/http/credentials.h"
#include "http_fixture.h"
#include "jwt_maker.h"

static sqlite3 *db;
static struct mg_error error;

static int set_up(void **state)
{
    db = fixture_database();
    error.text[0] = '\0';
    return temp_dir_make(state);
}

static int tear_down(void **state)
{
    sqlite3_close(db);
    return temp_dir_remove(state);
}

static struct mg_slice text(const char *what)
{
    return mg_slice_of_text(what);
}

#define GOOD_PASSWORD "correct horse battery"

/* ---- passwords ---- */

static void test_a_password_is_verified_against_its_record_alone(void **state)
{
    (void)state;
    char record[PASSWORD_RECORD_LEN], again[PASSWORD_RECORD_LEN];
    assert_int_equal(password_hash(text(GOOD_PASSWORD), record, NULL), MG_OK);
    assert_int_equal(password_hash(text(GOOD_PASSWORD), again, NULL), MG_OK);
    assert_string_not_equal(record, again); /* its own salt */
    assert_null(strstr(record, "horse"));
    assert_true(password_verify(text(GOOD_PASSWORD), record));
    assert_false(password_verify(text("correct horse batterz"), record));
    assert_false(password_verify(text(""), record));
    static const char *const no_records[] = {"", "scrypt$15$8$1$", "scrypt$14$8$1$00$00", GOOD_PASSWORD};
    for (size_t i = 0; i < MG_ARRAY_LEN(no_records); i++) {
        assert_false(password_verify(text(GOOD_PASSWORD), no_records[i]));
    }
    assert_false(password_verify(text(GOOD_PASSWORD), NULL));
    record[20] = 'x'; /* no hexadecimal digit */
    assert_false(password_verify(text(GOOD_PASSWORD), record));
}

static void test_short_and_endless_passwords_are_refused(void **state)
{
    (void)state;
    char record[PASSWORD_RECORD_LEN], longest[PASSWORD_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[PASSWORD_MAX + 1] = '\0';
    assert_int_equal(password_hash(text("eleven char"), record, &error), MG_INVALID);
    assert_null(strstr(error.text, "eleven"));
    assert_int_equal(password_hash(text(longest), record, NULL), MG_INVALID);
    assert_false(password_verify(text(longest), NULL));
}

/* ---- users ---- */

static int64_t stamp_of(const char *name)
{
    struct credentials_user user;
    assert_int_equal(credentials_user_get(db, name, &user, NULL, NULL), MG_OK);
    return user.stamp;
}

static void test_a_user_is_made_changed_and_removed(void **state)
{
    (void)state;
    struct credentials_user user;
    char record[PASSWORD_RECORD_LEN];
    assert_int_equal(credentials_user_create(db, "alice", HTTP_ROLE_OPERATOR, text(GOOD_PASSWORD), NULL), MG_OK);
    assert_int_equal(credentials_user_get(db, "alice", &user, record, NULL), MG_OK);
    assert_true(user.role == HTTP_ROLE_OPERATOR && !user.is_disabled && !user.is_one_time && user.has_password);
    assert_true(password_verify(text(GOOD_PASSWORD), record));
    assert_int_equal(credentials_user_create(db, "alice", HTTP_ROLE_ADMIN, text(GOOD_PASSWORD), &error), MG_EXISTS);
    assert_string_equal(error.text, "user alice: exists already");
    assert_int_equal(credentials_user_delete(db, "alice", NULL), MG_OK);
    assert_int_equal(credentials_user_delete(db, "alice", &error), MG_NOT_FOUND);
    assert_int_equal(credentials_user_get(db, "alice", &user, NULL, NULL), MG_NOT_FOUND);
    assert_int_equal(credentials_user_set_role(db, "alice", HTTP_ROLE_ADMIN, NULL), MG_NOT_FOUND);
    assert_int_equal(credentials_user_set_disabled(db, "alice", true, NULL), MG_NOT_FOUND);
    assert_int_equal(credentials_user_set_password(db, "alice", text(GOOD_PASSWORD), NULL), MG_NOT_FOUND);
}

static void test_every_change_of_a_user_changes_its_stamp(void **state)
{
    (void)state;
    assert_int_equal(credentials_user_create(db, "alice", HTTP_ROLE_OPERATOR, text(GOOD_PASSWORD), NULL), MG_OK);
    int64_t stamps[5] = {stamp_of("alice")};
    assert_int_equal(credentials_user_set_role(db, "alice", HTTP_ROLE_ADMIN, NULL), MG_OK);
    stamps[1] = stamp_of("alice");
    assert_int_equal(credentials_user_set_disabled(db, "alice", false, NULL), MG_OK);
    stamps[2] = stamp_of("alice");
    assert_int_equal(credentials_user_set_password(db, "alice", text(GOOD_PASSWORD), NULL), MG_OK);
    stamps[3] = stamp_of("alice");
    assert_int_equal(credentials_user_delete(db, "alice", NULL), MG_OK);
    assert_int_equal(credentials_user_create(db, "alice", HTTP_ROLE_OPERATOR, text(GOOD_PASSWORD), NULL), MG_OK);
    stamps[4] = stamp_of("alice");
    for (size_t i = 0; i < MG_ARRAY_LEN(stamps); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_true(stamps[i] != stamps[j]);
        }
    }
}

static void test_bad_names_and_roles_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "a b",
                                      "a\n",
                                      "a'--",
                                      "a;b",
                                      "\xc3\xa4",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 65 */};
    char secret[CLIENT_SECRET_LEN], key[API_KEY_MAX + 1];
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(credentials_user_create(db, bad[i], HTTP_ROLE_ADMIN, text(GOOD_PASSWORD), NULL), MG_INVALID);
        assert_int_equal(credentials_client_create(db, bad[i], HTTP_ROLE_ADMIN, REACH_ALL, secret, NULL), MG_INVALID);
        assert_int_equal(credentials_api_key_create(db, bad[i], NULL, key, NULL), MG_INVALID);
    }
    assert_int_equal(credentials_user_create(db, "a", HTTP_ROLE_ANONYMOUS, text(GOOD_PASSWORD), NULL), MG_INVALID);
    assert_int_equal(credentials_client_create(db, "a", (enum http_role)4, REACH_ALL, secret, NULL), MG_INVALID);
}

static void count_users(void *arg, const struct credentials_user *user)
{
    strcat(arg, user->name);
    strcat(arg, " ");
}

static void test_users_are_listed_by_name(void **state)
{
    (void)state;
    char names[256] = "";
    assert_int_equal(credentials_user_create(db, "bob@x.org", HTTP_ROLE_ADMIN, text(GOOD_PASSWORD), NULL), MG_OK);
    assert_int_equal(credentials_user_create(db, "alice", HTTP_ROLE_AUDITOR, text(GOOD_PASSWORD), NULL), MG_OK);
    assert_int_equal(credentials_user_each(db, count_users, names, NULL), MG_OK);
    assert_string_equal(names, "alice bob@x.org ");
}

/* ---- the first start ---- */

static void test_the_first_start_makes_one_credential_in_a_secret_file(void **state)
{
    (void)state;
    struct credentials_user user;
    struct mg_buffer file;
    struct stat st;
    char record[PASSWORD_RECORD_LEN], password[64] = "", name[64] = "";
    const char *path = temp_path("first-credential");
    assert_int_equal(credentials_first_start(db, path, NULL), MG_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    mg_buffer_init(&file, 1024);
    assert_int_equal(mg_file_read(path, &file, NULL), MG_OK);
    mg_buffer_append_u8(&file, '\0');
    assert_int_equal(sscanf((const char *)file.data, "user: %63s\npassword: %63s", name, password), 2);
    mg_buffer_free(&file);
    assert_string_equal(name, "admin");
    assert_int_equal(strlen(password), 32);
    assert_int_equal(credentials_user_get(db, "admin", &user, record, NULL), MG_OK);
    assert_true(user.is_one_time && user.role == HTTP_ROLE_ADMIN && password_verify(text(password), record));
    assert_int_equal(credentials_first_start(db, path, NULL), MG_EXISTS);
    assert_int_equal(credentials_use_up(db, "admin", NULL), MG_OK);
    assert_int_equal(credentials_use_up(db, "admin", NULL), MG_NOT_FOUND);
    assert_int_equal(credentials_user_get(db, "admin", &user, record, NULL), MG_OK);
    assert_true(!user.has_password && !user.is_one_time && record[0] == '\0');
}

static void test_a_first_start_that_cannot_write_makes_no_user(void **state)
{
    (void)state;
    struct credentials_user user;
    assert_int_equal(credentials_first_start(db, temp_path("no/such/directory"), NULL), MG_IO);
    assert_int_equal(credentials_user_get(db, "admin", &user, NULL, NULL), MG_NOT_FOUND);
}

/* ---- API keys ---- */

/* Computed by the vendor's published recipe (contracts.md 1.2), by hand: 747636342 ends in 636342, half is 318171. */
static void test_an_obfuscated_key_is_recomputed(void **state)
{
    (void)state;
    static const char seed[] = "ABCDEFGHIJKL";
    assert_true(obfuscated_key_matches(seed, INT64_C(1795247636342), text("GDGDECFDKDJD")));
    assert_false(obfuscated_key_matches(seed, INT64_C(1795247636343), text("GDGDECFDKDJD")));
    assert_false(obfuscated_key_matches("ABCDEFGHIJKM", INT64_C(1795247636999), text("GDGJJJFDKGLL")));
    assert_true(obfuscated_key_matches("ABCDEFGHIJKL", INT64_C(1795247636999), text("GDGJJJFDKGLL")));
    assert_true(obfuscated_key_matches(seed, INT64_C(1795247000009), text("AAAAAJCCCCCG"))); /* zeros in front */
    assert_false(obfuscated_key_matches(seed, INT64_C(1795247636342), text("GDGDECFDKDJ")));
    assert_false(obfuscated_key_matches(seed, INT64_C(1795247636342), text("GDGDECFDKDJDD")));
    assert_false(obfuscated_key_matches("ABCDEFGHIJK", INT64_C(1795247636342), text("GDGDECFDKDJD")));
    assert_false(obfuscated_key_matches(seed, -1, text("AAAAABCCCCCC")));
}

static void test_timestamps_are_fresh_for_five_minutes(void **state)
{
    (void)state;
    int64_t now_ms = INT64_C(1795247636342);
    assert_true(obfuscated_key_is_fresh(now_ms - 300000, now_ms * 1000));
    assert_true(obfuscated_key_is_fresh(now_ms + 300000, now_ms * 1000));
    assert_false(obfuscated_key_is_fresh(now_ms - 300001, now_ms * 1000));
    assert_false(obfuscated_key_is_fresh(now_ms + 300001, now_ms * 1000));
    assert_false(obfuscated_key_is_fresh(INT64_MIN, now_ms * 1000));
    assert_false(obfuscated_key_is_fresh(INT64_MAX, now_ms * 1000));
}

static void test_api_keys_are_made_or_brought_along(void **state)
{
    (void)state;
    char key[API_KEY_MAX + 1], other[API_KEY_MAX + 1];
    bool fits = true;
    assert_int_equal(credentials_api_key_create(db, "lab", NULL, key, NULL), MG_OK);
    assert_int_equal(strlen(key), API_KEY_MIN);
    assert_int_equal(credentials_api_key_create(db, "lab", NULL, other, NULL), MG_EXISTS);
    assert_int_equal(credentials_api_key_create(db, "vendor", "ABCDEFGHIJKL", other, NULL), MG_OK);
    assert_string_equal(other, "ABCDEFGHIJKL");
    assert_int_equal(credentials_api_key_create(db, "short", "ABCDEFGHIJK", other, NULL), MG_INVALID);
    assert_int_equal(credentials_api_key_create(db, "odd", "ABCDEFGHIJK!", other, NULL), MG_INVALID);
    assert_int_equal(credentials_api_key_match(db, INT64_C(1795247636342), text("GDGDECFDKDJD"), &fits, NULL), MG_OK);
    assert_true(fits);
    assert_int_equal(credentials_api_key_delete(db, "vendor", NULL), MG_OK);
    assert_int_equal(credentials_api_key_match(db, INT64_C(1795247636342), text("GDGDECFDKDJD"), &fits, NULL), MG_OK);
    assert_false(fits);
    assert_int_equal(credentials_api_key_delete(db, "vendor", NULL), MG_NOT_FOUND);
    for (int i = 1; i < CREDENTIALS_MAX_API_KEYS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "k%d", i);
        assert_int_equal(credentials_api_key_create(db, name, NULL, key, NULL), MG_OK);
    }
    assert_int_equal(credentials_api_key_create(db, "more", NULL, key, NULL), MG_LIMIT);
}

/* ---- clients ---- */

static void test_clients_from_before_reaches_count_in_all_families(void **state)
{
    (void)state;
    struct credentials_client client;
    sqlite3 *old = NULL;
    assert_int_equal(sqlite3_open(":memory:", &old), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, credentials_migrations[0], NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(old,
                                  "INSERT INTO credential_clients (id, role, secret_sha256, stamp)"
                                  " VALUES ('c1', 1, x'00', 1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(old, credentials_migrations[1], NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(credentials_client_get(old, "c1", &client, &error), MG_OK);
    assert_int_equal(client.reach, REACH_ALL);
    sqlite3_close(old);
}

static void test_a_client_proves_itself_by_its_secret(void **state)
{
    (void)state;
    struct credentials_client client;
    char secret[CLIENT_SECRET_LEN];
    EVP_PKEY *key = NULL;
    assert_int_equal(credentials_client_create(db, "c1", HTTP_ROLE_OPERATOR, REACH_ALL, secret, NULL), MG_OK);
    assert_int_equal(strlen(secret), 64);
    assert_int_equal(credentials_client_check_secret(db, "c1", text(secret), &client, NULL), MG_OK);
    assert_true(client.role == HTTP_ROLE_OPERATOR && !client.has_key && !client.is_disabled);
    assert_int_equal(credentials_client_get1_key(db, "c1", &client, &key, NULL), MG_DENIED);
    secret[0] ^= 1;
    assert_int_equal(credentials_client_check_secret(db, "c1", text(secret), &client, NULL), MG_DENIED);
    assert_int_equal(credentials_client_check_secret(db, "c1", text(""), &client, NULL), MG_DENIED);
    assert_int_equal(credentials_client_check_secret(db, "c2", text(secret), &client, NULL), MG_NOT_FOUND);
    assert_int_equal(credentials_client_create(db, "c1", HTTP_ROLE_ADMIN, REACH_ALL, secret, NULL), MG_EXISTS);
    int64_t stamp = client.stamp;
    assert_int_equal(credentials_client_set_disabled(db, "c1", true, NULL), MG_OK);
    assert_int_equal(credentials_client_get(db, "c1", &client, NULL), MG_OK);
    assert_true(client.is_disabled && client.stamp != stamp);
    assert_int_equal(credentials_client_delete(db, "c1", NULL), MG_OK);
    assert_int_equal(credentials_client_delete(db, "c1", NULL), MG_NOT_FOUND);
}

static void test_a_clients_key_must_be_strong(void **state)
{
    (void)state;
    struct credentials_client client;
    EVP_PKEY *good[] = {EVP_EC_gen("P-256"), EVP_RSA_gen(2048)};
    EVP_PKEY *bad[] = {EVP_EC_gen("P-384"), EVP_RSA_gen(1024), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        char id[8];
        EVP_PKEY *key = NULL;
        snprintf(id, sizeof(id), "k%zu", i);
        assert_int_equal(
            credentials_client_create_with_key(db, id, HTTP_ROLE_ADMIN, REACH_ALL, text(jwt_public_pem(good[i])), NULL),
            MG_OK);
        assert_int_equal(credentials_client_get1_key(db, id, &client, &key, NULL), MG_OK);
        assert_int_equal(EVP_PKEY_eq(key, good[i]), 1);
        assert_int_equal(credentials_client_check_secret(db, id, text(""), &client, NULL), MG_DENIED);
        EVP_PKEY_free(key);
        EVP_PKEY_free(good[i]);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(
            credentials_client_create_with_key(db, "x", HTTP_ROLE_ADMIN, REACH_ALL, text(jwt_public_pem(bad[i])), NULL),
            MG_INVALID);
        EVP_PKEY_free(bad[i]);
    }
    assert_int_equal(credentials_client_create_with_key(db, "x", HTTP_ROLE_ADMIN, REACH_ALL, text("no PEM"), NULL),
                     MG_INVALID);
    assert_int_equal(credentials_client_get(db, "x", &client, NULL), MG_NOT_FOUND);
}

#define CREDENTIALS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CREDENTIALS_TEST(test_a_password_is_verified_against_its_record_alone),
        CREDENTIALS_TEST(test_short_and_endless_passwords_are_refused),
        CREDENTIALS_TEST(test_a_user_is_made_changed_and_removed),
        CREDENTIALS_TEST(test_every_change_of_a_user_changes_its_stamp),
        CREDENTIALS_TEST(test_bad_names_and_roles_are_refused),
        CREDENTIALS_TEST(test_users_are_listed_by_name),
        CREDENTIALS_TEST(test_the_first_start_makes_one_credential_in_a_secret_file),
        CREDENTIALS_TEST(test_a_first_start_that_cannot_write_makes_no_user),
        CREDENTIALS_TEST(test_an_obfuscated_key_is_recomputed),
        CREDENTIALS_TEST(test_timestamps_are_fresh_for_five_minutes),
        CREDENTIALS_TEST(test_api_keys_are_made_or_brought_along),
        CREDENTIALS_TEST(test_clients_from_before_reaches_count_in_all_families),
        CREDENTIALS_TEST(test_a_client_proves_itself_by_its_secret),
        CREDENTIALS_TEST(test_a_clients_key_must_be_strong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
