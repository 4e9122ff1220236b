/* SPDX-License-Identifier: Apache-2.0 */
#include "hello_fixture.h"

#include <stdbool.h>
#include <string.h>

#include "dataplane/hello/hello_stream.h"

#define CAPACITY 64

static uint8_t memory[CAPACITY];

static struct hello_stream new_stream(void)
{
    struct hello_stream stream;
    memset(memory, 0xee, sizeof(memory));
    hello_stream_init(&stream, memory, CAPACITY);
    return stream;
}

/* The stream that the tests send: byte n is the letter n. */
static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";

static enum hello_stream_result add_letters(struct hello_stream *stream, size_t offset, size_t len)
{
    return hello_stream_add(stream, offset, (const uint8_t *)letters + offset, len);
}

static void assert_prefix(const struct hello_stream *stream, size_t len)
{
    CBS prefix = hello_stream_prefix(stream);
    assert_int_equal(CBS_len(&prefix), len);
    assert_memory_equal(CBS_data(&prefix), letters, len);
}

static void test_an_empty_stream_has_an_empty_prefix(void **state)
{
    (void)state;
    struct hello_stream stream = new_stream();
    assert_prefix(&stream, 0);
    assert_int_equal(add_letters(&stream, 0, 0), HELLO_STREAM_OK);
    assert_int_equal(add_letters(&stream, CAPACITY, 0), HELLO_STREAM_OK);
    assert_prefix(&stream, 0);
    assert_int_equal(stream.num_ranges, 0);
}

static void test_the_prefix_ends_at_the_first_hole(void **state)
{
    (void)state;
    struct hello_stream stream = new_stream();
    assert_int_equal(add_letters(&stream, 5, 5), HELLO_STREAM_OK);
    assert_prefix(&stream, 0);
    assert_int_equal(add_letters(&stream, 0, 3), HELLO_STREAM_OK);
    assert_prefix(&stream, 3);
    assert_int_equal(add_letters(&stream, 3, 2), HELLO_STREAM_OK);
    assert_prefix(&stream, 10);
    assert_int_equal(stream.num_ranges, 1);
}

static void test_segments_in_reverse_order_meet(void **state)
{
    (void)state;
    struct hello_stream stream = new_stream();
    for (size_t offset = CAPACITY; offset > 0; offset -= 8) {
        assert_prefix(&stream, 0);
        assert_int_equal(add_letters(&stream, offset - 8, 8), HELLO_STREAM_OK);
    }
    assert_prefix(&stream, CAPACITY);
}

/* Every way in which a segment can lie beside, across, inside and around what is there: [10, 20) and [30, 40). */
static void test_every_overlap_is_stored_once(void **state)
{
    (void)state;
    for (size_t start = 0; start <= 50; start++) {
        for (size_t end = start + 1; end <= 50; end++) {
            struct hello_stream stream = new_stream();
            bool expected[CAPACITY] = {false};
            assert_int_equal(add_letters(&stream, 10, 10), HELLO_STREAM_OK);
            assert_int_equal(add_letters(&stream, 30, 10), HELLO_STREAM_OK);
            assert_int_equal(add_letters(&stream, start, end - start), HELLO_STREAM_OK);
            for (size_t i = 0; i < CAPACITY; i++) {
                expected[i] = (i >= 10 && i < 20) || (i >= 30 && i < 40) || (i >= start && i < end);
                assert_int_equal(memory[i], expected[i] ? (uint8_t)letters[i] : 0xee);
            }
            uint32_t num_ranges = 0;
            for (size_t i = 0; i < CAPACITY; i++) {
                num_ranges += expected[i] && (i == 0 || !expected[i - 1]);
            }
            assert_int_equal(stream.num_ranges, num_ranges);
        }
    }
}

