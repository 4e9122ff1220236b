/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "minting/names.h"

#define FROM_SNI(out, literal) dns_name_from_sni(out, mg_slice_of(literal, sizeof(literal) - 1))
#define FROM_SAN(out, literal) dns_name_from_san(out, mg_slice_of(literal, sizeof(literal) - 1))

static void assert_sni(const char *host, const char *expected)
{
    struct dns_name name;
    assert_int_equal(dns_name_from_sni(&name, mg_slice_of_text(host)), DNS_NAME_OK);
    assert_string_equal(name.text, expected);
    assert_int_equal(name.len, strlen(expected));
}

static void assert_sni_refused(const char *host, enum dns_name_verdict expected)
{
    struct dns_name name = {.text = "untouched", .len = 9};
    assert_int_equal(dns_name_from_sni(&name, mg_slice_of_text(host)), expected);
    assert_string_equal(name.text, "untouched");
}

static void test_canonical_form_is_lower_case_without_trailing_dot(void **state)
{
    (void)state;
    assert_sni("www.example.com", "www.example.com");
    assert_sni("WWW.Example.COM", "www.example.com");
    assert_sni("www.example.com.", "www.example.com");
    assert_sni("xn--BCHER-KVA.example", "xn--bcher-kva.example");
    assert_sni("intranet", "intranet");
    assert_sni("4chan.org", "4chan.org");
}

static void test_names_that_real_hosts_have_are_accepted(void **state)
{
    (void)state;
    assert_sni("my_service.internal", "my_service.internal");
    assert_sni("-edge-.example.com", "-edge-.example.com");
    assert_sni("r3---sn-apo3qvuoxuxbt-j5pe.video.example", "r3---sn-apo3qvuoxuxbt-j5pe.video.example");
}

static void test_empty_names_are_refused(void **state)
{
    (void)state;
    assert_sni_refused("", DNS_NAME_EMPTY);
    assert_sni_refused(".", DNS_NAME_EMPTY);
    assert_sni_refused("..", DNS_NAME_EMPTY_LABEL);
    assert_sni_refused(".example.com", DNS_NAME_EMPTY_LABEL);
    assert_sni_refused("example..com", DNS_NAME_EMPTY_LABEL);
    assert_sni_refused("example.com..", DNS_NAME_EMPTY_LABEL);
}

/* RFC 1035 section 2.3.4 */
static void test_a_name_of_253_bytes_is_accepted_and_one_of_254_refused(void **state)
{
    (void)state;
    char host[256];
    memset(host, 'a', sizeof(host));
    host[63] = host[127] = host[191] = '.';
    struct dns_name name;
    assert_int_equal(dns_name_from_sni(&name, mg_slice_of(host, 253)), DNS_NAME_OK);
    assert_int_equal(name.len, 253);
    assert_int_equal(name.text[253], '\0');
    assert_int_equal(dns_name_from_sni(&name, mg_slice_of(host, 254)), DNS_NAME_TOO_LONG);
    host[253] = '.';
    assert_int_equal(dns_name_from_sni(&name, mg_slice_of(host, 254)), DNS_NAME_OK);
}

static void test_a_label_of_63_bytes_is_accepted_and_one_of_64_refused(void **state)
{
    (void)state;
    char host[70];
    memset(host, 'a', sizeof(host));
    struct dns_name name;
    assert_int_equal(dns_name_from_sni(&name, mg_slice_of(host, 63)), DNS_NAME_OK);
    assert_int_equal(dns_name_from_sni(&name, mg_slice_of(host, 64)), DNS_NAME_LONG_LABEL);
}

/* Scar: a SAN built from a string let a comma in the SNI inject more names. */
static void test_scar_comma_in_the_sni_injects_no_name(void **state)
{
    (void)state;
    assert_sni_refused("good.example,DNS:bank.example", DNS_NAME_BAD_CHARACTER);
    assert_sni_refused("good.example, bank.example", DNS_NAME_BAD_CHARACTER);
    assert_sni_refused("good.example\nbank.example", DNS_NAME_BAD_CHARACTER);
}

static void test_hostile_characters_are_refused(void **state)
{
    (void)state;
    struct dns_name name;
    assert_int_equal(FROM_SNI(&name, "bank.example\0.evil.example"), DNS_NAME_BAD_CHARACTER);
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t host[] = {'a', (uint8_t)c, 'b'};
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_' || c == '.';
        enum dns_name_verdict expected = c >= 0x80 ? DNS_NAME_NON_ASCII : good ? DNS_NAME_OK : DNS_NAME_BAD_CHARACTER;
        assert_int_equal(dns_name_from_sni(&name, mg_slice_of(host, sizeof(host))), expected);
    }
}

/* RFC 6066 section 3: A-labels only. */
static void test_u_labels_are_refused(void **state)
{
    (void)state;
    assert_sni_refused("b\xc3\xbc"
                       "cher.example",
                       DNS_NAME_NON_ASCII);
}

static void test_wildcard_in_the_sni_is_refused(void **state)
{
    (void)state;
    assert_sni_refused("*.example.com", DNS_NAME_BAD_CHARACTER);
}

