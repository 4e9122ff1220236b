/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/naver/pca_names.h"

static int num_added(enum pca_name_kind kind, const char *list)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    int num = pca_names_add(names, kind, list) ? sk_GENERAL_NAME_num(names) : -1;
    GENERAL_NAMES_free(names);
    return num;
}

static void test_lists_have_commas_in_between(void **state)
{
    (void)state;
    assert_int_equal(num_added(PCA_NAME_HOST, NULL), 0);
    assert_int_equal(num_added(PCA_NAME_HOST, ""), 0);
    assert_int_equal(num_added(PCA_NAME_HOST, "a.example"), 1);
    assert_int_equal(num_added(PCA_NAME_HOST, "a.example, *.b.example ,c@d.example"), 3);
    assert_int_equal(num_added(PCA_NAME_ADDRESS, "192.0.2.1,2001:db8::1"), 2);
    assert_int_equal(num_added(PCA_NAME_URI, "https://a.example/x,urn:y"), 2);
    assert_int_equal(num_added(PCA_NAME_OTHER, "1.2.3.4;UTF8:Z\xc3\xbcrich"), 1);
}

static void test_what_is_malformed_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum pca_name_kind kind;
        const char *list;
    } bad[] = {
        {PCA_NAME_HOST, ","},
        {PCA_NAME_HOST, "a,,b"},
        {PCA_NAME_HOST, " "},
        {PCA_NAME_HOST, "DNS:a"},
        {PCA_NAME_HOST, "a..b"},
        {PCA_NAME_HOST, ".a"},
        {PCA_NAME_HOST, "a."},
        {PCA_NAME_HOST, "a b"},
        {PCA_NAME_HOST, "*"},
        {PCA_NAME_HOST, "a.*.b"},
        {PCA_NAME_HOST, "@a"},
        {PCA_NAME_HOST, "a@"},
        {PCA_NAME_HOST, "a@b@c"},
        {PCA_NAME_HOST, "\xc3\xbc.de"},
        {PCA_NAME_HOST, "a\nb"},
        {PCA_NAME_ADDRESS, "1.2.3"},
        {PCA_NAME_ADDRESS, "::g"},
        {PCA_NAME_ADDRESS, "1.2.3.4/8"},
        {PCA_NAME_URI, "x"},
        {PCA_NAME_URI, ":x"},
        {PCA_NAME_URI, "a:"},
        {PCA_NAME_URI, "http://a b"},
        {PCA_NAME_URI, "1a:b"},
        {PCA_NAME_OTHER, "1.2.3"},
        {PCA_NAME_OTHER, "x;UTF8:y"},
        {PCA_NAME_OTHER, ";UTF8:y"},
        {PCA_NAME_OTHER, "1.2.3;IA5:y"},
        {PCA_NAME_OTHER, "1.2.3;UTF8:\xff"},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(num_added(bad[i].kind, bad[i].list), -1);
    }
    char label[80];
    memset(label, 'a', sizeof(label));
    label[63] = '\0';
    assert_int_equal(num_added(PCA_NAME_HOST, label), 1);
    label[63] = 'a';
    label[64] = '\0';
    assert_int_equal(num_added(PCA_NAME_HOST, label), -1);
}

static void test_urls_are_of_http_or_https(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "http://",    "ftp://a",         "a",
                                      "http//a", "http://a b", "http://\xc3\xbc", "HTTP"};
    assert_true(pca_is_url("http://a"));
    assert_true(pca_is_url("https://a.example/b?c=d"));
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_false(pca_is_url(bad[i]));
    }
}

static void test_usages_are_words_however_they_are_written(void **state)
{
    (void)state;
    static const char *const words[] = {"DIGITAL_SIGNATURE", "digitalSignature", "Digital Signature",
                                        "digital-signature"};
    for (size_t i = 0; i < MG_ARRAY_LEN(words); i++) {
        assert_int_equal(pca_key_usage_of(words[i]), KU_DIGITAL_SIGNATURE);
    }
    assert_int_equal(pca_extended_usage_of("OCSP_SIGNING"), NID_OCSP_sign);
    assert_int_equal(pca_extended_usage_of("serverAuth"), NID_server_auth);
}

/* What makes a CA is not an end-entity's. */
static void test_what_end_entities_may_not_have_is_no_word(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "KEY_CERT_SIGN", "keyCertSign", "CRL_SIGN", "digitalSignatur", "digitalSignatures", "0", "*"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(pca_key_usage_of(bad[i]), 0);
        assert_int_equal(pca_extended_usage_of(bad[i]), NID_undef);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_have_commas_in_between),
        cmocka_unit_test(test_what_is_malformed_is_refused),
        cmocka_unit_test(test_urls_are_of_http_or_https),
        cmocka_unit_test(test_usages_are_words_however_they_are_written),
        cmocka_unit_test(test_what_end_entities_may_not_have_is_no_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
