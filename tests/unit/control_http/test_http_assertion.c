/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "control/http/assertion.h"
#include "jwt_maker.h"

#define NOW INT64_C(1795247636)
#define RS256 "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"
#define ES256 "{\"alg\":\"ES256\"}"

static const char *const audiences[] = {"https://api.zscaler.com", "https://control.example", NULL};
static EVP_PKEY *rsa, *ec, *other_ec;
static char claims[512];

static const char *make_claims(const char *audience, int64_t expires, const char *more)
{
    snprintf(claims, sizeof(claims), "{\"iss\":\"id1\",\"sub\":\"id1\",\"aud\":%s,\"exp\":%lld%s}", audience,
             (long long)expires, more);
    return claims;
}

static enum mg_status check(const char *token, EVP_PKEY *key)
{
    struct assertion assertion;
    struct mg_error error = {""};
    enum mg_status status = assertion_parse(mg_slice_of_text(token), &assertion, &error);
    if (status != MG_OK) {
        assert_true(error.text[0] != '\0');
        return status;
    }
    assert_string_equal(assertion.client_id, "id1");
    status = assertion_check_signature(&assertion, key, &error);
    if (status == MG_OK) {
        status = assertion_check_claims(&assertion, audiences, NOW, &error);
    }
    assertion_free(&assertion);
    return status;
}

#define GOOD make_claims("\"https://api.zscaler.com\"", NOW + 600, "")

static void test_rs256_and_es256_are_taken(void **state)
{
    (void)state;
    assert_int_equal(check(jwt_make(rsa, RS256, GOOD), rsa), MG_OK);
    assert_int_equal(check(jwt_make(ec, ES256, GOOD), ec), MG_OK);
}

static void test_the_algorithm_belongs_to_the_key(void **state)
{
    (void)state;
    assert_int_equal(check(jwt_make(ec, ES256, GOOD), other_ec), MG_DENIED);
    assert_int_equal(check(jwt_make(ec, RS256, GOOD), ec), MG_DENIED);
    assert_int_equal(check(jwt_make(rsa, ES256, GOOD), rsa), MG_DENIED);
    assert_int_equal(check(jwt_make(ec, ES256, GOOD), rsa), MG_DENIED);
    static const char *const bad[] = {"{\"alg\":\"none\"}",
                                      "{\"alg\":\"HS256\"}",
                                      "{\"alg\":\"rs256\"}",
                                      "{\"alg\":1}",
                                      "{}",
                                      "[]",
                                      "RS256",
                                      "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(check(jwt_make(rsa, bad[i], GOOD), rsa), MG_INVALID);
    }
}

static void test_a_changed_token_is_refused(void **state)
{
    (void)state;
    char token[8192];
    snprintf(token, sizeof(token), "%s", jwt_make(ec, ES256, GOOD));
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(check(token, ec), MG_OK);
        token[i] = kept;
    }
    assert_int_equal(check(token, ec), MG_OK);
    for (size_t i = 0; i < len; i++) {
        char kept = token[i];
        token[i] = '\0';
        assert_int_not_equal(check(token, ec), MG_OK);
        token[i] = kept;
    }
}

static void test_the_claims_that_must_be_there(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"iss\":\"id1\",\"sub\":\"id2\",\"aud\":\"https://api.zscaler.com\",\"exp\":1795247700}",
        "{\"iss\":\"id1\",\"aud\":\"https://api.zscaler.com\",\"exp\":1795247700}",
        "{\"sub\":\"id1\",\"aud\":\"https://api.zscaler.com\",\"exp\":1795247700}",
        "{\"iss\":\"id1\",\"sub\":\"id1\",\"aud\":\"https://api.zscaler.com\"}",
        "{\"iss\":\"id1\",\"sub\":\"id1\",\"aud\":\"https://api.zscaler.com\",\"exp\":\"1795247700\"}",
        "{\"iss\":\"id1\",\"sub\":\"id1\",\"aud\":\"https://api.zscaler.com\",\"exp\":-1}",
        "{\"iss\":\"id1\",\"sub\":\"id1\",\"aud\":\"https://api.zscaler.com\",\"exp\":1e300}",
        "{\"iss\":\"id1\",\"sub\":\"id1\",\"aud\":\"https://api.zscaler.com\",\"exp\":1795247700,\"jti\":7}",
        "{\"iss\":\"id1\",\"iss\":\"id1\",\"sub\":\"id1\",\"aud\":\"https://api.zscaler.com\",\"exp\":1795247700}",
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(check(jwt_make(ec, ES256, bad[i]), ec), MG_INVALID);
    }
}

static void test_audience_and_times_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *audience;
        int64_t ahead; /* seconds until exp */
        const char *more;
        enum mg_status status;
    } cases[] = {
        {"[\"x\",\"https://control.example\"]", 600, "", MG_OK},
        {"\"https://api.zscaler.com/\"", 600, "", MG_DENIED},
        {"[\"x\"]", 600, "", MG_DENIED},
        {"[]", 600, "", MG_DENIED},
        {"null", 600, "", MG_DENIED},
        {"{}", 600, "", MG_DENIED},
        {"\"https://api.zscaler.com\"", 1, "", MG_OK},
        {"\"https://api.zscaler.com\"", 0, "", MG_DENIED},
        {"\"https://api.zscaler.com\"", 660, "", MG_OK}, /* clocks differ */
        {"\"https://api.zscaler.com\"", 661, "", MG_DENIED},
        {"\"https://api.zscaler.com\"", 600, ",\"iat\":1795247696", MG_OK},
        {"\"https://api.zscaler.com\"", 600, ",\"iat\":1795247697", MG_DENIED},
        {"\"https://api.zscaler.com\"", 600, ",\"nbf\":1795247697", MG_DENIED},
        {"\"https://api.zscaler.com\"", 600, ",\"nbf\":\"now\"", MG_DENIED},
    };
    for (size_t i = 0; i < MG_ARRAY_LEN(cases); i++) {
        const char *text = make_claims(cases[i].audience, NOW + cases[i].ahead, cases[i].more);
        assert_int_equal(check(jwt_make(ec, ES256, text), ec), cases[i].status);
    }
}

static int make_keys(void **state)
{
    (void)state;
    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    other_ec = EVP_EC_gen("P-256");
    return rsa != NULL && ec != NULL && other_ec != NULL ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(other_ec);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rs256_and_es256_are_taken),      cmocka_unit_test(test_the_algorithm_belongs_to_the_key),
        cmocka_unit_test(test_a_changed_token_is_refused),     cmocka_unit_test(test_the_claims_that_must_be_there),
        cmocka_unit_test(test_audience_and_times_are_checked),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
