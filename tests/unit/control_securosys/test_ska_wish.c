/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "control/securosys/ska_wish.h"

static struct ska_error error;
static struct ska_wish wish;
static json_t *json;

/* read reads |text|; what |wish| borrows lives until the next. */
static enum ska_code read_wish(enum ska_operation operation, const char *text)
{
    json_decref(json);
    json = json_loads(text, 0, NULL);
    assert_non_null(json);
    error = (struct ska_error){.code = SKA_NO_CODE};
    enum mg_status status = ska_wish_read(json, operation, &wish, &error);
    assert_int_equal(status == MG_OK, error.code == SKA_NO_CODE);
    return error.code;
}

static int drop(void **state)
{
    (void)state;
    json_decref(json);
    json = NULL;
    return 0;
}

/* contracts.md section 4.2, the quirks of clients. */
static void test_usages_in_every_form_that_clients_send(void **state)
{
    (void)state;
    static const char *const forms[] = {"[\"DIGITAL_SIGNATURE\", \"CRL_SIGN\"]", "[\"DIGITAL_SIGNATURE,CRL_SIGN\"]",
                                        "[\"DIGITAL_SIGNATURE, CRL_SIGN\"]",
                                        "[\"CRL_SIGN\", \"\", \"DIGITAL_SIGNATURE\"]"};
    char text[256];
    for (size_t i = 0; i < MG_ARRAY_LEN(forms); i++) {
        snprintf(text, sizeof(text), "{\"signKeyName\": \"k\", \"commonName\": \"x\", \"keyUsage\": %s}", forms[i]);
        assert_int_equal(read_wish(SKA_SELF_SIGN, text), SKA_NO_CODE);
        assert_int_equal(wish.key_usage, 1U | 1U << 6);
    }
    assert_int_equal(read_wish(SKA_SELF_SIGN, "{\"signKeyName\": \"k\", \"commonName\": \"x\", \"keyUsage\": [\"\"]}"),
                     SKA_NO_CODE);
    assert_int_equal(wish.key_usage, 0);
    assert_int_equal(read_wish(SKA_SELF_SIGN, "{\"signKeyName\": \"k\", \"commonName\": \"x\", \"keyUsage\": [\"X\"]}"),
                     SKA_INVALID_ENUM);
    assert_int_equal(read_wish(SKA_SELF_SIGN, "{\"signKeyName\": \"k\", \"commonName\": \"x\", \"keyUsage\": [1]}"),
                     SKA_INVALID_ENUM);
}

static void test_ninety_days_without_a_word(void **state)
{
    (void)state;
    assert_int_equal(read_wish(SKA_SELF_SIGN, "{\"signKeyName\": \"k\", \"commonName\": \"x\"}"), SKA_NO_CODE);
    assert_int_equal(wish.days, 90);
    assert_false(wish.is_ca);
    assert_int_equal(read_wish(SKA_SELF_SIGN, "{\"signKeyName\": \"k\", \"commonName\": \"x\", \"validity\": 7301}"),
                     SKA_INPUT);
}

/* RFC 5280 section 4.2.1.9. */
static void test_who_is_no_ca_signs_no_certificates(void **state)
{
    (void)state;
    static const char text[] = "{\"signKeyName\": \"k\", \"commonName\": \"x\", \"certificateSigningRequest\": \"x\","
                               " \"keyUsage\": [\"KEY_CERT_SIGN\"], \"certificateAuthority\": %s}";
    char body[256];
    snprintf(body, sizeof(body), text, "false");
    assert_int_equal(read_wish(SKA_CERTIFY, body), SKA_INPUT);
    snprintf(body, sizeof(body), text, "true");
    assert_int_equal(read_wish(SKA_CERTIFY, body), SKA_NO_CODE);
}

static void test_each_body_has_what_it_needs(void **state)
{
    (void)state;
    assert_int_equal(read_wish(SKA_SELF_SIGN, "{\"commonName\": \"x\"}"), SKA_INPUT);
    assert_int_equal(read_wish(SKA_CERTIFY, "{\"signKeyName\": \"k\", \"commonName\": \"x\"}"), SKA_INPUT);
    assert_int_equal(read_wish(SKA_SIGN, "{\"signKeyName\": \"k\"}"), SKA_INPUT);
    assert_int_equal(read_wish(SKA_MAKE_REQUEST, "{\"signKeyName\": \"k\"}"), SKA_INPUT);
    assert_int_equal(read_wish(SKA_MAKE_REQUEST, "{\"signKeyName\": \"k\", \"standardCertificateAttributes\":"
                                                 " {\"commonName\": \"x\", \"surname\": \"y\"}}"),
                     SKA_NO_CODE);
    assert_string_equal(wish.subject[SKA_COMMON_NAME], "x");
    assert_string_equal(wish.subject[SKA_SURNAME], "y");
    assert_null(wish.subject[SKA_COUNTRY]);
    assert_int_equal(read_wish(SKA_SIGN, "{\"signKeyName\": \"k\", \"payload\": \"eA==\", \"keyPassword\": [1]}"),
                     SKA_INPUT);
}

static void test_algorithms_are_of_the_key(void **state)
{
    (void)state;
    enum wire_ska_digest digest;
    assert_int_equal(read_wish(SKA_SIGN, "{\"signKeyName\": \"k\", \"payload\": \"eA==\","
                                         " \"signatureAlgorithm\": \"SHA384_WITH_RSA\"}"),
                     SKA_NO_CODE);
    assert_int_equal(ska_wish_digest(&wish, WIRE_KEY_RSA_2048, &digest, &error), MG_OK);
    assert_int_equal(digest, WIRE_SKA_SHA384);
    assert_int_equal(ska_wish_digest(&wish, WIRE_KEY_EC_P256, &digest, &error), MG_INVALID);
    assert_int_equal(error.code, SKA_ALGORITHM_OF_KEY);
    wish.signature_algorithm = "MD5_WITH_RSA";
    assert_int_equal(ska_wish_digest(&wish, WIRE_KEY_RSA_2048, &digest, &error), MG_INVALID);
    assert_int_equal(error.code, SKA_INVALID_ENUM);
    wish.signature_algorithm = NULL;
    assert_int_equal(ska_wish_digest(&wish, WIRE_KEY_EC_P384, &digest, &error), MG_OK);
    assert_int_equal(digest, WIRE_SKA_SHA256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_usages_in_every_form_that_clients_send, drop),
        cmocka_unit_test_teardown(test_ninety_days_without_a_word, drop),
        cmocka_unit_test_teardown(test_who_is_no_ca_signs_no_certificates, drop),
        cmocka_unit_test_teardown(test_each_body_has_what_it_needs, drop),
        cmocka_unit_test_teardown(test_algorithms_are_of_the_key, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
