/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/slice.h"

static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09};

static void assert_slice(struct mg_slice slice, const uint8_t *data, size_t len)
{
    assert_ptr_equal(slice.data, data);
    assert_int_equal(slice.len, len);
}

static void test_taking_moves_the_front(void **state)
{
    (void)state;
    struct mg_slice in = mg_slice_of(bytes, 4), out;
    assert_true(mg_slice_take(&in, &out, 3));
    assert_slice(out, bytes, 3);
    assert_slice(in, bytes + 3, 1);
    assert_true(mg_slice_take(&in, &out, 0));
    assert_slice(out, bytes + 3, 0);
    assert_true(mg_slice_take(&in, &out, 1));
    assert_slice(in, bytes + 4, 0);
}

static void test_taking_more_than_there_is_changes_nothing(void **state)
{
    (void)state;
    struct mg_slice in = mg_slice_of(bytes, 4), out = {NULL, 77};
    assert_false(mg_slice_take(&in, &out, 5));
    assert_false(mg_slice_take(&in, &out, SIZE_MAX));
    assert_slice(in, bytes, 4);
    assert_slice(out, NULL, 77);
}

static void test_copying_takes_exactly_that_many_bytes(void **state)
{
    (void)state;
    uint8_t out[4] = {0xee, 0xee, 0xee, 0xee};
    struct mg_slice in = mg_slice_of(bytes, 3);
    assert_true(mg_slice_copy(&in, out, 2));
    assert_memory_equal(out, ((const uint8_t[]){1, 2, 0xee, 0xee}), 4);
    assert_false(mg_slice_copy(&in, out, 2));
    assert_memory_equal(out, ((const uint8_t[]){1, 2, 0xee, 0xee}), 4);
    assert_slice(in, bytes + 2, 1);
    assert_true(mg_slice_copy(&in, out, 1));
    assert_int_equal(out[0], 3);
}

static void test_an_empty_slice_needs_no_memory(void **state)
{
    (void)state;
    struct mg_slice empty = {NULL, 0}, out;
    uint8_t byte;
    assert_true(mg_slice_take(&empty, &out, 0));
    assert_true(mg_slice_copy(&empty, NULL, 0));
    assert_false(mg_slice_u8(&empty, &byte));
    assert_true(mg_slice_equal(empty, mg_slice_of(bytes, 0)));
    assert_true(mg_slice_equal(empty, empty));
}

static void test_integers_are_big_endian(void **state)
{
    (void)state;
    uint8_t u8;
    uint16_t u16;
    uint32_t u24, u32;
    uint64_t u64;
    struct mg_slice in = mg_slice_of(bytes, sizeof(bytes));
    assert_true(mg_slice_u8(&in, &u8));
    assert_int_equal(u8, 0x01);
    assert_true(mg_slice_u64(&in, &u64));
    assert_int_equal(u64, UINT64_C(0x0203040506070809));
    assert_int_equal(in.len, 0);
    in = mg_slice_of(bytes, sizeof(bytes));
    assert_true(mg_slice_u16(&in, &u16));
    assert_int_equal(u16, 0x0102);
    assert_true(mg_slice_u24(&in, &u24));
    assert_int_equal(u24, 0x030405);
    assert_true(mg_slice_u32(&in, &u32));
    assert_int_equal(u32, 0x06070809);
}

static void test_an_integer_that_is_cut_off_changes_nothing(void **state)
{
    (void)state;
    uint16_t u16 = 7;
    uint32_t u24 = 7, u32 = 7;
    uint64_t u64 = 7;
    struct mg_slice one = mg_slice_of(bytes, 1), two = mg_slice_of(bytes, 2);
    struct mg_slice three = mg_slice_of(bytes, 3), seven = mg_slice_of(bytes, 7);
    assert_false(mg_slice_u16(&one, &u16));
    assert_false(mg_slice_u24(&two, &u24));
    assert_false(mg_slice_u32(&three, &u32));
    assert_false(mg_slice_u64(&seven, &u64));
    assert_int_equal(u16 + u24 + u32 + u64, 28);
    assert_int_equal(one.len + two.len + three.len + seven.len, 13);
}

/* A length of |num_bytes| bytes that says 3, and three bytes, and one more. */
static void check_prefixed(bool (*read)(struct mg_slice *, struct mg_slice *), size_t num_bytes)
{
    uint8_t message[8] = {0};
    message[num_bytes - 1] = 3;
    struct mg_slice in = mg_slice_of(message, num_bytes + 4), out;
    assert_true(read(&in, &out));
    assert_slice(out, message + num_bytes, 3);
    assert_slice(in, message + num_bytes + 3, 1);

    for (size_t len = 0; len < num_bytes + 3; len++) {
        in = mg_slice_of(message, len);
        assert_false(read(&in, &out));
        assert_slice(in, message, len);
    }
    message[0] = 0xff; /* the highest byte counts */
    in = mg_slice_of(message, sizeof(message));
    assert_false(read(&in, &out));
}

static void test_a_prefixed_slice_is_whole_or_refused(void **state)
{
    (void)state;
    check_prefixed(mg_slice_prefixed_u8, 1);
    check_prefixed(mg_slice_prefixed_u16, 2);
    check_prefixed(mg_slice_prefixed_u24, 3);
    check_prefixed(mg_slice_prefixed_u32, 4);
}

static void test_equal_compares_length_and_bytes(void **state)
{
    (void)state;
    assert_true(mg_slice_equal(mg_slice_of_text("abc"), mg_slice_of_text("abc")));
    assert_false(mg_slice_equal(mg_slice_of_text("abc"), mg_slice_of_text("abd")));
    assert_false(mg_slice_equal(mg_slice_of_text("abc"), mg_slice_of_text("ab")));
    assert_false(mg_slice_equal(mg_slice_of_text(""), mg_slice_of_text("a")));
    assert_false(mg_slice_equal(mg_slice_of_text("b"), mg_slice_of_text("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taking_moves_the_front),
        cmocka_unit_test(test_taking_more_than_there_is_changes_nothing),
        cmocka_unit_test(test_copying_takes_exactly_that_many_bytes),
        cmocka_unit_test(test_an_empty_slice_needs_no_memory),
        cmocka_unit_test(test_integers_are_big_endian),
        cmocka_unit_test(test_an_integer_that_is_cut_off_changes_nothing),
        cmocka_unit_test(test_a_prefixed_slice_is_whole_or_refused),
        cmocka_unit_test(test_equal_compares_length_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