/* The server may have taken the other byte: wherever it is in the overlap, it is seen, and nothing is changed. */
static void test_an_overlap_that_disagrees_in_one_byte_is_a_conflict(void **state)
{
    (void)state;
    for (size_t wrong = 0; wrong < 50; wrong++) {
        struct hello_stream stream = new_stream();
        uint8_t segment[50];
        assert_int_equal(add_letters(&stream, 10, 10), HELLO_STREAM_OK);
        assert_int_equal(add_letters(&stream, 30, 10), HELLO_STREAM_OK);
        struct hello_stream before = stream;
        memcpy(segment, letters, sizeof(segment));
        segment[wrong] = '!';
        bool overlaps = (wrong >= 10 && wrong < 20) || (wrong >= 30 && wrong < 40);
        assert_int_equal(hello_stream_add(&stream, 0, segment, sizeof(segment)),
                         overlaps ? HELLO_STREAM_CONFLICT : HELLO_STREAM_OK);
        if (overlaps) {
            assert_memory_equal(&stream, &before, sizeof(stream));
            assert_int_equal(memory[0], 0xee);
            assert_memory_equal(memory + 10, letters + 10, 10);
            assert_int_equal(add_letters(&stream, 0, 50), HELLO_STREAM_OK);
            assert_prefix(&stream, 50);
        }
    }
}

static void test_the_capacity_is_filled_exactly_and_never_passed(void **state)
{
    (void)state;
    struct hello_stream stream = new_stream();
    assert_int_equal(add_letters(&stream, 0, CAPACITY), HELLO_STREAM_OK);
    assert_prefix(&stream, CAPACITY);

    stream = new_stream();
    uint8_t segment[CAPACITY + 1] = {0};
    assert_int_equal(hello_stream_add(&stream, 0, segment, CAPACITY + 1), HELLO_STREAM_TOO_LARGE);
    assert_int_equal(hello_stream_add(&stream, 1, segment, CAPACITY), HELLO_STREAM_TOO_LARGE);
    assert_int_equal(hello_stream_add(&stream, CAPACITY, segment, 1), HELLO_STREAM_TOO_LARGE);
    assert_int_equal(hello_stream_add(&stream, SIZE_MAX, segment, 1), HELLO_STREAM_TOO_LARGE);
    assert_int_equal(hello_stream_add(&stream, SIZE_MAX - 1, segment, 2), HELLO_STREAM_TOO_LARGE);
    assert_int_equal(hello_stream_add(&stream, UINT32_MAX, segment, 2), HELLO_STREAM_TOO_LARGE);
    assert_int_equal(hello_stream_add(&stream, 1, segment, SIZE_MAX), HELLO_STREAM_TOO_LARGE);
    assert_int_equal(stream.num_ranges, 0);
    assert_int_equal(memory[0], 0xee);
}

static void test_the_bound_on_ranges_is_filled_exactly_and_never_passed(void **state)
{
    (void)state;
    static uint8_t large[4 * HELLO_STREAM_MAX_RANGES];
    struct hello_stream stream;
    uint8_t byte = 7;
    hello_stream_init(&stream, large, sizeof(large));
    for (size_t i = 0; i < HELLO_STREAM_MAX_RANGES; i++) {
        assert_int_equal(hello_stream_add(&stream, 1 + 2 * i, &byte, 1), HELLO_STREAM_OK);
    }
    size_t behind = 2 * HELLO_STREAM_MAX_RANGES + 1;
    assert_int_equal(hello_stream_add(&stream, behind, &byte, 1), HELLO_STREAM_TOO_MANY);
    assert_int_equal(stream.num_ranges, HELLO_STREAM_MAX_RANGES);

    /* What closes a hole, repeats or prolongs is still taken, and makes room. */
    assert_int_equal(hello_stream_add(&stream, 1, &byte, 1), HELLO_STREAM_OK);
    assert_int_equal(hello_stream_add(&stream, 0, &byte, 1), HELLO_STREAM_OK);
    assert_int_equal(hello_stream_add(&stream, behind, &byte, 1), HELLO_STREAM_TOO_MANY);
    assert_int_equal(hello_stream_add(&stream, 2, &byte, 1), HELLO_STREAM_OK);
    assert_int_equal(hello_stream_add(&stream, behind, &byte, 1), HELLO_STREAM_OK);
    assert_int_equal(stream.num_ranges, HELLO_STREAM_MAX_RANGES);
}

