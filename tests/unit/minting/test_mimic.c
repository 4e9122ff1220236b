/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/sha.h>

#include "certs.h"
#include "minting/subject.h"

static void assert_slice_is_text(struct mg_slice slice, const char *text)
{
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
}

static struct mimic *mimic_of_names(const struct certs_name *names, size_t num_names)
{
    return certs_mimic(&(struct certs_spec){.names = names, .num_names = num_names});
}

static void test_values_of_a_certificate(void **state)
{
    (void)state;
    struct mg_buffer subject, der;
    mg_buffer_init(&subject, 1024);
    mg_buffer_init(&der, 1 << 16);
    certs_subject(&subject, "DE", "Example", "WWW.example.com");
    const struct certs_name names[] = {CERTS_DNS("www.example.com")};
    certs_make(&der, &(struct certs_spec){
                         .subject = mg_buffer_slice(&subject),
                         .names = names,
                         .num_names = 1,
                     });
    uint8_t fingerprint[SHA256_DIGEST_LENGTH];
    SHA256(der.data, der.len, fingerprint);
    struct mimic *mimic;
    assert_int_equal(mimic_new(&mimic, mg_buffer_slice(&der), NULL), MG_OK);
    mg_buffer_free(&der); /* nothing is borrowed from it */
    assert_memory_equal(mimic->fingerprint, fingerprint, sizeof(fingerprint));
    assert_true(mg_slice_equal(mimic->subject, mg_buffer_slice(&subject)));
    assert_slice_is_text(mimic->subject_name, "www.example.com");
    assert_int_equal(mimic->not_before, CERTS_NOW - 30 * CERTS_DAY);
    assert_int_equal(mimic->not_after, CERTS_NOW + 60 * CERTS_DAY);
    assert_false(mimic->is_ca);
    mimic_unref(mimic_up_ref(mimic));
    assert_slice_is_text(mimic->subject_name, "www.example.com");
    mimic_unref(mimic);
    mimic_unref(NULL);
    mg_buffer_free(&subject);
}

