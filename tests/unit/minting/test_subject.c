/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certs.h"
#include "minting/subject.h"

#define COMMON_NAME 3
#define SERIAL_NUMBER 5
#define COUNTRY 6
#define ORGANIZATION 10
#define DESCRIPTION 13 /* of no known bound */

static bool fit(uint8_t attribute, unsigned tag, const void *value, size_t len)
{
    struct mg_buffer name;
    mg_buffer_init(&name, 1 << 16);
    certs_subject_value(&name, attribute, tag, mg_slice_of(value, len));
    CBS common_name;
    bool ok = subject_check(cert_cbs_of(name.data, name.len), &common_name);
    mg_buffer_free(&name);
    return ok;
}

static bool fit_text(uint8_t attribute, unsigned tag, const char *value)
{
    return fit(attribute, tag, value, strlen(value));
}

static void test_an_ordinary_subject_is_fit_and_yields_its_common_name(void **state)
{
    (void)state;
    struct mg_buffer name;
    mg_buffer_init(&name, 1024);
    certs_subject(&name, "DE", "B\xc3\xa4r & S\xc3\xb6hne \xe2\x82\xac \xf0\x9f\x90\xbb", "www.example.com");
    CBS common_name;
    assert_true(subject_check(cert_cbs_of(name.data, name.len), &common_name));
    assert_int_equal(CBS_len(&common_name), 15);
    assert_memory_equal(CBS_data(&common_name), "www.example.com", 15);
    mg_buffer_free(&name);
}

static void test_an_empty_subject_is_not_fit(void **state)
{
    (void)state;
    static const uint8_t empty[] = {0x30, 0x00};
    CBS common_name;
    assert_false(subject_check(cert_cbs_of(empty, sizeof(empty)), &common_name));
    assert_int_equal(CBS_len(&common_name), 0);
}

/* Scar: a name over 64 bytes made an invalid CN. RFC 5280 appendix A.1: ub-common-name is 64 characters. */
static void test_scar_common_name_over_64_characters_is_not_fit(void **state)
{
    (void)state;
    char text[130];
    memset(text, 'a', sizeof(text));
    assert_true(fit(COMMON_NAME, CBS_ASN1_UTF8STRING, text, 64));
    assert_false(fit(COMMON_NAME, CBS_ASN1_UTF8STRING, text, 65));
    /* Characters, not bytes. */
    for (size_t i = 0; i < sizeof(text); i += 2) {
        memcpy(text + i, "\xc3\xa4", 2);
    }
    assert_true(fit(COMMON_NAME, CBS_ASN1_UTF8STRING, text, 128));
    assert_false(fit(COMMON_NAME, CBS_ASN1_UTF8STRING, text, 130));
}

static void test_upper_bounds_by_attribute(void **state)
{
    (void)state;
    static const struct {
        uint8_t attribute;
        size_t max;
    } bounds[] = {{4, 64},  {5, 64},  {6, 2},   {7, 128}, {8, 128}, {9, 128},
                  {10, 64}, {11, 64}, {12, 64}, {17, 16}, {42, 64}, {DESCRIPTION, 256}};
    char text[300];
    memset(text, 'A', sizeof(text));
    for (size_t i = 0; i < MG_ARRAY_LEN(bounds); i++) {
        assert_true(fit(bounds[i].attribute, CBS_ASN1_PRINTABLESTRING, text, bounds[i].max));
        assert_false(fit(bounds[i].attribute, CBS_ASN1_PRINTABLESTRING, text, bounds[i].max + 1));
        assert_false(fit(bounds[i].attribute, CBS_ASN1_PRINTABLESTRING, text, 0));
    }
}

static void test_string_types_by_attribute(void **state)
{
    (void)state;
    assert_true(fit_text(COMMON_NAME, CBS_ASN1_PRINTABLESTRING, "Example"));
    assert_true(fit_text(COMMON_NAME, CBS_ASN1_UTF8STRING, "Example"));
    assert_false(fit_text(COMMON_NAME, CBS_ASN1_IA5STRING, "Example"));
    assert_false(fit_text(COMMON_NAME, CBS_ASN1_T61STRING, "Example"));
    assert_false(fit(COMMON_NAME, CBS_ASN1_BMPSTRING, "\0E\0x", 4));
    assert_false(fit(COMMON_NAME, CBS_ASN1_OCTETSTRING, "Example", 7));
    assert_false(fit_text(COUNTRY, CBS_ASN1_UTF8STRING, "DE"));
    assert_false(fit_text(SERIAL_NUMBER, CBS_ASN1_UTF8STRING, "HRB 1234"));
    assert_true(fit_text(SERIAL_NUMBER, CBS_ASN1_PRINTABLESTRING, "HRB 1234"));
    assert_true(fit_text(DESCRIPTION, CBS_ASN1_IA5STRING, "someone@example.com"));
}

