/* SPDX-License-Identifier: Apache-2.0 */
#include "hello_fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "dataplane/policy/hello_info.h"

static bool info_of(struct hello_info *info, CBS message)
{
    struct client_hello hello;
    assert_int_equal(client_hello_parse(&hello, message), MG_OK);
    return hello_info_of(info, &hello, message);
}

/* with_extension returns whether a hello with the one extension |type| of |body|, in hexadecimal, is good. */
static bool with_extension(struct hello_info *info, const char *type, const char *body)
{
    static char hex[8192];
    size_t digits = 0;
    for (const char *c = body; *c != '\0'; c++) {
        digits += *c != ' ';
    }
    snprintf(hex, sizeof(hex), "%s %04zx %s", type, digits / 2, body);
    return info_of(info, fixture_message(&(struct hello_parts){.extensions = hex}));
}

/* with_sni does it with the host name |name|, of any bytes. */
static bool with_sni(struct hello_info *info, const char *name)
{
    char hex[1500];
    size_t len = strlen(name);
    int end = snprintf(hex, sizeof(hex), "%04zx 00 %04zx", len + 3, len);
    for (size_t i = 0; i < len; i++) {
        end += snprintf(hex + end, sizeof(hex) - (size_t)end, "%02x", (unsigned char)name[i]);
    }
    return with_extension(info, "0000", hex);
}

static void test_a_host_name_is_kept_in_canonical_form(void **state)
{
    (void)state;
    struct hello_info info;
    assert_true(with_sni(&info, "WWW.Example.COM."));
    assert_int_equal(info.sni_verdict, DNS_NAME_OK);
    assert_string_equal(info.sni.text, "www.example.com");
    assert_int_equal(hello_info_sni(&info).len, 15);
    assert_true(with_sni(&info, "_dmarc.xn--bcher-kva.example"));
    assert_string_equal(info.sni.text, "_dmarc.xn--bcher-kva.example");
}

static void test_no_host_name_and_an_address_are_none(void **state)
{
    (void)state;
    struct hello_info info;
    assert_true(info_of(&info, fixture_message(&(struct hello_parts){0})));
    assert_int_equal(info.sni_verdict, DNS_NAME_OK);
    assert_int_equal(hello_info_sni(&info).len, 0);
    const char *const addresses[] = {"192.0.2.1", "2001:db8::1", "127.1"};
    for (size_t i = 0; i < MG_ARRAY_LEN(addresses); i++) {
        assert_true(with_sni(&info, addresses[i]));
        assert_int_equal(info.sni_verdict, DNS_NAME_IP_LITERAL);
        assert_int_equal(hello_info_sni(&info).len, 0);
    }
}

/* A scar of others: a comma in the SNI put more names into the certificate. */
static void test_a_hostile_host_name_is_refused_with_its_verdict(void **state)
{
    (void)state;
    static char long_label[80], long_name[300];
    memset(long_label, 'a', 64);
    for (size_t i = 0; i < 256; i++) {
        long_name[i] = i % 10 == 9 ? '.' : 'a';
    }
    const struct {
        const char *name;
        enum dns_name_verdict verdict;
    } hostile[] = {
        {"a.example,DNS:bank.example", DNS_NAME_BAD_CHARACTER},
        {"a.example\nDNS:bank.example", DNS_NAME_BAD_CHARACTER},
        {"*.example", DNS_NAME_BAD_CHARACTER},
        {"a b.example", DNS_NAME_BAD_CHARACTER},
        {"a..example", DNS_NAME_EMPTY_LABEL},
        {".", DNS_NAME_EMPTY},
        {"m\xc3\xbcnchen.example", DNS_NAME_NON_ASCII},
        {long_label, DNS_NAME_LONG_LABEL},
        {long_name, DNS_NAME_TOO_LONG},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(hostile); i++) {
        struct hello_info info;
        assert_false(with_sni(&info, hostile[i].name));
        assert_int_equal(info.sni_verdict, hostile[i].verdict);
        assert_int_equal(hello_info_sni(&info).len, 0);
        assert_int_equal(info.sni.text[0], '\0');
    }
    struct hello_info info;
    assert_false(with_extension(&info, "0000", "0008 00 0005 612e006578")); /* a NUL within */
    assert_int_equal(info.sni_verdict, DNS_NAME_BAD_CHARACTER);
}

/* append_protocol appends an ALPN protocol of |len| bytes in hexadecimal. */
static void append_protocol(char *hex, size_t len)
{
    char *end = hex + strlen(hex);
    end += sprintf(end, "%02zx", len);
    for (size_t i = 0; i < len; i++) {
        end += sprintf(end, "%02x", 'a' + (int)(i % 26));
    }
}

