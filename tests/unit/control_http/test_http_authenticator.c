/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "../hsm/temp_dir.h"
#include "base/clock.h"
#include "base/file.h"
#include "control/http/authenticator.h"
#include "control/http/credentials.h"
#include "http_fixture.h"
#include "jwt_maker.h"

#define PASSWORD "correct horse battery"
#define SECONDS(n) (FIXTURE_START_NS + (uint64_t)(n)*MG_NS_PER_SECOND)

static const char *const audiences[] = {"https://api.zscaler.com", NULL};
static sqlite3 *db;
static struct authenticator *authenticator;
static char first_file[PATH_MAX];
static struct authenticator_grant grant;

static int set_up(void **state)
{
    if (temp_dir_make(state) != 0) {
        return -1;
    }
    db = fixture_database();
    snprintf(first_file, sizeof(first_file), "%s", temp_path("first"));
    struct authenticator_config config = {.db = db, .first_credential_file = first_file, .audiences = audiences};
    return credentials_user_create(db, "alice", HTTP_ROLE_OPERATOR, mg_slice_of_text(PASSWORD), NULL) == MG_OK &&
                   authenticator_new(&authenticator, &config, NULL) == MG_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    authenticator_free(authenticator);
    sqlite3_close(db);
    return temp_dir_remove(state);
}

static struct http_caller caller_at(uint64_t seconds)
{
    return (struct http_caller){.address = "192.0.2.1",
                                .monotonic_ns = SECONDS(seconds),
                                .wall_us = (FIXTURE_WALL_SECONDS + (int64_t)seconds) * 1000000};
}

static enum mg_status login(const char *user, const char *password, uint64_t seconds)
{
    struct http_caller caller = caller_at(seconds);
    struct authenticator_login what = {.user = user, .password = mg_slice_of_text(password), .reach = REACH_ZIA};
    struct mg_error error = {""};
    enum mg_status status = authenticator_login(authenticator, &caller, &what, &grant, &error);
    assert_null(strstr(error.text, password));
    return status;
}

static enum mg_status identify_in(unsigned reach, enum ticket_kind kind, const char *text, struct http_identity *out)
{
    struct http_caller caller = caller_at(1);
    return authenticator_identify(authenticator, &caller, kind, mg_slice_of_text(text), reach, out, NULL);
}

static enum mg_status identify(enum ticket_kind kind, const char *text, struct http_identity *out)
{
    return identify_in(REACH_ZIA, kind, text, out);
}

/* ---- users ---- */

static void test_a_login_gives_a_session_with_the_users_role(void **state)
{
    (void)state;
    struct http_identity identity;
    assert_int_equal(login("alice", PASSWORD, 0), MG_OK);
    assert_string_equal(grant.identity.name, "user:alice");
    assert_int_equal(identify(TICKET_SESSION, grant.ticket, &identity), MG_OK);
    assert_string_equal(identity.name, "user:alice");
    assert_int_equal(identity.role, HTTP_ROLE_OPERATOR);
    assert_int_equal(identify(TICKET_TOKEN, grant.ticket, &identity), MG_DENIED);
    authenticator_end(authenticator, TICKET_SESSION, mg_slice_of_text(grant.ticket));
    assert_int_equal(identify(TICKET_SESSION, grant.ticket, &identity), MG_DENIED);
}

static void test_a_session_ends_with_any_change_of_its_user(void **state)
{
    (void)state;
    struct http_identity identity;
    for (int change = 0; change < 4; change++) {
        assert_int_equal(login("alice", PASSWORD, 0), MG_OK);
        assert_int_equal(identify(TICKET_SESSION, grant.ticket, &identity), MG_OK);
        switch (change) {
        case 0:
            assert_int_equal(credentials_user_set_role(db, "alice", HTTP_ROLE_AUDITOR, NULL), MG_OK);
            break;
        case 1:
            assert_int_equal(credentials_user_set_password(db, "alice", mg_slice_of_text(PASSWORD), NULL), MG_OK);
            break;
        case 2:
            assert_int_equal(credentials_user_set_disabled(db, "alice", true, NULL), MG_OK);
            assert_int_equal(identify(TICKET_SESSION, grant.ticket, &identity), MG_DENIED);
            assert_int_equal(login("alice", PASSWORD, 0), MG_DENIED);
            assert_int_equal(credentials_user_set_disabled(db, "alice", false, NULL), MG_OK);
            break;
        default:
            assert_int_equal(credentials_user_delete(db, "alice", NULL), MG_OK);
            break;
        }
        assert_int_equal(identify(TICKET_SESSION, grant.ticket, &identity), MG_DENIED);
    }
}

