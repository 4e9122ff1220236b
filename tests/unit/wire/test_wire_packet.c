/* SPDX-License-Identifier: Apache-2.0 */
/* The reader that all protocols share: what is wrong first stays, and nothing is read past it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/packet.h"

#define MAX_LEN 16

static struct mg_error why;

static struct wire_reader reader_of(const char *bytes, size_t len)
{
    why.text[0] = '\0';
    return wire_reader_of(mg_slice_of(bytes, len), MAX_LEN, &why);
}

static void assert_refused(struct wire_reader *in, const char *text)
{
    assert_int_equal(wire_reader_end(in), MG_INVALID);
    assert_string_equal(why.text, text);
}

static void test_fields_are_read_in_their_order(void **state)
{
    (void)state;
    struct wire_reader in = reader_of("\x07\x01\x02\x03\x01\x02\x68\x69", 8);
    wire_reader_expect(&in, 7);
    assert_int_equal(wire_read_u16(&in, "number"), 0x0102);
    assert_int_equal(wire_read_number(&in, "kind", 1, 3), 3);
    assert_true(wire_read_flag(&in, "flag"));
    struct mg_slice text = wire_read_text(&in, "text", 1, 2);
    assert_memory_equal(text.data, "hi", 2);
    assert_int_equal(wire_reader_end(&in), MG_OK);
}

static void test_the_first_error_stays_and_later_fields_are_empty(void **state)
{
    (void)state;
    struct wire_reader in = reader_of("\x09\x01\x02\x03", 4);
    uint8_t bytes[2] = {0xff, 0xff};
    struct mg_slice certificates[4];
    assert_int_equal(wire_read_number(&in, "kind", 1, 3), 1);
    assert_int_equal(wire_read_u16(&in, "number"), 0);
    assert_int_equal(wire_read_count(&in, "count", 1, 9), 0);
    assert_int_equal(wire_read_chain(&in, 1, 4, certificates), 0);
    assert_int_equal(wire_read_octets(&in, "octets", 1, 1, 9).len, 0);
    wire_read_bytes(&in, "bytes", bytes, sizeof(bytes));
    assert_int_equal(bytes[0] | bytes[1], 0);
    wire_refuse(&in, "something else");
    assert_int_equal(in.rest.len, 3);
    assert_refused(&in, "kind 9: must be 1 to 3");
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    struct mg_slice certificates[4];
    struct wire_reader in = reader_of("\x01", 1);
    wire_reader_expect(&in, 2);
    assert_refused(&in, "packet is not of type 2");
    in = reader_of("", 0);
    wire_reader_expect(&in, 2);
    assert_refused(&in, "packet is not of type 2");
    in = reader_of("\x01", 1);
    (void)wire_read_u16(&in, "number");
    assert_refused(&in, "packet ends inside number");
    in = reader_of("\x05hi", 3);
    (void)wire_read_octets(&in, "octets", 1, 1, 9);
    assert_refused(&in, "packet ends inside octets");
    in = reader_of("\x02hi", 3);
    (void)wire_read_octets(&in, "octets", 1, 3, 9);
    assert_refused(&in, "octets of 2 bytes: must be 3 to 9");
    in = reader_of("\x02\x0ai", 3);
    (void)wire_read_text(&in, "text", 1, 9);
    assert_refused(&in, "text: must be UTF-8 without control characters");
    in = reader_of("\x00\x05", 2);
    (void)wire_read_count(&in, "entries", 1, 4);
    assert_refused(&in, "entries 5: must be 1 to 4");
    in = reader_of("\x05", 1);
    (void)wire_read_chain(&in, 1, 4, certificates);
    assert_refused(&in, "number of certificates 5: must be 1 to 4");
    in = reader_of("\x01\x00\x00", 3);
    (void)wire_read_chain(&in, 1, 4, certificates);
    assert_refused(&in, "certificate of 0 bytes: must be 1 to 65535");
    in = reader_of("\x01\x02", 2);
    (void)wire_read_flag(&in, "flag");
    assert_refused(&in, "packet has 1 bytes left over");
    in = reader_of("12345678901234567", MAX_LEN + 1);
    assert_refused(&in, "packet of 17 bytes: at most 16 are allowed");
}

static void test_an_error_need_not_be_told(void **state)
{
    (void)state;
    struct wire_reader in = wire_reader_of(mg_slice_of("", 0), MAX_LEN, NULL);
    (void)wire_read_u8(&in, "number");
    assert_int_equal(wire_reader_end(&in), MG_INVALID);
}

static void test_a_batch_takes_what_fits(void **state)
{
    (void)state;
    uint8_t storage[WIRE_BATCH_HEADER_LEN + 4];
    struct mg_buffer out;
    mg_buffer_wrap(&out, storage, sizeof(storage));
    wire_batch_begin(&out, 9);
    assert_int_equal(wire_batch_count(&out), 0);
    assert_false(wire_batch_make_room(&out, 8, 5)); /* longer than what is left */
    assert_true(wire_batch_make_room(&out, 8, 3));
    mg_buffer_append(&out, "abc", 3);
    assert_false(wire_batch_make_room(&out, 1, 1)); /* one is all there may be */
    assert_true(wire_batch_make_room(&out, 2, 1));
    mg_buffer_append(&out, "d", 1);
    assert_true(mg_buffer_ok(&out));
    assert_memory_equal(storage,
                        "\x09\x00\x02"
                        "abcd",
                        sizeof(storage));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_read_in_their_order),
        cmocka_unit_test(test_the_first_error_stays_and_later_fields_are_empty),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_an_error_need_not_be_told),
        cmocka_unit_test(test_a_batch_takes_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
