/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hsm/der.h"
#include "hsm/leaf_names.h"
#include "leaf_builder.h"

static bool allows(uint8_t tag, struct mg_slice value)
{
    uint8_t storage[512];
    struct mg_buffer names;
    mg_buffer_wrap(&names, storage, sizeof(storage));
    der_write(&names, tag, value);
    return leaf_names_are_allowed(mg_buffer_slice(&names));
}

static bool allows_dns(const char *name)
{
    return allows(DER_CONTEXT(2), mg_slice_of_text(name));
}

static void test_host_names_are_allowed(void **state)
{
    (void)state;
    static const char *const good[] = {"example.com",           "WWW.Example.COM", "localhost",    "a.b.c.d.e.f",
                                       "_dmarc.example.com",    "a_b.example.com", "x--y.example", "-real.example.com",
                                       "xn--bcher-kva.example", "*.example.com",   "*.internal",   "1.2.3.4.example"};
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        assert_true(allows_dns(good[i]));
    }
}

static void test_a_wildcard_is_the_whole_leftmost_label(void **state)
{
    (void)state;
    static const char *const bad[] = {"*", "*.", "w*.example.com", "*w.example.com", "www.*.com", "*.*.com", "**.com"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(allows_dns(bad[i]));
    }
}

/* The scar: a SAN made from text let a comma in the SNI inject more names. */
static void test_octets_that_no_host_name_has_are_refused(void **state)
{
    (void)state;
    for (unsigned octet = 0; octet <= 255; octet++) {
        uint8_t name[] = {'a', (uint8_t)octet, 'b'};
        bool expected = (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
                        (octet >= '0' && octet <= '9') || octet == '-' || octet == '_' || octet == '.';
        assert_true(allows(DER_CONTEXT(2), mg_slice_of(name, sizeof(name))) == expected);
    }
}

static void test_empty_labels_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "example.com.", ".example.com", "a..b"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(allows_dns(bad[i]));
    }
}

static void test_labels_and_names_have_their_dns_lengths(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'a', sizeof(name));
    assert_true(allows(DER_CONTEXT(2), mg_slice_of(name, 63)));
    assert_false(allows(DER_CONTEXT(2), mg_slice_of(name, 64)));
    for (size_t i = 63; i < sizeof(name); i += 64) {
        name[i] = '.';
    }
    assert_true(allows(DER_CONTEXT(2), mg_slice_of(name, 253)));
    assert_false(allows(DER_CONTEXT(2), mg_slice_of(name, 254)));
}

static void test_addresses_have_4_or_16_octets(void **state)
{
    (void)state;
    static const uint8_t octets[17];
    for (size_t len = 0; len <= sizeof(octets); len++) {
        assert_true(allows(DER_CONTEXT(7), mg_slice_of(octets, len)) == (len == 4 || len == 16));
    }
}

static void test_other_kinds_of_name_are_refused(void **state)
{
    (void)state;
    for (unsigned tag = 0; tag <= 255; tag++) {
        bool expected = tag == DER_CONTEXT(2) || tag == DER_CONTEXT(7);
        assert_true(allows((uint8_t)tag, mg_slice_of_text("abcd")) == expected);
    }
}

static void test_one_bad_name_among_good_ones_is_refused(void **state)
{
    (void)state;
    assert_true(leaf_names_are_allowed(mg_slice_of_text("\x82\x01"
                                                        "a\x82\x01"
                                                        "b")));
    assert_false(leaf_names_are_allowed(mg_slice_of_text("\x82\x01"
                                                         "a\x82\x01,")));
    assert_false(leaf_names_are_allowed(mg_slice_of_text("\x82\x01"
                                                         "a\x82\x02"
                                                         "b")));
}

static void test_an_extension_value_is_one_sequence_that_is_not_empty(void **state)
{
    (void)state;
    struct mg_slice names;
    assert_true(leaf_names_read(mg_slice_of("\x30\x03\x82\x01x", 5), &names));
    assert_int_equal(names.len, 3);
    assert_false(leaf_names_read(mg_slice_of("\x30\x00", 2), &names));
    assert_false(leaf_names_read(mg_slice_of("\x30\x03\x82\x01x\x05\x00", 7), &names));
    assert_false(leaf_names_read(mg_slice_of("\x31\x03\x82\x01x", 5), &names));
    assert_false(leaf_names_read(mg_slice_of(NULL, 0), &names));
}

static void test_names_come_one_by_one(void **state)
{
    (void)state;
    struct mg_slice names = mg_slice_of_text("\x82\x02"
                                             "ab\x87\x04\xc0\x01\x02\x03");
    struct leaf_name name;
    assert_true(leaf_names_next(&names, &name));
    assert_int_equal(name.kind, LEAF_NAME_DNS);
    assert_true(mg_slice_equal(name.value, mg_slice_of_text("ab")));
    assert_true(leaf_names_next(&names, &name));
    assert_int_equal(name.kind, LEAF_NAME_IP);
    assert_int_equal(name.value.len, 4);
    assert_false(leaf_names_next(&names, &name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_names_are_allowed),
        cmocka_unit_test(test_a_wildcard_is_the_whole_leftmost_label),
        cmocka_unit_test(test_octets_that_no_host_name_has_are_refused),
        cmocka_unit_test(test_empty_labels_are_refused),
        cmocka_unit_test(test_labels_and_names_have_their_dns_lengths),
        cmocka_unit_test(test_addresses_have_4_or_16_octets),
        cmocka_unit_test(test_other_kinds_of_name_are_refused),
        cmocka_unit_test(test_one_bad_name_among_good_ones_is_refused),
        cmocka_unit_test(test_an_extension_value_is_one_sequence_that_is_not_empty),
        cmocka_unit_test(test_names_come_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
