/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ca_builder.h"
#include "ossl/certificate_line.h"

static EVP_PKEY *key;
static X509 *made;
static char pem[4096], line[4096];

static int start(void **state)
{
    (void)state;
    struct mg_buffer text;
    key = ca_key("P-256", 0);
    made = ca_make(&(struct ca_spec){.common_name = "One", .key = key});
    mg_buffer_wrap(&text, pem, sizeof(pem) - 1);
    ca_append_pem(&text, made);
    pem[text.len] = '\0';
    size_t len = 0;
    for (const char *at = pem; *at != '\0'; at++) {
        if (*at != '\n') {
            line[len++] = *at;
        }
    }
    line[len] = '\0';
    return 0;
}

static int stop(void **state)
{
    (void)state;
    X509_free(made);
    EVP_PKEY_free(key);
    return 0;
}

static void assert_read(const char *text)
{
    X509 *x509 = NULL;
    struct mg_error error = {""};
    if (certificate_line_parse(mg_slice_of_text(text), &x509, &error) != MG_OK) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(X509_cmp(x509, made), 0);
    X509_free(x509);
}

static void assert_refused(const char *text, size_t len, const char *why)
{
    X509 *x509 = NULL;
    struct mg_error error = {""};
    assert_int_equal(certificate_line_parse(mg_slice_of(text, len), &x509, &error), MG_INVALID);
    if (strstr(error.text, why) == NULL) {
        fail_msg("%s, not %s", error.text, why);
    }
}

static void test_pem_in_one_line_and_in_many_is_read(void **state)
{
    (void)state;
    char spaced[5000];
    assert_read(line);
    assert_read(pem);
    snprintf(spaced, sizeof(spaced), " \r\n\t%s  \n", pem);
    assert_read(spaced);
}

/* replaced copies |line| with |what| at |offset| from its first base64 character. */
static const char *replaced(size_t offset, char what)
{
    static char copy[4096];
    memcpy(copy, line, sizeof(copy));
    copy[strlen("-----BEGIN CERTIFICATE-----") + offset] = what;
    return copy;
}

static void test_what_is_no_pem_is_refused(void **state)
{
    (void)state;
    char twice[8192];
    size_t len = strlen(line), end_len = strlen("-----END CERTIFICATE-----"),
           markers = strlen("-----BEGIN CERTIFICATE----------END CERTIFICATE-----");
    snprintf(twice, sizeof(twice), "%s%s", line, line);
    assert_refused("", 0, "must begin with");
    assert_refused(line, len - 1, "must begin with");
    assert_refused(line + 1, len - 1, "must begin with");
    assert_refused("-----BEGIN CERTIFICATE----------END CERTIFICATE-----", markers, "is not base64");
    assert_refused("-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----", markers + 4, "is no X.509");
    assert_refused("-----BEGIN CERTIFICATE-----====-----END CERTIFICATE-----", markers + 4, "is no");
    assert_refused(twice, strlen(twice), "is not base64");
    assert_refused(replaced(5, '!'), len, "is not base64");
    assert_refused(replaced(8, '-'), len, "is not base64");
    /* OpenSSL's decoder would leave such an end away. */
    snprintf(twice, sizeof(twice), "%.*s----%s", (int)(len - end_len), line, line + len - end_len);
    assert_refused(twice, strlen(twice), "is not base64");
    assert_refused(replaced(8, '\0'), len, "is not base64");
    assert_refused(replaced(0, 'A'), len, "is no X.509");
}

static void test_bytes_behind_the_certificate_are_refused(void **state)
{
    (void)state;
    char longer[5000];
    snprintf(longer, sizeof(longer), "-----BEGIN CERTIFICATE-----%.*sAAAA-----END CERTIFICATE-----",
             (int)(strlen(line) - strlen("-----BEGIN CERTIFICATE----------END CERTIFICATE-----")),
             line + strlen("-----BEGIN CERTIFICATE-----"));
    struct mg_error error;
    X509 *x509 = NULL;
    assert_int_equal(certificate_line_parse(mg_slice_of_text(longer), &x509, &error), MG_INVALID);
}

static void test_a_text_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char *text = calloc(1, CERTIFICATE_LINE_MAX + 1);
    memset(text, ' ', CERTIFICATE_LINE_MAX + 1);
    memcpy(text, line, strlen(line));
    assert_refused(text, CERTIFICATE_LINE_MAX + 1, "is longer than");
    text[CERTIFICATE_LINE_MAX] = '\0';
    assert_read(text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pem_in_one_line_and_in_many_is_read),
        cmocka_unit_test(test_what_is_no_pem_is_refused),
        cmocka_unit_test(test_bytes_behind_the_certificate_are_refused),
        cmocka_unit_test(test_a_text_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
