/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load_sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/ssl.h>

static SSL_CTX *ctx;

static int set_up(void **state)
{
    (void)state;
    ctx = SSL_CTX_new(TLS_method());
    return ctx == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    SSL_CTX_free(ctx);
    return 0;
}

static SSL_SESSION *session_of(uint16_t version)
{
    SSL_SESSION *session = SSL_SESSION_new(ctx);
    assert_non_null(session);
    assert_true(SSL_SESSION_set_protocol_version(session, version));
    return session;
}

static void assert_taken(struct load_sessions *sessions, uint64_t name, const SSL_SESSION *expected)
{
    SSL_SESSION *taken = load_sessions_take(sessions, name);
    assert_ptr_equal(taken, expected);
    SSL_SESSION_free(taken);
}

static void test_a_session_of_tls13_is_used_once_the_newest_first(void **state)
{
    (void)state;
    struct load_sessions sessions;
    SSL_SESSION *kept[3];
    assert_true(load_sessions_init(&sessions, 2));
    for (size_t i = 0; i < 3; i++) {
        kept[i] = session_of(TLS1_3_VERSION);
        assert_true(load_sessions_keep(&sessions, 1, kept[i]));
    }
    assert_taken(&sessions, 0, NULL);
    assert_taken(&sessions, 1, kept[2]);
    assert_taken(&sessions, 1, kept[1]);
    assert_taken(&sessions, 1, NULL); /* the first one made room */
    load_sessions_free(&sessions);
}

static void test_a_session_of_tls12_is_used_again(void **state)
{
    (void)state;
    struct load_sessions sessions;
    SSL_SESSION *session = session_of(TLS1_2_VERSION);
    assert_true(load_sessions_init(&sessions, 1));
    assert_true(load_sessions_keep(&sessions, 0, session));
    assert_taken(&sessions, 0, session);
    assert_taken(&sessions, 0, session);
    load_sessions_free(&sessions);
}

static void test_a_name_that_does_not_come_again_keeps_none(void **state)
{
    (void)state;
    struct load_sessions none = {.num_names = 0}, one;
    SSL_SESSION *session = session_of(TLS1_3_VERSION);
    assert_true(load_sessions_init(&one, 1));
    assert_false(load_sessions_keep(&one, 1, session));
    assert_false(load_sessions_keep(&none, 0, session));
    assert_null(load_sessions_take(&one, 1));
    SSL_SESSION_free(session);
    load_sessions_free(&one);
    load_sessions_free(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_of_tls13_is_used_once_the_newest_first),
        cmocka_unit_test(test_a_session_of_tls12_is_used_again),
        cmocka_unit_test(test_a_name_that_does_not_come_again_keeps_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
