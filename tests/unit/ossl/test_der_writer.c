/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ossl/der_writer.h"

static struct mg_buffer out;

static int open_buffer(void **state)
{
    (void)state;
    mg_buffer_init(&out, 1 << 17);
    return 0;
}

static int free_buffer(void **state)
{
    (void)state;
    mg_buffer_free(&out);
    return 0;
}

static void assert_written(const char *bytes, size_t len)
{
    assert_true(mg_buffer_ok(&out));
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, bytes, len);
    mg_buffer_clear(&out);
}

/* X.690 section 8.3: as few octets as it needs, and a zero octet where a high bit would be a sign. */
static void test_numbers_have_their_shortest_form_and_are_positive(void **state)
{
    (void)state;
    der_writer_number(&out, 0);
    assert_written("\x02\x01\x00", 3);
    der_writer_number(&out, 127);
    assert_written("\x02\x01\x7f", 3);
    der_writer_number(&out, 128);
    assert_written("\x02\x02\x00\x80", 4);
    der_writer_number(&out, UINT64_MAX);
    assert_written("\x02\x09\x00\xff\xff\xff\xff\xff\xff\xff\xff", 11);
    der_writer_unsigned(&out, mg_slice_of("\x00\x00\x41", 3));
    assert_written("\x02\x01\x41", 3);
    der_writer_unsigned(&out, mg_slice_of(NULL, 0));
    assert_written("\x02\x01\x00", 3);
}

/* RFC 5280 section 4.1.2.5: UTCTime through 2049. */
static void test_times_change_their_form_in_2050(void **state)
{
    (void)state;
    der_writer_time(&out, 2524607999);
    assert_written("\x17\x0d"
                   "491231235959Z",
                   15);
    der_writer_time(&out, 2524608000);
    assert_written("\x18\x0f"
                   "20500101000000Z",
                   17);
    der_writer_time(&out, 0);
    assert_written("\x17\x0d"
                   "700101000000Z",
                   15);
}

/* X.690 sections 8.1.3 and 10.1. */
static void test_lengths_have_their_shortest_form(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *head;
        size_t head_len;
    } cases[] = {{0, "\x04\x00", 2},
                 {127, "\x04\x7f", 2},
                 {128, "\x04\x81\x80", 3},
                 {255, "\x04\x81\xff", 3},
                 {256, "\x04\x82\x01\x00", 4},
                 {65535, "\x04\x82\xff\xff", 4},
                 {65536, "\x04\x83\x01\x00\x00", 5}};
    static const uint8_t zeros[65536];
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        der_writer_octets(&out, mg_slice_of(zeros, cases[i].len));
        assert_int_equal(out.len, cases[i].head_len + cases[i].len);
        assert_memory_equal(out.data, cases[i].head, cases[i].head_len);
        mg_buffer_clear(&out);
    }
}

static void test_elements_nest(void **state)
{
    (void)state;
    size_t outer = der_writer_begin(&out), inner;
    der_writer_number(&out, 1);
    inner = der_writer_begin(&out);
    der_writer_bits(&out, mg_slice_of("\xab", 1));
    der_writer_end(&out, inner, DER_WRITER_EXPLICIT(3));
    der_writer_end(&out, outer, DER_WRITER_SEQUENCE);
    assert_written("\x30\x09\x02\x01\x01\xa3\x04\x03\x02\x00\xab", 11);
}

static void test_a_full_buffer_is_marked_and_not_written_beyond(void **state)
{
    (void)state;
    uint8_t storage[4] = {0};
    struct mg_buffer small;
    mg_buffer_wrap(&small, storage, sizeof(storage));
    size_t begin = der_writer_begin(&small);
    der_writer_number(&small, 1);
    der_writer_end(&small, begin, DER_WRITER_SEQUENCE);
    assert_false(mg_buffer_ok(&small));
    der_writer_end(&small, begin, DER_WRITER_SEQUENCE);
    assert_false(mg_buffer_ok(&small));
}

#define WRITER_TEST(name) cmocka_unit_test_setup_teardown(name, open_buffer, free_buffer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITER_TEST(test_numbers_have_their_shortest_form_and_are_positive),
        WRITER_TEST(test_times_change_their_form_in_2050),
        WRITER_TEST(test_lengths_have_their_shortest_form),
        WRITER_TEST(test_elements_nest),
        WRITER_TEST(test_a_full_buffer_is_marked_and_not_written_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
