/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "control/backup/key_wrap.h"

#define PASSPHRASE "a passphrase of many words"

static const uint8_t key[KEY_WRAP_KEY_LEN] = {1, 2, 3};
static struct mg_error error;
static struct mg_buffer wrapped;

static int wrap(void **state)
{
    (void)state;
    mg_buffer_init(&wrapped, KEY_WRAP_MAX_TEXT);
    return key_wrap(key, mg_slice_of_text(PASSPHRASE), mg_slice_of_text("manifest"), &wrapped, &error) == MG_OK ? 0
                                                                                                                : -1;
}

static int drop(void **state)
{
    (void)state;
    mg_buffer_free(&wrapped);
    return 0;
}

static enum mg_status unwrap(const char *passphrase, const char *manifest, uint8_t out[KEY_WRAP_KEY_LEN])
{
    return key_unwrap(mg_buffer_slice(&wrapped), mg_slice_of_text(passphrase), mg_slice_of_text(manifest), out, &error);
}

static void test_a_wrapped_key_opens_with_its_passphrase_and_manifest_alone(void **state)
{
    uint8_t out[KEY_WRAP_KEY_LEN] = {0};
    static const uint8_t untouched[KEY_WRAP_KEY_LEN];
    (void)state;
    assert_int_equal(unwrap(PASSPHRASE "x", "manifest", out), MG_DENIED);
    assert_int_equal(unwrap(PASSPHRASE, "manifesT", out), MG_DENIED);
    assert_memory_equal(out, untouched, sizeof(out));
    assert_int_equal(unwrap(PASSPHRASE, "manifest", out), MG_OK);
    assert_memory_equal(out, key, sizeof(out));
}

/* sealed_text returns where |text| stands in what was sealed. */
static char *sealed_text(const char *text)
{
    char *at = memmem(wrapped.data, wrapped.len, text, strlen(text));
    assert_non_null(at);
    return at;
}

static void test_every_part_of_what_is_sealed_counts(void **state)
{
    uint8_t out[KEY_WRAP_KEY_LEN];
    (void)state;
    static const char *const parts[] = {"\"salt\":\"", "\"nonce\":\"", "\"sealed\":\""};
    for (size_t i = 0; i < MG_ARRAY_LEN(parts); i++) {
        char *at = sealed_text(parts[i]) + strlen(parts[i]);
        char was = *at;
        *at = was == '0' ? '1' : '0';
        assert_int_equal(unwrap(PASSPHRASE, "manifest", out), MG_DENIED);
        *at = 'x';
        assert_int_equal(unwrap(PASSPHRASE, "manifest", out), MG_INVALID);
        *at = was;
    }
}

static void test_another_cost_or_no_json_is_refused_before_anything_is_computed(void **state)
{
    uint8_t out[KEY_WRAP_KEY_LEN];
    (void)state;
    char *cost = sealed_text("scrypt-17");
    cost[8] = '8';
    assert_int_equal(unwrap(PASSPHRASE, "manifest", out), MG_INVALID);
    assert_int_equal(key_unwrap(mg_slice_of_text(""), mg_slice_of_text(PASSPHRASE), mg_slice_of_text(""), out, &error),
                     MG_INVALID);
}

static void test_a_short_passphrase_is_refused(void **state)
{
    struct mg_buffer out;
    (void)state;
    mg_buffer_init(&out, KEY_WRAP_MAX_TEXT);
    assert_int_equal(key_wrap(key, mg_slice_of_text("eleven byte"), mg_slice_of_text("m"), &out, &error), MG_INVALID);
    assert_int_equal(out.len, 0);
}

static void test_the_check_tells_keys_apart(void **state)
{
    static const uint8_t other[KEY_WRAP_KEY_LEN] = {1, 2, 4};
    uint8_t one[KEY_WRAP_CHECK_LEN], same[KEY_WRAP_CHECK_LEN], another[KEY_WRAP_CHECK_LEN];
    (void)state;
    assert_int_equal(key_wrap_check(key, one, &error), MG_OK);
    assert_int_equal(key_wrap_check(key, same, &error), MG_OK);
    assert_int_equal(key_wrap_check(other, another, &error), MG_OK);
    assert_memory_equal(one, same, sizeof(one));
    assert_memory_not_equal(one, another, sizeof(one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_wrapped_key_opens_with_its_passphrase_and_manifest_alone, wrap, drop),
        cmocka_unit_test_setup_teardown(test_every_part_of_what_is_sealed_counts, wrap, drop),
        cmocka_unit_test_setup_teardown(test_another_cost_or_no_json_is_refused_before_anything_is_computed, wrap,
                                        drop),
        cmocka_unit_test(test_a_short_passphrase_is_refused),
        cmocka_unit_test(test_the_check_tells_keys_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