static void test_guessing_is_slowed_for_known_and_unknown_users_alike(void **state)
{
    (void)state;
    static const char *const users[] = {"alice", "nobody"};
    for (size_t i = 0; i < MG_ARRAY_LEN(users); i++) {
        for (int guess = 0; guess < 4; guess++) {
            assert_int_equal(login(users[i], "wrong wrong wrong", 0), MG_DENIED);
        }
        assert_int_equal(login(users[i], "wrong wrong wrong", 0), MG_LIMIT);
        assert_int_equal(grant.retry_after, 1);
        assert_int_equal(login(users[i], PASSWORD, 0), MG_LIMIT); /* even the right one */
        assert_int_equal(login(users[i], "wrong wrong wrong", 1), MG_DENIED);
        assert_int_equal(login(users[i], "wrong wrong wrong", 2), MG_LIMIT);
        assert_int_equal(grant.retry_after, 1);
    }
    assert_int_equal(login("alice", PASSWORD, 3), MG_OK);
    assert_int_equal(login("alice", "wrong wrong wrong", 3), MG_DENIED); /* counted from the beginning */
    assert_int_equal(login("alice", PASSWORD, 3), MG_OK);
}

static atomic_int num_denied, num_slowed;

static void *guess_once(void *arg)
{
    struct http_caller caller = caller_at(0);
    struct authenticator_login what = {.user = "alice", .password = mg_slice_of_text("wrong wrong wrong")};
    struct authenticator_grant mine;
    (void)arg;
    enum mg_status status = authenticator_login(authenticator, &caller, &what, &mine, NULL);
    atomic_fetch_add(status == MG_DENIED ? &num_denied : &num_slowed, 1);
    return NULL;
}

static void test_a_crowd_of_guesses_does_not_slip_in_before_the_first_failure(void **state)
{
    (void)state;
    pthread_t threads[24];
    atomic_store(&num_denied, 0);
    atomic_store(&num_slowed, 0);
    for (size_t i = 0; i < MG_ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, guess_once, NULL), 0);
    }
    for (size_t i = 0; i < MG_ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    /* Four that are free of a wait, and one that was being hashed beside the fourth. */
    assert_in_range(atomic_load(&num_denied), 4, 4 + AUTHENTICATOR_HASHES - 1);
    assert_int_equal(atomic_load(&num_denied) + atomic_load(&num_slowed), MG_ARRAY_LEN(threads));
}

static void test_the_first_credential_is_used_up_by_its_login(void **state)
{
    (void)state;
    char password[64] = "";
    struct mg_buffer file;
    struct http_identity identity;
    assert_int_equal(credentials_user_delete(db, "alice", NULL), MG_OK);
    assert_int_equal(credentials_first_start(db, first_file, NULL), MG_OK);
    mg_buffer_init(&file, 1024);
    assert_int_equal(mg_file_read(first_file, &file, NULL), MG_OK);
    mg_buffer_append_u8(&file, '\0');
    assert_int_equal(sscanf((const char *)file.data, "user: admin\npassword: %63s", password), 1);
    mg_buffer_free(&file);
    assert_int_equal(login("admin", "wrong wrong wrong", 0), MG_DENIED);
    assert_int_equal(access(first_file, F_OK), 0);
    assert_int_equal(login("admin", password, 0), MG_OK);
    assert_int_equal(access(first_file, F_OK), -1);
    assert_int_equal(identify(TICKET_SESSION, grant.ticket, &identity), MG_OK);
    assert_int_equal(identity.role, HTTP_ROLE_ADMIN);
    assert_int_equal(login("admin", password, 0), MG_DENIED);
}