static void test_names_are_canonical_in_order_and_without_duplicates(void **state)
{
    (void)state;
    const struct certs_name names[] = {
        CERTS_DNS("B.example.com"),
        CERTS_DNS("a.example.com"),
        {7, {(const uint8_t *)"\xc0\x00\x02\x01", 4}},
        CERTS_DNS("b.EXAMPLE.com"),
        CERTS_DNS("*.Example.org"),
        {7, {(const uint8_t *)"\xc0\x00\x02\x01", 4}},
        {7, {(const uint8_t *)" \x01\r\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16}},
    };
    struct mimic *mimic = mimic_of_names(names, MG_ARRAY_LEN(names));
    assert_int_equal(mimic->num_names, 5);
    assert_slice_is_text(mimic_name_value(&mimic->names[0]), "b.example.com");
    assert_slice_is_text(mimic_name_general_name(&mimic->names[0]), "\x82\rb.example.com");
    assert_slice_is_text(mimic_name_value(&mimic->names[1]), "a.example.com");
    assert_int_equal(mimic_name_kind_of(&mimic->names[2]), MIMIC_NAME_IP);
    assert_int_equal(mimic_name_value(&mimic->names[2]).len, 4);
    assert_slice_is_text(mimic_name_value(&mimic->names[3]), "*.example.org");
    assert_int_equal(mimic_name_value(&mimic->names[4]).len, 16);
    assert_int_equal(mimic->num_malformed_names, 0);
    size_t total_len = 0;
    for (size_t i = 0; i < mimic->num_names; i++) {
        assert_ptr_equal(mimic->names[i].general_name, mimic->general_names.data + total_len);
        total_len += mimic->names[i].len;
    }
    assert_int_equal(mimic->general_names.len, total_len);
    mimic_unref(mimic);
}

/* Four bytes that are a DNS name and four that are an address are two names. */
static void test_a_dns_name_and_an_address_of_the_same_bytes_are_two(void **state)
{
    (void)state;
    const struct certs_name names[] = {CERTS_DNS("abcd"), {7, {(const uint8_t *)"abcd", 4}}};
    struct mimic *mimic = mimic_of_names(names, MG_ARRAY_LEN(names));
    assert_int_equal(mimic->num_names, 2);
    mimic_unref(mimic);
}

/* Scar: names are values, never text to be parsed again. */
static void test_scar_hostile_alt_names_are_dropped_and_counted(void **state)
{
    (void)state;
    const struct certs_name names[] = {
        CERTS_DNS("good.example"),
        CERTS_DNS("bad.example,DNS:bank.example"),
        CERTS_DNS("bank.example\0.bad.example"),
        CERTS_DNS(" bank.example"),
        CERTS_DNS(""),
        CERTS_DNS("b\xc3\xbc"
                  "cher.example"),
        CERTS_DNS("192.0.2.1"),
        CERTS_DNS("f*.example"),
        CERTS_DNS("trailing.example."),
        {7, {(const uint8_t *)"\xc0\x00\x02", 3}},
        {7, {(const uint8_t *)"\xc0\x00\x02\x01\xff\xff\xff\xff", 8}}, /* an address and a mask */
        {7, {NULL, 0}},
        {1, {(const uint8_t *)"root@bank.example", 17}},
        {6, {(const uint8_t *)"https://bank.example/", 21}},
        {8, {(const uint8_t *)"\x2a\x03", 2}},
    };
    struct mimic *mimic = mimic_of_names(names, MG_ARRAY_LEN(names));
    assert_int_equal(mimic->num_names, 1);
    assert_slice_is_text(mimic_name_value(&mimic->names[0]), "good.example");
    assert_int_equal(mimic->num_malformed_names, 11);
    assert_int_equal(mimic->num_other_names, 3);
    mimic_unref(mimic);
}

static void test_an_unfit_subject_is_dropped(void **state)
{
    (void)state;
    struct mg_buffer subject;
    mg_buffer_init(&subject, 1024);
    certs_subject_value(&subject, 3, CBS_ASN1_T61STRING, mg_slice_of_text("www.example.com"));
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.subject = mg_buffer_slice(&subject)});
    assert_int_equal(mimic->subject.len, 0);
    assert_int_equal(mimic->subject_name.len, 0);
    mimic_unref(mimic);
    mg_buffer_free(&subject);
}

static void test_a_common_name_that_is_no_host_is_no_name(void **state)
{
    (void)state;
    struct mg_buffer subject;
    mg_buffer_init(&subject, 1024);
    certs_subject(&subject, NULL, NULL, "Example Server");
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.subject = mg_buffer_slice(&subject)});
    assert_true(mg_slice_equal(mimic->subject, mg_buffer_slice(&subject)));
    assert_int_equal(mimic->subject_name.len, 0);
    mimic_unref(mimic);
    mg_buffer_free(&subject);
}

/* RFC 9525 section 1.4.2: no common name fallback; section 6.4: addresses by iPAddress alone, byte-equal. */
static void test_what_a_certificate_covers(void **state)
{
    (void)state;
    struct mg_buffer subject;
    mg_buffer_init(&subject, 1024);
    certs_subject(&subject, NULL, NULL, "common.example.com");
    const struct certs_name names[] = {
        CERTS_DNS("www.example.com"),
        CERTS_DNS("*.example.org"),
        {7, {(const uint8_t *)"\xc0\x00\x02\x01", 4}},
    };
    struct mimic *mimic = certs_mimic(
        &(struct certs_spec){.subject = mg_buffer_slice(&subject), .names = names, .num_names = MG_ARRAY_LEN(names)});
    assert_true(mimic_covers_dns(mimic, mg_slice_of_text("www.example.com")));
    assert_true(mimic_covers_dns(mimic, mg_slice_of_text("a.example.org")));
    assert_false(mimic_covers_dns(mimic, mg_slice_of_text("a.b.example.org")));
    assert_false(mimic_covers_dns(mimic, mg_slice_of_text("common.example.com")));
    assert_true(mimic_covers_ip(mimic, mg_slice_of("\xc0\x00\x02\x01", 4)));
    assert_false(mimic_covers_ip(mimic, mg_slice_of("\xc0\x00\x02\x02", 4)));
    assert_false(mimic_covers_ip(mimic, mg_slice_of("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01", 16)));
    assert_false(mimic_covers_dns(mimic, mg_slice_of("\xc0\x00\x02\x01", 4)));
    mimic_unref(mimic);
    mg_buffer_free(&subject);
}