/* info_of_alpn is that of a hello with protocols of these lengths, which end with 0. */
static struct hello_info info_of_alpn(const size_t *lens)
{
    static char list[4096], body[4096 + 8];
    struct hello_info info;
    list[0] = '\0';
    for (; *lens != 0; lens++) {
        append_protocol(list, *lens);
    }
    snprintf(body, sizeof(body), "%04zx %s", strlen(list) / 2, list);
    assert_true(with_extension(&info, "0010", body));
    return info;
}

static void test_alpn_is_kept_as_sent(void **state)
{
    (void)state;
    struct hello_info info;
    assert_true(with_extension(&info, "0010", "000c 02 6832 08 687474702f312e31"));
    assert_int_equal(info.alpn_len, 12);
    assert_memory_equal(info.alpn, "\x02h2\x08http/1.1", 12);
    assert_true(info_of(&info, fixture_message(&(struct hello_parts){0})));
    assert_int_equal(info.alpn_len, 0);
}

static void test_alpn_is_cut_at_a_whole_protocol(void **state)
{
    (void)state;
    const struct {
        size_t lens[5];
        size_t kept;
    } lists[] = {
        {{255}, 256},                                 /* just fits */
        {{100, 154}, 256},                            /* just fits */
        {{100, 155}, 101},                            /* one byte too much */
        {{100, 100, 100}, 202}, {{100, 200, 3}, 101}, /* nothing is picked from behind the cut: an order stays one */
        {{255, 1}, 256},        {{1, 255}, 2},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(lists); i++) {
        struct hello_info info = info_of_alpn(lists[i].lens);
        assert_int_equal(info.alpn_len, lists[i].kept);
        size_t whole = 0;
        while (whole < info.alpn_len) {
            whole += 1u + info.alpn[whole];
        }
        assert_int_equal(whole, info.alpn_len);
    }
}

static void test_versions_ech_and_length_are_the_hellos(void **state)
{
    (void)state;
    struct hello_info info;
    CBS message = fixture_message(&(struct hello_parts){0});
    assert_true(info_of(&info, message));
    assert_int_equal(info.min_version, 0x0300);
    assert_int_equal(info.max_version, 0x0303);
    assert_int_equal(info.message_len, CBS_len(&message));
    assert_false(info.has_ech);
    assert_true(with_extension(&info, "002b", "04 0304 0303"));
    assert_int_equal(info.min_version, 0x0303);
    assert_int_equal(info.max_version, 0x0304);
    /* RFC 9849 section 5: type outer, a KDF, an AEAD, a configuration, no key, one byte of payload. */
    assert_true(with_extension(&info, "fe0d", "00 0001 0001 07 0000 0001 aa"));
    assert_true(info.has_ech);
}

static void test_who_can_verify_an_ecdsa_leaf_is_known_by_version(void **state)
{
    (void)state;
    struct hello_info info;
    assert_true(with_extension(&info, "000d", "0002 0403")); /* ecdsa_secp256r1_sha256 */
    assert_true(info.takes_ecdsa_tls13);
    assert_true(with_extension(&info, "000d", "0002 0401")); /* rsa_pkcs1_sha256 */
    assert_false(info.takes_ecdsa_tls13);
    assert_false(info.takes_ecdsa_tls12);
    assert_true(info_of(&info, fixture_message(&(struct hello_parts){.cipher_suites = "0002 c02b"})));
    assert_true(info.takes_ecdsa_tls12);
    assert_true(info_of(&info, fixture_message(&(struct hello_parts){.cipher_suites = "0002 c02f"})));
    assert_false(info.takes_ecdsa_tls12);
}

static void test_the_fingerprint_is_there_unless_a_list_is_too_long(void **state)
{
    (void)state;
    static char suites[8 * (JA4_MAX_VALUES + 1) + 8];
    struct hello_info info;
    for (size_t num = JA4_MAX_VALUES; num <= JA4_MAX_VALUES + 1; num++) {
        char *end = suites + sprintf(suites, "%04zx", 2 * num);
        for (size_t i = 0; i < num; i++) {
            end += sprintf(end, "%04zx", 0x1300 + i);
        }
        assert_true(info_of(&info, fixture_message(&(struct hello_parts){.cipher_suites = suites})));
        assert_int_equal(strlen(info.ja4.text), num == JA4_MAX_VALUES ? JA4_LEN : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_host_name_is_kept_in_canonical_form),
        cmocka_unit_test(test_no_host_name_and_an_address_are_none),
        cmocka_unit_test(test_a_hostile_host_name_is_refused_with_its_verdict),
        cmocka_unit_test(test_alpn_is_kept_as_sent),
        cmocka_unit_test(test_alpn_is_cut_at_a_whole_protocol),
        cmocka_unit_test(test_versions_ech_and_length_are_the_hellos),
        cmocka_unit_test(test_who_can_verify_an_ecdsa_leaf_is_known_by_version),
        cmocka_unit_test(test_the_fingerprint_is_there_unless_a_list_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