static enum mg_status verify(const char *user, const char *password, struct http_identity *out)
{
    struct http_caller caller = caller_at(0);
    return authenticator_verify(authenticator, &caller, user, mg_slice_of_text(password), out, NULL);
}

static void test_a_password_that_comes_with_each_request_names_its_user(void **state)
{
    (void)state;
    struct http_identity identity;
    assert_int_equal(verify("alice", PASSWORD, &identity), MG_OK);
    assert_string_equal(identity.name, "user:alice");
    assert_int_equal(identity.role, HTTP_ROLE_OPERATOR);
    assert_int_equal(verify("alice", "wrong wrong wrong", &identity), MG_DENIED);
    assert_int_equal(verify("nobody", PASSWORD, &identity), MG_DENIED);
    assert_int_equal(credentials_user_set_disabled(db, "alice", true, NULL), MG_OK);
    assert_int_equal(verify("alice", PASSWORD, &identity), MG_DENIED);
}

/* It would be used up by the first of many requests, and nobody could come in any more. */
static void test_a_password_for_one_login_is_none_for_requests_and_stays(void **state)
{
    (void)state;
    char password[64] = "";
    struct mg_buffer file;
    struct http_identity identity;
    struct http_caller caller = caller_at(0);
    assert_int_equal(credentials_user_delete(db, "alice", NULL), MG_OK);
    assert_int_equal(credentials_first_start(db, first_file, NULL), MG_OK);
    mg_buffer_init(&file, 1024);
    assert_int_equal(mg_file_read(first_file, &file, NULL), MG_OK);
    mg_buffer_append_u8(&file, '\0');
    assert_int_equal(sscanf((const char *)file.data, "user: admin\npassword: %63s", password), 1);
    mg_buffer_free(&file);
    assert_int_equal(verify("admin", password, &identity), MG_DENIED);
    assert_int_equal(authenticator_token_by_password(authenticator, &caller, "admin", mg_slice_of_text(password),
                                                     REACH_ZIA, &grant, NULL),
                     MG_DENIED);
    assert_int_equal(access(first_file, F_OK), 0);
    assert_int_equal(login("admin", password, 0), MG_OK);
}

static void test_a_users_password_gives_a_token(void **state)
{
    (void)state;
    struct http_identity identity;
    struct http_caller caller = caller_at(0);
    assert_int_equal(authenticator_token_by_password(authenticator, &caller, "alice", mg_slice_of_text(PASSWORD),
                                                     REACH_ZIA, &grant, NULL),
                     MG_OK);
    assert_int_equal(identify(TICKET_TOKEN, grant.ticket, &identity), MG_OK);
    assert_string_equal(identity.name, "user:alice");
    assert_int_equal(identify(TICKET_SESSION, grant.ticket, &identity), MG_DENIED);
    assert_int_equal(credentials_user_set_role(db, "alice", HTTP_ROLE_AUDITOR, NULL), MG_OK);
    assert_int_equal(identify(TICKET_TOKEN, grant.ticket, &identity), MG_DENIED);
}

/* What the hooks were told, one a line. */
static char told[256];

static void tell(const char *what, const char *who)
{
    size_t len = strlen(told);
    snprintf(told + len, sizeof(told) - len, "%s %s\n", what, who);
}

static void hear_denied(void *arg, const struct http_caller *caller, const char *who)
{
    assert_ptr_equal(arg, told);
    assert_string_equal(caller->address, "192.0.2.1");
    tell("denied", who);
}

static enum mg_status hear_use_up(void *arg, const struct http_caller *caller, const char *user, struct mg_error *error)
{
    assert_ptr_equal(arg, told);
    assert_string_equal(caller->address, "192.0.2.1");
    tell("used up", user);
    return credentials_use_up(db, user, error);
}