/* Makes a certificate with |num_names| names of |name_len| bytes that all differ. */
static enum mg_status with_names(size_t num_names, size_t name_len, struct mimic **out, struct mg_error *error)
{
    struct certs_name *names = calloc(num_names, sizeof(*names));
    char *texts = calloc(num_names, name_len + 1);
    assert_non_null(names);
    assert_non_null(texts);
    for (size_t i = 0; i < num_names; i++) {
        char *text = texts + i * (name_len + 1);
        memset(text, 'a', name_len);
        char number[16];
        int len = snprintf(number, sizeof(number), "n%zu.", i);
        memcpy(text, number, (size_t)len);
        for (size_t dot = 50; dot + 1 < name_len; dot += 50) {
            text[dot] = '.';
        }
        names[i] = (struct certs_name){2, mg_slice_of(text, name_len)};
    }
    struct mg_buffer der;
    mg_buffer_init(&der, 1 << 20);
    certs_make(&der, &(struct certs_spec){.names = names, .num_names = num_names});
    enum mg_status status = mimic_new(out, mg_buffer_slice(&der), error);
    mg_buffer_free(&der);
    free(names);
    free(texts);
    return status;
}

static void test_a_thousand_names_are_taken_and_one_more_refused(void **state)
{
    (void)state;
    struct mimic *mimic;
    struct mg_error error;
    assert_int_equal(with_names(MIMIC_MAX_NAMES, 12, &mimic, &error), MG_OK);
    assert_int_equal(mimic->num_names, MIMIC_MAX_NAMES);
    assert_true(mimic_covers_dns(mimic, mg_slice_of_text("n999.aaaaaaa")));
    mimic_unref(mimic);
    assert_int_equal(with_names(MIMIC_MAX_NAMES + 1, 12, &mimic, &error), MG_LIMIT);
    assert_non_null(strstr(error.text, "1001 names"));
}

static void test_duplicates_are_found_among_many(void **state)
{
    (void)state;
    static char texts[MIMIC_MAX_NAMES / 2][16];
    static struct certs_name many[MIMIC_MAX_NAMES];
    for (size_t i = 0; i < MIMIC_MAX_NAMES; i++) {
        char *text = texts[i % MG_ARRAY_LEN(texts)];
        int len = snprintf(text, sizeof(texts[0]), "n%zu.example", i % MG_ARRAY_LEN(texts));
        many[i] = (struct certs_name){2, mg_slice_of(text, (size_t)len)};
    }
    struct mimic *mimic = mimic_of_names(many, MIMIC_MAX_NAMES);
    assert_int_equal(mimic->num_names, MIMIC_MAX_NAMES / 2);
    for (size_t i = 0; i < mimic->num_names; i++) {
        assert_true(mg_slice_equal(mimic_name_value(&mimic->names[i]), mg_slice_of_text(texts[i])));
    }
    mimic_unref(mimic);
}

static void test_too_many_bytes_of_names_are_refused(void **state)
{
    (void)state;
    /* 128 names of 253 bytes and 3 of header are exactly 32 KiB. */
    struct mimic *mimic;
    struct mg_error error;
    assert_int_equal(with_names(128, 253, &mimic, &error), MG_OK);
    mimic_unref(mimic);
    assert_int_equal(with_names(129, 253, &mimic, &error), MG_LIMIT);
    assert_non_null(strstr(error.text, "bytes"));
}

