/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/buffer.h"

static void assert_holds(const struct mg_buffer *buffer, const char *text)
{
    assert_true(mg_buffer_ok(buffer));
    assert_int_equal(buffer->len, strlen(text));
    assert_memory_equal(buffer->data, text, strlen(text));
}

static void test_an_empty_buffer_allocates_nothing(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    mg_buffer_init(&buffer, 100);
    mg_buffer_append(&buffer, NULL, 0);
    mg_buffer_append_slice(&buffer, (struct mg_slice){NULL, 0});
    assert_true(mg_buffer_ok(&buffer));
    assert_null(buffer.data);
    assert_int_equal(mg_buffer_slice(&buffer).len, 0);
    mg_buffer_free(&buffer);
}

static void test_it_holds_exactly_its_limit(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    mg_buffer_init(&buffer, 1000);
    for (int i = 0; i < 100; i++) {
        mg_buffer_append_text(&buffer, "0123456789");
    }
    assert_true(mg_buffer_ok(&buffer));
    assert_int_equal(buffer.len, 1000);
    assert_true(buffer.capacity <= 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(buffer.data[i], '0' + i % 10);
    }
    mg_buffer_append_u8(&buffer, 0);
    assert_false(mg_buffer_ok(&buffer));
    assert_int_equal(buffer.len, 1000);
    mg_buffer_free(&buffer);
}

static void test_once_failed_later_appends_do_nothing(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    mg_buffer_init(&buffer, 4);
    mg_buffer_append_text(&buffer, "ab");
    mg_buffer_append_text(&buffer, "too long");
    mg_buffer_append_text(&buffer, "c"); /* would fit */
    assert_false(mg_buffer_ok(&buffer));
    assert_int_equal(buffer.len, 2);
    mg_buffer_append(&buffer, "x", SIZE_MAX);
    assert_int_equal(buffer.len, 2);
    mg_buffer_free(&buffer);
}

static void test_clearing_keeps_the_memory_and_forgets_the_failure(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    mg_buffer_init(&buffer, 4);
    mg_buffer_append_text(&buffer, "abcd");
    mg_buffer_append_text(&buffer, "e");
    const uint8_t *data = buffer.data;
    mg_buffer_clear(&buffer);
    mg_buffer_append_text(&buffer, "fg");
    assert_holds(&buffer, "fg");
    assert_ptr_equal(buffer.data, data);
    mg_buffer_free(&buffer);
    assert_null(buffer.data);
    mg_buffer_append_text(&buffer, "hij"); /* may be used again, with the limit that it had */
    assert_holds(&buffer, "hij");
    mg_buffer_free(&buffer);
}

static void test_a_wrapped_buffer_writes_into_the_storage_and_never_beyond(void **state)
{
    (void)state;
    uint8_t storage[4] = {0xee, 0xee, 0xee, 0xee};
    struct mg_buffer buffer;
    mg_buffer_wrap(&buffer, storage, 3);
    mg_buffer_append_u16(&buffer, 0x0102);
    mg_buffer_append_u16(&buffer, 0x0304);
    assert_false(mg_buffer_ok(&buffer));
    assert_ptr_equal(buffer.data, storage);
    assert_memory_equal(storage, ((const uint8_t[]){1, 2, 0xee, 0xee}), 4);
    mg_buffer_clear(&buffer);
    mg_buffer_append_text(&buffer, "xyz");
    assert_holds(&buffer, "xyz");
    assert_int_equal(storage[3], 0xee);
}