static void test_hooks_hear_of_failures_and_of_the_first_credential(void **state)
{
    (void)state;
    struct authenticator_config config = {.db = db, .hooks = {told, hear_use_up, hear_denied}, .audiences = audiences};
    authenticator_free(authenticator);
    assert_int_equal(authenticator_new(&authenticator, &config, NULL), MG_OK);
    told[0] = '\0';
    assert_int_equal(login("alice", "wrong wrong wrong", 0), MG_DENIED);
    assert_int_equal(login("a password", "wrong wrong wrong", 0), MG_DENIED);
    assert_int_equal(login("alice", PASSWORD, 0), MG_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE credential_users SET one_time = 1", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(login("alice", PASSWORD, 0), MG_OK);
    assert_int_equal(login("alice", PASSWORD, 0), MG_DENIED);
    assert_string_equal(told, "denied user:alice\ndenied \nused up alice\ndenied user:alice\n");
}

static enum mg_status login_by_key(const char *key, int64_t timestamp_ms, const char *password)
{
    struct http_caller caller = caller_at(0);
    struct authenticator_login what = {.user = "alice",
                                       .password = mg_slice_of_text(password),
                                       .obfuscated_key = mg_slice_of_text(key),
                                       .timestamp_ms = timestamp_ms};
    return authenticator_login(authenticator, &caller, &what, &grant, NULL);
}

static void test_a_legacy_login_needs_key_password_and_the_time(void **state)
{
    (void)state;
    char key[API_KEY_MAX + 1];
    assert_int_equal(login_by_key("GDGDECFDKDJD", INT64_C(1795247636342), PASSWORD), MG_DENIED);
    assert_int_equal(credentials_api_key_create(db, "lab", "ABCDEFGHIJKL", key, NULL), MG_OK);
    assert_int_equal(login_by_key("GDGDECFDKDJD", INT64_C(1795247636342), PASSWORD), MG_OK);
    assert_int_equal(login_by_key("GDGDECFDKDJX", INT64_C(1795247636342), PASSWORD), MG_DENIED);
    assert_int_equal(login_by_key("GDGDECFDKDJD", INT64_C(1795247636342), "wrong wrong wrong"), MG_DENIED);
    assert_int_equal(login_by_key("GDGDECFDKDJD", INT64_C(1795246636342), PASSWORD), MG_DENIED); /* stale */
    assert_int_equal(login_by_key("", INT64_C(1795247636342), PASSWORD), MG_DENIED);
}

/* ---- clients ---- */

static enum mg_status token(const char *id, const char *secret, uint64_t seconds)
{
    struct http_caller caller = caller_at(seconds);
    return authenticator_token_by_secret(authenticator, &caller, id, mg_slice_of_text(secret), &grant, NULL);
}

static void test_a_clients_secret_gives_a_token(void **state)
{
    (void)state;
    char secret[CLIENT_SECRET_LEN];
    struct http_identity identity;
    assert_int_equal(credentials_client_create(db, "c1", HTTP_ROLE_AUDITOR, REACH_ALL, secret, NULL), MG_OK);
    assert_int_equal(token("c1", secret, 0), MG_OK);
    assert_int_equal(identify(TICKET_TOKEN, grant.ticket, &identity), MG_OK);
    assert_string_equal(identity.name, "client:c1");
    assert_int_equal(identity.role, HTTP_ROLE_AUDITOR);
    assert_int_equal(token("c1", "wrong", 0), MG_DENIED);
    assert_int_equal(token("c2", secret, 0), MG_DENIED);
    assert_int_equal(credentials_client_set_disabled(db, "c1", true, NULL), MG_OK);
    assert_int_equal(identify(TICKET_TOKEN, grant.ticket, &identity), MG_DENIED);
    assert_int_equal(token("c1", secret, 0), MG_DENIED);
}

static void test_sessions_and_tokens_count_in_their_families_alone(void **state)
{
    (void)state;
    char secret[CLIENT_SECRET_LEN];
    struct http_identity identity;
    assert_int_equal(login("alice", PASSWORD, 0), MG_OK);
    for (unsigned reach = REACH_SAP; reach <= REACH_MINTGATE; reach <<= 1) {
        assert_int_equal(identify_in(reach, TICKET_SESSION, grant.ticket, &identity), MG_DENIED);
    }
    assert_int_equal(identify(TICKET_SESSION, grant.ticket, &identity), MG_OK); /* asking elsewhere ends nothing */
    assert_int_equal(credentials_client_create(db, "c1", HTTP_ROLE_AUDITOR, 0, secret, NULL), MG_INVALID);
    assert_int_equal(credentials_client_create(db, "c1", HTTP_ROLE_AUDITOR, REACH_ALL + 1, secret, NULL), MG_INVALID);
    assert_int_equal(credentials_client_create(db, "c1", HTTP_ROLE_AUDITOR, REACH_SAP | REACH_MINTGATE, secret, NULL),
                     MG_OK);
    assert_int_equal(token("c1", secret, 0), MG_OK);
    assert_int_equal(identify_in(REACH_SAP, TICKET_TOKEN, grant.ticket, &identity), MG_OK);
    assert_int_equal(identify_in(REACH_MINTGATE, TICKET_TOKEN, grant.ticket, &identity), MG_OK);
    assert_int_equal(identify_in(REACH_ZIA, TICKET_TOKEN, grant.ticket, &identity), MG_DENIED);
    assert_int_equal(identify_in(REACH_SECUROSYS, TICKET_TOKEN, grant.ticket, &identity), MG_DENIED);
}

static void test_failures_in_a_clients_name_hold_up_only_their_address(void **state)
{
    (void)state;
    char secret[CLIENT_SECRET_LEN];
    assert_int_equal(credentials_client_create(db, "c1", HTTP_ROLE_AUDITOR, REACH_ALL, secret, NULL), MG_OK);
    for (int i = 0; i < 21; i++) {
        assert_int_equal(token("c1", "wrong", 0), MG_DENIED);
    }
    assert_int_equal(token("c1", secret, 0), MG_LIMIT);
    assert_int_equal(grant.retry_after, 1);
    struct http_caller elsewhere = caller_at(0);
    snprintf(elsewhere.address, sizeof(elsewhere.address), "192.0.2.2");
    assert_int_equal(
        authenticator_token_by_secret(authenticator, &elsewhere, "c1", mg_slice_of_text(secret), &grant, NULL), MG_OK);
}

static const char *make_assertion(EVP_PKEY *key, const char *jti)
{
    char claims[512];
    snprintf(claims, sizeof(claims),
             "{\"iss\":\"c1\",\"sub\":\"c1\",\"aud\":\"https://api.zscaler.com\",\"exp\":%lld%s}",
             (long long)FIXTURE_WALL_SECONDS + 600, jti);
    return jwt_make(key, "{\"alg\":\"ES256\"}", claims);
}

static enum mg_status token_by(const char *id, const char *assertion, uint64_t seconds)
{
    struct http_caller caller = caller_at(seconds);
    return authenticator_token_by_assertion(authenticator, &caller, id, mg_slice_of_text(assertion), &grant, NULL);
}

static void test_a_signed_assertion_gives_a_token_once(void **state)
{
    (void)state;
    struct http_identity identity;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    assert_int_equal(credentials_client_create_with_key(db, "c1", HTTP_ROLE_ADMIN, REACH_ALL,
                                                        mg_slice_of_text(jwt_public_pem(key)), NULL),
                     MG_OK);
    const char *assertion = make_assertion(key, ",\"jti\":\"1\"");
    assert_int_equal(token_by("c1", assertion, 0), MG_OK);
    assert_int_equal(identify(TICKET_TOKEN, grant.ticket, &identity), MG_OK);
    assert_int_equal(identity.role, HTTP_ROLE_ADMIN);
    assert_int_equal(token_by("c1", assertion, 0), MG_DENIED);
    assert_int_equal(token_by(NULL, make_assertion(key, ",\"jti\":\"2\""), 0), MG_OK);
    assert_int_equal(token_by("c2", make_assertion(key, ",\"jti\":\"3\""), 0), MG_DENIED);
    assert_int_equal(token_by("c1", make_assertion(other, ",\"jti\":\"4\""), 0), MG_DENIED);
    assert_int_equal(token_by("c1", make_assertion(key, ",\"jti\":\"4\""), 0),
                     MG_OK); /* the forged one left no trace */
    assert_int_equal(token_by("c1", make_assertion(key, ",\"jti\":\"5\""), 600), MG_DENIED); /* expired */
    assert_int_equal(token_by("c1", "nonsense", 0), MG_DENIED);
    /* The vendor's clients send no jti, and two of them may start within one second. */
    assertion = make_assertion(key, "");
    assert_int_equal(token_by("c1", assertion, 0), MG_OK);
    assert_int_equal(token_by("c1", assertion, 0), MG_OK);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void test_a_database_that_cannot_be_asked_is_no_failed_login(void **state)
{
    (void)state;
    struct http_identity identity;
    assert_int_equal(login("alice", PASSWORD, 0), MG_OK);
    char session[TICKET_TEXT_LEN];
    memcpy(session, grant.ticket, sizeof(session));
    assert_int_equal(sqlite3_exec(db, "ALTER TABLE credential_users RENAME TO away", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(login("alice", PASSWORD, 0), MG_AGAIN);
    }
    assert_int_equal(identify(TICKET_SESSION, session, &identity), MG_IO);
    assert_int_equal(sqlite3_exec(db, "ALTER TABLE away RENAME TO credential_users", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(identify(TICKET_SESSION, session, &identity), MG_OK);
    assert_int_equal(login("alice", PASSWORD, 0), MG_OK);
}

static void test_logins_are_counted_by_result(void **state)
{
    (void)state;
    struct mg_buffer text;
    assert_int_equal(login("alice", PASSWORD, 0), MG_OK);
    for (int i = 0; i < 5; i++) {
        (void)!login("bob", "wrong wrong wrong", 0);
    }
    mg_buffer_init(&text, 65536);
    authenticator_metrics(authenticator, SECONDS(1), &text);
    mg_buffer_append_u8(&text, '\0');
    assert_non_null(strstr((const char *)text.data, "mintgate_control_logins_total{result=\"ok\"} 1\n"));
    assert_non_null(strstr((const char *)text.data, "mintgate_control_logins_total{result=\"denied\"} 4\n"));
    assert_non_null(strstr((const char *)text.data, "mintgate_control_logins_total{result=\"slowed\"} 1\n"));
    assert_non_null(strstr((const char *)text.data, "mintgate_control_tickets{kind=\"session\"} 1\n"));
    mg_buffer_free(&text);
}

#define LOGIN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOGIN_TEST(test_a_login_gives_a_session_with_the_users_role),
        LOGIN_TEST(test_a_session_ends_with_any_change_of_its_user),
        LOGIN_TEST(test_guessing_is_slowed_for_known_and_unknown_users_alike),
        LOGIN_TEST(test_a_crowd_of_guesses_does_not_slip_in_before_the_first_failure),
        LOGIN_TEST(test_the_first_credential_is_used_up_by_its_login),
        LOGIN_TEST(test_hooks_hear_of_failures_and_of_the_first_credential),
        LOGIN_TEST(test_a_password_that_comes_with_each_request_names_its_user),
        LOGIN_TEST(test_a_password_for_one_login_is_none_for_requests_and_stays),
        LOGIN_TEST(test_a_users_password_gives_a_token),
        LOGIN_TEST(test_a_legacy_login_needs_key_password_and_the_time),
        LOGIN_TEST(test_a_clients_secret_gives_a_token),
        LOGIN_TEST(test_sessions_and_tokens_count_in_their_families_alone),
        LOGIN_TEST(test_failures_in_a_clients_name_hold_up_only_their_address),
        LOGIN_TEST(test_a_signed_assertion_gives_a_token_once),
        LOGIN_TEST(test_a_database_that_cannot_be_asked_is_no_failed_login),
        LOGIN_TEST(test_logins_are_counted_by_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