/* Nothing is kept of what a leaf never says, and nothing is reserved for it. */
static void test_a_mimic_holds_no_more_than_its_parts(void **state)
{
    (void)state;
    static const char id[64] = {1};
    struct mg_buffer subject;
    mg_buffer_init(&subject, 1024);
    certs_subject(&subject, NULL, NULL, "www.example.com");
    const struct certs_name names[] = {CERTS_DNS("www.example.com"), CERTS_DNS("example.com")};
    struct mimic *mimic = certs_mimic(&(struct certs_spec){.subject = mg_buffer_slice(&subject),
                                                           .names = names,
                                                           .num_names = MG_ARRAY_LEN(names),
                                                           .serial = mg_slice_of(id, sizeof(id)),
                                                           .subject_key_id = mg_slice_of(id, sizeof(id)),
                                                           .authority_key_id = mg_slice_of(id, sizeof(id))});
    size_t parts_len = subject.len + mimic->general_names.len;
    assert_slice_is_text(mimic->subject_name, "www.example.com"); /* in the subject, which says it as it is needed */
    assert_true(mimic->subject_name.data > mimic->subject.data &&
                mimic->subject_name.data < mimic->subject.data + subject.len);
    size_t count_and_size = 8;
    assert_int_equal(mimic_memory(mimic),
                     sizeof(*mimic) + count_and_size + MG_ARRAY_LEN(names) * sizeof(struct mimic_name) + parts_len);
    mimic_unref(mimic);
    mg_buffer_free(&subject);
}

static void test_alt_names_that_do_not_parse_are_refused(void **state)
{
    (void)state;
    static const char san[] = "\x30\x0c\x06\x03\x55\x1d\x11\x04\x05\x30\x03\x82\x05"
                              "a";
    struct mg_buffer der;
    mg_buffer_init(&der, 1 << 16);
    certs_make(&der, &(struct certs_spec){.raw_extensions = mg_slice_of(san, sizeof(san) - 1)});
    struct mimic *mimic;
    struct mg_error error;
    assert_int_equal(mimic_new(&mimic, mg_buffer_slice(&der), &error), MG_INVALID);
    assert_non_null(strstr(error.text, "subjectAltName"));
    mg_buffer_free(&der);
}

static void test_garbage_is_refused(void **state)
{
    (void)state;
    struct mimic *mimic;
    assert_int_equal(mimic_new(&mimic, mg_slice_of(NULL, 0), NULL), MG_INVALID);
    assert_int_equal(mimic_new(&mimic, mg_slice_of_text("GET / HTTP/1.1"), NULL), MG_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_a_certificate),
        cmocka_unit_test(test_names_are_canonical_in_order_and_without_duplicates),
        cmocka_unit_test(test_a_dns_name_and_an_address_of_the_same_bytes_are_two),
        cmocka_unit_test(test_scar_hostile_alt_names_are_dropped_and_counted),
        cmocka_unit_test(test_an_unfit_subject_is_dropped),
        cmocka_unit_test(test_a_common_name_that_is_no_host_is_no_name),
        cmocka_unit_test(test_what_a_certificate_covers),
        cmocka_unit_test(test_a_thousand_names_are_taken_and_one_more_refused),
        cmocka_unit_test(test_duplicates_are_found_among_many),
        cmocka_unit_test(test_too_many_bytes_of_names_are_refused),
        cmocka_unit_test(test_a_mimic_holds_no_more_than_its_parts),
        cmocka_unit_test(test_alt_names_that_do_not_parse_are_refused),
        cmocka_unit_test(test_garbage_is_refused),
    };
    return cmocka_run_group_tests_name("mimic", tests, NULL, NULL);
}
