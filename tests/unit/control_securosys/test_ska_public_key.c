/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "control/securosys/ska_public_key.h"

#define NOW_US (INT64_C(1795247981) * 1000000 + 933000) /* 2026-11-21T07:59:41.933Z */

static struct ska_error error;

static enum mg_status check(const char *timestamp, int64_t after_us)
{
    error = (struct ska_error){.code = SKA_NO_CODE};
    enum mg_status status = ska_timestamp_check(timestamp, NOW_US + after_us, &error);
    assert_int_equal(error.code, status == MG_OK ? SKA_NO_CODE : SKA_TIMESTAMP_OFF);
    return status;
}

/* contracts.md section 4.4: at most 600 s old, not in the future. */
static void test_timestamps_count_to_the_tick(void **state)
{
    (void)state;
    assert_int_equal(check("2026-11-21T07:59:41.933Z", 0), MG_OK);
    assert_int_equal(check("2026-11-21T07:59:41.933Z", -1), MG_INVALID);
    assert_int_equal(check("2026-11-21T07:59:41.933Z", INT64_C(600) * 1000000), MG_OK);
    assert_int_equal(check("2026-11-21T07:59:41.933Z", INT64_C(600) * 1000000 + 1), MG_INVALID);
    assert_int_equal(check("2026-11-21T08:00:41.933Z", 0), MG_INVALID); /* a minute */
    assert_int_equal(check("2026-11-22T07:59:41.933Z", 0), MG_INVALID); /* a day */
    assert_int_equal(check("2026-11-20T07:59:41.933Z", 0), MG_INVALID);
}

static void test_every_form_of_an_offset(void **state)
{
    (void)state;
    assert_int_equal(check("2026-11-21T07:59:41.933+00:00", 0), MG_OK);
    assert_int_equal(check("2026-11-21T08:59:41.933+01:00", 0), MG_OK);
    assert_int_equal(check("2026-11-21T02:29:41.933-05:30", 0), MG_OK);
    assert_int_equal(check("2026-11-21T07:59:41Z", 0), MG_OK);
    assert_int_equal(check("2026-11-21T07:59:41.933000001Z", 0), MG_OK);
    assert_int_equal(check("2026-11-21T08:59:41.933Z", 0), MG_INVALID); /* no offset of an hour */
}

static void test_texts_that_are_no_timestamps(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "now",
                                      "2026-11-21",
                                      "2026-11-21T07:59:41.933",
                                      "2026-11-21 07:59:41Z",
                                      "2026-11-21T07:59:41.Z",
                                      "2026-11-21T07:59Z",
                                      "2026-13-21T07:59:41Z",
                                      "2026-11-00T07:59:41Z",
                                      "2026-11-21T24:59:41Z",
                                      "2026-11-21T07:60:41Z",
                                      "2026-11-21T07:59:41Z ",
                                      "+026-11-21T07:59:41Z",
                                      "2026-11-21T07:59:41+0000",
                                      "2026-11-21T07:59:41+24:00",
                                      "2026-11-21T07:59:41.9330000000Z"};
    for (size_t i = 0; i < MG_ARRAY_LEN(bad); i++) {
        assert_int_equal(check(bad[i], 0), MG_INVALID);
    }
}

static enum mg_status set(EVP_PKEY *key, struct ska_public_key *out)
{
    error = (struct ska_error){.code = SKA_NO_CODE};
    enum mg_status status = ska_public_key_set(out, key, &error);
    EVP_PKEY_free(key);
    return status;
}

static void test_weak_keys_are_refused(void **state)
{
    (void)state;
    struct ska_public_key key;
    assert_int_equal(set(EVP_EC_gen("P-256"), &key), MG_OK);
    assert_int_equal(set(EVP_EC_gen("P-521"), &key), MG_OK);
    assert_int_equal(set(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), &key), MG_OK);
    assert_int_equal(set(EVP_RSA_gen(1024), &key), MG_INVALID);
    assert_int_equal(error.code, SKA_KEY_TYPE);
    assert_int_equal(set(EVP_EC_gen("P-224"), &key), MG_INVALID);
    assert_int_equal(set(EVP_EC_gen("secp256k1"), &key), MG_INVALID);
    assert_int_equal(set(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), &key), MG_INVALID);
}

static enum mg_status verify(const struct ska_public_key *key, const char *digest, const char *message,
                             struct mg_slice signature)
{
    error = (struct ska_error){.code = SKA_NO_CODE};
    return ska_public_key_verify(key, digest, mg_slice_of_text(message), signature, &error);
}

static void check_signatures(EVP_PKEY *pkey, const EVP_MD *md, const char *digest)
{
    struct ska_public_key key;
    uint8_t bytes[SKA_MAX_SIGNATURE];
    size_t len = sizeof(bytes);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, md, NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(context, bytes, &len, (const uint8_t *)"message", 7), 1);
    EVP_MD_CTX_free(context);
    assert_int_equal(set(pkey, &key), MG_OK);
    struct mg_slice signature = mg_slice_of(bytes, len);
    assert_int_equal(verify(&key, digest, "message", signature), MG_OK);
    assert_int_equal(verify(&key, digest, "massage", signature), MG_INVALID);
    assert_int_equal(error.code, SKA_INVALID_SIGNATURE);
    assert_int_equal(verify(&key, digest, "message", mg_slice_of(bytes, len - 1)), MG_INVALID);
    if (md != NULL) {
        assert_int_equal(verify(&key, "SHA-512", "message", signature), MG_INVALID);
        assert_int_equal(verify(&key, "EdDSA", "message", signature), MG_INVALID);
        assert_int_equal(verify(&key, "SHA-1", "message", signature), MG_INVALID);
        assert_int_equal(error.code, SKA_INVALID_ENUM);
    }
}

static void test_signatures_of_each_kind(void **state)
{
    (void)state;
    check_signatures(EVP_EC_gen("P-256"), EVP_sha256(), "SHA-256");
    check_signatures(EVP_EC_gen("P-384"), EVP_sha384(), "SHA384");
    check_signatures(EVP_RSA_gen(2048), EVP_sha256(), NULL);
    check_signatures(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, "EdDSA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timestamps_count_to_the_tick), cmocka_unit_test(test_every_form_of_an_offset),
        cmocka_unit_test(test_texts_that_are_no_timestamps), cmocka_unit_test(test_weak_keys_are_refused),
        cmocka_unit_test(test_signatures_of_each_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