/* RFC 6066 section 3: "Literal IPv4 and IPv6 addresses are not permitted". */
static void test_ip_literals_are_told_apart(void **state)
{
    (void)state;
    assert_sni_refused("192.0.2.1", DNS_NAME_IP_LITERAL);
    assert_sni_refused("192.0.2.1.", DNS_NAME_IP_LITERAL);
    assert_sni_refused("2130706433", DNS_NAME_IP_LITERAL);
    assert_sni_refused("127.1", DNS_NAME_IP_LITERAL);
    assert_sni_refused("0x7f.0.0.0x1", DNS_NAME_IP_LITERAL);
    assert_sni_refused("999.999.999.999", DNS_NAME_IP_LITERAL);
    assert_sni_refused("example.0x", DNS_NAME_IP_LITERAL);
    assert_sni_refused("0xABCDEF", DNS_NAME_IP_LITERAL);
    assert_sni_refused("2001:db8::1", DNS_NAME_IP_LITERAL);
    assert_sni_refused("[2001:db8::1]", DNS_NAME_IP_LITERAL);
    assert_sni_refused("fe80::1%eth0", DNS_NAME_IP_LITERAL);
    assert_sni_refused("::ffff:192.0.2.1", DNS_NAME_IP_LITERAL);
    assert_sni_refused("2001:db8::g", DNS_NAME_BAD_CHARACTER);
    assert_sni_refused("[2001:db8::1", DNS_NAME_BAD_CHARACTER);
    assert_sni_refused("2001:db8::1]", DNS_NAME_BAD_CHARACTER);
    assert_sni_refused("[]", DNS_NAME_BAD_CHARACTER);
    assert_sni("1.0xg", "1.0xg");
}

static void test_verdicts_have_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DNS_NAME_NUM_VERDICTS; i++) {
        assert_non_null(dns_name_verdict_name((enum dns_name_verdict)i));
    }
    assert_string_equal(dns_name_verdict_name(DNS_NAME_IP_LITERAL), "ip_literal");
    assert_string_equal(dns_name_verdict_name((enum dns_name_verdict)99), "unknown");
}

static void test_san_keeps_a_wildcard_that_is_the_whole_left_most_label(void **state)
{
    (void)state;
    struct dns_name name;
    assert_int_equal(FROM_SAN(&name, "*.Example.com"), DNS_NAME_OK);
    assert_string_equal(name.text, "*.example.com");
    assert_int_equal(FROM_SAN(&name, "*"), DNS_NAME_BAD_CHARACTER);
    assert_int_equal(FROM_SAN(&name, "*."), DNS_NAME_EMPTY);
    assert_int_equal(FROM_SAN(&name, "f*.example.com"), DNS_NAME_BAD_CHARACTER);
    assert_int_equal(FROM_SAN(&name, "*f.example.com"), DNS_NAME_BAD_CHARACTER);
    assert_int_equal(FROM_SAN(&name, "www.*.com"), DNS_NAME_BAD_CHARACTER);
    assert_int_equal(FROM_SAN(&name, "*.*.example.com"), DNS_NAME_BAD_CHARACTER);
    assert_int_equal(FROM_SAN(&name, "*.192.0.2.1"), DNS_NAME_IP_LITERAL);
}

static void test_san_counts_the_wildcard_in_the_length(void **state)
{
    (void)state;
    char text[256] = "*.";
    memset(text + 2, 'a', sizeof(text) - 2);
    text[65] = text[129] = text[193] = '.';
    struct dns_name name;
    assert_int_equal(dns_name_from_san(&name, mg_slice_of(text, 253)), DNS_NAME_OK);
    assert_int_equal(dns_name_from_san(&name, mg_slice_of(text, 254)), DNS_NAME_TOO_LONG);
}

static void test_san_with_trailing_dot_is_refused(void **state)
{
    (void)state;
    struct dns_name name;
    assert_int_equal(FROM_SAN(&name, "example.com."), DNS_NAME_EMPTY_LABEL);
}

static bool matches(const char *presented, const char *reference)
{
    return dns_name_matches(mg_slice_of_text(presented), mg_slice_of_text(reference));
}

/* RFC 9525 section 6.3 */
static void test_matching_is_by_whole_names_and_one_label_of_wildcard(void **state)
{
    (void)state;
    assert_true(matches("www.example.com", "www.example.com"));
    assert_false(matches("www.example.com", "example.com"));
    assert_false(matches("example.com", "www.example.com"));
    assert_false(matches("www.example.com", "www.example.org"));
    assert_true(matches("*.example.com", "www.example.com"));
    assert_false(matches("*.example.com", "example.com"));
    assert_false(matches("*.example.com", "a.b.example.com"));
    assert_false(matches("*.example.com", "www.example.org"));
    assert_false(matches("*.example.com", "badexample.com"));
    assert_false(matches("*.com", "example.com"));
    assert_false(matches("*.intranet", "www.intranet"));
    assert_true(matches("*.example.com", "xn--bcher-kva.example.com"));
    assert_false(matches("", "example.com"));
    assert_false(matches("*.example.com", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical_form_is_lower_case_without_trailing_dot),
        cmocka_unit_test(test_names_that_real_hosts_have_are_accepted),
        cmocka_unit_test(test_empty_names_are_refused),
        cmocka_unit_test(test_a_name_of_253_bytes_is_accepted_and_one_of_254_refused),
        cmocka_unit_test(test_a_label_of_63_bytes_is_accepted_and_one_of_64_refused),
        cmocka_unit_test(test_scar_comma_in_the_sni_injects_no_name),
        cmocka_unit_test(test_hostile_characters_are_refused),
        cmocka_unit_test(test_u_labels_are_refused),
        cmocka_unit_test(test_wildcard_in_the_sni_is_refused),
        cmocka_unit_test(test_ip_literals_are_told_apart),
        cmocka_unit_test(test_verdicts_have_names),
        cmocka_unit_test(test_san_keeps_a_wildcard_that_is_the_whole_left_most_label),
        cmocka_unit_test(test_san_counts_the_wildcard_in_the_length),
        cmocka_unit_test(test_san_with_trailing_dot_is_refused),
        cmocka_unit_test(test_matching_is_by_whole_names_and_one_label_of_wildcard),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