static void test_integers_are_written_big_endian(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    mg_buffer_init(&buffer, 100);
    mg_buffer_append_u8(&buffer, 0x01);
    mg_buffer_append_u16(&buffer, 0x0203);
    mg_buffer_append_u32(&buffer, 0x04050607);
    mg_buffer_append_u64(&buffer, UINT64_C(0x08090a0b0c0d0e0f));
    assert_holds(&buffer, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
    mg_buffer_free(&buffer);
}

static void test_a_prefix_says_the_length(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    mg_buffer_init(&buffer, 100);
    mg_buffer_append_prefixed_u8(&buffer, mg_slice_of_text("a"));
    mg_buffer_append_prefixed_u16(&buffer, mg_slice_of_text("bc"));
    mg_buffer_append_prefixed_u32(&buffer, mg_slice_of_text("def"));
    mg_buffer_append_prefixed_u8(&buffer, mg_slice_of_text(""));
    const uint8_t expected[] = {1, 'a', 0, 2, 'b', 'c', 0, 0, 0, 3, 'd', 'e', 'f', 0};
    assert_true(mg_buffer_ok(&buffer));
    assert_int_equal(buffer.len, sizeof(expected));
    assert_memory_equal(buffer.data, expected, sizeof(expected));
    mg_buffer_free(&buffer);
}

static void test_a_slice_too_long_for_its_prefix_fails(void **state)
{
    (void)state;
    static const uint8_t zeros[65536];
    struct mg_buffer buffer;
    mg_buffer_init(&buffer, 1 << 20);
    mg_buffer_append_prefixed_u8(&buffer, mg_slice_of(zeros, 255));
    mg_buffer_append_prefixed_u16(&buffer, mg_slice_of(zeros, 65535));
    assert_true(mg_buffer_ok(&buffer));
    assert_int_equal(buffer.len, 256 + 65537);
    mg_buffer_append_prefixed_u8(&buffer, mg_slice_of(zeros, 256));
    assert_false(mg_buffer_ok(&buffer));
    mg_buffer_clear(&buffer);
    mg_buffer_append_prefixed_u16(&buffer, mg_slice_of(zeros, 65536));
    assert_false(mg_buffer_ok(&buffer));
    mg_buffer_free(&buffer);
}

static void test_text_is_formatted_up_to_its_documented_length(void **state)
{
    (void)state;
    struct mg_buffer buffer;
    mg_buffer_init(&buffer, 4096);
    mg_buffer_append_format(&buffer, "%s=%d%%", "a", 5);
    assert_holds(&buffer, "a=5%");
    mg_buffer_append_format(&buffer, "%*s", MG_BUFFER_MAX_FORMAT, "");
    assert_true(mg_buffer_ok(&buffer));
    assert_int_equal(buffer.len, 4 + MG_BUFFER_MAX_FORMAT);
    mg_buffer_append_format(&buffer, "%*s", MG_BUFFER_MAX_FORMAT + 1, "");
    assert_false(mg_buffer_ok(&buffer));
    assert_int_equal(buffer.len, 4 + MG_BUFFER_MAX_FORMAT);
    mg_buffer_free(&buffer);
}

static void test_formatted_text_that_does_not_fit_fails_whole(void **state)
{
    (void)state;
    char storage[8] = "xxxxxxx";
    struct mg_buffer buffer;
    mg_buffer_wrap(&buffer, storage, 4);
    mg_buffer_append_format(&buffer, "%d", 1234); /* without a terminator, which would not fit */
    assert_holds(&buffer, "1234");
    assert_string_equal(storage, "1234xxx");
    mg_buffer_clear(&buffer);
    mg_buffer_append_format(&buffer, "%d", 56789);
    assert_false(mg_buffer_ok(&buffer));
    assert_string_equal(storage, "1234xxx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_buffer_allocates_nothing),
        cmocka_unit_test(test_it_holds_exactly_its_limit),
        cmocka_unit_test(test_once_failed_later_appends_do_nothing),
        cmocka_unit_test(test_clearing_keeps_the_memory_and_forgets_the_failure),
        cmocka_unit_test(test_a_wrapped_buffer_writes_into_the_storage_and_never_beyond),
        cmocka_unit_test(test_integers_are_written_big_endian),
        cmocka_unit_test(test_a_prefix_says_the_length),
        cmocka_unit_test(test_a_slice_too_long_for_its_prefix_fails),
        cmocka_unit_test(test_text_is_formatted_up_to_its_documented_length),
        cmocka_unit_test(test_formatted_text_that_does_not_fit_fails_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