static void test_alphabets(void **state)
{
    (void)state;
    assert_true(fit_text(DESCRIPTION, CBS_ASN1_PRINTABLESTRING,
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?"));
    static const char bad[] = "*@_&!\"#$%;<>[\\]^`{|}~";
    for (size_t i = 0; bad[i] != '\0'; i++) {
        assert_false(fit(ORGANIZATION, CBS_ASN1_PRINTABLESTRING, bad + i, 1));
    }
    assert_false(fit(ORGANIZATION, CBS_ASN1_PRINTABLESTRING, "a\0b", 3));
    assert_false(fit_text(ORGANIZATION, CBS_ASN1_PRINTABLESTRING, "\xc3\xa4"));
    assert_false(fit_text(DESCRIPTION, CBS_ASN1_IA5STRING, "\xc3\xa4"));
}

static void test_control_characters_are_not_fit(void **state)
{
    (void)state;
    assert_false(fit(ORGANIZATION, CBS_ASN1_UTF8STRING, "a\0b", 3));
    assert_false(fit_text(ORGANIZATION, CBS_ASN1_UTF8STRING, "a\nb"));
    assert_false(fit_text(ORGANIZATION, CBS_ASN1_UTF8STRING, "a\x7f"));
    assert_false(fit_text(ORGANIZATION, CBS_ASN1_UTF8STRING, "a\xc2\x85")); /* U+0085, a C1 control */
    assert_true(fit_text(ORGANIZATION, CBS_ASN1_UTF8STRING, "a\xc2\xa0"));
}

/* RFC 3629 section 3 */
static void test_bad_utf8_is_not_fit(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",             /* continuation alone */
        "\xc3",             /* cut short */
        "\xc3(",            /* no continuation */
        "\xc0\xaf",         /* not the shortest form */
        "\xe0\x80\xaf",     /* likewise */
        "\xf0\x80\x80\xaf", /* likewise */
        "\xed\xa0\x80",     /* the first surrogate */
        "\xed\xbf\xbf",     /* and the last */
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf8\x88\x80\x80\x80",
        "\xff",
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(fit_text(ORGANIZATION, CBS_ASN1_UTF8STRING, bad[i]));
    }
    static const char *const good[] = {"\xc2\xa0",     "\xdf\xbf",         "\xe0\xa0\x80",     "\xed\x9f\xbf",
                                       "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf1\x80\x80\x80", "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < MG_ARRAY_LEN(good); i++) {
        assert_true(fit_text(ORGANIZATION, CBS_ASN1_UTF8STRING, good[i]));
    }
}

static bool check(const char *name, size_t len)
{
    CBS common_name;
    return subject_check(cert_cbs_of((const uint8_t *)name, len), &common_name);
}
#define CHECK(literal) check(literal, sizeof(literal) - 1)

static void test_odd_structure_is_not_fit(void **state)
{
    (void)state;
    assert_true(CHECK("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
                      "a"));
    assert_false(CHECK("\x30\x02\x31\x00")); /* an RDN without attributes */
    assert_false(CHECK("\x30\x0d\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
                       "a\x00")); /* bytes behind the RDN */
    /* two attributes in one RDN */
    assert_false(CHECK("\x30\x16\x31\x14\x30\x08\x06\x03\x55\x04\x03\x0c\x01"
                       "a\x30\x08\x06\x03\x55\x04\x0a\x0c\x01"
                       "b"));
    /* attribute types that are no OID: empty, cut short, not the shortest form */
    assert_false(CHECK("\x30\x09\x31\x07\x30\x05\x06\x00\x0c\x01"
                       "a"));
    assert_false(CHECK("\x30\x0b\x31\x09\x30\x07\x06\x02\x55\x84\x0c\x01"
                       "a"));
    assert_false(CHECK("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x80\x04\x0c\x01"
                       "a"));
    assert_true(CHECK("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x81\x04\x0c\x01"
                      "a"));
    /* an attribute without a value, and one with something behind it */
    assert_false(CHECK("\x30\x09\x31\x07\x30\x05\x06\x03\x55\x04\x03"));
    assert_false(CHECK("\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x01"
                       "a\x05\x00"));
    assert_false(CHECK("\x31\x00"));
    assert_false(CHECK(""));
}

static void test_an_oversized_subject_is_not_fit(void **state)
{
    (void)state;
    struct mg_buffer name;
    mg_buffer_init(&name, 1 << 16);
    char text[256];
    memset(text, 'a', sizeof(text));
    certs_subject_value(&name, DESCRIPTION, CBS_ASN1_PRINTABLESTRING, mg_slice_of(text, sizeof(text)));
    /* The content of that Name four times: every attribute is fit, the whole is over 1024 bytes. */
    CBS element = cert_cbs_of(name.data, name.len), rdn;
    CBB cbb, out;
    assert_true(CBS_get_asn1(&element, &rdn, CBS_ASN1_SEQUENCE) && CBB_init(&cbb, 2048) &&
                CBB_add_asn1(&cbb, &out, CBS_ASN1_SEQUENCE));
    for (int i = 0; i < 4; i++) {
        assert_true(CBB_add_bytes(&out, CBS_data(&rdn), CBS_len(&rdn)));
    }
    assert_true(CBB_flush(&cbb));
    CBS common_name;
    assert_true(CBB_len(&cbb) > SUBJECT_MAX_LEN);
    assert_false(subject_check(cert_cbs_of(CBB_data(&cbb), CBB_len(&cbb)), &common_name));
    CBB_cleanup(&cbb);
    mg_buffer_free(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_ordinary_subject_is_fit_and_yields_its_common_name),
        cmocka_unit_test(test_an_empty_subject_is_not_fit),
        cmocka_unit_test(test_scar_common_name_over_64_characters_is_not_fit),
        cmocka_unit_test(test_upper_bounds_by_attribute),
        cmocka_unit_test(test_string_types_by_attribute),
        cmocka_unit_test(test_alphabets),
        cmocka_unit_test(test_control_characters_are_not_fit),
        cmocka_unit_test(test_bad_utf8_is_not_fit),
        cmocka_unit_test(test_odd_structure_is_not_fit),
        cmocka_unit_test(test_an_oversized_subject_is_not_fit),
    };
    return cmocka_run_group_tests_name("subject", tests, NULL, NULL);
}