static void assert_ranges_are_in_order(const struct hello_stream *stream)
{
    for (uint32_t i = 0; i < stream->num_ranges; i++) {
        assert_true(stream->ranges[i].start < stream->ranges[i].end);
        assert_true(i == 0 || stream->ranges[i - 1].end < stream->ranges[i].start);
    }
}

/* Random segments, some with a wrong byte, beside the plainest model: a byte and a flag for each place. */
static void test_random_segments_beside_a_plain_model(void **state)
{
    (void)state;
    uint64_t random = 42;
    unsigned num_conflicts = 0, num_full = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct hello_stream stream = new_stream();
        bool there[CAPACITY] = {false};
        uint8_t model[CAPACITY];
        for (unsigned step = 0; step < 12; step++) {
            size_t offset = fixture_random(&random) % CAPACITY;
            size_t len = 1 + fixture_random(&random) % 16;
            uint8_t segment[16];
            for (size_t i = 0; i < len; i++) {
                segment[i] = (uint8_t)(offset + i);
            }
            if (fixture_random(&random) % 8 == 0) {
                segment[fixture_random(&random) % len] ^= 0x80;
            }
            enum hello_stream_result expected = offset + len > CAPACITY ? HELLO_STREAM_TOO_LARGE : HELLO_STREAM_OK;
            for (size_t i = 0; expected == HELLO_STREAM_OK && i < len; i++) {
                if (there[offset + i] && model[offset + i] != segment[i]) {
                    expected = HELLO_STREAM_CONFLICT;
                }
            }
            assert_int_equal(hello_stream_add(&stream, offset, segment, len), expected);
            for (size_t i = 0; expected == HELLO_STREAM_OK && i < len; i++) {
                there[offset + i] = true;
                model[offset + i] = segment[i];
            }
            num_conflicts += expected == HELLO_STREAM_CONFLICT;
        }
        assert_ranges_are_in_order(&stream);
        size_t prefix_len = 0;
        while (prefix_len < CAPACITY && there[prefix_len]) {
            prefix_len++;
        }
        CBS prefix = hello_stream_prefix(&stream);
        assert_int_equal(CBS_len(&prefix), prefix_len);
        assert_memory_equal(CBS_data(&prefix), model, prefix_len);
        num_full += prefix_len > CAPACITY / 2;
    }
    assert_true(num_conflicts > 1000 && num_full > 100);
}

static void test_results_have_names(void **state)
{
    (void)state;
    assert_string_equal(hello_stream_result_name(HELLO_STREAM_OK), "ok");
    assert_string_equal(hello_stream_result_name(HELLO_STREAM_TOO_LARGE), "too_large");
    assert_string_equal(hello_stream_result_name(HELLO_STREAM_TOO_MANY), "too_many");
    assert_string_equal(hello_stream_result_name(HELLO_STREAM_CONFLICT), "conflict");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_stream_has_an_empty_prefix),
        cmocka_unit_test(test_the_prefix_ends_at_the_first_hole),
        cmocka_unit_test(test_segments_in_reverse_order_meet),
        cmocka_unit_test(test_every_overlap_is_stored_once),
        cmocka_unit_test(test_an_overlap_that_disagrees_in_one_byte_is_a_conflict),
        cmocka_unit_test(test_the_capacity_is_filled_exactly_and_never_passed),
        cmocka_unit_test(test_the_bound_on_ranges_is_filled_exactly_and_never_passed),
        cmocka_unit_test(test_random_segments_beside_a_plain_model),
        cmocka_unit_test(test_results_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
